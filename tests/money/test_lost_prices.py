"""Answers that are lost before any told what a take costs: after two, a cap makes the next wait for the log."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.worlds import World, batch_of
from wanbatch.batch.models import PriceClass
from wanbatch.errors import ExitCode
from wanbatch.money.budget import RISE_BORNE
from wanbatch.money.prices import Quote
from wanbatch.runner.settings import OnUnknown, RunSettings
from wanbatch.sandbox.faults import Rule

pytestmark = pytest.mark.usefixtures("quick_clips")
PRICE = 378_000
LISTED = {PriceClass("alibaba/wan2.1-t2v-turbo", "480P", None): Quote(PRICE, "price list")}
LOST_FIRST = (Rule("submit", "drop_after", nth=(1, 2)),)


def kinds(world: World, *wanted: str) -> list[str]:
    return [event.kind for event in world.events if event.kind in wanted]


def test_the_next_take_waits_for_the_log_and_the_batch_is_finished(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=LOST_FIRST, settings=RunSettings(quotes=LISTED, cap_credits=3 * PRICE))
    end = world.run(batch_of(3))
    order = kinds(world, "submit_started", "answer_lost", "adopted")
    notes = [
        event.text
        for event in world.events
        if event.kind == "note" and "before any answer showed the price" in event.text
    ]
    assert (end.exit_code, order[:5], len(notes), world.submits) == (
        ExitCode.OK,
        ["submit_started", "answer_lost"] * 2 + ["adopted"],
        1,
        3,
    )


def test_a_cap_that_bears_ten_times_the_price_waits_for_nothing(tmp_path: Path) -> None:
    settings = RunSettings(quotes=LISTED, cap_credits=(2 * RISE_BORNE + 1) * PRICE)
    world = World(tmp_path / "out", rules=LOST_FIRST, settings=settings)
    world.run(batch_of(3))
    order = kinds(world, "submit_started", "adopted")
    assert (order[:3], world.submits) == (["submit_started"] * 3, 3)


def test_a_single_lost_answer_holds_up_nothing(tmp_path: Path) -> None:
    rules = (Rule("submit", "drop_after", nth=(1,)),)
    world = World(tmp_path / "out", rules=rules, settings=RunSettings(quotes=LISTED, cap_credits=3 * PRICE))
    world.run(batch_of(3))
    order = kinds(world, "submit_started", "adopted")
    assert (order[:3], world.submits) == (["submit_started"] * 3, 3)


def test_without_a_search_to_come_the_run_stops_and_says_what_to_do(tmp_path: Path) -> None:
    settings = RunSettings(quotes=LISTED, cap_credits=3 * PRICE, on_unknown=OnUnknown.HOLD)
    world = World(tmp_path / "out", rules=LOST_FIRST, settings=settings)
    end = world.run(batch_of(3))
    told = (
        "the answers to 2 submits were lost before any answer showed the price, and the cap of 0.567 USD does not cover ten times"
        " the expected price: wanbatch sends nothing more. Resolve the held takes (`wanbatch status` lists them) or raise the cap,"
        " then run the same command"
    )
    assert (world.submits, end.messages) == (2, (told,))
