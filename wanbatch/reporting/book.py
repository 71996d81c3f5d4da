"""The book of a batch: its record, and what follows from it for each take. Every table and page is made from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from wanbatch.batch.attempts import Attempt
from wanbatch.batch.choice import chosen
from wanbatch.batch.lifecycle import State
from wanbatch.batch.plan import ShotRow
from wanbatch.batch.take import Take
from wanbatch.money.costs import Figure, Figures, attempts_by_take
from wanbatch.reporting.kinds import kinds_of, money_frame
from wanbatch.reporting.recipe_columns import orders_frame
from wanbatch.reporting.record import Record, series, values_of
from wanbatch.reporting.sidecar import sidecar_path, sidecar_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


_HASH = r"^wb1:[^:]*:([0-9a-f]+):"  # of the recipe, in a request id of ours


@dataclass(frozen=True)
class Book:
    """A record and what follows from it.

    `orders` and `money` have a row for each take of the record, by ORDER_COLUMNS and MONEY_COLUMNS. `batch` is what the
    batch is called in a report, beside others of its name.
    """

    record: Record
    batch: str
    orders: pd.DataFrame
    money: pd.DataFrame

    @cached_property
    def labels(self) -> pd.Series[str]:
        """`sc010_sh020_t1`: the name of each take."""
        takes = self.record.takes
        pairs = zip(takes["shot_id"], takes["number"].tolist(), strict=True)
        return series([f"{shot_id}_t{number}" for shot_id, number in pairs], "string")

    @cached_property
    def shot_rows(self) -> NDArray[np.intp]:
        """The row of each take's shot in the shots of the record."""
        return _places(pd.Index(self.record.shots["shot_id"]), self.record.takes["shot_id"])

    @cached_property
    def is_chosen(self) -> pd.Series[bool]:
        """Whether each take is the one of its shot that goes into the cut."""
        takes = self.record.takes
        mine = takes[~self.is_of_shot_left_out & (takes["circled"] | (takes["state"] == State.VERIFIED.value))]
        mine = mine.sort_values(["shot_id", "number"])
        columns = (mine[name].tolist() for name in ("shot_id", "state", "superseded", "circled"))
        marks = zip(mine.index, *columns, strict=True)
        rows = []
        for _, group in groupby(marks, key=itemgetter(1)):
            best = chosen([_Candidate(row, State(state), old, circled) for row, _, state, old, circled in group])
            rows += [best.row] if best is not None else []
        return pd.Series(takes.index.isin(rows), index=takes.index)

    @cached_property
    def is_left_out(self) -> pd.Series[bool]:
        """Whether each take is verified, and of a shot that is omitted or no longer in the manifest."""
        return self.is_of_shot_left_out & (self.money["shown_state"] == State.VERIFIED.value)

    @cached_property
    def is_replaced(self) -> pd.Series[bool]:
        """Whether each take failed and is superseded."""
        takes = self.record.takes
        return takes["superseded"] & (takes["state"] == State.FAILED.value)

    @cached_property
    def is_asked_for(self) -> pd.Series[bool]:
        """Whether the manifest asks for each take: it is not superseded, and its shot is not left out."""
        return ~self.record.takes["superseded"] & ~self.is_of_shot_left_out

    @cached_property
    def is_of_shot_left_out(self) -> pd.Series[bool]:
        """Whether the shot of each take is omitted or no longer in the manifest."""
        shots = self.record.shots
        return (shots["omit"] | shots["removed"]).take(self.shot_rows).reset_index(drop=True).astype(bool)

    @cached_property
    def in_cut(self) -> pd.Series[Any]:
        """What was charged for the clip of each take in the cut, in credits; 0 for all others."""
        return (self.money["in_use"] + self.money["superseded"]).where(self.is_chosen, 0)

    @cached_property
    def outside_cut(self) -> pd.Series[Any]:
        """All else that each take was charged, in credits."""
        return self.money["charged"] - self.in_cut

    @cached_property
    def usable_ms(self) -> pd.Series[Any]:
        """The length of the clip of each take that is verified and not superseded, or in the cut: whole milliseconds.

        0 without such a clip, missing for one that was not measured.
        """
        takes = self.record.takes
        is_usable = (takes["state"] == State.VERIFIED.value) & (self.is_chosen | ~takes["superseded"])
        return (takes["clip_duration_s"] * 1000).round().astype("Int64").where(is_usable, 0)

    def rows_of_takes(self, table: pd.DataFrame) -> NDArray[np.intp]:
        """Return the row of the take that each row of a table belongs to."""
        return _places(self._take_ids, table["take_id"])

    @cached_property
    def _take_ids(self) -> pd.Index[Any]:
        found: pd.Index[Any] = pd.Index(self.record.takes["take_id"])
        return found

    @cached_property
    def attempt_orders(self) -> pd.DataFrame:
        """One row per attempt, as the record has them: the model and the price class that it was sent for.

        An attempt of which no recipe is known counts as one of its take's own.
        """
        attempts, earlier = self.record.attempts, self.record.earlier_recipes
        rows = self.rows_of_takes(attempts)
        orders = self.orders[["model", "price_class"]].take(rows).set_axis(attempts.index)
        if not earlier:
            return orders
        before = orders_frame(earlier.values()).set_index(pd.Index(list(earlier)))
        hashes = attempts["request_id"].str.extract(_HASH, expand=False)
        own = self.orders["recipe_sha256"].take(rows).str[:20].set_axis(attempts.index)
        moved = attempts.index[hashes.isin(list(earlier)) & (hashes != own)]
        orders.loc[moved] = before.loc[hashes[moved].tolist(), ["model", "price_class"]].to_numpy()
        return orders

    @property
    def held_by_take(self) -> pd.Series[Any]:
        """What the answers to the submits of each take hold, without what was released; missing for one never sent."""
        return self.money["held"].mask(self.record.takes["attempts"] == 0)

    @property
    def figures(self) -> Figures:
        """Estimated, held and charged."""
        money = self.money
        charged = Figure(int(money["charged"].sum()), int(money["is_charge_unseen"].sum()))
        figures = Figures(_figure(money["estimated"]), _figure(money["held"]), charged)
        return figures.with_strays(each.credits_held for each in self.record.strays)

    @property
    def committed(self) -> Figure:
        """What was charged and what may still be, of takes and of submits of no take."""
        money, holds = self.money, [each.credits_held for each in self.record.strays]
        known = int(money["credits_committed_known"].sum()) + sum(each or 0 for each in holds)
        return Figure(known, int(money["is_uncosted"].sum()) + holds.count(None))


