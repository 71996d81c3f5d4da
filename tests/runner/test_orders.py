"""Clips held against what was ordered, where the documentation says what an order fixes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.worlds import World, batch_of
from wanbatch.batch.lifecycle import State
from wanbatch.sandbox import slate


def test_a_1080p_clip_of_1072_lines_is_not_as_ordered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    render = slate.render

    def lower(generation_id: str, body: Any, made: Any, target: Path) -> None:
        render(generation_id, body, replace(made, height=1072, duration_s=1), target)

    monkeypatch.setattr(slate, "render", lower)
    world = World(tmp_path / "out")
    world.run(batch_of(1, model="alibaba/wan-3-0-video", resolution="1080p"))
    assert "not as ordered: 1072 lines instead of 1080" in world.takes()[0].warning


def test_what_an_adaptive_order_does_not_fix_is_not_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    render = slate.render

    def wide(generation_id: str, body: Any, made: Any, target: Path) -> None:
        render(generation_id, body, replace(made, width=1120, height=480), target)

    monkeypatch.setattr(slate, "render", wide)
    world = World(tmp_path / "out")
    world.run(batch_of(1, model="alibaba/wan-3-0-video", resolution="480p", duration=2))
    assert (world.takes()[0].state, world.takes()[0].warning) == (State.VERIFIED, "")
