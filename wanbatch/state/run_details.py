"""The details of runs in a state file: what each was asked to send, and what kept it from sending more."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from wanbatch.batch.run_details import NO_DETAILS, RunDetails
from wanbatch.errors import StateInvalid

_NAMES = ("stops", "left_out", "only", "excepted")


def details_in(db: sqlite3.Connection) -> dict[int, RunDetails]:
    """Return the details of each run that has some, by its id. None in a file of an older version."""
    if db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'run_details'").fetchone() is None:
        return {}
    rows = db.execute(f"SELECT run_id, takes_limit, {', '.join(_NAMES)} FROM run_details")  # noqa: S608
    return {
        run_id: RunDetails(_read(stops), _read(left_out), _read(only), _read(excepted), limit)
        for run_id, limit, stops, left_out, only, excepted in rows.fetchall()
    }


def store_details(db: sqlite3.Connection, run_id: int, details: RunDetails) -> None:
    """Keep the details of a run, in place of those before."""
    if details == NO_DETAILS:
        db.execute("DELETE FROM run_details WHERE run_id = ?", (run_id,))
        return
    told = [json.dumps(getattr(details, name), ensure_ascii=False) for name in _NAMES]
    db.execute("INSERT OR REPLACE INTO run_details VALUES (?, ?, ?, ?, ?, ?)", (run_id, *told, details.takes_limit))


def _read(text: Any) -> tuple[str, ...]:
    try:
        found = json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise StateInvalid("a row of run_details cannot be read; the state file is damaged") from error
    if not isinstance(found, list):
        raise StateInvalid("a row of run_details is not a list of names; the state file is damaged")
    return tuple(map(str, found))
