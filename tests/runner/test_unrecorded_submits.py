"""What the state file does not know: restored, copied or begun anew, and generations that nobody ordered."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.runner.shared import (
    HOURS,
    PRICE,
    beside_runs,
    charged_twice,
    decide,
    generation,
    outcomes,
    restore,
    saved,
    saving,
    states,
    told,
    with_row,
)
from tests.worlds import EPOCH, World, batch_of
from wanbatch.batch.attempts import Outcome
from wanbatch.batch.lifecycle import State
from wanbatch.errors import ExitCode
from wanbatch.provider.aimlapi import AimlApi
from wanbatch.provider.protocol import LogRow, LogScan
from wanbatch.runner.context import RunContext
from wanbatch.runner.settings import RunSettings
from wanbatch.runner.unrecorded_submits import UnrecordedSubmits
from wanbatch.sandbox.faults import FaultPlan, Rule
from wanbatch.session.decisions import Decision, take_up
from wanbatch.state.progress_reader import read_overview
from wanbatch.state.reader import StateReader
from wanbatch.state.tables import Stray

pytestmark = pytest.mark.usefixtures("quick_clips")


@pytest.mark.parametrize("count", [3, 4], ids=["same manifest", "a shot more"])
def test_the_log_is_read_from_when_it_was_last_read_whole(tmp_path: Path, count: int) -> None:
    world = World(tmp_path / "out", settings=RunSettings(limit=1))
    world.run(batch_of(3))
    copy = saved(world)
    world.settings = RunSettings()
    world.elapsed_s += HOURS
    world.run(batch_of(3))
    restore(world, copy)
    assert world.run(batch_of(count)).exit_code is ExitCode.DECISION_NEEDED
    assert (world.submits, states(world)) == (count, ["verified", "held", "held", "verified"][:count])


def test_facts_of_a_partial_run_do_not_hide_older_rows(tmp_path: Path) -> None:
    world = World(tmp_path / "out", settings=RunSettings(limit=1))
    world.run(batch_of(3))
    copy = saved(world)
    world.settings = RunSettings()
    world.run(batch_of(3))
    restore(world, copy)
    world.settings = RunSettings(is_selected=lambda take: take.shot_id == "sh000")
    world.run(batch_of(3))
    world.settings = RunSettings()
    world.run(batch_of(3))
    assert (world.submits, charged_twice(world)) == (3, [])


def test_a_state_file_from_before_the_first_submit_is_a_resume(tmp_path: Path) -> None:
    world = World(tmp_path / "out", settings=RunSettings(cap_credits=0))
    world.run(batch_of(2))
    copy = saved(world)
    world.settings = RunSettings()
    world.run(batch_of(2))
    restore(world, copy)
    assert world.run(batch_of(2)).exit_code is ExitCode.DECISION_NEEDED
    assert (world.submits, states(world)) == (2, ["held", "held"])


def test_a_user_who_knows_better_sends_without_the_log(tmp_path: Path) -> None:
    world = World(tmp_path / "out", settings=RunSettings(limit=1))
    world.run(batch_of(2))
    assert world.sandbox is not None
    world.sandbox.faults = FaultPlan((Rule("logs", "status", code=403, message="no"),), 1)
    world.settings = RunSettings()
    end = world.run(batch_of(2))
    assert (end.exit_code, "--trust-state" in end.messages[0], world.submits) == (ExitCode.DECISION_NEEDED, True, 1)
    world.settings = RunSettings(trust_state=True)
    assert (world.run(batch_of(2)).exit_code, world.submits) == (ExitCode.OK, 2)


def test_a_submit_of_a_take_whose_number_moved_is_offered_to_its_recipe(tmp_path: Path) -> None:
    world, whole = World(tmp_path / "out"), batch_of(3)
    world.run(replace(whole, shots=whole.shots[:1]))
    copy = saved(world)
    world.run(replace(whole, shots=(whole.shots[0], whole.shots[2])))
    restore(world, copy)
    end = world.run(whole)  # sh001 takes the number that sh002 had
    assert (end.exit_code, states(world), world.submits) == (
        ExitCode.DECISION_NEEDED, ["verified", "planned", "held"], 2,
    )  # fmt: skip
    take = decide(world, "sh002_t1", Decision.ADOPT, generation(world, "2.1"))
    assert take.state is State.QUEUED
    assert (world.run(whole).exit_code, states(world)) == (ExitCode.OK, ["verified"] * 3)
    assert len({row["body"] for row in world.ledger()}) == world.submits == 3


def test_a_submit_that_fits_no_take_stops_the_run_once_and_is_kept_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path / "out", settings=RunSettings(limit=1))
    world.run(batch_of(2))
    world.settings = RunSettings()
    with StateReader.open(world.output) as reader:
        strange = f"wb1:{reader.identity().nonce}:{'0' * 20}:77.1"
    real = AimlApi.scan_log

    async def scan_log(self: AimlApi, since: datetime) -> Any:
        found = await real(self, since)
        assert isinstance(found, LogScan)
        return with_row(found, strange)

    monkeypatch.setattr(AimlApi, "scan_log", scan_log)
    end = world.run(batch_of(2))
    assert (end.exit_code, strange in end.messages[0], world.submits) == (ExitCode.DECISION_NEEDED, True, 1)
    assert (world.run(batch_of(2)).exit_code, world.submits) == (ExitCode.OK, 2)
    with StateReader.open(world.output) as reader:
        assert [(each.request_id, each.generation_id) for each in reader.strays()] == [(strange, "strange")]
    overview = read_overview(world.output)
    assert [(each.take, each.state) for each in overview.problems] == [(strange, "stray")]
    assert "strange" in overview.problems[0].error


def test_each_generation_of_a_stray_is_kept_and_told(tmp_path: Path) -> None:
    world = World(tmp_path / "out", settings=RunSettings(limit=1))
    world.run(batch_of(1))
    with StateReader.open(world.output) as reader:
        strange = f"wb1:{reader.identity().nonce}:{'0' * 20}:77.1"

    async def work(context: RunContext) -> tuple[list[tuple[str, str | None, int | None]], int]:
        take_up(context)
        before, unrecorded = context.budget.committed, UnrecordedSubmits(context)
        context.settings = replace(context.settings, logged=(LogRow(strange, None, False, None, EPOCH),))
        unrecorded.note_logged()
        rows = tuple(LogRow(strange, made, True, 7, EPOCH) for made in ("G2", "G3"))
        for _ in range(2):
            unrecorded.note_scan(LogScan(EPOCH, EPOCH, EPOCH, rows, frozenset()))
        kept = [(each.request_id, each.generation_id, each.credits_held) for each in context.state.strays()]
        return kept, context.budget.committed - before

    kept, counted = beside_runs(world, work)
    assert kept == [(strange, "G2", 7), (f"{strange}#1", "G3", 7)]
    assert counted >= 14  # what had no name counted at the highest price known


def test_an_attempt_that_comes_to_light_counts_as_a_try(tmp_path: Path) -> None:
    world = World(tmp_path / "out", settings=RunSettings(limit=1))
    world.run(batch_of(2))
    second = world.takes()[1]
    with StateReader.open(world.output) as reader:
        sent = f"wb1:{reader.identity().nonce}:{second.recipe.short_hash}:2.1"

    async def work(context: RunContext) -> list[int]:
        take_up(context)
        tries = []
        for made in (None, "G2"):  # run.log tells of the submit, then the log names what it made: one try
            UnrecordedSubmits(context).note_scan(
                LogScan(EPOCH, EPOCH, EPOCH, (LogRow(sent, made, True, 7, EPOCH),), frozenset())
            )
            tries.append(context.takes[2].tries)
        return tries

    assert beside_runs(world, work) == [1, 1]


def test_status_counts_what_belongs_to_no_take(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(1))
    before = read_overview(world.output).progress

    async def work(context: RunContext) -> None:
        context.state.note_stray(Stray("wb1:n:r:7.1", "G7", 7, EPOCH, "the provider's log"))
        context.state.note_stray(Stray("wb1:n:r:8.1", None, None, EPOCH, "run.log"))

    beside_runs(world, work)
    after = read_overview(world.output).progress
    assert (after.credits_committed - before.credits_committed, after.uncosted - before.uncosted) == (7, 1)


def test_a_shot_that_is_put_back_is_offered_its_stray_and_not_bought_again(tmp_path: Path) -> None:
    world = World(tmp_path / "out", settings=RunSettings(limit=1))
    world.run(batch_of(2))
    second = world.takes()[1]
    with StateReader.open(world.output) as reader:
        lost = f"wb1:{reader.identity().nonce}:{second.recipe.short_hash}:77.1"

    async def work(context: RunContext) -> None:
        context.state.note_stray(Stray(lost, "G7", 7, EPOCH, "the provider's log"))

    beside_runs(world, work)
    world.settings = RunSettings()
    world.run(batch_of(2))
    take = world.takes()[1]
    assert (take.state, "--adopt G7" in take.error, world.submits) == (State.HELD, True, 1)
    with StateReader.open(world.output) as reader:
        assert reader.strays() == []


def test_a_poll_that_comes_back_after_the_log_has_settled_its_take_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "fail", nth=(2,), message="Internal"),))
    copy = saving(world, "accepted", "sh001_t1")
    world.run(batch_of(2))
    restore(world, copy)
    real = AimlApi.poll

    async def slow(self: AimlApi, generation_id: str) -> Any:
        answer = await real(self, generation_id)
        await asyncio.sleep(5)
        return answer

    monkeypatch.setattr(AimlApi, "poll", slow)
    end = world.run(batch_of(2))
    assert (end.exit_code, states(world), world.submits) == (ExitCode.DECISION_NEEDED, ["verified", "held"], 3)


def test_two_machines_with_copies_of_a_folder_are_found_out(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    copy = saving(world, "accepted", "sh000_t1")
    world.run(batch_of(2))
    assert world.account is not None
    world.account._db.execute("UPDATE requests SET ends_at = ends_at + 3000 WHERE seq = 2")  # the log is late
    world.elapsed_s -= 48 * HOURS
    restore(world, copy)
    world.run(batch_of(2))
    assert charged_twice(world) == ["2"]
    world.elapsed_s += 60 * HOURS
    found = told(world)
    take = world.takes()[1]
    assert (found.doubles, "DOUBLE" in take.warning) == (("sh001_t1",), True)
    assert (take.credits_charged, outcomes(world, 2)) == (2 * PRICE, {-1: Outcome.DOUBLE, 1: Outcome.COMPLETED})
    assert told(world).doubles == ("sh001_t1",)
    assert len(outcomes(world, 2)) == 2  # it is found once
