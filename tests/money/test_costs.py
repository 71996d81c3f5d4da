"""The cost report: every sum is the ledger's, on every level and for several batches together."""

from __future__ import annotations

import csv
import json
import re
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reporting.states import BEGIN, CREDITS, MADE_AT, Pen, begin, every_state, shot
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.models import PriceClass
from wanbatch.batch.shots import Batch
from wanbatch.errors import UsageInvalid
from wanbatch.money.costs import Figure, cost_of, figures_of
from wanbatch.money.prices import Quote
from wanbatch.reporting.amounts import WENT_INTO
from wanbatch.reporting.book import book_of
from wanbatch.reporting.cost_files import write_combined
from wanbatch.reporting.costs import COST_COLUMNS, Costs, make_costs
from wanbatch.reporting.files import write_reports
from wanbatch.reporting.record import read_record
from wanbatch.reporting.spend import BUCKETS_SHOWN, spend_by_time
from wanbatch.state.reader import StateReader
from wanbatch.state.tables import Run, quoted

CLASS = PriceClass("alibaba/wan-2-6-t2v", "720p", 5)
PARTS = tuple(f"{name}_credits" for name in WENT_INTO)


def write_run(pen: Pen, cap: int | None, scenes: str = "{}", price: int | None = CREDITS) -> None:
    run = Run(1, BEGIN, None, None, 1.0, "0", 9, 0, cap, "", scene_caps=scenes)
    pen.state.store_run(run, [quoted(run, CLASS, Quote(price, "price list"))])


def story(folder: Path, name: str = "film", cap: int | None = 10 * CREDITS) -> Path:
    """Six takes: in use, failed and free, failed and charged, held, planned, superseded."""
    marks: list[dict[str, Any]] = [
        {"scene": "sc1", "sequence": "sq1", "tags": ("hero", "night"), "cost_code": "A"},
        {"scene": "sc1", "sequence": "sq1", "tags": ("hero",)},
        {"scene": "sc2", "sequence": "sq1", "cost_code": "A"},
        {"scene": "sc2"},
        {"scene": "sc2"},
        {"scene": ""},
    ]
    shots = [shot(f"s{n}", n, **facts) for n, facts in enumerate(marks)]
    pen = begin(folder, Batch(name, tuple(shots)))
    pen.lead(1, State.VERIFIED, estimated=CREDITS, charged=CREDITS, label="s0_t1", clip_s=5.0)
    pen.lead(2, State.FAILED, estimated=CREDITS)
    pen.lead(3, State.FAILED, estimated=CREDITS, charged=CREDITS)
    pen.lead(4, State.HELD, held=None)
    pen.lead(6, State.VERIFIED, estimated=CREDITS, held=CREDITS + 5, charged=CREDITS + 5, label="s5_t1", clip_s=10.0)
    pen.tell(6, Fact.SUPERSEDED)
    write_run(pen, cap, json.dumps({"sc1": 2 * CREDITS}))
    pen.state.close()
    return folder


def costs_of(folder: Path) -> Costs:
    with StateReader.open(folder) as reader:
        return make_costs([book_of(read_record(reader))])


def rows_of(costs: Costs, level: str) -> dict[str, dict[str, Any]]:
    rows = json.loads(costs.costs.to_json(orient="records"))
    return {row["key"]: row for row in rows if row["level"] == level}


def test_a_batch_says_what_it_was_to_cost_costs_and_will_have_cost(tmp_path: Path) -> None:
    row = rows_of(costs_of(story(tmp_path)), "batch")["film"]
    told = {name: row[name] for name in row if name.endswith("_credits") or name.startswith("takes_of")}
    assert told == {
        "budget_credits": 10 * CREDITS,
        "estimated_credits": None,  # the held one was sent without a price
        "estimated_known_credits": 5 * CREDITS + 5,  # one that is not sent counts at the price of today
        "held_credits": None,
        "held_known_credits": 2 * CREDITS + 5,  # of the three that did not fail; one is unknown
        "charged_credits": None,
        "charged_known_credits": 3 * CREDITS + 5,
        "at_risk_credits": None,
        "at_risk_known_credits": 0,
        "committed_credits": None,
        "committed_known_credits": 3 * CREDITS + 5,
        "to_complete_credits": CREDITS + 5,  # as the newest charge
        "to_complete_known_credits": CREDITS + 5,
        "final_credits": None,
        "final_known_credits": 4 * CREDITS + 10,
        "budget_less_final_credits": None,
        "takes_of_unknown_cost": 1,
        "takes_of_unknown_price": 0,
        "in_cut_credits": CREDITS,
        "outside_cut_credits": 2 * CREDITS + 5,
        "unchosen_credits": 0,
        "left_out_credits": 0,
        "failed_credits": CREDITS,
        "superseded_credits": CREDITS + 5,
        "waiting_credits": 0,
        "extra_credits": 0,
        "baseline_credits": None,  # none was kept
        "variance_credits": None,
    }


