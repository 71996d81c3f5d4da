"""The files that a manifest gave to shots, as a state file knows them: by hash, with names for people. No bytes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping

from wanbatch.batch.given_files import GivenFile
from wanbatch.errors import StateInvalid


def files_in(db: sqlite3.Connection) -> dict[str, GivenFile]:
    """Return the files by their hashes. None in a state file of an older version."""
    if db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'files'").fetchone() is None:
        return {}
    return {sha256: _read(sha256, told) for sha256, told in db.execute("SELECT sha256, told FROM files").fetchall()}


def store_files(db: sqlite3.Connection, planned: Mapping[str, GivenFile]) -> None:
    """Keep the files of a plan; those of earlier plans stay, as clips were made with them."""
    before = files_in(db)
    for sha256, file in planned.items():
        if before.get(sha256) != file:
            told = json.dumps(file.told, ensure_ascii=False)
            db.execute("INSERT OR REPLACE INTO files VALUES (?, ?)", (sha256, told))


def _read(sha256: str, text: str) -> GivenFile:
    try:
        found = GivenFile.of(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StateInvalid("a row of files is not a file; the state file is damaged") from error
    if found.sha256 != sha256:
        raise StateInvalid("a row of files names another file; the state file is damaged")
    return found
