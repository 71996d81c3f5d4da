"""The provider's log knows what the state file does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.runner.shared import HOURS, LOST, request_id, states, with_row
from tests.worlds import EPOCH, World, batch_of, with_prompt
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.errors import ExitCode
from wanbatch.pace.schedule import Rates
from wanbatch.provider.aimlapi import AimlApi
from wanbatch.provider.protocol import LogRow, LogScan
from wanbatch.runner.events import Event
from wanbatch.runner.loop import Runner
from wanbatch.runner.settings import OnUnknown, RunSettings
from wanbatch.sandbox.faults import Rule
from wanbatch.state.file import StateFile
from wanbatch.state.reader import StateReader, entry

pytestmark = pytest.mark.usefixtures("quick_clips")


def change_log(monkeypatch: pytest.MonkeyPatch, change: Callable[[LogScan, World], LogScan], world: World) -> None:
    """Change what a reading of the log brings."""
    real = AimlApi.scan_log

    async def scan_log(self: AimlApi, since: datetime) -> Any:
        found = await real(self, since)
        return change(found, world) if isinstance(found, LogScan) else found

    monkeypatch.setattr(AimlApi, "scan_log", scan_log)


def stop_after(kind: str) -> Callable[[Runner, Event], None]:
    def stop(runner: Runner, event: Event) -> None:
        if (event.kind, event.take) == (kind, "sh000_t1"):
            runner.drain()
            runner.drain()

    return stop


def test_a_submit_that_began_while_the_log_was_read_is_no_stranger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "drop_before", nth=(2,)), Rule("logs", "delay", delay_s=45)))

    def show_all(scan: LogScan, world: World) -> LogScan:
        with StateReader.open(world.output) as reader:
            begun = [LogRow(each.request_id, None, False, 0, each.started_at) for each in reader.attempts()]
        return replace(scan, rows=tuple(row for row in begun if not row.request_id.endswith(":2.1")))

    change_log(monkeypatch, show_all, world)
    world.settings = RunSettings(rates=Rates(submit_per_min=2))
    world.observe = lambda runner, event: runner.drain() if "looking up" in event.text else None
    world.run(batch_of(6))
    assert states(world) == ["verified", "unknown", *["verified"] * 4]


def test_a_take_that_the_state_file_does_not_know_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path / "out", observe=stop_after("accepted"))
    world.run(batch_of(2))
    world.observe = None
    strange = request_id(world, 1, 1).replace(":1.1", ":77.1")
    change_log(monkeypatch, lambda scan, _: with_row(scan, strange), world)
    end = world.run(batch_of(2))
    assert end.exit_code is ExitCode.DECISION_NEEDED
    assert any(strange in message and "strange" in message for message in end.messages)


@pytest.mark.parametrize(("kind", "state"), [("accepted", State.HELD), ("verified", State.VERIFIED)])
def test_a_later_attempt_that_only_the_log_knows_is_never_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, state: State
) -> None:
    world = World(tmp_path / "out", observe=stop_after(kind))
    world.run(batch_of(2))
    world.observe = None
    later = request_id(world, 1, 2)
    change_log(monkeypatch, lambda scan, _: with_row(scan, later), world)
    world.run(batch_of(5))
    take = world.takes()[0]
    assert (take.state, later in take.error or later in take.warning or "strange" in take.error) == (state, True)
    with StateReader.open(world.output) as reader:
        numbers = [each.number for each in reader.attempts_of(1)]
    assert sorted(numbers) == ([1, 2] if state is State.HELD else [-1, 1])  # beside a clip that is there: a double
    world.run(batch_of(6))
    warnings = [event for event in world.events if event.kind == "warned"]
    # A take without a clip is offered both. Nobody said that the one which runs had failed.
    assert len(warnings) == (0 if state is State.HELD else 1)


def test_a_row_that_leads_to_another_takes_generation_is_for_a_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path / "out", rules=LOST)

    def steal(scan: LogScan, world: World) -> LogScan:
        first = world.takes()[0].generation_id
        return with_row(replace(scan, rows=()), request_id(world, 2, 1), first)

    change_log(monkeypatch, steal, world)
    end = world.run(batch_of(2))
    take = world.takes()[1]
    assert (end.exit_code, take.state, "sh000_t1" in take.error) == (ExitCode.DECISION_NEEDED, State.HELD, True)
    assert world.run(batch_of(2)).exit_code is ExitCode.DECISION_NEEDED  # a held one is not held twice


def test_a_success_that_names_no_generation_is_for_a_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path / "out", rules=LOST)
    change_log(monkeypatch, lambda scan, world: with_row(replace(scan, rows=()), request_id(world, 2, 1), None), world)
    end = world.run(batch_of(2))
    assert (end.exit_code, world.takes()[1].state) == (ExitCode.DECISION_NEEDED, State.HELD)


def test_what_left_no_trace_is_not_sent_more_often_than_allowed(tmp_path: Path) -> None:
    world = World(
        tmp_path / "out",
        rules=(Rule("submit", "drop_before", nth=(2, 4)),),
        settings=RunSettings(on_unknown=OnUnknown.RESUBMIT, rates=Rates(max_attempts=1)),
    )
    end = world.run(batch_of(3))
    take = world.takes()[1]
    assert (end.exit_code, take.state, "used up" in take.error) == (ExitCode.DECISION_NEEDED, State.HELD, True)


def test_an_edited_take_does_not_get_the_clip_of_its_old_prompt(tmp_path: Path) -> None:
    hold = RunSettings(on_unknown=OnUnknown.HOLD)
    world = World(tmp_path / "out", rules=LOST, settings=hold)
    world.run(batch_of(2))
    with StateReader.open(tmp_path / "out") as reader:
        identity = reader.identity()
    state = StateFile.create_or_open(tmp_path / "out", identity)
    state.record(2, entry(Fact.RESUBMIT_ALLOWED, EPOCH, {"error": ""}))
    state.close()
    world.elapsed_s += HOURS
    world.run(with_prompt(batch_of(2), "sh001", "another prompt"))
    take = world.takes()[1]
    body = next(row["body"] for row in world.ledger() if row["inference_id"] == take.generation_id)
    assert (world.submits, "another prompt" in body, "DOUBLE" in take.warning) == (3, True, True)
