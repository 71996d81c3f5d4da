"""Pacing: what to do next, and when. Submit rate, takes in flight, when to poll.

Pure: the time comes in as an argument (seconds of a monotonic clock), so the same calls give the same decisions.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from wanbatch.pace.backoff import wait_after_429_s
from wanbatch.pace.limits import Bucket, InFlight, LearntRate
from wanbatch.pace.polling import POLL_EVERY_S, POLLS_PER_TAKE
from wanbatch.pace.steps import Done, Download, Poll, Search, Step, Submit, Wait

RATE_FLOOR = 1 / 16  # the share of the submit rate that repeated 429s leave
IN_FLIGHT_CAP = 100
SHUT_OUT_ROW = 60  # 429s in a row, about an hour of them, with nothing of ours running


Gain = Callable[[float], float]


@dataclass(frozen=True)
class Rates:
    """The limits of a run. Rates are per minute."""

    submit_per_min: float = 60.0
    poll_per_min: float = 600.0
    in_flight: int = IN_FLIGHT_CAP
    downloads: int = 4
    max_attempts: int = 2
    polls_per_take: float = POLLS_PER_TAKE


POSTS_AT_ONCE = 8  # as many as the submit client has connections
POLLS_AT_ONCE = 8


class Schedule:
    """What is planned, running and due; decides the next step of a run."""

    def __init__(self, rates: Rates) -> None:
        self.rates = rates
        self.in_flight = InFlight(rates.in_flight)
        self._running = 0
        self.posts = 0
        self.posts_at_once = POSTS_AT_ONCE
        self.has_canary_answer = False
        self.is_submitting = True
        self._awaits_answers = False
        self._awaits_end = False
        self._parked: list[int] = []
        self._waiting: dict[int, None] = {}
        self.places: Mapping[int, int] = {}  # of takes in the order in which they are sent
        self._submit_share = 1.0
        self._learnt = LearntRate(rates.submit_per_min)
        self._turned_away_row = 0
        self._submit_not_before = 0.0
        self._poll_not_before = 0.0
        self._submits = Bucket(rates.submit_per_min / 60)
        self._poll_tokens = Bucket(rates.poll_per_min / 60, burst=max(1.0, rates.poll_per_min / 120))
        self._planned: deque[int] = deque()
        self._due: list[tuple[float, int]] = []
        self._overdue: dict[int, float] = {}
        self._gains: dict[int, Gain] = {}
        self._downloads: list[tuple[float, int, int]] = []
        self._queued = 0
        self._search_due: float | None = None
        self._is_searching = False
        self._awaits_search = False
        self._awaits_next_search = False
        self._polls: set[int] = set()
        self._downloading: set[int] = set()
        self._looking: set[int] = set()

    # what there is to do

    def add_planned(self, take_id: int, *, first: bool = False) -> None:
        """Queue a take for its submit."""
        (self._planned.appendleft if first else self._planned.append)(take_id)

    def add_poll(self, take_id: int, due: float, gain: Gain | None = None) -> None:
        """Ask for a poll at a time. `gain` tells what it is worth at any time: 1 when it is due, more later."""
        heapq.heappush(self._due, (due, take_id))
        if gain is not None:
            self._gains[take_id] = gain

    def add_download(self, take_id: int, *, first: bool = False, expires: float = math.inf) -> None:
        """Queue a take for its download: the link that dies first goes first, `first` before all, else in turn."""
        self._queued += 1
        heapq.heappush(self._downloads, (-math.inf if first else expires, self._queued, take_id))

    def drop_planned(self, take_id: int) -> None:
        """Do not send a take after all."""
        self._waiting.pop(take_id, None)
        for takes in (self._planned, self._parked):
            if take_id in takes:
                takes.remove(take_id)

    def wait(self, take_id: int) -> None:
        """Keep a take back until another has its clip: `release` queues it; a run does not go on for its sake."""
        self._waiting[take_id] = None

    def release(self, take_id: int) -> None:
        """Queue a take that waited, in its place."""
        if take_id not in self._waiting:
            return
        del self._waiting[take_id]
        place, last = self.places.get(take_id, len(self.places)), len(self._planned)
        behind = (at for at, each in enumerate(self._planned) if self.places.get(each, -1) > place)
        self._planned.insert(next(behind, last), take_id)

    @property
    def waiting(self) -> tuple[int, ...]:
        """Takes that wait for others, in the order in which they began to."""
        return tuple(self._waiting)

    def add_search(self, due: float, *, before_submits: bool = False) -> None:
        """Ask for a search at a time; with `before_submits` nothing is sent until one has ended well."""
        self._search_due = due if self._search_due is None else min(due, self._search_due)
        self._awaits_search = self._awaits_search or before_submits

    @property
    def waits_to_submit(self) -> bool:
        """Say whether submits wait for a search."""
        return self._awaits_search

    def hold_submits_for_search(self) -> bool:
        """Send nothing before the next search has ended; False if none is planned or under way."""
        self._awaits_next_search = self._is_searching or self._search_due is not None
        return self._awaits_next_search

    def allow_submits(self) -> None:
        """The search that submits waited for has ended: send again."""
        self._awaits_search = False

    @property
    def planned(self) -> tuple[int, ...]:
        """Takes not sent yet, in order."""
        return (*self._parked, *self._planned, *self._waiting)

    @property
    def running(self) -> int:
        """How many takes hold a place at the provider, POSTs under way included."""
        return self._running

    # what happened

    def generation_followed(self, count: int = 1) -> None:
        """Generations of earlier submits run: they hold places at the provider, too."""
        self._running += count

    def generation_disowned(self) -> None:
        """What a submit made is counted for another take, or is unknown: it holds no place of its own."""
        self._running -= 1

    def look_began(self, take_id: int) -> None:
        """Something is looked up about a take before it is sent."""
        self._looking.add(take_id)

    def body_began(self, now: float) -> None:
        """The body of a POST is made ready: it has the POST's place, and its token, from now on."""
        self._submits.take(now)
        self.posts += 1
        self._running += 1

    def body_ended(self) -> None:
        """The body is ready, or never will be: the POST, if there is one, begins now."""
        self.posts -= 1
        self._running -= 1
        self._awaits_answers = self._awaits_answers and self.posts > 0

    def submit_began(self, now: float, *, has_token: bool = False) -> None:
        """A POST goes out; `has_token` if its place was kept for it while its body was made ready."""
        if not has_token:
            self._submits.take(now)
        self.in_flight = self.in_flight.sent(self._running)
        if self.in_flight.is_trying:
            self._awaits_answers = True  # what comes of it must not be mixed with another's answer
        self.posts += 1
        self._running += 1

    def submit_ended(self, *, is_running: bool) -> None:
        """A POST has its answer, or will never have one; `is_running` if a generation runs now."""
        self.posts -= 1
        self._look_again()
        self._awaits_answers = self._awaits_answers and self.posts > 0
        self._running -= 0 if is_running else 1

    def accepted(self, now: float) -> None:
        """The provider took one: allow more."""
        self.has_canary_answer = True
        before, self.in_flight = self.in_flight, self.in_flight.accepted()
        if before.is_fixed and not self.in_flight.is_fixed:
            self._learnt.refused()  # the places were not what the 429 was about
        self._learnt.accepted(now)
        self._turned_away_row = 0
        self._submit_share = min(1.0, self._submit_share * 1.1)
        self._set_rate(now)

    def turned_away(self, now: float, retry_after_s: float | None, rng: Random) -> float:
        """The provider said 429: hold the number in flight, or the rate, and wait. Returns the wait in seconds."""
        wait_s = wait_after_429_s(self._turned_away_row, retry_after_s, rng)
        self._turned_away_row += 1
        if self._learnt.is_spent(now) and not self.in_flight.is_trying:
            self._learnt.refused()
        else:
            self.in_flight = self.in_flight.turned_away(self.running, now)
        self._submit_share = max(RATE_FLOOR, self._submit_share / 2)
        self._set_rate(now)
        self.pause_submits(now + wait_s)
        return wait_s

    def _set_rate(self, now: float) -> None:
        per_min = min(self._learnt.now_per_min, self.rates.submit_per_min * self._submit_share)
        self._submits.slow_to(per_min / 60, now)

    @property
    def is_rationed(self) -> bool:
        """More polls are due than may be made."""
        return len(self._overdue) >= POLLS_AT_ONCE

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

    @property
    def awaits_ends(self) -> bool:
        """Say whether anything that was sent is still asked about, and may end."""
        return bool(self.posts or self._due or self._overdue or self._polls)

    def hold_submits_for_end(self) -> None:
        """Send the next POST only when something that was sent has ended, or nothing is asked about any more."""
        self._awaits_end = True

    def park(self, take_id: int) -> None:
        """Keep one take back in the same way; the others go on."""
        self._parked.append(take_id)

    def _look_again(self) -> None:
        """Something ended: what waited for that is looked at again, in its place."""
        self._awaits_end = False
        self._planned.extendleft(reversed(self._parked))
        self._parked.clear()

    def pause_polls(self, until: float) -> None:
        """Ask nothing before `until`."""
        self._poll_not_before = max(self._poll_not_before, until)

    def generation_ended(self) -> None:
        """A generation reached its end: its place is free, before its clip is fetched."""
        self._running -= 1
        self.in_flight = self.in_flight.ended()
        self._look_again()

    def worker_ended(self, take_id: int) -> None:
        """Whatever was under way for a take is over, however it ended."""
        self._polls.discard(take_id)
        self._downloading.discard(take_id)
        self._looking.discard(take_id)

    def search_ended(self) -> None:
        """A search has its answer."""
        self._is_searching = self._awaits_next_search = False

    @property
    def waits_only_for_searches(self) -> bool:
        """Nothing is left but lost answers that time may tell."""
        has_work = not self.is_idle or self._due or self._overdue or self._downloads or self._may_submit()
        return self._search_due is not None and not has_work

    @property
    def is_idle(self) -> bool:
        """Nothing is under way that could still change the schedule."""
        return not (self.posts or self._polls or self._downloading or self._looking or self._is_searching)

    @property
    def pace(self) -> tuple[int, float]:
        """How many takes may run at once, by all that is known, and how many submits a minute there may be."""
        fixed = self.in_flight.is_fixed
        return (self.in_flight.allowed if fixed else self.rates.in_flight), self._learnt.now_per_min

    # the decision

    def next_step(self, now: float) -> Step:
        """Return what to do now, and note that it began (submits are noted with `submit_began`, once recorded)."""
        if self._downloads and len(self._downloading) < self.rates.downloads:
            _, _, take_id = heapq.heappop(self._downloads)
            self._downloading.add(take_id)
            return Download(take_id)
        if (self._awaits_end or self._parked) and not self.awaits_ends:
            self._look_again()
        times: list[float] = []
        trial_at = self._trial_at()
        if trial_at is not None or self._may_submit():
            ready = max(self._submits.ready_at(now), self._submit_not_before, trial_at or 0.0)
            if ready <= now:
                return Submit(self._planned.popleft())
            times.append(ready)
        if (self._due or self._overdue) and len(self._polls) < POLLS_AT_ONCE:
            first = now if self._overdue else self._due[0][0]
            ready = max(first, self._poll_tokens.ready_at(now), self._poll_not_before)
            if ready <= now:
                take_id = self._worthiest(now)
                self._poll_tokens.take(now)
                self._polls.add(take_id)
                return Poll(take_id)
            times.append(ready)
        return self._search_or_wait(now, times)

    def _worthiest(self, now: float) -> int:
        """Return the take whose poll gains most now, of all that are due; where polls are rationed, order is all."""
        while self._due and self._due[0][0] <= now:
            due, take_id = heapq.heappop(self._due)
            self._overdue[take_id] = due
        best = next(iter(self._overdue))
        if len(self._overdue) > 1:
            best = max(self._overdue, key=lambda take_id: self._worth(take_id, now))
        del self._overdue[best]
        self._gains.pop(best, None)
        return best

    def _worth(self, take_id: int, now: float) -> float:
        gain = self._gains.get(take_id)
        return 1 + (now - self._overdue[take_id]) / POLL_EVERY_S if gain is None else gain(now)

    def _search_or_wait(self, now: float, times: list[float]) -> Step:
        is_left_with_searches = self.is_idle and not self._due and not self._overdue and not self._downloads
        if self._search_due is not None and not self._is_searching:
            if self._search_due <= now:
                self._search_due, self._is_searching = None, True
                return Search()
            if self.is_submitting or not is_left_with_searches:  # a run that was stopped waits for no search
                times.append(self._search_due)
        if times:
            return Wait(min(times))
        return Done() if is_left_with_searches else Wait(None)

    def _trial_at(self) -> float | None:
        """Return when one submit beyond the number that is held may show what a 429 meant; None for never."""
        if self.posts or not self._may_send():
            return None
        return self.in_flight.may_try_at(self.running)

    def _may_send(self) -> bool:
        is_open = bool(self._planned) and self.is_submitting
        is_held = self._awaits_answers or self._awaits_search or self._awaits_next_search or self._awaits_end
        return is_open and not is_held

    def _may_submit(self) -> bool:
        if not self._may_send():
            return False
        if not self.has_canary_answer:
            return self.posts == 0  # the first POST of a run goes alone
        return self.posts < self.posts_at_once and self.running < self.in_flight.allowed
