"""A submit was lost, its take was sent again, and the first one's clip came to light while the second one failed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.runner.shared import HOURS, LOST, states
from tests.worlds import World, batch_of
from wanbatch.pace.schedule import Rates
from wanbatch.provider.aimlapi import AimlApi
from wanbatch.runner.events import Event
from wanbatch.runner.loop import Runner
from wanbatch.runner.settings import OnUnknown, RunSettings

pytestmark = pytest.mark.usefixtures("quick_clips")


def test_the_first_ones_clip_is_fetched_and_no_third_is_bought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = RunSettings(on_unknown=OnUnknown.RESUBMIT, unknown_grace=timedelta(hours=2), rates=Rates(max_attempts=5))
    world = World(tmp_path / "out", rules=LOST, settings=settings)

    def bend(runner: Runner, event: Event) -> None:
        assert world.account is not None
        if event.kind == "answer_lost":
            world.account._db.execute("UPDATE requests SET ends_at = ends_at + ? WHERE seq = 2", (3 * HOURS,))
        if event.kind == "accepted" and event.take == "sh001_t1":
            world.account._db.execute("UPDATE requests SET failure = 'crashed' WHERE seq = 4")
            runner.drain()
            runner.drain()

    async def no_charges(*_: object) -> list[object]:
        return []

    world.observe = bend
    world.run(batch_of(3))
    assert (world.submits, states(world)[1]) == (4, "queued")
    world.observe, world.elapsed_s = None, world.elapsed_s + 3 * HOURS
    monkeypatch.setattr(AimlApi, "charges", no_charges)  # they show later than the log does
    world.run(batch_of(3))
    assert (world.submits, states(world)) == (4, ["verified"] * 3)
