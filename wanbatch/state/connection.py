"""The connection to a state file: how SQLite opens it, and what its errors mean to us."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wanbatch.errors import LocalFault, StateInvalid

WAYS_BACK = (
    "Restore it from a backup, or rebuild it from all that is known: `wanbatch recover MANIFEST -o DIR`, which buys"
    " nothing"
)


def connect(path: Path, *, readonly: bool) -> sqlite3.Connection:
    """Open a state file; for writing, make it with mode 0600 if it is missing, and flush every commit to the disk.

    Raises StateInvalid if SQLite cannot open it, LocalFault if the disk cannot hold it.
    """
    try:
        if not readonly and not path.exists():
            # 0600 before the first byte: prompts and ids are private.
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        target = f"{path.resolve().as_uri()}?mode={'ro' if readonly else 'rw'}"
        connection = sqlite3.connect(target, uri=True, isolation_level=None, timeout=10)
        try:
            _set_up(connection, path, readonly=readonly)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise StateInvalid(f"cannot open {path}: {error}. {WAYS_BACK}") from error
    except OSError as error:
        raise LocalFault(f"cannot make {path}: {error.strerror}") from error
    return connection


def _set_up(connection: sqlite3.Connection, path: Path, *, readonly: bool) -> None:
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    if not readonly:
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise LocalFault(
                f"{path} is on a disk that cannot keep SQLite's write-ahead log (got '{mode}'): choose another folder"
                " with --output"
            )
        connection.execute("PRAGMA synchronous = FULL")  # a lost intent is a clip bought twice


def is_empty(connection: sqlite3.Connection) -> bool:
    """Say whether the file holds no table at all: no run has begun in it."""
    return not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()


@contextmanager
def foreign_errors(path: Path) -> Iterator[None]:
    """Turn what a damaged file makes SQLite or the readers raise into StateInvalid, with the ways to get it back."""
    try:
        yield
    except (sqlite3.Error, ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        raise StateInvalid(f"{path} cannot be read: {error}. Nothing was sent. {WAYS_BACK}") from error
