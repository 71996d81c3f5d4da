"""What a command has exited with code 3 for, once the state file was recovered."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.session.test_recovery import recovered_from, world_in
from tests.worlds import batch_of
from wanbatch.runner.events import Event
from wanbatch.runner.loop import Runner
from wanbatch.session import alarms
from wanbatch.state.file import StateFile
from wanbatch.state.reader import STATE_NAME, StateReader

pytestmark = pytest.mark.usefixtures("quick_clips")


def test_what_a_command_has_ended_with_3_for_is_not_known_of_a_file_that_was_made_anew(tmp_path: Path) -> None:
    """It is told by the numbers of facts, and those of the new file have others."""
    world = world_in(tmp_path / "out")
    old = tmp_path / "old.sqlite"

    def copy(runner: Runner, told: Event) -> None:
        state = runner._context.state
        if told.kind == "accepted":
            assert isinstance(state, StateFile)
            state.note(alarms.NOTE, alarms.AlarmsReported(facts=1000).text())
            state.note("account", "shared")
        if told.kind == "downloaded":
            state._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            shutil.copy(tmp_path / "out" / STATE_NAME, old)

    recovered_from(world, batch_of(2), old, copy)
    with StateReader.open(world.output) as reader:
        assert (reader.noted(alarms.NOTE), reader.noted("account")) == (None, "shared")
