"""The clocks of a batch: how far the provider's clock is from ours, and how much time has certainly passed. Pure.

Either clock may be wrong, be set, or jump. No purchase depends on one of them: the skew between them is the median
of many answers, so that one wrong date changes nothing; a question about the past starts where the earlier clock
puts it; and an age counts only time that both have seen pass.
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

SAMPLES = 9  # answers remembered: five of them have to be wrong before the median is
ENOUGH = 3  # answers that have to agree before their dates are used
AGREE_S = 30.0
DATE_ERROR_S = 1.0  # an HTTP date has whole seconds
SKEW_LIMIT_S = 50 * 365.25 * 86400.0  # a date further off is not believed
TOLD = timedelta(minutes=2)  # a clock that is further off is reported
REFUSED = timedelta(days=1)  # a clock that is further off has to be set before anything is sent
CLOCK_MARGIN = timedelta(hours=4)  # more than the clocks of the log and of the ledger may differ by
UNCHECKED_MARGIN = timedelta(days=91)  # the clock behind these times was never compared: as far as the log reaches


class Skew:
    """How far the provider's clock is ahead of ours, from the dates of its newest answers."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque(maxlen=SAMPLES)

    def note(self, reported: datetime, sent: datetime, answered: datetime) -> None:
        """Add the date of an answer, and when by our clock it was requested and received."""
        took_s = max(0.0, (answered - sent).total_seconds())
        ahead_s = (reported - sent).total_seconds() - took_s / 2 + DATE_ERROR_S / 2
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
        """Say whether enough answers, at least two of three, agree about it."""
        ahead = self.ahead
        if ahead is None or len(self._samples) < ENOUGH:
            return False
        middle_s = ahead.total_seconds()
        alike = sum(abs(ahead_s - middle_s) <= AGREE_S + error_s for ahead_s, error_s in self._samples)
        return alike >= ENOUGH and 3 * alike >= 2 * len(self._samples)

    @property
    def spread(self) -> timedelta:
        """How far apart the dates are at most."""
        reported = [ahead_s for ahead_s, _ in self._samples]
        return timedelta(seconds=max(reported) - min(reported)) if reported else timedelta(0)


@dataclass(frozen=True)
class Kept:
    """What a batch remembers of its clocks from run to run.

    `low` and `high` are the least and the greatest skew measured in any run, None before the first. `counted` is the
    time that has certainly passed, as a time of day: it had this value when our clock said `ours` and the provider's
    said `theirs` (None if its answers have no dates). `is_checked` if the run that began the batch compared its clock,
    so that the error of its times is known.
    """

    low: timedelta | None = None
    high: timedelta | None = None
    counted: datetime | None = None
    ours: datetime | None = None
    theirs: datetime | None = None
    is_checked: bool = False

    @classmethod
    def read(cls, text: str | None) -> Kept:
        """Read it from a note of the state file; an unreadable note counts as never measured."""
        try:
            reported = json.loads(text or "{}")
            return cls(
                low=_seconds(reported, "low_s"),
                high=_seconds(reported, "high_s"),
                counted=_time(reported, "counted"),
                ours=_time(reported, "ours"),
                theirs=_time(reported, "theirs"),
                is_checked=reported.get("is_checked") is True,
            )
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            return cls()

    def text(self) -> str:
        """Write it as the text of a note."""
        reported: dict[str, Any] = {
            "low_s": None if self.low is None else round(self.low.total_seconds(), 3),
            "high_s": None if self.high is None else round(self.high.total_seconds(), 3),
        }
        for name in ("counted", "ours", "theirs"):
            at: datetime | None = getattr(self, name)
            reported[name] = None if at is None else at.astimezone(UTC).isoformat(timespec="milliseconds")
        reported["is_checked"] = self.is_checked
        return json.dumps(reported)

    def measured(self, ahead: timedelta) -> Kept:
        """Return the memory after a skew was measured."""
        low = ahead if self.low is None else min(self.low, ahead)
        high = ahead if self.high is None else max(self.high, ahead)
        return replace(self, low=low, high=high)

    def now(self, ours: datetime, theirs: datetime | None) -> datetime:
        """Return the counted time: the time since it was kept is the least that either clock says, never less
        than nothing.
        """
        if self.counted is None or self.ours is None:
            return ours if theirs is None else min(ours, theirs)
        passed = [ours - self.ours]
        if theirs is not None and self.theirs is not None:
            passed.append(theirs - self.theirs)
        return self.counted + max(timedelta(0), min(passed))

    def at(self, ours: datetime, theirs: datetime | None) -> Kept:
        """Return it with the counted time as of now."""
        return replace(self, counted=self.now(ours, theirs), ours=ours, theirs=theirs)


def _seconds(reported: Mapping[str, Any], name: str) -> timedelta | None:
    raw = reported.get(name)
    if raw is None:
        return None
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not math.isfinite(raw) or abs(raw) > SKEW_LIMIT_S:
        raise ValueError(name)
    return timedelta(seconds=raw)


def _time(reported: Mapping[str, Any], name: str) -> datetime | None:
    raw = reported.get(name)
    if raw is None:
        return None
    at = datetime.fromisoformat(raw)
    if at.tzinfo is None:
        raise ValueError(name)
    return at


def margin_of(kept: Kept, *, is_checked: bool) -> timedelta:
    """Return by how much a time of our clock may be too late for the provider's.

    `is_checked` says whether the clock behind the oldest of these times was compared then: its error is then
    known. If not, its error may have been of any size, and it may be right by now.
    """
    low = timedelta(0) if kept.low is None else kept.low
    behind = -low if low < -timedelta(seconds=AGREE_S) else timedelta(0)
    return (CLOCK_MARGIN if is_checked else UNCHECKED_MARGIN) + behind


def lead_of(kept: Kept, *, is_checked: bool) -> timedelta:
    """Return by how much a time of our clock may be too early for the provider's; infinite if unknown."""
    if not is_checked:
        return timedelta.max
    return CLOCK_MARGIN + max(timedelta(0), timedelta(0) if kept.high is None else kept.high)


def is_in_the_future(at: datetime, ours: datetime, theirs: datetime | None) -> bool:
    """Say whether a time is ahead of either clock."""
    return at > (ours if theirs is None else min(ours, theirs)) + TOLD


def earlier(at: datetime, by: timedelta) -> datetime:
    """Return a time earlier by this much, or the earliest possible time."""
    try:
        return at - by
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def span_text(span: timedelta) -> str:
    """Write how far apart two clocks are, as a person says it."""
    minutes = round(abs(span).total_seconds() / 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes / 60:.1f} h" if minutes < 48 * 60 else f"{minutes / 1440:.1f} days"


def wrong_clock_text(ahead: timedelta | None) -> str | None:
    """Say that the clocks differ; None if they agree well enough, or if that is unknown."""
    if ahead is None or abs(ahead) <= TOLD:
        return None
    side = "behind" if ahead > timedelta(0) else "ahead of"
    return f"this machine's clock is {span_text(ahead)} {side} the provider's"


def has_changed(kept: Kept, ahead: timedelta) -> bool:
    """Say whether the clocks differ by an amount that no earlier run saw."""
    if kept.low is None or kept.high is None:
        return False
    return ahead < kept.low - TOLD or ahead > kept.high + TOLD
