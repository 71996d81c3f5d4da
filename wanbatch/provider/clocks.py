"""The clocks of a batch: how far the provider's lies from ours, and how much time has passed for certain. Pure.

Either clock may be wrong, be set, or jump. What is bought depends on neither alone: the skew between them is the median
of many answers, so that one wrong date changes nothing; a question of the past is asked from where the earlier clock
puts it; and an age counts only the time that both have seen pass.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from statistics import median_low
from typing import Any

SAMPLES = 9  # so many answers are remembered: five of them have to be wrong before the median is
ENOUGH = 3  # so many have to agree before anything is made of their dates
AGREE_S = 30.0
DATE_ERROR_S = 1.0  # an HTTP date has whole seconds
SKEW_LIMIT_S = 50 * 365.25 * 86400.0  # a date further off is no date
TOLD = timedelta(minutes=2)  # a clock that is further off is told
REFUSED = timedelta(days=1)  # a clock that is further off is to be set before anything is sent
CLOCK_MARGIN = timedelta(hours=4)  # what the clocks of the log and of the ledger may differ by, and more
UNCHECKED_MARGIN = timedelta(days=91)  # nobody compared the clock that told these times: all that the log reaches


class Skew:
    """How far the provider's clock is ahead of ours, from the dates of its newest answers."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque(maxlen=SAMPLES)

    def note(self, told: datetime, sent: datetime, answered: datetime) -> None:
        """Take in the date of an answer, and when by our clock it was asked for and came."""
        took_s = max(0.0, (answered - sent).total_seconds())
        ahead_s = (told - sent).total_seconds() - took_s / 2 + DATE_ERROR_S / 2
        if abs(ahead_s) <= SKEW_LIMIT_S:
            self._samples.append((ahead_s, took_s / 2 + DATE_ERROR_S))

    @property
    def ahead(self) -> timedelta | None:
        """The median; None before the first date."""
        if not self._samples:
            return None
        return timedelta(seconds=median_low(ahead_s for ahead_s, _ in self._samples))

    @property
    def is_settled(self) -> bool:
        """Say whether enough answers, and two of three at least, agree about it."""
        ahead = self.ahead
        if ahead is None or len(self._samples) < ENOUGH:
            return False
        middle_s = ahead.total_seconds()
        alike = sum(abs(ahead_s - middle_s) <= AGREE_S + error_s for ahead_s, error_s in self._samples)
        return alike >= ENOUGH and 3 * alike >= 2 * len(self._samples)

    @property
    def spread(self) -> timedelta:
        """How far the dates lie apart at most."""
        told = [ahead_s for ahead_s, _ in self._samples]
        return timedelta(seconds=max(told) - min(told)) if told else timedelta(0)


