"""Breaks of the cap and of the account of charges."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest import mock

from tests.simulation.mutants.registry import Patches, mutant
from wanbatch.batch import take
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.spend import Spend
from wanbatch.batch.take import Take
from wanbatch.money.budget import Budget, Fit
from wanbatch.provider import ledger_page
from wanbatch.runner.charges import ChargeRecorder
from wanbatch.runner.context import RunContext
from wanbatch.runner.polls import Polls

# --- the budget


def _not_counted(*states: State) -> Patches:
    real = Spend.credits_committed.fget  # type: ignore[attr-defined]

    def committed(take: Take) -> int | None:
        return (take.credits_charged or 0) if take.state in states else real(take)

    yield Spend, "credits_committed", property(committed)


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
    yield Budget, "fit", lambda *_: Fit.YES


@mutant
def an_unknown_price_is_free() -> Patches:
    def fit(budget: Budget, take: Take) -> Fit:
        is_within = budget.cap_credits is None or budget.committed + (budget.price_of(take) or 0) <= budget.cap_credits
        return Fit.YES if is_within else Fit.NO

    yield Budget, "fit", fit


# --- the account of charges


@mutant
def a_charge_is_recorded_as_nothing() -> Patches:
    real = ledger_page._charge

    def charge(row: object, kind: Any) -> Any:
        made = real(row, kind)
        return None if made is None else replace(made, credits=0)

    yield ledger_page, "_charge", charge


@mutant
def a_charge_is_added_at_each_look() -> Patches:
    real = ChargeRecorder._charged

    def charged(self: ChargeRecorder, found: Any) -> None:
        real(self, found)
        real(self, found)

    yield ChargeRecorder, "_charged", charged


@mutant
def a_failed_generation_counts_as_charged() -> Patches:
    real = Polls._failed

    async def failed(self: Polls, take: Take, answer: Any) -> None:
        await real(self, take, answer)
        data = {"generation_id": take.generation_id, "credits_charged": 378_000, "credits_more": 378_000}
        self._context.record(take.take_id, Fact.CHARGED, data)

    yield Polls, "_failed", failed


@mutant
def only_the_last_attempt_is_matched_with_the_ledger() -> Patches:
    real = ChargeRecorder._charged

    def charged(self: ChargeRecorder, found: Any) -> None:
        if found.attempt.number == self._context.takes[found.attempt.take_id].attempt:
            real(self, found)

    yield ChargeRecorder, "_charged", charged


# --- what a run takes over from those before


@mutant
def strays_do_not_count_under_the_cap_after_a_restart() -> Patches:
    real = RunContext.load

    def load(context: RunContext) -> Any:
        with mock.patch.object(Budget, "add_stray"):
            return real(context)

    yield RunContext, "load", load


@mutant
def earlier_risk_is_forgotten_at_adoption() -> Patches:
    real = take._FOLD[Fact.ADOPTED]
    yield take._FOLD, Fact.ADOPTED, lambda take, made: replace(real(take, made), credits_at_risk=0)
