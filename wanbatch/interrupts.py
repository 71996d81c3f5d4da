"""Interrupts: signals that end what goes on. One that the parent process ignores stays ignored, as under nohup."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

HANG_UP = getattr(signal, "SIGHUP", None)


@contextmanager
def handled(deeds: Mapping[int, Callable[[], None]]) -> Iterator[None]:
    """Let the running loop answer these signals, then put back what was there before.

    Signals that the parent process told us to ignore are left alone. Does nothing outside of the main thread.
    """
    loop = asyncio.get_running_loop()
    before = {}
    for number, deed in deeds.items():
        found = signal.getsignal(number)
        if found is signal.SIG_IGN:
            continue
        with suppress(NotImplementedError, RuntimeError, ValueError):  # not the main thread, or no signals
            loop.add_signal_handler(number, deed)
            before[number] = found
    try:
        yield
    finally:
        for number, found in before.items():
            with suppress(
                NotImplementedError, RuntimeError, ValueError, TypeError
            ):  # TypeError: it was set below Python
                loop.remove_signal_handler(number)
                signal.signal(number, found)


def once(deed: Callable[[], None]) -> Callable[[], None]:
    """Return a deed that is done at the first call alone: both a shell and the kernel report one hang-up."""
    told: list[bool] = []

    def first() -> None:
        if not told:
            told.append(True)
            deed()

    return first


def hang_up_like_ctrl_c() -> None:
    """Let a closed terminal end any command as Ctrl-C does, unless the parent process ignores it."""
    if HANG_UP is not None and signal.getsignal(HANG_UP) is signal.SIG_DFL:
        with suppress(ValueError):  # not the main thread
            signal.signal(HANG_UP, signal.default_int_handler)