class _Candidate(NamedTuple):
    row: int
    state: State
    superseded: bool
    circled: bool


def book_of(record: Record) -> Book:
    """Make the book of a record. Raises StateInvalid for a damaged recipe."""
    orders = orders_frame(record.takes["recipe_json"])
    kinds = kinds_of(record.takes, record.attempts, orders)
    return Book(record, record.batch, orders, money_frame(kinds, record.quotes))


def _places(names: pd.Index[Any], wanted: pd.Series[Any]) -> NDArray[np.intp]:
    """Return the position of each wanted name among the names, which differ."""
    found: NDArray[np.intp] = names.get_indexer(pd.Index(wanted))
    return found


def sidecars_of(book: Book, rows: pd.Index[Any]) -> Iterator[tuple[str, str]]:
    """Yield path, inside the output folder, and text of the sidecars of some takes, by their rows."""
    record = book.record
    takes = record.takes.loc[rows]
    attempts = record.attempts[record.attempts["take_id"].isin(takes["take_id"])]
    by_take = attempts_by_take(values_of(Attempt, attempts))
    shots = values_of(ShotRow, record.shots.loc[book.shot_rows[rows]])
    for take, shot in zip(values_of(Take, takes), shots, strict=True):
        if take.file is not None:
            yield sidecar_path(take.file), sidecar_text(take, shot, by_take.get(take.take_id, []), record.given)


def _figure(values: pd.Series[Any]) -> Figure:
    return Figure(int(values.sum()), int(values.isna().sum()))


def milliseconds(begin: pd.Series[Any], end: pd.Series[Any]) -> pd.Series[Any]:
    """Return how long it took from one time to the other: whole milliseconds, missing if either is."""
    took = end - begin
    return pd.Series(took.astype("int64"), dtype="Int64").mask(took.isna())


def seconds(begin: pd.Series[Any], end: pd.Series[Any]) -> pd.Series[Any]:
    """Return how long it took from one time to the other: seconds, missing if either is."""
    return milliseconds(begin, end) / 1000
