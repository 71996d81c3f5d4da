"""The prices of a batch: what each price class was quoted, what answers held and what the ledger lists as charged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pandas as pd

from wanbatch.reporting.book import Book
from wanbatch.reporting.record import typed_frame, with_usd

PRICE_COLUMNS: dict[str, str] = {
    "batch": "string",
    "price_class": "string",
    "first_quoted_usd": "Float64",
    "first_quoted_credits": "Int64",
    "first_source": "string",
    "last_quoted_usd": "Float64",
    "last_quoted_credits": "Int64",
    "last_source": "string",
    "held_low_usd": "Float64",
    "held_low_credits": "Int64",
    "held_high_usd": "Float64",
    "held_high_credits": "Int64",
    "charged_low_usd": "Float64",
    "charged_low_credits": "Int64",
    "charged_high_usd": "Float64",
    "charged_high_credits": "Int64",
    "drift_percent": "Float64",
}


def prices_frame(books: Sequence[Book]) -> pd.DataFrame:
    """One row per price class: what it was quoted at first and last, what answers held and what was charged."""
    return typed_frame([row for book in books for row in _rows(book)], PRICE_COLUMNS)


def _rows(book: Book) -> list[dict[str, Any]]:
    attempts, classes = book.record.attempts, book.attempt_orders["price_class"]
    sent = book.orders.loc[book.record.takes["submitted_at"].notna(), "price_class"].unique()
    names = dict.fromkeys([*(each.price_class for each in book.record.quotes), *sent, *classes.unique()])
    charged = attempts["credits_charged"].mask(attempts["credits_charged"] == 0)  # no generation is free
    held, charges = _seen(attempts["credits_held"], classes), _seen(charged, classes)
    return [_row(book, name, held.get(name, {}), charges.get(name, {})) for name in names]


def _seen(credits_seen: pd.Series[Any], classes: pd.Series[Any]) -> Mapping[str, Mapping[str, int]]:
    """Return for each class the least, the most and the last that was seen; nothing if none was."""
    known = credits_seen.dropna()
    seen = known.groupby(classes).agg(["min", "max", "last"])
    return {str(name): {"min": least, "max": most, "last": last} for name, least, most, last in seen.itertuples()}


def _row(book: Book, name: str, held: Mapping[str, int], charged: Mapping[str, int]) -> dict[str, Any]:
    quotes = [each for each in book.record.quotes if each.price_class == name]
    first = next((each for each in quotes if each.credits is not None), None)
    last = quotes[-1] if quotes else None
    seen = charged.get("last", held.get("last"))
    drift = None
    if first is not None and first.credits and seen is not None:
        drift = (Decimal(int(seen) - first.credits) * 100 / first.credits).quantize(Decimal("0.01"))
    row = {
        "batch": book.batch,
        "price_class": name,
        "first_quoted_credits": first.credits if first is not None else None,
        "first_source": first.source if first is not None else None,
        "last_quoted_credits": last.credits if last is not None else None,
        "last_source": last.source if last is not None else None,
        "held_low_credits": held.get("min"),
        "held_high_credits": held.get("max"),
        "charged_low_credits": charged.get("min"),
        "charged_high_credits": charged.get("max"),
        "drift_percent": None if drift is None else float(drift),
    }
    return with_usd(row)
