"""Polling by the hazard: what the theory promises, and what is learnt from nothing, for durations of many shapes."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.worlds import World, batch_of
from wanbatch.pace.polling import END_S, POLL_FLOOR_S, QUIET_CAP_S, Hazard, Hazards, lognormal, queued_poll_s
from wanbatch.pace.schedule import Rates, Schedule
from wanbatch.pace.steps import Poll
from wanbatch.state.history import earlier_times
from wanbatch.state.reader import StateReader

Draw = Callable[[Random, float], float]


def lognormal_of(rng: Random, mean_s: float, cv: float) -> float:
    sigma = math.sqrt(math.log(1 + cv * cv))
    return rng.lognormvariate(math.log(mean_s) - sigma * sigma / 2, sigma)


SHAPES: dict[str, Draw] = {
    "narrow": lambda rng, _: lognormal_of(rng, 205, 0.15),
    "middle": lambda rng, _: lognormal_of(rng, 205, 0.25),
    "wide": lambda rng, _: lognormal_of(rng, 205, 0.4),
    "bimodal": lambda rng, _: lognormal_of(rng, 120 if rng.random() < 0.5 else 290, 0.1),
    "heavy tail": lambda rng, _: (
        lognormal_of(rng, 180, 0.2) if rng.random() < 0.9 else 180 + 60 * rng.paretovariate(1.5)
    ),
    "drift": lambda rng, share: lognormal_of(rng, 205, 0.25) * (1.6 if share > 0.5 else 1.0),
}


def optimum(draw: Draw) -> float:
    """The least lag times polls that any schedule has, (integral sqrt(f S) dt)^2 / 2, from 50,000 draws of each half."""
    areas = []
    for share in (0.0, 1.0):
        rng, width_s, counts, count = Random(99), 3.0, {}, 50_000
        for _ in range(count):
            at = int(draw(rng, share) / width_s)
            counts[at] = counts.get(at, 0) + 1
        alive, area = count, 0.0
        for at in sorted(counts):
            area += math.sqrt((alive - counts[at] / 2) / count * counts[at] / count / width_s) * width_s
            alive -= counts[at]
        areas.append(area)
    return (sum(areas) / 2) ** 2 / 2


def follow(draw: Draw, hazard: Hazard, takes: int, at_once: int, seed: int) -> tuple[float, float]:
    """Poll so many takes by a hazard that learns from them; returns mean lag in s and mean polls."""
    rng, queue, lag_s, polls = Random(seed), [], 0.0, 0
    seen: dict[int, tuple[float, float, float]] = {}  # began, lasts, last polled at age
    begun = 0

    def begin(now: float) -> None:
        nonlocal begun
        seen[begun] = (now, draw(rng, begun / takes), 0.0)
        heapq.heappush(queue, (now + hazard.curve().next_poll_s(0), begun))
        begun += 1

    for number in range(at_once):
        begin(float(number))
    while queue:
        now, take = heapq.heappop(queue)
        began, lasts_s, last_s = seen[take]
        age_s = now - began
        polls += 1
        if age_s < lasts_s:
            hazard.add_watched(last_s, age_s)
            seen[take] = (began, lasts_s, age_s)
            heapq.heappush(queue, (now + hazard.curve().next_poll_s(age_s), take))
            continue
        lag_s += age_s - lasts_s
        hazard.add_end(last_s, age_s)
        if begun < takes:
            begin(now)
    return lag_s / takes, polls / takes


@pytest.mark.long
@pytest.mark.sampled(3)
@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_learnt_in_a_run_comes_near_the_best_there_is(shape: str) -> None:
    found = [follow(SHAPES[shape], Hazard(), 1000, 50, seed) for seed in (1, 2)]
    lag_s, polls = (sum(each) / len(each) for each in zip(*found, strict=True))
    fixed = 7.5 * (205 / 15 + 0.5)
    assert lag_s * polls <= 1.3 * optimum(SHAPES[shape])
    assert lag_s * polls < (fixed if shape != "drift" else 1.3 * fixed)


@pytest.mark.long
def test_two_hundred_takes_are_enough_to_learn_from_nothing() -> None:
    found = [follow(SHAPES["middle"], Hazard(), 200, 20, seed) for seed in range(20)]
    lag_s, polls = (sum(each) / len(each) for each in zip(*found, strict=True))
    assert lag_s * polls <= 1.15 * optimum(SHAPES["middle"])
    assert polls <= 14.5


@pytest.mark.long
def test_what_an_earlier_run_saw_helps_from_the_first_take_on() -> None:
    teacher = Hazard()
    follow(SHAPES["narrow"], teacher, 600, 30, 1)
    taught, untaught = (
        [sum(each) for each in zip(*(follow(SHAPES["narrow"], Hazard(seen), 40, 20, n) for n in range(9)), strict=True)]
        for seen in (teacher.seen(), None)
    )
    assert taught[0] * taught[1] < 0.88 * untaught[0] * untaught[1]


def test_a_wait_is_neither_hectic_nor_endless() -> None:
    curve = Hazard(lognormal(205, 0.05)).curve()
    waits = [curve.next_poll_s(age_s) for age_s in range(0, 4 * 3600, 37)]
    assert POLL_FLOOR_S <= min(waits) <= max(waits) <= QUIET_CAP_S


@pytest.mark.parametrize(("from_s", "until_s"), [(0, 0), (-5, 3), (END_S - 1, END_S + 900), (END_S + 5, END_S + 9)])
def test_odd_ages_are_learnt_from_without_harm(from_s: float, until_s: float) -> None:
    hazard = Hazard()
    hazard.add_watched(from_s, until_s)
    hazard.add_end(from_s, until_s)
    assert POLL_FLOOR_S <= hazard.curve().next_poll_s(100) <= QUIET_CAP_S


def test_much_that_was_seen_keeps_its_measure() -> None:
    hazard = Hazard()
    for _ in range(4000):  # the weight of what is new is brought down on the way
        hazard.add_watched(0, 195)
        hazard.add_end(195, 205)
    assert 190 <= hazard.curve().mean_s <= 215
    assert 150 <= sum(hazard.seen().ends) <= 250


def test_a_take_in_the_queue_is_asked_less_often_the_longer_it_waits() -> None:
    assert [queued_poll_s(age_s) for age_s in (0, 80, 160, 4000)] == [10, 10, 20, 60]


def test_where_polls_are_rationed_the_one_that_gains_most_goes_first() -> None:
    schedule = Schedule(Rates(poll_per_min=6))
    for take_id in range(3):
        schedule.add_poll(take_id, due=5, gain=lambda now, take_id=take_id: now * (take_id + 1))  # type: ignore[misc]
    schedule.add_poll(9, due=5)
    order = []
    for now in (10.0, 20.0, 30.0, 40.0):
        step = schedule.next_step(now)
        assert isinstance(step, Poll)
        order.append(step.take_id)
    assert order == [2, 1, 0, 9]


@pytest.mark.long
def test_how_long_takes_took_is_read_from_the_batches_beside_this_one(tmp_path: Path) -> None:
    World(tmp_path / "a").run(batch_of(3))
    with StateReader.open(tmp_path / "a") as reader:
        assert len(reader.newest_completed(2)) == 2
    (tmp_path / "c").mkdir()
    seen = earlier_times(tmp_path / "c", "sandbox")
    assert [str(each) for each in seen] == ["wan2.1-t2v-turbo 480P"]
    assert sum(next(iter(seen.values())).ends) > 4
    assert earlier_times(tmp_path / "c", "https://elsewhere.example.com") == {}


def test_a_run_begins_with_what_is_known_of_its_class() -> None:
    teacher = Hazard()
    follow(SHAPES["narrow"], teacher, 300, 30, 1)
    taught = Hazards({"class": teacher.seen()}).of("class").curve()
    assert taught.next_poll_s(0) > Hazards({}).of("class").curve().next_poll_s(0)


def test_what_was_seen_has_a_mean_age_of_its_ends() -> None:
    hazard = Hazard()
    for _ in range(200):
        hazard.add_watched(0, 95)
        hazard.add_end(95, 105)
    assert 95 <= hazard.seen().mean_s <= 110
