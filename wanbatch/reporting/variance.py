"""The variance: what each shot was to cost in the first confirmed plan, and what was added to it, with the reason.

One row per shot and reason, after a row `baseline` for each shot of that plan. All rows together are the final cost.
The reasons are those that `status` shows, which `state/baseline.py` finds in the state file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from wanbatch.batch.lifecycle import State
from wanbatch.money.baseline import Reason
from wanbatch.reporting.book import Book
from wanbatch.reporting.record import series, usd_of

BASELINE = "baseline"
VARIANCE_COLUMNS: dict[str, str] = {
    "batch": "string",
    "scene": "string",
    "shot_id": "string",
    "reason": "string",
    "earlier_shot_id": "string",
    "takes": "Int64",
    "usd": "Float64",
    "credits": "Int64",
    "takes_of_unknown_cost": "Int64",
}
NO_TAKE = "(no take)"
_NO_CLIP = (State.PLANNED.value, State.FAILED.value)


def variance_frame(books: Sequence[Book]) -> pd.DataFrame:
    """One row per shot and reason of each batch that has a baseline, by VARIANCE_COLUMNS."""
    parts = [part for book in books if book.record.baseline is not None for part in _parts(book)]
    if not parts:
        return pd.DataFrame({name: series([], kind) for name, kind in VARIANCE_COLUMNS.items()})
    rows = pd.concat(parts, ignore_index=True)
    rows["usd"] = usd_of(rows["credits"].astype("Int64"))
    return pd.DataFrame({name: pd.Series(rows[name], dtype=kind) for name, kind in VARIANCE_COLUMNS.items()})


def _parts(book: Book) -> list[pd.DataFrame]:
    """Return the rows of the baseline, of what was added, and of submits of no take."""
    lines = book.record.baseline_lines
    scenes = book.record.shots.set_index("shot_id")["scene"]
    planned_credits = lines["known"].mask((lines["unpriced"] == lines["takes"]) & (lines["unpriced"] > 0))
    planned = lines.assign(reason=BASELINE, credits=planned_credits, takes_of_unknown_cost=lines["unpriced"])
    added = _added(book, lines)
    moved = lines[lines["earlier_shot_id"].notna()]
    moved = moved.assign(reason=Reason.RENAMED.value, credits=0, takes_of_unknown_cost=0)
    planned["earlier_shot_id"] = pd.NA
    tables = [planned, added, moved]
    holds = [each.credits_held for each in book.record.strays]
    if holds:
        known, unknown = sum(each or 0 for each in holds), holds.count(None)
        row = {"shot_id": NO_TAKE, "reason": Reason.NO_TAKE.value, "takes": len(holds), "credits": known}
        tables.append(pd.DataFrame([{**row, "takes_of_unknown_cost": unknown}]))
    return [table.assign(batch=book.batch, scene=table["shot_id"].map(scenes).replace("", pd.NA)) for table in tables]


def _added(book: Book, lines: pd.DataFrame) -> pd.DataFrame:
    """Sum by shot and reason what its takes cost, less what the baseline holds for it."""
    takes, money = book.record.takes, book.money
    moved = lines[lines["earlier_shot_id"].notna()]
    takes = takes.assign(shot_id=takes["shot_id"].replace(moved.set_index("earlier_shot_id")["shot_id"].to_dict()))
    gone, edited = _shots_gone(book), _shots_edited(takes)
    to_come, old = takes["state"] == State.PLANNED.value, takes["superseded"]
    reason = _reasons(takes["shot_id"], lines, gone, edited)
    reason = np.select(
        [takes["is_retake"].astype(bool), ~takes["shot_id"].isin(lines["shot_id"])],
        [Reason.RETAKE.value, Reason.NEW_SHOT.value],
        default=reason,
    )
    is_free = (takes["state"] == State.FAILED.value) & (money["credits_committed"] == 0).fillna(value=False)
    is_counted = np.where(reason == Reason.EDIT.value, old & ~to_come & ~is_free, ~(to_come & old))
    is_counted &= ~np.isin(reason, [Reason.LEFT_OUT.value, Reason.UNPRICED.value])  # those of the baseline count
    price = money["to_complete"]
    spent = pd.DataFrame(
        {
            "shot_id": takes["shot_id"],
            "reason": reason,
            "takes": is_counted.astype("int64"),
            "credits": (money["credits_committed_known"] + price.fillna(0)).astype("int64"),
            "takes_of_unknown_cost": (money["is_uncosted"] | price.isna()).astype("int64"),
        }
    )
    became = _reasons(lines["shot_id"], lines, gone, edited)
    counted = [lines["takes"], lines["unpriced"]]
    saved = pd.DataFrame(
        {
            "shot_id": lines["shot_id"],
            "reason": became,
            "takes": np.select(
                [became == each.value for each in (Reason.LEFT_OUT, Reason.UNPRICED)], counted, default=0
            ),
            "credits": -lines["known"].astype("int64"),
            "takes_of_unknown_cost": 0,
        }
    )
    sums = pd.concat([spent, saved, *_causes(book)]).groupby(["shot_id", "reason"], sort=False).sum().reset_index()
    is_named = sums["reason"].isin([Reason.RETAKE.value, Reason.EDIT.value, Reason.NEW_SHOT.value]) & (
        sums["takes"] != 0
    )
    return sums[is_named | (sums["credits"] != 0) | (sums["takes_of_unknown_cost"] != 0)]


def _causes(book: Book) -> list[pd.DataFrame]:
    """Return what the causes of other prices add, and the same taken from the other prices that they are among."""
    causes = () if book.record.baseline is None else book.record.baseline.causes
    if not causes:
        return []
    rows = [(each.shot_id, each.reason.value, each.takes, each.credits, 0) for each in causes]
    rows += [(each.shot_id, Reason.OTHER.value, 0, -each.credits, 0) for each in causes]
    return [pd.DataFrame(rows, columns=["shot_id", "reason", "takes", "credits", "takes_of_unknown_cost"])]


def _reasons(shot_ids: pd.Series[Any], lines: pd.DataFrame, gone: set[str], edited: set[str]) -> Any:
    """Say what became of each of these shots of the baseline."""
    unpriced = lines.loc[lines["unpriced"] > 0, "shot_id"]
    return np.select(
        [shot_ids.isin(gone), shot_ids.isin(edited), shot_ids.isin(unpriced)],
        [Reason.LEFT_OUT.value, Reason.EDIT.value, Reason.UNPRICED.value],
        default=Reason.OTHER.value,
    )


def _shots_gone(book: Book) -> set[str]:
    """Return the shots that the manifest no longer asks for, also those of which nothing is left."""
    shots = book.record.shots
    asked = shots.loc[~(shots["omit"] | shots["removed"]), "shot_id"]
    named = {*shots["shot_id"], *book.record.baseline_lines["shot_id"]}
    return named - set(asked)


def _shots_edited(takes: pd.DataFrame) -> set[str]:
    """Return the shots of which a clip was replaced by that of a newer recipe."""
    is_replaced = takes["superseded"] & ~takes["is_retake"] & ~takes["state"].isin(_NO_CLIP)
    return set(takes.loc[is_replaced, "shot_id"])
