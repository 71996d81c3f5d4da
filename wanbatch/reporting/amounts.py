"""Amounts as the pages show them: USD to the credit, and credits beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from wanbatch.money.credits import amount_text, difference_text, usd, usd_text
from wanbatch.money.spending import OUTSIDE_WORDS
from wanbatch.units import count_text

UNSEEN = "\u2013"  # a dash: there is nothing to show
WENT_INTO = ("in_cut", *OUTSIDE_WORDS)  # together they are what was charged
ADDED_UP = ("estimated", "held", "charged", "at_risk", "committed", "to_complete", "final", "outside_cut", *WENT_INTO)
COMPARED = ("budget", "baseline", "variance", "budget_less_final")  # they do not add up


@dataclass(frozen=True)
class Amount:
    """One amount: USD, and credits beside; a mark in both where a part of it is unknown."""

    usd: str
    credits: str = ""


def levels_of(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return the rows of a cost report level by level, each with its amounts by name under `shown`."""
    levels = [(level, list(mine)) for level, mine in groupby(rows, itemgetter("level"))]
    return [(level, [{**row, "shown": _shown(row)} for row in mine]) for level, mine in levels]


def _shown(row: Mapping[str, Any]) -> dict[str, Amount]:
    amounts = {name: _marked(row, name, _amount_or_unknown(name, _known(row, name))) for name in ADDED_UP}
    return amounts | {name: amount_of(row[f"{name}_credits"]) for name in COMPARED}


def amount_of(credit_count: int | None) -> Amount:
    """Return one amount; a dash if there is none."""
    return Amount(UNSEEN) if credit_count is None else Amount(amount_text(usd(credit_count)), _credits(credit_count))


def variance_amounts(row: Mapping[str, Any]) -> list[Amount]:
    """Return the amounts of a baseline, of each part of its variance, and of the final cost: they add up."""
    parts = row["variance"]
    added = [Amount(difference_text(part["credits"]), _credits(part["credits"])) for part in parts]
    amounts = [amount_of(row["known_credits"]), *added]
    unknown = [row["unpriced_takes"], *(part["unknown_takes"] for part in parts)]
    shown = [_with_unknown(each) if mark else each for each, mark in zip(amounts, unknown, strict=True)]
    final = amount_of(row["final_known_credits"])
    return [*shown, _with_unknown(final) if row["unknown_takes"] else final]


def price_of(low: int | None, high: int | None = None) -> Amount:
    """Return the price of one take, or the range of prices; a dash if there is none."""
    if low is None or high is None or high == low:
        return amount_of(low)
    return Amount(f"{amount_text(usd(low))} to {amount_text(usd(high))}", f"{low:,} to {high:,}")


def figure_of(figure: Mapping[str, Any]) -> Amount:
    """Return one of the three figures of a batch, as `costs.json` has it."""
    if figure["unknown_takes"] and not figure["known_credits"]:
        return _UNKNOWN
    amount = amount_of(figure["known_credits"])
    return _with_unknown(amount) if figure["unknown_takes"] else amount


def charged_so_far(row: Mapping[str, Any], costs: Mapping[str, Any]) -> str:
    """Say how far the charges of a batch are known and, once nothing is left to be sent, how they compare with its
    baseline. `row` is one of the `figures` of `costs.json`, `costs` the whole of it.
    """
    batch, charged = row["batch"], row["charged"]
    if charged["unknown_takes"]:
        return f"{count_text(charged['unknown_takes'], 'possible charge')} not in the provider's ledger yet"
    waiting = next(each for each in costs["progress"] if each["batch"] == batch)["remaining"]["takes"]
    if waiting:
        return f"all charges for what was sent have been seen; {count_text(waiting, 'take')} still to be sent"
    baseline = next((each for each in costs["baselines"] if each["batch"] == batch), None)
    if baseline is None or baseline["unpriced_takes"]:
        return "all charges have been seen"
    more = charged["known_credits"] - baseline["known_credits"]
    if more:
        return f"all charges have been seen: {usd_text(abs(more))} {'above' if more > 0 else 'below'} the baseline"
    return "all charges have been seen: equal to the baseline, to the credit"


def _credits(credit_count: int) -> str:
    return f"{credit_count:,}" if credit_count else ""  # nothing more to say than 0.00


def paid_amounts(row: Mapping[str, Any]) -> dict[str, Amount]:
    """Return what was charged for a shot, and what for: unknown while the ledger shows nothing of it."""
    return {
        name: _marked(row, name, _amount_or_unknown(name, _known(row, name)))
        for name in ("charged", "outside_cut", *WENT_INTO)
    }


def _known(row: Mapping[str, Any], name: str) -> int | None:
    known: int | None = row.get(f"{name}_known_credits", row[f"{name}_credits"])
    return known


def _marked(row: Mapping[str, Any], name: str, amount: Amount) -> Amount:
    if row[f"{name}_credits"] is not None or amount in (_UNKNOWN, Amount(UNSEEN)):
        return amount
    return _with_unknown(amount)


_UNKNOWN = Amount("unknown")


def _amount_or_unknown(name: str, credit_count: int | None) -> Amount:
    """Return an amount, or `unknown`; a dash for a part of an unknown total, because its columns are narrow."""
    return _UNKNOWN if credit_count is None and name not in OUTSIDE_WORDS else amount_of(credit_count)


def _with_unknown(amount: Amount) -> Amount:
    if not amount.credits:  # no part of it is known
        return _UNKNOWN
    return Amount(f"{amount.usd}+?", f"{amount.credits}+?" if amount.credits else "")
