"""Times that a wrong clock recorded: what they hide is looked for as far back as the provider's books go."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.runner.shared import HOURS, PRICE, lying, put_back, saved, states, told
from tests.worlds import EPOCH, Killed, World, batch_of
from wanbatch.batch.lifecycle import State
from wanbatch.errors import ExitCode
from wanbatch.provider.clocks import CLOCK_MARGIN, UNCHECKED_MARGIN, Kept, lead_of
from wanbatch.provider.protocol import LogRow
from wanbatch.provider.requestlog import spans_of
from wanbatch.runner.batch_clock import BatchClock
from wanbatch.runner.settings import OnUnknown, RunSettings
from wanbatch.sandbox.faults import Rule
from wanbatch.state.file import StateFile
from wanbatch.state.reader import StateReader
from wanbatch.state.tables import new_identity

pytestmark = pytest.mark.usefixtures("quick_clips")
DAY = timedelta(days=1)
YEARS = 730 * DAY


@pytest.mark.parametrize("then", [5 * DAY / 24, 26 * DAY / 24, 9 * DAY], ids=str)
def test_a_copy_from_before_the_first_submit_finds_them_whatever_our_clock_said_then(
    tmp_path: Path, then: timedelta
) -> None:
    world = World(tmp_path / "out", settings=RunSettings(cap_credits=0), our_clock_ahead=then)
    world.run(batch_of(2))
    copy = saved(world)
    world.settings, world.our_clock_ahead = RunSettings(), timedelta(0)
    assert world.run(batch_of(2)).exit_code is ExitCode.OK
    put_back(world, copy, keeps_clips=False)
    world.elapsed_s += 12 * 24 * HOURS  # by then the file's own times lie in the past
    assert (world.run(batch_of(2)).exit_code, world.submits, states(world)) == (
        ExitCode.DECISION_NEEDED,
        2,
        ["held", "held"],
    )


@pytest.mark.parametrize("then", [YEARS, 9 * DAY], ids=str)
def test_charges_are_seen_though_our_clock_was_ahead_when_they_were_made(tmp_path: Path, then: timedelta) -> None:
    world = World(tmp_path / "out", our_clock_ahead=then)
    with pytest.raises(Killed):
        world.run(batch_of(1), kill_at=4)
    world.our_clock_ahead = timedelta(0)
    world.run(batch_of(1))
    assert [(take.state, take.credits_charged) for take in world.takes()] == [(State.VERIFIED, PRICE)]


@pytest.mark.parametrize("policy", list(OnUnknown), ids=str)
def test_a_submit_that_was_recorded_in_the_future_is_not_looked_up_for_ever(tmp_path: Path, policy: OnUnknown) -> None:
    settings = RunSettings(on_unknown=policy, unknown_grace=timedelta(hours=2))
    world = World(tmp_path / "out", our_clock_ahead=YEARS, settings=settings)
    with pytest.raises(Killed):
        world.run(batch_of(2), kill_at=1)
    world.our_clock_ahead = timedelta(0)
    began_s = world.elapsed_s
    world.run(batch_of(2))
    assert world.elapsed_s - began_s < 24 * HOURS
    assert states(world)[1] == "verified"


# --- the batch's clock


class Still:
    """A clock that stands."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(seconds)


def opened(folder: Path, at: datetime = EPOCH) -> StateFile:
    return StateFile.create_or_open(folder / "out", new_identity("batch", "sandbox", "first", at, sandbox=True))


def test_only_the_run_that_begins_a_batch_can_check_its_times(tmp_path: Path) -> None:
    told = []
    for run in range(3):
        with opened(tmp_path) as state:
            clock = BatchClock(state, Still(EPOCH))
            told.append(clock.is_checked)
            if run:
                clock.measured(timedelta(0))
                told.append(clock.is_checked)
    assert told == [True, False, False, False, False]


def test_a_clock_that_was_compared_at_the_beginning_is_known_for_good(tmp_path: Path) -> None:
    with opened(tmp_path, EPOCH + 9 * DAY) as state:
        BatchClock(state, Still(EPOCH + 9 * DAY)).measured(-9 * DAY)
    with opened(tmp_path) as state:
        clock = BatchClock(state, Still(EPOCH))
    assert (clock.is_checked, clock.margin) == (True, CLOCK_MARGIN + 9 * DAY)


