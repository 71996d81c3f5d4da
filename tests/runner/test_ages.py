"""The age of a proof is counted time from its first look on, also where the run that looked first died right after."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.runner.shared import LOST, RESUBMIT, states
from tests.worlds import Killed, World, batch_of
from wanbatch.runner.events import Event
from wanbatch.runner.loop import Runner

pytestmark = pytest.mark.usefixtures("quick_clips")


def test_a_clock_of_ours_that_is_set_after_a_run_died_at_its_first_look_proves_no_failure(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=LOST, settings=RESUBMIT, our_clock_ahead=timedelta(hours=-30))

    def die(_: Runner, event: Event) -> None:
        if event.kind == "answer_lost":
            assert world.account is not None
            world.account._db.execute("UPDATE requests SET failure = 'crashed' WHERE seq = 2")
        if event.kind == "searched" and event.data["is_failed"]:
            raise Killed

    world.observe = die
    with pytest.raises(Killed):
        world.run(batch_of(3))
    world.our_clock_ahead, world.elapsed_s = timedelta(0), world.elapsed_s + 1200
    world.observe = lambda runner, event: runner.drain() if "keeps looking up" in event.text else None
    world.run(batch_of(3))
    assert (world.submits, states(world)[1]) == (3, "unknown")
