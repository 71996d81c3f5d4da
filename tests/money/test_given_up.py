"""Attempts that takes went on without, under a cap: what they may cost rises with the price."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.runner.shared import beside_runs
from tests.worlds import EPOCH, World, batch_of
from wanbatch.batch.attempts import Attempt, Outcome
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.take import Take
from wanbatch.money.budget import Budget, Fit
from wanbatch.money.prices import Quote
from wanbatch.money.seen_prices import seen_prices
from wanbatch.runner.context import RunContext
from wanbatch.runner.settings import OnUnknown, RunSettings
from wanbatch.sandbox.faults import Rule

RECIPE = '{"model":"alibaba/wan2.1-t2v-turbo","prompt":"x","resolution":"480P"}'
PRICE = 100


def take(number: int, state: State = State.PLANNED, risk: int = 0) -> Take:
    return replace(Take(number, f"sh{number}", 1, RECIPE), state=state, credits_at_risk=risk)


def attempt(number: int, outcome: Outcome = Outcome.LOST, held: int | None = None) -> Attempt:
    return Attempt(1, number, f"r{number}", "b", "k", EPOCH, outcome, credits_estimated=PRICE, credits_held=held)


def purse_at(cap: int, price_seen: int) -> Budget:
    budget = Budget(
        cap, {take(1).order.price_class: Quote(PRICE, "list", is_proven=True)}, {"one": cap}, {"sh1": "one"}
    )
    planned = take(1)
    budget.follow(planned, take(1, risk=PRICE))
    budget.learn(take(2), price_seen)
    return budget


@pytest.mark.parametrize(
    ("attempts", "reserve"),
    [
        ([attempt(1)], PRICE),
        ([attempt(1), attempt(2, Outcome.ABANDONED)], 2 * PRICE),
        ([attempt(1, held=PRICE)], 0),  # an answer told it
        ([attempt(1, Outcome.FAILED)], 0),
        ([replace(attempt(1), credits_charged=PRICE)], 0),
    ],
)
def test_what_a_given_up_attempt_may_cost_more_is_kept_back(attempts: list[Attempt], reserve: int) -> None:
    budget = purse_at(1000, 2 * PRICE)
    budget.give_up(take(1, risk=PRICE), attempts)
    assert budget.reserve == reserve
    budget.give_up(take(1), [])
    assert budget.reserve == 0


def test_the_attempt_that_a_take_follows_is_not_given_up() -> None:
    budget = purse_at(1000, 2 * PRICE)
    budget.give_up(replace(take(1, State.UNKNOWN), attempt=2), [attempt(1), attempt(2)])
    assert budget.reserve == PRICE


@pytest.mark.parametrize(("cap", "fit"), [(4 * PRICE, Fit.YES), (4 * PRICE - 1, Fit.NO)])
def test_a_cap_holds_though_the_price_of_a_given_up_attempt_rose(cap: int, fit: Fit) -> None:
    budget = purse_at(cap, 2 * PRICE)
    budget.give_up(take(1, risk=PRICE), [attempt(1)])
    assert budget.fit(take(3)) is fit


def test_a_scene_keeps_back_what_its_own_attempts_may_cost() -> None:
    budget = purse_at(4 * PRICE - 1, 2 * PRICE)
    budget.give_up(take(1, risk=PRICE), [attempt(1)])
    allowance = budget.scene_allowance(take(1))
    assert allowance is not None
    assert allowance.reserve(budget._worst) == PRICE


def test_what_the_log_says_that_a_submit_holds_is_a_price() -> None:
    budget = Budget(1000, {})
    budget.see_price(take(1), 300)
    budget.see_price(take(1), 200)
    budget.see_price(take(1), None)
    assert budget.price_of(take(2)) == 300


def test_a_price_that_only_a_given_up_submit_told_is_known_in_the_next_run(tmp_path: Path) -> None:
    settings = RunSettings(on_unknown=OnUnknown.HOLD)
    world = World(tmp_path / "out", rules=(Rule("submit", "drop_after", nth=(1,)),), settings=settings)
    world.run(batch_of(1))
    told: list[int | None] = []
    found = {"attempt": 1, "generation_id": "made", "credits_held": 300, "credits_at_risk": 300}

    async def work(context: RunContext) -> None:
        context.record(1, Fact.RESUBMIT_ALLOWED, {"error": ""})
        context.record(1, Fact.FOUND_LATE, found)
        context.load()
        told.append(context.budget.price_of(context.takes[1]))

    beside_runs(world, work)
    assert told == [300]


def test_one_charge_of_a_take_that_was_given_up_is_a_price() -> None:
    failed = replace(take(1, State.FAILED), attempts=1, credits_charged=300)
    assert list(seen_prices([failed]).values()) == [300]
