"""A retake or a retry that was not sent can be withdrawn; what the manifest asks for is changed there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.runner.shared import beside_runs, decide
from tests.worlds import World, batch_of
from wanbatch.batch.changes import Create
from wanbatch.batch.lifecycle import Fact
from wanbatch.batch.retakes import Retake, plan_retakes
from wanbatch.batch.take import Take
from wanbatch.errors import ExitCode, UsageInvalid
from wanbatch.pace.schedule import Rates
from wanbatch.runner.context import RunContext
from wanbatch.runner.settings import RunSettings
from wanbatch.sandbox.faults import Rule
from wanbatch.session.decisions import Decision
from wanbatch.state.reader import StateReader

pytestmark = pytest.mark.usefixtures("quick_clips")
ONCE = RunSettings(rates=Rates(max_attempts=1))
FAILS = (Rule("submit", "fail", nth=(1,)),)
SEEDED = replace(batch_of(1), shots=(replace(batch_of(1).shots[0], seed=5),))
SEEDLESS = replace(batch_of(1), shots=(replace(batch_of(1).shots[0], has_seed=False),))


def retake(world: World) -> None:
    """Plan a retake, as `retake --later` does."""

    async def work(context: RunContext) -> None:
        state = context.state
        plan = plan_retakes(state.shots(), state.takes(), Retake(("sh000",)), state.past())
        state.adopt(plan, context.clock.now())

    beside_runs(world, work)


def retry(world: World) -> None:
    async def work(context: RunContext) -> None:
        context.load()
        context.record(1, Fact.RETRY_PLANNED, {"by": "user"})

    beside_runs(world, work)


def states(world: World) -> list[tuple[str, str]]:
    return [(take.label, take.shown_state) for take in world.takes()]


def withdrawn(world: World, label: str) -> Take:
    return decide(world, label, Decision.WITHDRAW)


@pytest.mark.parametrize("batch", [SEEDED, SEEDLESS, batch_of(1)], ids=["seed", "no seed", "derived seed"])
def test_a_withdrawn_retake_is_never_sent_and_troubles_no_run(batch: Any, tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.run(batch)
    retake(world)
    take = withdrawn(world, "sh000_t2")
    assert (take.shown_state, take.credits_committed, take.error) == (
        "superseded", 0, "you withdrew it before it was sent",
    )  # fmt: skip
    for _ in range(2):
        assert (world.run(batch).exit_code, world.submits) == (ExitCode.OK, 1)
    assert states(world) == [("sh000_t1", "verified"), ("sh000_t2", "superseded")]


def test_the_failed_take_that_a_withdrawn_retake_was_to_replace_is_asked_for_again(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=FAILS, settings=ONCE)
    world.run(SEEDED)
    retake(world)
    withdrawn(world, "sh000_t2")
    end = world.run(SEEDED)
    assert (end.exit_code, states(world)) == (
        ExitCode.TAKES_FAILED, [("sh000_t1", "failed"), ("sh000_t2", "superseded")],
    )  # fmt: skip


def test_a_new_retake_after_a_withdrawn_one_has_a_number_and_a_seed_of_its_own(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.run(SEEDED)
    retake(world)
    withdrawn(world, "sh000_t2")
    retake(world)
    assert world.run(SEEDED).exit_code is ExitCode.OK
    assert states(world)[-1] == ("sh000_t3", "verified")
    assert len({take.recipe_json for take in world.takes()}) == 3


def test_a_withdrawn_retry_leaves_the_take_failed_as_it_was(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=FAILS, settings=ONCE)
    world.run(SEEDED)
    retry(world)
    assert states(world) == [("sh000_t1", "planned")]
    take = withdrawn(world, "sh000_t1")
    assert (take.shown_state, take.error) == ("failed", "you withdrew it before it was sent again")
    assert (world.run(SEEDED).exit_code, world.submits) == (ExitCode.TAKES_FAILED, 1)
    retry(world)
    assert (world.run(SEEDED).exit_code, world.submits) == (ExitCode.OK, 2)


@pytest.mark.parametrize(
    ("label", "problem"),
    [
        ("sh000_t1", "sh000_t1 is verified: only a planned retake or retry can be withdrawn"),
        ("sh001_t1", "the manifest asks for sh001_t1: leave its shot out with `omit: true`, or ask for fewer `takes`"),
    ],
)
def test_what_is_no_planned_retake_or_retry_cannot_be_withdrawn(label: str, problem: str, tmp_path: Path) -> None:
    world = World(tmp_path / "out", settings=RunSettings(limit=1))
    world.run(batch_of(2))
    with pytest.raises(UsageInvalid, match=problem):
        withdrawn(world, label)


def test_a_withdrawn_retake_gives_its_failed_take_back_at_once_and_its_seed_free(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=FAILS, settings=ONCE)
    world.run(SEEDED)
    retake(world)
    (first, second) = world.takes()
    assert (first.superseded, second.shown_state) == (True, "planned")
    withdrawn(world, "sh000_t2")
    (first, second) = world.takes()
    assert (first.superseded, first.shown_state, second.superseded) == (False, "failed", True)
    with StateReader.open(world.output) as reader:
        shots, seed = reader.shots(), second.recipe.body["seed"]
    plan = plan_retakes(shots, world.takes(), Retake(("sh000",), seed=seed))
    (again,) = (each for each in plan.changes if isinstance(each, Create))
    assert (again.number, again.recipe.body["seed"]) == (3, seed)
