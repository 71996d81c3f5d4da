"""The clock: what time it is, and waiting. A sped-up provider on this machine comes with a sped-up clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Time as a run sees it. Waits are measured with `monotonic`, records are dated with `now`."""

    def now(self) -> datetime:
        """Return the time of day, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        ...

    def asleep_s(self) -> float:
        """Return how many seconds passed, since it was made, that `monotonic` did not count: the machine slept."""
        ...

    async def sleep(self, delay_s: float) -> None:
        """Wait that many of this clock's seconds."""
        ...


class LoopClock:
    """The event loop's clock, `speed` times faster than real time, starting at `start`.

    The time of day is read once; afterwards it advances with the loop's monotonic time, so that a
    corrected system clock, daylight saving or a leap second cannot reorder what happened. A loop whose
    time jumps (as in tests) makes this a virtual clock. `wall` gives the machine's own time of day, in seconds, which
    goes on while the machine sleeps; without it nothing is known of sleep.
    """

    def __init__(self, start: datetime, speed: float = 1.0, wall: Callable[[], float] | None = None) -> None:
        if start.tzinfo is None:
            raise ValueError("start must be aware")
        if speed <= 0:
            raise ValueError("speed must be above 0")
        self.speed = speed
        self._start = start.astimezone(UTC)
        self._loop = asyncio.get_running_loop()  # kept: the time may be asked after the loop has stopped
        self._zero = self._loop.time()
        self._wall = wall
        self._wall_zero = 0.0 if wall is None else wall()

    def now(self) -> datetime:
        """Return the time of day, aware, UTC."""
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Return this clock's seconds since it was made."""
        return (self._loop.time() - self._zero) * self.speed

    def asleep_s(self) -> float:
        """Return how many of this clock's seconds `monotonic` did not count; a time of day that was set counts, too."""
        if self._wall is None:
            return 0.0
        return abs(self._wall() - self._wall_zero - (self._loop.time() - self._zero)) * self.speed

    async def sleep(self, delay_s: float) -> None:
        """Wait that many of this clock's seconds."""
        await asyncio.sleep(max(0.0, delay_s) / self.speed)


def system_now() -> datetime:
    """Return the machine's time of day, aware, UTC."""
    return datetime.now(UTC)
