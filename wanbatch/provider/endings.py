"""The endings of models: which ones the provider has retired or will retire. Pure.

Source: the provider's OpenAPI `model-deprecations`, 2026-08-24: `GET /v1/models/deprecations`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any

from wanbatch.provider.bodies import AnswerInvalid
from wanbatch.text import shown

_DAY_TEXT = len("2026-08-24")


class Stage(IntEnum):
    """How far the end of a model has come; if several rows name it, the largest is reported."""

    UNCLEAR = 1  # the provider says something about it that wanbatch does not understand
    FOLDED = 2  # replaced by another one, and still served under this name
    ANNOUNCED = 3
    GONE = 4


@dataclass(frozen=True)
class Ending:
    """One row of the provider's list. Moments are UTC, or None if none is named or none can be read.

    `shutdown_text` is what the provider wrote as the time of the end, empty if it wrote nothing.
    """

    model: str
    aliases: frozenset[str]
    status: str
    deprecated_at: datetime | None
    shutdown_at: datetime | None
    shutdown_text: str
    replaced_by: str
    reason: str

    def stage(self, now: datetime) -> Stage:
        """Say how far it has come. The name of a superseded model is still served, whatever its last day."""
        if self.status == "superseded":
            return Stage.FOLDED
        if self.status == "withdrawn" or (self.shutdown_at is not None and self.shutdown_at <= now):
            return Stage.GONE
        return Stage.ANNOUNCED if self.status == "deprecated" else Stage.UNCLEAR

    def text(self, name: str, now: datetime) -> str:
        """Say in one sentence what the end of the model means for a manifest that uses this name."""
        stage = self.stage(now)
        when = "" if not self.shutdown_text else f" on {self.shutdown_text}"
        said = {
            Stage.GONE: f"{name} is gone: the provider withdrew it{when}",
            Stage.ANNOUNCED: f"{name} will be retired{when}"
            + ("" if when else ", but the provider has not named the date"),
            Stage.FOLDED: f"the provider now serves another model under the name {name}",
            Stage.UNCLEAR: f"the provider lists {name} among the models that are retired, with the status"
            f" '{self.status}'",
        }[stage]
        because = f" ({self.reason})" if self.reason else ""
        instead = f"; the provider names {self.replaced_by} as its replacement" if self.replaced_by else ""
        return f"{said}{because}{instead}"


def read_endings(fields: Mapping[str, Any]) -> tuple[Ending, ...]:
    """Read the provider's list. A row that names no model is left out. Raises AnswerInvalid for anything but a list."""
    rows = fields.get("data")
    if not isinstance(rows, list):
        raise AnswerInvalid("a list of ending models without rows")
    return tuple(_ending(row) for row in rows if isinstance(row, Mapping) and isinstance(row.get("id"), str))


def _ending(row: Mapping[str, Any]) -> Ending:
    aliases = row.get("aliases")
    return Ending(
        model=row["id"],
        aliases=frozenset(name for name in aliases if isinstance(name, str))
        if isinstance(aliases, list)
        else frozenset(),
        status=shown(row["status"]).casefold() if isinstance(row.get("status"), str) else "unknown",
        deprecated_at=_moment(row.get("deprecated_at"), is_end=False),
        shutdown_at=_moment(row.get("shutdown_at"), is_end=True),
        shutdown_text=_day(row.get("shutdown_at")),
        replaced_by=_said(row.get("replaced_by")),
        reason=_said(row.get("reason")),
    )


def _said(value: object) -> str:
    return shown(value) if isinstance(value, str) else ""


def _day(value: object) -> str:
    moment = _moment(value, is_end=False)
    return f"{moment:%Y-%m-%d}" if moment is not None else _said(value)


def _moment(value: object, *, is_end: bool) -> datetime | None:
    """Read a day or a moment; a last day ends at its midnight."""
    if not isinstance(value, str):
        return None
    try:
        reported = datetime.fromisoformat(value)
        moment = reported if reported.tzinfo is not None else reported.replace(tzinfo=UTC)
        return (moment + timedelta(days=int(is_end and len(value) <= _DAY_TEXT))).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def ending_of(endings: Iterable[Ending], name: str, now: datetime) -> Ending | None:
    """Return what the list says about a model, by its id or any alias; the furthest row if there are several."""
    found = [each for each in endings if name == each.model or name in each.aliases]
    return max(found, key=lambda each: each.stage(now), default=None)
