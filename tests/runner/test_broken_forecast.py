"""A forecast that breaks stops no purchase and no download."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.batch.test_guarded_forecast import CALLS, broken
from tests.worlds import World, batch_of
from wanbatch.batch.forecast import Forecast
from wanbatch.batch.lifecycle import State
from wanbatch.errors import ExitCode

pytestmark = pytest.mark.usefixtures("quick_clips")


@pytest.mark.parametrize("name", [name for name in CALLS if name != "learn"])
def test_a_broken_forecast_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(Forecast, name, broken)
    world = World(tmp_path / "out")
    world.observe = lambda runner, _: (runner.progress(), None)[1]
    end = world.run(batch_of(2))
    assert (end.exit_code, [take.state for take in world.takes()]) == (ExitCode.OK, [State.VERIFIED] * 2)
