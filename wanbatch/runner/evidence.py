"""Evidence: what one reading of the log and the ledger brought, and what a charge without a take says about a submit.

A submit that was refused, and a generation that failed, cost nothing, by the provider's word. A charge for a model like
its own, at its time, that belongs to no take may be what it was charged as: then the take is not bought again before a
person has looked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from enum import Enum, auto

from wanbatch.batch.attempts import Attempt
from wanbatch.batch.lifecycle import State
from wanbatch.money.charge import Charge
from wanbatch.provider.protocol import LogScan, NoAnswer
from wanbatch.runner.context import RunContext
from wanbatch.runner.recipes import models_of
from wanbatch.runner.resubmission import Evidence, is_like, questions
from wanbatch.runner.uncertain_submits import is_misnamed, note_questions, was_called_made
from wanbatch.state.notes import answered_charges


class Beside(Enum):
    """What the ledger shows beside a submit that cost nothing, by the provider's word."""

    NOTHING = auto()
    UNREAD = auto()  # charges that may be of it, and the log does not tell whose they are
    MISNAMED = auto()  # whatever the ledger shows: the answer that named what failed named another request
    CONTRADICTED = auto()  # whatever the ledger shows: the provider said before that what failed had succeeded
    SHARED = auto()  # charges that may be of it, or of a submit whose answer is looked for
    NAMED_NOW = auto()  # charges without a take that were not named before
    NAMED_BEFORE = auto()


def evidence_of(context: RunContext, scan: LogScan, charges: Sequence[Charge], attempts: Sequence[Attempt]) -> Evidence:
    """Put together what one look brought, with what is known of this route and of the clocks."""
    if _replaces_ids(context, scan):
        scan = replace(scan, nameless_ids=scan.other_ids)  # any of these rows may be of ours
    echoes = [each.is_echoed for each in attempts if each.is_echoed is not None]
    return Evidence(
        scan=scan,
        charges=charges,
        attempts=attempts,
        key_fingerprint=context.settings.key_fingerprint,
        is_echoed=bool(echoes) and all(echoes),
        lags_s=context.state.log_lags_s(),
        grace=context.settings.unknown_grace,
        now=context.batch_clock.now(),
        margin=context.batch_clock.margin,
        lead=context.batch_clock.lead,
    )


def _replaces_ids(context: RunContext, scan: LogScan) -> bool:
    """Say whether the log shows what an answer said that a submit of ours made, and under an id that is not ours.

    Then the provider, or a gateway on the way, replaces our request ids: no row of another id is another program's.
    """
    attempts = context.state.attempts_of_generations(scan.other_ids - scan.nameless_ids)
    return any(each.is_echoed is not None for each in attempts)


def is_waited_for(context: RunContext, attempt: Attempt) -> bool:
    """Say whether its take still waits for what a submit made."""
    take = context.takes[attempt.take_id]
    return take.attempt == attempt.number and take.state in (State.SUBMITTING, State.UNKNOWN, State.HELD)


def waited_for_since(context: RunContext, at: datetime) -> list[Attempt]:
    """Return the submits since a time that are waited for, and of which no generation is known."""
    return [each for each in context.state.nameless_since(at) if is_waited_for(context, each)]


def failed_since(context: RunContext, at: datetime, limit: int) -> list[Attempt]:
    """Return the newest submits since a time whose generations failed by the provider's word, up to a limit."""
    found = context.state.failed_generations(limit)
    return [each for each in found if each.has_failed and each.started_at >= at]


def is_legible_for(attempts: Iterable[Attempt], charges: Iterable[Charge]) -> bool:
    """Say whether every charge that may be for one of these attempts can be read in full."""
    ours = {"", *(each.generation_id for each in attempts)}
    return all(each.is_legible or each.generation_id not in ours for each in charges)


async def look_beside(context: RunContext, take_id: int, charges: Sequence[Charge]) -> Beside:
    """Name the charges without a take that a failed generation or a refused submit of a take may explain.

    The log is read only where there are such charges. `charges` are those since the take was first sent.
    """
    free = [each for each in context.state.attempts_of(take_id) if each.is_called_free]
    if not free:
        return Beside.NOTHING
    failed = [each for each in free if each.has_failed]
    if any(is_misnamed(context.state, each) for each in failed):
        return Beside.MISNAMED
    if any(was_called_made(context.state, each) for each in failed):
        return Beside.CONTRADICTED
    since = min(each.started_at for each in free)
    if not _without_a_take(context, take_id, charges):
        return Beside.NOTHING
    scan = await context.provider.scan_log(context.batch_clock.earliest(since))
    if isinstance(scan, NoAnswer):
        context.note(
            f"wanbatch could not read the provider's request log ({scan.message})", context.takes[take_id].label
        )
        return Beside.UNREAD
    # Read now: a submit may have got its answer while the log was read.
    left = _without_a_take(context, take_id, charges)
    waiting = waited_for_since(context, context.batch_clock.recorded_since(scan.begin))
    models = {each.take_id: models_of(context, each.take_id) for each in (*free, *waiting)}
    evidence = evidence_of(context, scan, left, waiting)
    found = questions(evidence, free, models, settled=False)
    if not found:  # a submit that is waited for may explain what there is, and need not
        is_shared = questions(replace(evidence, attempts=()), free, models, settled=False)
        return Beside.SHARED if is_shared else Beside.NOTHING
    is_new = note_questions(context, found) or any(each.charge.name in context.named_now for each in found)
    return Beside.NAMED_NOW if is_new else Beside.NAMED_BEFORE


def _without_a_take(context: RunContext, take_id: int, charges: Sequence[Charge]) -> list[Charge]:
    """Return the charges for a model like a take's that no submit here has made."""
    model = models_of(context, take_id)
    like = [each for each in charges if each.generation_id and is_like(each.model, model)]
    known = {each.generation_id for each in context.state.strays()} | answered_charges(context.state)
    known |= {
        each.generation_id for each in context.state.attempts_of_generations({each.generation_id for each in like})
    }
    return [each for each in like if each.generation_id not in known]
