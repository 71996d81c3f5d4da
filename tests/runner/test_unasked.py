"""What the manifest no longer asks for is fetched where it runs already, and never sent once more by a run on its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.worlds import World, batch_of
from wanbatch.batch.shots import Batch
from wanbatch.runner.events import Event
from wanbatch.runner.loop import Runner
from wanbatch.runner.settings import OnUnknown, RunSettings
from wanbatch.sandbox.faults import Rule

pytestmark = pytest.mark.usefixtures("quick_clips")


THREE = batch_of(3)
REMOVED = replace(THREE, shots=(THREE.shots[0], THREE.shots[2]))
OMITTED = replace(THREE, shots=(THREE.shots[0], replace(THREE.shots[1], omit=True), THREE.shots[2]))


def stopped_once_accepted(take: str, world: World) -> None:
    """Stop the first run as soon as the provider has taken this one."""

    def stop(runner: Runner, event: Event) -> None:
        if event.kind == "accepted" and event.take == take:
            runner.drain()
            runner.drain()

    world.observe = stop
    world.run(THREE)
    world.observe = None


@pytest.mark.parametrize(
    ("batch", "submits", "state"),
    [(REMOVED, 3, "failed"), (OMITTED, 3, "failed"), (THREE, 4, "verified")],
    ids=["removed", "omitted", "still there"],
)
def test_a_generation_that_fails_is_made_again_only_if_its_shot_is_asked_for(
    tmp_path: Path, batch: Batch, submits: int, state: str
) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "fail", nth=(2,)),))
    stopped_once_accepted("sh002_t1", world)
    world.run(batch)
    assert (world.submits, world.takes()[1].state.value) == (submits, state)


@pytest.mark.long
@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("batch", "submits", "state", "error"),
    [
        (REMOVED, 2, "held", "the manifest no longer asks for this take"),
        (OMITTED, 2, "held", "the manifest no longer asks for this take"),
        (THREE, 3, "verified", ""),
    ],
    ids=["removed", "omitted", "still there"],
)
def test_a_submit_that_was_lost_is_sent_again_only_if_its_shot_is_asked_for(
    tmp_path: Path, batch: Batch, submits: int, state: str, error: str
) -> None:
    settings = RunSettings(on_unknown=OnUnknown.RESUBMIT)
    world = World(tmp_path / "out", rules=(Rule("submit", "drop_before", nth=(2,)),), settings=settings)
    stopped_once_accepted("sh002_t1", world)
    world.run(batch)
    take = world.takes()[1]
    assert (world.submits, take.state.value, error in take.error) == (submits, state, True)
