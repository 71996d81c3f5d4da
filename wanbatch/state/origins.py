"""Where the values of shots come from, as a state file keeps it for the pages: texts by field, from the manifest."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping

from wanbatch.errors import StateInvalid

Origins = Mapping[str, tuple[str, ...]]


def origins_in(db: sqlite3.Connection) -> dict[str, Origins]:
    """Return the origins of each shot whose manifest put it together. None in a file of an older version."""
    if db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'origins'").fetchone() is None:
        return {}
    return {shot_id: _read(told) for shot_id, told in db.execute("SELECT shot_id, told FROM origins").fetchall()}


def store_origins(db: sqlite3.Connection, planned: Mapping[str, Origins], listed: set[str]) -> None:
    """Keep the origins of the shots that a manifest lists; those of a removed shot stay."""
    before = origins_in(db)
    for shot_id in (before.keys() & listed) - planned.keys():
        db.execute("DELETE FROM origins WHERE shot_id = ?", (shot_id,))
    for shot_id, origins in planned.items():
        if before.get(shot_id) != origins:
            told = json.dumps(dict(origins), ensure_ascii=False)
            db.execute("INSERT OR REPLACE INTO origins VALUES (?, ?)", (shot_id, told))


def _read(text: str) -> Origins:
    try:
        return {str(name): tuple(map(str, texts)) for name, texts in json.loads(text).items()}
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise StateInvalid("a row of origins is not a table of names; the state file is damaged") from error
