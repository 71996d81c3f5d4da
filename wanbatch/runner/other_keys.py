"""Other keys: submits that were sent with a key whose log the present one cannot read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime

from wanbatch.batch.attempts import Attempt, Outcome
from wanbatch.errors import UsageInvalid
from wanbatch.provider.protocol import LogScan
from wanbatch.runner.context import RunContext
from wanbatch.state.file import StateFile
from wanbatch.state.notes import read_names
from wanbatch.state.reader import StateReader

GIVEN_UP_NOTE = "keys given up"  # the note that lists the keys, by fingerprint, that the user no longer has


def unseen_submits(context: RunContext, since: datetime, scan: LogScan | None = None) -> list[Attempt]:
    """Return the submits since a time of which only the log of another key can tell everything.

    The log of a key shows the requests of that key alone. Those are left out that were sent before the log of their own
    key was last read whole, and of those whose key is not known the ones that a `scan` with this key shows.
    """
    state, key = context.state, context.settings.key_fingerprint
    shown, given_up = () if scan is None else scan.by_request, keys_given_up(state)
    return [
        each
        for each in state.sent_with_other_keys(key, since)
        if each.outcome is not Outcome.NOT_SENT
        and each.key_fingerprint not in given_up
        and not (each.key_fingerprint == "" and each.request_id in shown)
        and not _is_read(context, each)
    ]


def _is_read(context: RunContext, attempt: Attempt) -> bool:
    """Say whether the log of its own key was read whole up to a time when it would have shown."""
    mark = context.state.log_read_until(attempt.key_fingerprint) if attempt.key_fingerprint else None
    try:
        return mark is not None and attempt.started_at + context.batch_clock.lead <= mark
    except OverflowError:  # a clock that was never compared
        return False


def unseen_text(count: int, keys: Sequence[str]) -> str:
    """Say that a look with this key did not see everything, and what does; `keys` are fingerprints of the others."""
    which = "1 submit was" if count == 1 else f"{count:,} submits were"
    known = " or ".join(each for each in keys if each)
    key = f"another key ({known})" if known else "another key"
    cure = f". If you no longer have that key, add --without-key {keys[0]}, once" if known else ""
    return (
        f"{which} sent with {key}, whose requests this key's log does not show: run `wanbatch reconcile` with that key,"
        f" at least a day after its last submit{cure}"
    )


def keys_of(attempts: Iterable[Attempt]) -> tuple[str, ...]:
    """Return the keys, by fingerprint, that attempts were sent with; the unknown one, empty, comes last."""
    return tuple(sorted({each.key_fingerprint for each in attempts}, key=lambda key: (key == "", key)))


def keys_given_up(state: StateReader) -> list[str]:
    """Return the keys, by fingerprint, that the user said he no longer has."""
    return read_names(state.noted(GIVEN_UP_NOTE))


def give_up_keys(state: StateFile, keys: Iterable[str]) -> None:
    """Remember keys that the user no longer has: what only their logs can tell is not asked about any more.

    Raises UsageInvalid for one that no submit of this batch was sent with.
    """
    used, given_up = state.keys_used(), keys_given_up(state)
    for key in keys:
        if key == "" or key not in used:
            known = ", ".join(sorted(each for each in used if each)) or "none"
            named = f"key {key}" if key else "a key without a fingerprint"
            raise UsageInvalid(f"no submit of this batch was sent with {named}; its keys are: {known}")
        given_up += [] if key in given_up else [key]
    state.note(GIVEN_UP_NOTE, json.dumps(given_up))


def given_up_text(keys: Sequence[str]) -> str:
    """Say what is not checked, as the user gave these keys up."""
    which = "the key" if len(keys) == 1 else "the keys"
    return f"not checked: what only the log of {which} {' and '.join(keys)} can show, because you gave {which} up"
