"""The table of an invoice, or of the provider's own export: which columns and rows of it are what, in which unit. Pure.

No format is documented, so columns are found by what is in them: the one with generations of the batch, and
the one that has a header that names an amount of credits, of USD or of the currency that the user names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from wanbatch.money.credits import CREDITS_PER_USD, usd
from wanbatch.money.currency import Currency

_ID_HEADS = ("generationid", "generation", "taskid", "jobid", "inferenceid", "requestid", "reference", "id")
_AMOUNT_HEADS = ("usd", "amount", "cost", "charge", "price", "total")
_CURRENCY_HEADS = ("currency", "currencycode", "curr", "ccy", "waehrung", "whrung", "devise", "moneda")  # umlauts go
_AMOUNT = re.compile(r"(-?)\s*(\d{1,15}(?:\.\d{1,12})?)")
_GROUPED = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_CODES = {
    "AED", "ARS", "AUD", "BRL", "CAD", "CHF", "CLP", "CNY", "COP", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF", "IDR",
    "ILS", "INR", "JPY", "KRW", "MXN", "MYR", "NOK", "NZD", "PHP", "PLN", "RON", "SAR", "SEK", "SGD", "THB", "TWD",
    "UAH", "USD", "VND", "ZAR",
}  # fmt: skip
_SIGNS = {"\u20ac": "EUR", "\u00a3": "GBP", "\u00a5": "JPY", "\u20b9": "INR", "\u20a9": "KRW"}
_DOLLAR = "$"
_OTHER_DOLLARS = {"ARS", "AUD", "CAD", "CLP", "COP", "HKD", "MXN", "NZD", "SGD", "TWD"}
_TOTAL = re.compile(
    r"(?i)\b(?:(?:sub|grand)?total|sum|(?:zwischen)?summe|\w*gesamt\w*|somme|(?:sub)?totale|suma)\b"
    r"|\b(?:amount|balance) due\b"
)
_USD = "USD"
_CREDITS = "credits"


@dataclass(frozen=True)
class Unit:
    """What the amounts of an invoice are in: `credits`, or a currency by its code; and how many of it are one USD."""

    code: str
    per_usd: Decimal

    @property
    def is_converted(self) -> bool:
        """Say whether charges are converted to compare them: not where one credit is a whole number of units."""
        return self.code not in (_CREDITS, _USD)

    def amount_of(self, credit_count: int) -> Decimal:
        """Return what so many credits are."""
        return usd(credit_count) * self.per_usd

    def credits_of(self, amount: Decimal) -> int:
        """Return an amount in credits, rounded."""
        return int((amount / self.per_usd * CREDITS_PER_USD).to_integral_value())


IN_CREDITS, IN_USD = Unit(_CREDITS, Decimal(CREDITS_PER_USD)), Unit(_USD, Decimal(1))


@dataclass(frozen=True)
class Billed:
    """One line of an invoice: its number in the file, its generation, and its amount as it is written.

    `generation_id` is empty if the line has none, and `amount` None if it cannot be read. `is_total` says that it adds
    up other lines.
    """

    number: int
    generation_id: str
    amount: Decimal | None
    text: str
    unit: Unit = IN_USD
    is_total: bool = False

    @property
    def credits(self) -> int | None:
        """The amount in credits, rounded if it is written with fewer places; None if it cannot be read."""
        return None if self.amount is None else self.unit.credits_of(self.amount)

    @property
    def places(self) -> int:
        """How many decimals the amount is written with."""
        exponent = 0 if self.amount is None else self.amount.as_tuple().exponent
        return -exponent if isinstance(exponent, int) and exponent < 0 else 0

    def is_amount_of(self, credit_count: int) -> bool:
        """Say whether this is what so many credits are, to the places that are written."""
        return self.is_rounded_from(self.unit.amount_of(credit_count))

    def is_rounded_from(self, amount: Decimal) -> bool:
        """Say whether this is an amount to the places that are written; at half a place, a converted one either way."""
        if self.amount is None:
            return False
        place = Decimal(1).scaleb(-self.places)
        if self.unit.is_converted:
            return abs(amount - self.amount) <= place / 2
        return amount.quantize(place, ROUND_HALF_UP) == self.amount


@dataclass(frozen=True)
class Invoice:
    """What a file bills, in one unit: lines with a generation, and rows without one; those that are totals say so."""

    unit: Unit
    lines: tuple[Billed, ...]
    rest: tuple[Billed, ...] = ()


def read_invoice(rows: Sequence[Sequence[str]], known: Iterable[str], currency: Currency | None = None) -> Invoice:
    """Read the lines of a table whose first row has the names of its columns.

    `known` are the generations of the batch; with `currency`, amounts are in it. Raises ValueError if no column of ids
    or amounts can be told, or if the amounts are in another currency.
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
    amount_at, is_credits = _amount_column(rows[0], heads, currency)
    if amount_at is None:
        raise ValueError("no column has a header that names an amount: call the amount column usd or credits")
    unit = IN_CREDITS if is_credits else _unit(_codes_in(rows, heads, amount_at), currency)
    lines: list[Billed] = []
    others: list[Billed] = []
    for number, row in enumerate(body, start=2):
        cells = [cell.strip() for cell in row]
        text, name = (cells[each] if each < len(cells) else "" for each in (amount_at, at))
        has_id = bool(name) and (name in ours or not _says_total(name))
        if not has_id and not text:
            continue  # a line of words
        is_total = not has_id and any(_says_total(cell) for each, cell in enumerate(cells) if each != amount_at)
        line = Billed(number, name if has_id else "", read_amount(text), text, unit, is_total)
        (lines if has_id else others).append(line)
    return _invoice(unit, lines, others)


