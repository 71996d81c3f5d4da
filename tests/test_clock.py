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
