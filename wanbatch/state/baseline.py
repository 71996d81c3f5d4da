"""The baseline in a state file: one line a shot, kept at the first confirmed plan, and what became of each."""

from __future__ import annotations

from datetime import datetime

from wanbatch.batch.spend import Kind
from wanbatch.money.baseline import BaselineLine, Planned, Reason
from wanbatch.state.connection import foreign_errors
from wanbatch.state.facts import FactRecords
from wanbatch.state.takes import TALLIED, class_in, class_sql, tallied

BASELINE_NOTE = "baseline kept at"
# A shot of which a clip was replaced by that of a newer recipe.
_EDITED = "(SELECT shot_id FROM takes WHERE superseded AND NOT is_retake AND state NOT IN ('planned', 'failed'))"
_PLACES = "LEFT JOIN shots AS s ON s.shot_id = {0}.shot_id LEFT JOIN baseline AS b ON b.shot_id = {0}.shot_id"
_OF_SHOT = (
    "WHEN s.shot_id IS NULL OR s.omit OR s.removed THEN 'shot left out'"
    " WHEN {0}.shot_id IN " + _EDITED + " THEN 'edit' WHEN b.credits IS NULL THEN 'unpriced take'"
    f" ELSE '{Reason.OTHER}' END"
)
_OF_TAKE = "CASE WHEN is_retake THEN 'retake' WHEN b.shot_id IS NULL THEN 'new shot' "


class BaselineRecords(FactRecords):
    """What is asked of the baseline; nothing of a file in which none was kept."""

    def baseline_kept_at(self) -> datetime | None:
        """Return when the baseline was kept; None if there is none."""
        with foreign_errors(self.path):
            if self._db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'baseline'").fetchone() is None:
                return None
            row = self._db.execute("SELECT value FROM notes WHERE name = ?", (BASELINE_NOTE,)).fetchone()
            return None if row is None else datetime.fromisoformat(str(row[0]))

    def _baseline_sql(self) -> str:
        """Return the baseline as a query: shot, takes, known credits and takes without a price."""
        is_split = self._db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'baseline_parts'").fetchone() is not None
        if not is_split:  # a file of an older version: nothing is known of a shot with one unknown price
            unpriced = "CASE WHEN credits IS NULL THEN takes ELSE 0 END"
            return f"SELECT shot_id, takes, coalesce(credits, 0) AS known, {unpriced} AS unpriced FROM baseline"  # noqa: S608
        return (
            "SELECT shot_id, takes, coalesce(credits, known, 0) AS known,"
            " CASE WHEN credits IS NULL THEN coalesce(unpriced, takes) ELSE 0 END AS unpriced"
            " FROM baseline LEFT JOIN baseline_parts USING (shot_id)"
        )

    def baseline_lines(self) -> list[BaselineLine]:
        """Return the baseline, one line a shot."""
        if self.baseline_kept_at() is None:
            return []
        with foreign_errors(self.path):
            rows = self._db.execute(f"{self._baseline_sql()} ORDER BY baseline.rowid")
            return [BaselineLine(str(shot_id), *map(int, numbers)) for shot_id, *numbers in rows]

    def planned_by_reason(self) -> list[Planned]:
        """Return what the baseline holds, by what became of its shots."""
        sql = (
            f"SELECT CASE {_OF_SHOT.format('b')} AS reason, sum(b.takes), sum(p.known), sum(p.unpriced)"  # noqa: S608
            f" FROM baseline AS b JOIN ({self._baseline_sql()}) AS p ON p.shot_id = b.shot_id"
            " LEFT JOIN shots AS s ON s.shot_id = b.shot_id GROUP BY reason"
        )
        with foreign_errors(self.path):
            return [Planned(Reason(reason), *map(int, sums)) for reason, *sums in self._db.execute(sql)]

    def spent_by_reason(self) -> list[tuple[Reason, Kind, int]]:
        """Count the takes that are alike in state, money and price class, by why they are not the baseline."""
        names = ", ".join(f"takes.{name}" for name in TALLIED)
        sql = (
            f"SELECT {_OF_TAKE}{_OF_SHOT.format('takes')} AS reason, {names}, min(attempts, 2) AS sent,"  # noqa: S608
            f" {class_sql()} AS class, count(*) FROM takes {_PLACES.format('takes')}"
            f" GROUP BY reason, {names}, sent, class"
        )
        with foreign_errors(self.path):
            return [
                (Reason(reason), Kind(**tallied(row), attempts=sent, price_class=class_in(told)), count)
                for reason, *row, sent, told, count in self._db.execute(sql)
            ]
