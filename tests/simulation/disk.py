"""The disk of a simulation: it counts what is made durable, and at a crash keeps what a real one would keep.

A step is a point where a crash can fall. Every transaction has three (before it, in its commit, after it), every flush
two, every request two (not arrived; worked on, and its answer not seen), and closing the state file one.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

from wanbatch.state import file as state_module
from wanbatch.state.connection import connect

STATE, WAL, LOG, CLIPS, FRAMES = "state.sqlite", "state.sqlite-wal", "run.log", "clips", "frames"
KEPT = (CLIPS, FRAMES)  # folders whose files are whole once they have their names
WAL_HEADER, WAL_FRAME = 32, 24 + 4096
PAGE = 4096
_SQLITE_SAYS = {errno.ENOSPC: "database or disk is full", errno.EIO: "disk I/O error"}
Files = dict[str, bytes]


class Killed(SystemExit):
    """The process is gone: nothing after this line happens. The loop lets it through at once."""


class Outcome(StrEnum):
    """What the disk has of the bytes that were written and not flushed."""

    CLEAN = "clean"  # all: the process was killed, the machine lives
    SYNCED = "synced"  # none
    CUT = "cut"  # up to some byte
    ZEROS = "zeros"  # up to some byte, zeros from there
    ROT = "rot"  # all, but a download gives back other bytes than were written


@dataclass(frozen=True)
class Crash:
    """Die at the n-th step of an invocation, counted from 0."""

    step: int
    outcome: Outcome = Outcome.CLEAN
    seed: int = 0

    def __str__(self) -> str:
        return f"{self.step}:{self.outcome}:{self.seed}"

    @classmethod
    def read(cls, text: str) -> Crash:
        """Read a crash as `__str__` writes it."""
        step, outcome, seed = text.split(":")
        return cls(int(step), Outcome(outcome), int(seed))


@dataclass(frozen=True)
class Fault:
    """The disk refuses the first write at or after step `step` of an invocation, with `error`.

    A commit that is refused may have reached the disk all the same (`is_kept`).
    """

    step: int
    error: int
    is_kept: bool


@dataclass
class Disk:
    """One output folder, and the crash or the fault that waits for it."""

    output: Path
    crash: Crash | None = None
    fault: Fault | None = None
    next_fault: Fault | None = None
    faults_hit: set[str] = field(default_factory=set)
    steps: list[str] = field(default_factory=list)
    is_dead: bool = False
    survivors: Files | None = None
    tell: Callable[[str], None] = lambda _: None
    on_death: Callable[[], None] = lambda: None
    _refused: Fault | None = None
    _flushed: dict[int, int] = field(default_factory=dict)  # inode: bytes on the disk for certain
    _names: set[str] = field(default_factory=set)  # names in clips/ and frames/ on the disk for certain

    def begin(self, crash: Crash | None) -> None:
        """A new process starts; what it finds is on the disk."""
        self.crash, self.steps, self.is_dead, self.survivors = crash, [], False, None
        self.fault, self.next_fault, self._refused = self.next_fault, None, None
        found = [path for path in self._kept_files() if path.is_file()]
        self._names = {path.name for path in found}
        self._flushed = {path.stat().st_ino: path.stat().st_size for path in found}

    @property
    def is_torn(self) -> bool:
        """Say whether the crash could cost bytes that were not flushed."""
        return self.crash is not None and self.crash.outcome not in (Outcome.CLEAN, Outcome.ROT)

    @property
    def was_refused(self) -> bool:
        """Say whether the disk refused a write in this invocation."""
        return self._refused is not None

    # --- steps

    def step(self, name: str) -> None:
        """Pass a step, or die there."""
        if self.is_dead:
            raise Killed
        self.steps.append(name)
        if self.crash is not None and len(self.steps) == self.crash.step + 1:
            self._die(name, None)

    def commit(self, real: Callable[[], Any]) -> Any:
        """Commit a transaction, or die in it."""
        if self.is_dead:
            raise Killed
        self.steps.append("commit")
        if self.crash is not None and len(self.steps) == self.crash.step + 1:
            before = self.files()
            real()
            self._die("commit", before)
        if self._is_refused("commit"):
            assert self._refused is not None
            if self._refused.is_kept:
                real()
            raise sqlite3.OperationalError(_SQLITE_SAYS[self._refused.error])
        answer = real()
        self.step("committed")
        return answer

    def close(self, real: Callable[[], Any]) -> None:
        """Close the state file, which moves its log into it, or die while that goes on."""
        if self.is_dead or self.crash is None or len(self.steps) != self.crash.step:
            self.steps.append("close")
            real()
            return
        self.steps.append("close")
        before = self.files()
        real()
        self._die("close", before)

    def _is_refused(self, name: str) -> bool:
        fault = self.fault
        if fault is None or len(self.steps) <= fault.step:
            return False
        self.fault, self._refused = None, fault
        word = f"{name} {errno.errorcode[fault.error]}"
        self.faults_hit.add(word)
        self.tell(f"DISK: {word}{', kept' if fault.is_kept else ''}")
        return True

    def _die(self, name: str, before: Files | None) -> None:
        crash = self.crash
        assert crash is not None
        self.tell(f"CRASH at step {crash.step} ({name}), disk: {crash.outcome}")
        self.on_death()
        self.survivors = self._surviving(self.files(), before, crash)
        self.is_dead = True
        raise Killed

    # --- what survives

    def files(self) -> Files:
        """Return the files that a run leaves, by name."""
        kept = [path for path in self._kept_files() if not path.name.startswith(".")]
        names = [STATE, WAL, LOG, *sorted(f"{path.parent.name}/{path.name}" for path in kept)]
        return {name: path.read_bytes() for name in names if (path := self.output / name).is_file()}

    def _kept_files(self) -> list[Path]:
        folders = [self.output / name for name in KEPT if (self.output / name).is_dir()]
        return [path for folder in folders for path in folder.iterdir()]

    def _surviving(self, files: Files, before: Files | None, crash: Crash) -> Files:
        if crash.outcome is Outcome.CLEAN:
            return files
        if crash.outcome is Outcome.ROT:
            return {name: data[:-1] + b"?" if name.endswith(".part") else data for name, data in files.items()}
        rng = Random(crash.seed)
        if self.steps[-1] == "close" and before is not None:
            files = {**files, **_half_moved(before, files, rng)}
        elif before is not None:
            files = {**files, **_torn(before, files.get(WAL, b""), crash.outcome, rng)}
        if LOG in files:
            lines = files[LOG].splitlines(keepends=True)
            whole = rng.randrange(len(lines) + 1)
            files[LOG] = b"".join(lines[:whole]) + (
                lines[whole][: len(lines[whole]) // 2] if whole < len(lines) else b""
            )
        for name in [name for name in files if name.startswith(tuple(f"{each}/" for each in KEPT))]:
            self._lose_clip(files, name, crash.outcome, rng)
        return files

    def _lose_clip(self, files: Files, name: str, outcome: Outcome, rng: Random) -> None:
        path, data = self.output / name, files[name]
        certain = self._flushed.get(path.stat().st_ino, 0)
        kept = certain if outcome is Outcome.SYNCED else rng.randint(min(certain, len(data)), len(data))
        fill = b"\0" * (len(data) - kept) if outcome is Outcome.ZEROS else b""
        files[name] = data[:kept] + fill
        if path.name in self._names or rng.random() < 0.5:
            return
        if name.endswith(".mp4") and f"{name}.part" not in files:  # the new name is lost, the old one is back
            files[f"{name}.part"] = files.pop(name)
        elif name.endswith((".part", ".png")) and rng.random() < 0.5:
            del files[name]

    def restore(self) -> None:
        """Put the folder into the state that the crash left."""
        assert self.survivors is not None
        for path in [self.output / name for name in (STATE, WAL, f"{STATE}-shm", LOG)]:
            path.unlink(missing_ok=True)
        for path in self._kept_files():
            path.unlink()
        for name, data in self.survivors.items():
            path = self.output / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
            path.chmod(0o600)

    # --- the seams

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Count the steps of everything that runs inside."""

        def connected(path: Path, *, readonly: bool) -> Any:
            connection = connect(path, readonly=readonly)
            return connection if readonly else Watched(connection, self)

        with mock.patch.object(state_module, "connect", connected), mock.patch.object(os, "fsync", self._fsync):
            yield

    def _fsync(self, descriptor: int) -> None:
        info = os.fstat(descriptor)
        is_folder = stat.S_ISDIR(info.st_mode)
        self.step("flush folder" if is_folder else "flush file")
        if self._is_refused("flush folder" if is_folder else "flush file"):
            assert self._refused is not None
            raise OSError(self._refused.error, os.strerror(self._refused.error))
        if not is_folder:
            self._flushed[info.st_ino] = info.st_size
            self.step("flushed file")
            return
        for folder in (self.output / name for name in KEPT):
            if folder.is_dir() and folder.stat().st_ino == info.st_ino:
                gone = {name for name in self._names if name.endswith(".png") is (folder.name == FRAMES)}
                self._names = (self._names - gone) | {path.name for path in folder.iterdir()}
        self.step("flushed folder")


