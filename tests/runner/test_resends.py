"""What a run may send again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.runner.shared import HOURS, LOST, PRICE, RESUBMIT, states, told, twice_lost
from tests.worlds import World, batch_of
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.errors import ExitCode
from wanbatch.money.seen_prices import charged_price, seen_prices
from wanbatch.runner.events import Event
from wanbatch.runner.loop import Runner
from wanbatch.runner.settings import RunSettings
from wanbatch.sandbox.faults import Rule

pytestmark = pytest.mark.usefixtures("quick_clips")


def leave_waiting(runner: Runner, event: Event) -> None:
    if "keeps looking up" in event.text:
        runner.drain()


@pytest.mark.long
def test_what_is_held_as_safe_is_sent_again_once_the_user_says_so_for_all(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "drop_before", nth=(2,)),))
    world.run(batch_of(3))
    assert "looks safe" in world.takes()[1].error
    world.settings = RESUBMIT
    world.elapsed_s += HOURS
    assert (world.run(batch_of(3)).exit_code, states(world)) == (ExitCode.OK, ["verified"] * 3)


def test_only_what_is_selected_is_waited_for_and_sent_again(tmp_path: Path) -> None:
    world = World(
        tmp_path / "out", rules=(Rule("submit", "drop_before", nth=(2,)),), settings=RESUBMIT, observe=leave_waiting
    )
    world.run(batch_of(3))
    world.observe, before = None, world.elapsed_s
    world.settings = replace(RESUBMIT, is_selected=lambda take: take.shot_id == "sh000")
    assert world.run(batch_of(3)).exit_code is ExitCode.OK
    assert (states(world)[1], world.submits, world.elapsed_s - before < HOURS) == ("unknown", 2, True)


def test_a_failed_take_of_an_earlier_run_does_not_exceed_the_limit(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "fail", nth=(1,), message="Internal"),))
    world.observe = lambda runner, event: (runner.drain(), runner.drain()) if event.kind == "accepted" else None  # type: ignore[assignment]
    world.run(batch_of(3))
    world.observe = None
    world.settings = RunSettings(limit=1)
    world.run(batch_of(3))
    assert (world.submits, states(world).count("planned")) == (2, 2)


def test_a_deadline_stops_tries_that_come_after_it(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "fail", nth=(1,), message="Internal"),))
    world.observe = lambda runner, event: runner.reach_deadline() if event.kind == "accepted" else None
    end = world.run(batch_of(1))
    assert (end.exit_code, states(world), world.submits) == (ExitCode.INTERRUPTED, ["planned"], 1)


def test_a_deadline_after_the_last_submit_is_no_trouble(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.observe = lambda runner, event: runner.reach_deadline() if event.kind == "accepted" else None
    end = world.run(batch_of(1))
    assert (end.exit_code, end.messages, states(world)) == (ExitCode.OK, (), ["verified"])


@pytest.mark.long
def test_a_log_that_is_down_for_ever_is_not_asked_for_ever(tmp_path: Path) -> None:
    grace = RunSettings(unknown_grace=timedelta(minutes=20))
    world = World(tmp_path / "out", rules=(*LOST, Rule("logs", "status", code=503)), settings=grace)
    end = world.run(batch_of(2))
    assert (end.exit_code, states(world)) == (ExitCode.DECISION_NEEDED, ["verified", "held"])
    assert timedelta(hours=1) <= timedelta(seconds=world.elapsed_s) < timedelta(hours=2)


def test_a_take_that_failed_and_was_charged_needs_a_decision_every_time(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "fail_charged", nth=(1,), message="policy violation"),))
    assert world.run(batch_of(2)).exit_code is ExitCode.DECISION_NEEDED
    assert world.run(batch_of(2)).exit_code is ExitCode.DECISION_NEEDED
    take = world.takes()[0]
    assert (take.state, take.warning) == (
        State.FAILED,
        "the provider charged for this generation, which failed: contact the provider's support",
    )
    assert told(world).breaches == ("sh000_t1",)


def test_a_first_attempt_charged_late_is_not_said_to_have_failed(tmp_path: Path) -> None:
    world = twice_lost(tmp_path)
    world.elapsed_s += 40 * HOURS
    world.run(batch_of(3))
    assert "failed it" not in world.takes()[1].warning
    assert Fact.FOUND_LATE.value in [event.kind for event in world.events]


def test_the_price_of_a_take_bought_twice_is_not_the_sum(tmp_path: Path) -> None:
    world = twice_lost(tmp_path)
    world.elapsed_s += 40 * HOURS
    world.run(batch_of(3))
    told(world)
    takes = world.takes()
    assert takes[1].credits_charged == 2 * PRICE
    assert seen_prices(takes)[takes[1].order.price_class] == PRICE
    assert charged_price(takes[1]) is None
