"""Reading the state file: one snapshot, without changing anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from wanbatch.batch.given_files import GivenFile
from wanbatch.batch.lifecycle import Fact
from wanbatch.batch.plan import ShotRow
from wanbatch.batch.shots import Fallback
from wanbatch.batch.take import Entry
from wanbatch.errors import StateInvalid, UsageInvalid
from wanbatch.money.prices import QuotedPrice
from wanbatch.state.attempt_queries import AttemptRecords
from wanbatch.state.baseline import BaselineRecords
from wanbatch.state.columns import ColumnRecords
from wanbatch.state.connection import connect, foreign_errors, is_empty
from wanbatch.state.fallbacks import fallbacks_in
from wanbatch.state.given_files import files_in
from wanbatch.state.kept_models import learn_kept
from wanbatch.state.origins import Origins, origins_in
from wanbatch.state.run_details import details_in
from wanbatch.state.tables import SCHEMA_VERSION, Identity, Run, Stray, foreign_objects, to_sql
from wanbatch.state.take_queries import OF_NO_TAKE
from wanbatch.text import shown

STATE_NAME = "state.sqlite"
NAME_NOTE = "batch"
SETTLED_NOTE = "bought all the same"
FOLLOWING_NOTE = "following"  # by shot, the frames of which another one has the shot made again, as JSON
CLIP_NAMES_NOTE = "clip names"  # the pattern of the names that clips get beside their own
PLANNED_FROM = "planned from "


class StateReader(BaselineRecords, AttemptRecords, ColumnRecords):
    """Reads a state file, also while a run writes it."""

    @classmethod
    def open(cls, output: Path) -> StateReader:
        """Open the state file of an output folder for reading. Raises UsageInvalid if there is none."""
        path = output / STATE_NAME
        if not path.is_file():
            raise UsageInvalid(
                f"{output} has no {STATE_NAME}: it is not an output folder of wanbatch, or nothing has run yet. If the"
                " file was lost, `wanbatch recover MANIFEST -o DIR` rebuilds it"
            )
        reader = StateReader(connect(path, readonly=True), path)
        try:
            reader.identity()
            learn_kept(reader.notes())
        except BaseException:
            reader.close()
            raise
        return reader

    def identity(self) -> Identity:
        """Return the identity row. Raises StateInvalid for a file of a newer version or of another program."""
        with foreign_errors(self.path):
            if is_empty(self._db):
                raise UsageInvalid(f"{self.path} is still empty: nothing has run yet")
            wrong = foreign_objects(self._db.execute("SELECT type, name, sql FROM sqlite_schema").fetchall())
            if wrong:
                raise StateInvalid(
                    f"{self.path} was changed by another program: it holds {shown(', '.join(wrong))}. Do not use it;"
                    " restore your own copy from a backup"
                )
            pairs = dict(self._db.execute("SELECT name, value FROM identity").fetchall())
        try:
            version = int(pairs["schema_version"])
            if version != SCHEMA_VERSION:
                raise StateInvalid(
                    f"{self.path} has state version {version}, but this wanbatch reads {SCHEMA_VERSION}: use the"
                    " version that wrote it"
                )
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
        """Raise StateInvalid if the file belongs to another provider, or to the sandbox if it should not."""
        ours = self.identity()
        if ours.sandbox != wanted.sandbox:
            kinds = {True: "the sandbox", False: "the paid provider"}
            raise StateInvalid(
                f"{self.output} belongs to {kinds[ours.sandbox]} and cannot continue with {kinds[wanted.sandbox]};"
                " choose another folder with --output"
            )
        if (ours.provider, ours.base_url) != (wanted.provider, wanted.base_url):
            raise StateInvalid(
                f"{self.output} belongs to {ours.base_url} and cannot continue with {wanted.base_url};"
                " choose another folder with --output"
            )

    def shot(self, shot_id: str) -> ShotRow:
        """One shot. Raises StateInvalid if no shot has that id."""
        found = self._all(ShotRow, "WHERE shot_id = ?", shot_id)
        if not found:
            raise StateInvalid(f"{self.path} has no shot {shot_id}")
        return found[0]

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

    def origins(self) -> dict[str, Origins]:
        """Where the values of shots come from, of those that a manifest put together: texts by field."""
        with foreign_errors(self.path):
            return origins_in(self._db)

    def files(self) -> dict[str, GivenFile]:
        """The pictures and sounds that shots were given, by the hash of their bytes."""
        with foreign_errors(self.path):
            return files_in(self._db)

    def fallbacks(self) -> dict[str, Fallback]:
        """The fallback of each shot that has one."""
        with foreign_errors(self.path):
            return fallbacks_in(self._db)

    def fallback_of(self, shot_id: str) -> Fallback | None:
        """The fallback of a shot; None without one."""
        with foreign_errors(self.path):
            return fallbacks_in(self._db, shot_id).get(shot_id)

    def runs(self) -> list[Run]:
        """All runs, oldest first."""
        runs = self._all(Run, "ORDER BY run_id")
        with foreign_errors(self.path):
            details = details_in(self._db)
        return [replace(each, details=details[each.run_id]) if each.run_id in details else each for each in runs]

    def quotes(self) -> list[QuotedPrice]:
        """The prices that each run went by, oldest first."""
        return self._all(QuotedPrice, "ORDER BY run_id, price_class")

    def strays(self) -> list[Stray]:
        """Submits of this batch that belong to no take of it, oldest first; without those given to a take since."""
        return self._all(Stray, f"{OF_NO_TAKE} ORDER BY at, request_id")

    def log_read_until(self, key_fingerprint: str) -> datetime | None:
        """Up to when the log of a key is known to hold nothing that this file does not; None if it was not read.

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
        """Return the text kept under a name; None if there is none, or in a file that an older version began."""
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

    def clip_names(self) -> str:
        """Return the pattern of the names that clips get beside their own; empty if the manifest has none."""
        return self.noted(CLIP_NAMES_NOTE) or ""

    def batch(self) -> str:
        """Return the name of the batch: that of the manifest which last went on with it."""
        return self.noted(NAME_NOTE) or self.identity().batch


def entry(fact: Fact, at: datetime, data: Mapping[str, Any] | None = None) -> Entry:
    """Make an entry whose time has the state file's precision, so that a refold compares equal."""
    return Entry(fact, datetime.fromisoformat(to_sql(at)), dict(data or {}))
