"""The provider's limits, learnt: from simulated providers that say 429 for places, for the rate, for both or for nothing."""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from tests.worlds import World, batch_of
from wanbatch.batch.lifecycle import State
from wanbatch.errors import ExitCode
from wanbatch.pace.limits import Breaker, InFlight, LearntRate
from wanbatch.pace.schedule import Rates, Schedule
from wanbatch.pace.steps import Download, Submit, Wait
from wanbatch.runner.settings import RunSettings
from wanbatch.sandbox.faults import Rule


def test_places_grow_with_acceptances_and_hold_at_a_429() -> None:
    flight = InFlight(cap=5)
    for _ in range(9):
        flight = flight.accepted()
    held = flight.turned_away(3)
    assert (flight.allowed, held.allowed, held.accepted().allowed) == (5, 3, 3)
    assert InFlight(cap=5).ended() == InFlight(cap=5)


def test_trials_that_are_taken_show_that_places_are_no_limit() -> None:
    held = InFlight(cap=9, allowed=4).turned_away(4, now=100)
    assert (held.may_try_at(3), held.may_try_at(4), held.may_try_at(5)) == (None, 115, None)
    once = held.sent(4).accepted()
    assert (once.is_fixed, once.may_try_at(4), once.may_try_at(5)) == (True, 115, 115)  # one may have ended unseen
    assert once.sent(5).accepted() == InFlight(cap=9, allowed=6)


def test_two_trials_refused_settle_the_places_until_a_probe() -> None:
    held = InFlight(cap=9, allowed=4).turned_away(4, now=100).sent(4).turned_away(4, now=115)
    settled = held.sent(4).turned_away(4, now=180)
    assert (held.trial_at, settled.trial_at, settled.allowed, settled.is_settled) == (180, None, 4, True)
    for _ in range(100):
        settled = settled.ended()
    probe = settled.sent(4)
    refused, taken = probe.turned_away(4, now=900), probe.accepted()
    assert settled.may_try_at(4) == 0
    assert (refused.allowed, refused.trial_at, refused.probes_failed) == (4, None, 1)
    assert (taken.allowed, taken.is_fixed, taken.trial_at) == (5, True, None)


def test_a_limit_that_shrinks_by_far_is_tried_anew() -> None:
    settled = InFlight(cap=99, allowed=40, is_fixed=True, is_settled=True)
    assert (settled.turned_away(39).allowed, settled.turned_away(39).is_settled) == (39, True)
    assert (settled.turned_away(10).allowed, settled.turned_away(10).is_settled) == (10, False)


def test_a_rate_falls_by_refusals_and_rises_by_acceptances() -> None:
    rate = LearntRate(60)
    rate.refused()
    rate.refused()
    fallen = rate.now_per_min
    for second in range(20):
        rate.accepted(second)
    assert (round(fallen, 1), round(rate.now_per_min, 2)) == (29.4, 32.34)
    for second in range(400):
        rate.accepted(20 + second)
    assert rate.per_min is None


@dataclass
class Provider:
    """Takes so many at once, and so many submits in any minute; each runs 100 to 300 s."""

    places: int = 10**6
    per_min: int = 10**6
    spurious: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self.running = 0
        self.count = 0
        self.times: deque[float] = deque()

    def takes(self, now: float) -> bool:
        self.count += 1
        while self.times and self.times[0] <= now - 60:
            self.times.popleft()
        if self.count in self.spurious or self.running >= self.places or len(self.times) >= self.per_min:
            return False
        self.running += 1
        self.times.append(now)
        return True


def drive(provider: Provider, takes: int, rates: Rates | None = None) -> tuple[float, list[int], Schedule]:
    """Submit so many, each answered after a second; returns the end, the numbers of the refused ones and the schedule."""
    schedule, rng, now, refused = Schedule(rates or Rates()), Random(3), 0.0, []
    ends: list[tuple[float, int]] = []
    posts: list[tuple[float, int]] = []
    sent = 0
    for take_id in range(takes):
        schedule.add_planned(take_id)
    while True:
        while posts and posts[0][0] <= now:
            _, take_id = heapq.heappop(posts)
            sent += 1
            is_taken = provider.takes(now)
            schedule.submit_ended(is_running=is_taken)
            if is_taken:
                schedule.accepted(now)
                heapq.heappush(ends, (now + rng.uniform(100, 300), take_id))
            else:
                refused.append(sent)
                schedule.add_planned(take_id, first=True)
                schedule.turned_away(now, None, rng)
        while ends and ends[0][0] <= now:
            heapq.heappop(ends)
            provider.running -= 1
            schedule.generation_ended()
        step = schedule.next_step(now)
        if isinstance(step, Submit):
            schedule.submit_began(now)
            heapq.heappush(posts, (now + 1.0, step.take_id))
            continue
        times = [each[0][0] for each in (posts, ends) if each]
        if isinstance(step, Wait) and step.until is not None:
            times.append(step.until)
        if not times:
            return now, refused, schedule
        now = max(now, min(times))


