"""The clocks of a batch: a wrong one, one that is set, and dates that jump change nothing that is bought."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from wanbatch.provider.clocks import (
    CLOCK_MARGIN,
    SAMPLES,
    TOLD,
    UNCHECKED_MARGIN,
    Kept,
    Skew,
    earlier,
    has_changed,
    is_in_the_future,
    margin_of,
    span_text,
    wrong_clock_text,
)

AT = datetime(2026, 11, 1, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)


def skew_of(*hours: float, took_s: float = 0.0) -> Skew:
    made = Skew()
    for number, each in enumerate(hours):
        sent = AT + timedelta(seconds=number)
        made.note(sent + each * HOUR, sent, sent + timedelta(seconds=took_s))
    return made


def test_before_the_first_date_nothing_is_known() -> None:
    assert (Skew().ahead, Skew().is_settled, Skew().spread) == (None, False, timedelta(0))


def test_the_skew_is_told_minus_the_middle_of_the_request_and_half_a_second() -> None:
    made = Skew()
    made.note(AT + timedelta(seconds=10), AT, AT + timedelta(seconds=4))
    assert made.ahead == timedelta(seconds=8.5)


@pytest.mark.parametrize("jump_h", [30, -30, 24 * 365 * 10, -24 * 365 * 10])
@pytest.mark.parametrize("place", range(4))
def test_one_date_that_jumps_changes_nothing(jump_h: float, place: int) -> None:
    dates = [0.0, 0.0, 0.0]
    dates.insert(place, jump_h)
    made = skew_of(*dates)
    assert (made.ahead, made.is_settled) == (timedelta(seconds=0.5), True)


@pytest.mark.parametrize(
    ("hours", "is_settled"),
    [((5,), False), ((5, 5), False), ((5, 5, 5), True), ((0, 30, 0), False), ((0, 30, 0, 30, 0, 30), False)],
    ids=["one", "two", "three alike", "two of three", "half of them"],
)
def test_enough_answers_have_to_agree(hours: tuple[float, ...], is_settled: bool) -> None:
    assert skew_of(*hours).is_settled is is_settled


def test_slow_answers_may_differ_by_as_much_as_they_took() -> None:
    apart = (0.0, 0.02, -0.02)  # 72 s
    assert not skew_of(*apart).is_settled
    assert skew_of(*apart, took_s=200).is_settled


def test_a_clock_that_was_set_is_believed_once_most_answers_say_so() -> None:
    assert skew_of(*[0.0] * SAMPLES, *[5.0] * (SAMPLES // 2)).ahead == timedelta(seconds=0.5)
    assert skew_of(*[0.0] * SAMPLES, *[5.0] * (SAMPLES // 2 + 1)).ahead == 5 * HOUR + timedelta(seconds=0.5)


def test_a_date_of_another_century_is_none() -> None:
    made = Skew()
    made.note(datetime(9999, 12, 31, tzinfo=UTC), AT, AT)
    assert made.ahead is None


# --- what a batch remembers


def test_the_counted_time_passes_as_slowly_as_the_slower_clock() -> None:
    kept = Kept().at(AT, AT)
    assert kept.now(AT + HOUR, AT + 30 * HOUR) == AT + HOUR  # the provider's date jumped
    assert kept.now(AT + 48 * HOUR, AT + HOUR) == AT + HOUR  # ours was set
    assert kept.now(AT - HOUR, AT + HOUR) == AT  # never back
    assert kept.now(AT + HOUR, None) == AT + HOUR


def test_a_jump_of_each_clock_one_after_the_other_is_no_age() -> None:
    kept = Kept().at(AT, AT)
    kept = kept.at(AT + 31 * HOUR, AT + HOUR)  # ours is set to tomorrow
    kept = kept.at(AT + 32 * HOUR, AT + 40 * HOUR)  # the provider's jumps
    assert kept.counted == AT + 2 * HOUR


def test_before_anything_is_kept_the_counted_time_is_that_of_the_earlier_clock() -> None:
    assert Kept().now(AT + 5 * HOUR, AT) == AT
    assert Kept().now(AT, AT + 5 * HOUR) == AT
    assert Kept().now(AT, None) == AT


def test_what_is_kept_is_read_again() -> None:
    kept = replace(Kept().measured(5 * HOUR).measured(-HOUR).at(AT, AT - HOUR), is_checked=True)
    assert Kept.read(kept.text()) == kept
    assert (kept.low, kept.high) == (-HOUR, 5 * HOUR)


@pytest.mark.parametrize(
    "text",
    [
        None, "", "[]", "{", "7", json.dumps({"low_s": "x"}), json.dumps({"low_s": True}), '{"low_s": NaN}',
        '{"low_s": 1e300}', json.dumps({"ours": "2026-11-01T20:00:00"}), json.dumps({"ours": 3}), "[" * 100_000,
    ],
)  # fmt: skip
def test_a_note_that_cannot_be_read_was_never_measured(text: str | None) -> None:
    assert Kept.read(text) == Kept()


@pytest.mark.parametrize(
    ("ahead", "is_checked", "margin"),
    [
        (timedelta(0), True, CLOCK_MARGIN),
        (5 * HOUR, True, CLOCK_MARGIN),
        (-timedelta(seconds=20), True, CLOCK_MARGIN),
        (-5 * HOUR, True, CLOCK_MARGIN + 5 * HOUR),
        (timedelta(0), False, UNCHECKED_MARGIN),
        (-5 * HOUR, False, UNCHECKED_MARGIN + 5 * HOUR),
    ],
)
def test_the_margin_reaches_to_the_earlier_clock(ahead: timedelta, is_checked: bool, margin: timedelta) -> None:
    assert margin_of(Kept().measured(ahead), is_checked=is_checked) == margin


def test_a_clock_that_was_wrong_in_an_earlier_run_still_counts() -> None:
    assert margin_of(Kept().measured(-5 * HOUR).measured(timedelta(0)), is_checked=True) == CLOCK_MARGIN + 5 * HOUR


def test_a_time_lies_ahead_where_it_does_by_either_clock() -> None:
    assert is_in_the_future(AT + HOUR, AT, AT + 2 * HOUR)
    assert is_in_the_future(AT + HOUR, AT + 2 * HOUR, AT)
    assert not is_in_the_future(AT + TOLD, AT, AT)
    assert is_in_the_future(AT + HOUR, AT, None)


def test_nothing_is_earlier_than_the_first_day() -> None:
    assert earlier(AT, timedelta(days=10_000_000 // 10)) == datetime.min.replace(tzinfo=UTC)


# --- what is told


@pytest.mark.parametrize(
    ("ahead", "text"),
    [
        (None, None),
        (timedelta(seconds=90), None),
        (timedelta(minutes=3), "this machine's clock is 3 min behind the provider's"),
        (-5 * HOUR, "this machine's clock is 5.0 h ahead of the provider's"),
        (timedelta(days=3), "this machine's clock is 3.0 days behind the provider's"),
    ],
)
def test_a_wrong_clock_is_told_from_two_minutes_on(ahead: timedelta | None, text: str | None) -> None:
    assert wrong_clock_text(ahead) == text


def test_spans_are_written_as_a_person_says_them() -> None:
    assert [span_text(each) for each in (90 * timedelta(minutes=1), 26 * HOUR, 72 * HOUR)] == [
        "90 min", "26.0 h", "3.0 days",
    ]  # fmt: skip


def test_a_clock_that_was_set_between_two_runs_is_noticed() -> None:
    kept = Kept().measured(-5 * HOUR)
    assert (has_changed(kept, timedelta(0)), has_changed(kept, -5 * HOUR)) == (True, False)
    assert not has_changed(Kept(), 5 * HOUR)
