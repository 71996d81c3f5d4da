"""The lock of an output folder: one run at a time."""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from wanbatch.disk import assert_ordinary
from wanbatch.errors import LocalFault, OutputLocked, WanbatchError, fault_text

LOCK_NAME = ".lock"
HOLDER_NAME = ".lock.holder"
ASKED_S = 0.25
_HELD_HERE: set[Path] = set()  # the folders that runs of this process hold: a program may have several


class OutputLock:
    """The kernel lock of an output folder: one run at a time, released by the kernel however the run ends."""

    def __init__(self, output: Path) -> None:
        self._output = output
        self._descriptor: int | None = None
        # The kernel drops the lock with the process; the file itself stays, so that its inode can be checked.
        # Another run that asks whether the folder is in use has it for a moment.
        self._lock = FileLock(output / LOCK_NAME, timeout=ASKED_S, poll_interval=0.02, preserve_lock_file=True)

    def acquire(self) -> None:
        """Take the lock. Raises OutputLocked, naming the holder, when another run has it."""
        for name in (LOCK_NAME, HOLDER_NAME):
            assert_ordinary(self._output / name)
        try:
            self._lock.acquire()
        except Timeout as error:
            raise OutputLocked(f"{self._output} is in use by another run{holder_of(self._output)}") from error
        except OSError as error:
            raise LocalFault(f"cannot lock {self._output}: {fault_text(error)}") from error
        except NotImplementedError as error:
            raise LocalFault(f"cannot lock {self._output}: {error}") from error
        holder = {"pid": os.getpid(), "host": platform.node(), "since": datetime.now(UTC).isoformat("T", "seconds")}
        try:
            self._inode = (self._output / LOCK_NAME).stat().st_ino
            self._tell_holder(json.dumps(holder))
        except OSError as error:
            self._lock.release()
            raise LocalFault(f"cannot lock {self._output}: {fault_text(error)}") from error
        _HELD_HERE.add(self._output.resolve())

    def _tell_holder(self, text: str) -> None:
        # Not flushed: after a power cut no run holds the lock.
        flags = os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_NOFOLLOW
        with os.fdopen(os.open(self._output / HOLDER_NAME, flags, 0o644), "w", encoding="utf-8") as stream:
            stream.write(text)

    def assert_held(self) -> None:
        """Raise LocalFault when the lock file was removed or replaced while we hold it."""
        try:
            inode = (self._output / LOCK_NAME).stat().st_ino
        except OSError as error:
            raise LocalFault(
                f"the lock file of {self._output} is gone: wanbatch stopped before it paid for anything"
            ) from error
        if inode != self._inode:
            raise LocalFault(
                f"the lock file of {self._output} was replaced: wanbatch stopped before it paid for anything"
            )

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._lock.is_locked:
            _HELD_HERE.discard(self._output.resolve())
            (self._output / HOLDER_NAME).unlink(missing_ok=True)
            self._lock.release()


def holder_of(output: Path) -> str:
    """Name the run that holds an output folder, as it described itself; empty if none does or none can be read.

    One that was killed left its name behind: on this machine a process that is gone holds nothing.
    """
    try:
        told = json.loads((output / HOLDER_NAME).read_text(encoding="utf-8"))
        if told["host"] == platform.node() and not _is_alive(told["pid"]):
            return ""
        return f": process {told['pid']} on {told['host']}, since {told['since']}"
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return ""


def is_held_by_another(output: Path) -> bool:
    """Say whether a process other than this one holds an output folder."""
    held = holder_of(output)
    return bool(held) and not held.startswith(f": process {os.getpid()} on {platform.node()},")


def is_held(output: Path) -> bool:
    """Say whether a run holds an output folder, of this process or of another.

    The kernel knows, whatever the holder wrote: processes in two containers may have one host name and one id.
    """
    if output.resolve() in _HELD_HERE:
        return True
    if not (output / HOLDER_NAME).exists() or not (output / LOCK_NAME).exists():
        return False
    lock = FileLock(output / LOCK_NAME, timeout=0, preserve_lock_file=True)
    try:
        assert_ordinary(output / LOCK_NAME)
        lock.acquire()
    except Timeout:
        return True
    except (OSError, NotImplementedError, WanbatchError):  # a folder that may only be read
        return is_held_by_another(output)
    lock.release()
    return False


def _is_alive(pid: int) -> bool:
    if os.name != "posix":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
