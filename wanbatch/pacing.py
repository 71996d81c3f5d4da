"""Pacing: what to do next, and when. Submit rate, takes in flight, when to poll.

Pure: the time comes in as an argument (seconds of a monotonic clock), so the same calls give the same decisions.
"""

from __future__ import annotations

import heapq
import math
from bisect import insort
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random

from wanbatch.models import PriceClass

POLL_FIRST_S = 8.0  # tells whether a take still waits in the provider's queue
POLL_EVERY_S = 10.0  # with the quantile below: a mean detection lag of 5 to 6 s on a 205 s clip
POLL_EVERY_MAX_S = 60.0
POLL_QUANTILE = 0.1  # nothing of a class ends sooner than this share of those seen: polls before it are wasted
POLL_SAMPLES = 4  # fewer durations than this say nothing about a quantile
RETRY_FLOOR_S, RETRY_CAP_S = 1.0, 60.0
RATE_FLOOR = 1 / 16  # the share of the submit rate that repeated 429s leave
IN_FLIGHT_CAP = 100
SHUT_OUT_ROW = 60  # 429s in a row, about an hour of them, with nothing of ours running
PROBE_ROUNDS = 3  # after a 429 for concurrency: one place more after this many rounds of completions


def backoff_s(failures: int, rng: Random) -> float:
    """Return a wait with full jitter: 1 s up to a ceiling that doubles with each failure, 60 s at most."""
    ceiling = min(RETRY_CAP_S, RETRY_FLOOR_S * 2 ** min(failures, 10))
    return rng.uniform(RETRY_FLOOR_S, max(ceiling, RETRY_FLOOR_S))


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

    Each acceptance allows one more. A 429 fixes the number at what is running then (halving it would idle the
    provider for a third of the night); afterwards one more place is tried every few rounds.
    """

    cap: int
    allowed: int = 1
    is_fixed: bool = False
    ended_since: int = 0

    def accepted(self) -> InFlight:
        """One more was accepted."""
        return self if self.is_fixed else replace(self, allowed=min(self.cap, self.allowed + 1))

    def turned_away(self, running: int) -> InFlight:
        """The provider said 429 while this many were running."""
        return replace(self, allowed=max(1, min(running, self.cap)), is_fixed=True, ended_since=0)

    def ended(self) -> InFlight:
        """A generation ended."""
        if not self.is_fixed:
            return self
        if self.ended_since + 1 >= PROBE_ROUNDS * self.allowed:
            return replace(self, allowed=min(self.cap, self.allowed + 1), ended_since=0)
        return replace(self, ended_since=self.ended_since + 1)


class Durations:
    """How long generations of each class took, from submit to the poll that saw the end; seconds."""

    def __init__(self) -> None:
        self._seen: dict[PriceClass, list[float]] = {}

    def add(self, price_class: PriceClass, duration_s: float) -> None:
        """Note one more."""
        insort(self._seen.setdefault(price_class, []), duration_s)

    def quantile_s(self, price_class: PriceClass, share: float) -> float | None:
        """Return the duration that this share of a class stays under; None before enough were seen."""
        seen = self._seen.get(price_class, [])
        if len(seen) < POLL_SAMPLES:
            return None
        return seen[min(len(seen) - 1, math.floor(share * len(seen)))]

    def mean_s(self) -> float | None:
        """Return the mean of all; None before the first."""
        every = [duration for seen in self._seen.values() for duration in seen]
        return sum(every) / len(every) if every else None


def next_poll_s(age_s: float, earliest_end_s: float | None, *, is_queued: bool) -> float:
    """Return how long to wait for the next poll of a take of this age.

    Once it generates, nothing is asked before `earliest_end_s` (the quantile of its class), then every 10 s; a take
    that is far older than its class is asked less often.
    """
    if is_queued or earliest_end_s is None:
        return POLL_EVERY_S
    if age_s < earliest_end_s:
        return max(POLL_EVERY_S, earliest_end_s - age_s)
    overdue = age_s > 4 * earliest_end_s
    return POLL_EVERY_MAX_S if overdue else POLL_EVERY_S


# --- the next step ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Submit:
    """Send the paid POST of a take."""

    take_id: int


@dataclass(frozen=True)
class Poll:
    """Ask how a take's generation stands."""

    take_id: int


@dataclass(frozen=True)
class Download:
    """Fetch a take's clip."""

    take_id: int


@dataclass(frozen=True)
class Search:
    """Look lost answers up in the provider's log."""


