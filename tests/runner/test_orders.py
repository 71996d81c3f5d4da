"""Clips held against what was ordered, where nothing says what an order fixes."""

from __future__ import annotations

from pathlib import Path

from tests.worlds import World, batch_of
from wanbatch.batch.lifecycle import State


def test_what_an_adaptive_order_does_not_fix_is_not_warned_of(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(1, model="alibaba/wan-3-0-video", resolution="480p", duration=2))
    assert (world.takes()[0].state, world.takes()[0].warning) == (State.VERIFIED, "")
