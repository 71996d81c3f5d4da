"""A state file that is lost after a fallback was sent is told again with both models, and nothing is bought again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runner.shared import HOURS, lying
from tests.runner.test_fallbacks import FIRST, ONE, ONE_TRY, SECOND, models
from tests.session.test_recovery import lose, recovered, world_in
from tests.worlds import World
from wanbatch.batch.fallbacks import recipes_of
from wanbatch.batch.lifecycle import State
from wanbatch.batch.shots import Recipe
from wanbatch.sandbox.faults import Rule
from wanbatch.state.reader import StateReader

pytestmark = pytest.mark.usefixtures("quick_clips")
FILE, LOG, NOTES = "state.sqlite*", "run.log", "clips/*.json"


def known_models(output: Path) -> list[str]:
    """The models that the only take is known to have been sent to."""
    with StateReader.open(output) as reader:
        return sorted(Recipe(each).model for each in recipes_of(reader.facts_of(1)).values())


def cut_log(output: Path, before: str) -> None:
    """Keep of run.log what stands before the first line of a kind."""
    path = output / LOG
    path.write_text(path.read_text(encoding="utf-8").partition(f'"{before}"')[0].rpartition("\n")[0] + "\n")


def fallback_sent(output: Path) -> World:
    """A world whose only take failed and was made by its fallback, an hour ago."""
    world = world_in(output, rules=(Rule("submit", "fail", nth=(1,)),), rates=ONE_TRY.rates)
    world.run(ONE)
    world.elapsed_s += HOURS
    return world


def recovered_and_run(world: World) -> list[str]:
    """Recover the state file and run again, which buys nothing; return the models that the recovery knew of."""
    recovered(world, ONE)
    found = known_models(world.output)
    world.elapsed_s += 48 * HOURS
    world.run(ONE)
    (take,) = world.takes()
    assert (models(world), take.state, take.recipe.model) == ([FIRST, f"{SECOND}!"], State.VERIFIED, SECOND)
    return found


@pytest.mark.parametrize(
    ("lost", "known"),
    [
        ((FILE,), [FIRST, SECOND]),
        ((FILE, LOG), [SECOND]),  # the sidecar tells the recipe of the clip alone
        ((FILE, NOTES), [FIRST, SECOND]),
        ((FILE, "clips"), [FIRST, SECOND]),
    ],
)
def test_a_take_on_its_fallback_is_told_again(tmp_path: Path, lost: tuple[str, ...], known: list[str]) -> None:
    world = fallback_sent(tmp_path / "out")
    lose(tmp_path / "out", *lost)
    assert recovered_and_run(world) == known


@pytest.mark.parametrize("before", ["model_changed", "generation_failed"])
def test_a_fallback_that_only_the_log_of_the_provider_tells_is_fetched(tmp_path: Path, before: str) -> None:
    world = fallback_sent(tmp_path / "out")
    lose(tmp_path / "out", FILE, "clips")
    cut_log(tmp_path / "out", before)
    assert recovered_and_run(world) == [FIRST, SECOND]


def test_a_first_submit_that_was_made_is_named_also_after_a_recovery(tmp_path: Path) -> None:
    world = world_in(tmp_path / "out", rules=lying(400, nth=1))
    world.run(ONE)
    world.elapsed_s += HOURS
    lose(tmp_path / "out", FILE, LOG)
    recovery = recovered(world, ONE)
    assert recovery is not None
    world.elapsed_s += 48 * HOURS
    end = world.run(ONE)
    (take,) = world.takes()
    told = " ".join([take.warning, take.error, *end.messages, *map(str, (*recovery.strays, *recovery.doubles))])
    made = next(str(row["inference_id"]) for row in world.ledger() if row["model"] == FIRST)
    assert (models(world), made in told) == ([f"{FIRST}!", f"{SECOND}!"], True)
