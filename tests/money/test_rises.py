"""A price that rises in the midst of a batch: what the cap promises then, for any prices and any order of answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worlds import World, batch_of
from wanbatch.batch.lifecycle import State
from wanbatch.batch.models import PriceClass
from wanbatch.batch.take import Take
from wanbatch.money.budget import RISE_BORNE, Budget, Fit
from wanbatch.money.prices import Quote
from wanbatch.provider.aimlapi import AimlApi
from wanbatch.provider.protocol import Accepted, SubmitAnswer
from wanbatch.runner.settings import RunSettings
from wanbatch.sandbox.faults import Rule

pytestmark = pytest.mark.usefixtures("quick_clips")
PRICE = 378_000
RECIPES = tuple(
    f'{{"model":"alibaba/wan2.1-t2v-turbo","prompt":"x","resolution":"{each}"}}' for each in ("480P", "720P")
)


def planned(kind: int) -> Take:
    return Take(1, "a", 1, RECIPES[kind])


CLASSES: tuple[PriceClass, ...] = tuple(planned(kind).order.price_class for kind in (0, 1))
Share = st.floats(0.01, 1)
Told = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3), st.floats(0.01, 1)), max_size=60)


class Till:
    """Sends while the budget lets it, and answers the oldest take that is out with a price of the provider's choice."""

    def __init__(self, cap: int, quotes: tuple[int, int], *, is_proven: bool) -> None:
        told = [Quote(price, "test", is_proven=is_proven) for price in quotes]
        self.budget = Budget(cap, dict(zip(CLASSES, told, strict=True)))
        self.out: list[tuple[Take, int]] = []
        self.spent = 0
        self.largest_rise = 0

    def send(self, kind: int) -> None:
        take, price = planned(kind), self.budget.price_of(planned(kind))
        assert price is not None
        fit = self.budget.fit(take)
        if fit in (Fit.NO, Fit.UNTOLD) or (fit is Fit.ALONE and self.out):
            return
        sent = replace(take, state=State.SUBMITTING, credits_estimated=price, attempts=1)
        self.budget.follow(take, sent)
        self.out.append((sent, price))

    def lose(self, price: int) -> None:
        sent, known = self.out.pop(0)
        self.budget.follow(sent, replace(sent, state=State.UNKNOWN))
        self.spent += price
        self.largest_rise = max(self.largest_rise, price - known)

    def answer(self, price: int) -> None:
        sent, known = self.out.pop(0)
        self.budget.follow(sent, replace(sent, state=State.QUEUED, credits_held=price))
        self.budget.learn(sent, price)
        self.spent += price
        self.largest_rise = max(self.largest_rise, price - known)


@given(Told, st.integers(1, 5000), st.tuples(st.integers(1, 100), st.integers(1, 100)), st.booleans())
def test_prices_that_rise_no_further_than_seen_never_pass_the_cap(
    told: list[tuple[int, int, float]], cap: int, quotes: tuple[int, int], is_proven: bool
) -> None:
    till = Till(cap, quotes, is_proven=is_proven)
    for kind, sends, share in told:
        for _ in range(sends):
            till.send(kind)
        if till.out:
            worst = till.budget._worst(till.out[0][0].order.price_class)
            assert worst is not None
            till.answer(max(1, int(worst * share)))
        assert till.spent <= cap


@given(Told, st.integers(1, 5000), st.tuples(st.integers(1, 100), st.integers(1, 100)), st.booleans())
def test_a_new_rise_passes_the_cap_by_one_take_at_most(
    told: list[tuple[int, int, float]], cap: int, quotes: tuple[int, int], is_proven: bool
) -> None:
    till = Till(cap, quotes, is_proven=is_proven)
    for kind, sends, share in told:
        for _ in range(sends):
            till.send(kind)
        if till.out:
            till.answer(max(1, int(till.out[0][1] * RISE_BORNE * share)))
        assert till.spent <= cap + till.largest_rise


@given(Told, st.integers(1, 5000), st.tuples(st.integers(1, 100), st.integers(1, 100)), st.tuples(Share, Share))
def test_answers_that_are_lost_before_any_told_the_price_pass_the_cap_by_two_takes_at_most(
    told: list[tuple[int, int, float]], cap: int, quotes: tuple[int, int], shares: tuple[float, float]
) -> None:
    prices = [max(1, int(quote * RISE_BORNE * share)) for quote, share in zip(quotes, shares, strict=True)]
    till = Till(cap, quotes, is_proven=False)
    for kind, sends, share in told:
        for _ in range(sends):
            till.send(kind)
        if till.out:
            price = prices[CLASSES.index(till.out[0][0].order.price_class)]
            (till.lose if share < 0.5 else till.answer)(price)
        assert till.spent <= cap + 2 * till.largest_rise


def after_lost(cap: int, prices: tuple[int, ...]) -> Till:
    till = Till(cap, (10, 10), is_proven=False)
    for price in prices:
        till.send(0)
        till.lose(price)
    return till


def test_beside_one_lost_answer_the_next_take_goes_alone_to_learn_the_price() -> None:
    till = after_lost(30, (10,))
    assert [till.budget.fit(planned(kind)) for kind in (0, 1)] == [Fit.ALONE] * 2


def test_two_lost_answers_keep_the_next_take_back_until_something_tells_the_price() -> None:
    till = after_lost(209, (10, 10))
    before = [till.budget.fit(planned(kind)) for kind in (0, 1)]
    till.budget.see_price(planned(0), 10)  # the log told it
    assert (before, till.budget.lost, till.budget.fit(planned(0))) == ([Fit.UNTOLD] * 2, 0, Fit.ALONE)


def test_lost_answers_keep_nothing_back_where_the_cap_bears_ten_times_their_price() -> None:
    till = after_lost(210, (100, 100))
    assert till.budget.fit(planned(0)) is Fit.ALONE


def test_a_rise_of_one_class_is_reserved_for_the_others() -> None:
    till = Till(1_000, (10, 20), is_proven=True)
    till.send(0)
    till.answer(30)
    assert [till.budget._worst(each) for each in CLASSES] == [30, 60]


def test_what_a_list_says_is_no_rise_of_what_an_answer_says() -> None:
    till = Till(1_000, (10, 20), is_proven=False)
    till.send(0)
    till.answer(30)
    assert [till.budget._worst(each) for each in CLASSES] == [30, 20]


@pytest.mark.parametrize("takes", [12, 30, 45])
def test_ten_times_the_price_from_the_second_submit_on_stays_within_the_cap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, takes: int
) -> None:
    real, count = AimlApi._submit, [0]
    told: list[int] = []

    async def submit(self: AimlApi, *arguments: Any) -> SubmitAnswer:
        answer = await real(self, *arguments)
        count[0] += 1
        if isinstance(answer, Accepted) and answer.credits_held is not None:
            answer = replace(answer, credits_held=answer.credits_held * (1 if count[0] == 1 else 10))
            told.append(answer.credits_held or 0)
        return answer

    monkeypatch.setattr(AimlApi, "_submit", submit)
    world = World(
        tmp_path / "out",
        rules=(Rule("submit", "delay", delay_s=30),),
        settings=RunSettings(cap_credits=takes * PRICE, is_agreed=True),
    )
    world.run(batch_of(takes))
    assert (len(told) > 1, sum(told) <= takes * PRICE) == (True, True)
