"""An invoice, or the provider's own export, held line by line against the charges that a batch recorded. Pure.

No format is documented, so columns are found by what is in them: the one with generations of the batch, and
the one that has the header of an amount of credits or USD.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from enum import StrEnum

from wanbatch.money.credits import CREDITS_PER_USD, usd

_ID_HEADS = ("generationid", "generation", "taskid", "jobid", "inferenceid", "requestid", "reference", "id")
_USD_HEADS = ("usd", "amount", "cost", "charge", "price", "total")
_AMOUNT = re.compile(r"(-?)\s*(\d{1,15}(?:\.\d{1,12})?)")
_GROUPED = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?")


class Match(StrEnum):
    """What a line of an invoice, or a charge without one, is."""

    MATCHED = "matched"
    DIFFERS = "differs"
    TWICE = "twice"
    NOT_OURS = "not in this batch"
    NOT_CHARGED = "not charged"
    NOT_ON_INVOICE = "not on the invoice"
    UNREADABLE = "unreadable"


MATCH_WORDS: Mapping[Match, str] = {
    Match.MATCHED: "the same amount as in the ledger",
    Match.DIFFERS: "a different amount from the one in the ledger",
    Match.TWICE: "a further line for a generation that was charged once",
    Match.NOT_OURS: "a generation that this batch does not know",
    Match.NOT_CHARGED: "a generation of this batch whose charge is not in the ledger as read so far",
    Match.NOT_ON_INVOICE: "charged in the ledger, but missing from the invoice",
    Match.UNREADABLE: "an amount that cannot be read",
}


@dataclass(frozen=True)
class Billed:
    """One line of an invoice: its number in the file, its generation, and its amount as it is written.

    `amount` is in `is_credits` credits or else in USD; None if it cannot be read.
    """

    number: int
    generation_id: str
    amount: Decimal | None
    text: str
    is_credits: bool

    @property
    def credits(self) -> int | None:
        """The amount in credits, rounded where USD are in cents; None if it cannot be read."""
        if self.amount is None:
            return None
        return int(self.amount if self.is_credits else (self.amount * CREDITS_PER_USD).to_integral_value())

    @property
    def places(self) -> int:
        """How many decimals the amount is written with."""
        exponent = 0 if self.amount is None else self.amount.as_tuple().exponent
        return -exponent if isinstance(exponent, int) and exponent < 0 else 0

    def is_amount_of(self, credit_count: int) -> bool:
        """Say whether this is what so many credits are, to the places that are written."""
        if self.amount is None:
            return False
        if self.is_credits:
            return self.amount == credit_count
        places = Decimal(1).scaleb(-self.places)
        return usd(credit_count).quantize(places, ROUND_HALF_UP) == self.amount


@dataclass(frozen=True)
class Charged:
    """What a batch recorded for a generation: the take, and the credits charged for it; None if not seen."""

    take: str
    credits: int | None


@dataclass(frozen=True)
class Matched:
    """One line of the result. `number` is None for a charge that no line has."""

    match: Match
    number: int | None
    generation_id: str
    take: str
    billed: int | None
    charged: int | None

    @property
    def difference(self) -> int | None:
        """What was billed beyond the charge; None if one of both is not known."""
        return None if self.billed is None or self.charged is None else self.billed - self.charged


def read_invoice(rows: Sequence[Sequence[str]], known: Iterable[str]) -> list[Billed]:
    """Read the lines of a table whose first row has the names of its columns.

    `known` are the generations of the batch. Raises ValueError if no column of ids or amounts can be told.
    """
    if len(rows) < 2:
        raise ValueError("the file has no line below its header")
    heads = [re.sub(r"[^a-z]", "", cell.lower()) for cell in rows[0]]
    ours, body = set(known), rows[1:]
    at = _id_column(heads, body, ours)
    if at is None:
        raise ValueError(
            "no column holds a generation of this batch: call the column with the provider's ids generation_id"
        )
    amount_at, is_credits = _amount_column(heads)
    if amount_at is None:
        raise ValueError("no column has a header that names an amount: call the amount column usd or credits")
    lines = []
    for number, row in enumerate(body, start=2):
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        text = cells[amount_at] if amount_at < len(cells) else ""
        name = cells[at] if at < len(cells) else ""
        lines.append(Billed(number, name, read_amount(text), text, is_credits))
    return _positive(lines)


def _id_column(heads: Sequence[str], body: Sequence[Sequence[str]], ours: set[str]) -> int | None:
    hits = [sum(at < len(row) and row[at].strip() in ours for row in body) for at in range(len(heads))]
    most = max(hits, default=0)
    if most:
        return hits.index(most)
    return next((heads.index(head) for head in _ID_HEADS if head in heads), None)


def _amount_column(heads: Sequence[str]) -> tuple[int | None, bool]:
    for at, head in enumerate(heads):
        if "credit" in head:
            return at, True
    for word in _USD_HEADS:
        for at, head in enumerate(heads):
            if word in head:
                return at, False
    return None, False


def read_amount(text: str) -> Decimal | None:
    """Read `1.575`, `$1.58`, `1,575.00` or `1.58 USD`; None for anything that could be two amounts, such as `1,575`."""
    plain = re.sub(r"(?i)usd|credits?|[$\s\u00a0]", "", text)
    if "," in plain and (not _GROUPED.fullmatch(plain) or "." not in plain):
        return None
    found = _AMOUNT.fullmatch(plain.replace(",", ""))
    try:
        return None if found is None else Decimal(found[1] + found[2])
    except InvalidOperation:
        return None


def _positive(lines: list[Billed]) -> list[Billed]:
    """Take an export that lists spending below 0 as spending."""
    amounts = [line.amount for line in lines if line.amount is not None]
    if not amounts or max(amounts) > 0:
        return lines
    return [
        Billed(
            each.number, each.generation_id, None if each.amount is None else -each.amount, each.text, each.is_credits
        )
        for each in lines
    ]


def match_invoice(lines: Sequence[Billed], ours: Mapping[str, Charged]) -> list[Matched]:
    """Match each line with the charge of its generation, in the order of the file; then charges without a line.

    Several lines of one generation whose sum is its charge, such as a charge and what was paid back, are matched.
    """
    groups: dict[str, list[Billed]] = {}
    for line in lines:
        groups.setdefault(line.generation_id, []).append(line)
    matches = {name: _matches(mine, ours.get(name)) for name, mine in groups.items()}
    found = []
    for line in lines:
        match, charge = matches[line.generation_id].pop(0), ours.get(line.generation_id)
        charged = None if charge is None or match is Match.TWICE else charge.credits
        take = "" if charge is None else charge.take
        found.append(Matched(match, line.number, line.generation_id, take, line.credits, charged))
    rest = [
        Matched(Match.NOT_ON_INVOICE, None, name, charge.take, None, charge.credits)
        for name, charge in ours.items()
        if charge.credits and name not in groups
    ]
    return found + rest


def _matches(lines: Sequence[Billed], charge: Charged | None) -> list[Match]:
    """Say of each line of one generation what it is."""
    if charge is None:
        return [Match.UNREADABLE if line.amount is None else Match.NOT_OURS for line in lines]
    if any(line.amount is None for line in lines):
        return [Match.UNREADABLE if line.amount is None else Match.DIFFERS for line in lines]
    if charge.credits is None:
        return [Match.NOT_CHARGED] * len(lines)
    amounts = [line.amount for line in lines if line.amount is not None]
    whole = Billed(0, "", sum(amounts, Decimal(0)), "", lines[0].is_credits)
    if whole.is_amount_of(charge.credits):
        return [Match.MATCHED] * len(lines)
    first = Match.MATCHED if lines[0].is_amount_of(charge.credits) else Match.DIFFERS
    return [first, *[Match.TWICE] * (len(lines) - 1)]
