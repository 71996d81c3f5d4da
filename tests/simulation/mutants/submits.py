"""Breaks of the submit: its intent, its answer, its id."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.simulation import disk as disk_module
from tests.simulation.mutants.registry import Patches, mutant
from wanbatch.batch import take
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.take import Take, advance
from wanbatch.provider import answers
from wanbatch.provider.aimlapi import AimlApi
from wanbatch.provider.protocol import Accepted, NotSent, RefusalKind, Refused, TurnedAway, Unknown
from wanbatch.runner import submits as submitting
from wanbatch.runner.context import RunContext
from wanbatch.runner.loop import Runner
from wanbatch.state.reader import entry

# --- the intent


@mutant
def no_intent_before_the_post() -> Patches:
    pending: dict[tuple[int, int], Any] = {}
    real = RunContext.record

    def record(context: RunContext, take_id: int, fact: Fact, data: Any = None, *more: Fact) -> Take:
        key = id(context), take_id
        if fact is Fact.SUBMIT_STARTED:
            pending[key] = data
            before = context.takes[take_id]
            context.takes.follow(before, advance(before, entry(fact, context.clock.now(), data)))
            return context.takes[take_id]
        if key in pending:
            real(context, take_id, Fact.SUBMIT_STARTED, pending.pop(key))
        return real(context, take_id, fact, data, *more)

    yield RunContext, "record", record


@mutant
def intent_not_flushed() -> Patches:
    real_commit, real_surviving = disk_module.Disk.commit, disk_module.Disk._surviving
    last: dict[int, Any] = {}

    def commit(disk: Any, work: Any) -> Any:
        last[id(disk)] = disk.files()
        return real_commit(disk, work)

    def surviving(disk: Any, files: Any, before: Any, crash: Any) -> Any:
        kept = real_surviving(disk, files, before, crash)
        if crash.outcome is disk_module.Outcome.CLEAN or id(disk) not in last:
            return kept
        return {**kept, **{name: data for name, data in last.pop(id(disk)).items() if name.startswith("state")}}

    yield disk_module.Disk, "commit", commit
    yield disk_module.Disk, "_surviving", surviving


def _on_resume(fact: Fact) -> Patches:
    real = Runner._resume_take

    def resume_take(runner: Runner, take: Take, now: float) -> None:
        if take.state is State.SUBMITTING:
            runner._context.record(take.take_id, fact, {"error": ""})
        else:
            real(runner, take, now)

    yield Runner, "_resume_take", resume_take


@mutant
def a_submitting_take_is_posted_again_on_resume() -> Patches:
    yield from _on_resume(Fact.NOT_SENT)


@mutant
def a_submitting_take_is_bought_anew_on_resume() -> Patches:
    yield from _on_resume(Fact.TURNED_AWAY)


# --- the answer


def _unknown_as(is_meant: Callable[[Unknown], bool], make: Callable[[Unknown], Any]) -> Patches:
    real = AimlApi._submit

    async def submit(self: AimlApi, *arguments: Any) -> Any:
        answer = await real(self, *arguments)
        return make(answer) if isinstance(answer, Unknown) and is_meant(answer) else answer

    yield AimlApi, "_submit", submit


def _later(answer: Unknown) -> TurnedAway:
    return TurnedAway(answer.http_status or 0, None, "again")


@mutant
def blind_retry_on_5xx() -> Patches:
    yield from _unknown_as(lambda answer: 500 <= (answer.http_status or 0) < 600, _later)


@mutant
def blind_retry_on_a_timeout() -> Patches:
    yield from _unknown_as(lambda answer: "Timeout" in answer.message, _later)


@mutant
def blind_retry_on_a_disconnect() -> Patches:
    yield from _unknown_as(lambda answer: "disconnected" in answer.message or "reset" in answer.message, _later)


@mutant
def a_disconnect_taken_for_not_sent() -> Patches:
    yield from _unknown_as(
        lambda answer: "Error" in answer.message and answer.http_status is None, lambda answer: NotSent("again")
    )


@mutant
def an_unreadable_2xx_taken_for_a_failure() -> Patches:
    yield from _unknown_as(lambda answer: 200 <= (answer.http_status or 0) < 300, _later)


@mutant
def a_408_or_409_taken_for_a_refusal() -> Patches:
    yield from _unknown_as(lambda answer: answer.http_status in (408, 409), _later)


@mutant
def a_refusal_without_the_envelope_believed() -> Patches:
    def refused(answer: Unknown) -> Refused:
        return Refused(RefusalKind.REQUEST, answer.http_status or 0, "no")

    def later(answer: Unknown) -> Any:
        return _later(answer) if answer.http_status in (425, 429) else refused(answer)

    yield from _unknown_as(lambda answer: answer.http_status in (400, 404, 413, 422, 425, 429), later)


@mutant
def the_id_in_the_header_ignored() -> Patches:
    yield answers.Head, "generation_id", property(lambda _: None)


@mutant
def the_id_in_the_body_preferred() -> Patches:
    real = answers._read_accepted

    def read_accepted(*arguments: Any) -> Any:
        answer = real(*arguments)
        if isinstance(answer, Accepted) and answer.conflict is not None:
            return replace(answer, generation_id=answer.conflict, conflict=None)
        return answer

    yield answers, "_read_accepted", read_accepted
    yield answers.Head, "generation_id", _Late()


class _Late:
    """The header's id, only once the whole answer is read: what asks for it earlier gets None."""

    def __get__(self, head: Any, _: Any = None) -> Any:
        import sys

        if sys._getframe(1).f_code.co_name == "_submit":
            return None
        return answers.read_generation_id(head.headers.get("x-inference-id"))


@mutant
def a_second_take_gets_the_same_generation() -> Patches:
    yield RunContext, "owner_of", lambda _context, _generation_id: None


# --- request ids


@mutant
def the_request_id_of_a_429_used_again() -> Patches:
    real = take._FOLD[Fact.TURNED_AWAY]
    yield take._FOLD, Fact.TURNED_AWAY, lambda take, made: replace(real(take, made), attempts=take.attempts - 1)


@mutant
def every_attempt_has_the_same_request_id() -> Patches:
    real = submitting.request_id_of
    yield submitting, "request_id_of", lambda nonce, recipe, take_id, _: real(nonce, recipe, take_id, 1)
