"""A worker: one child process that opens clips, as seen from its parent.

It gets no secrets: its environment has only a few known names, and its pipes are its only open files.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wanbatch.clip.bounds import MEMORY_BYTES_MAX, TIME_S_MAX
from wanbatch.clip.worker_protocol import LINE_BYTES_MAX, AnswerInvalid, done_of
from wanbatch.errors import LocalFault, MediaInvalid, ProgramFault

START_S = 60.0  # to load the libraries: half a second, or many on a busy machine with a virus scanner
GONE_S = 5.0  # to end once its input does
_BOOT = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]);"
    " from wanbatch.clip.decoder import main; main(int(sys.argv[2]), float(sys.argv[3]))"
)
_KEPT = frozenset(
    {
        "PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "TEMP", "TMP", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH",
        "DYLD_FALLBACK_LIBRARY_PATH", "SYSTEMROOT", "WINDIR", "SYSTEMDRIVE", "COMSPEC", "PATHEXT",
        "NUMBER_OF_PROCESSORS", "PROCESSOR_ARCHITECTURE",
    }
)  # fmt: skip
"""Names that the system, Python or the loader of libraries needs. Any other may hold a key."""
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Terms:
    """The limits of a worker, and where it finds Python's modules."""

    memory_bytes: int = MEMORY_BYTES_MAX
    time_s: float = TIME_S_MAX
    path: Sequence[str] = ()


class WorkerDied(Exception):
    """The process ended, or answered as no healthy process does, in the middle of an errand."""


class Worker:
    """One process. Give it one errand at a time."""

    def __init__(self, terms: Terms) -> None:
        """Start it; the first request waits until it is ready. Raises LocalFault if it cannot start."""
        self._terms = terms
        self._lock = threading.Lock()
        self._under_way: object | None = None
        self._is_overdue = False
        self._is_ready = False
        self.served = 0
        try:
            self._process = subprocess.Popen(  # noqa: S603  Python itself, with code of ours
                _command(terms),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment(os.environ),
                start_new_session=True,  # Ctrl-C in a terminal goes to a whole group
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        except OSError as error:
            raise LocalFault(
                f"wanbatch cannot start the process that checks clips: {error.strerror or error}"
            ) from error

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it can be given an errand."""
        return self._process.poll() is None

    def ask(self, request: bytes) -> dict[str, Any]:
        """Send a request and wait for its end.

        Raises the errand's error, WorkerDied if the process ended, MediaInvalid if it took too long.
        After the last two it is gone. ProgramFault if the process never became ready.
        """
        if not self._is_ready:
            self._await_ready()
        try:
            answer = self._exchange(request, self._terms.time_s)
        except TimeoutError:
            raise MediaInvalid(f"checking it took more than {self._terms.time_s:g} s") from None
        self.served += 1
        return self._read(answer)

    def _await_ready(self) -> None:
        try:
            self._read(self._exchange(b"", START_S))
        except TimeoutError:
            raise ProgramFault(f"the process that checks clips was not ready after {START_S:g} s") from None
        except WorkerDied as error:
            raise ProgramFault(f"the process that checks clips did not start: {error}") from error
        self._is_ready = True

    def _read(self, answer: bytes) -> dict[str, Any]:
        try:
            return done_of(answer)
        except AnswerInvalid as error:
            self.kill()
            raise WorkerDied(str(error)) from error

    def _exchange(self, request: bytes, time_s: float) -> bytes:
        """Write a line and read one. Raises TimeoutError or WorkerDied; then the process is gone."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        errand = self._under_way = object()
        timer = threading.Timer(time_s, self._expire, (errand,))
        timer.daemon = True
        timer.start()
        try:
            self._process.stdin.write(request)
            self._process.stdin.flush()
            answer = self._process.stdout.readline(LINE_BYTES_MAX)
        except (OSError, ValueError):  # ValueError: closed in the meantime
            answer = b""
        finally:
            timer.cancel()
            with self._lock:
                self._under_way = None
        if answer.endswith(b"\n"):
            return answer
        self.kill()
        if self._is_overdue:
            raise TimeoutError
        raise WorkerDied(_ending(self._process.returncode))

    def _expire(self, errand: object) -> None:
        with self._lock:  # an answer that came in time must not end a process with the next errand
            if self._under_way is errand:
                self._is_overdue = True
                self._process.kill()

    def kill(self) -> None:
        """End it now, and wait until it is gone."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Let it end, from any thread; it is killed if it is in the middle of something."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if self._under_way is not None:
            self._process.kill()  # whoever waits for its answer sees the end of the stream
            self._process.wait()
            return
        with suppress(OSError):  # bytes that a dead process never read cannot be written any more
            self._process.stdin.close()
        try:
            self._process.wait(GONE_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process.stdout.close()


def environment(whole: Mapping[str, str]) -> dict[str, str]:
    """Return the part of an environment that a child may see."""
    return {name: text for name, text in whole.items() if name.upper() in _KEPT} | _ONE_THREAD


def _command(terms: Terms) -> list[str]:
    if not sys.executable:
        raise ProgramFault(
            "Python does not say where its own program is, so wanbatch cannot start a process to check clips"
        )
    path = [*terms.path, *(str(Path(each).absolute()) for each in sys.path)]
    numbers = (str(terms.memory_bytes), str(terms.time_s))
    return [sys.executable, "-I", "-B", "-c", _BOOT, json.dumps(path), *numbers]


def _ending(code: int) -> str:
    return f"it was ended by signal {-code}" if code < 0 else f"it ended with exit code {code}"
