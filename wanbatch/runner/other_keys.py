"""Other keys: submits that were sent with a key whose log the present one cannot read."""

from __future__ import annotations

from datetime import datetime

from wanbatch.batch.attempts import Attempt, Outcome
from wanbatch.provider.protocol import LogScan
from wanbatch.runner.context import RunContext


def unseen_submits(context: RunContext, since: datetime, scan: LogScan | None = None) -> list[Attempt]:
    """Return the submits since a time of which only the log of another key can tell everything.

    The log of a key shows the requests of that key alone. Those are left out that were sent before the log of their own
    key was last read whole, and of those whose key is not known the ones that a `scan` with this key shows.
    """
    state, key = context.state, context.settings.key_fingerprint
    shown = () if scan is None else scan.by_request
    return [
        each
        for each in state.sent_with_other_keys(key, since)
        if each.outcome is not Outcome.NOT_SENT
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


def unseen_text(count: int) -> str:
    """Say that a look with this key did not see everything, and what does."""
    which = "1 submit was" if count == 1 else f"{count:,} submits were"
    return (
        f"{which} sent with another key, whose requests this key's log does not show: run `wanbatch reconcile` with"
        " that key, a day after its last submit or later"
    )
