"""The time left that a run tells while it goes, and the one that `status` tells from another terminal."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from tests.worlds import World, batch_of
from wanbatch.batch.forecast import START_OF_TIME, Forecast, Sending
from wanbatch.batch.lifecycle import State
from wanbatch.batch.take import Take
from wanbatch.pace.schedule import Rates
from wanbatch.runner.events import Event
from wanbatch.runner.loop import Runner
from wanbatch.runner.settings import RunSettings
from wanbatch.sandbox.faults import Rule
from wanbatch.state.reader import StateReader

pytestmark = pytest.mark.usefixtures("quick_clips")


@dataclass
class Clocked:
    """Notes what a run tells with each verified clip: its time, how many are done, and the seconds left."""

    told: list[tuple[float, int, float | None]] = field(default_factory=list)

    def __call__(self, runner: Runner, event: Event) -> None:
        if event.kind == "verified":
            progress = runner.progress()
            self.told.append((event.at.timestamp(), progress.counts["verified"], progress.eta_s))

    def error_at(self, share: float) -> float:
        at, _, left_s = next(each for each in self.told if each[1] >= share * len(self.told))
        assert left_s is not None
        return left_s / (self.told[-1][0] - at) - 1


@pytest.mark.long
@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("rules", "rates", "error"),
    [
        pytest.param((), Rates(in_flight=4), 0.15, id="few at once"),
        pytest.param((), Rates(submit_per_min=3), 0.15, id="few submits a minute"),
        pytest.param((Rule("submit", "fail", every=6),), Rates(in_flight=4), 0.25, id="one of six fails"),
        pytest.param((Rule("clip", "slow", every=1, delay_s=90.0),), Rates(downloads=1), 0.15, id="a slow clip host"),
    ],
)
def test_the_time_left_is_near_at_a_quarter_of_the_way(
    tmp_path: Path, rules: tuple[Rule, ...], rates: Rates, error: float
) -> None:
    clocked = Clocked()
    world = World(tmp_path / "out", rules=rules, settings=RunSettings(rates=rates), observe=clocked)
    world.run(batch_of(24))
    assert len(clocked.told) == 24
    assert abs(clocked.error_at(0.25)) < error


def test_clips_that_are_made_and_not_fetched_take_time_yet(tmp_path: Path) -> None:
    told: list[tuple[int, float | None]] = []

    def observe(runner: Runner, _: Event) -> None:
        progress = runner.progress()
        if progress.counts.get("verified", 0) > 1 and set(progress.counts) == {"completed", "verified"}:
            told.append((progress.counts["completed"], progress.eta_s))

    slow = (Rule("clip", "slow", every=1, delay_s=60.0),)
    world = World(tmp_path / "out", rules=slow, observe=observe, settings=RunSettings(rates=Rates(downloads=1)))
    world.run(batch_of(8))
    assert len(told) > 3
    assert all(left_s is not None and 40 * made < left_s < 80 * made for made, left_s in told)


@pytest.mark.long
def test_another_terminal_tells_the_time_left_by_what_is_recorded(tmp_path: Path) -> None:
    at_quarter: list[tuple[float, float | None]] = []
    rates = Rates(in_flight=4)
    output = tmp_path / "out"

    def observe(runner: Runner, event: Event) -> None:
        if event.kind == "verified" and runner.progress().counts["verified"] == 6:
            with StateReader.open(output) as reader:
                inventory, made = reader.inventory(), reader.newest_completed(200)
            forecast = Forecast(START_OF_TIME, {})
            forecast.take_up(inventory.due)
            forecast.learn(made)
            sending = Sending([due.take_id for due in inventory.due], 60.0, rates.downloads)
            at_quarter.append((event.at.timestamp(), forecast.eta_s(inventory.open_takes, event.at, sending)))

    world = World(output, observe=observe, settings=RunSettings(rates=rates))
    world.run(batch_of(24))
    end = max(take.verified_at for take in world.takes() if take.verified_at is not None).timestamp()
    ((at, left_s),) = at_quarter
    assert left_s is not None
    assert abs(left_s / (end - at) - 1) < 0.2


def test_the_time_until_a_lost_answer_shows_is_unknown(tmp_path: Path) -> None:
    forecast = Forecast(START_OF_TIME, {})
    sending = Sending((), 60.0, 4)
    now = START_OF_TIME + timedelta(days=1)
    lost = Take(1, "sh1", 1, '{"model":"alibaba/wan-2-6-t2v","prompt":"x"}', state=State.UNKNOWN, tries=1)
    ages_s = (100.0, 1000.0)
    takes = [Take(**{**vars(lost), "submitted_at": now - timedelta(seconds=age_s)}) for age_s in ages_s]
    told = [forecast.eta_s([take], now, sending) for take in takes]
    assert told[0] is not None
    assert told[1] is None
