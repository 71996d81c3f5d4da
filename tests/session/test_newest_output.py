"""The newest run is the one that was written last, not the one that was looked at last."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.worlds import EPOCH
from wanbatch.errors import UsageInvalid
from wanbatch.session.options import newest_output
from wanbatch.state.file import StateFile
from wanbatch.state.reader import STATE_NAME, StateReader
from wanbatch.state.standing import read_standing
from wanbatch.state.tables import new_identity


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
    read_standing(first)
    with StateReader.open(first) as reader:
        assert (reader.batch(), newest_output(tmp_path)) == ("first", second)
    assert newest_output(tmp_path) == second


def test_writing_into_a_folder_makes_it_the_newest(tmp_path: Path) -> None:
    first, _ = folders(tmp_path)
    with StateReader.open(first) as reader:
        identity = reader.identity()
    with StateFile.create_or_open(first, identity) as state:
        state.note("a note", "text")
        assert newest_output(tmp_path) == first
    assert newest_output(tmp_path) == first


def test_without_any_run_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageInvalid, match="no output folder under"):
        newest_output(tmp_path)
