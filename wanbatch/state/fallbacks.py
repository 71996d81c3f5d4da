"""The fallbacks of shots, as a state file keeps them: a run needs no manifest."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping

from wanbatch.batch.shots import FAILED, REFUSED, Fallback, Version
from wanbatch.errors import StateInvalid


def fallbacks_in(db: sqlite3.Connection, shot_id: str | None = None) -> dict[str, Fallback]:
    """Return the fallback of each shot that has one, or of one shot. None in a file of an older version."""
    if db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'fallbacks'").fetchone() is None:
        return {}
    sql, values = "SELECT shot_id, told FROM fallbacks", ()
    rows = db.execute(sql, values) if shot_id is None else db.execute(f"{sql} WHERE shot_id = ?", (shot_id,))
    return {found: _read(told) for found, told in rows.fetchall()}


def store_fallbacks(db: sqlite3.Connection, planned: Mapping[str, Fallback], listed: set[str]) -> None:
    """Keep the fallbacks of the shots that a manifest lists; those of a removed shot stay."""
    before = fallbacks_in(db)
    for shot_id in (before.keys() & listed) - planned.keys():
        db.execute("DELETE FROM fallbacks WHERE shot_id = ?", (shot_id,))
    for shot_id, fallback in planned.items():
        if before.get(shot_id) != fallback:
            db.execute("INSERT OR REPLACE INTO fallbacks VALUES (?, ?)", (shot_id, _written(fallback)))


def _written(fallback: Fallback) -> str:
    told = {"request": dict(fallback.version.request), "has_seed": fallback.version.has_seed, "on": list(fallback.on)}
    return json.dumps(told, ensure_ascii=False)


def _read(text: str) -> Fallback:
    """Read a row. Raises StateInvalid for a damaged one: no other model is sent on a guess."""
    try:
        told = json.loads(text)
        request, has_seed, on = told["request"], told["has_seed"], tuple(told["on"])
        is_sound = isinstance(request, dict) and isinstance(request.get("model"), str) and isinstance(has_seed, bool)
        if is_sound and {*on} <= {FAILED, REFUSED}:
            return Fallback(Version(request, has_seed), on)
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise StateInvalid("a fallback in the state file cannot be read: restore the file from a backup")
