"""The question before paying, and what the plan says of caps and of defaults that the manifest leaves open."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.money.test_screens import preview
from wanbatch.batch.models import PriceClass
from wanbatch.batch.plan import Due
from wanbatch.batch.unwritten import smaller, unwritten
from wanbatch.cli import call
from wanbatch.cli.money import preview_json, print_preview
from wanbatch.cli.payment_question import question_text
from wanbatch.money.defaulted import defaulted
from wanbatch.money.prices import UNKNOWN_QUOTE, Estimate, Quote
from wanbatch.session.preview import Preview, Why

MODEL = "alibaba/wan-2-6-t2v"
LARGE, SMALL, UNPRICED = (
    PriceClass(MODEL, "1080p", 10),
    PriceClass(MODEL, "720p", 5),
    PriceClass("other/model", None, None),
)
QUOTES = {LARGE: Quote(2_000_000, "price list"), SMALL: Quote(500_000, "price list"), UNPRICED: UNKNOWN_QUOTE}


def forty_four(scene: str = "sc010", names: tuple[str, ...] = (), **facts: Any) -> Preview:
    """A plan of 44 takes of 1 USD each, each tried twice at most."""
    takes = tuple(Due(n, f"s{n}", 1, n, scene, LARGE, unwritten=names) for n in range(44))
    estimate = Estimate(88_000_000, 44, 0, 88_000_000, 176_000_000)
    told = {"cap_credits": None, "takes": takes, "quotes": QUOTES, "to_submit": {LARGE: 44}, "estimate": estimate,
            "scenes": {}, "defaulted": defaulted(takes, QUOTES)}  # fmt: skip
    return preview(**{**told, **facts})


HOST = "https://api.aimlapi.com"
FROM = f"from {HOST}"
UNDER = f"under the caps (cap 0.0000005; all 44 need 44.00; balance 900.00). Continue, and only fetch what is under way at {HOST}?"


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({}, f"Buy 44 takes {FROM} for about 44.00 USD, at worst 88.00 USD (no cap; balance 900.00)?"),
        (
            {"cap_credits": 80_000_000},
            f"Buy 40 of 44 takes {FROM} for about 40.00 USD (cap 40.00; all 44 need 44.00; balance 900.00)?",
        ),
        (
            {"cap_credits": 120_000_000, "before": 20_000_000, "balance_usd": None},
            f"Buy 44 takes {FROM} for about 44.00 USD, at worst 50.00 USD (cap 60.00, 10.00 of it committed; balance unknown)?",
        ),
        (
            {"cap_credits": 120_000_000, "before": None},
            f"Buy 44 takes {FROM} for about 44.00 USD, at worst 88.00 USD (cap 60.00, of which an unknown part is committed; balance 900.00)?",
        ),
        (
            {"why": Why.PILOT, "cap_credits": 80_000_000},
            f"Buy 40 of the other 44 takes {FROM} for about 40.00 USD (cap 40.00; all 44 need 44.00; balance 900.00)?",
        ),
        (
            {"cap_credits": 1},
            f"Nothing can be sent {UNDER}",
        ),
        (
            {"cap_credits": 120_000_000, "scene_caps": {"sc010": 60_000_000}},
            f"Buy 30 of 44 takes {FROM} for about 30.00 USD, at worst 60.00 USD (cap 60.00; cap of scene sc010 30.00, it needs 44.00; all 44 need 44.00; balance 900.00)?",
        ),
        (
            {"scene_caps": {"sc010": 60_000_000}, "committed_by_scene": {"sc010": None}},
            f"Nothing can be sent under the caps (no cap; cap of scene sc010 30.00, of which an unknown part is committed; all 44 need 44.00; balance 900.00). Continue, and only fetch what is under way at {HOST}?",
        ),
        (
            {"pilot": 5},
            f"Buy a pilot of 5 takes {FROM}, then ask about the rest (no cap; all 44 need 44.00; balance 900.00)?",
        ),
        (
            {"names": ("resolution", "duration")},
            f"Buy 44 takes {FROM} for about 44.00 USD, at worst 88.00 USD (no cap; balance 900.00; 44 takes use the model's defaults: 1080p, 10 s)?",
        ),
    ],
    ids=lambda value: None if isinstance(value, str) else "-".join(value) or "plain",
)  # fmt: skip
def test_the_question_names_takes_cost_cap_and_balance(facts: dict[str, Any], text: str) -> None:
    assert question_text(forty_four(**facts)) == text


def test_an_unknown_price_is_no_part_of_the_sum_and_is_named() -> None:
    takes = (Due(1, "a", 1, 0, "", LARGE), Due(2, "b", 1, 1, "", UNPRICED))
    made = forty_four(takes=takes, estimate=Estimate(2_000_000, 2, 1, 2_000_000, 2_000_000), balance_usd=Decimal(5))
    assert question_text(made) == (
        f"Buy 2 takes {FROM} for 1.00 USD + unknown (1 take), at worst 2.00 USD (no cap; balance 5.00)?"
    )


TOO_LOW = (
    "0.0000005 USD of it is left, and the next take (s0_t1) costs 1.00 USD, so nothing will be sent under it; 44.00 USD"
    " would cover all"
)


def lines_with(made: Preview, word: str) -> list[str]:
    stream = io.StringIO()
    print_preview(Console(file=stream, width=300, no_color=True, highlight=False, soft_wrap=True), made)
    return [" ".join(line.split()) for line in stream.getvalue().splitlines() if word in line]


def test_the_plan_says_how_far_the_cap_reaches() -> None:
    assert lines_with(forty_four(cap_credits=80_000_000), "cap ") == [
        "cap 40.00 USD for the whole batch; it covers 40 of 44 takes, and the rest will wait; 44.00 USD would cover all"
    ]
    assert lines_with(forty_four(cap_credits=1), "cap ") == [f"cap 0.0000005 USD for the whole batch; {TOO_LOW}"]
    assert lines_with(forty_four(cap_credits=88_000_000), "cap ") == ["cap 44.00 USD for the whole batch"]
    assert lines_with(forty_four(cap_credits=88_000_000, before=None), "cap ") == [
        "cap 44.00 USD for the whole batch; an unknown part of it is committed"
    ]


def test_the_cap_of_a_scene_that_cannot_hold_is_announced() -> None:
    made = forty_four(scene_caps={"sc010": 20_000_000, "sc020": 1}, committed_by_scene={"sc010": 10_000_000})
    assert lines_with(made, "cap") == [
        (
            "cap of scene sc010: 10.00 USD; it covers 5 of 44 takes, and s5_t1, s6_t1, s7_t1, s8_t1 and 35 more will wait;"
            " 49.00 USD would cover all"
        ),
        "cap of scene sc020: 0.0000005 USD",
        "under these caps 5 of 44 takes will be sent",
    ]
    scenes = preview_json(made)["within_caps"]["scenes"]
    assert scenes == [{"scene": "sc010", "cap": 20_000_000, "takes": 5, "of": 44, "needed": 98_000_000}]


def test_the_cap_of_the_batch_is_not_blamed_for_what_the_cap_of_a_scene_stops() -> None:
    takes = tuple(Due(n, f"s{n}", 1, n, "13" if n % 2 else "12", LARGE) for n in range(8))
    facts = {"takes": takes, "cap_credits": 16_000_000, "scene_caps": {"13": 4_000_000}}
    made = forty_four(**facts, estimate=Estimate(16_000_000, 8, 0, 16_000_000, 32_000_000))
    assert lines_with(made, "cap") == [
        "cap 8.00 USD for the whole batch",
        "cap of scene 13: 2.00 USD; it covers 2 of 4 takes, and s5_t1 and s7_t1 will wait; 4.00 USD would cover all",
        "under these caps 6 of 8 takes will be sent",
    ]
    spent = forty_four(**facts, before=4_000_000, committed_by_scene={"13": 4_000_000})
    assert lines_with(spent, "cap")[:2] == [
        "cap 8.00 USD for the whole batch; it covers 6 of 8 takes, and the rest will wait; 10.00 USD would cover all",
        "cap of scene 13: 2.00 USD; all of it is committed, so nothing of this scene will be sent; 6.00 USD would cover all",
    ]


def test_a_cap_that_only_a_dearer_take_exceeds_is_not_called_too_low_for_any() -> None:
    takes = (Due(1, "a", 1, 0, "", LARGE), Due(2, "b", 1, 1, "", SMALL))
    facts = {"takes": takes, "estimate": Estimate(2_500_000, 2, 0, 2_500_000, 5_000_000)}
    assert lines_with(forty_four(**facts, cap_credits=1_200_000), "cap") == [
        (
            "cap 0.60 USD for the whole batch; 0.60 USD of it is left, and the next take (a_t1) costs 1.00 USD, so nothing will"
            " be sent under it; 1.25 USD would cover all"
        )
    ]


def test_no_sum_would_cover_a_take_whose_price_is_unknown() -> None:
    takes = (Due(1, "a", 1, 0, "", LARGE), Due(2, "b", 1, 1, "", UNPRICED))
    facts = {"takes": takes, "estimate": Estimate(2_000_000, 2, 1, 2_000_000, 2_000_000)}
    assert lines_with(forty_four(**facts, cap_credits=2_000_000), "cap ")[0] == (
        "cap 1.00 USD for the whole batch; it covers 1 of 2 takes, and the rest will wait; all would need 1.00 USD +"
        " unknown (1 take)"
    )


def test_the_plan_names_defaults_and_what_smaller_clips_would_cost() -> None:
    made = forty_four(names=("resolution", "duration"))
    (line,) = lines_with(made, "default")
    assert line == (
        "1080p, 10 s are defaults of wan-2-6-t2v: the manifest does not set them (44 takes for 44.00 USD); 720p, 5 s would"
        " cost 11.00 USD"
    )
    assert preview_json(made)["defaults"] == [
        {"model": MODEL, "parameters": ["resolution", "duration"], "values": "1080p, 10 s", "takes": 44,
         "credits_each": 2_000_000, "smaller": "720p, 5 s", "smaller_credits_each": 500_000}
    ]  # fmt: skip
    assert lines_with(forty_four(), "default") == []


@pytest.mark.parametrize(
    ("price_class", "names", "less"),
    [
        (LARGE, ("resolution", "duration"), SMALL),
        (LARGE, ("resolution",), PriceClass(MODEL, "720p", 10)),
        (LARGE, ("duration",), PriceClass(MODEL, "1080p", 5)),
        (SMALL, ("resolution", "duration"), None),
        (PriceClass("alibaba/wan2.1-t2v-turbo", "480P", 5), ("resolution",), None),
        (UNPRICED, ("resolution",), None),
    ],
)
def test_a_smaller_clip_is_named_where_the_model_makes_one(
    price_class: PriceClass, names: tuple[str, ...], less: PriceClass | None
) -> None:
    assert smaller(price_class, names) == less


@pytest.mark.parametrize(
    ("model", "told", "names"),
    [
        (MODEL, (None, None), ("resolution", "duration")),
        (MODEL, ("720p", None), ("duration",)),
        (MODEL, ("720p", 5), ()),
        ("other/model", (None, None), ()),
    ],
)
def test_what_a_request_leaves_to_its_model(model: str, told: tuple[Any, Any], names: tuple[str, ...]) -> None:
    assert unwritten(model, *told) == names


def test_takes_of_a_class_are_counted_once_for_each_way_to_leave_it_open() -> None:
    takes = [*forty_four(names=("duration",)).takes[:3], *forty_four(names=("resolution", "duration")).takes[:1]]
    rows = [(each.names, each.takes, each.smaller, each.smaller_credits) for each in defaulted(takes, QUOTES)]
    assert rows == [
        (("duration",), 3, PriceClass(MODEL, "1080p", 5), None),
        (("resolution", "duration"), 1, SMALL, 500_000),
    ]


@pytest.mark.long
def test_a_plan_of_a_manifest_names_its_defaults_before_and_after_it_was_planned(
    near: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("id,prompt,duration\na,one,5\nb,two,\n")
    told = []
    for limit in ("1", "2"):
        assert call(["--json", "plan", "a.csv", "--sandbox"]) == 0
        told.append(json.loads(capsys.readouterr().out.splitlines()[-1])["defaults"])
        assert call(["-q", "run", "a.csv", "--sandbox", "--speed", "900", "--limit", limit, "--no-report"]) == 0
    assert [[(each["values"], each["takes"], each["smaller"]) for each in rows] for rows in told] == [
        [("1080p, 10 s", 1, "720p, 5 s"), ("1080p", 1, "720p")],
        [("1080p", 1, "720p")],
    ]
