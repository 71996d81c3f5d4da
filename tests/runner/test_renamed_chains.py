"""Shots that continue from a shot that was given another id: a take that was sent before keeps the earlier id."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.runner.test_chains import film, frames_of, world_of
from tests.worlds import admitted
from wanbatch.batch.lifecycle import State
from wanbatch.batch.shots import Batch
from wanbatch.errors import ExitCode
from wanbatch.sandbox.faults import Rule
from wanbatch.session.options import RunOptions

pytestmark = pytest.mark.usefixtures("quick_clips")
REFUSED = Rule("submit", "status", nth=(2,), code=403, message="You have run out of credits")
TAKE_OVER = admitted(RunOptions(same_batch=True, take_over=True))


def with_first_id(batch: Batch, new: str) -> Batch:
    """Return a film whose first shot has another id, as have the frames of it."""
    first, second = batch.shots
    request = {**second.request, "image_url": f"frame:{new}:last"}
    return replace(batch, shots=(replace(first, id=new), replace(second, request=request)))


def test_a_take_that_was_turned_away_is_sent_once_its_predecessor_has_another_id(tmp_path: Path) -> None:
    batch = film(tmp_path, {"sh001": "sh000"})
    world = world_of(tmp_path, rules=(REFUSED,))
    assert world.run(batch).exit_code is ExitCode.ACCOUNT_STOPPED
    world.plan = TAKE_OVER
    assert world.run(with_first_id(batch, "x")).exit_code is ExitCode.OK
    assert [(take.label, take.state) for take in world.takes()] == [
        ("x_t1", State.VERIFIED),
        ("sh001_t1", State.VERIFIED),
    ]
    (frame,) = frames_of(world)["sh001_t1"]
    assert (frame.reference, frame.take_id) == ("frame:sh000:last", 1)


def test_an_old_copy_knows_what_a_shot_with_a_renamed_predecessor_bought(tmp_path: Path) -> None:
    batch = film(tmp_path, {"sh001": "sh000"})
    world = world_of(tmp_path)
    world.run(replace(batch, shots=batch.shots[:1]))
    shutil.copytree(world.output, tmp_path / "old")
    world.run(batch)
    shutil.rmtree(world.output)
    (tmp_path / "old").rename(world.output)
    world.elapsed_s += 7 * 24 * 3600
    world.plan = TAKE_OVER
    for _ in range(2):
        assert world.run(with_first_id(batch, "x")).exit_code is ExitCode.DECISION_NEEDED
    assert ([take.state for take in world.takes()], world.submits) == ([State.VERIFIED, State.HELD], 2)
