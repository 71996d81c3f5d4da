"""Prices: credits and USD, what a take should cost, and caps. Credits are integers, USD is Decimal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType

from wanbatch.batch.models import PriceClass, documented_prices
from wanbatch.money.credits import partly_known, usd, usd_text
from wanbatch.units import count_text


@dataclass(frozen=True)
class Quote:
    """What takes of one class are expected to cost: credits each, and the source of the figure.

    `others` are prices of other sources for the same class: they widen the range, not the expectation.
    `is_live` if the provider just said so, `is_proven` if this batch was charged or held that much.
    `why` says why the provider's list gives no price now; it is empty if the list does, or if it is not needed.
    """

    credits: int | None
    source: str
    others: tuple[int, ...] = ()
    is_live: bool = False
    is_proven: bool = False
    why: str = ""

    @property
    def low(self) -> int | None:
        """The lowest price of any source; None if there is no price."""
        return None if self.credits is None else min(self.credits, *self.others, self.credits)

    @property
    def high(self) -> int | None:
        """The highest price of any source; None if there is no price."""
        return None if self.credits is None else max(self.credits, *self.others, self.credits)


UNKNOWN_QUOTE = Quote(None, "unknown")


def unknown_quote(why: str) -> Quote:
    """Return the quote of a price that is unknown, with the reason."""
    return replace(UNKNOWN_QUOTE, why=why)


THIS_BATCH, EARLIER_BATCHES = "this batch", "earlier batches"
PRICE_LIST, DOCUMENTATION = "price list", "documentation"


@dataclass(frozen=True)
class Estimate:
    """The cost of unpaid takes. All three figures sum the known ones; `unpriced` counts the others.

    `is_worst_known` unless a take may go on with a fallback whose price is unknown.

    `low`: each take once, at the lowest price of any source. `credits`, what is expected: once, at the most
    trustworthy. `worst`: at the highest, and charged as often as it may be tried.
    """

    credits: int
    takes: int
    unpriced: int
    low: int = 0
    worst: int = 0
    is_worst_known: bool = True

    @property
    def usd(self) -> Decimal | None:
        """What is expected, in USD; None while a price is unknown."""
        return None if self.unpriced else usd(self.credits)

    def __str__(self) -> str:
        """Say it in words: an unknown price is never 0."""
        takes = count_text(self.takes, "take")
        if not self.unpriced:
            more = "" if self.is_worst_known else "+?"
            return f"{takes} for about {usd_text(self.credits)}, at worst {usd_text(self.worst)}{more}"
        return f"{takes} for {partly_known(self.credits, self.unpriced)}"

    def __add__(self, other: Estimate) -> Estimate:
        """Put two together."""
        return Estimate(
            self.credits + other.credits,
            self.takes + other.takes,
            self.unpriced + other.unpriced,
            self.low + other.low,
            self.worst + other.worst,
            self.is_worst_known and other.is_worst_known,
        )


NOTHING = Estimate(0, 0, 0)


def estimate(classes: Iterable[PriceClass], quotes: Mapping[PriceClass, Quote], tries: int = 1) -> Estimate:
    """Sum what takes of these classes will cost. An unknown price is counted, never treated as 0."""
    total = NOTHING
    for price_class in classes:
        quote = quotes.get(price_class, UNKNOWN_QUOTE)
        if quote.credits is None or quote.low is None or quote.high is None:
            total += Estimate(0, 1, 1)
        else:
            total += Estimate(quote.credits, 1, 0, quote.low, quote.high * tries)
    return total


def best_quote(
    price_class: PriceClass,
    seen: Mapping[PriceClass, int],
    listed: Quote | None,
    earlier: Mapping[PriceClass, int] = MappingProxyType({}),
    held: Mapping[PriceClass, int] = MappingProxyType({}),
) -> Quote:
    """Choose the most trustworthy price, and keep the prices of the other sources beside it.

    In this order: seen in this batch, the provider's list as it is now, charged in earlier batches, an older copy of
    the list, the provider's documentation. `held` are the latest holds, which prove no price on their own.
    """
    stated = listed if listed is not None and listed.credits is not None else None
    reported = [
        _quote(seen.get(price_class), THIS_BATCH, is_proven=True),
        stated if stated is not None and stated.is_live else None,
        _quote(earlier.get(price_class), EARLIER_BATCHES),
        stated,
        _quote(documented_credits(price_class), DOCUMENTATION),
    ]
    found = [quote for quote in reported if quote is not None]
    why = listed.why if listed is not None and stated is None else ""
    if not found:
        return unknown_quote(why)
    # The documentation is the last resort: it does not count beside a current price.
    others = {quote.credits for quote in found if quote.source != DOCUMENTATION} | {held.get(price_class)}
    others |= set(stated.others) if stated is not None else set()
    rest = sorted(each for each in others if each is not None and each != found[0].credits)
    return replace(found[0], others=tuple(rest), why="" if found[0].is_proven else why)


def _quote(credit_count: int | None, source: str, *, is_proven: bool = False) -> Quote | None:
    return None if credit_count is None else Quote(credit_count, source, is_proven=is_proven)


def documented_credits(price_class: PriceClass) -> int | None:
    """Return the price in the documentation's own sample answers, if there is one of this class."""
    return documented_prices().get(price_class)


@dataclass(frozen=True)
class QuotedPrice:
    """The price of a class that a run used, and its source. Credits are for one take; None if unknown."""

    run_id: int
    price_class: str
    model: str
    resolution: str | None
    duration_s: int | None
    credits: int | None
    low: int | None
    high: int | None
    source: str
    at: datetime
