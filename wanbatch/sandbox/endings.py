"""The endings that the sandbox announces, in the provider's published shape. Which models end is its own invention.

One model still serves and has a day on which it ends; one was folded into another under its old name; one, which the
sandbox never served, is withdrawn.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from wanbatch.sandbox.books import iso

DAY_S = 86_400.0
ENDING, FOLDED, WITHDRAWN = "alibaba/wan2.1-t2v-turbo", "alibaba/wan2.1-t2v-plus", "alibaba/wan2.2-i2v-plus"
STATUSES = ("deprecated", "superseded", "withdrawn")


def ending_rows(opened_at: float) -> list[dict[str, Any]]:
    """Return every row, newest first; days count from when the account was opened (Unix seconds)."""
    return [
        _row(ENDING, "deprecated", (opened_at - 5 * DAY_S, opened_at + 60 * DAY_S), "alibaba/wan2.2-t2v-plus"),
        _row(FOLDED, "superseded", (opened_at - 30 * DAY_S, None), "alibaba/wan2.2-t2v-plus"),
        _row(WITHDRAWN, "withdrawn", (opened_at - 90 * DAY_S, opened_at - 30 * DAY_S), "alibaba/wan-2-6-i2v"),
    ]


def _row(model: str, status: str, times: tuple[float, float | None], replaced_by: str) -> dict[str, Any]:
    deprecated_at, shutdown_at = times
    return {
        "id": model,
        "aliases": [model.rsplit("/", maxsplit=1)[-1]],
        "status": status,
        "deprecated_at": iso(deprecated_at),
        "shutdown_at": None if shutdown_at is None else iso(shutdown_at),
        "replaced_by": replaced_by,
        "reason": None,
    }


def ending_page(opened_at: float, statuses: set[str], since: str) -> list[dict[str, Any]]:
    """Return the requested rows; like the provider, it ignores an unknown status or day."""
    rows = ending_rows(opened_at)
    wanted = statuses & set(STATUSES)
    if wanted:
        rows = [row for row in rows if row["status"] in wanted]
    is_day = len(since) == len("2026-08-24") and since.replace("-", "").isdigit()
    return [row for row in rows if row["deprecated_at"] >= since] if is_day else rows


def etag_of(rows: list[dict[str, Any]]) -> str:
    """Return the ETag of a list, whatever the time of the request."""
    return '"' + hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:32] + '"'
