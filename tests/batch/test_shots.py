"""The shots that a plan would send, on the screen and in JSON."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.reporting.states import CREDITS
from wanbatch.batch.inventory import Inventory
from wanbatch.batch.lifecycle import State
from wanbatch.batch.plan import Cause, First, make_plan
from wanbatch.batch.shots import DEFAULT_MODEL, Batch, Shot
from wanbatch.batch.take import Take
from wanbatch.cli.shots import GROUPS_SHOWN, print_takes, takes_json
from wanbatch.money.prices import Quote, estimate
from wanbatch.runner.settings import RunSettings
from wanbatch.session.preview import Basis, Preview


def shot(shot_id: str, scene: str = "", **more: Any) -> Shot:
    request = {"model": DEFAULT_MODEL, "prompt": more.pop("prompt", "x"), "resolution": "720p", "duration": 5}
    return Shot(shot_id, more.pop("ordinal", 0), {**request, **more.pop("request", {})}, scene=scene, **more)


def preview_of(shots: list[Shot], takes: list[Take] | None = None) -> Preview:
    batch = Batch("b", tuple(Shot(**{**vars(each), "ordinal": place}) for place, each in enumerate(shots)))
    plan = make_plan(batch, takes or [])
    basis = Basis("b", Path("outputs/b"), Inventory(), plan, RunSettings(first=First.LONGEST))
    quotes = {each: Quote(CREDITS, "price list") for each in set(basis.classes_to_submit)}
    return Preview(
        batch="b",
        output=Path("outputs/b"),
        plan=plan,
        counts=plan.counts,
        to_submit={},
        quotes=quotes,
        estimate=estimate(basis.classes_to_submit, quotes, 1),
        cap_credits=None,
        balance_usd=None,
        host="nowhere",
        is_sandbox=True,
        speed=1.0,
        takes=tuple(basis.to_send),
    )


def printed(preview: Preview, *, is_each: bool = False) -> list[str]:
    stream = io.StringIO()
    print_takes(Console(file=stream, width=200), preview, is_each=is_each)
    return [line.strip() for line in stream.getvalue().splitlines()]


def made(take_id: int, one: Shot, state: State = State.VERIFIED, **more: Any) -> Take:
    return Take(take_id, one.id, 1, one.recipes[0].canonical, state=state, attempts=1, **more)


def test_takes_are_grouped_by_scene_and_price_with_their_first_ids() -> None:
    shots = [shot(f"a{n}", "one") for n in range(5)] + [shot("b1", "two", takes=2), shot("c", request={"duration": 10})]
    assert printed(preview_of(shots)) == [
        "one: a0, a1 ... a4  (5 takes, wan-2-6-t2v 720p 5 s)",
        "two: b1  (2 takes of 1 shot, wan-2-6-t2v 720p 5 s)",
        "c  (1 take, wan-2-6-t2v 720p 10 s)",
    ]


def test_each_take_is_told_in_story_order_where_that_is_asked_for() -> None:
    shots = [shot("a", "one"), shot("b", "one", request={"duration": 10})]  # the longer one is sent first
    assert printed(preview_of(shots), is_each=True) == [
        "one: a_t1  wan-2-6-t2v 720p 5 s  0.525 USD",
        "one: b_t1  wan-2-6-t2v 720p 10 s  0.525 USD",
    ]


def test_a_long_batch_stays_short() -> None:
    shots = [shot(f"s{n}", f"scene {n}") for n in range(GROUPS_SHOWN + 70)]
    lines = printed(preview_of(shots))
    assert (len(lines), lines[-1]) == (
        GROUPS_SHOWN + 1,
        "... and 70 more takes; put -v before the command to list each",
    )


@pytest.mark.parametrize(
    ("shots", "takes", "cause"),
    [
        ([shot("a")], [], Cause.NEW),
        ([shot("a", prompt="new")], [made(1, shot("a"))], Cause.EDITED),
        ([shot("a", takes=2)], [made(1, shot("a"))], Cause.NEW),
        ([shot("a")], [made(1, shot("a"), State.PLANNED)], Cause.AGAIN),
        ([shot("a")], [made(1, shot("a")), Take(2, "a", 2, shot("a", seed=9).recipes[0].canonical, is_retake=True)], Cause.RETAKE),
    ],
)  # fmt: skip
def test_a_take_says_why_it_is_sent(shots: list[Shot], takes: list[Take], cause: Cause) -> None:
    preview = preview_of(shots, takes)
    word = "" if cause is Cause.NEW else f"  {cause.value}"
    assert ([row["why"] for row in takes_json(preview)], printed(preview)[0].endswith(f"5 s){word}")) == (
        [cause.value],
        True,
    )


def test_json_holds_each_take_with_its_price() -> None:
    assert takes_json(preview_of([shot("é", "one")])) == [
        {
            "shot": "é",
            "take": 1,
            "scene": "one",
            "model": DEFAULT_MODEL,
            "resolution": "720p",
            "duration_s": 5,
            "settings": {},
            "price_class": "wan-2-6-t2v 720p 5 s",
            "credits_expected": CREDITS,
            "why": "new",
        }
    ]
