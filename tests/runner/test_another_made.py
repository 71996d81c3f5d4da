"""A take whose generation does not end, though another one was made for it: the user is offered that clip."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runner.shared import HOURS, decide, states
from tests.worlds import World, batch_of
from wanbatch.errors import ExitCode
from wanbatch.runner.events import Event
from wanbatch.runner.loop import Runner
from wanbatch.sandbox.faults import Rule
from wanbatch.session.decisions import Decision

pytestmark = pytest.mark.usefixtures("quick_clips")
COLUMNS = "at, key, client_request_id, fault, body, body_sha256, http_status, model, credits, starts_at"


def test_a_generation_that_does_not_end_is_held_with_the_other_one_and_its_word_takes_it(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "stall", nth=(1,)),))

    def make_another(_: Runner, event: Event) -> None:
        if event.kind == "accepted" and world.account is not None:
            world.account._db.execute(
                f"INSERT INTO requests ({COLUMNS}, ends_at, inference_id) SELECT {COLUMNS}, at + 60, 'another'"
                " FROM requests WHERE seq = 1"
            )

    world.observe = make_another
    world.run(batch_of(1))
    assert "--adopt" not in world.takes()[0].error  # the log was not read yet
    world.observe, world.elapsed_s = None, world.elapsed_s + HOURS
    for _ in range(2):
        assert world.run(batch_of(1)).exit_code is ExitCode.DECISION_NEEDED
    take = world.takes()[0]
    assert "has not ended after" in take.error
    assert take.error.endswith("`wanbatch resolve sh000_t1 --adopt another`")
    decide(world, "sh000_t1", Decision.ADOPT, "another")
    world.run(batch_of(1))
    assert (states(world), world.takes()[0].generation_id) == (["verified"], "another")
