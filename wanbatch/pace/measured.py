"""What a run has measured of its own pace: how long generations and downloads last, and how many are made again. Pure.

Of the generations that still run only their ages are known. Leaving them out would take the quick ones for all, so
that the moments are fitted to both, as A. P. Dempster, N. M. Laird and D. B. Rubin do with censored data (J. Royal
Stat. Soc. B 39, 1977, 4.3).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist, median
from typing import Any

from wanbatch.pace.eta import EXPECTED_S, FETCH_EXPECTED_S, Life

EXPECTED_SIGMA = 0.25
MU_WEIGHT = 0.25  # takes: the first that ends says nearly all
SIGMA_WEIGHT = 6.0  # takes: how much they differ only many can tell
ROUNDS = 8
AGES_AT_MOST = 64
FETCH_POWER = 0.75  # of a clip's size: connections, processes and headers cost the same for each
LIFE_POWER = 0.5  # what makes less ends sooner, but not in proportion
PACE_KEPT = 65
FETCHES_KEPT = 9  # what else the machine does changes, and the first ones wait for processes to start
_NORMAL = NormalDist()


@dataclass
class _Logs:
    """The logarithms of times, added up: how many, their sum, and that of their squares."""

    count: float = 0.0
    total: float = 0.0
    squares: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one more time; what is shorter than a tenth of a second counts as that."""
        value = math.log(max(seconds, 0.1))
        self.count, self.total, self.squares = self.count + 1, self.total + value, self.squares + value * value


@dataclass
class _Fetches:
    """How long the newest downloads were busy for a clip; what a failed one took is added to the next."""

    took_s: deque[float] = field(default_factory=lambda: deque(maxlen=FETCHES_KEPT))
    lost_s: float = 0.0

    def add(self, took_s: float, *, is_verified: bool) -> None:
        """Count the time of one more download."""
        if is_verified:
            self.took_s.append(self.lost_s + took_s)
        self.lost_s = 0.0 if is_verified else self.lost_s + took_s


class Measured:
    """The pace of a run as measured, by classes of takes that last alike.

    `size_of` tells how much a clip of a class holds, in any unit; `expected_s` is how long generations of a class are
    known to last before any of them ends here.
    """

    def __init__(self, size_of: Callable[[Any], float], expected_s: Mapping[Hashable, float] | None = None) -> None:
        self._size_of = size_of
        self._expected_s = expected_s or {}
        self._ended: dict[Hashable, _Logs] = {}
        self._fetched: dict[Hashable, _Fetches] = {}
        self._ends = self._again = 0
        self._verified: deque[tuple[float, float]] = deque(maxlen=PACE_KEPT)

    def generation_ended(self, kind: Hashable, lasted_s: float) -> None:
        """One was made, so long after its submit."""
        self._ended.setdefault(kind, _Logs()).add(lasted_s)

    def generations_ended(self, count: int, again: int) -> None:
        """Some ended of which nothing else is known, and so many are made again."""
        self._ends += count
        self._again += again

    def fetched(self, kind: Hashable, took_s: float, at_s: float, *, is_verified: bool) -> None:
        """A clip kept a download busy for so long, until this time; it is verified, or has to be fetched again."""
        fetches = self._fetched.setdefault(kind, _Fetches())
        fetches.add(took_s, is_verified=is_verified)
        if is_verified:
            self._verified.append((at_s, fetches.took_s[-1]))

    @property
    def has_fetched(self) -> bool:
        """Say whether any clip was fetched."""
        return any(found.took_s for found in self._fetched.values())

    @property
    def again(self) -> float:
        """The share of the generations that ended which are made again."""
        return min(0.9, self._again / self._ends) if self._ends else 0.0

    def fetch_s(self, kind: Hashable, downloads: int = 1) -> float:
        """Return how long a clip of a class keeps one of so many downloads busy, as far as another has to wait for it.

        Of a class that never came the size of its clip tells.
        """
        return self._each_s(kind) * self._waited_share(downloads)

    def _waited_share(self, downloads: int) -> float:
        """Return the share of their time in which the newest downloads kept others waiting: 1 but for what the first
        ones waited for themselves, such as a process that starts. It shows in how fast clips follow each other.
        """
        newest = list(self._verified)[-max(FETCHES_KEPT, 2 * downloads + 1) :]
        busy_s = sum(took_s for _, took_s in newest[1:])
        if len(newest) <= downloads or busy_s <= 0:
            return 1.0
        return min(1.0, downloads * (newest[-1][0] - newest[0][0]) / busy_s)

    def _each_s(self, kind: Hashable) -> float:
        known = {each: median(found.took_s) for each, found in self._fetched.items() if found.took_s}
        if kind in known:
            return known[kind]
        scaled = [
            seconds * (self._size_of(kind) / self._size_of(each)) ** FETCH_POWER for each, seconds in known.items()
        ]
        return sum(scaled) / len(scaled) if scaled else FETCH_EXPECTED_S

    def _first_s(self, kind: Hashable) -> float:
        """Return how long a generation lasts by what is known of others, until one of its class has ended.

        The power of the sizes lies between proportion and no difference at all.
        """
        if kind in self._expected_s or not self._ended:
            return self._expected_s.get(kind, EXPECTED_S)
        scaled = [
            each.total / each.count + LIFE_POWER * math.log(self._size_of(kind) / self._size_of(other))
            for other, each in self._ended.items()
        ]
        return math.exp(sum(scaled) / len(scaled) + EXPECTED_SIGMA**2 / 2)

    def life(self, kind: Hashable, ages_s: Sequence[float] = ()) -> Life:
        """Return how long generations of a class last; `ages_s` are those of its takes that run."""
        ended = self._ended.get(kind, _Logs())
        first = math.log(self._first_s(kind)) - EXPECTED_SIGMA**2 / 2
        step = max(1, len(ages_s) // AGES_AT_MOST)
        logs = [math.log(age_s) for age_s in ages_s[::step] if age_s > 1]
        mu, sigma = first, EXPECTED_SIGMA
        for _ in range(ROUNDS):
            count, total, squares = ended.count, ended.total, ended.squares
            for value in logs:
                z = (value - mu) / sigma
                if z > -2.5:  # a younger one tells nothing yet
                    beyond = _NORMAL.pdf(z) / max(1e-9, 1 - _NORMAL.cdf(z)) if z < 5 else z
                    mean = mu + sigma * beyond
                    count, total = count + step, total + mean * step
                    squares += step * (mean * mean + max(0.0, sigma * sigma * (1 + z * beyond - beyond * beyond)))
            new = (MU_WEIGHT * first + total) / (MU_WEIGHT + count)
            spread = max(0.0, squares - 2 * new * total + count * new * new)
            sigma = math.sqrt((SIGMA_WEIGHT * EXPECTED_SIGMA**2 + spread) / (SIGMA_WEIGHT + count))
            mu = new
        return Life(mu, sigma)
