"""A decoder: the process in which clips from the network are opened. Started by `worker`, one errand at a time.

It has a limit on memory, writes no file, and ends when the process that started it does, whatever it is
doing: a thread waits for the end of its input.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
from importlib import import_module
from typing import BinaryIO

SPARE_S = 30  # of CPU beyond the time of an errand: its parent ends it first, unless the parent is stopped


def main(memory_bytes: int, time_s: float) -> None:
    """Answer requests from the standard input on the standard output until the former ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process handles Ctrl-C
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "r+b") as nothing:  # noqa: PTH123  a device; a library's output must not look like an answer
        os.dup2(nothing.fileno(), 0)
        os.dup2(nothing.fileno(), 1)
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(requests, waiting), daemon=True).start()
    try:
        from wanbatch.clip import worker_protocol

        _load()
    except BaseException as error:  # noqa: BLE001  sent as an answer, since output of this process is not shown
        _write(answers, _unready(error))
        os._exit(1)
    _bound(memory_bytes)
    _write(answers, b'{"done": {}}\n')
    while True:
        request = waiting.get()
        _bound_cpu(time_s)
        _write(answers, worker_protocol.carry_out(request))


def _read(requests: BinaryIO, waiting: queue.SimpleQueue[bytes]) -> None:
    for line in requests:
        waiting.put(line)
    os._exit(0)  # no parent is left to ask, even if the main thread is busy with a clip


def _write(answers: BinaryIO, line: bytes) -> None:
    try:
        answers.write(line)
        answers.flush()
    except OSError:
        os._exit(0)


def _load() -> None:
    """Load all that an errand needs: memory is bounded afterwards, and a missing library is reported now."""
    for name in ("check", "frames", "measuring", "ends", "still", "given_sound"):
        import_module(f"wanbatch.clip.{name}")


def _unready(error: BaseException) -> bytes:
    try:
        from wanbatch.clip.worker_protocol import failure
    except BaseException:  # noqa: BLE001  then it is reported without it
        import json

        said = f"opening clips failed: {type(error).__name__}: {str(error)[:200]}"
        return json.dumps({"failed": "program", "said": said}).encode() + b"\n"
    return failure(error)


def _bound(memory_bytes: int) -> None:
    """Limit this process's memory if the system can; it writes neither files nor a core."""
    if sys.platform == "win32":
        return
    import resource

    for kind, most in ((resource.RLIMIT_AS, memory_bytes), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        _, hard = resource.getrlimit(kind)
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with contextlib.suppress(ValueError, OSError):  # macOS knows the limit on memory but does not accept it
            resource.setrlimit(kind, (allowed, allowed))


def _bound_cpu(time_s: float) -> None:
    if sys.platform == "win32":
        return
    import resource

    spent = resource.getrusage(resource.RUSAGE_SELF)
    most = int(spent.ru_utime + spent.ru_stime + time_s) + SPARE_S
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    if hard == resource.RLIM_INFINITY or most < hard:
        resource.setrlimit(resource.RLIMIT_CPU, (most, hard))
