"""The exchange of a state file for a new one: the old one is kept under another name."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path

from wanbatch.disk import fsync_directory
from wanbatch.state.reader import STATE_NAME

PARTS = (f"{STATE_NAME}-wal", f"{STATE_NAME}-shm", STATE_NAME)  # in the order in which they are put aside


def exchange(output: Path, new: Path) -> str:
    """Put the old file aside and the new one in its place; returns what the old one is called now."""
    descriptor = os.open(new, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    number = next(n for n in count(1) if not any(output.glob(f"{STATE_NAME}.damaged-{n}*")))
    kept = f"{STATE_NAME}.damaged-{number}"
    is_kept = False
    for name in PARTS:  # its log first: beside the new file SQLite would take it for that file's own
        if (output / name).exists():
            (output / name).rename(output / name.replace(STATE_NAME, kept, 1))
            is_kept = True
    fsync_directory(output)
    new.replace(output / STATE_NAME)
    fsync_directory(output)
    return f"the old file is kept as {kept}" if is_kept else ""
