"""Strays: submits of this batch that the provider's log or run.log shows and the state file does not know.

Its file was restored, copied or lost. Nothing of it is taken over silently: it is offered by name, and no more money
goes after it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from wanbatch.batch.attempts import Attempt, risk_left
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.take import Take
from wanbatch.errors import ExitCode
from wanbatch.provider.protocol import LogRow, LogScan
from wanbatch.runner.context import RunContext
from wanbatch.runner.doubles import Doubles, cost_text
from wanbatch.runner.proofs import LOG, recipe_in, rows_of, take_and_attempt, unrecorded
from wanbatch.state.tables import Stray

LOOK_AGAIN_S = 60.0


class Strays:
    """Records what a state file lacks."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._doubles = Doubles(context)

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
                f"{stray.source} showed {made}{cost_text(row)} of the very same recipe, which belongs to no take."
                f" `wanbatch resolve {heir.label} --adopt {stray.generation_id or 'ID'}` takes it over,"
                " --resubmit buys another"
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
        name, cost = row.generation_id or "a submit", cost_text(row)
        if take.state is State.SUBMITTING:
            context.schedule.add_search(context.clock.monotonic() + LOOK_AGAIN_S)  # once its answer is in
            return
        if take.state in (State.COMPLETED, State.DOWNLOADED, State.VERIFIED):
            self._doubles.note_another(
                take, row, source, f"{source} shows another submit of it, {row.request_id}: {name}{cost}"
            )
            return
        self._hold(take, row, ids[1], _offer_text(take, row, ids[1], source))

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
                f"this state file is older than the truth: {source} shows {name}{cost_text(row)} of the very same"
                f" recipe. `wanbatch resolve {heir.label} --adopt {row.generation_id or 'ID'}` takes it over,"
                " --resubmit buys another"
            )
            self._hold(heir, row, 1, text)
        else:
            request_id = f"{row.request_id}#{len(same)}" if same else row.request_id
            context.state.note_stray(Stray(request_id, row.generation_id, row.credits or None, row.at, source))
            context.budget.add_stray(row.credits or None)
        context.stop_submitting(
            ExitCode.DECISION_NEEDED,
            f"{source} shows {name} under our request id {row.request_id}{cost_text(row)}, of a take that this state"
            " file does not know: it is older than the truth. Nothing more is sent; restore the newest state file, or"
            " run the same command again to go on without it",
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
                f"an earlier state file was lost, and {LOG} shows {row.generation_id}{cost_text(row)} of the very same"
                f" recipe. `wanbatch resolve {take.label} --adopt {row.generation_id}` takes it over,"
                " buys another",
            )


def _offer_text(take: Take, row: LogRow, number: int, source: str) -> str:
    name, cost = row.generation_id or "a submit", cost_text(row)
    return (
        f"this state file is older than the truth: {source} shows {name}{cost} for attempt {number} of it."
        f" `wanbatch resolve {take.label} --adopt {row.generation_id or 'ID'}` takes it over"
    )
