"""A cap waits for what is being made: a clip that fails costs nothing, and what was held for it buys another."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.worlds import World, batch_of
from wanbatch.batch.models import class_of
from wanbatch.batch.shots import Batch
from wanbatch.errors import ExitCode
from wanbatch.money.prices import Quote
from wanbatch.pace.schedule import Rates
from wanbatch.runner.settings import RunSettings
from wanbatch.sandbox.faults import Rule

pytestmark = pytest.mark.usefixtures("quick_clips")
PRICE = 378_000
CLASS = class_of({"model": "alibaba/wan2.1-t2v-turbo", "resolution": "480P"})
ONCE = Rates(max_attempts=1)


def made(tmp_path: Path, settings: RunSettings, *rules: Rule, batch: Batch | None = None) -> tuple[World, ExitCode]:
    quotes = {CLASS: Quote(PRICE, "test", is_proven=True)}
    world = World(tmp_path / "out", rules=rules, settings=replace(settings, quotes=quotes))
    return world, world.run(batch or batch_of(4)).exit_code


def states(world: World) -> dict[str, int]:
    return dict(Counter(str(take.state) for take in world.takes()))


def notes(world: World) -> list[str]:
    return [event.text for event in world.events if "that is being made fails and costs nothing" in event.text]


def test_a_clip_that_fails_gives_its_place_under_the_cap_to_the_next(tmp_path: Path) -> None:
    settings = RunSettings(cap_credits=3 * PRICE, rates=ONCE)
    world, code = made(tmp_path, settings, Rule("submit", "fail", nth=(2,)))
    assert (states(world), code) == ({"verified": 3, "failed": 1}, ExitCode.TAKES_FAILED)
    assert len(notes(world)) == 1


def test_where_nothing_fails_the_run_ends_at_the_cap_and_says_so_at_the_end(tmp_path: Path) -> None:
    world, code = made(tmp_path, RunSettings(cap_credits=3 * PRICE, rates=ONCE))
    assert (states(world), code) == ({"verified": 3, "planned": 1}, ExitCode.BUDGET_REACHED)


def test_money_that_was_charged_is_not_waited_for(tmp_path: Path) -> None:
    world, code = made(tmp_path, RunSettings(cap_credits=PRICE // 2, rates=ONCE))
    assert (states(world), code, notes(world)) == ({"planned": 4}, ExitCode.BUDGET_REACHED, [])


def test_a_take_of_a_scene_waits_while_other_scenes_go_on(tmp_path: Path) -> None:
    batch = batch_of(6)
    scenes = ("a", "a", "a", "b", "b", "b")
    shots = tuple(replace(shot, scene=scene) for shot, scene in zip(batch.shots, scenes, strict=True))
    settings = RunSettings(scene_caps={"a": 2 * PRICE}, rates=ONCE)
    world, code = made(tmp_path, settings, Rule("submit", "fail", nth=(2,)), batch=replace(batch, shots=shots))
    verified = [take.shot_id for take in world.takes() if str(take.state) == "verified"]
    assert (len(verified), states(world), code) == (5, {"verified": 5, "failed": 1}, ExitCode.TAKES_FAILED)


def test_a_scene_in_which_nothing_fails_is_paused_and_said(tmp_path: Path) -> None:
    batch = batch_of(4)
    shots = tuple(replace(shot, scene="a" if at < 3 else "b") for at, shot in enumerate(batch.shots))
    settings = RunSettings(scene_caps={"a": 2 * PRICE}, rates=ONCE)
    world, code = made(tmp_path, settings, batch=replace(batch, shots=shots))
    assert (states(world), code) == ({"verified": 3, "planned": 1}, ExitCode.BUDGET_REACHED)
    assert any("scene a has reached its cap of " in event.text for event in world.events)
