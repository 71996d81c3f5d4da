"""Deliberate breaks of the protocol. Each must be caught by the oracle: a simulation that catches none is worth nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

from tests.simulation import disk as disk_module
from tests.simulation.scenario import scenario_of
from tests.simulation.sweep import live, wording
from wanbatch import (
    answers,
    attempts,
    discovering,
    download,
    fetching,
    lifecycle,
    lock,
    pacing,
    planning,
    polling,
    proofs,
    reconciling,
    requestlog,
    submitting,
)
from wanbatch.aimlapi import AimlApi
from wanbatch.attempts import Outcome
from wanbatch.desk import Desk
from wanbatch.download import publish
from wanbatch.errors import ExitCode, LocalFault
from wanbatch.fetching import Fetching
from wanbatch.hazard import Curve
from wanbatch.lifecycle import Fact, State, Take, advance
from wanbatch.polling import Polling
from wanbatch.provider import Accepted, LinkDead, NotSent, RefusalKind, Refused, TurnedAway, Unknown
from wanbatch.purse import Fit, Purse
from wanbatch.runner import Runner
from wanbatch.state import StateFile, entry

SEED_LIMIT = 1_000
Patches = Iterator[tuple[Any, str, Any]]
MUTANTS: dict[str, Callable[[], Patches]] = {}


def mutant(make: Callable[[], Patches]) -> Callable[[], Patches]:
    """List a mutant under the words of its name."""
    MUTANTS[make.__name__.replace("_", " ")] = make
    return make


@contextmanager
def applied(name: str) -> Iterator[None]:
    """Break the protocol in this way."""
    with ExitStack() as stack:
        for target, attribute, value in MUTANTS[name]():
            if isinstance(target, dict):
                stack.enter_context(mock.patch.dict(target, {attribute: value}))
            else:
                stack.enter_context(mock.patch.object(target, attribute, value))
        yield


def caught_by(name: str, limit: int = SEED_LIMIT) -> tuple[int, str] | None:
    """Return the first seed that catches a mutant, and what was wrong there that is not wrong without it."""
    for seed in range(limit):
        with applied(name):
            _, wrong = live(scenario_of(seed))
        if wrong:
            _, usual = live(scenario_of(seed))
            fresh = [text for text in wrong if wording(text) not in set(map(wording, usual))]
            if fresh:
                return seed, fresh[0]
    return None


# --- the intent


@mutant
def no_intent_before_the_post() -> Patches:
    pending: dict[tuple[int, int], Any] = {}
    real = Desk.record

    def record(desk: Desk, take_id: int, fact: Fact, data: Any = None, *more: Fact) -> Take:
        key = id(desk), take_id
        if fact is Fact.SUBMIT_STARTED:
            pending[key] = data
            before = desk.takes[take_id]
            desk.takes.follow(before, advance(before, entry(fact, desk.clock.now(), data)))
            return desk.takes[take_id]
        if key in pending:
            real(desk, take_id, Fact.SUBMIT_STARTED, pending.pop(key))
        return real(desk, take_id, fact, data, *more)

    yield Desk, "record", record


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
            runner._desk.record(take.take_id, fact, {"error": ""})
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
    yield Desk, "owner_of", lambda _desk, _generation_id: None


# --- request ids


@mutant
def the_request_id_of_a_429_used_again() -> Patches:
    real = lifecycle._FOLD[Fact.TURNED_AWAY]
    yield lifecycle._FOLD, Fact.TURNED_AWAY, lambda take, made: replace(real(take, made), attempts=take.attempts - 1)


@mutant
def every_attempt_has_the_same_request_id() -> Patches:
    real = submitting.request_id_of
    yield submitting, "request_id_of", lambda nonce, recipe, take_id, _: real(nonce, recipe, take_id, 1)


# --- what leads to a new submit


def _resubmit_when_held(*words: str) -> Patches:
    real = Desk.hold

    def hold(desk: Desk, take_id: int, error: str, *, needs_user: bool = False) -> None:
        real(desk, take_id, error, needs_user=needs_user)
        if any(word in error for word in words) and desk.takes[take_id].state is State.HELD:
            desk.record(take_id, Fact.RESUBMIT_ALLOWED, {"error": ""})
            desk.board.add_planned(take_id)

    yield Desk, "hold", hold
    yield attempts._ATTEMPT_ENDS, Fact.RESUBMIT_ALLOWED, Outcome.LOST


@mutant
def a_dead_link_is_bought_again() -> Patches:
    yield from _resubmit_when_held("its clip cannot be had (HTTP")


@mutant
def bad_media_is_bought_again() -> Patches:
    yield from _resubmit_when_held("no whole clip came")


@mutant
def a_poll_404_is_bought_again() -> Patches:
    real = Polling._no_answer

    def no_answer(self: Polling, take: Take, answer: Any) -> None:
        if "HTTP 404" in answer.message:
            self._desk.hold(take.take_id, "no longer knows")
        else:
            real(self, take, answer)

    yield Polling, "_no_answer", no_answer
    yield from _resubmit_when_held("no longer knows")


@mutant
def our_own_time_limit_buys_again() -> Patches:
    yield polling, "queued_poll_s", lambda _: 10.0
    yield Curve, "next_poll_s", lambda *_: 10.0
    yield from _resubmit_when_held("no end after")
    real = Polling._running

    def running(self: Polling, take: Take, answer: Any) -> None:
        if self._age_s(take) > 30:
            self._desk.hold(take.take_id, "no end after 30 s")
        else:
            real(self, take, answer)

    yield Polling, "_running", running


@mutant
def an_expired_generation_taken_for_failed() -> Patches:
    yield answers._STATUSES, "expired", answers.Status.FAILED


@mutant
def the_stranger_of_a_poll_is_followed() -> Patches:
    real = AimlApi.poll

    async def poll(self: AimlApi, generation_id: str) -> Any:
        answer = await real(self, generation_id)
        return replace(answer, generation_id=generation_id) if hasattr(answer, "status") else answer

    yield AimlApi, "poll", poll


@mutant
def a_failed_take_is_tried_again_without_a_look_at_the_ledger() -> Patches:
    real = Polling.match_ledger

    async def match_ledger(self: Polling, since: Any = None) -> bool:
        import sys

        frame = sys._getframe(1)
        return True if frame.f_code.co_name == "_failed" else await real(self, since)

    yield Polling, "match_ledger", match_ledger


@mutant
def a_failed_take_is_tried_again_although_charged() -> Patches:
    real = Polling._failed

    async def failed(self: Polling, take: Take, answer: Any) -> None:
        await real(self, take, answer)
        desk = self._desk
        if desk.takes[take.take_id].state is State.FAILED and desk.takes[take.take_id].is_charge_seen:
            desk.record(take.take_id, Fact.RETRY_PLANNED, {"by": "policy"})
            desk.board.add_planned(take.take_id)

    yield Polling, "_failed", failed


# --- the budget


def _not_counted(*states: State) -> Patches:
    real = Take.credits_committed.fget  # type: ignore[attr-defined]

    def committed(take: Take) -> int | None:
        return (take.credits_charged or 0) if take.state in states else real(take)

    yield Take, "credits_committed", property(committed)


@mutant
def unknown_is_not_counted_in_the_budget() -> Patches:
    yield from _not_counted(State.UNKNOWN)


@mutant
def held_is_not_counted_in_the_budget() -> Patches:
    yield from _not_counted(State.HELD)


@mutant
def running_is_not_counted_in_the_budget() -> Patches:
    yield from _not_counted(State.QUEUED, State.GENERATING)


@mutant
def the_cap_is_not_checked() -> Patches:
    yield Purse, "fit", lambda *_: Fit.YES


@mutant
def an_unknown_price_is_free() -> Patches:
    def fit(purse: Purse, take: Take) -> Fit:
        is_within = purse.cap_credits is None or purse.committed + (purse.price_of(take) or 0) <= purse.cap_credits
        return Fit.YES if is_within else Fit.NO

    yield Purse, "fit", fit


# --- the account of charges


@mutant
def a_charge_is_recorded_as_nothing() -> Patches:
    real = answers._charge

    def charge(row: object) -> Any:
        made = real(row)
        return None if made is None else replace(made, credits=0)

    yield answers, "_charge", charge


@mutant
def a_charge_is_added_at_each_look() -> Patches:
    real = Polling._charged

    def charged(self: Polling, attempt: Any, spent: int) -> None:
        real(self, attempt, spent)
        real(self, attempt, spent)

    yield Polling, "_charged", charged


@mutant
def a_failed_generation_counts_as_charged() -> Patches:
    real = Polling._failed

    async def failed(self: Polling, take: Take, answer: Any) -> None:
        await real(self, take, answer)
        data = {"generation_id": take.generation_id, "credits_charged": 378_000, "credits_more": 378_000}
        self._desk.record(take.take_id, Fact.CHARGED, data)

    yield Polling, "_failed", failed


@mutant
def only_the_last_attempt_is_matched_with_the_ledger() -> Patches:
    yield Polling, "_charged", lambda self, attempt, spent: None


# --- clips


@mutant
def a_download_goes_to_the_final_name() -> Patches:
    def paths_of(self: Fetching, take: Take) -> Any:
        final = self._desk.state.output / "clips" / f"{take.label}.mp4"
        return final, final

    def settle_at(part: Any, final: Any, sha256: str) -> None:
        if not final.exists():
            raise FileNotFoundError

    yield Fetching, "paths_of", paths_of
    yield fetching, "publish", settle_at


@mutant
def the_hash_is_not_checked_before_the_rename() -> Patches:
    yield download, "_has_hash", lambda path, _: path.exists()


@mutant
def the_clip_is_not_flushed() -> Patches:
    real = download.settle

    def settle(part: Any) -> Any:
        with mock.patch.object(os, "fsync"):
            return real(part)

    yield fetching, "settle", settle


@mutant
def the_media_check_is_skipped() -> Patches:
    def settle(part: Any) -> Any:
        probe = download.Probe(5.0, 832, 480, 30.0, 150, has_audio=False, video_codec="h264", audio_codec=None)
        return download.Settled(download.sha256_of(part), part.stat().st_size, probe)

    yield fetching, "settle", settle


@mutant
def the_name_comes_before_the_record() -> Patches:
    real = Fetching._downloaded

    def downloaded(self: Fetching, take: Take, settled: Any, took_s: float) -> Take:
        publish(*self.paths_of(take), settled.sha256)
        return real(self, take, settled, took_s)

    yield Fetching, "_downloaded", downloaded


@mutant
def a_dead_link_is_the_end() -> Patches:
    real = Fetching._not_fetched

    def not_fetched(self: Fetching, take: Take, answer: Any) -> None:
        if isinstance(answer, LinkDead):
            self._desk.hold(take.take_id, "dead")
            held = self._desk.takes[take.take_id]
            self._desk.takes.follow(held, replace(held, needs_user=True))
        else:
            real(self, take, answer)

    yield Fetching, "_not_fetched", not_fetched
    yield Take, "can_be_looked_at", property(lambda _: False)


# --- runs and the user


@mutant
def no_lock() -> Patches:
    yield lock.OutputLock, "acquire", lambda self: setattr(self, "_inode", 0)
    yield lock.OutputLock, "assert_held", lambda _: None


@mutant
def a_drain_cancels_the_posts() -> Patches:
    def drain(self: Runner) -> None:
        self._post_grace_s = 0.0
        self._desk.halt(ExitCode.INTERRUPTED, "stopping now")
        for task in self._posts:
            task.cancel()

    yield Runner, "drain", drain


@mutant
def a_superseded_take_is_left_alone_while_it_runs() -> Patches:
    real = Runner._resume_take

    def resume_take(self: Runner, take: Take, now: float) -> None:
        if not take.superseded:
            real(self, take, now)

    yield Runner, "_resume_take", resume_take


@mutant
def an_edit_buys_unchanged_shots_again() -> Patches:
    real = planning._plan_shot

    def plan_shot(shot: Any, takes: Any) -> Any:
        blurred = [replace(take, recipe_json=f"{take.recipe_json} ") if take.sha256 else take for take in takes]
        return real(shot, blurred)

    yield planning, "_plan_shot", plan_shot


@mutant
def a_first_row_of_a_log_page_is_enough() -> Patches:
    yield requestlog, "LOG_LIMIT", 1
    yield requestlog, "read_log_page", lambda fields: answers.LogPage(tuple(fields["data"]), len(fields["data"]))


# --- secrets


@mutant
def links_in_the_state() -> Patches:
    real = Polling._linked

    def linked(self: Polling, take: Take, answer: Any) -> None:
        if answer.link is not None:
            self._desk.record(take.take_id, Fact.WARNED, {"warning": answer.link.reveal()})
        real(self, take, answer)

    yield Polling, "_linked", linked


@mutant
def the_key_in_the_log() -> Patches:
    yield AimlApi, "_masked", lambda _, answer: answer


# --- lost answers: what they are adopted by, and how long they are looked for


@mutant
def adopt_by_recipe() -> Patches:
    def rows_of(scan: Any, request_id: str) -> Any:
        recipe = request_id.split(":")[2]
        return [row for row in scan.rows if f":{recipe}:" in row.request_id]

    yield proofs, "rows_of", rows_of


@mutant
def resubmit_at_the_first_miss() -> Patches:
    yield proofs, "_absent", lambda *_: proofs.Absent(is_proof=True)


@mutant
def resubmit_whatever_the_policy() -> Patches:
    def absent(self: Any, take: Take, _: Any) -> None:
        self._desk.record(take.take_id, Fact.PRESUMED_ABSENT, {"error": ""})
        self._desk.board.add_planned(take.take_id)

    yield reconciling.Reconciling, "_absent", absent


@mutant
def a_failed_row_is_believed_though_it_was_charged() -> Patches:
    yield proofs, "_failed", lambda *_: proofs.Failed(None, is_proof=True)


@mutant
def another_keys_log_and_charges_of_nobody_do_not_matter() -> Patches:
    real = proofs._absent

    def absent(take: Take, attempt: Any, evidence: Any) -> Any:
        seen = replace(attempt, key_fingerprint=evidence.key_fingerprint)
        return real(take, seen, replace(evidence, charges=()))

    yield proofs, "_absent", absent


@mutant
def what_is_made_late_is_not_named() -> Patches:
    yield discovering.Discovering, "note_late", lambda *_: None


@mutant
def what_is_made_twice_is_not_named() -> Patches:
    yield discovering.Discovering, "note_doubles", lambda *_: None


@mutant
def the_first_post_does_not_go_alone() -> Patches:
    def may_submit(board: Any) -> bool:
        is_free = board.is_submitting and not (board._awaits_answers or board._awaits_search)
        return is_free and bool(board._planned) and board.posts < board.posts_at_once

    yield pacing.Board, "_may_submit", may_submit


@mutant
def a_write_that_failed_goes_unnoticed() -> Patches:
    real = StateFile.record

    def record(state: Any, take_id: int, *entries: Any) -> Take:
        try:
            return real(state, take_id, *entries)
        except LocalFault:
            take = state.take(take_id)
            for each in entries:
                take = advance(take, each)
            return take

    yield StateFile, "record", record


@mutant
def lost_answers_are_never_looked_up() -> Patches:
    async def search(self: Any) -> None:
        self._desk.board.search_ended()
        self._desk.board.allow_submits()

    yield reconciling.Reconciling, "search", search


@mutant
def an_old_state_file_is_believed() -> Patches:
    yield discovering, "unrecorded", lambda *_: []
    yield discovering.Discovering, "note_logged", lambda _: None
