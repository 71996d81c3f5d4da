"""Late generations: which generation that was found late is its take's clip, a row for each condition."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.runner.shared import beside_runs
from tests.worlds import EPOCH, World, batch_of
from wanbatch.batch.attempts import Attempt, Outcome
from wanbatch.batch.lifecycle import State
from wanbatch.batch.shots import Recipe
from wanbatch.batch.take import Take
from wanbatch.runner.context import RunContext
from wanbatch.runner.late_generations import LateGenerations, may_adopt, replacement_in
from wanbatch.runner.settings import RunSettings
from wanbatch.session.decisions import take_up

RECIPE = Recipe('{"model":"m","prompt":"x"}')
OTHER = Recipe('{"model":"m","prompt":"y"}')


def take(state: State = State.PLANNED, **facts: Any) -> Take:
    return Take(1, "a", 1, RECIPE.canonical, state=state, **facts)


def attempt(number: int = 1, generation_id: str | None = "G1", **facts: Any) -> Attempt:
    recipe = facts.pop("recipe", RECIPE)
    told = {"outcome": Outcome.LOST, "body_sha256": "b", **facts}
    return Attempt(
        1, number, f"wb1:n:{recipe.short_hash}:1.{number}", key_fingerprint="k", started_at=EPOCH,
        generation_id=generation_id, **told,
    )  # fmt: skip


ONE = attempt()


@pytest.mark.parametrize(
    ("of", "late", "others", "may"),
    [
        pytest.param(take(), ONE, [], True, id="planned"),
        pytest.param(take(State.FAILED), ONE, [], True, id="failed"),
        pytest.param(take(), attempt(outcome=Outcome.ABANDONED), [], True, id="planned, given up to send it again"),
        pytest.param(take(State.FAILED), attempt(outcome=Outcome.ABANDONED), [], False, id="given up by the user"),
        *(
            pytest.param(take(state), ONE, [], False, id=state.value)
            for state in State
            if state not in (State.PLANNED, State.FAILED)
        ),
        pytest.param(take(superseded=True), ONE, [], False, id="no longer asked for"),
        pytest.param(take(), attempt(body_sha256=""), [], False, id="not recorded here when it was sent"),
        pytest.param(take(), attempt(recipe=OTHER), [], False, id="of another recipe"),
        pytest.param(take(), ONE, [attempt(2, None)], True, id="another without a generation"),
        pytest.param(take(), ONE, [attempt(2, "G2")], False, id="another generation is there"),
        pytest.param(take(), ONE, [attempt(2, "G2", outcome=Outcome.OPEN)], False, id="another one is under way"),
        pytest.param(take(), ONE, [attempt(2, "G2", outcome=Outcome.FAILED, error="no")], True, id="the other failed"),
        pytest.param(take(), ONE, [attempt(2, "G2", outcome=Outcome.FAILED)], False, id="nobody said that it failed"),
        pytest.param(take(), ONE, [attempt(-1, "G2", outcome=Outcome.DOUBLE)], False, id="a double"),
    ],
)
def test_a_take_is_given_what_it_still_waits_for(of: Take, late: Attempt, others: list[Attempt], may: bool) -> None:
    assert may_adopt(of, late, [late, *others]) is may


UNKNOWN = attempt(2, None, outcome=Outcome.LOST)


@pytest.mark.parametrize(
    ("attempts", "number"),
    [
        pytest.param([ONE, UNKNOWN], 1, id="found"),
        pytest.param([UNKNOWN], None, id="nothing found"),
        pytest.param([], None, id="no attempt"),
        pytest.param([attempt(outcome=Outcome.ABANDONED), UNKNOWN], None, id="given up by the user"),
        pytest.param([attempt(outcome=Outcome.FAILED, error="no"), UNKNOWN], None, id="failed"),
        pytest.param([attempt(recipe=OTHER), UNKNOWN], None, id="of another recipe"),
        pytest.param([attempt(body_sha256=""), UNKNOWN], None, id="not recorded here when it was sent"),
        pytest.param([ONE, attempt(2, "G2"), attempt(3, None)], None, id="two of them"),
        pytest.param([ONE, attempt(-1, "G2", outcome=Outcome.DOUBLE), UNKNOWN], None, id="beside a double"),
        pytest.param([ONE, attempt(2, "G2", outcome=Outcome.FAILED, error="no"), attempt(3, None)], 1, id="one failed"),
        pytest.param([attempt(1, "G1"), attempt(2, "G1"), attempt(3, None)], 2, id="the last of the same generation"),
    ],
)
def test_a_late_generation_stands_in_for_a_submit_that_is_unknown(attempts: list[Attempt], number: int | None) -> None:
    found = replacement_in(take(State.UNKNOWN), attempts)
    assert (None if found is None else found.number) == number


@pytest.mark.parametrize(
    ("outcome", "generation_id", "body", "adopted"),
    [
        (Outcome.LOST, "G1", "b", "G1"),
        (Outcome.DOUBLE, "G1", "#", "G1"),  # made beside a failed one, for one submit
        (Outcome.LOST, None, "b", None),
        (Outcome.LOST, "G1", "", None),
        (Outcome.ABANDONED, "G1", "b", None),
        (Outcome.FAILED, "G1", "b", None),
        (Outcome.DOUBLE, "G1", "b", None),
    ],
)
def test_only_a_lost_generation_is_adopted(
    tmp_path: Path, outcome: Outcome, generation_id: str | None, body: str, adopted: str | None
) -> None:
    world = World(tmp_path / "out", settings=RunSettings(limit=0))
    world.run(batch_of(1))
    recipe = world.takes()[0].recipe

    async def work(context: RunContext) -> tuple[State, str | None, int]:
        take_up(context)
        late = replace(attempt(1, generation_id, recipe=recipe), outcome=outcome, body_sha256=body, error="no")
        if body == "#":
            late = replace(late, number=-1, request_id=f"{late.request_id}#1", body_sha256="")
        with context.state._transaction():
            context.state._store("attempts", late)
        LateGenerations(context).adopt_awaited()
        await asyncio.sleep(0)
        return context.takes[1].state, context.takes[1].generation_id, context.schedule.running

    told = beside_runs(world, work)
    assert told == ((State.QUEUED, adopted, 1) if adopted else (State.PLANNED, None, 0))
