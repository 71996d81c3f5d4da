"""The facts of a state file: all that was recorded, in order, and whether the takes are what their facts say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime

from wanbatch.batch.changes import Past, Rename
from wanbatch.batch.chosen_frames import ChosenFrame, frames_recorded
from wanbatch.batch.drift import MeasuredClip
from wanbatch.batch.fallbacks import recipes_of
from wanbatch.batch.lifecycle import Fact
from wanbatch.batch.shots import Recipe
from wanbatch.batch.take import Entry, Take, fold
from wanbatch.errors import StateInvalid
from wanbatch.state.connection import WAYS_BACK, foreign_errors
from wanbatch.state.tables import row_crc, to_sql
from wanbatch.state.take_queries import TakeRecords

_RECIPE_FACTS = (Fact.PLANNED, Fact.REPLANNED, Fact.MODEL_CHANGED)


class FactRecords(TakeRecords):
    """What is asked of the facts."""

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

    def facts_of(self, take_id: int) -> list[Entry]:
        """The facts of one take, in the order recorded. Raises StateInvalid for a damaged row."""
        return [entry for _, entry in self._entries("WHERE take_id = ?", take_id)]

    def entries_after(self, seq: int, kinds: Sequence[Fact]) -> Iterator[tuple[int, Entry]]:
        """Yield take id and entry of the facts of some kinds that were recorded after the first `seq` facts."""
        marks = ", ".join("?" * len(kinds))
        yield from self._entries(f"WHERE seq > ? AND fact IN ({marks})", seq, *(each.value for each in kinds))

    def facts_until(self, at: datetime) -> int:
        """How many facts were recorded up to a time, by the clock of then."""
        with foreign_errors(self.path):
            sql = "SELECT coalesce(max(seq), 0) FROM facts WHERE at <= ?"
            return int(self._db.execute(sql, (to_sql(at),)).fetchone()[0])

    def frames_of(self, take_id: int, attempt: int) -> tuple[ChosenFrame, ...]:
        """The frames of other shots' clips that a submit of a take held, or will hold. Raises StateInvalid."""
        facts = [each for _, each in self._entries("WHERE take_id = ? AND fact = 'frames_chosen'", take_id)]
        return self._frames_in(facts, attempt)

    def frame_facts(self) -> dict[int, list[Entry]]:
        """The facts that say which frames of other clips submits held, by take id."""
        found: dict[int, list[Entry]] = {}
        for take_id, each in self._entries("WHERE fact = 'frames_chosen'"):
            found.setdefault(take_id, []).append(each)
        return found

    def measured_clip(self, take_id: int) -> MeasuredClip | None:
        """What was measured of the clip of a take last; None if nothing was. Raises StateInvalid."""
        told = [each for _, each in self._entries("WHERE take_id = ? AND fact = 'measured'", take_id)]
        return self._measured_in(told[-1]) if told else None

    def measured_takes(self) -> list[int]:
        """The ids of the takes whose clips were measured."""
        with foreign_errors(self.path):
            sql = "SELECT DISTINCT take_id FROM facts WHERE fact = 'measured' ORDER BY take_id"
            return [int(take_id) for (take_id,) in self._db.execute(sql)]

    def _measured_in(self, entry: Entry) -> MeasuredClip:
        try:
            return MeasuredClip.of(entry.data)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StateInvalid(f"{self.path} is damaged: a fact about a clip is not a record. {WAYS_BACK}") from error

    def _frames_in(self, facts: Sequence[Entry], attempt: int) -> tuple[ChosenFrame, ...]:
        try:
            return frames_recorded(facts, attempt)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StateInvalid(f"{self.path} is damaged: a fact about frames is not a record. {WAYS_BACK}") from error

    def past(self) -> Past:
        """Return what takes were called before other shots took them over, and asked for before their fallback."""
        with foreign_errors(self.path):
            renames = tuple(Rename.of(each, entry.data) for each, entry in self._entries("WHERE fact = 'renamed'"))
            of_planned = "SELECT take_id FROM takes WHERE state = 'planned' AND is_retake"
            planned = self._entries(f"WHERE fact = 'planned' AND take_id IN ({of_planned})")
            followers = frozenset(take_id for take_id, each in planned if "follows" in each.data)
        return Past(renames, self.first_recipes(), followers)

    def is_follower(self, take: Take) -> bool:
        """Say whether a plan added a take because the frame of its shot was to be another, and not the user."""
        return take.is_retake and any("follows" in each.data for each in self.facts_of(take.take_id))

    def first_recipes(self) -> dict[int, str]:
        """Return what takes that went on with a fallback were asked for: canonical recipes by take id."""
        with foreign_errors(self.path):
            changed = sorted({take_id for take_id, _ in self._entries("WHERE fact = 'model_changed'")})
            return {take_id: self._first_recipe(take_id) for take_id in changed}

    def recipes_there(self, limit: int, *, with_planned: bool = False) -> list[tuple[str, str]]:
        """Label and recipe of the takes planned last, up to a limit, that are bought, or may be.

        One that its fallback made is there with what it was asked for first, too. Those that are still to be sent are
        among them `with_planned`.
        """
        planned = " OR (state = 'planned' AND NOT superseded)" if with_planned else ""
        sql = (
            "SELECT take_id, shot_id || '_t' || number, recipe_json FROM takes"  # noqa: S608
            f" WHERE state NOT IN ('planned', 'failed'){planned} ORDER BY take_id DESC LIMIT ?"
        )
        with foreign_errors(self.path):
            rows = self._db.execute(sql, (limit,)).fetchall()
        first = self.first_recipes()
        return [(label, text) for _, label, text in rows] + [
            (label, first[each]) for each, label, _ in rows if each in first
        ]

    def submits_known(self) -> frozenset[str]:
        """The request ids of all submits, and the generations that they made."""
        with foreign_errors(self.path):
            rows = self._db.execute("SELECT request_id, generation_id FROM attempts").fetchall()
        return frozenset(name for row in rows for name in row if name is not None)

    def names_of_submits(self) -> list[tuple[str, tuple[str, ...]]]:
        """Each take that was sent, by label, with the request id and the generation of its newest submit."""
        sql = "SELECT shot_id || '_t' || number, request_id, generation_id FROM takes WHERE request_id IS NOT NULL"
        with foreign_errors(self.path):
            rows = self._db.execute(sql).fetchall()
        return [(label, tuple(name for name in names if name is not None)) for label, *names in rows]

    def slot_of(self, take: Take) -> int:
        """Return the place of a take, from 1, among those of its shot that were planned with the same recipe.

        Retakes have no slot, and do not count.
        """
        planned = self._first_recipe(take.take_id)
        sql = "SELECT take_id FROM takes WHERE shot_id = ? AND number < ? AND NOT is_retake"
        with foreign_errors(self.path):
            before = [take_id for (take_id,) in self._db.execute(sql, (take.shot_id, take.number))]
        return 1 + sum(self._first_recipe(take_id) == planned for take_id in before)

    def _first_recipe(self, take_id: int) -> str:
        return next(iter(recipes_of(self.facts_of(take_id)).values()))

    def earlier_recipes(self) -> dict[str, str]:
        """Return the recipes that takes had before they followed an edit or went on with a fallback: by short hash."""
        with foreign_errors(self.path):
            changes = self._entries("WHERE fact IN ('replanned', 'model_changed')")
            changed = sorted({take_id for take_id, _ in changes})
            told = [
                str(each.data["recipe_json"])
                for take_id in changed
                for each in self.facts_of(take_id)
                if each.fact in _RECIPE_FACTS
            ]
            return {Recipe(canonical).short_hash: canonical for canonical in told}

    def facts_recorded(self) -> int:
        """How many facts were recorded."""
        with foreign_errors(self.path):
            return int(self._db.execute("SELECT coalesce(max(seq), 0) FROM facts").fetchone()[0])

    def last_fact_at(self) -> datetime | None:
        """When the last fact was recorded; None before the first."""
        with foreign_errors(self.path):
            # Of the newest rows: a step of the clock is not a reason to read all.
            sql = "SELECT max(at) FROM (SELECT at FROM facts ORDER BY seq DESC LIMIT 1000)"
            last = self._db.execute(sql).fetchone()[0]
            return datetime.fromisoformat(last) if last else None

    def check(self) -> None:
        """Refold every take from its facts and compare. Raises StateInvalid at the first difference."""
        self.check_pages()
        by_take: dict[int, list[Entry]] = {}
        for take_id, entry in self.entries():
            by_take.setdefault(take_id, []).append(entry)
        for take in self.takes():
            self._compare(take, by_take[take.take_id])

    def check_pages(self) -> None:
        """Run SQLite's own check of the file, and that no take is lost. Raises StateInvalid."""
        with foreign_errors(self.path):
            verdict = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
            if verdict == "ok":
                takes = "SELECT count(*), sum(take_id), max(take_id) FROM takes"
                told = "SELECT count(*), sum(take_id), max(take_id) FROM (SELECT DISTINCT take_id FROM facts)"
                is_torn = self._db.execute(takes).fetchone() != self._db.execute(told).fetchone()
        if verdict != "ok":
            raise StateInvalid(f"{self.path} is damaged: {verdict}. Nothing was sent. {WAYS_BACK}")
        if is_torn:
            raise StateInvalid(f"{self.path} is damaged: its takes and facts do not match. {WAYS_BACK}")

    def check_take(self, take: Take) -> None:
        """Refold one take from its facts and compare. Raises StateInvalid."""
        self._compare(take, self.facts_of(take.take_id))

    def _compare(self, take: Take, entries: Sequence[Entry]) -> None:
        try:
            is_same = fold(take.take_id, take.shot_id, entries) == take
        except (TypeError, AttributeError, ArithmeticError, LookupError, ValueError, RecursionError) as error:
            text = f"{self.path} is damaged: a fact about {take.label} is impossible. {WAYS_BACK}"
            raise StateInvalid(text) from error
        if not is_same:
            raise StateInvalid(f"{self.path} is damaged: {take.label} contradicts its facts. {WAYS_BACK}")
