"""The columns of a state file: a table of a hundred thousand rows, without a record for each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from wanbatch.state.connection import foreign_errors
from wanbatch.state.record_reader import TABLES, Records
from wanbatch.state.tables import plan_of

ROWS_AT_ONCE = 10_000  # rows as values of Python: some 15 MB


class ColumnRecords(Records):
    """What is asked of whole tables."""

    def columns(
        self, record: type[Any], clause: str = "", rows_at_once: int = ROWS_AT_ONCE
    ) -> Iterator[dict[str, list[Any]]]:
        """Yield a table in parts of some rows: each field of a record with its values, as a record has them.

        At least one part, which may be empty. `clause` is SQL: which rows, in which order. Raises StateInvalid.
        """
        plan = plan_of(record)
        names = ", ".join(name for name, _, _ in plan)
        with foreign_errors(self.path):
            rows = self._db.execute(f"SELECT {names} FROM {TABLES[record]} {clause}")  # noqa: S608
            some = rows.fetchmany(rows_at_once)
            while True:
                columns = zip(*some, strict=True) if some else [()] * len(plan)
                part = {}
                for (name, reader, is_optional), values in zip(plan, columns, strict=True):
                    if not is_optional and None in values:
                        raise ValueError(f"a row without {name}")
                    part[name] = _read(values, reader)
                yield part
                some = rows.fetchmany(rows_at_once)
                if not some:
                    return

    def clips(self) -> list[tuple[int, str]]:
        """Return take id and path of the clip of each verified take, in the order they were planned."""
        sql = "SELECT take_id, file FROM takes WHERE state = 'verified' AND file IS NOT NULL ORDER BY take_id"
        with foreign_errors(self.path):
            return self._db.execute(sql).fetchall()


def _read(values: Sequence[Any], reader: Callable[[Any], Any] | None) -> list[Any]:
    """Read values as a record has them, each only once if most are in many rows."""
    distinct = set(values)
    if len(distinct) * 2 < len(values):
        known = {value: value if value is None or reader is None else reader(value) for value in distinct}
        return [known[value] for value in values]
    return list(values) if reader is None else [None if value is None else reader(value) for value in values]
