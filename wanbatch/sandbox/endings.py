"""The endings that the sandbox announces, in the provider's published shape. Which models end is its own invention.

One model still serves and has a day on which it ends; one was folded into another under its old name; one is
withdrawn, and takes no requests. `schemas/model-facts.json` names them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from wanbatch.sandbox.books import iso
from wanbatch.sandbox.models import Model

DAY_S = 86_400.0
# In days from when the account was opened: since when it is said, and the last day, None for none.
STATUSES: Mapping[str, tuple[int, int | None]] = {
    "deprecated": (-5, 60),
    "superseded": (-30, None),
    "withdrawn": (-90, -30),
}


def ending_rows(models: Mapping[str, Model], opened_at: float) -> list[dict[str, Any]]:
    """Return every row, newest first; days count from when the account was opened (Unix seconds)."""
    ending = [model for model in models.values() if model.ends]
    return [_row(model, opened_at) for status in STATUSES for model in ending if model.ends == status]


def _row(model: Model, opened_at: float) -> dict[str, Any]:
    begin, end = STATUSES[model.ends]
    deprecated_at = iso(opened_at + begin * DAY_S)
    return {
        "id": model.name,
        "aliases": list(model.aliases),
        "status": model.ends,
        "deprecated_at": deprecated_at,
        "shutdown_at": None if end is None else iso(opened_at + end * DAY_S),
        "replaced_by": model.own["replaced_by"],
        "reason": None,
    }


def ending_page(models: Mapping[str, Model], opened_at: float, statuses: set[str], since: str) -> list[dict[str, Any]]:
    """Return the requested rows; like the provider, it ignores an unknown status or day."""
    rows = ending_rows(models, opened_at)
    wanted = statuses & set(STATUSES)
    if wanted:
        rows = [row for row in rows if row["status"] in wanted]
    is_day = len(since) == len("2026-08-24") and since.replace("-", "").isdigit()
    return [row for row in rows if row["deprecated_at"] >= since] if is_day else rows


def etag_of(rows: list[dict[str, Any]]) -> str:
    """Return the ETag of a list, whatever the time of the request."""
    return '"' + hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:32] + '"'
