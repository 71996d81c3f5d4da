"""The writer of facts: what happened, on disk before wanbatch acts on it.

Every transition is one transaction that appends facts and stores the folded take, flushed to the disk before `record`
returns. A generation id that the provider named is such a fact.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wanbatch.batch.attempts import attempts_after
from wanbatch.batch.take import Entry, Take, advance
from wanbatch.errors import LocalFault
from wanbatch.state.checks import Checks
from wanbatch.state.lock import OutputLock
from wanbatch.state.reader import StateReader
from wanbatch.state.tables import columns_of, row_crc, to_sql

_AFTER_A_FAILED_WRITE = (
    "What was recorded before is kept. Free some space on the disk, or find out why it cannot be written, then run the"
    " same command again: it continues from the last record"
)


class FactWriter(StateReader):
    """Appends facts to a state file whose lock is held, and keeps takes and attempts as they follow from them."""

    def __init__(self, connection: sqlite3.Connection, path: Path, lock: OutputLock) -> None:
        super().__init__(connection, path)
        self._lock = lock
        self._failed: Exception | None = None
        self._checks = Checks(self)

    def record(self, take_id: int, *entries: Entry) -> Take:
        """Append facts about one take and store what they make of it, in one transaction, durable on return.

        Raises TransitionForbidden, and records nothing, if one of them cannot happen; LocalFault when the disk
        fails.
        """
        take = self._checks.touched(self.take(take_id))
        with self._transaction():
            first = take
            for entry in entries:
                before, take = take, advance(take, entry)
                self._append(take_id, entry)
                self._follow_attempts(before, take, entry)
            self._move("takes", first, take, "take_id = ?", take_id)
        return take

    def record_together(self, entries: Sequence[tuple[int, Entry]]) -> None:
        """Append facts about several takes, by take id, that are true only together. One transaction."""
        with self._transaction():
            for take_id, entry in entries:
                self._change(take_id, entry)

    def await_check(self) -> None:
        """Wait for the check of the pages, which goes on while the first things are read. Raises StateInvalid.

        Nothing is written, and no inventory is returned, before it ended well.
        """
        self._checks.await_pages()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        # A failed write is final: what the disk holds is unknown then, so nothing more may be paid on its word.
        if self._failed is not None:
            raise LocalFault(
                f"{self.path} could not be written a moment ago ({self._failed}), so wanbatch records and sends"
                " nothing more."
                f" {_AFTER_A_FAILED_WRITE}"
            )
        self._lock.assert_held()
        self.await_check()
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._failed = error
            raise LocalFault(
                f"cannot write {self.path}: {error}. wanbatch sends nothing more. {_AFTER_A_FAILED_WRITE}"
            ) from error

    def _change(self, take_id: int, entry: Entry) -> None:
        take = advance(self._checks.touched(self.take(take_id)), entry)
        self._append(take_id, entry)
        self._store("takes", take)

    def _move(self, table: str, before: Any, after: Any, where: str, *key: object) -> None:
        """Store what changed of a row: a fact touches a few of its fifty columns."""
        old, new = vars(before), vars(after)
        changed = [name for name, _ in columns_of(type(after)) if new[name] != old[name]]
        if changed:
            names = ", ".join(f"{name} = ?" for name in changed)
            values = [to_sql(new[name]) for name in changed]
            self._db.execute(f"UPDATE {table} SET {names} WHERE {where}", (*values, *key))  # noqa: S608

    def _append(self, take_id: int, entry: Entry) -> None:
        at, data = to_sql(entry.at), json.dumps(entry.data, ensure_ascii=False, allow_nan=False)
        self._db.execute(
            "INSERT INTO facts (take_id, fact, at, data, crc) VALUES (?, ?, ?, ?, ?)",
            (take_id, entry.fact.value, at, data, row_crc(take_id, entry.fact.value, at, data)),
        )

    def _follow_attempts(self, before: Take, take: Take, entry: Entry) -> None:
        known = {each.number: each for each in self.attempts_of(take.take_id)}
        for each in attempts_after(before, take, entry, list(known.values())):
            was = known.get(each.number)
            if was is None:
                self._store("attempts", each)
            else:
                self._move("attempts", was, each, "take_id = ? AND number = ?", each.take_id, each.number)
            known[each.number] = each

    def _store(self, table: str, record: Any) -> None:
        columns = [name for name, _ in columns_of(type(record))]
        key = {"takes": "(take_id)", "attempts": "(take_id, number)", "shots": "(shot_id)", "runs": "(run_id)"}.get(
            table, "(run_id, price_class)" if table == "quotes" else "(request_id)"
        )
        updates = ", ".join(f"{name} = excluded.{name}" for name in columns)
        self._db.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608
            f" ON CONFLICT {key} DO UPDATE SET {updates}",
            [to_sql(getattr(record, name)) for name in columns],
        )
