"""Kinds of takes: those that are alike in all that decides about their money.

A hundred thousand takes are of a few dozen kinds, so that what a take costs is asked once for each kind, of a real take
and its real attempts, by the rules that hold for every one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import pandas as pd

from wanbatch.batch.attempts import Attempt
from wanbatch.batch.models import PriceClass
from wanbatch.batch.take import Take
from wanbatch.money.costs import TakeCost, attempts_by_take, cost_of
from wanbatch.money.prices import QuotedPrice
from wanbatch.money.seen_prices import prices_now
from wanbatch.reporting.record import series, values_of

MONEY_COLUMNS: dict[str, str] = {
    "shown_state": "string",
    "credits_committed": "Int64",
    "credits_committed_known": "Int64",
    "is_hold_unseen": "boolean",
    "is_charge_unseen": "boolean",
    "is_uncosted": "boolean",
    "charged": "Int64",
    **{each.name: "Int64" for each in fields(TakeCost)},
}
_OF_TAKE = (
    "state",
    "superseded",
    "attempts",
    "credits_estimated",
    "credits_held",
    "credits_charged",
    "is_charge_seen",
    "credits_at_risk",
)
_OF_ORDER = ("model", "price_class")  # what its price depends on
_OF_ATTEMPT = ("number", "outcome", "credits_estimated", "credits_held", "credits_charged")


@dataclass(frozen=True)
class Kinds:
    """The kind of each take, by its row, and of each kind the take sent last with its attempts, by its number."""

    of: pd.Series[int]
    takes: Sequence[Take]
    attempts: Mapping[int, Sequence[Attempt]]


def kinds_of(takes: pd.DataFrame, attempts: pd.DataFrame, orders: pd.DataFrame) -> Kinds:
    """Sort takes into kinds; one with several attempts is a kind of its own. `orders` says what each take orders."""
    marks = takes[list(_OF_TAKE)].assign(
        has_generation=takes["generation_id"].notna(),
        **{name: orders[name] for name in _OF_ORDER},
        **_attempt_marks(takes, attempts),
    )
    kind = marks.groupby(list(marks), dropna=False, sort=False).ngroup()
    # The take sent last shows what a class costs now: of each kind that one stands for all.
    rows = pd.DataFrame({"kind": kind, "sent": takes["submitted_at"]}).sort_values(
        "sent", kind="stable", na_position="first"
    )
    last = rows.drop_duplicates("kind", keep="last").sort_values("kind").index
    shown = takes.loc[last]
    mine = attempts[attempts["take_id"].isin(shown["take_id"])]
    return Kinds(kind, values_of(Take, shown), attempts_by_take(values_of(Attempt, mine)))


def _attempt_marks(takes: pd.DataFrame, attempts: pd.DataFrame) -> dict[str, Any]:
    """Return what decides about the attempts of each take: those of its only one; of several, that it is itself."""
    several = attempts["take_id"].duplicated(keep=False)
    only = attempts[~several].set_index("take_id").reindex(takes["take_id"])
    generation = takes["generation_id"].set_axis(only.index)
    is_own = (only["generation_id"] == generation).fillna(only["generation_id"].isna() & generation.isna())
    marks = {f"attempt_{name}": only[name] for name in _OF_ATTEMPT}
    marks |= {"is_own_generation": is_own, "has_error": only["error"] != ""}
    is_several = takes["take_id"].isin(attempts.loc[several, "take_id"])
    return {name: mark.array for name, mark in marks.items()} | {"itself": takes["take_id"].where(is_several, 0)}


def prices_of(kinds: Kinds, quotes: Sequence[QuotedPrice]) -> dict[PriceClass, int]:
    """Return what a take of each class costs now."""
    takes: list[Take] = sorted(kinds.takes, key=lambda take: take.take_id)
    return prices_now(takes, quotes)


def money_frame(kinds: Kinds, quotes: Sequence[QuotedPrice]) -> pd.DataFrame:
    """One row per take: its state for tables, and its money by MONEY_COLUMNS, missing where unknown.

    `credits_committed` is all that counts as spent: `charged` and `at_risk`; the rest are the parts of its cost.
    """
    prices = prices_of(kinds, quotes)
    rows = [money_of(take, kinds.attempts.get(take.take_id, []), prices) for take in kinds.takes]
    by_kind = pd.DataFrame({name: series([row[name] for row in rows], kind) for name, kind in MONEY_COLUMNS.items()})
    return by_kind.take(kinds.of.to_numpy()).reset_index(drop=True)


def money_of(take: Take, attempts: Sequence[Attempt], prices: Mapping[PriceClass, int]) -> dict[str, Any]:
    """Return the cells of one take by MONEY_COLUMNS."""
    cost = cost_of(take, attempts, prices)
    return vars(cost) | {
        "shown_state": take.shown_state,
        "credits_committed": take.credits_committed,
        "credits_committed_known": take.credits_committed_known,
        "is_hold_unseen": cost.held is None,
        "is_charge_unseen": take.may_be_charged_more,
        "is_uncosted": take.credits_committed is None,
        "charged": cost.charged,
    }
