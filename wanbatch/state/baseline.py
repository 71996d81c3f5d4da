"""The baseline in a state file: one line per shot, kept at the first confirmed plan, and what became of each."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from itertools import groupby

from wanbatch.batch.spend import Kind
from wanbatch.money.baseline import BaselineLine, Planned, Reason, recipe_key, renamed_shots
from wanbatch.state.connection import foreign_errors
from wanbatch.state.facts import FactRecords
from wanbatch.state.take_queries import TALLIED, class_in, class_sql, tallied

BASELINE_NOTE = "baseline kept at"
BASELINE_LOST_NOTE = "baseline lost at"  # a recovery did not find it
# A shot of which a clip was replaced by that of a newer recipe, under the id that it has now.
_EDITED = (
    "(SELECT coalesce(now, shot_id) FROM takes LEFT JOIN renamed ON was = shot_id"
    " WHERE superseded AND NOT is_retake AND state NOT IN ('planned', 'failed'))"
)
_OF_SHOT = (
    "WHEN s.shot_id IS NULL OR s.omit OR s.removed THEN 'shot left out'"
    " WHEN {0} IN " + _EDITED + " THEN 'edit' WHEN b.credits IS NULL THEN 'unpriced take'"
    f" ELSE '{Reason.OTHER}' END"
)
_TAKES_OF_BASELINE = (
    " FROM takes AS t LEFT JOIN renamed AS r ON r.was = t.shot_id LEFT JOIN renamed AS n ON n.now = t.shot_id"
    " LEFT JOIN shots AS s ON s.shot_id = coalesce(r.now, t.shot_id)"
    " LEFT JOIN baseline AS b ON b.shot_id = coalesce(n.was, t.shot_id)"
)
_OF_TAKE = "CASE WHEN is_retake THEN 'retake' WHEN b.shot_id IS NULL THEN 'new shot' "


class BaselineRecords(FactRecords):
    """What is asked of the baseline; nothing of a file in which none was kept."""

    def baseline_kept_at(self) -> datetime | None:
        """Return when the baseline was kept; None if there is none."""
        if not self._has_table("baseline"):
            return None
        with foreign_errors(self.path):
            row = self._db.execute("SELECT value FROM notes WHERE name = ?", (BASELINE_NOTE,)).fetchone()
            return None if row is None else datetime.fromisoformat(str(row[0]))

    def _baseline_sql(self) -> str:
        """Return the baseline as a query: shot, takes, known credits and takes without a price."""
        if not self._has_table(
            "baseline_parts"
        ):  # a file of an older version: nothing is known of a shot with one unknown price
            unpriced = "CASE WHEN credits IS NULL THEN takes ELSE 0 END"
            return f"SELECT shot_id, takes, coalesce(credits, 0) AS known, {unpriced} AS unpriced FROM baseline"  # noqa: S608
        return (
            "SELECT shot_id, takes, coalesce(credits, known, 0) AS known,"
            " CASE WHEN credits IS NULL THEN coalesce(unpriced, takes) ELSE 0 END AS unpriced"
            " FROM baseline LEFT JOIN baseline_parts USING (shot_id)"
        )

    def baseline_lines(self) -> list[BaselineLine]:
        """Return the baseline, one line per shot, under the ids that the shots had then."""
        if self.baseline_kept_at() is None:
            return []
        with foreign_errors(self.path):
            rows = self._db.execute(f"{self._baseline_sql()} ORDER BY baseline.rowid").fetchall()
            recipes = self._baseline_recipes()
        return [
            BaselineLine(str(each), int(takes), int(known), int(unpriced), recipes.get(each, ""))
            for each, takes, known, unpriced in rows
        ]

    def recipe_keys(self, only: Collection[str] | None = None) -> dict[str, str]:
        """Return what shots ask for, by `recipe_key`: of these shots, or of all that have takes for the manifest."""
        sql = (
            "SELECT shot_id, recipe_json FROM takes WHERE NOT superseded AND NOT is_retake"
            " AND (?1 IS NULL OR shot_id IN (SELECT value FROM json_each(?1))) ORDER BY shot_id"
        )
        told = None if only is None else json.dumps(list(only))
        with foreign_errors(self.path):
            rows = self._db.execute(sql, (told,))
            return {
                str(shot_id): recipe_key(recipe for _, recipe in mine)
                for shot_id, mine in groupby(rows, key=lambda row: row[0])
            }

    def renamed_since_baseline(self) -> dict[str, str]:
        """Return the shots of the baseline that have another id now: that id, by the id of then."""
        if self.baseline_kept_at() is None:
            return {}
        with foreign_errors(self.path):
            gone = self._db.execute(
                "SELECT b.shot_id FROM baseline AS b LEFT JOIN shots AS s ON s.shot_id = b.shot_id"
                " WHERE s.shot_id IS NULL OR s.removed ORDER BY b.rowid"
            ).fetchall()
            new = self._db.execute(
                "SELECT shot_id FROM shots WHERE NOT removed AND NOT omit"
                " AND shot_id NOT IN (SELECT shot_id FROM baseline) ORDER BY ordinal"
            ).fetchall()
            if not gone or not new:
                return {}
            kept, now = self._baseline_recipes(), self.recipe_keys([shot_id for (shot_id,) in new])
        return renamed_shots(
            {each: kept.get(each, "") for (each,) in gone},
            {each: now.get(each, "") for (each,) in new},
            self._adopted(),
        )

    def planned_by_reason(self, renamed: Mapping[str, str]) -> list[Planned]:
        """Return what the baseline holds, by what became of its shots; `renamed` are `renamed_since_baseline`."""
        sql = (
            f"SELECT CASE {_OF_SHOT.format('coalesce(r.now, b.shot_id)')} AS reason, sum(b.takes),"  # noqa: S608
            " sum(p.known), sum(p.unpriced), sum(CASE WHEN r.now IS NULL THEN 0 ELSE b.takes END)"
            f" FROM baseline AS b JOIN ({self._baseline_sql()}) AS p ON p.shot_id = b.shot_id"
            " LEFT JOIN renamed AS r ON r.was = b.shot_id"
            " LEFT JOIN shots AS s ON s.shot_id = coalesce(r.now, b.shot_id) GROUP BY reason"
        )
        with foreign_errors(self.path), self._with_ids(renamed):
            rows = self._db.execute(sql).fetchall()
        moved = sum(int(row[-1]) for row in rows)
        planned = [Planned(Reason(reason), *map(int, sums)) for reason, *sums, _ in rows]
        return planned + ([Planned(Reason.RENAMED, moved, 0, 0)] if moved else [])

    def spent_by_reason(self, renamed: Mapping[str, str]) -> list[tuple[Reason, Kind, int]]:
        """Count the takes that are alike in state, money and price class, by why they are not the baseline."""
        names = ", ".join(f"t.{name}" for name in TALLIED)
        sql = (
            f"SELECT {_OF_TAKE}{_OF_SHOT.format('coalesce(r.now, t.shot_id)')} AS reason, {names},"
            f" min(t.attempts, 2) AS sent, {class_sql()} AS class, count(*){_TAKES_OF_BASELINE}"
            f" GROUP BY reason, {names}, sent, class"
        )
        with foreign_errors(self.path), self._with_ids(renamed):
            return [
                (Reason(reason), Kind(**tallied(row), attempts=sent, price_class=class_in(told)), count)
                for reason, *row, sent, told, count in self._db.execute(sql)
            ]

    def of_other_cost(self, renamed: Mapping[str, str]) -> list[tuple[int, str, int, tuple[bool, bool, bool]]]:
        """Return the takes of the baseline that may cost another sum for a cause of their own, in the order planned.

        They failed, were sent more than once, or are more than the baseline has of their shot; of a shot of which an
        edit replaced clips, only those that failed and were edited. With the id of each: what its shot is called now,
        what the baseline holds for each take of that, whether it is one more, whether a take of a newer recipe
        followed it, and whether an edit replaced clips of its shot.
        """
        reason = f"{_OF_TAKE}{_OF_SHOT.format('coalesce(r.now, t.shot_id)')}"
        sql = (
            "WITH every AS (SELECT t.take_id, coalesce(r.now, t.shot_id) AS shot, b.takes AS planned,"  # noqa: S608
            " b.credits / b.takes AS each, t.state, t.attempts, t.superseded"
            " AND EXISTS (SELECT 1 FROM takes AS later WHERE later.shot_id = t.shot_id AND later.number > t.number"
            " AND NOT later.superseded AND NOT later.is_retake AND later.recipe_json != t.recipe_json) AS is_edited,"
            f" {reason} AS reason,"
            " NOT t.superseded AND row_number() OVER"
            " (PARTITION BY coalesce(r.now, t.shot_id), t.superseded ORDER BY t.number) > b.takes AS is_more"
            f"{_TAKES_OF_BASELINE})"
            f" SELECT take_id, shot, each, is_more, is_edited, reason = '{Reason.EDIT}' FROM every WHERE"
            f" (reason = '{Reason.EDIT}' AND state = 'failed' AND is_edited AND each IS NOT NULL)"
            f" OR (reason = '{Reason.OTHER}' AND (is_more OR state = 'failed' OR (state = 'planned' AND attempts > 0)"
            " OR take_id IN (SELECT take_id FROM attempts GROUP BY take_id HAVING count(*) > 1))) ORDER BY take_id"
        )
        with foreign_errors(self.path), self._with_ids(renamed):
            rows = self._db.execute(sql).fetchall()
            return [
                (int(take), str(shot), int(each), (bool(m), bool(e), bool(c))) for take, shot, each, m, e, c in rows
            ]

    def fewer_than_baseline(self, renamed: Mapping[str, str]) -> list[tuple[str, int, int]]:
        """Return the shots that ask for fewer takes than the baseline has: id, how many, their credits."""
        sql = (
            "WITH asked AS (SELECT coalesce(r.now, t.shot_id) AS shot, count(*) AS takes FROM takes AS t"  # noqa: S608
            " LEFT JOIN renamed AS r ON r.was = t.shot_id WHERE NOT t.superseded AND NOT t.is_retake GROUP BY shot)"
            " SELECT coalesce(r.now, b.shot_id), b.takes - coalesce(a.takes, 0) AS fewer, b.credits, b.takes"
            " FROM baseline AS b LEFT JOIN renamed AS r ON r.was = b.shot_id"
            " LEFT JOIN shots AS s ON s.shot_id = coalesce(r.now, b.shot_id)"
            " LEFT JOIN asked AS a ON a.shot = coalesce(r.now, b.shot_id)"
            f" WHERE CASE {_OF_SHOT.format('coalesce(r.now, b.shot_id)')} = '{Reason.OTHER}' AND fewer > 0"
            " ORDER BY b.rowid"
        )
        with foreign_errors(self.path), self._with_ids(renamed):
            rows = self._db.execute(sql).fetchall()
            return [(str(shot), int(fewer), int(known) * int(fewer) // int(of)) for shot, fewer, known, of in rows]

    @contextmanager
    def _with_ids(self, renamed: Mapping[str, str]) -> Iterator[None]:
        """Let SQL join the ids that shots of the baseline have now, in a table of this connection's own."""
        self._db.execute("CREATE TEMP TABLE renamed (was TEXT PRIMARY KEY, now TEXT UNIQUE) STRICT")
        try:
            self._db.executemany("INSERT INTO renamed VALUES (?, ?)", renamed.items())
            yield
        finally:
            self._db.execute("DROP TABLE renamed")

    def _has_table(self, name: str) -> bool:
        with foreign_errors(self.path):
            return self._db.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (name,)).fetchone() is not None

    def _baseline_recipes(self) -> dict[str, str]:
        if not self._has_table("baseline_recipes"):
            return {}
        return {str(each): str(key) for each, key in self._db.execute("SELECT shot_id, recipe FROM baseline_recipes")}

    def _adopted(self) -> dict[str, str]:
        """Return to which shot the takes of a shot went, for each of which all went to one."""
        sql = "SELECT take_id, shot_id FROM takes WHERE take_id IN (SELECT take_id FROM facts WHERE fact = 'renamed')"
        with foreign_errors(self.path):
            now = {int(take_id): str(shot_id) for take_id, shot_id in self._db.execute(sql)}
        went: dict[str, set[str]] = {}
        for each in self.past().renames:
            went.setdefault(each.was[0], set()).add(now[each.take_id])
        return {was: shots.pop() for was, shots in went.items() if len(shots) == 1}
