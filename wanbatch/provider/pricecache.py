"""The cache of price lists: what the provider's list said last, kept for this user, with its age.

It is in the user's cache folder and not in an output folder: a list belongs to the provider and not to a batch, a
plan writes nothing into an output folder, and losing it costs one request. It only ever saves an answer that the
provider confirms as unchanged (304), or is used, with its age, if the provider does not answer at all.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from wanbatch.disk import replace_text

CACHE_NAME = "prices.json"
KEPT_FOR = timedelta(days=30)  # an older list says nothing about today's price
_ETAG = re.compile(r'(W/)?"[\x21\x23-\x7e]{0,200}"')
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


@dataclass(frozen=True)
class Listed:
    """What a list said about one model (its `pricing` object) or about all (which of them end), and when (UTC)."""

    pricing: Any
    etag: str
    at: datetime

    def age_text(self, now: datetime) -> str:
        """Return `list from 3 h ago`."""
        seconds = max(0, int((now - self.at).total_seconds()))
        for unit_s, name in _UNITS:
            if seconds >= unit_s:
                return f"list from {seconds // unit_s} {name} ago"
        return "list from just now"


def read_etag(text: str | None) -> str:
    """Return an ETag that may be sent back; empty if there is none, or it is malformed."""
    return text if text is not None and _ETAG.fullmatch(text) else ""


class PriceCache:
    """Price lists by model, of one provider. A list that cannot be read or written counts as missing."""

    def __init__(self, provider: str, path: Path | None = None) -> None:
        self._provider = provider
        self._path = path if path is not None else user_cache_path("wanbatch") / CACHE_NAME

    def get(self, model: str, now: datetime) -> Listed | None:
        """Return the cached list for a model; None if there is none, or it is too old."""
        row: Any = self._rows().get(model)
        try:
            kept = Listed(row["pricing"], read_etag(row["etag"]), datetime.fromisoformat(row["at"]))
            is_good = kept.at.tzinfo is not None and kept.at <= now + timedelta(days=1) and now - kept.at <= KEPT_FOR
        except (TypeError, KeyError, ValueError, OverflowError):
            return None
        return kept if is_good else None

    def keep(self, model: str, listed: Listed) -> None:
        """Keep a list that was just sent or confirmed."""
        row = {"pricing": listed.pricing, "etag": listed.etag, "at": listed.at.astimezone(UTC).isoformat()}
        every = self._every()
        every[self._provider] = {**self._rows(), model: row}
        with suppress(OSError, ValueError):
            replace_text(self._path, json.dumps(every, ensure_ascii=False) + "\n")

    def _rows(self) -> dict[str, Any]:
        rows = self._every().get(self._provider)
        return rows if isinstance(rows, dict) else {}

    def _every(self) -> dict[str, Any]:
        try:
            every = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return every if isinstance(every, dict) else {}
