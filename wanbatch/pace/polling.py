"""When to poll a take. The hazard: how likely a running generation ends now, learnt from those that ended.

Let `f` be the density of the time that generations of one class take, `S(t)` the share that takes longer than `t`,
and `h = f / S` the hazard. Asking at the rate `n(t)` while a generation of age `t` runs costs `integral n S dt` polls
and finds its end `integral f / (2 n) dt` late, on average. For a given number of polls the lateness is least where the
derivative of their weighted sum vanishes at every age: `n = sqrt(h / 2c)` for some `c`. So the polls lie where

    A(t) = integral from 0 to t of sqrt(h) ds

has grown by one and the same step each time, and lateness times polls is `(integral sqrt(f S) dt)^2 / 2`. The mean of
`A` over a class, divided by the step, is the number of polls a take, but for the half step by which the poll that
finds the end lies beyond it.

`h` is ends over seconds under watch, in bins whose edges grow by 2.5% (5 s at 205 s), smoothed over three of them. It
begins with what earlier runs saw, else with four imaginary takes, lognormal around the provider's own sample run. What
was seen long ago counts less, so that a provider that becomes slower or faster is followed.

Sources: J. B. Keller, "Optimum checking schedules for systems subject to random failure", Management Science 21 (1974),
for the density of checks; R. E. Barlow, L. C. Hunter and F. Proschan, "Optimum checking procedures", J. SIAM 11 (1963),
for the exact problem; E. L. Kaplan and P. Meier, J. Am. Stat. Assoc. 53 (1958), for ends over exposure. Pure: no clock,
no files.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

FIRST_EDGE_S = 2.0
BIN_RATIO = 1.025
BINS = 332  # up to two hours
PRIOR_MEAN_S = 205.0  # the provider's own sample run
PRIOR_CV = 0.5
PRIOR_TAKES = 4.0
EARLIER_TAKES = 25.0  # what earlier runs saw counts as so many: a provider is much like itself from night to night
FLOOR_TAKES = 0.05  # of the first guess, kept for good: no bin is ever without exposure
FORGET = 0.995  # a completion counts half as much after 138 more
REFIT_SHARE = 1 / 32  # learn again when this share more has ended,
REFIT_POLLS = 16  # or so many more were seen running: late ones tell, too
POLLS_PER_TAKE = 13.5  # the last finds the end: 3.6 s late on average where durations vary by a quarter
POLL_FLOOR_S = 2.0  # faster gains under 1% of a 200 s clip
POLL_CAP_S = 60.0
QUIET_CAP_S = 150.0  # before anything of a class ends
QUIET_SHARE = 0.02

POLL_FIRST_S = 8.0  # tells whether a take still waits in the provider's queue
POLL_EVERY_S = 10.0  # of what waits: for its start, for a link, for an id to become known
POLL_EVERY_MAX_S = 60.0

_LOG_RATIO = math.log(BIN_RATIO)
_EDGES = (0.0, *(FIRST_EDGE_S * BIN_RATIO**n for n in range(BINS)))
_WIDTHS = tuple(b - a for a, b in pairwise(_EDGES))
END_S = _EDGES[-1]


def queued_poll_s(age_s: float) -> float:
    """Return how long to wait for the next poll of a take that waits in the provider's queue.

    It cannot end there; polls only tell when it left, and an eighth of its wait is near enough.
    """
    return min(POLL_EVERY_MAX_S, max(POLL_EVERY_S, age_s / 8))


def _bin_of(age_s: float) -> int:
    if age_s < FIRST_EDGE_S:
        return 0
    at = min(BINS - 1, 1 + int(math.log(age_s / FIRST_EDGE_S) / _LOG_RATIO))
    return at - 1 if age_s < _EDGES[at] else at  # the logarithm is not exact at an edge


@dataclass(frozen=True)
class Seen:
    """What was seen of a class so far: weighted ends, and weighted seconds under watch, by bin of age."""

    ends: tuple[float, ...]
    watched_s: tuple[float, ...]

    @property
    def mean_s(self) -> float:
        """The mean age of those that ended, in seconds."""
        ages = zip(self.ends, pairwise(_EDGES), strict=True)
        return sum(each * (begin + end) / 2 for each, (begin, end) in ages) / sum(self.ends)


def lognormal(mean_s: float, cv: float) -> Seen:
    """Return what one take of a lognormal class would show on average."""
    sigma = math.sqrt(math.log(1 + cv * cv))
    mu = math.log(mean_s) - sigma * sigma / 2

    def survival(t: float) -> float:
        return 1.0 if t <= 0 else 0.5 * math.erfc((math.log(t) - mu) / (sigma * math.sqrt(2)))

    alive = [survival(edge) for edge in _EDGES]
    pairs = list(pairwise(alive))
    return Seen(
        tuple(a - b for a, b in pairs),
        tuple((a + b) / 2 * width_s for (a, b), width_s in zip(pairs, _WIDTHS, strict=True)),
    )


FIRST_GUESS = lognormal(PRIOR_MEAN_S, PRIOR_CV)


class Curve:
    """The hazard of one class as fitted: `A` at the edges of the bins, and the step between polls."""

    def __init__(self, hazards: Sequence[float], polls_per_take: float) -> None:
        self._roots = [math.sqrt(each) for each in hazards]
        self._areas = [0.0]
        self._quiet_until_s = 0.0
        alive = 1.0
        mean_area = mean_s = 0.0
        for n, (hazard, root, width_s) in enumerate(zip(hazards, self._roots, _WIDTHS, strict=True)):
            ends = alive * -math.expm1(-hazard * width_s)
            lived_s = ends / hazard if hazard > 1e-12 else alive * width_s
            mean_area += lived_s * root
            mean_s += lived_s
            self._areas.append(self._areas[-1] + root * width_s)
            alive -= ends
            if alive >= 1 - QUIET_SHARE:
                self._quiet_until_s = _EDGES[n + 1]
        self.mean_s = mean_s
        self.step = max(1e-6, mean_area / max(0.5, polls_per_take - 0.5))

    def area(self, age_s: float) -> float:
        """Return `A` at an age, in square roots of seconds."""
        at = _bin_of(age_s)
        return self._areas[at] + self._roots[at] * (age_s - _EDGES[at])

    def age_at(self, area: float) -> float:
        """Return the age at which `A` has a value; seconds, infinite where it never has."""
        at = min(BINS - 1, max(0, bisect_right(self._areas, area) - 1))
        root = self._roots[at]
        return _EDGES[at] + ((area - self._areas[at]) / root if root > 0 else math.inf)

    def next_poll_s(self, age_s: float) -> float:
        """Return how long after a poll at this age the next one pays."""
        wait_s = self.age_at(self.area(age_s) + self.step) - age_s
        cap_s = max(POLL_CAP_S, min(QUIET_CAP_S, self._quiet_until_s - age_s))
        return min(max(wait_s, POLL_FLOOR_S), cap_s)


class Hazard:
    """Learns one class: `add_watched` for a poll that saw a take running, `add_end` for the one that saw its end."""

    def __init__(self, before: Seen | None = None, polls_per_take: float = POLLS_PER_TAKE) -> None:
        is_known = before is not None and sum(before.ends) > 0
        first = before if before is not None and is_known else FIRST_GUESS
        scale = (min(EARLIER_TAKES, sum(first.ends)) if is_known else PRIOR_TAKES) / sum(first.ends)
        self._ends = [scale * each for each in first.ends]
        self._watched_s = [scale * each for each in first.watched_s]
        self._weight = 1.0
        self._polls_per_take = polls_per_take
        self._curve: Curve | None = None
        self._ended_since_fit = self._polls_since_fit = 0
        self.ended = 0

    def add_watched(self, from_s: float, until_s: float) -> None:
        """It ran on from one age to another; seconds."""
        for n, part_s, _ in _parts(from_s, until_s):
            self._watched_s[n] += part_s * self._weight
        self._polls_since_fit += 1

    def add_end(self, from_s: float, until_s: float) -> None:
        """It ended somewhere between these two ages: after the last poll, before this one."""
        begin = min(max(0.0, from_s), END_S - 1)
        end = min(max(until_s, begin + 1e-3), END_S)
        span_s = end - begin
        for n, part_s, rest_s in _parts(begin, end):
            # Its end is spread evenly: what ends in a later part was under watch in this one, what ends in it half.
            self._ends[n] += part_s / span_s * self._weight
            self._watched_s[n] += part_s * (rest_s + part_s / 2) / span_s * self._weight
        self.ended += 1
        self._ended_since_fit += 1
        self._forget()

    def _forget(self) -> None:
        # Giving more weight to what is new forgets what is old, and touches no bin.
        self._weight /= FORGET
        if self._weight > 1e6:
            self._ends = [each / self._weight for each in self._ends]
            self._watched_s = [each / self._weight for each in self._watched_s]
            self._weight = 1.0

    def curve(self) -> Curve:
        """Return the hazard as fitted last; it is fitted again when enough more was seen."""
        is_old = self._ended_since_fit > self.ended * REFIT_SHARE or self._polls_since_fit >= REFIT_POLLS
        if self._curve is None or is_old:
            self._curve = self._fit()
            self._ended_since_fit = self._polls_since_fit = 0
        return self._curve

    def _fit(self) -> Curve:
        keep = FLOOR_TAKES * self._weight
        ends = _smoothed([each + keep * more for each, more in zip(self._ends, FIRST_GUESS.ends, strict=True)])
        watched = [each + keep * more for each, more in zip(self._watched_s, FIRST_GUESS.watched_s, strict=True)]
        hazards, last = [], 0.0
        for died, watched_s in zip(ends, _smoothed(watched), strict=True):
            last = died / watched_s if watched_s > 1e-9 else last
            hazards.append(last)
        return Curve(hazards, self._polls_per_take)

    def seen(self) -> Seen:
        """Return what was seen, for the runs to come; what is new counts as one."""
        return Seen(
            tuple(each / self._weight for each in self._ends), tuple(each / self._weight for each in self._watched_s)
        )


def _parts(from_s: float, until_s: float) -> list[tuple[int, float, float]]:
    """Cut a span of ages at the edges of the bins: bin, seconds in it, seconds of the span after it."""
    at, until_s = max(0.0, from_s), min(until_s, END_S)
    found, n = [], _bin_of(at)
    while at < until_s:
        edge = min(_EDGES[n + 1], until_s)
        found.append((n, edge - at, until_s - edge))
        at, n = edge, n + 1
    return found


def _smoothed(values: Sequence[float]) -> list[float]:
    padded = [values[0], *values, values[-1]]
    return [(a + 2 * b + c) / 4 for a, b, c in zip(padded, padded[1:], padded[2:], strict=False)]


class Hazards:
    """The hazards of all classes of a run. `before` is what earlier runs saw."""

    def __init__(self, before: Mapping[Any, Seen], polls_per_take: float = POLLS_PER_TAKE) -> None:
        self._before = before
        self._polls_per_take = polls_per_take
        self._learnt: dict[Hashable, Hazard] = {}

    def of(self, kind: Hashable) -> Hazard:
        """Return the hazard of a class."""
        found = self._learnt.get(kind)
        if found is None:
            found = self._learnt[kind] = Hazard(self._before.get(kind), self._polls_per_take)
        return found
