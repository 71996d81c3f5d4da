"""Late generations: what attempts made after all, found once their takes had gone on without them.

A take that has nothing better and nothing else to come is given the one of its own; else that is named.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from wanbatch.batch.attempts import Attempt, Outcome, adoption, end_text, live
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.take import Take
from wanbatch.provider.protocol import LogScan
from wanbatch.runner.context import RunContext
from wanbatch.runner.doubles import Doubles, cost_text
from wanbatch.runner.recipes import as_made, recipe_made
from wanbatch.runner.resubmission import LOG, recipe_in, rows_of


class LateGenerations:
    """Finds them, and gives them to their takes."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._doubles = Doubles(context)

    def note_late(self, scan: LogScan) -> None:
        """Take over, or name, what attempts made after all that were proven to have made nothing, or given up."""
        for attempt in self._context.state.attempts_of_requests(scan.by_request):
            if attempt.generation_id is not None:
                continue
            row = next(iter(self._doubles.unrecorded_rows(attempt, scan)), None)
            take = self._context.takes[attempt.take_id]
            is_awaited = attempt.number == take.attempt and take.can_be_searched
            if is_awaited or attempt.outcome is Outcome.OPEN:
                continue  # what became of it is settled elsewhere
            if row is None:
                self._note_nameless(take, attempt, scan)
                continue
            asked = as_made(self._context, take, attempt)
            if may_adopt(asked, attempt, self._context.state.attempts_of(take.take_id)):
                self._context.warn(take, f"its attempt {attempt.number}, {end_text(attempt)}, made its clip after all")
                self.adopt(take, replace(attempt, generation_id=row.generation_id, credits_held=row.credits or None))
                continue
            told = replace(attempt, outcome=Outcome.LOST, credits_held=row.credits or attempt.credits_held)
            attempts = self._context.state.attempts_of(take.take_id)
            data = self._doubles.priced(take, told, attempts) | {"generation_id": row.generation_id}
            text = f"its attempt {attempt.number} made a generation after all: {row.generation_id}{cost_text(row)}"
            is_double = take.generation_id is not None or take.state is State.PLANNED
            self._doubles.found(take, Fact.FOUND_LATE, data, text, is_double=is_double)

    def _note_nameless(self, take: Take, attempt: Attempt, scan: LogScan) -> None:
        """Name and count an attempt that its take went on without, whose row says that it succeeded and not what it
        made.
        """
        row = next((row for row in rows_of(scan, attempt.request_id) if row.is_good and not row.generation_id), None)
        if row is None:
            return
        context = self._context
        lead = (
            f"{LOG} says that attempt {attempt.number} of it, {end_text(attempt)}, succeeded under request id"
            f" {attempt.request_id}{cost_text(row)}, but "
        )
        text = f"{lead}does not say what it made: the provider may have charged for it"
        warnings = [each.data for each in context.state.facts_of(take.take_id) if each.fact is Fact.WARNED]
        if any(each.get("nameless") == attempt.request_id or each["warning"].startswith(lead) for each in warnings):
            return
        made = replace(attempt, outcome=Outcome.LOST, credits_held=row.credits or attempt.credits_held)
        data = self._doubles.priced(take, made, context.state.attempts_of(take.take_id))
        self._doubles.found_nameless(take, Fact.FOUND_LATE, data, attempt.request_id, text)

    def adopt(self, take: Take, maker: Attempt) -> None:
        """Give a take the generation of one of its attempts, which may be an earlier one."""
        context = self._context
        data = adoption(take, maker, context.state.attempts_of(take.take_id))
        data = {name: value for name, value in data.items() if value is not None or name == "credits_at_risk"}
        data |= recipe_made(context, context.takes[take.take_id], maker)
        context.schedule.drop_planned(take.take_id)
        context.budget.see_price(take, maker.credits_held)
        context.record(take.take_id, Fact.ADOPTED, data | {"by": "log"})
        context.schedule.generation_followed()
        context.schedule.add_poll(take.take_id, context.clock.monotonic())
        self._doubles.name_doubles()

    def adopt_awaited(self) -> None:
        """Give takes that have no other generation to come the one that an earlier attempt of theirs made."""
        for late in self._context.state.late_generations():
            take = as_made(self._context, self._context.takes[late.take_id], late)
            if may_adopt(take, late, self._context.state.attempts_of(take.take_id)):
                self.adopt(take, late)

    def replacement_for(self, take: Take) -> Attempt | None:
        """Return the attempt whose generation was found while a later one of its take was unknown; None without."""
        attempts = self._context.state.attempts_of(take.take_id)
        asked = (as_made(self._context, take, each) for each in attempts)
        return replacement_in(take, attempts) or next(
            filter(None, (replacement_in(each, attempts) for each in asked)), None
        )


def may_adopt(take: Take, attempt: Attempt, attempts: Iterable[Attempt]) -> bool:
    """Say whether an attempt's generation, found late, is the clip that its take still waits for.

    Not where another one is there or under way, nor where the user gave it up, or asks for another recipe now, nor
    where this file did not record the submit; one that was made beside another for a recorded submit is recorded.
    `attempts` are all of the take.
    """
    is_waiting = take.state is State.PLANNED or (
        take.state is State.FAILED and attempt.outcome is not Outcome.ABANDONED
    )
    is_ours = "#" in attempt.request_id if attempt.outcome is Outcome.DOUBLE else attempt.body_sha256 != ""
    if not is_waiting or take.superseded or not is_ours:
        return False
    others = [each for each in attempts if each.number != attempt.number]
    return recipe_in(attempt.request_id) == take.recipe.short_hash and not live(others)


def replacement_in(take: Take, attempts: Sequence[Attempt]) -> Attempt | None:
    """Return the attempt whose generation a take can have in place of one that is unknown; None if there is none.

    It was lost, is of the take's recipe, was recorded here when it was sent, and is the only generation of the take.
    """
    found = [each for each in attempts if each.generation_id is not None and each.outcome is Outcome.LOST]
    fit = [each for each in found if recipe_in(each.request_id) == take.recipe.short_hash and each.body_sha256]
    return fit[-1] if fit and len(live(attempts)) == 1 else None
