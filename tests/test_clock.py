"""The clock of a loop."""

from __future__ import annotations

import asyncio
from datetime import UTC, timedelta

from tests.batch.takes import AT
from wanbatch.clock import LoopClock


def test_a_clock_tells_the_time_after_its_loop_has_ended() -> None:
    async def begin() -> LoopClock:
        return LoopClock(AT, speed=60)

    clock = asyncio.run(begin())
    first, second = clock.now(), clock.now()
    assert AT <= first <= second < AT + timedelta(hours=1)
    assert (first.tzinfo, clock.monotonic() >= 0) == (UTC, True)


def test_a_clock_counts_the_time_that_its_machine_slept() -> None:
    async def asleep(*wall: float, speed: float = 1.0) -> float:
        told = iter(wall)
        clock = LoopClock(AT, speed, lambda: next(told))
        return round(clock.asleep_s())

    assert (asyncio.run(asleep(100.0, 28_900.0)), asyncio.run(asleep(100.0, 100.0))) == (28_800, 0)
    assert asyncio.run(asleep(100.0, 110.0, speed=60)) == 600


def test_a_clock_that_does_not_see_the_time_of_day_knows_of_no_sleep() -> None:
    async def begin() -> LoopClock:
        return LoopClock(AT)

    assert asyncio.run(begin()).asleep_s() == 0
