"""The state file: opened or begun under its lock, with the plans, runs and notes that are written beside the facts.

SQLite with a write-ahead log. One writer at a time, held by a kernel lock taken before the file is opened; any number
of readers meanwhile. `fact_writer.py` writes what happened.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from pathlib import Path

from wanbatch.batch.changes import Create, Reinstate, Rename, Replan, Supersede
from wanbatch.batch.inventory import Inventory
from wanbatch.batch.lifecycle import Fact
from wanbatch.batch.plan import Plan
from wanbatch.batch.take import Entry, Take, advance, planned_take
from wanbatch.disk import fsync_directory, make_folder, network_kind, unshare
from wanbatch.errors import LocalFault
from wanbatch.folders import links_of
from wanbatch.money.baseline import BaselineLine
from wanbatch.money.prices import QuotedPrice
from wanbatch.state.baseline import BASELINE_NOTE
from wanbatch.state.connection import connect, foreign_errors, is_empty
from wanbatch.state.fact_writer import FactWriter
from wanbatch.state.fallbacks import store_fallbacks
from wanbatch.state.given_files import store_files
from wanbatch.state.kept_models import learn_kept, notes_of
from wanbatch.state.lock import OutputLock
from wanbatch.state.opening import TRACES, refuse_foreign, refuse_lost_state
from wanbatch.state.origins import store_origins
from wanbatch.state.reader import CLIP_NAMES_NOTE, FOLLOWING_NOTE, PLANNED_FROM, STATE_NAME
from wanbatch.state.run_details import store_details
from wanbatch.state.tables import (
    BASELINE_DDL,
    BASELINE_PARTS_DDL,
    BASELINE_RECIPES_DDL,
    DDL,
    FALLBACKS_DDL,
    FILES_DDL,
    INDEXES,
    NOTES_DDL,
    ORIGINS_DDL,
    OWN_CELLS_DDL,
    RUN_DETAILS_DDL,
    Identity,
    Run,
    Stray,
    to_sql,
)

_OF_BASELINE = (BASELINE_DDL, BASELINE_PARTS_DDL, BASELINE_RECIPES_DDL)
_LATER_TABLES = (
    NOTES_DDL,
    OWN_CELLS_DDL,
    *_OF_BASELINE,
    FALLBACKS_DDL,
    ORIGINS_DDL,
    FILES_DDL,
    RUN_DETAILS_DDL,
    *INDEXES,
)


class StateFile(FactWriter):
    """The one writer of a state file. Holds the output lock from open to close."""

    def __init__(self, connection: sqlite3.Connection, path: Path, lock: OutputLock) -> None:
        super().__init__(connection, path, lock)
        self.is_new = False

    @classmethod
    def create_or_open(cls, output: Path, wanted: Identity, *, fresh: bool = False) -> StateFile:
        """Lock the output folder and open its state file, or begin one.

        Raises OutputLocked; StateInvalid if the file belongs to another provider or sandbox, is damaged, or
        is missing or empty beside anything that a run leaves (unless `fresh`); LocalFault if the folder cannot be
        written.
        """
        path = output / STATE_NAME
        try:
            make_folder(output, mode=0o700)
            refuse_foreign(path)
        except OSError as error:
            raise LocalFault(f"cannot make the output folder {output}: {error.strerror}") from error
        links_of(output)
        share = network_kind(output)
        if share is not None:
            raise LocalFault(
                f"{output} is on a network share ({share}), which may lose what it reports as written:"
                " choose a folder on a disk of this machine with --output"
            )
        lock = OutputLock(output)
        lock.acquire()
        try:
            if not fresh and (not path.exists() or path.stat().st_size == 0):
                # Before SQLite sees the file: it would drop a log that is left over.
                refuse_lost_state(output, (f"{STATE_NAME}-wal", *TRACES))
            for name in (STATE_NAME, f"{STATE_NAME}-wal", f"{STATE_NAME}-shm"):
                unshare(output / name)  # of a copy made with hard links: SQLite writes in place, to both
            with foreign_errors(path):
                state = cls(connect(path, readonly=False), path, lock)
        except BaseException:
            lock.release()
            raise
        try:
            with foreign_errors(path):
                if is_empty(state._db):
                    if not fresh:
                        refuse_lost_state(output, TRACES)
                    state._begin(wanted)
                    state.is_new = True
            state.assert_same(wanted)
            state._complete()
            state._checks.begin()
        except OSError as error:
            state.close()
            raise LocalFault(f"cannot write {path}: {error.strerror}") from error
        except BaseException:
            state.close()
            raise
        return state

    def _begin(self, wanted: Identity) -> None:
        with self._transaction():
            for statement in (*DDL, *INDEXES):
                self._db.execute(statement)
            self._db.executemany(
                "INSERT INTO identity VALUES (?, ?)",
                [(each.name, str(to_sql(getattr(wanted, each.name)))) for each in fields(Identity)],
            )
        fsync_directory(self.output)

    def _complete(self) -> None:
        """Make what a file lacks that an older version began."""
        with foreign_errors(self.path):
            for statement in _LATER_TABLES:
                self._db.execute(statement)
        learn_kept(self.notes())

    def inventory(self) -> Inventory:
        """Take inventory of the batch without looking at every take. Raises StateInvalid for a damaged file."""
        found = super().inventory()
        self.await_check()
        return found

    def check_rest(self) -> None:
        """Refold what was not refolded at the start: before a plan that compares every take. Raises StateInvalid."""
        self._checks.finish()

    def close(self) -> None:
        """Close the file, then let go of the lock."""
        try:
            self._checks.close()
            super().close()
        finally:
            self._lock.release()

    def forget_plan(self) -> None:
        """Have the next run plan its manifest again, even if nothing in it has changed."""
        with self._transaction():
            self._db.execute("DELETE FROM marks WHERE name LIKE ?", (f"{PLANNED_FROM}%",))

    def adopt(self, plan: Plan, at: datetime, digest: str = "") -> None:
        """Write a plan: its shots, new takes and changes to takes that were never sent. One transaction.

        `digest` is that of the manifest it was made from, if one was taken.
        """
        known = {shot.shot_id: shot for shot in self.shots()}
        with foreign_errors(self.path):
            next_id = self._db.execute("SELECT coalesce(max(take_id), 0) + 1 FROM takes").fetchone()[0]
        with self._transaction():
            self._db.execute("DELETE FROM marks WHERE name LIKE ?", (f"{PLANNED_FROM}%",))
            if digest and plan.is_lasting:
                self._db.execute("INSERT INTO marks VALUES (?, ?)", (PLANNED_FROM + digest, to_sql(at)))
            for shot in plan.shots:
                if known.get(shot.shot_id) != shot:
                    self._store("shots", shot)
            self._store_own_cells(plan)
            self._store_fallbacks(plan)
            self._store_following(plan)
            self._store_origins(plan)
            self._store_models(plan)
            for change in plan.changes:
                match change:
                    case Create():
                        entry = Entry(Fact.PLANNED, at, change.data)
                        self._append(next_id, entry)
                        self._store("takes", planned_take(next_id, change.shot_id, entry))
                        next_id += 1
                    case Replan(take_id, recipe):
                        self._change(take_id, Entry(Fact.REPLANNED, at, {"recipe_json": recipe.canonical}))
                    case Supersede(take_id):
                        self._change(take_id, Entry(Fact.SUPERSEDED, at, {}))
                    case Rename():
                        self._change(change.take_id, Entry(Fact.RENAMED, at, change.data))
                    case _:
                        assert isinstance(change, Reinstate)
                        self._change(change.take_id, Entry(Fact.REINSTATED, at, {}))
            for name in {change.was[0] for change in plan.changes if isinstance(change, Rename)}:
                self._db.execute(  # a name without takes is not a removed shot
                    "DELETE FROM shots WHERE shot_id = ? AND removed AND shot_id NOT IN (SELECT shot_id FROM takes)",
                    (name,),
                )

    def _store_fallbacks(self, plan: Plan) -> None:
        if plan.fallbacks is not None:
            store_fallbacks(self._db, plan.fallbacks, {row.shot_id for row in plan.shots if not row.removed})

    def _store_following(self, plan: Plan) -> None:
        told = "" if plan.following is None else json.dumps(plan.following, ensure_ascii=False)
        if told and told != (self.noted(FOLLOWING_NOTE) or "{}"):
            self._db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (FOLLOWING_NOTE, told))

    def _store_origins(self, plan: Plan) -> None:
        if plan.origins is not None:
            store_origins(self._db, plan.origins, {row.shot_id for row in plan.shots if not row.removed})
        store_files(self._db, plan.files or {})
        if plan.clip_names is not None and plan.clip_names != self.clip_names():
            self._db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (CLIP_NAMES_NOTE, plan.clip_names))

    def _store_models(self, plan: Plan) -> None:
        """Keep the models that a project added: without their defaults its recipes could not be read."""
        models = {each.recipe.model for each in plan.wanted} | {each.model for each in (plan.fallbacks or {}).values()}
        for name, told in notes_of(models).items():
            self._db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, told))

    def _store_own_cells(self, plan: Plan) -> None:
        """Keep the cells of the user's own columns; those of a removed shot stay."""
        if plan.own is None:
            return
        before = self.own_cells()
        listed = {row.shot_id for row in plan.shots if not row.removed}
        for shot_id in (before.keys() & listed) - plan.own.keys():
            self._db.execute("DELETE FROM own_cells WHERE shot_id = ?", (shot_id,))
        for shot_id, cells in plan.own.items():
            if list(before.get(shot_id, {}).items()) != list(cells.items()):
                told = json.dumps(dict(cells), ensure_ascii=False)
                self._db.execute("INSERT OR REPLACE INTO own_cells VALUES (?, ?)", (shot_id, told))

    def restore(self, found: Sequence[tuple[int, str, Sequence[Entry]]], strays: Sequence[Stray]) -> None:
        """Write takes with the facts that are known of them (take id, shot id, facts), and strays. One transaction.

        For a new file, in place of one that was lost.
        """
        dated: list[tuple[datetime, int, str, Entry]] = []
        for take_id, shot_id, entries in found:
            latest = entries[0].at
            for each in entries:  # in the order of each take's own facts, whatever the clock said
                latest = max(latest, each.at)
                dated.append((latest, take_id, shot_id, each))
        takes: dict[int, Take] = {}
        with self._transaction():
            for _, take_id, shot_id, each in sorted(dated, key=lambda row: row[0]):
                self._append(take_id, each)
                before = takes.get(take_id)
                if before is None:
                    takes[take_id] = planned_take(take_id, shot_id, each)
                    continue
                takes[take_id] = advance(before, each)
                self._follow_attempts(before, takes[take_id], each)
            for take in takes.values():
                self._store("takes", take)
            for stray in strays:
                self._store("strays", stray)

    def note_stray(self, stray: Stray) -> None:
        """Keep a submit of this batch that belongs to no take of it."""
        with self._transaction():
            self._store("strays", stray)

    def note_log_read(self, key_fingerprint: str, until: datetime, *, anew: bool = False) -> None:
        """Remember up to when the log of a key was read whole; moves back only if the mark was wrong (`anew`)."""
        before = self.log_read_until(key_fingerprint)
        if before is not None and until <= before and not anew:
            return
        mark = self._mark_of(key_fingerprint)
        with self._transaction():
            self._db.execute("INSERT OR REPLACE INTO marks VALUES (?, ?)", (mark, to_sql(until)))

    def note(self, name: str, value: str) -> None:
        """Keep a text under a name, in place of the one before."""
        with self._transaction():
            self._db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, value))

    def keep_baseline(self, lines: Sequence[BaselineLine], at: datetime) -> None:
        """Keep what the first confirmed plan is to cost; one that is there stays as it is."""
        if self.baseline_kept_at() is not None:
            return
        with self._transaction():
            self._db.executemany(
                "INSERT INTO baseline VALUES (?, ?, ?)", [(each.shot_id, each.takes, each.credits) for each in lines]
            )
            self._db.executemany(
                "INSERT OR REPLACE INTO baseline_parts VALUES (?, ?, ?)",
                [(each.shot_id, each.known, each.unpriced) for each in lines if each.unpriced],
            )
            self._db.executemany(
                "INSERT OR REPLACE INTO baseline_recipes VALUES (?, ?)",
                [(each.shot_id, each.recipe) for each in lines if each.recipe],
            )
            self._db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (BASELINE_NOTE, to_sql(at)))

    def store_run(self, run: Run, quotes: Sequence[QuotedPrice] = ()) -> None:
        """Insert or update the row of a run, with the prices that it goes by."""
        with self._transaction():
            self._store("runs", run)
            store_details(self._db, run.run_id, run.details)
            for quote in quotes:
                self._store("quotes", quote)
