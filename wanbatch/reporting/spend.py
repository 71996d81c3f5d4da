"""The spend of a batch over time: every submit and every charge, and what they come to by the hour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from wanbatch.reporting.book import Book
from wanbatch.reporting.record import usd_of, with_usd

SPEND_COLUMNS: dict[str, str] = {
    "at": "time",
    "batch": "string",
    "take": "string",
    "generation_id": "string",
    "event": "string",
    "submitted_usd": "Float64",
    "submitted_credits": "Int64",
    "charged_usd": "Float64",
    "charged_credits": "Int64",
}


def spend_frame(books: Sequence[Book]) -> pd.DataFrame:
    """One row per event: a submit with what it held or was expected to, a charge when the ledger showed it."""
    events = pd.concat([each for book in books for each in (_submits(book), _charges(book))], ignore_index=True)
    events = events.sort_values(["at", "take", "event"], kind="stable", ignore_index=True)
    for event in ("submitted", "charged"):
        events[f"{event}_credits"] = events["credits"].where(events["event"] == event)
        events[f"{event}_usd"] = usd_of(events[f"{event}_credits"])
    return events[list(SPEND_COLUMNS)]


def _submits(book: Book) -> pd.DataFrame:
    made = book.record.attempts[book.record.attempts["generation_id"].notna()]
    held = made["credits_held"].fillna(made["credits_estimated"])
    return _events(book, made.assign(at=made["started_at"], credits=held), "submitted")


def _charges(book: Book) -> pd.DataFrame:
    return _events(book, book.record.charges, "charged")


def _events(book: Book, rows: pd.DataFrame, event: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "at": rows["at"],
            "batch": pd.Series(book.batch, index=rows.index, dtype="string"),
            "take": book.labels.take(book.rows_of_takes(rows)).array,
            "generation_id": rows["generation_id"],
            "event": pd.Series(event, index=rows.index, dtype="string"),
            "credits": rows["credits"],
        },
        copy=False,
    )


_BUCKETS = (("D", 2 * 86_400), ("h", 2 * 3_600), ("10min", 0))
BUCKETS_SHOWN = 48


def spend_by_time(spend: pd.DataFrame) -> list[dict[str, Any]]:
    """Sum the spend by day, hour or ten minutes, whichever suits its length: at, submits, charges, charged, so far."""
    if not len(spend):
        return []
    span_s = (spend["at"].max() - spend["at"].min()).total_seconds()
    width = next(name for name, least_s in _BUCKETS if span_s >= least_s)
    rows = []
    so_far = 0
    for at, group in spend.groupby(spend["at"].dt.floor(width)):
        charges = group[group["event"] == "charged"]
        charged = int(charges["charged_credits"].sum())
        so_far += charged
        counts = {"submits": int((group["event"] == "submitted").sum()), "charges": len(charges)}
        rows.append(
            {"at": at.isoformat(), **counts, **with_usd({"charged_credits": charged, "charged_so_far_credits": so_far})}
        )
    return rows[-BUCKETS_SHOWN:]