@pytest.mark.parametrize("places", [3, 20, 50])
def test_an_unknown_number_of_places_is_found_and_kept_with_few_refusals(places: int) -> None:
    end, refused, schedule = drive(Provider(places=places), 1000)
    settled = [each for each in refused if each > 150]
    ideal = 1000 * 200 / places
    assert schedule.in_flight.allowed in (places, places + 1)
    assert len(settled) <= 0.01 * 1000
    assert len(refused) <= 20
    assert end <= 1.1 * ideal + 300


def test_a_rate_that_is_told_too_high_is_found_and_kept_with_few_refusals() -> None:
    end, refused, schedule = drive(Provider(per_min=20), 600)
    assert len([each for each in refused if each > 150]) <= 6
    assert len(refused) <= 20
    assert not schedule.in_flight.is_fixed
    assert end <= 1.3 * (600 / 20 * 60 + 200)


def test_a_429_that_means_nothing_costs_little_time() -> None:
    plain, _, _ = drive(Provider(), 200)
    hit, refused, schedule = drive(Provider(spurious=(3, 4, 9)), 200)
    assert refused == [3, 4, 9]
    assert not schedule.in_flight.is_fixed
    assert hit <= plain + 400


def test_a_breaker_opens_at_five_failures_alike_and_no_others() -> None:
    breaker = Breaker()
    alike = [breaker.failed(f"Internal error, node-{n}") for n in range(4)]
    breaker.went_well()
    again = [breaker.failed("internal error, node-7") for _ in range(4)]
    other = breaker.failed("out of memory")
    row = [breaker.failed("internal error, node-7") for _ in range(5)]
    assert (alike, again, other, row) == ([False] * 4, [False] * 4, False, [False] * 4 + [True])


@pytest.mark.long
def test_failures_alike_stop_the_submits_and_what_runs_is_finished(tmp_path: Path) -> None:
    fail = Rule("submit", "fail", nth=tuple(range(3, 90)), message="Internal model error")
    world = World(tmp_path / "out", rules=(fail,), settings=RunSettings(rates=Rates(max_attempts=1, in_flight=4)))
    end = world.run(batch_of(30))
    states = [take.state for take in world.takes()]
    assert end.exit_code is ExitCode.TAKES_FAILED
    assert "5 tries in a row failed in the same way" in end.messages[0]
    assert states.count(State.VERIFIED) == 2
    assert 5 <= states.count(State.FAILED) <= 9
    assert states.count(State.PLANNED) == 30 - 2 - states.count(State.FAILED)


@pytest.mark.long
def test_prompts_that_are_moderated_do_not_stop_the_others(tmp_path: Path) -> None:
    fail = Rule("submit", "fail", nth=tuple(range(1, 9)), message="Content policy violation: the prompt was moderated")
    world = World(tmp_path / "out", rules=(fail,))
    world.run(batch_of(12))
    states = [take.state for take in world.takes()]
    assert (states.count(State.FAILED), states.count(State.VERIFIED)) == (8, 4)


def test_retry_after_is_obeyed() -> None:
    schedule = Schedule(Rates())
    schedule.has_canary_answer = True
    schedule.in_flight = InFlight(cap=9, allowed=9)
    schedule.add_planned(1)
    waited = schedule.turned_away(10, 120.0, Random(1))
    step = schedule.next_step(10)
    assert isinstance(step, Wait)
    assert step.until is not None
    assert step.until >= 10 + 120
    assert waited >= 120


def test_the_link_that_dies_first_is_fetched_first() -> None:
    schedule = Schedule(Rates(downloads=9))
    for take_id, expires in ((1, 900.0), (2, 300.0), (3, 600.0), (4, 300.0)):
        schedule.add_download(take_id, expires=expires)
    schedule.add_download(5)
    schedule.add_download(6, first=True)
    steps = [schedule.next_step(0) for _ in range(6)]
    assert [each.take_id for each in steps if isinstance(each, Download)] == [6, 2, 4, 3, 1, 5]


@pytest.mark.long
def test_a_disk_that_fills_up_stops_the_submits_and_what_runs_is_fetched(tmp_path: Path) -> None:
    room = iter([10**12] * 3)
    settings = RunSettings(free_bytes=lambda: next(room, 40 * 2**20))
    world = World(tmp_path / "out", settings=settings)
    end = world.run(batch_of(6))
    states = [take.state for take in world.takes()]
    assert end.exit_code is ExitCode.LOCAL_FAULT
    assert "has 40 MiB free, and the clips under way may need 128 MiB" in end.messages[0]
    assert (states.count(State.VERIFIED), states.count(State.PLANNED)) == (3, 3)
