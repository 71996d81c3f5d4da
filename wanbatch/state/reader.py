"""Reading the state file: one snapshot, without changing anything."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Any, Self

from wanbatch.batch.attempts import (
    MADE_AFTER_ALL,
    MAY_BE_CHARGED,
    NO_POST,
    Attempt,
    Outcome,
)
from wanbatch.batch.changes import Past, Rename
from wanbatch.batch.inventory import Inventory, Kind
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.models import PriceClass, class_of
from wanbatch.batch.plan import Due, ShotRow, cause_of
from wanbatch.batch.take import Entry, Take, fold
from wanbatch.errors import LocalFault, StateInvalid, UsageInvalid
from wanbatch.money.prices import QuotedPrice
from wanbatch.state.tables import (
    SCHEMA_VERSION,
    Identity,
    Run,
    Stray,
    T,
    columns_of,
    foreign_objects,
    from_row,
    row_crc,
    to_sql,
)
from wanbatch.text import shown

STATE_NAME = "state.sqlite"


IN_ONE_QUERY = 500


NAME_NOTE = "batch"


PLANNED_FROM = "planned from "


_CAUSES = {marks: cause_of(*map(bool, marks)) for marks in product((0, 1), repeat=3)}


_CLASS = "json_extract(recipe_json, '$.model', '$.resolution', '$.duration')"


_TALLIED = (
    "state",
    "superseded",
    "credits_estimated",
    "credits_held",
    "credits_charged",
    "is_charge_seen",
    "credits_at_risk",
)


_WENT_ON = sorted(each.value for each in (*MAY_BE_CHARGED, Outcome.FAILED))


def _tallied(row: Mapping[str, Any]) -> Take:
    kind = {**row, "state": State(row["state"])}
    kind |= {name: bool(row[name]) for name in ("superseded", "is_charge_seen")}
    return Take(0, "", 0, "", **kind)


class StateReader:
    """Reads a state file, also while a run writes it."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._db = connection
        self.path = path
        self.output = path.parent

    @classmethod
    def open(cls, output: Path) -> StateReader:
        """Open the state file of an output folder for reading. Raises UsageInvalid where there is none."""
        path = output / STATE_NAME
        if not path.is_file():
            raise UsageInvalid(
                f"{output} holds no {STATE_NAME}: it is no output folder of wanbatch, or nothing ran yet. If it was"
                " lost, `wanbatch recover MANIFEST -o DIR` makes it anew"
            )
        reader = StateReader(connect(path, readonly=True), path)
        try:
            reader.identity()
        except BaseException:
            reader.close()
            raise
        return reader

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

    def identity(self) -> Identity:
        """Return the identity row. Raises StateInvalid for a file of a newer version or of another program."""
        with foreign_errors(self.path):
            if is_empty(self._db):
                raise UsageInvalid(f"{self.path} is still empty: nothing ran yet")
            wrong = foreign_objects(self._db.execute("SELECT type, name, sql FROM sqlite_schema").fetchall())
            if wrong:
                raise StateInvalid(
                    f"{self.path} was not written by wanbatch alone: it holds {shown(', '.join(wrong))}. Do not use it;"
                    " restore your own copy from a backup"
                )
            pairs = dict(self._db.execute("SELECT name, value FROM identity").fetchall())
        try:
            version = int(pairs["schema_version"])
            if version != SCHEMA_VERSION:
                raise StateInvalid(f"{self.path} is of state version {version}; this wanbatch reads {SCHEMA_VERSION}")
            return Identity(
                **{
                    each.name: pairs[each.name]
                    for each in fields(Identity)
                    if each.name not in ("sandbox", "schema_version")
                },
                sandbox=pairs["sandbox"] == "1",
                schema_version=version,
            )
        except (KeyError, ValueError) as error:
            raise StateInvalid(f"{self.path} has no valid identity: {error}") from error

    def assert_same(self, wanted: Identity) -> None:
        """Raise StateInvalid where the file belongs to another provider, or to the sandbox where it should not."""
        ours = self.identity()
        if ours.sandbox != wanted.sandbox:
            kinds = {True: "the sandbox", False: "the paid provider"}
            raise StateInvalid(
                f"{self.output} was begun on {kinds[ours.sandbox]} and cannot go on with {kinds[wanted.sandbox]};"
                " choose another folder with --output"
            )
        if (ours.provider, ours.base_url) != (wanted.provider, wanted.base_url):
            raise StateInvalid(
                f"{self.output} was begun on {ours.base_url} and cannot go on with {wanted.base_url};"
                " choose another folder with --output"
            )

    def _all(self, record: type[T], clause: str, *arguments: object) -> list[T]:
        names = ", ".join(name for name, _ in columns_of(record))
        table = {
            Take: "takes",
            Attempt: "attempts",
            ShotRow: "shots",
            Run: "runs",
            Stray: "strays",
            QuotedPrice: "quotes",
        }[record]
        with foreign_errors(self.path):
            rows = self._db.execute(f"SELECT {names} FROM {table} {clause}", arguments).fetchall()  # noqa: S608
            return [from_row(record, row) for row in rows]

    def takes(self) -> list[Take]:
        """All takes, in the order they were planned."""
        return self._all(Take, "ORDER BY take_id")

    def tallies(self) -> list[tuple[Take, int]]:
        """Count the takes that are alike in state and money: one of each kind, and how many there are.

        A hundred thousand takes are of a few dozen kinds; nothing else of such a take may be read.
        """
        names = ", ".join(_TALLIED)
        with foreign_errors(self.path):
            rows = self._db.execute(f"SELECT {names}, count(*) FROM takes GROUP BY {names}").fetchall()  # noqa: S608
            return [(_tallied(dict(zip(_TALLIED, row, strict=False))), row[-1]) for row in rows]

    def inventory(self) -> Inventory:
        """Take inventory of the batch without looking at every take."""
        return Inventory(
            kinds=self._kinds(),
            due=self._due(),
            open_takes=self._open_takes(),
            scenes=self._scenes(),
            omitted=self.omitted(),
        )

    def _open_takes(self) -> list[Take]:
        return self._all(
            Take,
            "WHERE take_id IN (SELECT take_id FROM takes WHERE credits_at_risk IS NOT 0 UNION SELECT take_id FROM takes"
            " WHERE state IN ('submitting', 'unknown', 'held', 'queued', 'generating', 'completed', 'downloaded'))"
            " ORDER BY take_id",  # two indexes; with an OR all takes are looked through
        )

    def _kinds(self) -> list[Kind]:
        names = ", ".join(_TALLIED)
        sql = (
            f"SELECT {names}, min(attempts, 2) AS sent, recipe_json, max(submitted_at), count(*)"  # noqa: S608
            f" FROM takes GROUP BY {names}, sent, {_CLASS}"
        )
        with foreign_errors(self.path):
            kinds = []
            for *row, sent, recipe_json, submitted_at, count in self._db.execute(sql):
                take = _tallied(dict(zip(_TALLIED, row, strict=True)))
                at = None if submitted_at is None else datetime.fromisoformat(submitted_at)
                kinds.append((replace(take, attempts=sent, recipe_json=recipe_json, submitted_at=at), count))
            return kinds

    def _due(self) -> list[Due]:
        sql = (
            f"SELECT take_id, takes.shot_id, number, coalesce(ordinal, 0), coalesce(scene, ''), {_CLASS},"  # noqa: S608
            " is_retake, attempts > 0, takes.shot_id IN (SELECT shot_id FROM takes WHERE superseded)"
            " FROM takes LEFT JOIN shots ON shots.shot_id = takes.shot_id"
            " WHERE state = 'planned' AND NOT superseded ORDER BY take_id"
        )
        classes: dict[str, PriceClass] = {}
        with foreign_errors(self.path):
            due = []
            for take_id, shot_id, number, ordinal, scene, told, *marks in self._db.execute(sql):
                if told not in classes:
                    classes[told] = class_of(*json.loads(told))
                due.append(Due(take_id, shot_id, number, ordinal, scene, classes[told], _CAUSES[*marks]))
            return due

    def _scenes(self) -> tuple[str, ...]:
        with foreign_errors(self.path):
            sql = "SELECT scene FROM shots GROUP BY scene ORDER BY min(removed * 1000000000 + ordinal)"
            return tuple(scene for (scene,) in self._db.execute(sql))

    def scene_by_shot(self) -> dict[str, str]:
        """The scene of each shot, by id."""
        with foreign_errors(self.path):
            return dict(self._db.execute("SELECT shot_id, scene FROM shots").fetchall())

    def tallies_by_scene(self) -> list[tuple[str, Take, int]]:
        """Count the takes of each scene that are alike in state, money and price class, as `tallies` does for all."""
        names = ", ".join(_TALLIED)
        sql = (
            f"SELECT coalesce(scene, '') AS place, {names}, recipe_json, count(*)"  # noqa: S608
            f" FROM takes LEFT JOIN shots ON shots.shot_id = takes.shot_id GROUP BY place, {names}, {_CLASS}"
        )
        with foreign_errors(self.path):
            found = []
            for place, *row, recipe_json, count in self._db.execute(sql):
                take = replace(_tallied(dict(zip(_TALLIED, row, strict=True))), recipe_json=recipe_json)
                found.append((place, take, count))
            return found

    def takes_in(self, states: Iterable[State]) -> list[Take]:
        """The takes in these states, in the order they were planned."""
        wanted = sorted(state.value for state in states)
        return self._all(Take, f"WHERE state IN ({', '.join('?' * len(wanted))}) ORDER BY take_id", *wanted)

    def recipes_there(self, limit: int) -> list[tuple[str, str]]:
        """Label and recipe of the takes planned last, at most so many, that are bought, or may be, and did not fail."""
        sql = (
            "SELECT shot_id || '_t' || number, recipe_json FROM takes"
            " WHERE state NOT IN ('planned', 'failed') ORDER BY take_id DESC LIMIT ?"
        )
        with foreign_errors(self.path):
            return self._db.execute(sql, (limit,)).fetchall()

    def mean_generation_s(self) -> float | None:
        """The mean time from submit to the poll that saw the end, in seconds; None before the first."""
        with foreign_errors(self.path):
            sql = "SELECT avg(julianday(completed_at) - julianday(submitted_at)) * 86400 FROM takes"
            mean: float | None = self._db.execute(sql).fetchone()[0]
            return mean

    def takes_sent_since(self, mark: int) -> list[Take]:
        """The takes that were sent since `sends` gave this mark, in the order they were planned."""
        clause = "WHERE take_id IN (SELECT take_id FROM attempts WHERE rowid > ? AND number > 0) ORDER BY take_id"
        return self._all(Take, clause, mark)

    def sends(self) -> int:
        """Return a mark for `takes_sent_since`: how far the sending has come."""
        with foreign_errors(self.path):
            return int(self._db.execute("SELECT coalesce(max(rowid), 0) FROM attempts").fetchone()[0])

    def may_show_charges(self) -> bool:
        """Say whether the ledger may show a charge of a take that came to an end and that was not seen yet."""
        sql = (
            "SELECT 1 FROM takes WHERE credits_at_risk IS NOT 0 OR (NOT is_charge_seen AND generation_id IS NOT NULL"
            " AND state IN ('verified', 'failed', 'held', 'planned')) LIMIT 1"
        )
        with foreign_errors(self.path):
            return self._db.execute(sql).fetchone() is not None

    def log_lags_s(self) -> list[float]:
        """How late the provider's log showed each take where that was seen, in seconds."""
        with foreign_errors(self.path):
            sql = "SELECT log_lag_s FROM takes WHERE log_lag_s IS NOT NULL"
            return [lag_s for (lag_s,) in self._db.execute(sql)]

    def warned(self) -> list[tuple[str, str]]:
        """Label and warning of each verified take of today's recipes that somebody should look at."""
        sql = (
            "SELECT shot_id || '_t' || number, warning FROM takes"
            " WHERE state = 'verified' AND warning != '' AND NOT superseded ORDER BY take_id"
        )
        with foreign_errors(self.path):
            return self._db.execute(sql).fetchall()

    def newest_completed(self, limit: int) -> list[Take]:
        """The takes planned last, at most so many, whose generations were seen to their ends."""
        return self._all(Take, "WHERE completed_at IS NOT NULL ORDER BY take_id DESC LIMIT ?", limit)

    def take(self, take_id: int) -> Take:
        """One take. Raises StateInvalid where there is none of that id."""
        found = self._all(Take, "WHERE take_id = ?", take_id)
        if not found:
            raise StateInvalid(f"{self.path} has no take {take_id}")
        return found[0]

    def attempts(self) -> list[Attempt]:
        """All attempts, by take and number."""
        return self._all(Attempt, "ORDER BY take_id, number")

    def attempts_as_sent(self) -> list[Attempt]:
        """All attempts in the order in which they were first recorded."""
        return self._all(Attempt, "ORDER BY rowid")

    def attempts_of(self, take_id: int) -> list[Attempt]:
        """The attempts of one take, by number."""
        return self._all(Attempt, "WHERE take_id = ? ORDER BY number", take_id)

    def attempts_at_risk(self) -> list[Attempt]:
        """The attempts that were given up, and that the ledger may still charge."""
        marks = ", ".join("?" * len(MAY_BE_CHARGED))
        return self._all(
            Attempt,
            f"WHERE outcome IN ({marks}) AND credits_charged IS NULL ORDER BY take_id, number",
            *(each.value for each in sorted(MAY_BE_CHARGED)),
        )

    def priced_before(self) -> list[Attempt]:
        """The attempts that takes went on without, or that failed, and whose price a hold or a charge told."""
        marks = ", ".join("?" * len(_WENT_ON))
        clause = f"WHERE outcome IN ({marks}) AND coalesce(credits_held, credits_charged, 0) > 0"
        return self._all(Attempt, f"{clause} ORDER BY take_id, number", *_WENT_ON)

    def failed_generations(self, limit: int) -> list[Attempt]:
        """The attempts whose generations the provider failed, the newest first, at most so many."""
        clause = "WHERE outcome = ? AND generation_id IS NOT NULL"
        return self._all(Attempt, f"{clause} ORDER BY started_at DESC LIMIT ?", Outcome.FAILED.value, limit)

    def attempts_of_requests(self, request_ids: Iterable[str]) -> list[Attempt]:
        """The attempts with these request ids, by take and number."""
        return self._attempts_with("request_id", request_ids)

    def attempts_of_generations(self, generation_ids: Iterable[str]) -> list[Attempt]:
        """The attempts that name these generations, by take and number."""
        return self._attempts_with("generation_id", generation_ids)

    def _attempts_with(self, column: str, values: Iterable[str]) -> list[Attempt]:
        wanted, found = list(values), []
        for at in range(0, len(wanted), IN_ONE_QUERY):
            part = wanted[at : at + IN_ONE_QUERY]
            found += self._all(Attempt, f"WHERE {column} IN ({', '.join('?' * len(part))})", *part)
        return sorted(found, key=lambda each: (each.take_id, each.number))

    def first_sent_at(self) -> datetime | None:
        """When the first submit began that made a generation, or may have; None before it."""
        marks = ", ".join("?" * len(NO_POST))
        sql = f"SELECT min(started_at) FROM attempts WHERE generation_id IS NOT NULL OR outcome NOT IN ({marks})"  # noqa: S608
        with foreign_errors(self.path):
            first = self._db.execute(sql, sorted(each.value for each in NO_POST)).fetchone()[0]
            return None if first is None else datetime.fromisoformat(first)

    def nameless_since(self, at: datetime) -> list[Attempt]:
        """The attempts that began then or later, and of which no generation is known, in the order they began."""
        return self._all(Attempt, "WHERE generation_id IS NULL AND started_at >= ? ORDER BY started_at", to_sql(at))

    def first_nameless_at(self, since: datetime) -> datetime | None:
        """When the first attempt began, then or later, of which no generation is known; None where there is none."""
        sql = "SELECT min(started_at) FROM attempts WHERE generation_id IS NULL AND started_at >= ?"
        with foreign_errors(self.path):
            first = self._db.execute(sql, (to_sql(since),)).fetchone()[0]
            return None if first is None else datetime.fromisoformat(first)

    def nameless_in(self, states: Iterable[State]) -> list[datetime]:
        """When the attempts began of which no generation is known, of takes in these states."""
        wanted = sorted(state.value for state in states)
        sql = (
            "SELECT attempts.started_at FROM attempts CROSS JOIN takes ON takes.take_id = attempts.take_id"  # noqa: S608
            f" WHERE attempts.generation_id IS NULL AND state IN ({', '.join('?' * len(wanted))})"
        )
        with foreign_errors(self.path):
            return [datetime.fromisoformat(at) for (at,) in self._db.execute(sql, wanted)]

    def sent_since(self, at: datetime) -> int:
        """How many attempts began then or later."""
        with foreign_errors(self.path):
            sql = "SELECT count(*) FROM attempts WHERE started_at >= ?"
            return int(self._db.execute(sql, (to_sql(at),)).fetchone()[0])

    def spares(self) -> list[Attempt]:
        """The attempts whose generations were found late, of takes that have no other one to come."""
        return self._all(
            Attempt,
            "WHERE outcome = 'lost' AND generation_id IS NOT NULL AND EXISTS (SELECT 1 FROM takes"
            " WHERE takes.take_id = attempts.take_id AND state IN ('planned', 'failed')) ORDER BY take_id, number",
        )

    def found_late(self) -> list[Take]:
        """The takes whose warnings tell of a generation that was made after all, and do not call it a double."""
        return self._all(
            Take, f"WHERE warning LIKE '%{MADE_AFTER_ALL}%' AND warning NOT LIKE '%DOUBLE%' ORDER BY take_id"
        )

    def first_awaited_at(self) -> datetime | None:
        """When the first submit of the takes began whose charges should show and do not; None where all do."""
        sql = (
            "SELECT min(started_at) FROM attempts WHERE take_id IN"
            " (SELECT take_id FROM takes WHERE state = 'verified' AND NOT is_charge_seen)"
        )
        with foreign_errors(self.path):
            first = self._db.execute(sql).fetchone()[0]
            return None if first is None else datetime.fromisoformat(first)

    def owner_of(self, generation_id: str | None) -> int | None:
        """The take of a generation, by id; None where nobody here has it."""
        with foreign_errors(self.path):
            sql = "SELECT take_id FROM attempts WHERE generation_id = ? ORDER BY rowid DESC LIMIT 1"
            row = self._db.execute(sql, (generation_id,)).fetchone()
            return None if row is None else int(row[0])

    def shot(self, shot_id: str) -> ShotRow:
        """One shot. Raises StateInvalid where there is none of that id."""
        found = self._all(ShotRow, "WHERE shot_id = ?", shot_id)
        if not found:
            raise StateInvalid(f"{self.path} has no shot {shot_id}")
        return found[0]

    def last_fact_at(self) -> datetime | None:
        """When the last fact was recorded; None before the first."""
        with foreign_errors(self.path):
            # Of the newest rows: a step of the clock is no reason to read all.
            sql = "SELECT max(at) FROM (SELECT at FROM facts ORDER BY seq DESC LIMIT 1000)"
            last = self._db.execute(sql).fetchone()[0]
            return datetime.fromisoformat(last) if last else None

    def shots(self) -> list[ShotRow]:
        """All shots ever planned, in story order, those removed from the manifest last."""
        return self._all(ShotRow, "ORDER BY removed, ordinal, shot_id")

    def own_cells(self) -> dict[str, dict[str, str]]:
        """The cells of the user's own columns by shot, of those that have some. None in a file of an older version."""
        with foreign_errors(self.path):
            if self._db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'own_cells'").fetchone() is None:
                return {}
            rows = self._db.execute("SELECT shot_id, cells FROM own_cells").fetchall()
            found = {shot_id: json.loads(cells) for shot_id, cells in rows}
        if not all(isinstance(cells, dict) for cells in found.values()):
            raise StateInvalid(f"{self.path}: a row of own_cells is not a table of names; the file is damaged")
        return {shot_id: {str(name): str(cell) for name, cell in cells.items()} for shot_id, cells in found.items()}

    def omitted(self) -> int:
        """How many shots are omitted."""
        with foreign_errors(self.path):
            return int(self._db.execute("SELECT count(*) FROM shots WHERE omit").fetchone()[0])

    def runs(self) -> list[Run]:
        """All runs, oldest first."""
        return self._all(Run, "ORDER BY run_id")

    def quotes(self) -> list[QuotedPrice]:
        """The prices that each run went by, oldest first."""
        return self._all(QuotedPrice, "ORDER BY run_id, price_class")

    def strays(self) -> list[Stray]:
        """Submits of this batch that belong to no take of it, oldest first; without those given to a take since."""
        return self._all(Stray, "WHERE request_id NOT IN (SELECT request_id FROM attempts) ORDER BY at, request_id")

    def log_read_until(self, key_fingerprint: str) -> datetime | None:
        """Up to when the log of a key is known to hold nothing that this file does not; None where it was not read.

        The log of each key shows the requests of that key alone, so each has a mark of its own.
        """
        with foreign_errors(self.path):
            row = self._db.execute("SELECT at FROM marks WHERE name = ?", (self._mark_of(key_fingerprint),)).fetchone()
            return datetime.fromisoformat(row[0]) if row else None

    def _mark_of(self, key_fingerprint: str) -> str:
        is_first = key_fingerprint == self.identity().key_fingerprint
        return "log_read_until" if is_first else f"log_read_until {key_fingerprint}"

    def created_at(self) -> datetime:
        """When the file was begun, by the clock of then."""
        with foreign_errors(self.path):
            return datetime.fromisoformat(self.identity().created_at)

    def last_written_at(self) -> datetime | None:
        """When something was recorded last, by the clock of then: a fact, or how a run began or ended."""
        with foreign_errors(self.path):
            ran = self._db.execute("SELECT max(coalesce(ended_at, started_at)) FROM runs").fetchone()[0]
        times = [self.last_fact_at(), datetime.fromisoformat(ran) if ran else None]
        return max((at for at in times if at is not None), default=None)

    def is_planned_from(self, digest: str) -> bool:
        """Say whether the last plan was that of the manifest with this digest, and is one that lasts."""
        with foreign_errors(self.path):
            row = self._db.execute("SELECT 1 FROM marks WHERE name = ?", (PLANNED_FROM + digest,)).fetchone()
            return bool(digest) and row is not None

    def noted(self, name: str) -> str | None:
        """Return the text kept under a name; None where there is none, or in a file that an older version began."""
        with foreign_errors(self.path):
            if self._db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'notes'").fetchone() is None:
                return None
            row = self._db.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
            return None if row is None else str(row[0])

    def notes(self) -> dict[str, str]:
        """Return all texts that are kept, by name; none in a file that an older version began."""
        with foreign_errors(self.path):
            if self._db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'notes'").fetchone() is None:
                return {}
            return {str(name): str(value) for name, value in self._db.execute("SELECT name, value FROM notes")}

    def past(self) -> Past:
        """Return what takes were called before other shots took them over."""
        with foreign_errors(self.path):
            return Past(tuple(_rename_of(each, entry) for each, entry in self._entries("WHERE fact = 'renamed'")))

    def entries(self, only: Fact | None = None) -> Iterator[tuple[int, Entry]]:
        """Yield take id and entry of every fact (or those of one kind) in the order recorded.

        Raises StateInvalid for a damaged row.
        """
        kind = only.value if only is not None else None
        yield from self._entries("WHERE ? IS NULL OR fact = ?", kind, kind)

    def _entries(self, clause: str, *arguments: object) -> Iterator[tuple[int, Entry]]:
        sql = f"SELECT seq, take_id, fact, at, data, crc FROM facts {clause} ORDER BY seq"  # noqa: S608
        with foreign_errors(self.path):
            for seq, take_id, fact, at, data, crc in self._db.execute(sql, arguments):
                if row_crc(take_id, fact, at, data) != crc:
                    raise StateInvalid(f"{self.path} is damaged: fact {seq} does not match its checksum. {WAYS_BACK}")
                told = json.loads(data)
                if not isinstance(told, dict):
                    raise StateInvalid(f"{self.path} is damaged: fact {seq} is not a record. {WAYS_BACK}")
                yield take_id, Entry(Fact(fact), datetime.fromisoformat(at), told)

    def batch(self) -> str:
        """Return the name of the batch: that of the manifest which last went on with it."""
        return self.noted(NAME_NOTE) or self.identity().batch

    def check(self) -> None:
        """Refold every take from its facts and compare. Raises StateInvalid at the first difference."""
        self.check_pages()
        by_take: dict[int, list[Entry]] = {}
        for take_id, entry in self.entries():
            by_take.setdefault(take_id, []).append(entry)
        for take in self.takes():
            self._compare(take, by_take[take.take_id])

    def check_pages(self) -> None:
        """Check what SQLite can tell of the file, and that no take is lost. Raises StateInvalid."""
        with foreign_errors(self.path):
            verdict = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
            if verdict == "ok":
                takes = "SELECT count(*), sum(take_id), max(take_id) FROM takes"
                told = "SELECT count(*), sum(take_id), max(take_id) FROM (SELECT DISTINCT take_id FROM facts)"
                is_torn = self._db.execute(takes).fetchone() != self._db.execute(told).fetchone()
        if verdict != "ok":
            raise StateInvalid(f"{self.path} is damaged: {verdict}. Nothing was sent. {WAYS_BACK}")
        if is_torn:
            raise StateInvalid(f"{self.path} is damaged: takes and facts do not belong together. {WAYS_BACK}")

    def check_take(self, take: Take) -> None:
        """Refold one take from its facts and compare. Raises StateInvalid."""
        self._compare(take, [entry for _, entry in self._entries("WHERE take_id = ?", take.take_id)])

    def _compare(self, take: Take, entries: Sequence[Entry]) -> None:
        try:
            is_same = fold(take.take_id, take.shot_id, entries) == take
        except (TypeError, AttributeError, ArithmeticError, LookupError, ValueError, RecursionError) as error:
            text = f"{self.path} is damaged: a fact of {take.label} makes no sense. {WAYS_BACK}"
            raise StateInvalid(text) from error
        if not is_same:
            raise StateInvalid(f"{self.path} is damaged: {take.label} is not what its facts say. {WAYS_BACK}")


