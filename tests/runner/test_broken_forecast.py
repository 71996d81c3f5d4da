"""A forecast that breaks stops no purchase and no download."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.batch.test_guarded_forecast import CALLS, broken_in
from tests.worlds import EPOCH, World, batch_of
from wanbatch.batch.guarded_forecast import GuardedForecast
from wanbatch.batch.lifecycle import State
from wanbatch.errors import ExitCode
from wanbatch.runner.events import Event
from wanbatch.runner.loop import Runner

pytestmark = pytest.mark.usefixtures("quick_clips")


@pytest.mark.parametrize("name", [name for name in CALLS if name != "learn"])
def test_a_broken_forecast_stops_nothing(tmp_path: Path, name: str) -> None:
    world, broken = World(tmp_path / "out"), GuardedForecast(EPOCH, {}, broken_in(name))

    def observe(runner: Runner, _: Event) -> None:
        runner._context.forecast = broken
        runner.progress()

    world.observe = observe
    end = world.run(batch_of(2))
    assert (end.exit_code, [take.state for take in world.takes()]) == (ExitCode.OK, [State.VERIFIED] * 2)
