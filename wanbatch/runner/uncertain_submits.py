"""Uncertain submits: their generation is known, and they may have made another one all the same.

An old copy of a folder sends the same request id again. The log then shows what the first of the two submits made;
what the second made may show in the ledger alone, as a charge without a take: that is named beside the attempt that
may have made it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from wanbatch.batch.attempts import Attempt, end_text
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.take import Entry, Take
from wanbatch.errors import ExitCode
from wanbatch.money.charge import sum_text
from wanbatch.provider.protocol import LogRow, LogScan
from wanbatch.runner.context import RunContext
from wanbatch.runner.resubmission import Evidence, Question, charges_of_no_take, rows_of
from wanbatch.state.notes import read_names
from wanbatch.state.reader import StateReader

_TIMES = re.compile(r" in \d+ entries$")
NOTE = "doubted submits"  # the note that lists their request ids
NAMED_AT_MOST = 5  # charges without a take beside one take: where there are more, somebody else uses the account
UNOWNED = "unowned charges"  # the note that lists the generations of charges that were named as questions


def is_doubtful(attempt: Attempt, rows: Sequence[LogRow], key_fingerprint: str, earliest: datetime) -> bool:
    """Say whether the log gives an attempt a generation that another submit under its request id may have made.

    `rows` are those of its request id in the log of a key. They speak of another submit where that is not the key that
    it was sent with, where the generation is older than the attempt can be (`earliest`), and where they name another
    generation that did not succeed, or a success without saying what it made.
    """
    own = [row for row in rows if row.generation_id == attempt.generation_id]
    others = [row for row in rows if row.generation_id != attempt.generation_id]
    others = [row for row in others if not row.is_good or row.generation_id is None]
    if attempt.generation_id is None or attempt.number < 0 or not own:
        return False
    return bool(others) or attempt.key_fingerprint not in ("", key_fingerprint) or max(row.at for row in own) < earliest


def note_doubts(context: RunContext, scan: LogScan) -> None:
    """Remember whose request id the log may know from more than one submit, by what a scan of it tells."""
    state, key = context.state, context.settings.key_fingerprint
    known = read_names(state.noted(NOTE))
    new = [
        each.request_id
        for each in state.attempts_of_requests(scan.by_request)
        if each.request_id not in known
        and is_doubtful(each, rows_of(scan, each.request_id), key, context.batch_clock.earliest(each.started_at))
    ]
    if new:
        state.note(NOTE, json.dumps([*known, *new]))


def doubted(state: StateReader) -> list[Attempt]:
    """Return the attempts that are doubted, in the order they began."""
    found = state.attempts_of_requests(read_names(state.noted(NOTE)))
    return sorted(found, key=lambda each: each.started_at)


def note_misnamed(context: RunContext, take_id: int, other_request: str) -> None:
    """Remember that the answer to a take's submit named another request: what it said may belong to that one."""
    text = f"the provider's answer to its submit named another request ({other_request}), and may belong to that one"
    data = {"warning": text, "misnamed": context.takes[take_id].request_id}
    context.record(take_id, Fact.WARNED, data)


def is_misnamed(state: StateReader, attempt: Attempt) -> bool:
    """Say whether the answer that named an attempt's generation named another request."""
    return any(each.data.get("misnamed") == attempt.request_id for each in state.facts_of(attempt.take_id))


def was_called_made(state: StateReader, attempt: Attempt) -> bool:
    """Say whether the provider once said that a submit's generation succeeded: by its log, for which its take was given
    it, or by a poll.
    """
    followed: int | None = None  # the attempt that the facts are about
    for each in state.facts_of(attempt.take_id):
        if each.fact in (Fact.SUBMIT_STARTED, Fact.ADOPTED, Fact.FOUND_UNRECORDED):
            followed = each.data.get("attempt")
        is_logged = each.fact is Fact.ADOPTED and each.data.get("by") == "log"
        if followed == attempt.number and (is_logged or each.fact is Fact.COMPLETED):
            return True
    return False


def note_questions(context: RunContext, questions: Iterable[Question]) -> bool:
    """Name charges without a take beside attempts that may have made them: each once, and again where it grows.

    Says whether one was named.
    """
    named: list[str] = read_names(context.state.noted(UNOWNED))
    before = len(named)
    entries: dict[str, list[Question]] = {}
    for each in questions:
        entries.setdefault(each.charge.name, []).append(each)
    for made, found in entries.items():
        attempt, times = found[0].attempt, f" in {len(found)} entries" if len(found) > 1 else ""
        name = f"{made}{times}"
        if name in named:
            continue
        take, named = context.takes[attempt.take_id], [*named, name]
        context.named_now.add(made)
        text = (
            f"the ledger shows {sum_text([each.charge for each in found])} charged for {made}{times}, which"
            f" belongs to no take: attempt {attempt.number} of this one, {end_text(attempt)}, may have made it"
        )
        context.record(take.take_id, Fact.WARNED, {"warning": text, "unowned": [made]})
        context.state.note(UNOWNED, json.dumps(named))
        context.trouble(ExitCode.DECISION_NEEDED, f"{take.label}: {text}; contact the provider's support")
    return len(named) > before


def note_unowned(context: RunContext, take: Take, attempt: Attempt, evidence: Evidence) -> None:
    """Name charges without a take, each once and a few at most, beside a held take whose submit may have made one."""
    if take.state is not State.HELD:
        return
    strays = {each.generation_id for each in context.state.strays()}
    found = [
        each.name
        for each in charges_of_no_take(take, attempt, evidence)
        if each.generation_id not in strays and each.at <= evidence.latest(attempt)
        if evidence.scan.taken_at - each.at >= evidence.lag  # the log has had the time to tell whose it is
    ]
    named = _unowned_in(context.state.facts_of(take.take_id), found)
    new = [made for made in dict.fromkeys(found) if made not in named][: max(0, NAMED_AT_MOST - len(named))]
    if new:
        which, made = ("which belongs", "it") if len(new) == 1 else ("which belong", "one of them")
        ids = ", ".join(new)
        text = f"the ledger shows a charge for {ids}, {which} to no take: the lost submit may have made {made}"
        context.record(take.take_id, Fact.WARNED, {"warning": text, "unowned": new})


def named_charges(state: StateReader) -> set[str]:
    """Return the generations of charges without a take that were named before, as questions or beside held takes."""
    named = {_TIMES.sub("", each) for each in read_names(state.noted(UNOWNED))}
    for take in state.takes_in([State.HELD]):
        facts = state.facts_of(take.take_id)
        named |= {made for each in facts if each.fact is Fact.WARNED for made in each.data.get("unowned", ())}
    return named


def _unowned_in(facts: Iterable[Entry], found: Iterable[str]) -> set[str]:
    """Return which of these charges without a take a take's warnings name; one of an older version has its text
    alone.
    """
    warnings = [each.data for each in facts if each.fact is Fact.WARNED]
    texts = [each["warning"] for each in warnings if "unowned" not in each]
    listed = {made for each in warnings for made in each.get("unowned", ())}
    return {made for made in found if made in listed or any(made in text for text in texts)}
