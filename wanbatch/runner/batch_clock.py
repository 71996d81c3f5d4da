"""The batch's clock: what its state file remembers of our clock and the provider's, and the time that ages go by."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from wanbatch.clock import Clock
from wanbatch.provider.clocks import Kept, earlier, has_changed, is_in_the_future, lead_of, margin_of, wrong_clock_text
from wanbatch.state.file import StateFile

NOTE = "clocks"
WORTH_A_NOTE = timedelta(seconds=30)  # what is less is the error of a date


class BatchClock:
    """Knows the skew of this run and of those before it. Only `measured` and `keep` write, to one note."""

    def __init__(self, state: StateFile, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._kept = Kept.read(state.noted(NOTE))
        self._noted = self._kept
        self._is_new = state.is_new
        self._newest = max((state.created_at(), *(at for at in [state.last_written_at()] if at is not None)))
        self.ahead: timedelta | None = None  # of the provider's clock, as this run measured it

    def measured(self, ahead: timedelta | None) -> None:
        """Record how far the provider's clock is ahead of ours; None if its answers have no dates."""
        self.ahead = ahead
        if ahead is None:
            return
        self._kept = replace(self._kept.measured(ahead), is_checked=self._is_new or self._kept.is_checked)
        is_further = _differs(self._noted.low, self._kept.low) or _differs(self._noted.high, self._kept.high)
        if is_further or self._noted.is_checked is not self._kept.is_checked:
            self._write()

    def wrong_text(self, ahead: timedelta | None) -> str | None:
        """Say that our clock is wrong, or was set since the runs before; None if neither is true."""
        wrong = wrong_clock_text(ahead)
        if wrong is not None or ahead is None or not has_changed(self._kept, ahead):
            return wrong
        return "this machine's clock was wrong in an earlier run, and agrees with the provider's now"

    @property
    def ours(self) -> datetime:
        """The time of day by our clock."""
        return self._clock.now()

    @property
    def theirs(self) -> datetime | None:
        """The time of day by the provider's clock; None if that is not known."""
        return None if self.ahead is None else self.ours + self.ahead

    def now(self) -> datetime:
        """Return the time that ages are counted by: it passes as slowly as the slower of the two clocks."""
        return self._kept.now(self.ours, self.theirs)

    def keep(self) -> None:
        """Keep the counted time, so that the next run counts on from it."""
        self._kept = self._kept.at(self.ours, self.theirs)
        self._write()

    def _write(self) -> None:
        self._state.note(NOTE, self._kept.text())
        self._noted = self._kept

    @property
    def kept_at(self) -> datetime | None:
        """When, by our clock, it was kept last; None before that."""
        return self._kept.ours

    @property
    def is_checked(self) -> bool:
        """Say whether it is known how wrong the recorded times can be.

        Not where the run that began the batch compared no clocks, nor if one of them is in the future by more than
        any clock was found to be wrong.
        """
        if not self._is_new and not self._kept.is_checked:
            return False
        return not self.is_in_the_future(earlier(self._newest, margin_of(self._kept, is_checked=True)))

    @property
    def margin(self) -> timedelta:
        """By how much a time that was recorded by our clock may be too late for the provider's."""
        return margin_of(self._kept, is_checked=self.is_checked)

    @property
    def lead(self) -> timedelta:
        """By how much a time that was recorded by our clock may be too early for the provider's."""
        return lead_of(self._kept, is_checked=self.is_checked)

    def earliest(self, at: datetime, *, is_checked: bool | None = None) -> datetime:
        """Return from when the provider's log or ledger may show something that was recorded at a time.

        `is_checked` where that time is better known than the others are.
        """
        known = self.is_checked if is_checked is None else is_checked
        past = min(each for each in (at, self.ours, self.theirs) if each is not None)
        return earlier(past, margin_of(self._kept, is_checked=known))

    def recorded_since(self, at: datetime) -> datetime:
        """Return from when on something may be recorded that happened then or later by the provider's clock."""
        return earlier(at, self.lead)

    def is_in_the_future(self, at: datetime) -> bool:
        """Say whether a time is ahead of either clock."""
        return is_in_the_future(at, self.ours, self.theirs)


def _differs(before: timedelta | None, after: timedelta | None) -> bool:
    return before is None or after is None or abs(after - before) > WORTH_A_NOTE
