"""What comes after a fallback was sent: a first submit that was made all the same, the user's word, other selections."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.runner.shared import HOURS, decide, generation, lying, told
from tests.runner.test_fallbacks import FIRST, ONE, ONE_TRY, PRICE, SECOND, models, with_fallback
from tests.worlds import World, batch_of
from wanbatch.batch.lifecycle import State
from wanbatch.batch.models import class_of
from wanbatch.batch.shots import Batch, Shot, Version
from wanbatch.errors import ExitCode
from wanbatch.money.prices import Quote
from wanbatch.runner.settings import OnUnknown, RunSettings
from wanbatch.sandbox.faults import Rule
from wanbatch.session.decisions import Decision

pytestmark = pytest.mark.usefixtures("quick_clips")
HOLD = RunSettings(on_unknown=OnUnknown.HOLD)
FIRST_PRICE = 378_000


def test_a_refused_first_submit_that_was_made_is_named_double(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=lying(400, nth=1))
    world.run(ONE)
    world.elapsed_s += HOURS
    named = told(world).doubles
    (take,) = world.takes()
    made = generation(world, "1.1")
    assert (named, models(world)) == (("sh000_t1",), [f"{FIRST}!", f"{SECOND}!"])
    assert (take.recipe.model, "DOUBLE" in take.warning, made in take.warning) == (SECOND, True, True)
    assert take.credits_charged == PRICE + FIRST_PRICE


def refused_but_made(tmp_path: Path) -> World:
    """A take whose first submit was refused and made all the same, and whose fallback's answer was lost."""
    rules = (*lying(400, nth=1), Rule("submit", "drop_after", nth=(2,)))
    world = World(tmp_path / "out", rules=rules, settings=HOLD)
    world.run(ONE)
    assert [take.state for take in world.takes()] == [State.HELD]
    world.elapsed_s += HOURS
    return world


@pytest.mark.parametrize(("attempt", "model"), [("1.1", FIRST), ("1.2", SECOND)])
def test_the_user_adopts_what_either_model_made(tmp_path: Path, attempt: str, model: str) -> None:
    world = refused_but_made(tmp_path)
    decide(world, "sh000_t1", Decision.ADOPT, generation(world, attempt))
    ends = [world.run(ONE).exit_code for _ in range(2)]
    (take,) = world.takes()
    assert (take.state, take.recipe.model, take.request_id) == (
        State.VERIFIED,
        model,
        next(row["client_request_id"] for row in world.ledger() if row["client_request_id"].endswith(attempt)),
    )
    assert (ends[0], "DOUBLE" in take.warning) == (ExitCode.DECISION_NEEDED, True)
    assert models(world) == [f"{FIRST}!", f"{SECOND}!"]


def test_what_another_scene_left_to_its_fallback_waits_for_its_own_run(tmp_path: Path) -> None:
    batch = batch_of(2)
    scenes = (replace(each, scene=name) for each, name in zip(batch.shots, ("day", "night"), strict=True))
    batch = replace(batch, shots=tuple(scenes))
    world = World(tmp_path / "out", rules=(Rule("submit", "fail", nth=(1, 2)),), settings=ONE_TRY)
    world.run(batch)
    asked = with_fallback(batch)
    world.settings = replace(ONE_TRY, is_selected=lambda each: each.shot_id == "sh001")
    world.run(asked)
    one_scene = models(world)
    world.settings = ONE_TRY
    world.run(asked)
    assert one_scene == [FIRST, FIRST, f"{SECOND}!"]
    assert models(world) == [FIRST, FIRST, f"{SECOND}!", f"{SECOND}!"]


def test_a_limit_of_submits_holds_for_what_was_left_to_a_fallback(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "fail", nth=(1, 2)),), settings=ONE_TRY)
    world.run(batch_of(2))
    world.settings = replace(ONE_TRY, limit=1)
    world.run(with_fallback(batch_of(3)))
    assert len(models(world)) == 3


@pytest.mark.parametrize(("price", "sent"), [(FIRST_PRICE, [FIRST, f"{SECOND}!"]), (FIRST_PRICE + 1, [FIRST])])
def test_a_fallback_stays_under_the_cap_of_its_scene(tmp_path: Path, price: int, sent: list[str]) -> None:
    batch = Batch("world", tuple(replace(each, scene="day") for each in ONE.shots))
    quotes = {
        class_of({"model": FIRST, "resolution": "480P"}): Quote(FIRST_PRICE, "list"),
        class_of({"model": SECOND, "resolution": "480P"}): Quote(price, "list"),
    }
    settings = replace(ONE_TRY, scene_caps={"day": FIRST_PRICE}, quotes=quotes)
    world = World(tmp_path / "out", rules=(Rule("submit", "fail", nth=(1,)),), settings=settings)
    world.run(batch)
    assert models(world) == sent


def seeded(shot: Shot) -> Shot:
    """The same shot by two models that take no part in its fallback, with one seed for all."""
    other = Version({**shot.request, "model": "alibaba/wan-2-6-t2v", "resolution": "720p", "duration": 5})
    return replace(shot, seed=7, beside=(other,))


@pytest.mark.parametrize(("failed", "sent"), [((1,), 3), ((1, 2), 3)])
def test_two_models_of_a_shot_do_not_buy_the_same_fallback_twice(
    tmp_path: Path, failed: tuple[int, ...], sent: int
) -> None:
    batch = batch_of(1)
    world = World(tmp_path / "out", rules=(Rule("submit", "fail", nth=failed),), settings=ONE_TRY)
    asked = Batch(batch.name, tuple(map(seeded, with_fallback(batch).shots)))
    ends = [world.run(asked).exit_code for _ in range(3)]
    assert (len(models(world)), models(world).count(f"{SECOND}!")) == (sent, 1)
    assert ends[-1] is (ExitCode.OK if len(failed) == 1 else ExitCode.TAKES_FAILED)


def test_a_late_success_of_a_first_submit_is_the_clip_where_the_fallback_failed(tmp_path: Path) -> None:
    rules = (*lying(400, nth=1), Rule("submit", "fail", nth=(2,)))
    settings = replace(ONE_TRY, unknown_grace=timedelta(hours=2))
    world = World(tmp_path / "out", rules=rules, settings=settings)
    world.run(ONE)
    world.elapsed_s += HOURS
    told(world)
    world.run(ONE)
    (take,) = world.takes()
    assert (models(world), take.state, take.recipe.model) == ([f"{FIRST}!", SECOND], State.VERIFIED, FIRST)
