"""Queries for the takes of a state file: one, many or counted; a hundred thousand of them are seldom all read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import product
from typing import Any

from wanbatch.batch.chains import pins_in, shots_before
from wanbatch.batch.frames import FRAME_MARK
from wanbatch.batch.inventory import Inventory
from wanbatch.batch.lifecycle import State
from wanbatch.batch.models import PriceClass, class_of, priced_names
from wanbatch.batch.plan import Due, cause_of
from wanbatch.batch.shots import DEFAULT_MODEL
from wanbatch.batch.spend import Kind, Tally
from wanbatch.batch.take import Take
from wanbatch.batch.unwritten import unwritten
from wanbatch.errors import StateInvalid
from wanbatch.state.connection import foreign_errors
from wanbatch.state.record_reader import Records

OF_NO_TAKE = (  # submits that were not given to a take since
    "WHERE request_id NOT IN (SELECT request_id FROM attempts) AND NOT EXISTS (SELECT 1 FROM attempts"
    " WHERE attempts.generation_id = strays.generation_id)"
)
_CAUSES = {marks: cause_of(*map(bool, marks)) for marks in product((0, 1), repeat=3)}

TALLIED = (
    "state",
    "superseded",
    "credits_estimated",
    "credits_held",
    "credits_charged",
    "is_charge_seen",
    "credits_at_risk",
)


def tallied(row: Sequence[Any]) -> dict[str, Any]:
    """Return the values of a row of TALLIED by name, as a record has them."""
    told = dict(zip(TALLIED, row, strict=True))
    return (
        told | {"state": State(told["state"])} | {name: bool(told[name]) for name in ("superseded", "is_charge_seen")}
    )


def class_sql() -> str:
    """Return the SQL of what the price class of a recipe is made of, as a list in JSON."""
    return f"json_extract(recipe_json, {', '.join(map(_path_sql, priced_names()))})"


def _path_sql(name: str) -> str:
    if not name.replace("_", "").replace("-", "").isalnum():  # names of added models are checked before they count
        raise StateInvalid("the schema of a model names a field that cannot be read: see 'wanbatch models'")
    return f"'$.\"{name}\"'"


def class_in(told: str) -> PriceClass:
    """Return the price class in what `class_sql` says of a recipe."""
    return class_of(dict(zip(priced_names(), json.loads(told), strict=True)))


def _unwritten_in(told: str) -> tuple[str, ...]:
    """Return what such a recipe leaves to its model."""
    said = dict(zip(priced_names(), json.loads(told), strict=True))
    model = said["model"]
    return unwritten(DEFAULT_MODEL if model is None else model, said["resolution"], said["duration"])


def _time(at: str | None) -> datetime | None:
    return None if at is None else datetime.fromisoformat(at)


class TakeRecords(Records):
    """What is asked of the takes and of the shots that they belong to."""

    def takes(self) -> list[Take]:
        """All takes, in the order they were planned."""
        return self._all(Take, "ORDER BY take_id")

    def tallies(self) -> list[tuple[Tally, int]]:
        """Count the takes that are alike in state and money: a hundred thousand are of a few dozen kinds."""
        names = ", ".join(TALLIED)
        with foreign_errors(self.path):
            rows = self._db.execute(f"SELECT {names}, count(*) FROM takes GROUP BY {names}").fetchall()  # noqa: S608
            return [(Tally(**tallied(row)), count) for *row, count in rows]

    def inventory(self) -> Inventory:
        """Take inventory of the batch without looking at every take."""
        due = self._due()
        return Inventory(
            kinds=self.kinds(),
            due=due,
            open_takes=self.open_takes(),
            scenes=self.scenes(),
            omitted=self.omitted(),
            strays=self._stray_credits(),
            clips=self._clips() if any(each.predecessors for each in due) else frozenset(),
        )

    def _clips(self) -> frozenset[str | tuple[str, int]]:
        """See `clips_of`; of a hundred thousand takes none is read as a whole."""
        sql = (
            "SELECT shot_id, number, circled OR NOT superseded FROM takes"
            " WHERE state NOT IN ('planned', 'failed', 'held')"
            " OR (state = 'held' AND generation_id IS NOT NULL AND NOT needs_user)"
        )
        with foreign_errors(self.path):
            rows = self._db.execute(sql).fetchall()
        shots = {shot_id for shot_id, _, is_current in rows if is_current}
        return frozenset[str | tuple[str, int]](shots | {(shot_id, number) for shot_id, number, _ in rows})

    def waiting_since(self) -> datetime | None:
        """When the first of the takes that are still to be sent was planned; None if there is none."""
        sql = "SELECT min(planned_at) FROM takes WHERE state = 'planned' AND NOT superseded"
        with foreign_errors(self.path):
            return _time(self._db.execute(sql).fetchone()[0])

    def _stray_credits(self) -> list[int | None]:
        with foreign_errors(self.path):
            return [held for (held,) in self._db.execute(f"SELECT credits_held FROM strays {OF_NO_TAKE}")]  # noqa: S608

    def open_takes(self) -> list[Take]:
        """The takes that something is open about: how they end, or what an earlier attempt may cost."""
        return self._all(
            Take,
            "WHERE take_id IN (SELECT take_id FROM takes WHERE credits_at_risk IS NOT 0 UNION SELECT take_id FROM takes"
            " WHERE state IN ('submitting', 'unknown', 'held', 'queued', 'generating', 'completed', 'downloaded'))"
            " ORDER BY take_id",  # two indexes; with an OR all takes are looked through
        )

    def kinds(self) -> list[tuple[Kind, int]]:
        """Count the takes that are alike in state, money and price class, with when the last of them was sent."""
        names = ", ".join(TALLIED)
        sql = (
            f"SELECT {names}, min(attempts, 2) AS sent, {class_sql()} AS class, max(submitted_at), count(*)"  # noqa: S608
            f" FROM takes GROUP BY {names}, sent, class"
        )
        with foreign_errors(self.path):
            return [
                (Kind(**tallied(row), attempts=sent, price_class=class_in(told), submitted_at=_time(at)), count)
                for *row, sent, told, at, count in self._db.execute(sql)
            ]

    def _due(self) -> list[Due]:
        sql = (
            f"SELECT take_id, takes.shot_id, number, coalesce(ordinal, 0), coalesce(scene, ''), {class_sql()},"  # noqa: S608
            f" tries, CASE WHEN instr(recipe_json, '\"{FRAME_MARK}') THEN recipe_json END, is_retake, attempts > 0,"
            " takes.shot_id IN (SELECT shot_id FROM takes WHERE superseded)"
            " FROM takes LEFT JOIN shots ON shots.shot_id = takes.shot_id"
            " WHERE state = 'planned' AND NOT superseded ORDER BY take_id"
        )
        classes: dict[str, tuple[PriceClass, tuple[str, ...]]] = {}
        with foreign_errors(self.path):
            due = []
            for take_id, shot_id, number, ordinal, scene, told, tries, chained, *marks in self._db.execute(sql):
                if told not in classes:
                    classes[told] = class_in(told), _unwritten_in(told)
                price_class, left_out = classes[told]
                cause = _CAUSES[*marks]
                due_now = Due(take_id, shot_id, number, ordinal, scene, price_class, cause, left_out, tries)
                if chained is not None:
                    due_now = due_now._replace(predecessors=shots_before(chained), pins=pins_in(chained))
                due.append(due_now)
            return due

    def scenes(self) -> tuple[str, ...]:
        """The scenes, in story order."""
        with foreign_errors(self.path):
            sql = "SELECT scene FROM shots GROUP BY scene ORDER BY min(removed * 1000000000 + ordinal)"
            return tuple(scene for (scene,) in self._db.execute(sql))

    def omitted(self) -> int:
        """How many shots are omitted."""
        with foreign_errors(self.path):
            return int(self._db.execute("SELECT count(*) FROM shots WHERE omit").fetchone()[0])

    def left_out(self) -> int:
        """How many verified takes that nothing replaced are of shots omitted or no longer in the manifest."""
        sql = (
            "SELECT count(*) FROM takes JOIN shots ON shots.shot_id = takes.shot_id"
            " WHERE (omit OR removed) AND state = 'verified' AND NOT superseded"
        )
        with foreign_errors(self.path):
            return int(self._db.execute(sql).fetchone()[0])

    def is_asked_for(self, take: Take) -> bool:
        """Say whether the last plan asks for a take: neither for another recipe, nor without its shot."""
        if take.superseded:
            return False
        with foreign_errors(self.path):
            row = self._db.execute("SELECT omit OR removed FROM shots WHERE shot_id = ?", (take.shot_id,)).fetchone()
            return row is None or not row[0]

    def has_recipe(self, recipe_json: str) -> bool:
        """Say whether a take that is to be sent has this recipe."""
        sql = "SELECT 1 FROM takes WHERE recipe_json = ? AND NOT superseded AND state = 'planned'"
        with foreign_errors(self.path):
            return self._db.execute(sql, (recipe_json,)).fetchone() is not None

    def scene_by_shot(self) -> dict[str, str]:
        """The scene of each shot, by id."""
        with foreign_errors(self.path):
            return dict(self._db.execute("SELECT shot_id, scene FROM shots").fetchall())

    def tallies_by_scene(self) -> list[tuple[str, Kind, int]]:
        """Count the takes of each scene that are alike in state, money and price class, as `tallies` does for all."""
        names = ", ".join(TALLIED)
        sql = (
            f"SELECT coalesce(scene, '') AS place, {names}, min(attempts, 2) AS sent, {class_sql()} AS class,"  # noqa: S608
            f" count(*) FROM takes LEFT JOIN shots ON shots.shot_id = takes.shot_id"
            f" GROUP BY place, {names}, sent, class"
        )
        with foreign_errors(self.path):
            return [
                (place, Kind(**tallied(row), attempts=sent, price_class=class_in(told)), count)
                for place, *row, sent, told, count in self._db.execute(sql)
            ]

    def committed_by_scene(self) -> dict[str, int | None]:
        """What is committed by scene, in credits; None if a part of it is unknown."""
        found: dict[str, int | None] = {}
        for scene, kind, count in self.tallies_by_scene():
            before, each = found.get(scene, 0), kind.credits_committed
            found[scene] = None if before is None or each is None else before + each * count
        return found

    def charged_for(self) -> dict[str, int]:
        """What was charged, by what it went into: `in_cut`, or by the names of `OUTSIDE_WORDS`.

        In the cut is, of each shot, the circled take, else the newest verified one: as `chosen` in `batch/choice.py`.
        """
        sql = (
            "WITH cut AS (SELECT take_id, row_number() OVER (PARTITION BY takes.shot_id ORDER BY circled DESC,"
            " number DESC) AS place FROM takes JOIN shots ON shots.shot_id = takes.shot_id WHERE NOT omit"
            " AND NOT removed AND (circled OR (state = 'verified' AND NOT superseded))),"
            " seen AS (SELECT take_id, generation_id, outcome = 'failed' AND error != '' AS has_failed,"
            " credits_charged, max(number) FROM attempts WHERE credits_charged IS NOT NULL"
            " GROUP BY take_id, generation_id),"
            " other AS (SELECT seen.take_id, sum(iif(has_failed, seen.credits_charged, 0)) AS failed,"
            " sum(iif(has_failed, 0, seen.credits_charged)) AS extra FROM seen JOIN takes USING (take_id)"
            " WHERE seen.generation_id IS NOT takes.generation_id"
            " AND (takes.generation_id IS NOT NULL OR state != 'failed') GROUP BY seen.take_id)"
            " SELECT CASE WHEN cut.take_id IS NOT NULL THEN 'in_cut' WHEN superseded THEN 'superseded'"
            " WHEN state = 'failed' THEN 'failed' WHEN state != 'verified' THEN 'waiting'"
            " WHEN takes.shot_id IN (SELECT shot_id FROM shots WHERE omit OR removed) THEN 'left_out'"
            " ELSE 'unchosen' END AS part,"
            " sum(coalesce(credits_charged, 0)), sum(coalesce(failed, 0)), sum(coalesce(extra, 0)) FROM takes"
            " LEFT JOIN cut ON cut.take_id = takes.take_id AND cut.place = 1"
            " LEFT JOIN other ON other.take_id = takes.take_id GROUP BY part"
        )
        found = Counter[str]()
        with foreign_errors(self.path):
            for part, charged, failed, extra in self._db.execute(sql):
                found.update({part: charged - failed - extra})
                found.update({"failed": failed, "extra": extra})
        return dict(found)

    def takes_in(self, states: Iterable[State]) -> list[Take]:
        """The takes in these states, in the order they were planned."""
        wanted = sorted(state.value for state in states)
        return self._all(Take, f"WHERE state IN ({', '.join('?' * len(wanted))}) ORDER BY take_id", *wanted)

    def takes_there(self, recipe_json: str) -> list[Take]:
        """The takes of this recipe that were or may have been bought, in the order they were planned."""
        where = "WHERE recipe_json = ? AND state NOT IN ('planned', 'failed') ORDER BY take_id"
        return self._all(Take, where, recipe_json)

    def takes_unasked(self) -> list[Take]:
        """The takes that were or may have been bought and that the last plan does not ask for, as they were planned."""
        gone = "shot_id IN (SELECT shot_id FROM shots WHERE omit OR removed)"
        return self._all(Take, f"WHERE state NOT IN ('planned', 'failed') AND (superseded OR {gone}) ORDER BY take_id")

    def takes_of_shots(self, shot_ids: Iterable[str]) -> list[Take]:
        """All takes of these shots, in the order they were planned."""
        found: list[Take] = []
        for shot_id in sorted(shot_ids):
            found += self._all(Take, "WHERE shot_id = ? ORDER BY take_id", shot_id)
        return found

    def takes_with_frames(self) -> list[Take]:
        """The takes of today's recipes that continue from other shots, in the order they were planned."""
        return self._all(Take, "WHERE instr(recipe_json, ?) AND NOT superseded ORDER BY take_id", f'"{FRAME_MARK}')

    def labels_by_hash(self) -> dict[str, str]:
        """Labels of the takes with a verified clip, by the SHA-256 of the clip; of equal clips that planned first."""
        sql = (
            "SELECT sha256, shot_id || '_t' || number FROM takes WHERE state = 'verified' AND sha256 <> ''"
            " ORDER BY take_id DESC"
        )
        with foreign_errors(self.path):
            return dict(self._db.execute(sql).fetchall())

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
        """How late the provider's log showed each take if that was seen, in seconds."""
        with foreign_errors(self.path):
            sql = "SELECT log_lag_s FROM takes WHERE log_lag_s IS NOT NULL"
            return [lag_s for (lag_s,) in self._db.execute(sql)]

    def warned(self) -> list[tuple[str, str]]:
        """Label and warning of each verified take of today's recipes that a person should look at."""
        sql = (
            "SELECT shot_id || '_t' || number, warning FROM takes"
            " WHERE state = 'verified' AND warning != '' AND NOT superseded ORDER BY take_id"
        )
        with foreign_errors(self.path):
            return self._db.execute(sql).fetchall()

    def newest_completed(self, limit: int) -> list[Take]:
        """The takes planned last, up to a limit, whose generations were seen to their ends."""
        return self._all(Take, "WHERE completed_at IS NOT NULL ORDER BY take_id DESC LIMIT ?", limit)

    def take(self, take_id: int) -> Take:
        """One take. Raises StateInvalid if no take has that id."""
        found = self._all(Take, "WHERE take_id = ?", take_id)
        if not found:
            raise StateInvalid(f"{self.path} has no take {take_id}")
        return found[0]

    def made_twice(self) -> list[Take]:
        """The takes that more than one generation is known of which the provider has not said to have failed."""
        return self._all(
            Take,
            "WHERE take_id IN (SELECT take_id FROM attempts WHERE take_id IN"
            " (SELECT take_id FROM attempts GROUP BY take_id HAVING count(*) > 1)"  # an index tells it
            " AND generation_id IS NOT NULL AND NOT (outcome = 'failed' AND error != '')"
            " GROUP BY take_id HAVING count(DISTINCT generation_id) > 1) ORDER BY take_id",
        )
