"""Doubts: submits whose generation is known, and that may have made another one all the same.

An old copy of a folder sends the same request id again. The log then tells of what the first of the two submits made;
what the second made may show in the ledger alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime

from wanbatch.batch.attempts import Attempt
from wanbatch.provider.protocol import LogRow, LogScan
from wanbatch.runner.batch_clock import BatchClock
from wanbatch.runner.proofs import rows_of
from wanbatch.state.file import StateFile
from wanbatch.state.reader import StateReader

NOTE = "doubted submits"  # the note that lists their request ids


def is_doubtful(attempt: Attempt, rows: Sequence[LogRow], key_fingerprint: str, earliest: datetime) -> bool:
    """Say whether the log gives an attempt a generation that another submit under its request id may have made.

    `rows` are those of its request id in the log of a key. They speak of another submit where that is not the key that
    it was sent with, where the generation is older than the attempt can be (`earliest`), and where they name another
    generation that did not succeed.
    """
    own = [row for row in rows if row.generation_id == attempt.generation_id]
    others = [row for row in rows if row.generation_id != attempt.generation_id and not row.is_good]
    if attempt.generation_id is None or attempt.number < 0 or not own:
        return False
    return bool(others) or attempt.key_fingerprint != key_fingerprint or max(row.at for row in own) < earliest


def note_doubts(
    state: StateFile, batch_clock: BatchClock, key_fingerprint: str, scan: LogScan, attempts: Iterable[Attempt]
) -> None:
    """Remember the doubtful ones of these attempts, by what a scan of the log tells of them."""
    known = read_names(state.noted(NOTE))
    new = [
        each.request_id
        for each in attempts
        if each.request_id not in known
        and is_doubtful(each, rows_of(scan, each.request_id), key_fingerprint, batch_clock.earliest(each.started_at))
    ]
    if new:
        state.note(NOTE, json.dumps([*known, *new]))


def doubted(state: StateReader) -> list[Attempt]:
    """Return the attempts that are doubted, in the order they began."""
    found = state.attempts_of_requests(read_names(state.noted(NOTE)))
    return sorted(found, key=lambda each: each.started_at)


def read_names(text: str | None) -> list[str]:
    """Read the names that a note lists; none where it cannot be read."""
    try:
        told = json.loads(text or "[]")
    except (ValueError, RecursionError):
        return []
    return [each for each in told if isinstance(each, str)] if isinstance(told, list) else []
