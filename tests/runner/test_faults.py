"""Faults of the provider, the disk and the line that are rare, one at a time: what a run makes of each."""

from __future__ import annotations

import errno
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.runner.shared import PRICE, states
from tests.worlds import World, batch_of
from wanbatch.batch.lifecycle import State
from wanbatch.batch.progress import BatchProgress
from wanbatch.errors import ExitCode, LocalFault
from wanbatch.pace.schedule import Rates
from wanbatch.provider.aimlapi import AimlApi
from wanbatch.provider.protocol import Accepted, NotSent, SubmitAnswer, Unknown
from wanbatch.runner.downloads import Downloads
from wanbatch.runner.events import Event
from wanbatch.runner.loop import Runner
from wanbatch.runner.polls import Polls
from wanbatch.runner.searches import Searches
from wanbatch.runner.settings import OnUnknown, RunSettings
from wanbatch.sandbox.faults import Rule
from wanbatch.sandbox.options import SandboxOptions

pytestmark = pytest.mark.usefixtures("quick_clips")


def answered(monkeypatch: pytest.MonkeyPatch, change: Callable[[int], SubmitAnswer | None]) -> None:
    """Answer a submit without sending it; `change` gets its number, from 1, and returns None to send it."""
    real, count = AimlApi._submit, [0]

    async def submit(self: AimlApi, *arguments: Any) -> SubmitAnswer:
        count[0] += 1
        return change(count[0]) or await real(self, *arguments)

    monkeypatch.setattr(AimlApi, "_submit", submit)


def test_one_generation_for_two_submits_stops_the_spending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path / "out")
    answered(
        monkeypatch,
        lambda n: Accepted(world.ledger()[0]["inference_id"], PRICE, is_echoed=True) if n == 2 else None,
    )
    end = world.run(batch_of(4))
    takes = world.takes()
    assert (end.exit_code, takes[0].state, takes[3].state) == (
        ExitCode.DECISION_NEEDED, State.VERIFIED, State.PLANNED,
    )  # fmt: skip
    assert [take.generation_id for take in takes].count(takes[0].generation_id) == 1
    assert any("one generation id to two submits" in message for message in end.messages)


def test_an_id_that_the_headers_told_is_enough_whatever_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = AimlApi._submit

    async def submit(self: AimlApi, *arguments: Any) -> SubmitAnswer:
        await real(self, *arguments)
        return Unknown("the line broke")

    monkeypatch.setattr(AimlApi, "_submit", submit)
    world = World(tmp_path / "out")
    assert world.run(batch_of(1)).exit_code is ExitCode.OK
    assert (states(world), world.submits) == (["verified"], 1)


def test_a_trouble_is_told_once(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.observe = lambda runner, event: (
        runner._context.trouble(ExitCode.DECISION_NEEDED, "look here") if event.kind == "accepted" else None
    )
    assert world.run(batch_of(2)).messages == ("look here",)


def test_without_safe_tls_nothing_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answered(monkeypatch, lambda n: NotSent("certificate expired", is_final=True))
    world = World(tmp_path / "out")
    end = world.run(batch_of(2))
    assert (end.exit_code, states(world)) == (ExitCode.PROVIDER_UNREACHABLE, ["planned"] * 2)


@pytest.mark.long
def test_a_provider_that_turns_all_away_is_not_asked_for_ever(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "status", code=429),))
    end = world.run(batch_of(2))
    sent = sum(event.kind == "submit_started" for event in world.events)
    assert (end.exit_code, states(world), sent) == (ExitCode.PROVIDER_UNREACHABLE, ["planned"] * 2, 60)


def test_what_was_charged_for_nothing_before_is_not_followed_by_more_money(tmp_path: Path) -> None:
    world = World(
        tmp_path / "out",
        rules=(Rule("submit", "fail_charged", nth=(1,)), Rule("submit", "fail", nth=(2,))),
        options=SandboxOptions(log_lag_s=85),
        settings=RunSettings(rates=Rates(max_attempts=5)),
    )
    end = world.run(batch_of(1))
    assert (end.exit_code, states(world), world.submits) == (ExitCode.DECISION_NEEDED, ["failed"], 2)
    assert world.takes()[0].credits_charged == PRICE


def test_a_line_that_comes_back_costs_time_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answered(monkeypatch, lambda n: NotSent("no route") if n in (2, 3, 4) else None)
    world = World(tmp_path / "out")
    end = world.run(batch_of(2))
    assert (end.exit_code, [str(take.request_id)[-2:] for take in world.takes()]) == (ExitCode.OK, [".1", ".4"])


