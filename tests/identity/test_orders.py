"""Orders of every kind, compared with what is there: a retake, a fallback, a new shot, and what was left to be sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.identity.test_takeover import batch, shot
from wanbatch.batch.lifecycle import State
from wanbatch.batch.orders import Order, OrderKind, orders_left, orders_of
from wanbatch.batch.plan import make_plan
from wanbatch.batch.shots import Batch, Fallback, Recipe, Shot, Version
from wanbatch.batch.take import Take
from wanbatch.batch.takeover import find_twins
from wanbatch.batch.takeover import match_orders as match

OTHER = Fallback(Version({"model": "n", "prompt": "a dragon", "duration": 5}))
SEEDLESS = Fallback(Version({"model": "n", "prompt": "a dragon", "duration": 5}, has_seed=False))
V, P, F = State.VERIFIED, State.PLANNED, State.FAILED


def take(take_id: int, label: str, seed: int | None, state: State = V, **more: Any) -> Take:
    shot_id, _, number = label.rpartition("_t")
    body = {"model": more.pop("model", "m"), "prompt": "a dragon", "duration": 5}
    canonical = Recipe.of(body if seed is None else {**body, "seed": seed}).canonical
    return Take(take_id, shot_id, int(number), canonical, state, attempts=state is not P, **more)


@pytest.mark.parametrize(
    ("shots", "takes", "expected"),
    [
        pytest.param(
            [shot("b"), shot("c", seed=8)],
            [take(1, "b_t1", shot("b").recipes[0].body["seed"]), take(2, "b_t2", 8, is_retake=True)],
            ["c_t1 is b_t2"],
            id="a new shot asks for the seed of a retake",
        ),
        pytest.param([shot("b", seed=8), shot("c", seed=8)], [], ["c_t1 is b_t1"], id="a manifest asks twice for one"),
        pytest.param(
            [shot("b", seed=8), shot("c", seed=8)],
            [take(1, "b_t1", 8), take(2, "c_t1", 8, P)],
            ["c_t1 is b_t1"],
            id="what is left is that of one that was sent",
        ),
        pytest.param(
            [shot("b", seed=1), shot("c", seed=2)],
            [take(1, "b_t1", 1), take(2, "c_t1", 2), take(3, "b_t2", 2, P, is_retake=True)],
            ["b_t2 is c_t1"],
            id="a retake that was planned asks for the seed of another shot",
        ),
        pytest.param(
            [shot("b", seed=5, fallback=OTHER), shot("c", "x", seed=5)],
            [take(1, "c_t1", 5, model="n"), take(2, "c_t2", 6, model="n")],
            [],
            id="a fallback is compared when it is sent",
        ),
        pytest.param(
            [shot("b", seed=5, fallback=OTHER)],
            [take(1, "b_t1", 5), take(2, "c_t1", 5, model="n")],
            [],
            id="a take that is there never does",
        ),
        pytest.param(
            [shot("b", seed=5, fallback=OTHER)],
            [take(1, "c_t1", 5, F, model="n")],
            [],
            id="what failed is not there",
        ),
    ],
)
def test_an_order_of_what_is_there_is_found(shots: Sequence[Shot], takes: Sequence[Take], expected: list[str]) -> None:
    plan = make_plan(batch(*shots), takes)
    matches = find_twins(orders_of(plan), plan.takes, plan.kept, frozenset())
    assert [f"{each.order.label} is {each.label}" for each in matches] == expected
    assert find_twins(orders_of(plan), plan.takes, plan.kept, frozenset(each.settled for each in matches)) == []


def test_a_take_that_failed_gives_its_slot_to_a_clip_of_its_fallback() -> None:
    failed, made = take(1, "b_t1", 5, F), take(2, "b_t2", 5, V, model="n", superseded=True)
    plan = make_plan(Batch("b", (shot("b", seed=5, fallback=OTHER),)), [failed, made])
    assert [each.take.take_id for each in plan.wanted if each.take is not None] == [2]


def test_a_retake_of_a_model_that_takes_no_seed_is_meant_to_be_another_clip() -> None:
    left = list(orders_left([take(1, "b_t1", None, P, is_retake=True)], {}))
    assert left == []


@pytest.mark.parametrize(
    ("seed", "must_have"), [(shot("b", takes=2).recipes[1].body["seed"], None), (5, 5)], ids=["derived", "given"]
)
def test_a_seed_that_the_shot_gives_may_be_another(seed: int, must_have: int | None) -> None:
    (order,) = orders_left([take(1, "b_t1", seed, P)], {})
    assert (order.seed, order.sent_seed, order.kind, order.is_new) == (must_have, seed, OrderKind.SLOT, False)
    alike = [take(2, "c_t1", 77, superseded=True)]
    assert bool(match([order], alike, {}, {}, frozenset())) == (must_have is None)


def test_an_order_left_of_the_request_and_seed_of_an_unasked_take_of_its_own_shot_is_found() -> None:
    (order,) = orders_left([take(1, "b_t2", 5, P)], {})
    there = [take(2, "b_t1", 5, superseded=True)]
    assert [each.label for each in find_twins([order], there, there, frozenset())] == ["b_t1"]


def test_a_fallback_is_named_with_its_model() -> None:
    plan = make_plan(Batch("b", (shot("b", seed=5, fallback=OTHER),)), [])
    assert [order.title for order in orders_of(plan)] == ["b_t1", "b_t1, if it is made by its fallback n,"]
    assert isinstance(orders_of(plan)[0], Order)
