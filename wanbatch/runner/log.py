"""`run.log`: what happened in every run of an output folder, one JSON object per line."""

from __future__ import annotations

import json
import os
import platform
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import IO, Self

from wanbatch.clock import system_now
from wanbatch.disk import assert_ordinary, unshare
from wanbatch.provider.protocol import LogRow, Secret
from wanbatch.redaction import Redaction
from wanbatch.runner.events import Event
from wanbatch.version import __version__

LOG_NAME = "run.log"


def requests_in(path: Path, nonce: str) -> list[LogRow]:
    """Read which submits of a batch are in the log, with their generations if it has them; oldest first.

    A line is written after the state file has recorded it, so whatever is here but not there was lost there.
    """
    found: dict[str, LogRow] = {}
    of_take: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if '"submit_started"' in line or '"accepted"' in line or '"adopted"' in line:
                    _note_request(line, f"wb1:{nonce}:", found, of_take)
    except OSError:
        return []
    return list(found.values())


def _note_request(line: str, prefix: str, found: dict[str, LogRow], of_take: dict[str, str]) -> None:
    try:
        event = json.loads(line)
        at, take = datetime.fromisoformat(event["at"]), str(event["take"])
        request_id, generation_id = event.get("request_id"), event.get("generation_id")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        return
    if isinstance(request_id, str) and request_id.startswith(prefix):
        found.setdefault(request_id, LogRow(request_id, None, is_good=False, credits=None, at=at))
        of_take[take] = request_id
    if isinstance(generation_id, str) and take in of_take:
        request_id = of_take[take]
        found[request_id] = replace(found[request_id], generation_id=generation_id)


class RunLog:
    """`run.log`, opened for appending: no secrets, readable by this user alone. A context manager."""

    def __init__(self, path: Path, key: Secret) -> None:
        self._path = path
        self._redact = Redaction(key.reveal())
        self._stream: IO[str] | None = None

    def __enter__(self) -> Self:
        """Open for appending."""
        assert_ordinary(self._path)
        unshare(self._path)  # of a copy made with hard links: a line for one folder is none for the other
        descriptor = os.open(self._path, os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
        self._stream = os.fdopen(descriptor, "a", encoding="utf-8")
        start = {"at": system_now().isoformat(), "kind": "start", "version": __version__, "host": platform.node()}
        self._stream.write(json.dumps({**start, "pid": os.getpid()}) + "\n")
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        if self._stream is not None:
            with suppress(OSError):  # a full disk ends the log, not the run
                self._stream.close()

    def write(self, event: Event) -> None:
        """Append an event. A full disk ends the log, not the run: the state file is what counts."""
        row = {"at": event.at.isoformat(timespec="milliseconds"), "kind": event.kind, "take": event.take}
        line = json.dumps({**row, "text": event.text, **event.data}, ensure_ascii=False, default=str)
        assert self._stream is not None
        with suppress(OSError, ValueError):
            self._stream.write(self._redact(line) + "\n")
            self._stream.flush()
