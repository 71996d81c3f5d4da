"""Breaks of what lets a take be sent again: failures, lost answers, proofs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.simulation.mutants.registry import Patches, mutant, unseen_mutant
from wanbatch.batch import attempts
from wanbatch.batch.attempts import Outcome
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.take import Take, advance
from wanbatch.errors import LocalFault
from wanbatch.money.charge import Charge
from wanbatch.pace import schedule as pacing
from wanbatch.pace.polling import Curve
from wanbatch.provider import answers
from wanbatch.provider.aimlapi import AimlApi
from wanbatch.provider.protocol import Progress
from wanbatch.runner import polls as polling
from wanbatch.runner import resubmission, searches, unrecorded_submits, verdicts
from wanbatch.runner.context import RunContext
from wanbatch.runner.doubles import Doubles
from wanbatch.runner.late_generations import LateGenerations
from wanbatch.runner.polls import Polls
from wanbatch.runner.rechecks import Rechecks
from wanbatch.state.file import StateFile

# --- what leads to a new submit


def _resubmit_when_held(*words: str) -> Patches:
    real = RunContext.hold

    def hold(context: RunContext, take_id: int, error: str, *, needs_user: bool = False) -> None:
        real(context, take_id, error, needs_user=needs_user)
        if any(word in error for word in words) and context.takes[take_id].state is State.HELD:
            context.record(take_id, Fact.RESUBMIT_ALLOWED, {"error": ""})
            context.schedule.add_planned(take_id)

    yield RunContext, "hold", hold
    yield attempts._ATTEMPT_ENDS, Fact.RESUBMIT_ALLOWED, Outcome.LOST


@mutant
def a_dead_link_is_bought_again() -> Patches:
    yield from _resubmit_when_held("does not deliver its clip (HTTP")


@mutant
def bad_media_is_bought_again() -> Patches:
    yield from _resubmit_when_held("did not arrive complete")


@mutant
def a_poll_404_is_bought_again() -> Patches:
    real = Polls._no_answer

    def no_answer(self: Polls, take: Take, answer: Any) -> None:
        if "HTTP 404" in answer.message:
            self._context.hold(take.take_id, "no longer knows")
        else:
            real(self, take, answer)

    yield Polls, "_no_answer", no_answer
    yield from _resubmit_when_held("no longer knows")


@mutant
def our_own_time_limit_buys_again() -> Patches:
    yield polling, "queued_poll_s", lambda _: 10.0
    yield Curve, "next_poll_s", lambda *_: 10.0
    why = "has not ended after"  # as the hold says that `_resubmit_when_held` waits for
    yield from _resubmit_when_held(why)
    real = Polls._running

    def running(self: Polls, take: Take, answer: Any) -> None:
        if self._age_s(take) > 30:
            self._context.hold(take.take_id, f"the generation {why} 30 s")
        else:
            real(self, take, answer)

    yield Polls, "_running", running


@mutant
def an_expired_generation_taken_for_failed() -> Patches:
    yield answers._STATUSES, "expired", answers.Status.FAILED


@mutant
def the_stranger_of_a_poll_is_followed() -> Patches:
    real = AimlApi.poll

    async def poll(self: AimlApi, generation_id: str) -> Any:
        answer = await real(self, generation_id)
        return replace(answer, generation_id=generation_id) if isinstance(answer, Progress) else answer

    yield AimlApi, "poll", poll


@mutant
def a_failed_take_is_tried_again_without_a_look_at_the_ledger() -> Patches:
    async def legible_charges(self: Rechecks, take_id: int) -> tuple[()]:
        self._note_look(take_id)
        return ()

    yield Rechecks, "_legible_charges", legible_charges


@unseen_mutant
def two_looks_at_once_share_one_reading_of_the_ledger() -> Patches:
    real, shared = Rechecks._legible_charges, list[Charge]()

    async def legible_charges(self: Rechecks, take_id: int) -> Sequence[Charge] | None:
        charges = await real(self, take_id)
        if charges is None:
            return None
        shared[:] = charges
        return shared

    yield Rechecks, "_legible_charges", legible_charges


@mutant
def a_failed_take_is_tried_again_although_charged() -> Patches:
    real = Polls._failed

    async def failed(self: Polls, take: Take, answer: Any) -> None:
        await real(self, take, answer)
        context = self._context
        if context.takes[take.take_id].state is State.FAILED and context.takes[take.take_id].is_charge_seen:
            context.record(take.take_id, Fact.RETRY_PLANNED, {"by": "policy"})
            context.schedule.add_planned(take.take_id)

    yield Polls, "_failed", failed


# --- lost answers: what they are adopted by, and how long they are looked for


@mutant
def adopt_by_recipe() -> Patches:
    def rows_of(scan: Any, request_id: str) -> Any:
        recipe = request_id.split(":")[2]
        return [row for row in scan.rows if f":{recipe}:" in row.request_id]

    yield resubmission, "rows_of", rows_of


@mutant
def resubmit_at_the_first_miss() -> Patches:
    yield resubmission, "_absent", lambda *_: resubmission.Absent(is_proof=True)


@mutant
def resubmit_whatever_the_policy() -> Patches:
    def absent(self: Any, take: Take, _: Any) -> None:
        self._context.record(take.take_id, Fact.PRESUMED_ABSENT, {"error": ""})
        self._context.schedule.add_planned(take.take_id)

    yield verdicts.Verdicts, "_absent", absent


@mutant
def a_failed_row_is_believed_though_it_was_charged() -> Patches:
    yield resubmission, "_failed", lambda *_: resubmission.Failed(None, is_proof=True)


@mutant
def another_keys_log_and_charges_of_no_take_do_not_matter() -> Patches:
    real = resubmission._absent

    def absent(take: Take, attempt: Any, evidence: Any) -> Any:
        seen = replace(attempt, key_fingerprint=evidence.key_fingerprint)
        return real(take, seen, replace(evidence, charges=()))

    yield resubmission, "_absent", absent


@mutant
def what_is_made_late_is_not_named() -> Patches:
    yield LateGenerations, "note_late", lambda *_: None


@mutant
def what_is_made_twice_is_not_named() -> Patches:
    yield Doubles, "note_doubles", lambda *_: None


@mutant
def the_first_post_does_not_go_alone() -> Patches:
    def may_submit(schedule: Any) -> bool:
        is_free = schedule.is_submitting and not (schedule._awaits_answers or schedule._awaits_search)
        return is_free and bool(schedule._planned) and schedule.posts < schedule.posts_at_once

    yield pacing.Schedule, "_may_submit", may_submit


@mutant
def a_write_that_failed_goes_unnoticed() -> Patches:
    real = StateFile.record

    def record(state: Any, take_id: int, *entries: Any) -> Take:
        take = state.take(take_id)
        try:
            return real(state, take_id, *entries)
        except LocalFault:
            for each in entries:
                take = advance(take, each)
            return take

    yield StateFile, "record", record


@mutant
def lost_answers_are_never_looked_up() -> Patches:
    async def search(self: Any) -> None:
        self._context.schedule.search_ended()
        self._context.schedule.allow_submits()

    yield searches.Searches, "search", search


@mutant
def an_old_state_file_is_believed() -> Patches:
    yield unrecorded_submits, "unrecorded", lambda *_: []
    yield unrecorded_submits.UnrecordedSubmits, "note_logged", lambda _: None


# --- proofs that are taken too early, or against the evidence


@mutant
def two_looks_need_not_lie_apart() -> Patches:
    yield resubmission, "_is_next_look", lambda take, _: take.last_searched_at is not None
    yield verdicts, "SEARCH_GAP", timedelta(0)


@mutant
def a_failed_row_is_proof_at_the_second_look() -> Patches:
    yield resubmission.Evidence, "lag", property(lambda _: timedelta(0))


@mutant
def a_charge_under_another_name_of_the_model_is_not_ours() -> Patches:
    yield resubmission, "is_like", lambda model, ours: model == ours


@mutant
def a_held_take_that_needs_the_user_is_looked_at_as_if_it_did_not() -> Patches:
    yield Take, "can_be_looked_at", property(lambda take: take.generation_id is not None)
