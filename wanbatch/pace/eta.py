"""How long a batch will take yet: the mean of a few ways in which the rest may go, by what is known. Pure.

Known are the takes to send and the limits they go out under, what runs and for how long, the clips that wait to be
fetched, and by measurement how long a generation of each class lasts, how long a clip keeps a download busy, and which
share of the generations had to be made again. The last of many lasts longer than their mean: lifetimes are drawn from
their distribution, spread evenly, so that the same knowledge always gives the same answer.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

EXPECTED_S = 205.0  # the provider's own sample run, about 3.5 minutes; used until this run has seen one end
FETCH_EXPECTED_S = 5.0  # a clip of some megabytes, and its check; used until one is fetched
FAILURE_LOOK_S = 30.0  # a failure is believed when a second answer, so much later, says it again
SOON_S = 2.0  # something is left: its next answer may be the last
PLAYED_AT_MOST = 300  # takes to send that are played one by one, the last ones; before them the throughput decides
PHASES = (0.1, 0.3, 0.5, 0.7, 0.9)
_GOLDEN = (math.sqrt(5) - 1) / 2  # its multiples spread evenly over the unit interval
_SILVER = math.sqrt(2) - 1  # these too, and independently of the others
_NORMAL = NormalDist()
_GRID = 512


@dataclass(frozen=True)
class Life:
    """How long generations of a class last from submit to the answer that says so: lognormal, its logarithm's moments.

    `sigma` is above 0.
    """

    mu: float = math.log(EXPECTED_S)
    sigma: float = 0.25

    @property
    def mean_s(self) -> float:
        """The mean, in seconds."""
        return math.exp(self.mu + self.sigma * self.sigma / 2)

    def lasts_s(self, share: float) -> float:
        """Return the time that this share of them, between 0 and 1, ends within."""
        return math.exp(self.mu + self.sigma * _deviate(share))

    def left_s(self, age_s: float, share: float) -> float:
        """Return what is left of one that has run for so long, at this share of those that last at least so long."""
        if age_s <= 0:
            return self.lasts_s(share)
        gone = _NORMAL.cdf((math.log(age_s) - self.mu) / self.sigma)
        if gone > 0.999:  # what lasts so much longer than the others says nothing about when it ends
            return age_s * share / 2
        return max(0.0, self.lasts_s(gone + (1 - gone) * share) - age_s)


@dataclass(frozen=True)
class Course:
    """What a take of a class goes through: how long its generation lasts, and how long its clip keeps a download busy,
    in seconds.
    """

    life: Life = Life()
    fetch_s: float = FETCH_EXPECTED_S


@dataclass(frozen=True)
class Rest:
    """What is left of a batch. Times are in seconds, `per_min` is the submits a minute there may be.

    `to_send` are the takes not sent yet, in order, of which only the last may be given: `more_to_send` counts those
    before. `running` are takes, their ages, and their ages when they were last seen to run. `to_fetch` is how long each
    clip that is made and not verified yet keeps a download busy from now on, those that are under way first. `at_once`
    takes may run, and `downloads` clips may be fetched at a time. `again` is the share of generations that are made
    again.
    """

    to_send: Sequence[Course] = ()
    running: Sequence[tuple[Course, float, float]] = ()
    to_fetch: Sequence[float] = ()
    at_once: int = 1
    per_min: float = 60.0
    downloads: int = 1
    again: float = 0.0
    more_to_send: int = 0


def eta_s(rest: Rest) -> float | None:
    """Estimate the seconds until the last clip is verified; None if nothing is left."""
    if not (rest.to_send or rest.running or rest.to_fetch):
        return None
    if not (rest.to_send or rest.running):
        played_s = _Play(rest, 0.5).end_s()
    else:
        played_s = sum(_Play(rest, phase).end_s() for phase in PHASES) / len(PHASES)
    return max(SOON_S, _before_s(rest) + played_s)


def _before_s(rest: Rest) -> float:
    """Return the time until only the takes are left to send that are played one by one."""
    count = rest.more_to_send + max(0, len(rest.to_send) - PLAYED_AT_MOST)
    if not count:
        return 0.0
    lasts_s = sum(each.life.mean_s for each in rest.to_send) / len(rest.to_send)
    fetch_s = sum(each.fetch_s for each in rest.to_send) / len(rest.to_send)
    each_s = max((1 + rest.again) * max(lasts_s / rest.at_once, 60 / rest.per_min), fetch_s / rest.downloads)
    return count * each_s


class _Play:
    """One way in which the rest may go: `phase` is where the even spread of its draws begins."""

    def __init__(self, rest: Rest, phase: float) -> None:
        self._rest, self._phase = rest, phase
        self._drawn = 0
        self._to_send = deque((course, 0.0) for course in rest.to_send[-PLAYED_AT_MOST:])
        self._next_send_s = 0.0
        self._ends: list[tuple[float, int, Course]] = []
        self._busy_until_s = [0.0] * rest.downloads
        self._last_s = 0.0

    def end_s(self) -> float:
        """Return when the last clip is verified."""
        rest = self._rest
        for fetch_s in rest.to_fetch:
            self._fetch(0.0, fetch_s)
        for course, age_s, seen_s in rest.running:
            self._push(course, max(0.0, course.life.left_s(seen_s, self._share()) - (age_s - seen_s)))
        for _ in range(rest.at_once - len(rest.running)):
            self._send(0.0)
        while self._ends:
            at_s, number, course = heapq.heappop(self._ends)
            if (self._phase + number * _SILVER) % 1 < rest.again:
                at_s += FAILURE_LOOK_S
                self._to_send.append((course, at_s))
            else:
                self._fetch(at_s, course.fetch_s)
            self._send(at_s)
        return self._last_s

    def _share(self) -> float:
        return (self._phase + (self._drawn + 1) * _GOLDEN) % 1

    def _push(self, course: Course, end_s: float) -> None:
        self._drawn += 1
        heapq.heappush(self._ends, (end_s, self._drawn, course))

    def _send(self, at_s: float) -> None:
        """Send the next take into a place that is free."""
        if not self._to_send:
            return
        course, ready_s = self._to_send.popleft()
        begin_s = max(at_s, ready_s, self._next_send_s)
        self._next_send_s = begin_s + 60 / self._rest.per_min
        self._push(course, begin_s + course.life.lasts_s(self._share()))

    def _fetch(self, at_s: float, fetch_s: float) -> None:
        done_s = max(at_s, heapq.heappop(self._busy_until_s)) + fetch_s
        heapq.heappush(self._busy_until_s, done_s)
        self._last_s = max(self._last_s, done_s)


def _deviate(share: float) -> float:
    return _deviates()[min(_GRID - 1, max(0, int(share * _GRID)))]


@cache
def _deviates() -> tuple[float, ...]:
    """The inverse of the normal distribution, read from a table: it is asked for a thousand times a second."""
    return tuple(_NORMAL.inv_cdf((n + 0.5) / _GRID) for n in range(_GRID))
