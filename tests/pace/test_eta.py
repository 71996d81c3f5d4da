"""The estimate of how long a batch still takes."""

from __future__ import annotations

import math
from random import Random

import pytest

from wanbatch.pace.eta import SOON_S, Course, Life, Rest, eta_s
from wanbatch.pace.measured import Measured

SURE = Life(math.log(200), 1e-6)  # every generation lasts 200 s


def near(seconds: float | None, wanted: float) -> bool:
    return seconds is not None and abs(seconds - wanted) <= 1.0


@pytest.mark.parametrize(
    ("rest", "wanted"),
    [
        pytest.param(Rest(running=[(Course(SURE, 5), 100, 100)]), 105, id="one runs"),
        pytest.param(Rest(to_send=[Course(SURE, 0)] * 30, at_once=10, per_min=6000), 600, id="three rounds"),
        pytest.param(Rest(to_send=[Course(SURE, 0)] * 100, at_once=100, per_min=60), 299, id="the submit rate"),
        pytest.param(Rest(to_fetch=[30.0] * 10, downloads=4), 90, id="clips are made and wait for a download"),
        pytest.param(Rest(to_fetch=[5.0, 30.0, 30.0], downloads=2), 35, id="one of the downloads is nearly done"),
        pytest.param(
            Rest([Course(SURE, 60)] * 8, at_once=8, per_min=6000, downloads=2), 440, id="downloads are the bottleneck"
        ),
        pytest.param(
            Rest([Course(SURE, 0)] * 300, more_to_send=99_700, at_once=10, per_min=60),
            100_000 / 10 * 200,
            id="a hundred thousand",
        ),
        pytest.param(
            Rest([Course(Life(math.log(400), 1e-6), 0), Course(SURE, 0)], at_once=2, per_min=6000),
            400,
            id="each model by its own time",
        ),
        pytest.param(Rest(running=[(Course(Life(), 0), 10_000, 10_000)]), 2590, id="one that lasts beyond all measure"),
        pytest.param(Rest(running=[(Course(SURE, 5), 230, 150)]), 5, id="one ended since it was seen to run"),
        pytest.param(Rest(running=[(Course(SURE, 0), 199.9, 199.9)]), SOON_S, id="the next answer may be the last"),
    ],
)
def test_the_time_left_follows_from_what_is_known(rest: Rest, wanted: float) -> None:
    assert near(eta_s(rest), wanted) or eta_s(rest) == pytest.approx(wanted, rel=0.01)


def test_what_is_expected_to_fail_is_sent_again() -> None:
    told_s = [
        eta_s(Rest(to_send=[Course(SURE, 0)] * 20, at_once=20, per_min=6000, again=share)) for share in (0.0, 0.1, 0.4)
    ]
    assert all(each is not None for each in told_s)
    assert [round((each or 0) / 230) for each in told_s] == [1, 2, 4]  # rounds


def test_nothing_left_takes_no_time() -> None:
    assert eta_s(Rest()) is None


def test_the_last_of_many_lasts_longer_than_the_mean() -> None:
    rng = Random(3)
    life = Life(math.log(200), 0.25)
    true_s = sum(max(rng.lognormvariate(life.mu, life.sigma) for _ in range(20)) for _ in range(400)) / 400
    told_s = eta_s(Rest(to_send=[Course(life, 0)] * 20, at_once=20, per_min=60_000))
    assert told_s is not None
    assert abs(told_s / true_s - 1) < 0.05
    assert told_s > 1.4 * life.mean_s


def measured(sizes: dict[str, float] | None = None, expected_s: dict[str, float] | None = None) -> Measured:
    return Measured(lambda kind: (sizes or {}).get(kind, 1.0), expected_s)  # type: ignore[arg-type]


def test_the_documented_time_counts_before_the_first_end() -> None:
    assert near(measured().life("a").mean_s, 205)


def test_what_earlier_runs_saw_counts_before_the_first_end() -> None:
    assert near(measured(expected_s={"a": 90.0}).life("a").mean_s, 90)


def test_the_first_end_says_nearly_all() -> None:
    pace = measured()
    pace.generation_ended("a", 80)
    assert 80 < pace.life("a").mean_s < 105


def test_generations_that_still_run_count_as_longer_than_their_ages() -> None:
    rng = Random(5)
    lasts = sorted(rng.lognormvariate(math.log(200), 0.25) for _ in range(60))
    pace = measured()
    for each in lasts[:15]:
        pace.generation_ended("a", each)
    ages = [lasts[14]] * 45
    without, with_ages = pace.life("a").mean_s, pace.life("a", ages).mean_s
    true_s = sum(lasts) / len(lasts)
    assert without < 0.85 * true_s
    assert abs(with_ages / true_s - 1) < 0.1


def test_a_class_that_never_ended_is_told_by_those_that_did() -> None:
    pace = measured({"large": 4.0, "small": 1.0})
    for number in range(20):
        pace.generation_ended("large", 200)
        pace.fetched("large", 8, 8.0 * number, is_verified=True)
    assert 95 < pace.life("small").mean_s < 110
    assert pace.fetch_s("small") == pytest.approx(8 / 4**0.75)


def test_the_newest_downloads_tell_how_long_one_takes_and_failed_ones_count() -> None:
    pace, now = measured(), 0.0
    before = pace.fetch_s("a"), pace.has_fetched
    for took_s in (500, 500, *[20] * 10):
        now += took_s
        pace.fetched("a", took_s, now, is_verified=True)
    steady = pace.fetch_s("a")
    for _ in range(9):
        now += 30
        pace.fetched("a", 10, now - 20, is_verified=False)
        pace.fetched("a", 20, now, is_verified=True)
    assert (before, steady, pace.fetch_s("a"), pace.has_fetched) == ((5.0, False), 20, 30, True)


def test_downloads_that_waited_for_something_to_start_do_not_stand_for_the_rest() -> None:
    pace = measured()
    for number in range(5):  # four at a time: each of the first four waited 40 s for a process
        pace.fetched("a", 50 if number < 4 else 10, 50 + 2 * number, is_verified=True)
    assert pace.fetch_s("a", 4) == pytest.approx(50 * 4 * 8 / (3 * 50 + 10))
    for number in range(5, 30):
        pace.fetched("a", 10, 50 + 2.5 * number, is_verified=True)
    assert pace.fetch_s("a", 4) == 10


def test_the_share_that_is_made_again_is_the_one_seen() -> None:
    pace = measured()
    before = pace.again
    pace.generations_ended(8, 2)
    assert (before, pace.again) == (0.0, 0.25)
