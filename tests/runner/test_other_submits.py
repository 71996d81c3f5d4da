"""A take of which one submit failed and another made a generation is not bought again by itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.runner.shared import HOURS, PRICE, beside_runs, restore, saving, scan_of, told
from tests.worlds import EPOCH, World, batch_of
from wanbatch.batch.lifecycle import State
from wanbatch.errors import ExitCode
from wanbatch.provider.protocol import LogRow
from wanbatch.runner.context import RunContext
from wanbatch.runner.doubles import Doubles
from wanbatch.runner.late_generations import LateGenerations
from wanbatch.runner.settings import OnUnknown, RunSettings
from wanbatch.runner.unrecorded_submits import UnrecordedSubmits
from wanbatch.sandbox.options import SandboxOptions
from wanbatch.state.progress_reader import read_overview

pytestmark = pytest.mark.usefixtures("quick_clips")


@pytest.mark.parametrize("policy", [OnUnknown.RECONCILE, OnUnknown.RESUBMIT])
def test_a_failed_submit_of_an_old_copy_buys_nothing_beside_the_one_that_made_the_clip(
    tmp_path: Path, policy: OnUnknown
) -> None:
    world = World(tmp_path / "out", options=SandboxOptions(concurrency=1), settings=RunSettings(on_unknown=policy))
    copy = saving(world, "accepted", "sh000_t1")
    world.run(batch_of(2))  # the second take was turned away first, which the log shows as failed
    bought = len([row for row in world.ledger() if row["charged"]])
    made = next(row for row in world.ledger() if row["charged"] and row["client_request_id"].split(":")[3] > "2.")
    row = LogRow(made["client_request_id"], made["inference_id"], True, made["credits"], EPOCH)
    restore(world, copy)
    world.settings = replace(world.settings, logged=(row,))  # run.log is newer than the state file
    for _ in range(4):
        world.run(batch_of(2))
        world.elapsed_s += 30 * HOURS
    again = len([row for row in world.ledger() if row["charged"]])
    assert (bought, again, world.takes()[1].state) == (2, 2, State.HELD)


def seen_beside_a_clip(world: World, *generations: str | None) -> list[tuple[ExitCode, str]]:
    """Show rows of another submit of the first take, whose clip is there, one scan a row; return the troubles."""
    sent = world.takes()[0].request_id
    assert sent is not None
    other = f"{sent.rpartition('.')[0]}.9"

    async def work(context: RunContext) -> list[tuple[ExitCode, str]]:
        for made in generations:
            scan = scan_of(EPOCH, LogRow(other, made, True, PRICE, EPOCH))
            UnrecordedSubmits(context).note_scan(scan)
            LateGenerations(context).note_late(scan)
        return list(context.troubles)

    return beside_runs(world, work)


def test_another_submit_of_a_finished_take_that_succeeded_without_an_id_is_counted_and_ends_with_3(
    tmp_path: Path,
) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(1))
    ((code, message),) = seen_beside_a_clip(world, None, None)
    assert (code, "but does not say what it made: the provider may have charged for it" in message) == (
        ExitCode.DECISION_NEEDED,
        True,
    )
    take = world.takes()[0]
    assert (take.state, take.credits_at_risk, message.split(": ", 1)[1].split(";")[0] in take.warning) == (
        State.VERIFIED,
        PRICE,
        True,
    )


def test_what_another_submit_of_a_finished_take_made_is_named_once_the_log_tells_it(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(1))
    troubles = seen_beside_a_clip(world, None, "made-elsewhere", "made-elsewhere")
    assert ["made-elsewhere" in message for _, message in troubles] == [False, True]
    take = world.takes()[0]
    assert ("DOUBLE" in take.warning, take.credits_at_risk) == (True, PRICE)


def test_status_names_what_may_cost_money_beside_a_finished_take(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(1))
    seen_beside_a_clip(world, "made-elsewhere")
    ((alarm,), problems) = (read_overview(world.output).alarms, read_overview(world.output).problems)
    assert (alarm.startswith("sh000_t1: DOUBLE"), "made-elsewhere" in alarm, problems) == (True, True, ())


def test_a_submit_whose_row_has_the_clip_of_another_take_is_named_once(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(2))
    first, second = world.takes()

    async def work(context: RunContext) -> list[tuple[ExitCode, str]]:
        for _ in range(2):
            row = LogRow(str(first.request_id), second.generation_id, True, PRICE, EPOCH)
            Doubles(context).note_doubles(scan_of(EPOCH, row))
        return list(context.troubles)

    ((code, message),) = beside_runs(world, work)
    assert (code, "the two clips may be swapped" in message) == (ExitCode.DECISION_NEEDED, True)
    assert read_overview(world.output).alarms[0].startswith("sh000_t1: ")
    for _ in range(2):  # the log has forgotten by now
        assert (told(world).needs_you, told(world).open) == ((message,), ())
