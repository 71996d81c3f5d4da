"""Unexplained charges: what was charged since this folder was last looked at, and nothing here accounts for.

The log of a key shows the requests of that key alone, and a row may come late; the ledger shows the charges of the
whole account. A charge for a model like ours that neither a submit of this folder nor a row of this key's log explains
may be what a newer copy of the folder bought with another key: then nothing is sent before the user has looked.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from wanbatch.errors import ExitCode
from wanbatch.money.charge import Charge, sum_text
from wanbatch.provider.clocks import earlier
from wanbatch.provider.protocol import LogScan, NoAnswer
from wanbatch.runner.context import RunContext
from wanbatch.runner.evidence import evidence_of, waited_for_since
from wanbatch.runner.polls import LEDGER_MARGIN
from wanbatch.runner.recipes import models_of
from wanbatch.runner.resubmission import GENERATION_GRACE, Evidence, is_like, is_made
from wanbatch.runner.uncertain_submits import named_charges
from wanbatch.state.file import StateFile
from wanbatch.state.notes import ANSWERED_NOTE, answered_charges, read_names
from wanbatch.units import count_text

READ_NOTE = "ledger explained until"  # the note that tells up to when every charge was explained, or answered for
MODELS_NOTE = "models explained"  # the note that lists the models whose charges were looked at by then
SHARED_NOTE = "account"  # the note that others use the account, as the user said
SHARED = "shared"
BEFORE = GENERATION_GRACE  # a row may be this much older than its charge
ROW_GRACE = timedelta(minutes=15)  # a charge and the log's row of it come at about the same time
NAMED_AT_MOST = 3


@dataclass(frozen=True)
class Found:
    """Charges that nothing explains, and those that only a submit still waited for does; oldest first."""

    unexplained: tuple[Charge, ...]
    explained_so_far: tuple[Charge, ...] = ()


def unexplained(
    evidence: Evidence,
    known: Iterable[str],
    waiting: Mapping[int, str],
    since: datetime,
    named: AbstractSet[str] = frozenset(),
) -> Found:
    """Return the charges since a time that nothing explains.

    `known` are the generations of this folder, `evidence.attempts` the submits that are still waited for, and `waiting`
    what those ordered, by take id: each may have made one charge, unless the log tells what it made. If there are no
    more charges than of these, they explain them; where there are, those alone that were `named` beside one. A name is
    a question, not an answer: whatever else was named stays unexplained.
    """
    scan = evidence.scan
    owned = {*known, *(scan.other_ids - scan.nameless_ids), *(row.generation_id for row in scan.rows)}
    found = [each for each in evidence.charges if each.name not in owned and since <= each.at]
    makers = [each for each in evidence.attempts if not is_made(scan, each)]
    fitting = {each.name for each in found if any(evidence.fits(it, each, waiting[it.take_id]) for it in makers)}
    found.sort(key=lambda each: each.at)
    if len(fitting) > len(makers):  # those that were named beside such a submit come first, and no more than there are
        fitting = {each.name for each in found if each.name in fitting & named}
        fitting = fitting if len(fitting) <= len(makers) else set()
    return Found(
        tuple(each for each in found if each.name not in fitting),
        tuple(each for each in found if each.name in fitting),
    )


class Unexplained:
    """Looks for unexplained charges before the first submit of a resumed batch."""

    def __init__(self, context: RunContext) -> None:
        self._context = context

    @property
    def is_asked(self) -> bool:
        """Say whether a charge could be unexplained: not where the user said that others use the account, too."""
        state, settings = self._context.state, self._context.settings
        if settings.is_account_shared:
            share_account(state)
        return state.noted(SHARED_NOTE) != SHARED and not (state.is_new and not settings.is_begun_anew)

    @property
    def is_shared(self) -> bool:
        """Say whether other people or programs use the account, as the user said."""
        return self._context.settings.is_account_shared or self._context.state.noted(SHARED_NOTE) == SHARED

    def is_any_unknown(self, charges: Sequence[Charge]) -> bool:
        """Say whether one of these charges is for a model like ours, and belongs to nothing that this folder knows."""
        models, known = self._models() if charges else set(), self._known(charges)
        like = (each for each in charges if any(is_like(each.model, model) for model in models))
        return any(each.generation_id not in known for each in like)

    async def look(self, scan: LogScan, *, is_out_of_date: bool) -> NoAnswer | None:
        """Stop the run's submits where charges are unexplained; returns why where the ledger could not be read.

        With `is_out_of_date` the scan showed submits that this folder does not know: then a charge counts at once,
        otherwise once the log has had the time to show whose it is.
        """
        context = self._context
        found = await self.find(scan, self._since(), is_out_of_date=is_out_of_date)
        if isinstance(found, NoAnswer):
            return found
        if found.unexplained and not context.settings.trust_state:
            context.stop_submitting(ExitCode.DECISION_NEEDED, _text(found.unexplained))
            return None
        if found.unexplained:
            context.note(
                f"{_named(found.unexplained)}: treated as not belonging to this batch, since you added --trust-state"
            )
            answer_for(context.state, [each.name for each in found.unexplained])
        until = [earlier(scan.known_until, ROW_GRACE), *(each.at for each in found.explained_so_far)]
        mark = context.batch_clock.recorded_since(min(until))
        context.state.note(READ_NOTE, mark.isoformat())
        context.state.note(MODELS_NOTE, json.dumps(sorted(self._models())))
        return None

    async def look_at_all(self, scan: LogScan, *, is_out_of_date: bool) -> tuple[Charge, ...] | NoAnswer:
        """Return every unexplained charge since the first submit, as far back as the scan reaches; decides nothing.

        Charges for models that this batch planned once, and orders no more, are among them.
        """
        found = await self.find(scan, self._begin(), is_out_of_date=is_out_of_date, models=self._models(with_past=True))
        return found if isinstance(found, NoAnswer) else found.unexplained

    async def find(
        self, scan: LogScan, asked: datetime, *, is_out_of_date: bool, models: AbstractSet[str] | None = None
    ) -> Found | NoAnswer:
        """Read the ledger from a time on, by our clock, and return what of it is not explained.

        Without `models` those that this batch may order count.
        """
        context = self._context
        since = max(min(context.batch_clock.earliest(asked), earlier(asked, LEDGER_MARGIN)), scan.begin + BEFORE)
        charges = await context.provider.charges(since)
        if isinstance(charges, NoAnswer):
            return charges
        young = scan.taken_at if is_out_of_date else earlier(scan.taken_at, ROW_GRACE)
        old_enough = [each for each in charges if each.at <= young or each.at > scan.taken_at]  # or of a wrong clock
        return self._found(scan, old_enough, since, self._models() if models is None else models)

    def log_since(self) -> datetime:
        """Return from when on the log has to be read, so that it can explain every charge that matters."""
        asked = self._since()
        return earlier(min(self._context.batch_clock.earliest(asked), earlier(asked, LEDGER_MARGIN)), BEFORE)

    def _since(self) -> datetime:
        """Return from when on charges matter, by our clock: all before were explained, or answered for."""
        state = self._context.state
        if not self._models() <= set(read_names(state.noted(MODELS_NOTE))):
            return self._begin()  # the charges of another model were not looked at
        try:
            return datetime.fromisoformat(state.noted(READ_NOTE) or "")
        except ValueError:
            return self._begin()

    def _models(self, *, with_past: bool = False) -> set[str]:
        """Return the models that this batch orders now, or may order, and those whose place a fallback took.

        Those that it no longer orders are among them if asked for.
        """
        context, fallbacks = self._context, self._context.state.fallbacks()
        kinds = [kind for kind, _ in context.state.inventory().kinds if with_past or not kind.superseded]
        models = {kind.price_class.model for kind in kinds}
        for each in context.takes if fallbacks else ():
            if each.shot_id in fallbacks and each.recipe.model == fallbacks[each.shot_id].model:
                models |= set(models_of(context, each.take_id).split())
        return models | {each.model for each in fallbacks.values()}

    def _begin(self) -> datetime:
        """Return when this batch began, by our clock: its file may have been recovered after its first submit."""
        state = self._context.state
        sent = state.first_attempt_at()
        return state.created_at() if sent is None else min(sent, state.created_at())

    def _found(self, scan: LogScan, charges: Sequence[Charge], since: datetime, models: AbstractSet[str]) -> Found:
        context = self._context
        like = [each for each in charges if any(is_like(each.model, model) for model in models)]
        waiting = waited_for_since(context, context.batch_clock.recorded_since(scan.begin))
        ordered = {each.take_id: models_of(context, each.take_id) for each in waiting}
        known = self._known(like)
        sent = {each.request_id for each in context.state.attempts_of_requests(scan.by_request)}
        # What a row of ours made that does not say succeeded is not explained by that row.
        telling = tuple(row for row in scan.rows if row.is_good or row.request_id not in sent)
        evidence = evidence_of(context, replace(scan, rows=telling), like, waiting)
        return unexplained(evidence, known, ordered, since, named_charges(context.state))

    def _known(self, charges: Sequence[Charge]) -> set[str]:
        """Return the generations of charges that belong to this folder, or that the user answered for."""
        state = self._context.state
        known = {
            str(each.generation_id) for each in state.attempts_of_generations({it.generation_id for it in charges})
        }
        return known | {str(each.generation_id) for each in state.strays()} | answered_charges(state)


def share_account(state: StateFile) -> None:
    """Remember that other people or programs use the account: its charges alone say nothing of this batch."""
    if state.noted(SHARED_NOTE) != SHARED:
        state.note(SHARED_NOTE, SHARED)


def answer_for(state: StateFile, generations: Iterable[str]) -> None:
    """Remember charges, by their generations, that the user said do not belong to this batch."""
    answered = answered_charges(state)
    state.note(ANSWERED_NOTE, json.dumps(sorted({*answered, *generations})))


def unexplained_text(charges: Sequence[Charge]) -> str:
    """Say which charges nothing here explains, and how to answer for them."""
    which = "this charge does" if len(charges) == 1 else "some do"
    return (
        f"{_named(charges)}. If an older copy of this folder was used, run `wanbatch reconcile` in the newest copy, or"
        f" with the other key if one was used. If other people or programs use this account, add --shared-account,"
        f" once; if {which} not belong to this batch, add --not-mine GENERATION, once for each"
    )


def _text(charges: Sequence[Charge]) -> str:
    return (
        f"{_named(charges)}. If this folder is an older copy, a newer one may have made them: wanbatch sends nothing."
        " Run the newest copy, or run `wanbatch reconcile` with the other key if one was used. If other people or"
        " programs use this account, add --shared-account, once; if you know that none of these charges belongs to"
        " this batch, add --trust-state"
    )


def _named(charges: Sequence[Charge]) -> str:
    named = ", ".join(each.name for each in charges[:NAMED_AT_MOST])
    more = f" and {len(charges) - NAMED_AT_MOST:,} more" if len(charges) > NAMED_AT_MOST else ""
    count = count_text(len(charges), "charge")
    return (
        f"the ledger shows {count} for models like yours, {sum_text(charges)} in all, the first at"
        f" {charges[0].at:%Y-%m-%d %H:%M} UTC, that neither this folder nor this key's request log explains"
        f" ({named}{more})"
    )
