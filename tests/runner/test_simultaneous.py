"""What happens at the same time as a look at the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.runner.shared import HOURS, beside_runs, states, told
from tests.worlds import EPOCH, Killed, World, batch_of
from wanbatch.batch.attempts import Outcome
from wanbatch.batch.lifecycle import State
from wanbatch.errors import ExitCode
from wanbatch.money.charge import Charge
from wanbatch.pace.schedule import Rates
from wanbatch.pace.steps import Search
from wanbatch.provider.aimlapi import AimlApi
from wanbatch.provider.protocol import LogRow, LogScan, NoAnswer
from wanbatch.runner.charges import LEDGER_MARGIN, ChargeRecorder
from wanbatch.runner.context import RunContext
from wanbatch.runner.resubmission import CLOCK_MARGIN
from wanbatch.runner.settings import OnUnknown, RunSettings
from wanbatch.runner.unrecorded_submits import UnrecordedSubmits
from wanbatch.sandbox.faults import Rule
from wanbatch.session.decisions import take_up
from wanbatch.state.reader import StateReader

pytestmark = pytest.mark.usefixtures("quick_clips")


def test_a_row_of_a_take_that_is_being_sent_is_looked_at_again_later(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    with pytest.raises(Killed):
        world.run(batch_of(1), kill_at=1)

    async def work(context: RunContext) -> tuple[State, bool]:
        context.load()
        take = context.takes[1]
        row = LogRow(str(take.request_id).replace(":1.1", ":1.2"), "g", True, 7, EPOCH)
        context.settings = replace(context.settings, logged=(row,))
        UnrecordedSubmits(context).note_logged()
        return context.takes[1].state, context.schedule.next_step(context.clock.monotonic() + 3600) == Search()

    assert beside_runs(world, work) == (State.SUBMITTING, True)


@pytest.mark.parametrize("source", ["run.log", "the provider's log"])
def test_another_submit_of_a_take_that_is_done_is_a_double_with_its_cost(tmp_path: Path, source: str) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(1))
    request_id = str(world.takes()[0].request_id).replace(":1.1", ":1.2")
    rows = tuple(LogRow(request_id, made, True, 7, EPOCH) for made in ("G2", "G3", "G2"))

    async def work(context: RunContext) -> tuple[set[ExitCode], int]:
        take_up(context)
        before, unrecorded = context.budget.committed, UnrecordedSubmits(context)
        for _ in range(2):
            if source == "run.log":
                context.settings = replace(context.settings, logged=rows)
                unrecorded.note_logged()
            else:
                unrecorded.note_scan(LogScan(EPOCH, EPOCH, EPOCH, rows, frozenset()))
        return {code for code, _ in context.troubles}, context.budget.committed - before

    assert beside_runs(world, work) == ({ExitCode.DECISION_NEEDED}, 14)
    with StateReader.open(world.output) as reader:
        made = {each.generation_id: (each.outcome, each.credits_held) for each in reader.attempts() if each.number < 0}
    assert made == {"G2": (Outcome.DOUBLE, 7), "G3": (Outcome.DOUBLE, 7)}
    assert world.takes()[0].warning.count("DOUBLE") == 2


def test_another_submit_of_which_only_the_name_is_known_is_told(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(1))
    request_id = str(world.takes()[0].request_id).replace(":1.1", ":1.2")

    async def work(context: RunContext) -> list[int]:
        take_up(context)
        context.settings = replace(context.settings, logged=(LogRow(request_id, None, False, None, EPOCH),))
        UnrecordedSubmits(context).note_logged()
        return [each.number for each in context.state.attempts()]

    assert beside_runs(world, work) == [1]
    assert f"another submit of it, {request_id}" in world.takes()[0].warning


def test_a_failed_take_whose_other_submit_shows_meanwhile_is_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "fail", nth=(1,), message="Internal"),))
    real = ChargeRecorder.read_ledger

    async def read_ledger(self: ChargeRecorder, since: datetime | None = None) -> Sequence[Charge] | None:
        done = await real(self, since)
        take = self._context.takes[1]
        if take.state is State.FAILED:
            later = str(take.request_id).replace(":1.1", ":1.2")
            self._context.settings = replace(self._context.settings, logged=(LogRow(later, "g", True, 7, EPOCH),))
            UnrecordedSubmits(self._context).note_logged()
        return done

    monkeypatch.setattr(ChargeRecorder, "read_ledger", read_ledger)
    world.run(batch_of(1))
    assert (states(world), world.submits) == (["held"], 1)


def test_a_look_at_a_batch_that_is_new_asks_for_nothing(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(1))
    world.output = tmp_path / "other"
    assert told(world).open == ()


def test_what_only_run_log_knows_is_never_sent_again_by_policy(tmp_path: Path) -> None:
    world = World(tmp_path / "out", settings=RunSettings(limit=1))
    world.run(batch_of(2))
    second = world.takes()[1]
    with StateReader.open(world.output) as reader:
        nonce = reader.identity().nonce
    row = LogRow(f"wb1:{nonce}:{second.recipe.short_hash}:2.1", None, False, None, EPOCH)
    world.settings = RunSettings(
        logged=(row,), on_unknown=OnUnknown.RESUBMIT, unknown_grace=timedelta(minutes=20), rates=Rates(max_attempts=9)
    )
    for count in range(3, 7):
        world.run(batch_of(count))
        world.elapsed_s += HOURS
    assert (states(world)[1], world.submits, str(world.takes()[1].request_id)) == ("held", 5, row.request_id)


def test_after_a_failure_the_ledger_is_read_from_its_own_submit_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[datetime] = []
    real = AimlApi.charges

    async def charges(self: AimlApi, since: datetime) -> Sequence[Charge] | NoAnswer:
        asked.append(since)
        return await real(self, since)

    monkeypatch.setattr(AimlApi, "charges", charges)
    world = World(tmp_path / "out", rules=(Rule("submit", "fail", nth=(2,), message="Internal"),))
    world.run(batch_of(2))
    with StateReader.open(world.output) as reader:
        submits = [each.started_at for each in reader.attempts()]
    assert [state for state, _ in zip(states(world), submits, strict=False)] == ["verified", "verified"]
    assert (len(submits), asked[0]) == (3, submits[1] - CLOCK_MARGIN)
    assert submits[0] - LEDGER_MARGIN in asked[1:]
