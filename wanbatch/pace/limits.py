"""The provider's limits as a run learns them: how many takes at once, and how many submits a minute.

A 429 does not say which limit it means. So it is tried: the number in flight is held where it was, and after a while
some more are sent. If they are accepted, the places were not the limit, and the rate was too high; where that is
refused twice, the second time after a minute, they are. Afterwards one more place, or a tenth more of the rate, is
tried so seldom that at most one submit in a hundred is refused. Pure: the time comes in as an argument, seconds of a
monotonic clock.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field, replace

GROWTH = 2  # nothing ends while a run begins: with 1, each POST would wait for the answer to the one before it
TRIAL_AFTER_S = (15.0, 65.0)  # soon, for a limit by the second; and when a window of a minute has passed
PROBE_ROUNDS = 3  # one place more is tried after this many rounds of completions,
PROBE_FLOOR = 100  # and not before so many of them: one refusal in a hundred submits
PROBE_DOUBLINGS = 3
UNSEEN_ENDS, UNSEEN_SHARE = 2, 8  # so many, and an eighth of the places, may be free without our knowing
ALIKE_LIMIT = 5  # equal failures in a row: four takes of bad luck are possible, five alike have one cause
RATE_CUT = 0.7  # of the rate at a refusal; four of these find a third of what was assumed
RATE_RAISE = 1.1
RAISE_AFTER, RAISE_AFTER_MOST = 20, 400  # accepted submits before the next raise; twice as many after each refusal
RATE_IS_USED = 0.7  # a refusal well below the rate that was learnt is about places

_VARYING = re.compile(r"[A-Za-z0-9_-]*\d[A-Za-z0-9_-]*")


@dataclass
class Bucket:
    """A rate limit: `per_s` tokens a second, `burst` at once after a pause."""

    per_s: float
    burst: float = 1.0
    _level: float = field(init=False)
    _at: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Start full."""
        self._level = self.burst

    def ready_at(self, now: float) -> float:
        """Return when the next token is there; `now` where it is there already."""
        level = self._level_at(now)
        return now if level >= 1 - 1e-9 else now + (1 - level) / self.per_s

    def take(self, now: float) -> None:
        """Use a token."""
        self._level, self._at = self._level_at(now) - 1, now

    def slow_to(self, per_s: float, now: float) -> None:
        """Change the rate from now on."""
        self._level, self._at, self.per_s = self._level_at(now), now, per_s

    def _level_at(self, now: float) -> float:
        if self._at is None:
            return self._level
        return min(self.burst, self._level + max(0.0, now - self._at) * self.per_s)