def test_a_time_further_ahead_than_any_clock_was_found_to_be_is_doubted(tmp_path: Path) -> None:
    with opened(tmp_path, EPOCH + 9 * DAY) as state:
        BatchClock(state, Still(EPOCH + 9 * DAY)).measured(timedelta(0))
    with opened(tmp_path) as state:
        clock = BatchClock(state, Still(EPOCH))
    assert (clock.is_checked, clock.margin, clock.earliest(EPOCH + YEARS)) == (
        False,
        UNCHECKED_MARGIN,
        EPOCH - UNCHECKED_MARGIN,
    )


@pytest.mark.parametrize(
    ("kept", "is_checked", "lead"),
    [
        (Kept(), True, CLOCK_MARGIN),
        (Kept().measured(2 * DAY).measured(-DAY), True, CLOCK_MARGIN + 2 * DAY),
        (Kept().measured(-DAY), True, CLOCK_MARGIN),
        (Kept().measured(DAY), False, timedelta.max),
    ],
)
def test_a_time_may_be_too_early_by_what_our_clock_was_behind(kept: Kept, is_checked: bool, lead: timedelta) -> None:
    assert lead_of(kept, is_checked=is_checked) == lead


# --- the log of each key


def test_the_log_of_one_key_is_not_read_by_reading_that_of_another(tmp_path: Path) -> None:
    with opened(tmp_path) as state:
        state.note_log_read("other", EPOCH + DAY)
        told = [state.log_read_until(key) for key in ("first", "other", "third")]
        state.note_log_read("first", EPOCH)
        state.note_log_read("other", EPOCH)  # a mark moves on, and never back
        told += [state.log_read_until(key) for key in ("first", "other", "third")]
    assert told == [None, EPOCH + DAY, None, EPOCH, EPOCH + DAY, None]


# --- what run.log told first


def test_the_id_of_a_submit_that_run_log_told_of_is_offered_once_the_log_shows_it(tmp_path: Path) -> None:
    world = World(tmp_path / "out", settings=RunSettings(cap_credits=0))
    world.run(batch_of(1))
    copy = saved(world)
    world.settings = RunSettings()
    world.run(batch_of(1))
    (row,) = world.ledger()
    put_back(world, copy, keeps_clips=False)
    with StateReader.open(world.output) as reader:
        assert reader.attempts() == []
    logged = LogRow(row["client_request_id"], None, False, None, EPOCH)
    world.settings = RunSettings(logged=(logged,))
    world.elapsed_s += HOURS
    end: Any = world.run(batch_of(1))
    (take,) = world.takes()
    assert (end.exit_code, take.state, world.submits) == (ExitCode.DECISION_NEEDED, State.HELD, 1)
    assert f"--adopt {row['inference_id']}" in take.error


# --- clocks that lie years apart


@pytest.mark.parametrize(
    ("since_d", "earlier_d", "end_d", "spans"),
    [
        (-5, 0, 0, [(-5, 0)]),
        (-500, 0, 0, [(-91, 0)]),
        (-500, 0, 4, [(-91, 0), (0, 4)]),
        (-500, 0, 730, [(-91, 0), (639, 730)]),
        (-5, 0, 730, [(-5, 86), (639, 730)]),
        (5, 0, 4, []),
    ],
)
def test_a_log_is_read_to_the_later_clock_and_as_far_back_as_it_reaches_from_the_earlier_one(
    since_d: int, earlier_d: int, end_d: int, spans: list[tuple[int, int]]
) -> None:
    found = spans_of(EPOCH + since_d * DAY, EPOCH + earlier_d * DAY, EPOCH + end_d * DAY)
    assert [((begin - EPOCH).days, (end - EPOCH).days) for begin, end in found] == spans


@pytest.mark.parametrize("now", [YEARS, -YEARS], ids=str)
def test_a_refused_submit_that_was_made_is_found_though_our_clock_is_years_off_by_now(
    tmp_path: Path, now: timedelta
) -> None:
    world = World(tmp_path / "out", rules=lying(429))
    assert world.run(batch_of(2)).exit_code is ExitCode.OK
    assert world.submits == 3
    world.our_clock_ahead = now
    world.elapsed_s += HOURS
    assert told(world).doubles == ("sh001_t1",)


# --- our clock is set back while something runs


def test_a_generation_without_end_is_left_to_the_next_run_though_our_clock_was_set_back(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "stall", nth=(1,)),))
    with pytest.raises(Killed):
        world.run(batch_of(1), kill_at=4)
    world.our_clock_ahead, began_s = -YEARS, world.elapsed_s
    world.run(batch_of(1))
    assert (states(world), world.elapsed_s - began_s < 3 * HOURS) == (["held"], True)
