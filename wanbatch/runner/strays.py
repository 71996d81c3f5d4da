"""Strays: what the provider's log or run.log shows of this batch and the state file does not know.

Its file was restored, copied or lost, or the provider made more than was asked for. Nothing of it is taken over
silently: it is offered by name, and no more money goes after it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from wanbatch.batch.attempts import MADE_AFTER_ALL, Attempt, Outcome, adoption, double_number, live, risk_left, risk_of
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.take import Take
from wanbatch.errors import ExitCode
from wanbatch.money.credits import usd_text
from wanbatch.provider.protocol import LogRow, LogScan
from wanbatch.runner.context import RunContext
from wanbatch.runner.doubts import note_doubts, read_names
from wanbatch.runner.proofs import Question, is_open, recipe_in, rows_of, take_and_attempt, unrecorded
from wanbatch.state.tables import Stray

LOG = "the provider's log"
LOOK_AGAIN_S = 60.0
UNOWNED = "unowned charges"  # the note that lists the generations of charges that were named as questions


class Strays:
    """Records what a state file lacks."""

    def __init__(self, context: RunContext) -> None:
        self._context = context

    # --- submits that the state file does not know

    def note_logged(self) -> None:
        """Hold the takes of submits that run.log tells of and the state file does not know."""
        logged = self._context.settings.logged
        known = {each.request_id for each in self._known(row.request_id for row in logged)}
        for row in logged:
            if row.request_id not in known:
                self._note_unrecorded(row, "run.log")

    def offer_strays(self) -> None:
        """Offer known strays to takes of the very same recipe that were planned since, before anything is sent."""
        for stray in self._context.state.strays():
            heir = next(
                (take for take in self._untried() if take.recipe.short_hash == recipe_in(stray.request_id)), None
            )
            if heir is None:
                continue
            row = LogRow(stray.request_id, stray.generation_id, True, stray.credits_held, stray.at)
            made = stray.generation_id or "a submit"
            text = (
                f"{stray.source} showed {made}{_cost(row)} of the very same recipe, which belongs to no take."
                f" `wanbatch resolve {heir.label} --adopt {stray.generation_id or 'ID'}` takes it over, --resubmit buys"
                " another"
            )
            self._hold(heir, row, 1, text)

    def note_scan(self, scan: LogScan) -> None:
        """Hold the takes of submits that the provider's log shows and the state file does not know."""
        for row in unrecorded(scan, self._context.nonce, self._known(scan.by_request)):
            self._note_unrecorded(row, LOG)

    def _known(self, request_ids: Iterable[str]) -> list[Attempt]:
        return self._context.state.attempts_of_requests(request_ids)

    def _note_unrecorded(self, row: LogRow, source: str) -> None:
        context, ids = self._context, take_and_attempt(row.request_id)
        take = context.takes.get(ids[0]) if ids is not None else None
        if take is None or ids is None or recipe_in(row.request_id) != take.recipe.short_hash:
            self._note_stray(row, source)
            return
        name, cost = row.generation_id or "a submit", _cost(row)
        if take.state is State.SUBMITTING:
            context.schedule.add_search(context.clock.monotonic() + LOOK_AGAIN_S)  # once its answer is in
            return
        if take.state in (State.COMPLETED, State.DOWNLOADED, State.VERIFIED):
            self._note_another(
                take, row, source, f"{source} shows another submit of it, {row.request_id}: {name}{cost}"
            )
            return
        self._hold(take, row, ids[1], _offer_text(take, row, ids[1], source))

    def _note_another(self, take: Take, row: LogRow, source: str, text: str) -> None:
        """Name another submit of a take whose clip is there; what it made is recorded, and counts under the caps."""
        context = self._context
        if row.generation_id is None or not row.is_good:
            self.warn(take, text)
            return
        if context.owner_of(row.generation_id) is not None:
            return
        attempts = context.state.attempts_of(take.take_id)
        number = double_number(attempts)
        is_second = any(each.request_id == row.request_id for each in attempts)
        made = Attempt(
            take.take_id,
            number,
            f"{row.request_id}#{-number}" if is_second else row.request_id,
            body_sha256="",
            key_fingerprint=context.settings.key_fingerprint,
            started_at=row.at,
            outcome=Outcome.DOUBLE,
            generation_id=row.generation_id,
            credits_held=row.credits or None,
        )
        told = f"{source} shows another submit of it, {row.request_id}, which made {row.generation_id}{_cost(row)}"
        data = {
            "request_id": made.request_id,
            "generation_id": made.generation_id,
            "key_fingerprint": made.key_fingerprint,
            "at": row.at.isoformat(timespec="milliseconds"),
            "error": told,
        }
        more = self._priced(take, made, [*attempts, made])
        self._found(take, Fact.FOUND_DOUBLE, data | more, f"DOUBLE: {told}")

    def offer(self, take: Take, attempt: Attempt, scan: LogScan) -> None:
        """Name the generation of a submit that run.log told of, once the log shows it and while its take waits."""
        row = next((each for each in rows_of(scan, attempt.request_id) if each.is_good and each.generation_id), None)
        is_waiting = take.state in (State.UNKNOWN, State.HELD)
        if row is None or row.generation_id is None or not is_waiting or row.generation_id in take.error:
            return
        if self._context.owner_of(row.generation_id) is None:
            self._hold(take, row, attempt.number, _offer_text(take, row, attempt.number, LOG))

    def _note_stray(self, row: LogRow, source: str) -> None:
        """A submit of no take there is: offer it to one of the same recipe, else keep it by name and stop once."""
        context = self._context
        same = [each for each in context.state.strays() if each.request_id.partition("#")[0] == row.request_id]
        if same and (row.generation_id is None or row.generation_id in {each.generation_id for each in same}):
            return  # the user was told; running again is their word to go on
        nameless = next((each for each in same if each.generation_id is None), None)
        if nameless is not None:
            context.state.note_stray(
                replace(nameless, generation_id=row.generation_id, credits_held=row.credits or nameless.credits_held)
            )
            return
        name = row.generation_id or "a submit"
        heirs = [] if same else self._untried()
        heir = next((take for take in heirs if take.recipe.short_hash == recipe_in(row.request_id)), None)
        if heir is not None:
            text = (
                f"this state file is older than the truth: {source} shows {name}{_cost(row)} of the very same recipe."
                f" `wanbatch resolve {heir.label} --adopt {row.generation_id or 'ID'}` takes it over, --resubmit buys"
                " another"
            )
            self._hold(heir, row, 1, text)
        else:
            request_id = f"{row.request_id}#{len(same)}" if same else row.request_id
            context.state.note_stray(Stray(request_id, row.generation_id, row.credits or None, row.at, source))
            context.budget.add_stray(row.credits or None)
        context.stop_submitting(
            ExitCode.DECISION_NEEDED,
            f"{source} shows {name} under our request id {row.request_id}{_cost(row)}, of a take that this state file"
            " does not know: it is older than the truth. Nothing more is sent; restore the newest state file, or run"
            " the same command again to go on without it",
        )

    def _untried(self) -> list[Take]:
        planned = [take for take in self._context.state.takes_in([State.PLANNED]) if not take.superseded]
        return [take for take in planned if not take.attempts]

    def _hold(self, take: Take, row: LogRow, attempt: int, text: str) -> None:
        context = self._context
        if take.state in (State.QUEUED, State.GENERATING):
            context.schedule.generation_ended()
        context.schedule.drop_planned(take.take_id)
        context.budget.see_price(take, row.credits)
        context.record(
            take.take_id,
            Fact.FOUND_UNRECORDED,
            {
                "attempt": attempt,
                "is_another": True,
                "is_try": attempt > take.attempts,
                "request_id": row.request_id,
                "key_fingerprint": context.settings.key_fingerprint,
                "at": row.at.isoformat(timespec="milliseconds"),
                "credits_held": row.credits or None,
                "credits_at_risk": risk_left(context.state.attempts_of(take.take_id), attempt),
                "error": text,
            },
        )

    def offer_by_recipe(self, scan: LogScan) -> None:
        """Offer what an earlier state file of this folder may have bought: rows of the same recipe, by name."""
        context = self._context
        taken = {each.request_id for each in self._known(scan.by_request)}
        taken |= {each.request_id for each in context.state.strays()}
        by_recipe: dict[str | None, list[LogRow]] = {}
        for each in sorted(scan.rows, key=lambda row: row.at):
            if each.is_good and each.generation_id and context.owner_of(each.generation_id) is None:
                by_recipe.setdefault(recipe_in(each.request_id), []).append(each)
        for take in self._untried():
            rows = by_recipe.get(take.recipe.short_hash, [])
            row = next((row for row in rows if row.request_id not in taken), None)
            if row is None:
                continue
            taken.add(row.request_id)
            self._hold(
                take,
                row,
                1,
                f"an earlier state file was lost, and {LOG} shows {row.generation_id}{_cost(row)} of the very same"
                f" recipe. `wanbatch resolve {take.label} --adopt {row.generation_id}` takes it over, --resubmit"
                " buys another",
            )

    # --- more generations than were asked for

    def note_late(self, scan: LogScan) -> None:
        """Take over, or name, what attempts made after all that were proven to have made nothing, or given up."""
        for attempt in self._known(scan.by_request):
            if attempt.generation_id is not None:
                continue
            row = next(iter(self._strangers(attempt, scan)), None)
            take = self._context.takes[attempt.take_id]
            is_followed = attempt.number == take.attempt and is_open(take, attempt)
            if is_followed or attempt.outcome is Outcome.OPEN:
                continue  # what became of it is settled elsewhere
            if row is None:
                self._note_nameless(take, attempt, scan)
                continue
            if self._may_adopt(take, attempt):
                self.warn(take, f"attempt {attempt.number} of it, {_end_text(attempt)}, made its clip all the same")
                self.adopt(take, replace(attempt, generation_id=row.generation_id, credits_held=row.credits or None))
                continue
            told = replace(attempt, outcome=Outcome.LOST, credits_held=row.credits or attempt.credits_held)
            attempts = self._context.state.attempts_of(take.take_id)
            data = self._priced(take, told, attempts) | {"generation_id": row.generation_id}
            text = f"attempt {attempt.number} of it was {MADE_AFTER_ALL}, as {row.generation_id}"
            is_more = take.generation_id is not None or take.state is State.PLANNED
            self._found(take, Fact.FOUND_LATE, data, f"DOUBLE: {text}" if is_more else text)

    def _note_nameless(self, take: Take, attempt: Attempt, scan: LogScan) -> None:
        """Name an attempt that its take went on without, and whose row says that it succeeded, but not what it made."""
        if not any(row.is_good and not row.generation_id for row in rows_of(scan, attempt.request_id)):
            return
        text = (
            f"{LOG} says that attempt {attempt.number} of it, {_end_text(attempt)}, succeeded under request id"
            f" {attempt.request_id}, and not what it made: it may have been charged"
        )
        if text not in take.warning:
            self.warn(take, text)
            self._context.trouble(ExitCode.DECISION_NEEDED, f"{take.label}: {text}; ask the provider's support")

    def _may_adopt(self, take: Take, attempt: Attempt) -> bool:
        """Say whether an attempt's generation, found late, is the clip that its take still waits for.

        Not where another one is there or under way, nor where the user gave it up, or asks for another recipe now.
        """
        is_waiting = take.state is State.PLANNED or (
            take.state is State.FAILED and attempt.outcome is not Outcome.ABANDONED
        )
        if not is_waiting or take.superseded or not attempt.body_sha256:
            return False
        others = [each for each in self._context.state.attempts_of(take.take_id) if each.number != attempt.number]
        return recipe_in(attempt.request_id) == take.recipe.short_hash and not live(others)

    def adopt(self, take: Take, maker: Attempt) -> None:
        """Give a take the generation of one of its attempts, which may be an earlier one."""
        context = self._context
        data = adoption(take, maker, context.state.attempts_of(take.take_id))
        data = {name: value for name, value in data.items() if value is not None or name == "credits_at_risk"}
        context.schedule.drop_planned(take.take_id)
        context.budget.see_price(take, maker.credits_held)
        context.record(take.take_id, Fact.ADOPTED, data | {"by": "log"})
        context.schedule.running += 1
        context.schedule.add_poll(take.take_id, context.clock.monotonic())
        self.name_doubles()

    def adopt_spares(self) -> None:
        """Give takes that have no other generation to come the one that an earlier attempt of theirs made."""
        for spare in self._context.state.spares():
            take = self._context.takes[spare.take_id]
            if self._may_adopt(take, spare):
                self.adopt(take, spare)

    def spare_of(self, take: Take) -> Attempt | None:
        """Return an attempt whose generation was found while a later attempt of its take was unknown; None without."""
        attempts = self._context.state.attempts_of(take.take_id)
        found = [each for each in attempts if each.generation_id is not None and each.outcome is Outcome.LOST]
        fit = [each for each in found if recipe_in(each.request_id) == take.recipe.short_hash and each.body_sha256]
        return fit[-1] if fit and len(live(attempts)) == 1 else None

    def name_doubles(self) -> None:
        """Name the takes that got another generation after one was found late: when it was found nobody could know."""
        for take in self._context.state.found_late():
            made = sorted(live(self._context.state.attempts_of(take.take_id)))
            if len(made) > 1:
                text = f"DOUBLE: more than one generation was made for it: {', '.join(made)}"
                self.warn(take, text)
                self._tell_double(take, text)

    def note_doubts(self, scan: LogScan) -> None:
        """Remember whose request id the log may know from more than one submit."""
        context = self._context
        attempts = self._known(scan.by_request)
        note_doubts(context.state, context.batch_clock, context.settings.key_fingerprint, scan, attempts)

    def note_questions(self, questions: Iterable[Question]) -> None:
        """Name charges of nobody beside attempts that may have made them: each once, and again where it grows."""
        context = self._context
        named: list[str] = read_names(context.state.noted(UNOWNED))
        entries: dict[str, list[Question]] = {}
        for each in questions:
            entries.setdefault(each.charge.generation_id, []).append(each)
        for made, found in entries.items():
            attempt, times = found[0].attempt, f" in {len(found)} entries" if len(found) > 1 else ""
            name = f"{made}{times}"
            if name in named:
                continue
            take, named = context.takes[attempt.take_id], [*named, name]
            text = (
                f"the ledger charges {usd_text(sum(each.charge.credits for each in found))} for {made}{times}, which"
                f" belongs to no take: attempt {attempt.number} of this one, {_end_text(attempt)}, may have made it"
            )
            self.warn(take, text)
            context.state.note(UNOWNED, json.dumps(named))
            context.trouble(ExitCode.DECISION_NEEDED, f"{take.label}: {text}; ask the provider's support")

    def note_doubles(self, scan: LogScan) -> None:
        """Name generations that the log shows under a request id whose attempt has another one."""
        context = self._context
        for attempt in self._known(scan.by_request):
            if attempt.generation_id is None:
                continue
            for row in self._strangers(attempt, scan):
                take, attempts = context.takes[attempt.take_id], context.state.attempts_of(attempt.take_id)
                number = double_number(attempts)
                made = replace(
                    attempt,
                    number=number,
                    outcome=Outcome.DOUBLE,
                    credits_estimated=None,
                    credits_held=row.credits,
                    credits_charged=None,
                )
                text = f"the provider made {row.generation_id} beside {attempt.generation_id} for one submit"
                data = {
                    "request_id": f"{attempt.request_id}#{-number}",
                    "generation_id": row.generation_id,
                    "key_fingerprint": attempt.key_fingerprint,
                    "at": row.at.isoformat(timespec="milliseconds"),
                    "error": text,
                }
                more = self._priced(take, made, [*attempts, made])
                self._found(take, Fact.FOUND_DOUBLE, data | more, f"DOUBLE: {text}")

    def _strangers(self, attempt: Attempt, scan: LogScan) -> list[LogRow]:
        """Good rows of an attempt's request id whose generation nobody here owns, one a generation, oldest first."""
        rows = [row for row in rows_of(scan, attempt.request_id) if row.is_good and row.generation_id]
        rows = [row for row in rows if row.generation_id != attempt.generation_id]
        rows = [row for row in rows if row.generation_id and self._context.owner_of(row.generation_id) is None]
        return sorted({row.generation_id: row for row in rows}.values(), key=lambda row: row.at)

    def _priced(self, take: Take, told: Attempt, attempts: Iterable[Attempt]) -> dict[str, Any]:
        others = [each for each in attempts if (each.take_id, each.number) != (told.take_id, told.number)]
        self._context.budget.see_price(take, told.credits_held)
        return {
            "attempt": told.number,
            "credits_held": told.credits_held,
            "credits_at_risk": risk_of(take, [*others, told]),
        }

    def _found(self, take: Take, fact: Fact, data: dict[str, Any], warning: str) -> None:
        """Record a generation that was not known, and its name in the reports, in one transaction."""
        context = self._context
        context.record(take.take_id, fact, data | {"warning": warning}, Fact.WARNED)
        if warning.startswith("DOUBLE"):
            self._tell_double(take, warning)

    def _tell_double(self, take: Take, warning: str) -> None:
        self._context.trouble(ExitCode.DECISION_NEEDED, f"{take.label}: {warning}; ask the provider's support")

    def warn(self, take: Take, warning: str) -> None:
        """Record a warning about a take, once."""
        if warning not in self._context.takes[take.take_id].warning:
            self._context.record(take.take_id, Fact.WARNED, {"warning": warning})


_ENDS = {
    Outcome.NOT_SENT: "which seemed not to have been sent",
    Outcome.TURNED_AWAY: "which the provider had turned away",
    Outcome.REFUSED: "which the provider had refused",
    Outcome.FAILED: "which its log had called failed",
}


def _offer_text(take: Take, row: LogRow, number: int, source: str) -> str:
    name, cost = row.generation_id or "a submit", _cost(row)
    return (
        f"this state file is older than the truth: {source} shows {name}{cost} for attempt {number} of it."
        f" `wanbatch resolve {take.label} --adopt {row.generation_id or 'ID'}` takes it over"
    )


def _end_text(attempt: Attempt) -> str:
    if attempt.generation_id is not None:
        return f"which the log gives {attempt.generation_id} alone"
    return _ENDS.get(attempt.outcome, "which was given up")


def _cost(row: LogRow) -> str:
    return f", {usd_text(row.credits)}" if row.credits else ""
