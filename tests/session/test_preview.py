"""The preview: what a run will send, and at which prices."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.batch.takes import shot, take_of
from wanbatch.batch.inventory import Inventory
from wanbatch.batch.lifecycle import State
from wanbatch.batch.plan import Plan, make_plan
from wanbatch.batch.shots import DEFAULT_MODEL, Batch, Shot
from wanbatch.batch.take import Take
from wanbatch.runner.settings import RunSettings
from wanbatch.session.preview import Basis


def basis(plan: Plan | None, takes: tuple[Take, ...] = (), limit: int | None = None) -> Basis:
    rows = make_plan(Batch("b", tuple(replace(shot(name), ordinal=n) for n, name in enumerate("abc"))), ()).shots
    settings = RunSettings(is_selected=lambda take: take.shot_id != "x", limit=limit)
    return Basis("b", Path("o"), Inventory.of(takes, rows), plan, settings)


def test_a_limited_preview_prices_the_takes_that_the_run_will_send() -> None:
    shots = tuple(
        Shot(name, number, {"model": DEFAULT_MODEL, "prompt": name, "duration": duration, "resolution": "1080p"})
        for number, (name, duration) in enumerate([("a", 5), ("b", 15), ("c", 10)])
    )
    plan = make_plan(Batch("b", shots), ())
    planned = tuple(Take(number, each.id, 1, each.recipes[0].canonical) for number, each in enumerate(shots, 1))
    expected = [planned[n].order.price_class for n in (1, 2)]
    assert [each.duration_s for each in expected] == [15, 10]
    assert basis(plan, limit=2).classes_to_submit == expected
    assert basis(None, planned, limit=2).classes_to_submit == expected


def test_takes_under_way_are_priced_too_since_they_may_go_again() -> None:
    running = take_of(shot("a", duration=15), state=State.GENERATING)
    done = take_of(shot("b", duration=5), state=State.VERIFIED)
    assert basis(None, (running, done)).classes_to_quote == [running.order.price_class]


@pytest.mark.parametrize(
    ("fields", "price"),
    [
        ({"credits_held": 5, "credits_estimated": 7}, 7),
        ({"credits_held": 9, "credits_estimated": 7}, 9),
        ({"credits_held": 9, "credits_charged": 8, "is_charge_seen": True, "attempts": 1}, 8),
        ({"credits_held": 9, "credits_charged": 17, "is_charge_seen": True, "attempts": 2}, 9),
        ({"credits_estimated": 7}, None),
    ],
)
def test_a_price_is_learnt_from_the_ledger_or_from_a_hold(fields: dict[str, object], price: int | None) -> None:
    take = take_of(shot(), **fields)
    assert basis(None, (take,)).seen_prices.get(take.order.price_class) == price
