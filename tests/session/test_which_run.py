"""The newest run is the one that was run last, not the one that was written or looked at since."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from tests.worlds import EPOCH
from wanbatch.errors import UsageInvalid
from wanbatch.session.which_run import Candidate, candidates, newest_output, of_last_day
from wanbatch.state.file import StateFile
from wanbatch.state.progress_reader import RUN_AT_NOTE, read_overview
from wanbatch.state.reader import STATE_NAME, StateReader
from wanbatch.state.tables import Identity, new_identity


def folders(root: Path) -> tuple[Path, Path]:
    """Two output folders, the second written a minute after the first."""
    made = []
    for number, name in enumerate(("first", "second")):
        StateFile.create_or_open(root / name, new_identity(name, "sandbox", "", EPOCH, sandbox=True)).close()
        for path in (root / name).glob(f"{STATE_NAME}*"):
            os.utime(path, (1_000_000 + 60 * number,) * 2)
        made.append(root / name)
    return made[0], made[1]


def test_looking_at_a_folder_does_not_make_it_the_newest(tmp_path: Path) -> None:
    first, second = folders(tmp_path)
    read_overview(first)
    with StateReader.open(first) as reader:
        assert (reader.batch(), newest_output(tmp_path)) == ("first", second)
    assert newest_output(tmp_path) == second


def test_a_folder_that_does_not_say_when_it_was_run_counts_from_when_it_was_written(tmp_path: Path) -> None:
    first, _ = folders(tmp_path)
    with StateFile.create_or_open(first, identity_of(first)) as state:
        state.note("a note", "text")
        assert newest_output(tmp_path) == first
    assert newest_output(tmp_path) == first


def test_a_circle_or_a_look_up_does_not_make_a_folder_the_newest(tmp_path: Path) -> None:
    for output, minutes in zip(folders(tmp_path), (0, 5), strict=True):
        with StateFile.create_or_open(output, identity_of(output)) as state:
            state.note(RUN_AT_NOTE, (EPOCH + timedelta(minutes=minutes)).isoformat())
    with StateFile.create_or_open(tmp_path / "first", identity_of(tmp_path / "first")) as state:
        state.note("a note", "text")
    found = [(each.output.name, each.run_at, each.batch, each.is_sandbox) for each in candidates(tmp_path)]
    assert found == [("second", EPOCH + timedelta(minutes=5), "second", True), ("first", EPOCH, "first", True)]


def identity_of(output: Path) -> Identity:
    with StateReader.open(output) as reader:
        return reader.identity()


def test_a_folder_whose_state_file_is_damaged_is_still_a_candidate(tmp_path: Path) -> None:
    folders(tmp_path)
    (tmp_path / "third").mkdir()
    (tmp_path / "third" / STATE_NAME).write_bytes(b"not a database" * 100)
    assert [each.output.name for each in candidates(tmp_path)] == ["third", "second", "first"]


@pytest.mark.parametrize(("hours", "meant"), [((1, 2), 2), ((1, 23, 25), 2), ((1, 25), 1), ((30, 40), 1), ((0,), 1)])
def test_those_run_within_a_day_may_be_meant_or_else_the_newest(hours: tuple[int, ...], meant: int) -> None:
    found = [Candidate(Path(str(each)), EPOCH - timedelta(hours=each)) for each in hours]
    assert of_last_day(found, EPOCH) == found[:meant]


def test_without_any_run_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageInvalid, match="no output folder under"):
        newest_output(tmp_path)
