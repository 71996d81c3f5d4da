"""Breaks of a run as a whole, of what the user decides, and of secrets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.simulation.mutants.registry import Patches, mutant
from wanbatch.batch import plan as planning
from wanbatch.batch.lifecycle import Fact
from wanbatch.batch.take import Take
from wanbatch.errors import ExitCode
from wanbatch.provider.aimlapi import AimlApi
from wanbatch.runner.loop import Runner
from wanbatch.runner.polls import Polls
from wanbatch.state import lock

# --- runs and the user


@mutant
def no_lock() -> Patches:
    yield lock.OutputLock, "acquire", lambda self: setattr(self, "_inode", 0)
    yield lock.OutputLock, "assert_held", lambda _: None


@mutant
def a_drain_cancels_the_posts() -> Patches:
    def drain(self: Runner) -> None:
        self._post_grace_s = 0.0
        self._context.halt(ExitCode.INTERRUPTED, "stopping now")
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
    real = planning.plan_shot

    def plan_shot(shot: Any, takes: Any, *more: Any) -> Any:
        blurred = [replace(take, recipe_json=f"{take.recipe_json} ") if take.sha256 else take for take in takes]
        return real(shot, blurred, *more)

    yield planning, "plan_shot", plan_shot


# --- secrets


@mutant
def links_in_the_state() -> Patches:
    real = Polls._linked

    def linked(self: Polls, take: Take, answer: Any) -> None:
        if answer.link is not None:
            self._context.record(take.take_id, Fact.WARNED, {"warning": answer.link.reveal()})
        real(self, take, answer)

    yield Polls, "_linked", linked


@mutant
def the_key_in_the_log() -> Patches:
    yield AimlApi, "_masked", lambda _, answer: answer
