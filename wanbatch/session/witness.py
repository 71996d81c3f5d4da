"""The witness: whether run.log, as it is, names every submit of a batch, so that none can have been lost with the file.

The line of a submit is written before its first byte leaves. What the provider's log does not show yet is therefore in
run.log, unless lines of it were lost: then the provider's log alone tells, and it is late. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from wanbatch.batch.lifecycle import Fact
from wanbatch.runner.resubmission import take_and_attempt
from wanbatch.session.reconstruction import RUN_LOG, Evidence

_ANSWERS = frozenset({Fact.ACCEPTED, Fact.NOT_SENT, Fact.TURNED_AWAY, Fact.REFUSED})
_WITHOUT_SUBMIT = frozenset(
    {Fact.PLANNED, Fact.REPLANNED, Fact.FRAMES_CHOSEN, Fact.SUPERSEDED, Fact.REINSTATED, Fact.RENAMED}
)
_ROUNDING = timedelta(seconds=1)


def doubt_of(evidence: Evidence) -> str:
    """Return why run.log may lack a submit; empty if it names them all."""
    prefix = f"wb1:{evidence.nonce}:"
    sent = {each for each in _sent(evidence) if each.startswith(prefix)}
    if not sent:
        return f"{RUN_LOG} names no submit of this batch"
    if evidence.is_torn:
        return f"{RUN_LOG} has lines that cannot be read"
    seen = {each.partition("#")[0] for each in _seen(evidence) if each.startswith(prefix)}
    if seen - sent:
        return f"{RUN_LOG} lacks the submit {min(seen - sent)}"
    return _gap_in(sent) or _orphan_in(evidence, sent) or _end_of(evidence)


def _sent(evidence: Evidence) -> Iterable[str]:
    for _, entry in evidence.events:
        if entry.fact is Fact.SUBMIT_STARTED and "request_id" in entry.data:
            yield str(entry.data["request_id"])


def _seen(evidence: Evidence) -> Iterable[str]:
    """Yield every request id that anything tells."""
    entries = [entry for _, entry in evidence.events]
    entries += [entry for _, kept in evidence.kept.values() for entry in kept]
    for entry in entries:
        yield from (str(entry.data[name]) for name in ("request_id", "nameless") if entry.data.get(name))
    for sidecar in evidence.sidecars:
        yield from sidecar.request_ids
        yield from (each.request_id for each in sidecar.beside if each.request_id is not None)
    yield from (row.request_id for row in evidence.rows or ())


def _gap_in(sent: Iterable[str]) -> str:
    """Name a take, or an attempt of one, that is missing between those that were sent."""
    ids = {each for each in map(take_and_attempt, sent) if each is not None}
    last: dict[int, int] = {}
    for take_id, attempt in ids:
        last[take_id] = max(attempt, last.get(take_id, 0))
    for take_id in range(1, max(last, default=0) + 1):
        if take_id not in last:
            return f"{RUN_LOG} has later submits, but none of take number {take_id}"
        for attempt in range(1, last[take_id]):
            if (take_id, attempt) not in ids:
                return f"{RUN_LOG} lacks submit {attempt} of take number {take_id}, but has a later one"
    return ""


def _orphan_in(evidence: Evidence, sent: Iterable[str]) -> str:
    """Name a take of which something is known that only a submit can have led to, and not that submit."""
    known = {each.label for each in evidence.sidecars if set(each.request_ids) & set(sent)}
    is_open: dict[str, bool] = {}
    for label, entry in evidence.events:
        if entry.fact is Fact.SUBMIT_STARTED:
            is_open[label] = True
            continue
        is_missing = label not in is_open and label not in known and entry.fact not in _WITHOUT_SUBMIT
        if is_missing or (entry.fact in _ANSWERS and not is_open.get(label, False)):
            return f"{RUN_LOG} says what became of {label}, but lacks its submit"
        if entry.fact in _ANSWERS:
            is_open[label] = False
    return ""


def _end_of(evidence: Evidence) -> str:
    """Say that the log ends before a clip was verified that is there."""
    end = max(entry.at for _, entry in evidence.events)
    later = [each.label for each in evidence.sidecars if each.at("verified_at") > end + _ROUNDING]
    return f"{RUN_LOG} ends before {min(later)} was verified" if later else ""