@dataclass(frozen=True)
class Wait:
    """Nothing to do before `until` (monotonic seconds), or before something under way ends where that is None."""

    until: float | None


@dataclass(frozen=True)
class Done:
    """Nothing left to do or to wait for."""


Step = Submit | Poll | Download | Search | Wait | Done


@dataclass(frozen=True)
class Rates:
    """The limits of a run. Rates are per minute."""

    submit_per_min: float = 60.0
    poll_per_min: float = 600.0
    in_flight: int = IN_FLIGHT_CAP
    downloads: int = 4
    max_attempts: int = 2


POSTS_AT_ONCE = 8  # as many as the submit client has connections
POLLS_AT_ONCE = 8


class Board:
    """What is planned, running and due; decides the next step of a run."""

    def __init__(self, rates: Rates) -> None:
        self.rates = rates
        self.in_flight = InFlight(rates.in_flight)
        self.running = 0  # takes that hold a place at the provider, POSTs under way included
        self.posts = 0
        self.posts_at_once = POSTS_AT_ONCE
        self.has_canary_answer = False
        self.is_submitting = True
        self._awaits_answers = False
        self._submit_share = 1.0
        self._turned_away_row = 0
        self._submit_not_before = 0.0
        self._poll_not_before = 0.0
        self._submits = Bucket(rates.submit_per_min / 60)
        self._poll_tokens = Bucket(rates.poll_per_min / 60, burst=max(1.0, rates.poll_per_min / 120))
        self._planned: deque[int] = deque()
        self._due: list[tuple[float, int]] = []
        self._downloads: deque[int] = deque()
        self._search_due: float | None = None
        self._is_searching = False
        self._awaits_search = False
        self._polling: set[int] = set()
        self._downloading: set[int] = set()

    # what there is to do

    def add_planned(self, take_id: int, *, first: bool = False) -> None:
        """Queue a take for its submit."""
        (self._planned.appendleft if first else self._planned.append)(take_id)

    def add_poll(self, take_id: int, due: float) -> None:
        """Ask for a poll at a time."""
        heapq.heappush(self._due, (due, take_id))

    def add_download(self, take_id: int, *, first: bool = False) -> None:
        """Queue a take for its download."""
        (self._downloads.appendleft if first else self._downloads.append)(take_id)

    def drop_planned(self, take_id: int) -> None:
        """Do not send a take after all."""
        if take_id in self._planned:
            self._planned.remove(take_id)

    def add_search(self, due: float, *, before_submits: bool = False) -> None:
        """Ask for a search at a time; with `before_submits` nothing is sent until one has ended well."""
        self._search_due = due if self._search_due is None else min(due, self._search_due)
        self._awaits_search = self._awaits_search or before_submits

    @property
    def waits_to_submit(self) -> bool:
        """Say whether submits wait for a search."""
        return self._awaits_search

    def allow_submits(self) -> None:
        """The search that submits waited for has told what it can."""
        self._awaits_search = False

    @property
    def planned(self) -> tuple[int, ...]:
        """Takes not sent yet, in order."""
        return tuple(self._planned)

    # what happened

    def submit_began(self, now: float) -> None:
        """A POST goes out."""
        self._submits.take(now)
        self.posts += 1
        self.running += 1

    def submit_ended(self, *, is_running: bool) -> None:
        """A POST has its answer, or will never have one; `is_running` where a generation runs now."""
        self.posts -= 1
        self._awaits_answers = self._awaits_answers and self.posts > 0
        self.running -= 0 if is_running else 1

    def accepted(self, now: float) -> None:
        """The provider took one: allow more."""
        self.has_canary_answer = True
        self.in_flight = self.in_flight.accepted()
        self._turned_away_row = 0
        if self._submit_share < 1:
            self._submit_share = min(1.0, self._submit_share * 1.1)
            self._submits.slow_to(self.rates.submit_per_min / 60 * self._submit_share, now)

    def turned_away(self, now: float, retry_after_s: float | None, rng: Random) -> float:
        """The provider said 429: fix the number in flight, halve the submit rate, wait. Returns the wait in seconds."""
        wait_s = backoff_s(self._turned_away_row, rng) if retry_after_s is None else retry_after_s + rng.uniform(0, 1)
        self._turned_away_row += 1
        self.in_flight = self.in_flight.turned_away(self.running)
        self._submit_share = max(RATE_FLOOR, self._submit_share / 2)
        self._submits.slow_to(self.rates.submit_per_min / 60 * self._submit_share, now)
        self.pause_submits(now + wait_s)
        return wait_s

    @property
    def is_shut_out(self) -> bool:
        """Nothing of ours is running, and the provider has still turned away one submit after the other."""
        return self.running <= 0 and self._turned_away_row >= SHUT_OUT_ROW

    def pause_submits(self, until: float) -> None:
        """Send no POST before `until`."""
        self._submit_not_before = max(self._submit_not_before, until)

    def hold_submits_for_answer(self) -> None:
        """Send the next POST only when all that are out have their answers."""
        self._awaits_answers = True

    def pause_polls(self, until: float) -> None:
        """Ask nothing before `until`."""
        self._poll_not_before = max(self._poll_not_before, until)

    def generation_ended(self) -> None:
        """A generation reached its end: its place is free, before its clip is fetched."""
        self.running -= 1
        self.in_flight = self.in_flight.ended()

    def worker_ended(self, take_id: int) -> None:
        """Whatever was under way for a take is over, however it ended."""
        self._polling.discard(take_id)
        self._downloading.discard(take_id)

    def search_ended(self) -> None:
        """A search has its answer."""
        self._is_searching = False

    @property
    def waits_only_for_searches(self) -> bool:
        """Nothing is left but lost answers that time may tell."""
        has_work = not self.is_idle or self._due or self._downloads or self._may_submit()
        return self._search_due is not None and not has_work

    @property
    def is_idle(self) -> bool:
        """Nothing is under way that could still change the board."""
        return not (self.posts or self._polling or self._downloading or self._is_searching)

    @property
    def pace(self) -> tuple[int, float]:
        """How many takes may run at once, by all that is known, and how many submits a minute there may be."""
        fixed = self.in_flight.is_fixed
        return (self.in_flight.allowed if fixed else self.rates.in_flight), self.rates.submit_per_min

    # the decision

    def next_step(self, now: float) -> Step:
        """Return what to do now, and note that it began (submits are noted with `submit_began`, once recorded)."""
        if self._downloads and len(self._downloading) < self.rates.downloads:
            take_id = self._downloads.popleft()
            self._downloading.add(take_id)
            return Download(take_id)
        times: list[float] = []
        if self._may_submit():
            ready = max(self._submits.ready_at(now), self._submit_not_before)
            if ready <= now:
                return Submit(self._planned.popleft())
            times.append(ready)
        if self._due and len(self._polling) < POLLS_AT_ONCE:
            ready = max(self._due[0][0], self._poll_tokens.ready_at(now), self._poll_not_before)
            if ready <= now:
                _, take_id = heapq.heappop(self._due)
                self._poll_tokens.take(now)
                self._polling.add(take_id)
                return Poll(take_id)
            times.append(ready)
        return self._search_or_wait(now, times)

    def _search_or_wait(self, now: float, times: list[float]) -> Step:
        is_left_with_searches = self.is_idle and not self._due and not self._downloads
        if self._search_due is not None and not self._is_searching:
            if self._search_due <= now:
                self._search_due, self._is_searching = None, True
                return Search()
            if self.is_submitting or not is_left_with_searches:  # a run that was stopped waits for no search
                times.append(self._search_due)
        if times:
            return Wait(min(times))
        return Done() if is_left_with_searches else Wait(None)

    def _may_submit(self) -> bool:
        if not self._planned or not self.is_submitting:
            return False
        if self._awaits_answers or self._awaits_search:
            return False
        if not self.has_canary_answer:
            return self.posts == 0  # the first POST of a run goes alone
        return self.posts < self.posts_at_once and self.running < self.in_flight.allowed


EXPECTED_S = 205.0  # the provider's own sample run; used until this run has seen one end


def eta_s(planned: int, ages_s: Sequence[float], pace: tuple[int, float], mean_s: float | None) -> float | None:
    """Estimate the seconds until the last take ends; None where nothing is left.

    `ages_s` are those of the running takes; `pace` is how many may run at once and how many submits a minute there
    may be. Takes not sent yet go out in rounds, or as fast as the submit rate lets them.
    """
    if not planned and not ages_s:
        return None
    at_once, per_min = pace
    each_s = EXPECTED_S if mean_s is None else mean_s
    left_s = max((each_s - age_s for age_s in ages_s), default=0.0)
    if not planned:
        return max(left_s, POLL_EVERY_S)
    rounds = math.ceil(planned / max(1, at_once))
    return max(left_s, rounds * each_s, 60 * planned / per_min + each_s)
