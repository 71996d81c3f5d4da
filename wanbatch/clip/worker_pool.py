"""The worker pool: as many worker processes as a run needs; a worker that a clip has ended is replaced.

A clip can end only its own worker: the worker is replaced, and the clip is bad.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from wanbatch.clip.defects import Look
from wanbatch.clip.frame_measures import Ends
from wanbatch.clip.given import OpenedFile
from wanbatch.clip.probe import Probe
from wanbatch.clip.trial import REPAIR, Trial
from wanbatch.clip.worker import Terms, Worker, WorkerDied
from wanbatch.clip.worker_protocol import (
    AnswerInvalid,
    Shortage,
    ends_of,
    frame_of,
    given_of,
    look_of,
    poster_of,
    probe_of,
    trial_of,
    written,
    written_ends,
    written_frame,
    written_given,
)
from wanbatch.errors import LocalFault, MediaInvalid, ProgramFault
from wanbatch.units import size_text

WORKERS_MAX = 4  # each may use 2 GiB; one checks and looks at seven clips of 720p a second and makes their posters
PATIENCE_S = 1.0  # before another worker is started, which itself costs half a second of CPU
MEMORY_PLENTY = 256 * 2**20  # bytes: 15 s of 4K need less
_Done = TypeVar("_Done")


class WorkerPool:
    """An Inspection by child processes; from any thread. Starts none before there is work. Close it at the end."""

    def __init__(self, terms: Terms | None = None) -> None:
        self._terms = Terms() if terms is None else terms
        self._most = max(2, min(WORKERS_MAX, os.cpu_count() or 1))  # two: one clip that hangs must not stop the rest
        self._idle: list[Worker] = []
        self._all: set[Worker] = set()
        self._changed = threading.Condition()
        self._is_closed = False
        self._trial: Trial | None = None

    async def __aenter__(self) -> Self:
        """Begin."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """End every worker. Errands under way raise LocalFault."""
        with self._changed:
            self._is_closed = True
            workers = list(self._all)
            self._changed.notify_all()
        for worker in workers:
            worker.close()

    def begin(self, clips: int) -> None:
        """Start the first worker without waiting for it, if clips are expected."""
        with self._changed:
            if clips > 0 and not self._all and not self._is_closed:
                self._idle.append(self._started())

    @property
    def pids(self) -> list[int]:
        """The ids of the workers' processes."""
        with self._changed:
            return sorted(worker.pid for worker in self._all)

    def assert_works(self) -> Trial:
        """Have a worker make, check and look at a small clip, once. Raises ProgramFault if that fails."""
        if self._trial is None:
            try:
                self._trial = self._asked(written("try"), trial_of)
            except ProgramFault as error:
                said = str(error)
                raise error if REPAIR in said else _unable(said) from error
            except (LocalFault, MediaInvalid) as error:
                raise _unable(str(error)) from error
        return self._trial

    def check(self, clip: Path) -> Probe:
        """See `Inspection`."""
        return self._asked(written("check", clip), probe_of)

    def look(self, clip: Path) -> Look:
        """See `Inspection`."""
        return self._asked(written("look", clip), look_of)

    def poster(self, clip: Path) -> bytes:
        """See `Inspection`."""
        return self._asked(written("poster", clip), poster_of)

    def frame(self, clip: Path, moment: str) -> bytes:
        """See `Inspection`."""
        return self._asked(written_frame(clip, moment), frame_of)

    def ends(self, clip: Path, given: Path | None, closing: Path | None = None) -> Ends:
        """See `Inspection`."""
        return self._asked(written_ends(clip, given, closing), ends_of)

    def given(self, path: Path, kind: str, *, with_data: bool) -> OpenedFile:
        """See `Inspection`."""
        return self._asked(written_given(path, kind, with_data=with_data), given_of)

    def _asked(self, request: bytes, read: Callable[[dict[str, Any]], _Done]) -> _Done:
        """Have an errand done and read its result.

        If a worker fails that did other errands before, a fresh one is asked once more.
        """
        while True:
            worker = self._taken()
            is_fresh = worker.served == 0
            try:
                return read(worker.ask(request))
            except (WorkerDied, AnswerInvalid) as error:
                worker.kill()
                if self._is_closed:
                    raise LocalFault("a clip was not checked, because wanbatch is stopping") from error
                if is_fresh:
                    raise MediaInvalid(f"the process that checked it died: {error}") from error
            except Shortage as error:
                worker.kill()
                if is_fresh and _has_plenty():
                    most = size_text(self._terms.memory_bytes)
                    raise MediaInvalid(f"checking it needed more than {most} of memory") from error
                if is_fresh:
                    raise LocalFault("checking a clip failed: this machine is out of memory") from error
            finally:
                self._give_back(worker)

    def _taken(self) -> Worker:
        with self._changed:
            while True:
                if self._is_closed:
                    raise LocalFault("a clip was not checked, because wanbatch is stopping")
                while self._idle:
                    worker = self._idle.pop()
                    if worker.is_alive:
                        return worker
                    self._all.discard(worker)  # ended from outside while it had nothing to do
                    worker.close()
                if not self._all:
                    return self._started()
                if not self._changed.wait(PATIENCE_S) and len(self._all) < self._most:
                    return self._started()

    def _started(self) -> Worker:
        worker = Worker(self._terms)
        self._all.add(worker)
        return worker

    def _give_back(self, worker: Worker) -> None:
        with self._changed:
            is_kept = worker.is_alive and not self._is_closed
            if is_kept:
                self._idle.append(worker)
            else:
                self._all.discard(worker)
            self._changed.notify()
        if not is_kept:
            worker.close()


def _has_plenty() -> bool:
    """Say whether this machine has enough free memory for any clip of ours."""
    try:
        return len(bytearray(MEMORY_PLENTY)) == MEMORY_PLENTY
    except MemoryError:
        return False


def _unable(said: str) -> ProgramFault:
    return ProgramFault(f"this machine cannot handle clips, so wanbatch sends nothing: {said}. To fix it: {REPAIR}")