def _says_total(text: str) -> bool:
    return _TOTAL.search(text) is not None


def _id_column(heads: Sequence[str], body: Sequence[Sequence[str]], ours: set[str]) -> int | None:
    hits = [sum(at < len(row) and row[at].strip() in ours for row in body) for at in range(len(heads))]
    most = max(hits, default=0)
    if most:
        return hits.index(most)
    return next((heads.index(head) for head in _ID_HEADS if head in heads), None)


def _amount_column(written: Sequence[str], heads: Sequence[str], currency: Currency | None) -> tuple[int | None, bool]:
    """Return the column of amounts, and whether they are credits: that of the named currency before all others."""
    if currency is not None:
        for at, cell in enumerate(written):
            if currency.code in _codes_of(cell):
                return at, False
    for at, head in enumerate(heads):
        if "credit" in head and currency is None:
            return at, True
    for word in _AMOUNT_HEADS:
        for at, head in enumerate(heads):
            if word in head:
                return at, False
    return None, False


def _codes_of(text: str) -> set[str]:
    """Return the currencies that a text names, by code or by sign. A dollar sign alone names none: many have it."""
    words = (word.upper() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", text))
    return {word for word in words if word in _CODES} | {code for sign, code in _SIGNS.items() if sign in text}


def _codes_in(rows: Sequence[Sequence[str]], heads: Sequence[str], amount_at: int) -> set[str]:
    """Return the currencies of the amounts: by their header, their cells, and a column of currencies."""
    found = _codes_of(rows[0][amount_at])
    column = next((heads.index(head) for head in _CURRENCY_HEADS if head in heads), None)
    for row in rows[1:]:
        if amount_at < len(row):
            found |= _codes_of(row[amount_at])
        if column is not None and column < len(row):
            found |= _codes_of(row[column]) or {row[column].strip().upper()} - {"", "$"}
    has_dollars = any(_DOLLAR in row[amount_at] for row in rows if amount_at < len(row))
    return found or ({_DOLLAR} if has_dollars else set())


def _unit(codes: set[str], currency: Currency | None) -> Unit:
    """Return the currency of the amounts. Raises ValueError if it is not the one the user said, or not one alone."""
    if len(codes) > 1:
        names = " and ".join(sorted(codes))
        raise ValueError(f"its amounts are in {names}: put the lines of each currency in a file of its own")
    code = next(iter(codes), None)
    is_dollar_of = currency is not None and code == _DOLLAR and currency.code in _OTHER_DOLLARS
    if currency is not None and (code in (None, currency.code) or is_dollar_of):
        return Unit(currency.code, currency.rate)
    if code in (None, _USD, _DOLLAR):
        if currency is not None:
            raise ValueError("its amounts are in USD, as those of the ledger are: leave --currency out")
        return IN_USD
    raise ValueError(
        f"its amounts are in {code}, and those of the ledger in USD: add --currency {code}=RATE, where RATE is how much"
        f" {code} one USD was on the invoice"
    )


def read_amount(text: str) -> Decimal | None:
    """Read `1.575`, `$1.58`, `1,575.00` or `1.58 USD`; None for anything that could be two amounts, such as `1,575`."""
    plain = re.sub(r"(?i)credits?|[\s\u00a0]", "", text)
    for word in (*_codes_of(text), *_SIGNS, _DOLLAR):
        plain = re.sub(re.escape(word), "", plain, flags=re.IGNORECASE)
    if "," in plain and (not _GROUPED.fullmatch(plain) or "." not in plain):
        return None
    found = _AMOUNT.fullmatch(plain.replace(",", ""))
    try:
        return None if found is None else Decimal(found[1] + found[2])
    except InvalidOperation:
        return None


def _invoice(unit: Unit, lines: list[Billed], others: list[Billed]) -> Invoice:
    """Take an export that lists spending below 0 as spending; and a row that adds up those above it as a total."""
    amounts = [line.amount for line in (*lines, *others) if line.amount is not None]
    if amounts and max(amounts) <= 0:
        lines, others = (
            [each if each.amount is None else replace(each, amount=-each.amount) for each in mine]
            for mine in (lines, others)
        )
    rest: list[Billed] = []
    for each in others:
        above = [line.amount for line in (*lines, *rest) if line.number < each.number and not line.is_total]
        is_sum = len(above) > 1 and each.amount == sum(amount for amount in above if amount is not None)
        rest.append(replace(each, is_total=each.is_total or is_sum))
    return Invoice(unit, tuple(lines), tuple(rest))
