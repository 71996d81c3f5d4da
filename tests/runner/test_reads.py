"""Reads that go wrong, polls that are rationed, and generations that never end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.runner.shared import states
from tests.worlds import World, batch_of
from wanbatch.batch.lifecycle import State
from wanbatch.errors import ExitCode
from wanbatch.pace.polling import POLL_FIRST_S
from wanbatch.pace.schedule import POLLS_AT_ONCE, Rates, Schedule
from wanbatch.pace.steps import Poll
from wanbatch.runner.events import Event
from wanbatch.runner.loop import Runner
from wanbatch.runner.settings import RunSettings
from wanbatch.sandbox.faults import Rule
from wanbatch.sandbox.options import SandboxOptions

pytestmark = pytest.mark.usefixtures("quick_clips")


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    "rule",
    [
        Rule("poll", "status", every=2, code=502, has_envelope=False),
        Rule("poll", "drop_before", every=2),
        Rule("poll", "html", every=3),
        Rule("poll", "bad_json", every=2),
        Rule("poll", "empty", every=3),
        Rule("poll", "truncate", every=3),
        Rule("poll", "status", every=3, code=429, retry_after="30"),
        Rule("poll", "status", nth=(1, 2, 3), code=404),
        Rule("poll", "no_link", nth=tuple(range(10, 30))),
        Rule("poll", "dead_link", nth=(24, 25)),
        Rule("clip", "zero", nth=(1,)),
        Rule("clip", "garbage", nth=(1, 2)),
        Rule("clip", "short", nth=(1,)),
        Rule("clip", "truncate", nth=(1, 2)),
        Rule("clip", "status", nth=(1,), code=503, has_envelope=False),
        Rule("clip", "drop_before", nth=(1, 2)),
        Rule("ledger", "status", nth=(1, 2, 3), code=503),
    ],
    ids=lambda rule: f"{rule.on}-{rule.do}-{rule.code}",
)
def test_reads_that_go_wrong_cost_time_and_nothing_else(tmp_path: Path, rule: Rule) -> None:
    world = World(tmp_path / "out", rules=(rule,))
    end = world.run(batch_of(3))
    assert (end.exit_code, states(world), world.submits) == (ExitCode.OK, ["verified"] * 3, 3)


@pytest.mark.parametrize("do", ["zero", "garbage", "short"])
def test_a_clip_that_never_comes_whole_is_held_as_paid_and_looked_at_again(tmp_path: Path, do: str) -> None:
    rules = (Rule("clip", do, nth=(1, 2, 3)),)
    world = World(tmp_path / "out", rules=rules)
    end = world.run(batch_of(1))
    take = world.takes()[0]
    assert (end.exit_code, take.state, world.submits) == (ExitCode.DECISION_NEEDED, State.HELD, 1)
    assert "paid" in take.error
    assert world.run(batch_of(1)).exit_code is ExitCode.OK
    assert (states(world), world.submits) == (["verified"], 1)


def test_a_generation_that_never_ends_is_held_and_never_bought_again(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "stall", nth=(1,)),))
    end = world.run(batch_of(2))
    assert (end.exit_code, states(world), world.submits) == (ExitCode.DECISION_NEEDED, ["held", "verified"], 2)


def test_a_poll_that_tells_of_a_stranger_is_never_followed(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("poll", "wrong_id", nth=(1,)),))
    end = world.run(batch_of(1))
    held = world.takes()[0]
    assert (end.exit_code, held.state) == (ExitCode.DECISION_NEEDED, State.HELD)
    assert (world.run(batch_of(1)).exit_code, world.submits) == (ExitCode.OK, 1)
    assert world.takes()[0].generation_id == held.generation_id


def test_a_refused_key_while_polling_stops_everything_and_loses_nothing(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("poll", "status", nth=(3,), code=401),))
    end = world.run(batch_of(3))
    assert end.exit_code is ExitCode.ACCOUNT_STOPPED
    assert world.run(batch_of(3)).exit_code is ExitCode.OK
    assert world.submits == 3


@pytest.mark.parametrize(("polls_per_take", "is_early"), [(13.5, True), (8.0, False)])
def test_the_poll_that_sees_the_queue_is_spared_where_polls_are_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, polls_per_take: float, is_early: bool
) -> None:
    waits: list[float] = []
    real = Schedule.add_poll

    def add_poll(schedule: Schedule, take_id: int, due: float, gain: Callable[[float], float] | None = None) -> None:
        waits.append(round(due - asyncio.get_running_loop().time(), 3))
        real(schedule, take_id, due, gain)

    monkeypatch.setattr(Schedule, "add_poll", add_poll)
    world = World(tmp_path / "out", settings=RunSettings(rates=Rates(polls_per_take=polls_per_take)))
    end = world.run(batch_of(1))
    assert (end.exit_code, waits[0] == POLL_FIRST_S) == (ExitCode.OK, is_early)
    assert waits[0] >= POLL_FIRST_S


def test_polls_are_rationed_where_more_are_due_than_may_be_made() -> None:
    schedule = Schedule(Rates(poll_per_min=1))
    for take_id in range(POLLS_AT_ONCE + 2):
        schedule.add_poll(take_id, 0.0)
    assert not schedule.is_rationed
    assert isinstance(schedule.next_step(0.0), Poll)
    assert schedule.is_rationed


def test_an_end_that_the_first_poll_sees_is_learnt_of_a_take_that_this_run_sent(tmp_path: Path) -> None:
    learnt: list[int] = []

    def watch(runner: Runner, event: Event) -> None:
        if event.kind == "verified":
            context = runner._context
            learnt.append(sum(hazard.ended for hazard in context.hazards._learnt.values()))

    world = World(
        tmp_path / "out",
        options=SandboxOptions(mean_s=5.0, cv=0.0),
        settings=RunSettings(rates=Rates(polls_per_take=1.0)),
        observe=watch,
    )
    world.run(batch_of(1))
    assert learnt == [1]
