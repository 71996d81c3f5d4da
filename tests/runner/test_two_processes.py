"""Two processes on one folder, whose lock was deleted by hand: the one that notices pays for nothing more."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.worlds import EPOCH, World, batch_of
from wanbatch.batch.lifecycle import Fact
from wanbatch.errors import ExitCode
from wanbatch.pace.schedule import Rates
from wanbatch.runner.events import Event
from wanbatch.runner.loop import Runner
from wanbatch.runner.settings import RunSettings
from wanbatch.state.file import StateFile
from wanbatch.state.reader import entry

pytestmark = pytest.mark.usefixtures("quick_clips")


def test_a_take_that_another_process_has_sent_is_not_sent_a_second_time(tmp_path: Path) -> None:
    world = World(tmp_path / "out", settings=RunSettings(rates=Rates(submit_per_min=1)))

    def observe(runner: Runner, event: Event) -> None:
        if event.kind == "accepted" and event.take == "sh000_t1":
            state = runner._context.state
            assert isinstance(state, StateFile)
            sent = next(each for each in state.facts_of(1) if each.fact is Fact.SUBMIT_STARTED)
            data = {**sent.data, "request_id": str(sent.data["request_id"]).replace(":1.1", ":2.1")}
            state.record(2, entry(Fact.SUBMIT_STARTED, EPOCH, data))

    world.observe = observe
    end = world.run(batch_of(2))
    assert (end.exit_code, world.submits) == (ExitCode.LOCAL_FAULT, 1)
    assert any("another process changed sh001_t1" in message for message in end.messages)