@pytest.mark.parametrize(
    ("owner", "name", "error", "code"),
    [
        (Downloads, "_download", RuntimeError("ours"), ExitCode.LOCAL_FAULT),
        (Downloads, "fetch", RuntimeError("ours"), ExitCode.LOCAL_FAULT),
        (Polls, "poll", RuntimeError("ours"), ExitCode.LOCAL_FAULT),
        (Polls, "_completed", RuntimeError("ours"), ExitCode.LOCAL_FAULT),
        (Downloads, "_download", OSError(errno.EIO, "disk"), ExitCode.LOCAL_FAULT),
    ],
    ids=["download", "fetch", "before a poll", "poll", "disk"],
)
def test_a_mistake_of_ours_in_one_take_costs_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: type, name: str, error: Exception, code: ExitCode
) -> None:
    real, count = getattr(owner, name), [0]

    def wrong(self: Any, *arguments: Any) -> Any:
        count[0] += 1
        if count[0] == 1:
            raise error
        return real(self, *arguments)

    world = World(tmp_path / "out")
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, wrong)
        end = world.run(batch_of(3))
    assert end.exit_code is code
    assert world.run(batch_of(3)).exit_code is ExitCode.OK
    assert (states(world), world.submits) == (["verified"] * 3, 3)


def test_a_mistake_of_ours_in_a_search_stops_the_spending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: Any) -> None:
        raise RuntimeError("ours")

    world = World(tmp_path / "out", rules=(Rule("submit", "drop_after", nth=(2,)),))
    with monkeypatch.context() as patch:
        patch.setattr(Searches, "_note_lags", wrong)
        end = world.run(batch_of(2))
    assert (end.exit_code, states(world)) == (ExitCode.LOCAL_FAULT, ["verified", "unknown"])
    assert world.run(batch_of(2)).exit_code is ExitCode.OK
    assert world.submits == 2


def test_a_deadline_sends_nothing_more_and_finishes_what_runs(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.observe = lambda runner, event: runner.reach_deadline() if event.kind == "accepted" else None
    end = world.run(batch_of(3))
    assert (end.exit_code, states(world)) == (ExitCode.INTERRUPTED, ["verified", "planned", "planned"])


def test_an_unknown_take_is_held_once_the_user_wants_that(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "drop_before", nth=(2,)),))
    world.observe = lambda runner, event: runner.drain() if "looking up" in event.text else None
    world.run(batch_of(2))
    assert states(world) == ["verified", "unknown"]
    world.settings = RunSettings(on_unknown=OnUnknown.HOLD)
    assert world.run(batch_of(2)).exit_code is ExitCode.DECISION_NEEDED
    assert states(world) == ["verified", "held"]


def test_a_run_tells_how_it_stands(tmp_path: Path) -> None:
    told: list[BatchProgress] = []
    world = World(tmp_path / "out", observe=lambda runner, _: told.append(runner.progress()))
    world.run(batch_of(3))
    assert told[0].eta_s is not None
    assert (told[-1].counts, told[-1].credits_charged, told[-1].eta_s) == ({"verified": 3}, 3 * PRICE, None)
    assert told[-1].credits_committed == 3 * PRICE
    assert timedelta(seconds=told[0].eta_s) < timedelta(hours=1)


def test_a_deadline_with_nothing_left_to_send_changes_nothing(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.observe = lambda runner, event: runner.reach_deadline() if event.kind == "completed" else None
    assert world.run(batch_of(1)).exit_code is ExitCode.OK


def test_a_state_file_that_fails_at_the_start_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Searches, **__: Any) -> None:
        raise LocalFault("the disk is gone")

    monkeypatch.setattr(Searches, "plan", fail)
    world = World(tmp_path / "out")
    end = world.run(batch_of(1))
    assert (end.exit_code, end.messages, world.submits) == (ExitCode.LOCAL_FAULT, ("the disk is gone",), 0)


@pytest.mark.long
def test_a_second_stop_waits_for_no_answer_longer_than_a_moment(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "delay", nth=(1,), delay_s=60),))

    def stop(runner: Runner, event: Event) -> None:
        if event.kind == "submit_started":
            runner.drain()
            runner.drain()

    world.observe = stop
    end = world.run(batch_of(1))
    assert (end.exit_code, states(world)) == (ExitCode.INTERRUPTED, ["submitting"])
    world.observe = None
    assert world.run(batch_of(1)).exit_code is ExitCode.DECISION_NEEDED  # cut off before it arrived: no trace of it
    assert (states(world), world.submits) == (["held"], 0)


@pytest.mark.parametrize(
    ("nth", "told"),
    [((2,), []), (tuple(range(2, 40)), ["no readable answer", "the provider answers again"])],
    ids=["one lost answer", "a minute of them"],
)
def test_an_outage_is_told_once_it_lasts(tmp_path: Path, nth: tuple[int, ...], told: list[str]) -> None:
    world = World(tmp_path / "out", rules=(Rule("poll", "html", nth=nth),))
    assert world.run(batch_of(2)).exit_code is ExitCode.OK
    notes = [event.text for event in world.events if "answer" in event.text]
    assert [text[: len(start)] for text, start in zip(notes, told, strict=True)] == told
