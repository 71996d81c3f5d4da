"""The baseline and the variance by group: what `variance.csv` has by shot, added up for batch, sequence and scene.

The baseline knows shots. So it has no sums by model, tag or cost code, which may have changed since.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from wanbatch.reporting.book import Book
from wanbatch.reporting.variance import BASELINE, NO_TAKE

PLANNED = ("baseline", "variance")
_LEVELS = ("batch", "sequence", "scene", "shot")


@dataclass(frozen=True)
class BaselineSums:
    """Baseline and variance in credits by level, batch and name of a group; None if a part of it is unknown.

    `batches` are those that have a baseline: a group of theirs that is not in `sums` has nothing of either.
    """

    batches: frozenset[str]
    sums: Mapping[tuple[str, str, str], tuple[int | None, int | None]]
    is_whole: bool

    def of(self, place: tuple[str, str | None, str]) -> dict[str, int | None]:
        """Return the amounts of a group by PLANNED; `place` is its level, its batch and its name."""
        level, batch, key = place
        if level == "all":
            every = [self.sums.get(("batch", each, each), (0, 0)) for each in self.batches] if self.is_whole else []
            return dict(zip(PLANNED, map(_added, zip(*every, strict=True)), strict=False))
        if level not in _LEVELS or batch not in self.batches:
            return {}
        return dict(zip(PLANNED, self.sums.get((level, batch, key), (0, 0)), strict=True))


def _added(amounts: tuple[int | None, ...]) -> int | None:
    known = [each for each in amounts if each is not None]
    return sum(known) if len(known) == len(amounts) else None


def baseline_sums(books: Sequence[Book], variance: pd.DataFrame) -> BaselineSums:
    """Add up the rows of `variance_frame` by group."""
    kept = frozenset(book.batch for book in books if book.record.baseline is not None)
    amounts = pd.DataFrame(
        {"credits": variance["credits"].fillna(0), "unknown": variance["takes_of_unknown_cost"].fillna(0)}
    ).astype("int64")
    sums: dict[tuple[str, str, str], tuple[int | None, int | None]] = {}
    for level, names in _names_of(books, variance).items():
        added = amounts.groupby([variance["batch"], names, variance["reason"] == BASELINE], sort=False).sum()
        rows = zip(added.index.tolist(), added["credits"].tolist(), added["unknown"].tolist(), strict=True)
        for (batch, key, is_baseline), credit_count, unknown in rows:
            before, value = sums.get((level, batch, key), (0, 0)), None if unknown else credit_count
            sums[level, batch, key] = (value, before[1]) if is_baseline else (before[0], value)
    return BaselineSums(kept, sums, is_whole=len(kept) == len(books))


def _names_of(books: Sequence[Book], variance: pd.DataFrame) -> dict[str, pd.Series[str]]:
    """Return the names of the groups that each row belongs to, by level."""
    found: dict[str, dict[tuple[str, str], str]] = {"sequence": {}, "scene": {}}
    for book in books:
        shots = book.record.shots
        for level, names in found.items():
            names |= {(book.batch, each): name for each, name in zip(shots["shot_id"], shots[level], strict=True)}
            names[book.batch, NO_TAKE] = NO_TAKE
    pairs = list(zip(variance["batch"], variance["shot_id"], strict=True))
    told = {level: [names.get(pair, "") for pair in pairs] for level, names in found.items()}
    told |= {"batch": [batch for batch, _ in pairs], "shot": [shot_id for _, shot_id in pairs]}
    return {level: pd.Series(names, index=variance.index, dtype="string") for level, names in told.items()}