@dataclass(frozen=True)
class InFlight:
    """How many takes may be with the provider at once: learnt from 1 upwards, never past `cap`.

    Each acceptance allows `GROWTH` more. A 429 fixes the number at what is running then (halving it would idle the
    provider for a third of the night). Whether places are the limit at all is tried from `trial_at` on, one submit
    `beyond` the other: some generations have ended that no poll has seen yet, so a single one accepted proves nothing.
    """

    cap: int
    allowed: int = 1
    is_fixed: bool = False
    is_settled: bool = False  # trials have shown that places are the limit
    ended_since: int = 0
    trial_at: float | None = None
    trials: int = 0
    beyond: int = 0
    is_trying: bool = False  # the submit that is out goes beyond what is allowed
    probes_failed: int = 0

    @property
    def _margin(self) -> int:
        return UNSEEN_ENDS + self.allowed // UNSEEN_SHARE

    def accepted(self) -> InFlight:
        """One more was accepted."""
        if not self.is_fixed:
            return replace(self, allowed=min(self.cap, self.allowed + GROWTH))
        if not self.is_trying:
            return self
        if self.is_settled:  # a probe: one place more
            return replace(
                self, allowed=self.allowed + 1, trial_at=None, is_trying=False, probes_failed=0, ended_since=0
            )
        beyond = self.beyond + 1
        if beyond >= self._margin or self.allowed + beyond >= self.cap:  # places were not what was refused
            return InFlight(self.cap, min(self.cap, self.allowed + beyond))
        return replace(self, beyond=beyond, is_trying=False)

    def turned_away(self, running: int, now: float = 0.0) -> InFlight:
        """The provider said 429 while this many were running."""
        held = replace(self, is_fixed=True, ended_since=0, is_trying=False, beyond=0, trial_at=None)
        if self.is_trying and self.is_settled:
            return replace(held, probes_failed=min(PROBE_DOUBLINGS, self.probes_failed + 1))
        if self.is_trying:
            trials = self.trials + 1
            return replace(
                held, trials=trials, trial_at=_trial_at(trials, now), is_settled=trials >= len(TRIAL_AFTER_S)
            )
        allowed = max(1, min(running, self.cap))
        if self.is_settled and 2 * running > self.allowed:
            return replace(held, allowed=min(allowed, self.allowed))
        return replace(held, allowed=allowed, trials=0, trial_at=_trial_at(0, now), is_settled=False)

    def sent(self, running: int) -> InFlight:
        """A submit goes out while this many are running."""
        is_trying = self.is_fixed and running >= self.allowed
        return self if is_trying is self.is_trying else replace(self, is_trying=is_trying)

    def may_try_at(self, running: int) -> float | None:
        """Return when one more than allowed may be sent, to see what a 429 meant; None if that is known."""
        is_full = self.allowed <= running <= self.allowed + self.beyond
        return self.trial_at if is_full and running < self.cap else None

    def ended(self) -> InFlight:
        """A generation ended."""
        if not self.is_settled:
            return self
        due = max(PROBE_ROUNDS * self.allowed, PROBE_FLOOR) * 2**self.probes_failed
        if self.ended_since + 1 >= due:
            return replace(self, trial_at=0.0, ended_since=0)
        return replace(self, ended_since=self.ended_since + 1)


def _trial_at(trials: int, now: float) -> float | None:
    return now + TRIAL_AFTER_S[trials] if trials < len(TRIAL_AFTER_S) else None


class Breaker:
    """Says when the number of equal failures in a row is so high that more money should not follow.

    Ids and numbers in a cause do not make it another. Failures caused by the prompt only do not count.
    """

    def __init__(self, limit: int = ALIKE_LIMIT) -> None:
        self._limit = limit
        self._cause = ""
        self._row = 0

    def went_well(self) -> None:
        """Something ended as it should."""
        self._cause, self._row = "", 0

    def failed(self, cause: str) -> bool:
        """Something failed; say whether that is enough."""
        plain = _VARYING.sub("#", cause).casefold()
        self._row = self._row + 1 if plain == self._cause else 1
        self._cause = plain
        return self._row >= self._limit


class LearntRate:
    """The submits a minute that the provider takes; `per_min` is None while nothing says less than the user did."""

    def __init__(self, told_per_min: float) -> None:
        self._told = told_per_min
        self.per_min: float | None = None
        self._good: float | None = None  # what went well before it was raised
        self._accepted: deque[float] = deque()
        self._since = 0
        self._raise_after = RAISE_AFTER

    def accepted(self, now: float) -> None:
        """One was accepted: after enough of them, try a tenth more."""
        self._accepted.append(now)
        self._since += 1
        if self.per_min is not None and self._since >= self._raise_after:
            self._good, self.per_min, self._since = self.per_min, self.per_min * RATE_RAISE, 0
            if self.per_min >= self._told:
                self.per_min = None

    def is_spent(self, now: float) -> bool:
        """Say whether a refusal now is explained by the rate that was learnt: about as many went out."""
        while self._accepted and self._accepted[0] <= now - 60:
            self._accepted.popleft()
        return self.per_min is not None and len(self._accepted) >= RATE_IS_USED * self.per_min

    def refused(self) -> None:
        """Lower the rate after a 429: back to the last good one after a raise, else by a fixed share."""
        if self._good is not None:  # a raise was too much
            self.per_min, self._raise_after = self._good, min(RAISE_AFTER_MOST, 2 * self._raise_after)
        else:
            self.per_min = (self._told if self.per_min is None else self.per_min) * RATE_CUT
        self._good, self._since = None, 0

    @property
    def now_per_min(self) -> float:
        """The rate to keep."""
        return self._told if self.per_min is None else self.per_min
