"""What is refused before a state file is made or opened: a folder whose file is lost, and files of others."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from wanbatch.disk import assert_ordinary
from wanbatch.errors import StateInvalid
from wanbatch.folders import CLIPS
from wanbatch.state.connection import WAYS_BACK
from wanbatch.state.reader import STATE_NAME

TRACES = ("run.log", "reports", "storyboard.html", ".sandbox")


def refuse_lost_state(output: Path, traces: Sequence[str]) -> None:
    """Raise StateInvalid if clips or one of these `traces` (names in `output`) show that an earlier run was here.

    To be asked where the state file is missing: the record of what that run paid for is gone, and starting over would
    buy it all again.
    """
    found = next((name for name in traces if _is_something(output / name)), None)
    if found is None and has_clips(output):
        found = "clips"
    if found is not None:
        raise StateInvalid(
            f"{output} holds {found} from an earlier run, but not the {STATE_NAME} that recorded it. {WAYS_BACK}. To"
            " start over, and pay again, add --fresh"
        )


def has_clips(output: Path) -> bool:
    """Say whether an output folder holds clips or parts of clips."""
    return any((output / CLIPS).glob("*"))


def _is_something(path: Path) -> bool:
    return path.is_dir() or (path.is_file() and path.stat().st_size > 0)


def refuse_foreign(path: Path) -> None:
    """Raise StateInvalid for a state file that is not regular, belongs to another user, or may be written by anyone.

    A file that is missing passes. Raises the error of `assert_ordinary` for a link in the place of SQLite's own files.
    """
    for suffix in ("-wal", "-shm", "-journal"):  # SQLite opens these by name, through a link, and writes to them
        assert_ordinary(path.with_name(path.name + suffix))
    try:
        info = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(info.st_mode):
        raise StateInvalid(f"{path} is not a regular file")
    if hasattr(os, "getuid") and info.st_uid != os.getuid():
        raise StateInvalid(f"{path} belongs to another user")
    if info.st_mode & stat.S_IWOTH:
        raise StateInvalid(f"{path} can be written by anyone; fix that with: chmod 600 {path}")
