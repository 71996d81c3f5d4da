"""The cap: what may still be sent under it, before each submit."""

from __future__ import annotations

import pytest

from tests.batch.takes import shot, take_of
from wanbatch.batch.lifecycle import State
from wanbatch.batch.models import PriceClass
from wanbatch.money.budget import Budget, Fit, Surprise
from wanbatch.money.prices import Quote


@pytest.mark.parametrize(
    ("cap", "price", "spent", "fit"),
    [
        (None, None, 0, Fit.YES),
        (10, 5, 5, Fit.YES),
        (10, 5, 6, Fit.NO),
        (10, None, 9, Fit.ALONE),
        (10, None, 10, Fit.NO),
    ],
)
def test_the_cap_decides_before_each_submit(cap: int | None, price: int | None, spent: int, fit: Fit) -> None:
    order_class = take_of(shot()).order.price_class
    budget = Budget(cap, {order_class: Quote(price, "test", is_proven=True)})
    budget.begin([(take_of(shot(), state=State.VERIFIED, credits_charged=spent, is_charge_seen=True), 1)])
    assert budget.fit(take_of(shot("b"))) is fit


def test_under_a_cap_a_take_of_unknown_cost_stops_the_rest() -> None:
    budget = Budget(10**9, {})
    budget.begin([(take_of(shot(), state=State.HELD), 1)])
    assert (budget.fit(take_of(shot("b"))), budget.uncosted) == (Fit.NO, 1)


@pytest.mark.parametrize(("credits_held", "committed"), [(70, 70), (None, 100)], ids=["known", "unknown"])
def test_a_submit_of_no_take_counts_under_the_cap(credits_held: int | None, committed: int) -> None:
    budget = Budget(
        150, {PriceClass("a", "480p", None): Quote(100, "test"), PriceClass("b", "480p", None): Quote(50, "t")}
    )
    budget.add_stray("r", credits_held)
    assert budget.committed == committed


def test_a_submit_that_a_take_has_now_is_counted_for_the_take_alone() -> None:
    budget = Budget(None, {})
    budget.add_stray("a", None)
    budget.add_stray("b", 70)
    budget.keep_strays({"b"})
    assert (budget.uncosted, budget.committed) == (0, 70)
    budget.keep_strays(())
    assert (budget.uncosted, budget.committed) == (0, 0)


def test_a_hold_over_the_quote_is_a_surprise_once() -> None:
    take = take_of(shot())
    budget = Budget(None, {take.order.price_class: Quote(100, "test")})
    assert [budget.learn(take, 110), budget.learn(take, 122), budget.learn(take, 122)] == [None, Surprise.DEARER, None]


def test_a_hold_below_the_quote_lowers_nothing() -> None:
    take = take_of(shot())
    budget = Budget(None, {take.order.price_class: Quote(100, "test")})
    budget.learn(take, 1)
    assert budget.price_of(take) == 100
