"""Unrecorded submits: submits of this batch that the provider's log or run.log shows and the state file does not know.

Its file was restored, copied or lost. Nothing is adopted silently: it is offered by name, and no more money
goes after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from wanbatch.batch.attempts import Attempt, risk_left
from wanbatch.batch.chains import with_new_ids
from wanbatch.batch.frames import may_hold_frames
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.shots import Recipe
from wanbatch.batch.take import Take
from wanbatch.errors import ExitCode
from wanbatch.provider.protocol import LogRow, LogScan
from wanbatch.runner.context import RunContext
from wanbatch.runner.doubles import Doubles, cost_text
from wanbatch.runner.offered_generations import OUT_OF_DATE, Offer, offer_of, offer_text, offers_of, told_in
from wanbatch.runner.recipes import recipe_of_request
from wanbatch.runner.resubmission import LOG, recipe_in, take_and_attempt, unrecorded
from wanbatch.state.tables import Stray

LOOK_AGAIN_S = 60.0
_DONE = (State.COMPLETED, State.DOWNLOADED, State.VERIFIED)


class UnrecordedSubmits:
    """Records what a state file lacks."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._doubles = Doubles(context)

    def note_logged(self) -> None:
        """Hold the takes of submits that are in run.log but not in the state file."""
        logged = self._context.settings.logged
        known = {each.request_id for each in self._known(row.request_id for row in logged)}
        for row in logged:
            if row.request_id not in known:
                self._note_unrecorded(row, "run.log")

    def note_scan(self, scan: LogScan) -> None:
        """Hold the takes of submits that the provider's log shows and the state file does not know."""
        for row in unrecorded(scan, self._context.nonce, self._known(scan.by_request)):
            self._note_unrecorded(row, LOG)

    def lacks(self, scan: LogScan) -> bool:
        """Say whether the provider's log shows submits that the state file does not know."""
        return bool(unrecorded(scan, self._context.nonce, self._known(scan.by_request)))

    def _known(self, request_ids: Iterable[str]) -> list[Attempt]:
        return self._context.state.attempts_of_requests(request_ids)

    def _note_unrecorded(self, row: LogRow, source: str) -> None:
        context, ids = self._context, take_and_attempt(row.request_id)
        known = next(iter(self._known([row.request_id])), None)
        if known is not None:  # a row before this one told of the submit
            self._note_more(known, [row])
            return
        take = context.takes.get(ids[0]) if ids is not None else None
        recipe = None if take is None else recipe_of_request(context, take, row.request_id)
        if take is None or ids is None or recipe is None:
            self._note_stray(row, source)
        elif take.state is State.SUBMITTING:
            context.schedule.add_search(context.clock.monotonic() + LOOK_AGAIN_S)  # once its answer is in
        elif take.state in _DONE:
            self._doubles.note_another(take, row, source)
        else:
            number = self._free_number(take, ids[1])
            self._hold(take, row, number, _why(row, source, number), recipe)

    def _free_number(self, take: Take, told: int) -> int:
        """Return the number of a submit that comes to light: its own, where no other submit was given it."""
        numbers = {each.number for each in self._context.state.attempts_of(take.take_id)}
        return told if told not in numbers else max(numbers) + 1

    # --- what a held take can have

    def offer(self, take: Take, attempt: Attempt, scan: LogScan) -> None:
        """Name what a submit made that came to light, once the log shows it and while its take waits for the user."""
        if take.state in (State.UNKNOWN, State.HELD):
            self._note_more(attempt, self._doubles.unrecorded_rows(attempt, scan))

    def _note_more(self, attempt: Attempt, rows: Iterable[LogRow]) -> None:
        """Name what else the log shows of a submit that came to light.

        The first generation is offered, each other one is a double, which its take can have in place of the first.
        """
        for row in rows:
            take = self._context.takes[attempt.take_id]
            offered = offer_of(self._context.state.facts_of(take.take_id), attempt.request_id)
            first = attempt.generation_id or (None if offered is None else offered.generation_id)
            if row.generation_id in (None, first) or not row.is_good:
                continue
            if self._context.owner_of(str(row.generation_id)) is not None:
                continue
            if first is not None:
                self._doubles.note_beside(attempt, row, first)
            elif take.attempt == attempt.number and take.state in (State.UNKNOWN, State.HELD):
                self._hold(take, row, attempt.number, _why(row, LOG, attempt.number))
        self.renew_offers()

    def renew_offers(self) -> None:
        """Name in the messages of held takes the generations that came to light since."""
        context = self._context
        for take_id in sorted(context.state.offered()):
            take, facts = context.takes[take_id], context.state.facts_of(take_id)
            attempts = context.state.attempts_of(take_id)
            last = [each for each in facts if each.fact is Fact.FOUND_UNRECORDED][-1]
            offers = offers_of(facts, attempts)
            if {each.generation_id for each in offers} - told_in(last):
                told = {"is_try": False, "credits_at_risk": risk_left(attempts, take.attempt)}
                told |= _offered(take, str(last.data.get("why", OUT_OF_DATE)), offers)
                context.record(take_id, Fact.FOUND_UNRECORDED, {**last.data, **told})

    def _hold(self, take: Take, row: LogRow, attempt: int, why: str, recipe: Recipe | None = None) -> None:
        """Hold a take with what came to light of it; `recipe` is what that was sent with, if it may be another."""
        context, state = self._context, self._context.state
        if take.state in (State.QUEUED, State.GENERATING):
            context.schedule.generation_ended()
        context.schedule.drop_planned(take.take_id)
        context.came_to_light.add(take.take_id)
        is_another = recipe is not None and recipe != take.recipe
        sent = replace(take, recipe_json=recipe.canonical) if recipe is not None and is_another else take
        context.budget.see_price(sent, row.credits)
        attempts = state.attempts_of(take.take_id)
        offers = offers_of(state.facts_of(take.take_id), attempts)
        if row.generation_id is not None:
            offers = [Offer(row.generation_id, row.credits), *offers]
        told = {
            "attempt": attempt,
            "is_another": True,
            "is_try": attempt > take.attempts,
            "request_id": row.request_id,
            "key_fingerprint": context.settings.key_fingerprint,
            "at": row.at.isoformat(timespec="milliseconds"),
            "credits_held": row.credits or None,
            "credits_at_risk": risk_left(attempts, attempt),
            "made": row.generation_id,
        }
        told |= _offered(take, why, offers)
        if is_another:
            told |= {"recipe_json": sent.recipe_json, "model": sent.recipe.model}
            context.record(take.take_id, Fact.MODEL_CHANGED, told, Fact.FOUND_UNRECORDED)
        else:
            context.record(take.take_id, Fact.FOUND_UNRECORDED, told)
        context.budget.keep_strays({each.request_id for each in state.strays()})

    # --- submits of no take

    def offer_strays(self) -> None:
        """Offer known strays to takes with the same recipe that were planned since, before anything is sent."""
        for stray in self._context.state.strays():
            request_id = stray.request_id.partition("#")[0]  # of a submit that made several each has a name of its own
            row = LogRow(request_id, stray.generation_id, True, stray.credits_held, stray.at)
            known = next(iter(self._known([request_id])), None)
            heir = self._heir(row)
            if known is not None:
                self._note_more(known, [row])
            elif heir is not None:
                self._hold(
                    heir,
                    row,
                    1,
                    f"{stray.source} showed {_made(row)} with the same recipe, which belongs to no take",
                )

    def _note_stray(self, row: LogRow, source: str) -> None:
        """A submit of no take there is: offer it to one of the same recipe, else keep it by name and stop once."""
        context = self._context
        same = [each for each in context.state.strays() if each.request_id.partition("#")[0] == row.request_id]
        if same and (row.generation_id is None or row.generation_id in {each.generation_id for each in same}):
            return  # the user has seen it; running again means to continue
        nameless = next((each for each in same if each.generation_id is None), None)
        if nameless is not None:
            context.state.note_stray(
                replace(nameless, generation_id=row.generation_id, credits_held=row.credits or nameless.credits_held)
            )
            return
        heir = None if same else self._heir(row)
        if heir is not None:
            self._hold(heir, row, 1, f"{OUT_OF_DATE}: {source} shows {_made(row)} with the same recipe")
        else:
            request_id = f"{row.request_id}#{len(same)}" if same else row.request_id
            context.state.note_stray(Stray(request_id, row.generation_id, row.credits or None, row.at, source))
            context.budget.add_stray(request_id, row.credits or None)
        context.stop_submitting(
            ExitCode.DECISION_NEEDED,
            f"{OUT_OF_DATE}: {source} shows {_made(row)} under wanbatch's request id {row.request_id}, of a take that"
            " it does not know. wanbatch sends nothing more. Restore the newest state file, or run the same command"
            " again to continue without it",
        )

    def _heir(self, row: LogRow) -> Take | None:
        """Return the first take of a row's recipe that nothing was sent of."""
        fit = (take for take in self._untried() if recipe_in(row.request_id) in self._hashes(take))
        return next(fit, None)

    def _hashes(self, take: Take) -> set[str]:
        """Return the hashes of a take's recipe: as it is, and by the ids that shots of its frames had before."""
        if not may_hold_frames(take.recipe_json):
            return {take.recipe.short_hash}
        names = self._context.names_now
        ways: list[dict[str, str]] = [
            {},
            {new: old for old, new in names.items()},
            *({new: old} for old, new in names.items()),
        ]
        return {Recipe(with_new_ids(take.recipe_json, way)).short_hash for way in ways}

    def _untried(self) -> list[Take]:
        planned = [take for take in self._context.state.takes_in([State.PLANNED]) if not take.superseded]
        return [take for take in planned if not take.attempts]

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
            rows = [row for each in sorted(self._hashes(take)) for row in by_recipe.get(each, [])]
            row = next((row for row in rows if row.request_id not in taken), None)
            if row is None:
                continue
            taken.add(row.request_id)
            why = f"an earlier state file was lost, and {LOG} shows {_made(row)} with the same recipe"
            self._hold(take, row, 1, why)


def _offered(take: Take, why: str, offers: Sequence[Offer]) -> dict[str, Any]:
    """Return what the fact of a held take says about its offers: by field, and as the message."""
    unique = list({each.generation_id: each for each in reversed(offers)}.values())[::-1]
    error = offer_text(take.label, why, unique)
    return {"why": why, "offers": [each.generation_id for each in unique], "error": error}


def _why(row: LogRow, source: str, number: int) -> str:
    return f"{OUT_OF_DATE}: {source} shows {_made(row)} for attempt {number} of this take"


def _made(row: LogRow) -> str:
    return (row.generation_id or "a submit") + cost_text(row)