def _half_moved(before: Files, after: Files, rng: Random) -> Files:
    """Return state file and log as a power cut leaves them while the log moves into the file: it goes last."""
    old, new = before.get(STATE, b""), after.get(STATE, b"")
    pages = range(0, max(len(old), len(new)), PAGE)
    mixed = b"".join((new if rng.random() < 0.5 else old)[at : at + PAGE].ljust(PAGE, b"\0") for at in pages)
    return {STATE: mixed, WAL: before.get(WAL, b"")}


def _torn(before: Files, wal: bytes, outcome: Outcome, rng: Random) -> Files:
    """Return state file and log as a power cut in a commit leaves them: all that was flushed before, some of the rest."""
    old = before.get(WAL, b"")
    most = min(len(old), len(wal))
    shared_old, shared = old[:most], wal[:most]
    same = next((at for at in range(0, most, 64) if shared_old[at : at + 64] != shared[at : at + 64]), most)
    # Whole frames that were there before; a torn tail of an earlier crash is written over, a full log begins again.
    begin = WAL_HEADER + (same - WAL_HEADER) // WAL_FRAME * WAL_FRAME if same >= WAL_HEADER else 0
    cut = begin if outcome is Outcome.SYNCED else rng.randrange(begin, len(wal)) if len(wal) > begin else begin
    rest = b"\0" * (len(wal) - cut) if outcome is Outcome.ZEROS else old[cut:]
    return {STATE: before.get(STATE, b""), WAL: wal[:cut] + rest}


class Watched:
    """A connection whose write transactions are steps."""

    def __init__(self, connection: sqlite3.Connection, disk: Disk) -> None:
        self._connection = connection
        self._disk = disk
        self._is_writing = False
        self.executemany = connection.executemany

    def execute(self, sql: str, *values: Any) -> Any:
        if sql == "BEGIN IMMEDIATE":
            self._disk.step("begin")
            self._is_writing = True
        elif sql == "COMMIT" and self._is_writing:
            self._is_writing = False
            return self._disk.commit(lambda: self._connection.execute(sql))
        elif sql == "ROLLBACK":
            self._is_writing = False
        return self._connection.execute(sql, *values)

    def close(self) -> None:
        self._disk.close(self._connection.close)