def test_a_scene_whose_money_is_all_known_has_a_final_cost_and_variances(tmp_path: Path) -> None:
    row = rows_of(costs_of(story(tmp_path)), "scene")["sc1"]
    names = ("budget", "estimated", "at_risk", "charged", "final", "budget_less_final")
    assert [row[f"{name}_credits"] for name in names] == [
        2 * CREDITS, 2 * CREDITS, 0, CREDITS, CREDITS, CREDITS,
    ]  # fmt: skip
    assert (row["final_usd"], row["budget_less_final_usd"]) == (0.525, 0.525)


def test_seconds_and_yield_are_numbers(tmp_path: Path) -> None:
    costs = costs_of(story(tmp_path))
    scene = rows_of(costs, "scene")["sc1"]
    names = ("usable_s", "in_cut_s", "credits_per_usable_second", "usd_per_second_in_cut", "first_take_yield")
    assert [scene[name] for name in names] == [5, 5, 210_000, 0.105, 0.5]
    whole = rows_of(costs, "batch")["film"]
    names = ("usable_s", "in_cut_s", "usd_per_usable_second", "first_takes", "first_takes_good")
    assert [whole[name] for name in names] == [5, 5, None, 4, 2]  # a held charge is not seen: no price of a second


def test_a_take_with_two_tags_stands_in_both(tmp_path: Path) -> None:
    tags = rows_of(costs_of(story(tmp_path)), "tag")
    assert {key: row["takes"] for key, row in tags.items()} == {"hero": 2, "night": 1, "": 4}


def test_a_batch_without_takes_has_its_row(tmp_path: Path) -> None:
    pen = begin(tmp_path, Batch("none", (shot("a", 0, omit=True),)))
    pen.state.close()
    costs = costs_of(tmp_path)
    row = rows_of(costs, "batch")["none"]
    assert (len(costs.costs), row["takes"], row["charged_credits"], row["final_credits"], row["budget_credits"]) == (
        1,
        0,
        0,
        0,
        None,
    )
    assert (len(costs.spend), spend_by_time(costs.spend)) == (0, [])


def test_a_take_of_unknown_price_is_still_to_come_and_not_free(tmp_path: Path) -> None:
    pen = begin(tmp_path, Batch("b", (shot("a", 0),)))
    write_run(pen, None, price=None)
    pen.state.close()
    row = rows_of(costs_of(tmp_path), "batch")["b"]
    assert (row["to_complete_credits"], row["takes_of_unknown_price"], row["final_credits"], row["final_usd"]) == (
        None,
        1,
        None,
        None,
    )


TAKE = st.tuples(
    st.sampled_from([state for state in State if state is not State.SUBMITTING]),
    st.sampled_from(["", "sc1", "sc2"]),
    st.sampled_from([(), ("x",), ("x", "y")]),
    st.none() | st.integers(0, 10**12),
    st.booleans(),
)


