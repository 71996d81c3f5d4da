"""The schedule: what comes next, how fast, and how many at once."""

from __future__ import annotations

import itertools
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from wanbatch.pace.limits import Bucket, InFlight
from wanbatch.pace.schedule import POSTS_AT_ONCE, Rates, Schedule
from wanbatch.pace.steps import Done, Download, Poll, Submit, Wait


@given(st.lists(st.floats(0, 20), min_size=1, max_size=60), st.floats(0.05, 5))
@settings(max_examples=60)
def test_a_bucket_never_lets_more_through_than_its_rate(pauses: list[float], per_s: float) -> None:
    bucket, now, times = Bucket(per_s), 0.0, []
    for pause in pauses:
        now = max(now + pause, bucket.ready_at(now + pause))
        bucket.take(now)
        times.append(now)
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert all(gap >= 1 / per_s - 1e-6 for gap in gaps)


def test_the_canary_goes_alone_and_then_posts_overlap() -> None:
    schedule = Schedule(Rates(submit_per_min=6000))
    for take_id in (1, 2, 3, 4):
        schedule.add_planned(take_id)
    assert schedule.next_step(0) == Submit(1)
    schedule.submit_began(0)
    assert schedule.next_step(1) == Wait(None)
    schedule.submit_ended(is_running=True)
    schedule.accepted(1)
    assert schedule.next_step(1) == Submit(2)
    schedule.submit_began(1)
    assert schedule.next_step(2) == Submit(3)  # while the second has no answer
    schedule.submit_began(2)
    assert schedule.next_step(3) == Wait(None)


def test_nothing_left_is_done_and_a_stopped_board_sends_nothing() -> None:
    schedule = Schedule(Rates())
    assert schedule.next_step(0) == Done()
    schedule.add_planned(1)
    schedule.is_submitting = False
    assert (schedule.next_step(0), schedule.planned) == (Done(), (1,))


def test_what_waits_for_another_is_planned_and_keeps_no_run_going() -> None:
    schedule = Schedule(Rates())
    schedule.places = {5: 0, 1: 1, 2: 2, 3: 3}
    schedule.add_planned(1)
    schedule.add_planned(3)
    for take_id in (2, 5, 4):
        schedule.wait(take_id)
    schedule.drop_planned(5)
    assert (schedule.planned, schedule.waiting) == ((1, 3, 2, 4), (2, 4))
    for take_id in (2, 5, 4):
        schedule.release(take_id)
    assert (schedule.planned, schedule.waiting) == ((1, 2, 3, 4), ())
    alone = Schedule(Rates())
    alone.wait(1)
    assert alone.next_step(0) == Done()


def test_downloads_are_bounded_and_go_first() -> None:
    schedule = Schedule(Rates(downloads=1))
    schedule.add_download(1)
    schedule.add_download(2, first=True)
    schedule.add_poll(3, 0)
    assert [schedule.next_step(0), schedule.next_step(0), schedule.next_step(0)] == [Download(2), Poll(3), Wait(None)]
    schedule.worker_ended(2)
    schedule.worker_ended(3)
    assert schedule.next_step(0) == Download(1)


def test_polls_wait_for_their_time_and_their_pause() -> None:
    schedule = Schedule(Rates())
    schedule.add_poll(1, 50)
    schedule.pause_polls(80)
    assert schedule.next_step(0) == Wait(80)
    assert schedule.next_step(80) == Poll(1)


def test_a_429_halves_the_rate_and_acceptances_bring_it_back() -> None:
    schedule, rng = Schedule(Rates(submit_per_min=60)), Random(1)
    for take_id in range(4):
        schedule.add_planned(take_id)
    schedule.has_canary_answer = True
    schedule.in_flight = InFlight(cap=9, allowed=9)
    schedule.generation_followed(4)
    waited = schedule.turned_away(0, None, rng)
    assert 1 <= waited <= 60
    schedule.next_step(100)
    schedule.submit_began(100)
    schedule.submit_ended(is_running=True)
    schedule.generation_ended()
    schedule.generation_ended()
    assert schedule.next_step(100) == Wait(102.0)
    for _ in range(20):
        schedule.accepted(100)
    assert schedule.turned_away(200, 30.0, rng) >= 30


def test_the_pace_is_the_cap_until_a_429_fixes_it() -> None:
    schedule = Schedule(Rates(in_flight=50))
    free = schedule.pace
    schedule.in_flight = schedule.in_flight.turned_away(3)
    assert (free, schedule.pace) == ((50, 60.0), (3, 60.0))


def test_a_take_that_is_dropped_is_not_sent() -> None:
    schedule = Schedule(Rates())
    schedule.add_planned(1)
    schedule.drop_planned(2)
    schedule.drop_planned(1)
    assert schedule.planned == ()


def test_a_body_that_is_made_ready_has_the_place_of_its_post() -> None:
    schedule = Schedule(Rates(submit_per_min=6000))
    schedule.add_planned(1)
    schedule.add_planned(2)
    assert schedule.next_step(0) == Submit(1)
    schedule.body_began(0)
    assert schedule.next_step(1) == Wait(None)  # the first POST of a run goes alone, also while its body is made
    schedule.body_ended()
    schedule.submit_began(1, has_token=True)
    assert (schedule.posts, schedule.running, schedule.next_step(1)) == (1, 1, Wait(None))


def test_no_more_bodies_are_made_ready_than_posts_may_be_out() -> None:
    schedule = Schedule(Rates(submit_per_min=60_000))
    schedule.in_flight = InFlight(100, 100)
    schedule.has_canary_answer = True
    for take_id in range(50):
        schedule.add_planned(take_id)
    began = 0
    while isinstance(schedule.next_step(float(began)), Submit):
        schedule.body_began(float(began))
        began += 1
    assert began == POSTS_AT_ONCE


def test_submits_that_wait_for_an_answer_go_on_where_only_a_body_was_out() -> None:
    schedule = Schedule(Rates(submit_per_min=6000))
    schedule.add_planned(1)
    schedule.body_began(0)
    schedule.hold_submits_for_answer()
    schedule.body_ended()
    assert schedule.next_step(1) == Submit(1)
