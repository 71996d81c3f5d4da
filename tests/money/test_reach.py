"""How far a run comes under its caps, as the plan and the question before paying say it."""

from __future__ import annotations

import pytest

from wanbatch.batch.models import PriceClass
from wanbatch.batch.plan import Due
from wanbatch.money.prices import UNKNOWN_QUOTE, Quote
from wanbatch.money.reach import CapReach, Caps, Reach, reach_of

SMALL, LARGE, UNPRICED = (PriceClass("m", None, seconds) for seconds in (5, 10, 15))
QUOTES = {SMALL: Quote(10, "list"), LARGE: Quote(30, "list", (40,)), UNPRICED: UNKNOWN_QUOTE}


def due(*classes: tuple[PriceClass, str]) -> list[Due]:
    return [Due(n, f"s{n}", 1, n, scene, price_class) for n, (price_class, scene) in enumerate(classes)]


THREE = due((LARGE, "one"), (SMALL, "one"), (SMALL, "two"))


@pytest.mark.parametrize(
    ("caps", "told"),
    [
        (Caps(), (3, 3, 50, 120)),
        (Caps(100), (3, 3, 50, 100)),
        (Caps(45), (2, 3, 40, 45)),
        (Caps(50, committed=15), (1, 3, 30, 35)),
        (Caps(20), (0, 3, 0, 0)),  # the first does not fit: the run ends there
        (Caps(scenes={"one": 35}), (2, 3, 40, 100)),
        (Caps(scenes={"one": 45}, committed_by_scene={"one": 20}), (1, 3, 10, 20)),
        (Caps(scenes={"one": 99}, committed_by_scene={"one": None}), (1, 3, 10, 20)),
        (Caps(scenes={"other": 1}), (3, 3, 50, 120)),
    ],
)
def test_takes_are_sent_in_order_as_far_as_the_caps_reach(caps: Caps, told: tuple[int, int, int, int]) -> None:
    reach = reach_of(THREE, QUOTES, caps, tries=2)
    assert (reach.takes, reach.of, reach.credits, reach.worst) == told


def test_how_far_a_run_comes_is_not_known_while_a_part_of_what_is_committed_is_not() -> None:
    reach = reach_of(THREE, QUOTES, Caps(50, committed=None), tries=2)
    whole = CapReach("", 50, 0, 3, 50, left=None, waiting=("s0_t1", "s1_t1", "s2_t1"), price=30)
    assert reach == Reach(3, 3, 50, 120, is_known=False, whole=whole)


def test_each_cap_is_told_apart_from_what_the_others_stop() -> None:
    reach = reach_of(THREE, QUOTES, Caps(50, scenes={"one": 35, "two": 5}))
    assert (reach.whole, *reach.scenes) == (
        CapReach("", 50, 3, 3, 50, left=0),
        CapReach("one", 35, 1, 2, 40, left=5, waiting=("s1_t1",), price=10),
        CapReach("two", 5, 0, 1, 10, left=5, waiting=("s2_t1",), price=10),
    )


def test_a_cap_that_only_the_next_take_does_not_fit_says_what_it_has_left() -> None:
    (scene,) = reach_of(THREE, QUOTES, Caps(scenes={"one": 45}, committed_by_scene={"one": 20})).scenes
    assert scene == CapReach("one", 45, 0, 2, 60, left=25, waiting=("s0_t1", "s1_t1"), price=30)
    (unknown,) = reach_of(THREE, QUOTES, Caps(scenes={"one": 99}, committed_by_scene={"one": None})).scenes
    assert (unknown.left, unknown.takes, unknown.is_short) == (None, 0, True)


def test_a_take_without_a_price_goes_as_long_as_there_is_room() -> None:
    takes = due((UNPRICED, ""), (SMALL, ""), (UNPRICED, ""))
    whole = CapReach("", 10, 2, 3, 10, left=0, unpriced=2, waiting=("s2_t1",))
    assert reach_of(takes, QUOTES, Caps(10)) == Reach(2, 3, 10, 10, whole=whole)
