"""The loop of a simulation: time jumps to the next timer, threads run inline, and sets of tasks have one order."""

from __future__ import annotations

import asyncio
import heapq
from asyncio.base_events import BaseEventLoop
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

ROUND_LIMIT = 60_000  # a seed needs a few thousand


class Stuck(Exception):
    """The run waits for something that will never come, or goes round without an end."""


class Numbered(asyncio.Task):  # type: ignore[type-arg]
    """A task whose hash is its number: the order of a set of tasks must not hang on addresses."""

    def __init__(self, coro: Coroutine[Any, Any, Any], *, loop: SimLoop, **more: Any) -> None:
        loop.made += 1
        self.number = loop.made
        super().__init__(coro, loop=loop, **more)

    def __hash__(self) -> int:
        return self.number

    def __eq__(self, other: object) -> bool:
        return self is other


class Threads:
    """How long work in threads takes: most is done at once, some takes up to so many seconds."""

    def __init__(self, seed: int, slowest_s: float) -> None:
        self._rng = Random(f"threads {seed}")
        self._slowest_s = slowest_s

    def next_s(self) -> float:
        """Return how long the next work takes."""
        is_slow = self._slowest_s and self._rng.random() < 0.3
        return self._rng.uniform(0.0, self._slowest_s) if is_slow else 0.0


class _NoFiles:
    """A selector without files: it lets the time jump instead of waiting."""

    def __init__(self, loop: SimLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> tuple[()]:
        loop = self._loop
        loop.rounds += 1
        if loop.rounds > ROUND_LIMIT:
            raise Stuck(f"no end after {ROUND_LIMIT} rounds of the loop")
        if timeout is None:
            raise Stuck("nothing is ready and nothing is scheduled")
        if timeout > 0:
            loop.now = max(loop.now, loop._scheduled[0]._when)  # type: ignore[attr-defined]
        return ()

    def close(self) -> None:
        pass


class SimLoop(BaseEventLoop):
    """An event loop without files, threads or real time. `threads` says how long work in a thread takes."""

    def __init__(self, threads: Threads | None = None) -> None:
        super().__init__()
        self._threads = threads
        self.now = 0.0
        self.made = 0
        self.rounds = 0
        self._selector = _NoFiles(self)
        self.set_task_factory(lambda loop, coro, **more: Numbered(coro, loop=loop, **more))

    def time(self) -> float:
        return self.now

    def _process_events(self, event_list: Any) -> None:
        pass

    def _write_to_self(self) -> None:
        pass

    def _run_once(self) -> None:
        scheduled: list[Any] = self._scheduled  # type: ignore[attr-defined]
        while scheduled and scheduled[0]._cancelled:  # the time must not jump to what nobody waits for
            self._timer_cancelled_count -= 1
            heapq.heappop(scheduled)._scheduled = False
        super()._run_once()  # type: ignore[misc]

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        future = self.create_future()
        takes_s = 0.0 if self._threads is None else self._threads.next_s()
        if takes_s:
            self.call_later(takes_s, _work, future, func, *args)
        else:
            _work(future, func, *args)
        return future


def _work(future: asyncio.Future[Any], func: Callable[..., Any], *args: Any) -> None:
    if future.cancelled():
        return
    try:
        future.set_result(func(*args))
    except Exception as error:
        future.set_exception(error)
