"""Prices: credits and USD, what a take should cost, and caps. Credits are integers, USD is Decimal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal, InvalidOperation
from typing import Any

from wanbatch.models import DOCUMENTED_CREDITS, PriceClass

CREDITS_PER_USD = 2_000_000  # exact, stated by the provider
CREDITS_MAX = 10**15  # half a billion USD: a larger figure is a misread field, not a price


def usd(credit_count: int) -> Decimal:
    """Return the USD of a number of credits, exact."""
    return Decimal(credit_count) / CREDITS_PER_USD


def usd_text(credit_count: int | None) -> str:
    """Return `1.58 USD`, or `unknown`."""
    return "unknown" if credit_count is None else f"{usd(credit_count):,.2f} USD"


def credits_of_usd(amount: Decimal) -> int:
    """Return the whole credits in an amount of USD, rounded down: a cap must not be passed."""
    return int((amount * CREDITS_PER_USD).to_integral_value(rounding=ROUND_FLOOR))


def read_credits(value: object) -> int | None:
    """Read a credits field of an answer: a whole number from 0, else None (unknown, never 0).

    3150000 and 3150000.0 are whole; text, booleans, negatives, NaN and absurd sizes are not taken for money.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if value != value or value < 0 or value > CREDITS_MAX or value != int(value):  # noqa: PLR0124  NaN is not itself
        return None
    return int(value)


@dataclass(frozen=True)
class Quote:
    """What takes of one class are expected to cost: credits each, and where that was read."""

    credits: int | None
    source: str


UNKNOWN_QUOTE = Quote(None, "unknown")


@dataclass(frozen=True)
class Estimate:
    """The cost of takes that are not paid yet. `credits` sums the known ones; `unpriced` counts the others."""

    credits: int
    takes: int
    unpriced: int


def estimate(classes: Iterable[PriceClass], quotes: Mapping[PriceClass, Quote]) -> Estimate:
    """Sum what takes of these classes will cost. An unknown price is counted, never taken as 0."""
    total = takes = unpriced = 0
    for price_class in classes:
        takes += 1
        each = quotes.get(price_class, UNKNOWN_QUOTE).credits
        if each is None:
            unpriced += 1
        else:
            total += each
    return Estimate(total, takes, unpriced)


def best_quote(price_class: PriceClass, seen: Mapping[PriceClass, int], listed: Quote | None) -> Quote:
    """Choose the most trustworthy price: seen in this batch, else the provider's list, else its documentation."""
    if price_class in seen:
        return Quote(seen[price_class], "this batch")
    if listed is not None and listed.credits is not None:
        return listed
    if price_class.resolution is not None and price_class.duration_s is not None:
        documented = DOCUMENTED_CREDITS.get((price_class.model, price_class.resolution, price_class.duration_s))
        if documented is not None:
            return Quote(documented, "documentation")
    return UNKNOWN_QUOTE


_PER_CLIP = frozenset({"video", "generation", "request", "clip", "item", "call", "unit"})
_PER_SECOND = frozenset({"second", "seconds", "s", "sec", "output_second", "video_second"})


def listed_quote(pricing: object, price_class: PriceClass) -> Quote:
    """Read the provider's price list for one class.

    `pricing` is the decoded `pricing` object of one model: `kind` is fixed, variants or variable. How its rates are
    spelt is not documented, so whatever does not clearly fit is an unknown price. Source: provider OpenAPI
    `models`, 2026-08-21.
    """
    if not isinstance(pricing, Mapping) or pricing.get("currency", "USD") != "USD":
        return UNKNOWN_QUOTE
    rows: object = None
    if pricing.get("kind") == "fixed":
        rows = pricing.get("units")
    elif pricing.get("kind") == "variants":
        rows = pricing.get("variants")
    if not isinstance(rows, list):
        return UNKNOWN_QUOTE
    fitting = [row for row in rows if isinstance(row, Mapping) and _fits(row, price_class, pricing)]
    if len(fitting) != 1:
        return UNKNOWN_QUOTE
    return Quote(_credits_of_row(fitting[0], price_class), "price list")


def _fits(row: Mapping[str, Any], price_class: PriceClass, pricing: Mapping[str, Any]) -> bool:
    dimensions = pricing.get("dimensions") if pricing.get("kind") == "variants" else []
    if not isinstance(dimensions, list):
        return False
    ours = {"resolution": price_class.resolution, "duration": price_class.duration_s}
    nested = next((row[key] for key in ("dimensions", "parameters", "when") if isinstance(row.get(key), Mapping)), row)
    return all(
        name in ours and ours[name] is not None and str(nested.get(name)).casefold() == str(ours[name]).casefold()
        for name in dimensions
    )


def _credits_of_row(row: Mapping[str, Any], price_class: PriceClass) -> int | None:
    raw, per = row.get("price"), str(row.get("per", "")).casefold()
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        return None
    try:
        price = Decimal(str(raw)) * CREDITS_PER_USD
    except InvalidOperation:
        return None
    if per in _PER_SECOND:
        if price_class.duration_s is None:
            return None
        price *= price_class.duration_s
    elif per not in _PER_CLIP:
        return None
    if not price.is_finite() or price <= 0 or price > CREDITS_MAX or price != price.to_integral_value():
        return None
    return int(price)
