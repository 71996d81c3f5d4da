"""How far a run comes under its caps, as the plan and the question before paying say it."""

from __future__ import annotations

import pytest

from wanbatch.batch.models import PriceClass
from wanbatch.batch.plan import Due
from wanbatch.money.prices import UNKNOWN_QUOTE, Quote
from wanbatch.money.reach import Caps, Reach, SceneReach, reach_of

SMALL, LARGE, UNPRICED = (PriceClass("m", None, seconds) for seconds in (5, 10, 15))
QUOTES = {SMALL: Quote(10, "list"), LARGE: Quote(30, "list", (40,)), UNPRICED: UNKNOWN_QUOTE}


def due(*classes: tuple[PriceClass, str]) -> list[Due]:
    return [Due(n, f"s{n}", 1, n, scene, price_class) for n, (price_class, scene) in enumerate(classes)]


THREE = due((LARGE, "one"), (SMALL, "one"), (SMALL, "two"))


@pytest.mark.parametrize(
    ("caps", "reach"),
    [
        (Caps(), Reach(3, 3, 50, 120)),
        (Caps(100), Reach(3, 3, 50, 100)),
        (Caps(45), Reach(2, 3, 40, 45)),
        (Caps(50, committed=15), Reach(1, 3, 30, 35)),
        (Caps(20), Reach(0, 3, 0, 0)),  # the first does not fit: the run ends there
        (Caps(50, committed=None), Reach(3, 3, 50, 120, is_known=False)),
        (Caps(scenes={"one": 35}), Reach(2, 3, 40, 100, (SceneReach("one", 35, 1, 2, 40),))),
        (Caps(scenes={"one": 45}, committed_by_scene={"one": 20}), Reach(1, 3, 10, 20, (SceneReach("one", 45, 0, 2, 60),))),
        (Caps(scenes={"one": 99}, committed_by_scene={"one": None}), Reach(1, 3, 10, 20, (SceneReach("one", 99, 0, 2, 40),))),
        (Caps(scenes={"other": 1}), Reach(3, 3, 50, 120)),
    ],
)  # fmt: skip
def test_takes_are_sent_in_order_as_far_as_the_caps_reach(caps: Caps, reach: Reach) -> None:
    assert reach_of(THREE, QUOTES, caps, tries=2) == reach


def test_a_take_without_a_price_goes_as_long_as_there_is_room() -> None:
    takes = due((UNPRICED, ""), (SMALL, ""), (UNPRICED, ""))
    assert reach_of(takes, QUOTES, Caps(10)) == Reach(2, 3, 10, 10)
