"""Drift: the clips of a chain are measured, what is large is a warning, and nothing depends on it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from tests.pictures import LENS, add_lens, manifest, rocks, save
from tests.runner.test_chains import SMALL, world_of
from tests.worlds import World
from wanbatch.batch.drift import COLOUR_MAX, JUMP_DB, Drift, line_of
from wanbatch.batch.lifecycle import Fact
from wanbatch.errors import ExitCode
from wanbatch.manifest import load_manifest
from wanbatch.sandbox import SandboxOptions
from wanbatch.sandbox.faults import PLANS, Rule
from wanbatch.state.drifts import read_step
from wanbatch.state.reader import StateReader

LINE = {"sh001": "sh000", "sh002": "sh001", "sh003": "sh002"}


def ran(
    folder: Path, rules: tuple[Rule, ...] = (), links: dict[str, Any] | None = None, *, looks: bool = True
) -> World:
    save(folder / "still.png", rocks())
    shots = [{"first_frame": "still.png", **SMALL}]
    shots += [{"first_frame": {"from": each}, **SMALL} for each in (LINE if links is None else links).values()]
    world = world_of(folder, rules=rules, looks=looks)
    assert world.run(load_manifest(manifest(folder, *shots))).exit_code is ExitCode.OK
    return world


def drifts(world: World) -> dict[str, Drift]:
    with StateReader.open(world.output) as reader:
        return {take.shot_id: Drift(line_of(take.take_id, partial(read_step, reader))) for take in reader.takes()}


def warnings(world: World) -> list[str]:
    return [take.warning for take in world.takes()]


def test_a_clean_chain_meets_its_frames_and_has_no_warning(tmp_path: Path) -> None:
    world = ran(tmp_path)
    found = drifts(world)
    assert warnings(world) == ["", "", "", ""]
    assert (found["sh000"].psnr_db, found["sh000"].joins) == (None, None)
    for shot_id in LINE:
        joins, psnr_db = found[shot_id].joins, found[shot_id].psnr_db
        assert joins is not None
        assert joins.sharpness is not None
        assert joins.contrast is not None
        assert psnr_db is not None
        assert (joins.sharpness > 0.95, joins.contrast > 0.95, joins.colour < 1, psnr_db > 40) == (True,) * 4


def test_a_chain_that_drifts_is_warned_about_once_it_is_far_from_its_first_picture(tmp_path: Path) -> None:
    world = ran(tmp_path, PLANS["drift"])
    told = warnings(world)
    assert [bool(each) for each in told] == [False, False, False, True]
    assert told[3].startswith("drifts: over 3 joins since sh000_t1 the picture ")
    assert "shifted in colour (by " in told[3]
    assert all(JUMP_DB < each.psnr_db < 40 for each in drifts(world).values() if each.psnr_db is not None)
    last = drifts(world)["sh003"].joins
    assert last is not None
    assert last.sharpness is not None
    assert last.contrast is not None
    assert (last.sharpness < 0.8, last.contrast < 0.9, last.colour > COLOUR_MAX) == (True, True, True)


def test_a_clip_that_begins_with_another_picture_is_a_jump(tmp_path: Path) -> None:
    world = ran(tmp_path, (Rule("clip", "black", nth=(2,)),), {"sh001": "sh000"})
    assert "its first frame does not match the frame that it was given: PSNR " in warnings(world)[1]


def test_a_clip_is_measured_against_the_last_frame_that_it_was_given(tmp_path: Path) -> None:
    save(tmp_path / "still.png", rocks())
    add_lens(tmp_path)
    lens = {"model": LENS, "first_frame": "still.png"}
    world = world_of(tmp_path, looks=True, options=SandboxOptions(models=tmp_path / "models"))
    shots = ({**lens, "last_frame": {"from": "sh001", "frame": "first"}}, lens)
    world.run(load_manifest(manifest(tmp_path, *shots)))
    found = drifts(world)["sh000"].line[-1].closing_psnr_db
    assert found is not None
    assert found > JUMP_DB


def test_both_branches_of_a_chain_are_compared_with_its_first_picture(tmp_path: Path) -> None:
    found = drifts(ran(tmp_path, links={"sh001": "sh000", "sh002": "sh000"}))
    assert [found[each].start for each in ("sh001", "sh002")] == ["sh000_t1", "sh000_t1"]
    assert found["sh001"].joins is not None
    assert found["sh002"].joins is not None


def test_the_measures_are_recorded_before_the_clip_counts_as_verified_and_once(tmp_path: Path) -> None:
    world = ran(tmp_path, links={"sh001": "sh000"})
    with StateReader.open(world.output) as reader:
        first, second = ([each.fact for each in reader.facts_of(take_id)] for take_id in (1, 2))
    assert second.index(Fact.MEASURED) < second.index(Fact.VERIFIED)
    assert (first.count(Fact.MEASURED), second.count(Fact.MEASURED)) == (1, 1)


def test_a_shot_outside_of_chains_is_not_measured(tmp_path: Path) -> None:
    world = ran(tmp_path, links={})
    with StateReader.open(world.output) as reader:
        assert reader.measured_takes() == []


def test_what_cannot_be_measured_is_unknown_and_stops_nothing(tmp_path: Path) -> None:
    drift = drifts(ran(tmp_path, links={"sh001": "sh000"}, looks=False))["sh001"]
    assert (drift.first, drift.last, drift.joins, drift.psnr_db, drift.doubts) == (None, None, None, None, [])