def _rename_of(take_id: int, entry: Entry) -> Rename:
    data = entry.data
    was = (str(data["was_shot_id"]), int(data["was_number"]))
    return Rename(take_id, str(data["shot_id"]), int(data["number"]), was)


def connect(path: Path, *, readonly: bool) -> sqlite3.Connection:
    try:
        if not readonly and not path.exists():
            # 0600 before the first byte: prompts and ids are private.
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        target = f"{path.resolve().as_uri()}?mode={'ro' if readonly else 'rw'}"
        connection = sqlite3.connect(target, uri=True, isolation_level=None, timeout=10)
        try:
            _set_up(connection, path, readonly=readonly)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise StateInvalid(f"cannot open {path}: {error}. {WAYS_BACK}") from error
    except OSError as error:
        raise LocalFault(f"cannot make {path}: {error.strerror}") from error
    return connection


def _set_up(connection: sqlite3.Connection, path: Path, *, readonly: bool) -> None:
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    if not readonly:
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise LocalFault(f"{path} lies on a disk that cannot keep a write-ahead log (got '{mode}')")
        connection.execute("PRAGMA synchronous = FULL")  # a lost intent is a clip bought twice


WAYS_BACK = (
    "Restore it from a backup, or make a new one of all that is known: `wanbatch recover MANIFEST -o DIR`, which buys"
    " nothing"
)


def is_empty(connection: sqlite3.Connection) -> bool:
    return not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()


@contextmanager
def foreign_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        raise StateInvalid(f"{path} cannot be read: {error}. Nothing was sent. {WAYS_BACK}") from error


def entry(fact: Fact, at: datetime, data: Mapping[str, Any] | None = None) -> Entry:
    """Make an entry whose time has the state file's precision, so that a refold compares equal."""
    return Entry(fact, datetime.fromisoformat(to_sql(at)), dict(data or {}))