@dataclass(frozen=True)
class Kept:
    """What a batch remembers of its clocks from run to run.

    `low` and `high` are the least and the greatest skew measured in any run, None before the first. `counted` is the
    time that has passed for certain, as a time of day: it stood so when our clock said `ours` and the provider's said
    `theirs` (None if its answers have no dates). `is_checked` where the run that began the batch compared its clock,
    so that how wrong any of its times can be is known.
    """

    low: timedelta | None = None
    high: timedelta | None = None
    counted: datetime | None = None
    ours: datetime | None = None
    theirs: datetime | None = None
    is_checked: bool = False

    @classmethod
    def read(cls, text: str | None) -> Kept:
        """Read it from a note of the state file; what cannot be read was never measured."""
        try:
            told = json.loads(text or "{}")
            return cls(
                low=_seconds(told, "low_s"),
                high=_seconds(told, "high_s"),
                counted=_time(told, "counted"),
                ours=_time(told, "ours"),
                theirs=_time(told, "theirs"),
                is_checked=told.get("is_checked") is True,
            )
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            return cls()

    def text(self) -> str:
        """Write it as the text of a note."""
        told: dict[str, Any] = {
            "low_s": None if self.low is None else round(self.low.total_seconds(), 3),
            "high_s": None if self.high is None else round(self.high.total_seconds(), 3),
        }
        for name in ("counted", "ours", "theirs"):
            at: datetime | None = getattr(self, name)
            told[name] = None if at is None else at.astimezone(UTC).isoformat(timespec="milliseconds")
        told["is_checked"] = self.is_checked
        return json.dumps(told)

    def measured(self, ahead: timedelta) -> Kept:
        """Return what is remembered after a skew was measured."""
        low = ahead if self.low is None else min(self.low, ahead)
        high = ahead if self.high is None else max(self.high, ahead)
        return replace(self, low=low, high=high)

    def now(self, ours: datetime, theirs: datetime | None) -> datetime:
        """Return the counted time: what has passed since it was kept is the least that either clock says, never less
        than nothing.
        """
        if self.counted is None or self.ours is None:
            return ours if theirs is None else min(ours, theirs)
        passed = [ours - self.ours]
        if theirs is not None and self.theirs is not None:
            passed.append(theirs - self.theirs)
        return self.counted + max(timedelta(0), min(passed))

    def at(self, ours: datetime, theirs: datetime | None) -> Kept:
        """Return it with the counted time of now."""
        return replace(self, counted=self.now(ours, theirs), ours=ours, theirs=theirs)


def _seconds(told: Mapping[str, Any], name: str) -> timedelta | None:
    raw = told.get(name)
    if raw is None:
        return None
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not math.isfinite(raw) or abs(raw) > SKEW_LIMIT_S:
        raise ValueError(name)
    return timedelta(seconds=raw)


def _time(told: Mapping[str, Any], name: str) -> datetime | None:
    raw = told.get(name)
    if raw is None:
        return None
    at = datetime.fromisoformat(raw)
    if at.tzinfo is None:
        raise ValueError(name)
    return at


def margin_of(kept: Kept, *, is_checked: bool) -> timedelta:
    """Return by how much a time that our clock told may be too late for the provider's.

    `is_checked` says whether the clock that told the oldest of these times was compared then: what it was wrong by is
    known. Where it was not, it may have been wrong by anything, and be right by now.
    """
    low = timedelta(0) if kept.low is None else kept.low
    behind = -low if low < -timedelta(seconds=AGREE_S) else timedelta(0)
    return (CLOCK_MARGIN if is_checked else UNCHECKED_MARGIN) + behind


def lead_of(kept: Kept, *, is_checked: bool) -> timedelta:
    """Return by how much a time that our clock told may be too early for the provider's; without end where unknown."""
    if not is_checked:
        return timedelta.max
    return CLOCK_MARGIN + max(timedelta(0), timedelta(0) if kept.high is None else kept.high)


def is_in_the_future(at: datetime, ours: datetime, theirs: datetime | None) -> bool:
    """Say whether a time lies ahead of either clock."""
    return at > (ours if theirs is None else min(ours, theirs)) + TOLD


def earlier(at: datetime, by: timedelta) -> datetime:
    """Return a time earlier by so much; the first that there is where that would be before it."""
    try:
        return at - by
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def span_text(span: timedelta) -> str:
    """Write how far two clocks lie apart, as a person says it."""
    minutes = round(abs(span).total_seconds() / 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes / 60:.1f} h" if minutes < 48 * 60 else f"{minutes / 1440:.1f} days"


def wrong_clock_text(ahead: timedelta | None) -> str | None:
    """Say that the clocks differ; None if they agree well enough, or where nobody knows."""
    if ahead is None or abs(ahead) <= TOLD:
        return None
    side = "behind" if ahead > timedelta(0) else "ahead of"
    return f"this machine's clock is {span_text(ahead)} {side} the provider's"


def has_changed(kept: Kept, ahead: timedelta) -> bool:
    """Say whether the clocks differ by another amount than any earlier run saw."""
    if kept.low is None or kept.high is None:
        return False
    return ahead < kept.low - TOLD or ahead > kept.high + TOLD
