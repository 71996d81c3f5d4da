"""The reader of records: the rows of a state file as frozen values, all of one moment if that matters."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from wanbatch.batch.attempts import Attempt
from wanbatch.batch.plan import ShotRow
from wanbatch.batch.take import Take
from wanbatch.money.prices import QuotedPrice
from wanbatch.state.connection import foreign_errors
from wanbatch.state.tables import Run, Stray, T, columns_of, from_row

TABLES = {
    Take: "takes",
    Attempt: "attempts",
    ShotRow: "shots",
    Run: "runs",
    Stray: "strays",
    QuotedPrice: "quotes",
}


class Records:
    """An open state file, and the rows of its tables. The queries of each table are in a module of its own."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._db = connection
        self.path = path
        self.output = path.parent

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Everything read inside is of one moment, whatever a run writes meanwhile."""
        with foreign_errors(self.path):
            self._db.execute("BEGIN")
        try:
            yield
        finally:
            with foreign_errors(self.path):
                self._db.execute("COMMIT")

    def _all(self, record: type[T], clause: str, *arguments: object) -> list[T]:
        names = ", ".join(name for name, _ in columns_of(record))
        with foreign_errors(self.path):
            rows = self._db.execute(f"SELECT {names} FROM {TABLES[record]} {clause}", arguments).fetchall()  # noqa: S608
            return [from_row(record, row) for row in rows]
