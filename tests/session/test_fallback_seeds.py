"""The seed of a take on its fallback, where its own model takes none: the one that it has with that model alone."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.reporting.states import BEGIN, begin, shot
from tests.runner.shared import HOURS
from tests.runner.test_fallbacks import FIRST, ONE, ONE_TRY, SECOND, models
from tests.session.test_recovery import lose, recovered, world_in
from tests.worlds import World
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.plan import Plan, make_plan
from wanbatch.batch.retakes import Retake, plan_retakes
from wanbatch.batch.shots import Batch, Fallback, Recipe, Version, derived_seed, retake_seed
from wanbatch.sandbox.faults import Rule
from wanbatch.state.file import StateFile
from wanbatch.state.reader import StateReader

pytestmark = pytest.mark.usefixtures("quick_clips")
SEEDLESS = replace(ONE.shots[0], has_seed=False, takes=2)
TWO = replace(ONE, shots=(SEEDLESS,))
ID = SEEDLESS.id


def failing(output: Path, *nth: int) -> World:
    return world_in(output, rules=(Rule("submit", "fail", nth=nth),), rates=ONE_TRY.rates)


def opened(output: Path) -> StateFile:
    with StateReader.open(output) as reader:
        identity = reader.identity()
    return StateFile.create_or_open(output, identity)


def told(world: World) -> list[tuple[int, str, int | None]]:
    return [(take.number, take.recipe.model, take.recipe.body.get("seed")) for take in world.takes()]


def test_two_takes_of_a_model_without_seeds_get_theirs_with_the_fallback(tmp_path: Path) -> None:
    world = failing(tmp_path / "out", 1, 2)
    world.run(TWO)
    alone = replace(SEEDLESS, request=SEEDLESS.fallback.version.request, has_seed=True)  # type: ignore[union-attr]
    assert {take.recipe for take in world.takes()} == set(alone.recipes)
    assert told(world) == [(slot, SECOND, derived_seed(ID, slot)) for slot in (1, 2)]
    world.run(TWO)
    assert models(world) == [FIRST, FIRST, f"{SECOND}!", f"{SECOND}!"]


def test_a_take_whose_neighbour_was_made_keeps_the_seed_of_its_own_slot(tmp_path: Path) -> None:
    world = failing(tmp_path / "out", 2)
    world.run(TWO)
    assert told(world) == [(1, FIRST, None), (2, SECOND, derived_seed(ID, 2))]


def test_a_retake_gets_the_seed_of_a_retake(tmp_path: Path) -> None:
    world = failing(tmp_path / "out", 2)
    one = replace(ONE, shots=(replace(SEEDLESS, takes=1),))
    world.run(one)
    with closing(opened(world.output)) as state:
        state.adopt(plan_retakes(state.shots(), state.takes(), Retake((ID,))), BEGIN)
    world.run(one)
    assert told(world) == [(1, FIRST, None), (2, SECOND, retake_seed(ID, 2))]
    assert models(world) == [f"{FIRST}!", FIRST, f"{SECOND}!"]


def test_the_seed_follows_the_slot_after_an_edit(tmp_path: Path) -> None:
    world = failing(tmp_path / "out", 3)
    world.run(TWO)
    fallback = Fallback(Version({**SEEDLESS.fallback.version.request, "prompt": "another"}))  # type: ignore[union-attr]
    edited = replace(SEEDLESS, takes=1, request={**SEEDLESS.request, "prompt": "another"}, fallback=fallback)
    world.run(replace(TWO, shots=(edited,)))
    assert told(world)[-1] == (3, SECOND, derived_seed(ID, 1))


@pytest.mark.parametrize("lost", [("state.sqlite*",), ("state.sqlite*", "run.log"), ("state.sqlite*", "clips")])
def test_what_a_fallback_made_is_told_again_with_its_seeds(tmp_path: Path, lost: tuple[str, ...]) -> None:
    world = failing(tmp_path / "out", 1, 2)
    world.run(TWO)
    before = {(model, seed) for _, model, seed in told(world)}
    world.elapsed_s += HOURS
    lose(tmp_path / "out", *lost)
    recovered(world, TWO)
    world.elapsed_s += 48 * HOURS
    world.run(TWO)
    assert (models(world), {(model, seed) for _, model, seed in told(world)}) == (
        [FIRST, FIRST, f"{SECOND}!", f"{SECOND}!"],
        before,
    )


def planned_on_fallback(output: Path, seed: int | None, state: State) -> Plan:
    """Plan a folder again whose only take, of a model without seeds, went on with the fallback with this seed."""
    version = Version({"model": SECOND, "prompt": "A dragon lands."})
    one = replace(shot("a", 0), has_seed=False, seed=None, fallback=Fallback(version))
    batch = Batch("b", (one,))
    pen = begin(output, batch)
    pen.lead(1, State.FAILED, error="it broke")
    seeded = {} if seed is None else {"seed": seed}
    pen.tell(1, Fact.MODEL_CHANGED, recipe_json=Recipe.of({**version.request, **seeded}).canonical)
    if state is not State.PLANNED:
        again = {"attempt": 2, "request_id": "wb1:n:r:1.2", "body_sha256": "b", "key_fingerprint": "k"}
        pen.tell(1, Fact.SUBMIT_STARTED, **again, credits_estimated=1)
        pen.tell(1, Fact.ACCEPTED, generation_id="g", credits_held=1)
    if state is State.FAILED:
        pen.tell(1, Fact.GENERATION_FAILED, error="it broke, too")
    plan = make_plan(batch, pen.state.takes(), pen.state.shots(), pen.state.past())
    pen.state.adopt(plan, BEGIN)
    pen.state.close()
    return plan


@pytest.mark.parametrize("seed", [None, derived_seed("a", 1), derived_seed("a", 7)], ids=["none", "own", "another"])
@pytest.mark.parametrize("state", [State.PLANNED, State.QUEUED, State.FAILED])
def test_a_take_on_its_fallback_answers_its_slot_whatever_seed_it_was_sent_with(
    tmp_path: Path, seed: int | None, state: State
) -> None:
    plan = planned_on_fallback(tmp_path, seed, state)  # an earlier version sent none
    assert (plan.changes, len(plan.wanted)) == ((), 1)