@pytest.mark.long
@given(st.lists(TAKE, max_size=6))
@settings(max_examples=15)  # each makes a whole report; `make fuzz` tries others
def test_every_sum_is_that_of_its_parts(takes: Sequence[tuple[State, str, tuple[str, ...], int | None, bool]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shots = [
            shot(f"s{n}", n, scene=scene, tags=tags, cost_code=scene) for n, (_, scene, tags, _, _) in enumerate(takes)
        ]
        pen = begin(folder, Batch("b", tuple(shots)))
        total = 0
        for take_id, (state, _, _, charged, is_superseded) in enumerate(takes, start=1):
            seen = charged if state not in (State.PLANNED, State.UNKNOWN) else None
            total += seen or 0
            pen.lead(take_id, state, charged=seen, label=f"s{take_id - 1}_t1")
            if is_superseded:
                pen.tell(take_id, Fact.SUPERSEDED)
        write_run(pen, None)
        pen.state.close()
        costs = costs_of(folder)
    rows = json.loads(costs.costs.to_json(orient="records"))
    assert all(sum(row[part] or 0 for part in PARTS) == row["charged_known_credits"] for row in rows)
    assert rows[0]["charged_known_credits"] == total
    assert all((row["charged_credits"] is None) == (row["charges_not_seen"] > 0) for row in rows)
    for level in ("scene", "cost_code"):
        mine = [row["charged_known_credits"] for row in rows if row["level"] == level]
        assert not mine or sum(mine) == total
    assert not len(costs.spend) or costs.spend["charged_credits"].sum() == total


# --- charges of several attempts


def twice(folder: Path) -> Pen:
    """A take whose first generation failed and was charged, and whose second gave the clip."""
    pen = begin(folder, Batch("b", (shot("a", 0),)))
    pen.lead(1, State.FAILED, estimated=CREDITS)
    pen.tell(1, Fact.CHARGED, generation_id="gen-1", credits_charged=7)
    pen.tell(1, Fact.RETRY_PLANNED, by="user")
    begun = {
        "attempt": 2,
        "request_id": "r2",
        "body_sha256": "b",
        "key_fingerprint": "k",
        "credits_estimated": 2 * CREDITS,
    }
    pen.tell(1, Fact.SUBMIT_STARTED, **begun)
    pen.tell(1, Fact.ACCEPTED, generation_id="gen-1b", credits_held=2 * CREDITS)
    return pen


def test_a_charged_failure_is_no_cost_of_the_clip(tmp_path: Path) -> None:
    pen = twice(tmp_path)
    pen.tell(1, Fact.CHARGED, generation_id="gen-1b", credits_charged=2 * CREDITS)
    take = pen.state.takes()[0]
    cost = cost_of(take, pen.state.attempts(), {})
    assert (cost.failed, cost.waiting, cost.charged, cost.estimated, cost.held) == (
        7,
        2 * CREDITS,
        2 * CREDITS + 7,
        CREDITS,
        2 * CREDITS,
    )
    pen.state.close()


def test_the_three_figures_stand_side_by_side(tmp_path: Path) -> None:
    pen = twice(tmp_path)
    figures = figures_of(pen.state.takes(), pen.state.attempts(), {})
    assert (figures.estimated, figures.held, figures.charged) == (
        Figure(CREDITS, 0),
        Figure(2 * CREDITS, 0),
        Figure(7, 1),
    )
    assert (figures.held.credits, figures.charged.credits) == (2 * CREDITS, None)
    pen.state.close()


# --- files


def test_the_files_say_the_same(tmp_path: Path) -> None:
    story(tmp_path)
    with StateReader.open(tmp_path) as reader:
        write_reports(reader, made_at=MADE_AT)
    folder = tmp_path / "reports"
    with (folder / "costs.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    told = json.loads((folder / "costs.json").read_text())
    assert list(rows[0]) == list(COST_COLUMNS)
    for name in ("charged_credits", "charged_known_credits"):
        shown = ["" if row[name] is None else str(row[name]) for row in told["levels"]]
        assert [row[name] for row in rows] == shown
    assert rows[0]["final_credits"] == ""
    assert told["figures"][0]["charged"] == {
        "credits": None, "known_credits": 3 * CREDITS + 5, "known_usd": "1.5750025", "unknown_takes": 1,
    }  # fmt: skip
    assert not re.search(r"\d\.\d{10}", (folder / "costs.csv").read_text())  # no float was ever near


def test_prices_that_moved_are_told(tmp_path: Path) -> None:
    costs = costs_of(story(tmp_path))
    (row,) = json.loads(costs.prices.to_json(orient="records"))
    assert (row["first_quoted_credits"], row["held_low_credits"], row["charged_high_credits"]) == (
        CREDITS,
        CREDITS,
        CREDITS + 5,
    )
    assert row["drift_percent"] == 0


def test_the_page_shows_budget_cost_and_unknown(tmp_path: Path) -> None:
    story(tmp_path)
    with StateReader.open(tmp_path) as reader:
        page = write_reports(reader, made_at=MADE_AT).report.read_text()
    section = page[page.index('id="costs"') :]
    assert "10,500,000" in section  # the budget
    assert "4,200,010+?" in section  # what is known of the final cost
    assert "None" not in section


def test_spend_is_summed_by_a_time_that_suits_it(tmp_path: Path) -> None:
    pen = begin(tmp_path, Batch("b", tuple(shot(f"s{n}", n) for n in range(3))))
    for take_id, hours in ((1, 0), (2, 5), (3, 80)):
        pen.now = BEGIN + timedelta(hours=hours)
        pen.lead(take_id, State.VERIFIED, charged=CREDITS, label=f"s{take_id - 1}_t1")
    pen.state.close()
    rows = spend_by_time(costs_of(tmp_path).spend)
    assert [(row["submits"], row["charges"], row["charged_so_far_credits"]) for row in rows] == [
        (1, 1, CREDITS),
        (1, 1, 2 * CREDITS),
        (1, 1, 3 * CREDITS),
    ]
    assert len(rows) <= BUCKETS_SHOWN


def test_every_state_has_its_cost(tmp_path: Path) -> None:
    every_state(tmp_path)
    row = rows_of(costs_of(tmp_path), "batch")["every-state"]
    assert (row["takes"], row["charged_known_credits"]) == (len(State), CREDITS)
    assert sum(row[part] for part in PARTS) == CREDITS


# --- several batches


@pytest.mark.long
def test_several_batches_are_added_up_to_the_credit(tmp_path: Path) -> None:
    folders = [story(tmp_path / "one"), story(tmp_path / "two", "other", cap=None), story(tmp_path / "three")]
    page, facts = write_combined(folders, tmp_path / "all", MADE_AT)
    rows = facts["levels"]
    told = [(row["level"], row["key"], row["charged_known_credits"], row["budget_credits"]) for row in rows[:4]]
    each = 3 * CREDITS + 5
    assert told == [
        ("all", "all", 3 * each, None),  # caps do not add up
        ("batch", "film (one)", each, 10 * CREDITS),
        ("batch", "other", each, None),
        ("batch", "film (three)", each, 10 * CREDITS),
    ]
    scenes = [row for row in rows if (row["level"], row["key"]) == ("scene", "sc1")]
    assert [(row["batch"], row["charged_known_credits"], row["budget_credits"]) for row in scenes] == [
        (name, CREDITS, 2 * CREDITS) for name in ("film (one)", "other", "film (three)")
    ]
    for level in ("batch", "sequence", "scene", "cost_code"):  # a sum of a level is the whole, once
        assert sum(row["charged_known_credits"] for row in rows if row["level"] == level) == 3 * each
    assert "3 batches" in page.read_text()
    assert sorted(path.name for path in page.parent.iterdir()) == [
        "costs.csv",
        "costs.html",
        "costs.json",
        "prices.csv",
        "shots.csv",
        "spend.csv",
        "variance.csv",
    ]


def test_the_same_scene_of_two_batches_is_two_with_a_budget_each(tmp_path: Path) -> None:
    pen = begin(tmp_path / "two", Batch("two", (shot("a", 0, scene="sc1"),)))
    write_run(pen, None)
    pen.state.close()
    page, facts = write_combined([story(tmp_path / "one"), tmp_path / "two"], tmp_path / "all", MADE_AT)
    scenes = [row for row in facts["levels"] if (row["level"], row["key"]) == ("scene", "sc1")]
    assert [(row["batch"], row["takes"], row["budget_credits"]) for row in scenes] == [
        ("film", 2, 2 * CREDITS),
        ("two", 1, None),
    ]
    assert 'sc1 <span class="dim">two</span>' in page.read_text()


def test_a_batch_and_its_copy_are_not_added_up(tmp_path: Path) -> None:
    one = story(tmp_path / "one")
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "state.sqlite").write_bytes((one / "state.sqlite").read_bytes())
    for twin in (one, copy):
        with pytest.raises(UsageInvalid, match="same batch"):
            write_combined([one, twin], tmp_path / "all", MADE_AT)


def test_real_money_and_a_sandbox_are_not_added_up(tmp_path: Path) -> None:
    begin(tmp_path / "toy", Batch("toy", (shot("a", 0),)), sandbox=True).state.close()
    with pytest.raises(UsageInvalid, match="sandbox"):
        write_combined([story(tmp_path / "one"), tmp_path / "toy"], tmp_path / "all", MADE_AT)


def test_the_tables_of_several_keep_their_types(tmp_path: Path) -> None:
    books = []
    for name in ("one", "two"):
        with StateReader.open(story(tmp_path / name, name)) as reader:
            books.append(book_of(read_record(reader)))
    costs = make_costs(books)
    assert {str(costs.costs[name].dtype) for name in costs.costs if name.endswith("_usd")} == {"Float64"}
    kinds = {str(kind) for kind in costs.costs.dtypes}
    assert kinds <= {"string", "Int64", "Float64", "str"}
    assert costs.spend["charged_credits"].sum() == 2 * (3 * CREDITS + 5)
