"""An invoice, or the provider's own export, held line by line against the charges that a batch recorded. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from wanbatch.money.invoice_table import Billed, Invoice, Unit


class Match(StrEnum):
    """What a line of an invoice, or a charge without one, is."""

    MATCHED = "matched"
    DIFFERS = "differs"
    TWICE = "twice"
    NOT_OURS = "not in this batch"
    NOT_CHARGED = "not charged"
    NOT_ON_INVOICE = "not on the invoice"
    UNREADABLE = "unreadable"
    NO_ID = "without an id"
    TOTAL = "total of the invoice"
    TOTAL_DIFFERS = "total differs"


MATCH_WORDS: Mapping[Match, str] = {
    Match.MATCHED: "the same amount as in the ledger",
    Match.DIFFERS: "a different amount from the one in the ledger",
    Match.TWICE: "a further line for a generation that was charged once",
    Match.NOT_OURS: "a generation that this batch does not know",
    Match.NOT_CHARGED: "a generation of this batch whose charge is not in the ledger as read so far",
    Match.NOT_ON_INVOICE: "charged in the ledger, but missing from the invoice",
    Match.UNREADABLE: "an amount that cannot be read",
    Match.NO_ID: "it does not say for which generation: not in the total above",
    Match.TOTAL: "the invoice's own total: it agrees with its lines",
    Match.TOTAL_DIFFERS: "the invoice's own total: its lines add up to another amount",
}
TOTALS = (Match.TOTAL, Match.TOTAL_DIFFERS)
SETTLED = (Match.MATCHED, Match.TOTAL)


@dataclass(frozen=True)
class Charged:
    """What a batch recorded for a generation: the take, and the credits charged for it; None if not seen."""

    take: str
    credits: int | None


@dataclass(frozen=True)
class Matched:
    """One line of the result. `number` is None for a charge that no line has, and `amount` is what the line says.

    The charge of a generation is with the first of its lines. `is_shared` says that several are its charge together.
    """

    match: Match
    number: int | None
    generation_id: str
    take: str
    billed: int | None
    charged: int | None
    amount: Decimal | None = None
    is_shared: bool = False

    @property
    def difference(self) -> int | None:
        """What was billed beyond the charge; None if one of both is not known."""
        if self.billed is None or self.charged is None or self.is_shared:
            return None
        return self.billed - self.charged


def match_invoice(invoice: Invoice, ours: Mapping[str, Charged]) -> list[Matched]:
    """Match each line with the charge of its generation, in the order of the file; then charges without a line.

    Several lines of one generation whose sum is its charge, such as a charge and what was paid back, are matched. Rows
    without a generation come last: the totals among them are compared with the lines that they may add up.
    """
    groups: dict[str, list[Billed]] = {}
    for line in invoice.lines:
        groups.setdefault(line.generation_id, []).append(line)
    matches = {name: _matches(mine, ours.get(name)) for name, mine in groups.items()}
    found: list[Matched] = []
    for line in invoice.lines:
        mine, charge = groups[line.generation_id], ours.get(line.generation_id)
        match = matches[line.generation_id].pop(0)
        charged = None if charge is None or line is not mine[0] else charge.credits
        take = "" if charge is None else charge.take
        is_shared = match is Match.MATCHED and mine[1:] != [] and not line.is_amount_of(charged or 0)
        found.append(_matched(match, line, take, charged, is_shared=is_shared))
    rest = [
        Matched(Match.NOT_ON_INVOICE, None, name, charge.take, None, charge.credits)
        for name, charge in ours.items()
        if charge.credits and name not in groups
    ]
    return found + rest + [_matched(_what_is(row, invoice, found), row, "", None) for row in invoice.rest]


def _matched(match: Match, line: Billed, take: str, charged: int | None, *, is_shared: bool = False) -> Matched:
    return Matched(match, line.number, line.generation_id, take, line.credits, charged, line.amount, is_shared)


def _what_is(row: Billed, invoice: Invoice, found: Sequence[Matched]) -> Match:
    """Say what a row without a generation is."""
    if row.amount is None:
        return Match.UNREADABLE
    if not row.is_total:
        return Match.NO_ID
    totals = [each.number for each in invoice.rest if each.is_total and each.number < row.number]
    for first, last in ((0, row.number), (max(totals, default=0), row.number), (0, None)):
        rest = [each.amount for each in invoice.rest if not each.is_total and _is_within(each.number, first, last)]
        lines = [each for each in found if _is_within(each.number, first, last)]
        more = sum((amount for amount in rest if amount is not None), Decimal(0))
        sums = [sum_of(lines), _before_rounding(lines, invoice.unit)]
        if lines and any(row.is_rounded_from(each + extra) for each in sums for extra in (0, more)):
            return Match.TOTAL
    return Match.TOTAL_DIFFERS


def _is_within(number: int | None, first: int, last: int | None) -> bool:
    return number is not None and number > first and (last is None or number < last)


def sum_of(lines: Sequence[Matched]) -> Decimal:
    """Return the sum of amounts as the invoice has them, without those that cannot be read."""
    return sum((line.amount for line in lines if line.amount is not None), Decimal(0))


def _before_rounding(lines: Sequence[Matched], unit: Unit) -> Decimal:
    """Return the sum of lines with the charges of those that match: an invoice may round its total, not its parts."""
    matched = [line for line in lines if line.match is Match.MATCHED]
    others = [line for line in lines if line.match is not Match.MATCHED]
    return unit.amount_of(sum(line.charged or 0 for line in matched)) + sum_of(others)


def _matches(lines: Sequence[Billed], charge: Charged | None) -> list[Match]:
    """Say of each line of one generation what it is."""
    if charge is None:
        return [Match.UNREADABLE if line.amount is None else Match.NOT_OURS for line in lines]
    if any(line.amount is None for line in lines):
        return [Match.UNREADABLE if line.amount is None else Match.DIFFERS for line in lines]
    if charge.credits is None:
        return [Match.NOT_CHARGED] * len(lines)
    amounts = [line.amount for line in lines if line.amount is not None]
    whole = Billed(0, "", sum(amounts, Decimal(0)), "", lines[0].unit)
    if whole.is_amount_of(charge.credits):
        return [Match.MATCHED] * len(lines)
    first = Match.MATCHED if lines[0].is_amount_of(charge.credits) else Match.DIFFERS
    return [first, *[Match.TWICE] * (len(lines) - 1)]
