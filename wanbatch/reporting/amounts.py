"""Amounts as the pages show them: USD in whole cents, credits beside; the cents of each column add up to its total."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from wanbatch.money.credits import amount_text, cents_text, exact_usd, shared_cents, usd
from wanbatch.reporting.costs import WENT_INTO

UNSEEN = "\u2013"  # a dash: there is nothing to show
ADDED_UP = ("estimated", "held", "charged", "at_risk", "committed", "to_complete", "final", *WENT_INTO)
COMPARED = ("budget", "variance_to_budget", "variance_to_estimate")  # they do not add up


@dataclass(frozen=True)
class Amount:
    """One amount: USD, and credits beside; a mark in both where a part of it is unknown."""

    usd: str
    credits: str = ""


def levels_of(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return the rows of a cost report level by level, each with its amounts by name under `shown`."""
    levels = [(level, list(mine)) for level, mine in groupby(rows, itemgetter("level"))]
    return [(level, _shown(mine, is_added_up=level != "tag")) for level, mine in levels]


def _shown(rows: Sequence[Mapping[str, Any]], *, is_added_up: bool) -> list[dict[str, Any]]:
    columns = {name: amounts_of([_known(row, name) for row in rows], is_added_up=is_added_up) for name in ADDED_UP}
    shown = []
    for place, row in enumerate(rows):
        amounts = {name: _marked(row, name, column[place]) for name, column in columns.items()}
        amounts |= {name: amount_of(row[f"{name}_credits"]) for name in COMPARED}
        shown.append({**row, "shown": amounts})
    return shown


def amounts_of(credit_counts: Sequence[int], *, is_added_up: bool = True) -> list[Amount]:
    """Return the amounts of a column, in cents that add up to those of its sum if they are added up at all."""
    if not is_added_up:
        return [amount_of(each) for each in credit_counts]
    pairs = zip(credit_counts, shared_cents(credit_counts), strict=True)
    return [Amount(cents_text(cents), _credits(each)) for each, cents in pairs]


def amount_of(credit_count: int | None) -> Amount:
    """Return one amount; a dash if there is none."""
    return Amount(UNSEEN) if credit_count is None else Amount(amount_text(usd(credit_count)), _credits(credit_count))


def variance_amounts(row: Mapping[str, Any]) -> list[Amount]:
    """Return the amounts of a baseline, of each part of its variance, and of the final cost: their cents add up."""
    parts = row["variance"]
    amounts = amounts_of([row["known_credits"], *(part["credits"] for part in parts)])
    unknown = [row["unpriced_takes"], *(part["unknown_takes"] for part in parts)]
    shown = [_with_unknown(each) if mark else each for each, mark in zip(amounts, unknown, strict=True)]
    final = amount_of(row["final_known_credits"])
    return [*shown, _with_unknown(final) if row["unknown_takes"] else final]


def price_of(low: int | None, high: int | None = None) -> Amount:
    """Return the exact price of one take, or the range of prices; a dash if there is none."""
    if low is None:
        return Amount(UNSEEN)
    if high is None or high == low:
        return Amount(exact_usd(low), f"{low:,}")
    return Amount(f"{exact_usd(low)} to {exact_usd(high)}", f"{low:,} to {high:,}")


def figure_of(figure: Mapping[str, Any]) -> Amount:
    """Return one of the three figures of a batch, as `costs.json` has it."""
    amount = amount_of(figure["known_credits"])
    return _with_unknown(amount) if figure["unknown_takes"] else amount


def _credits(credit_count: int) -> str:
    return f"{credit_count:,}" if credit_count else ""  # nothing more to say than 0.00


def _known(row: Mapping[str, Any], name: str) -> int:
    known: int = row.get(f"{name}_known_credits", row[f"{name}_credits"])
    return known


def _marked(row: Mapping[str, Any], name: str, amount: Amount) -> Amount:
    if row[f"{name}_credits"] is not None:
        return amount
    return _with_unknown(amount)


def _with_unknown(amount: Amount) -> Amount:
    return Amount(f"{amount.usd} +?", f"{amount.credits} +?" if amount.credits else "")
