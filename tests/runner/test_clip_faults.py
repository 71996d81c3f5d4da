"""What goes wrong with a clip or the disk it is written to."""

from __future__ import annotations

import errno
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.runner.shared import states
from tests.worlds import Killed, World, batch_of
from wanbatch.batch.lifecycle import State
from wanbatch.batch.take import Take
from wanbatch.clip.download import Part
from wanbatch.clip.inspection import Here
from wanbatch.errors import ExitCode, MediaInvalid
from wanbatch.pace.schedule import Rates
from wanbatch.runner.events import Event
from wanbatch.runner.loop import Runner
from wanbatch.runner.settings import RunSettings
from wanbatch.sandbox import slate
from wanbatch.sandbox.faults import Rule
from wanbatch.sandbox.options import SandboxOptions

pytestmark = pytest.mark.usefixtures("quick_clips")


def test_a_full_disk_ends_the_run_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Part, __: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Part, "write", full)
        world = World(tmp_path / "out")
        end = world.run(batch_of(2))
    assert (end.exit_code, list((tmp_path / "out" / "clips").glob("*"))) == (ExitCode.LOCAL_FAULT, [])
    bought = world.submits
    assert world.run(batch_of(2)).exit_code is ExitCode.OK
    assert (states(world), world.submits - bought) == (["verified"] * 2, 2 - bought)


def test_something_in_the_place_of_a_part_is_left_alone(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    in_the_way = tmp_path / "out" / "clips" / "sh000_t1.mp4.part"
    world.observe = lambda _, event: in_the_way.mkdir(parents=True) if event.kind == "completed" else None
    end = world.run(batch_of(1))
    assert (end.exit_code, states(world), in_the_way.is_dir()) == (ExitCode.DECISION_NEEDED, ["held"], True)
    in_the_way.rmdir()
    world.observe = None
    assert world.run(batch_of(1)).exit_code is ExitCode.OK
    assert world.submits == 1


def test_bytes_that_vanish_before_they_have_their_name_are_fetched_again(tmp_path: Path) -> None:
    gone: list[Event] = []

    def remove(_: Runner, event: Event) -> None:
        if event.kind == "downloaded" and not gone:
            gone.append(event)
            (tmp_path / "out" / "clips" / "sh000_t1.mp4.part").unlink()

    world = World(tmp_path / "out", observe=remove)
    end = world.run(batch_of(1))
    kinds = [event.kind for event in world.events]
    assert (end.exit_code, world.submits, kinds.count("download_discarded")) == (ExitCode.OK, 1, 1)


def test_a_poster_that_cannot_be_made_is_only_told(tmp_path: Path) -> None:
    def fail(_: Take) -> None:
        raise OSError("no room for posters")

    world = World(tmp_path / "out", settings=RunSettings(after_verified=fail))
    assert world.run(batch_of(1)).exit_code is ExitCode.OK
    assert any("no room for posters" in event.text for event in world.events)


def test_a_link_that_grew_old_in_our_own_queue_says_nothing_about_the_clip(tmp_path: Path) -> None:
    world = World(
        tmp_path / "out",
        options=SandboxOptions(link_ttl_s=100),
        rules=(Rule("clip", "delay", nth=(1, 2, 3), delay_s=55),),
        settings=RunSettings(rates=Rates(downloads=1)),
    )
    end = world.run(batch_of(4))
    assert (end.exit_code, states(world), world.submits) == (ExitCode.OK, ["verified"] * 4, 4)
    assert not any(event.kind == "link_dead" for event in world.events)


def test_a_clip_host_that_never_delivers_is_given_up_by_name(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("clip", "drop_before", nth=tuple(range(1, 21))),))
    end = world.run(batch_of(1))
    take = world.takes()[0]
    assert (end.exit_code, take.state, "does not deliver" in take.error) == (
        ExitCode.DECISION_NEEDED, State.HELD, True,
    )  # fmt: skip
    assert world.run(batch_of(1)).exit_code is ExitCode.OK
    assert world.submits == 1


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        ({"width": 640}, "640x720 instead of 1280x720"),
        ({"duration_s": 2}, "instead of 5 s"),
        ({"has_audio": False}, "no sound"),
        ({"height": 712}, "712 lines instead of 720"),
    ],
)
def test_a_clip_that_is_not_as_ordered_is_kept_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], warning: str
) -> None:
    render, model = slate.render, f"alibaba/{'wan-3-0-video' if 'lines' in warning else 'wan-2-6-t2v'}"

    def other(generation_id: str, body: Any, made: Any, target: Path, _: Any) -> None:
        render(generation_id, body, replace(made, **change), target)

    monkeypatch.setattr(slate, "render", other)
    world = World(tmp_path / "out")
    end = world.run(batch_of(1, model=model, resolution="720p", duration=5))
    take = world.takes()[0]
    assert (end.exit_code, take.state, world.submits) == (ExitCode.OK, State.VERIFIED, 1)
    assert "not as ordered" in take.warning
    assert warning in take.warning


@pytest.mark.long
@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("model", "ratio", "warning"),
    [
        ("wan-2-6-t2v", {}, "not as ordered: 1920x1072 instead of 1920x1080"),
        ("wan2.5-t2v-preview", {}, "not as ordered: 1072 lines instead of 1080"),
        ("wan-3-0-video", {}, "not as ordered: 1072 lines instead of 1080"),
        ("wan2.5-t2v-preview", {"aspect_ratio": "1:1"}, ""),
    ],
)
def test_a_1080p_order_that_comes_at_1072_lines_is_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, ratio: dict[str, str], warning: str
) -> None:
    render = slate.render

    def other(generation_id: str, body: Any, made: Any, target: Path, _: Any) -> None:
        render(generation_id, body, replace(made, width=made.width // 8 * 8, height=1072), target)

    monkeypatch.setattr(slate, "render", other)
    world = World(tmp_path / "out")
    world.run(batch_of(1, model=f"alibaba/{model}", resolution="1080p", duration=5, **ratio))
    assert (world.takes()[0].state, world.takes()[0].warning) == (State.VERIFIED, warning)


@pytest.mark.long
@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("do", "more", "warning"),
    [
        ("black", {}, "the picture is black"),
        ("frozen", {}, "the picture is frozen"),
        ("silent", {}, "not as ordered: the sound is silent (peak -inf dBFS)"),
        ("silent", {"generate_audio": False}, ""),
        ("delay", {}, ""),
    ],
    ids=["black", "frozen", "silent", "without sound as ordered", "sound"],
)
def test_a_clip_that_is_not_as_ordered_is_kept_with_a_warning_and_never_bought_again(
    tmp_path: Path, do: str, more: dict[str, Any], warning: str
) -> None:
    world = World(tmp_path / "out", rules=(Rule("clip", do),), looks=True)
    end = world.run(batch_of(1, model="alibaba/wan-2-6-t2v", resolution="720p", duration=5, **more))
    take = world.takes()[0]
    assert (end.exit_code, take.state, take.warning, world.submits) == (ExitCode.OK, State.VERIFIED, warning, 1)
    assert world.run(batch_of(1, model="alibaba/wan-2-6-t2v", resolution="720p", duration=5, **more)).exit_code == 0
    assert world.submits == 1


def test_a_clip_that_cannot_be_looked_at_is_kept_with_a_warning(tmp_path: Path) -> None:
    class Blind(Here):
        def look(self, clip: Path) -> Any:
            raise MediaInvalid("the clip cannot be decoded: no memory")

    world = World(tmp_path / "out", settings=RunSettings(inspection=Blind()), looks=True)
    assert world.run(batch_of(1)).exit_code is ExitCode.OK
    assert world.takes()[0].warning == "wanbatch could not check it for defects: the clip cannot be decoded: no memory"


@pytest.mark.long
def test_a_crash_between_the_look_and_the_record_loses_no_warning(tmp_path: Path) -> None:
    batch = batch_of(1, model="alibaba/wan-2-6-t2v", resolution="720p", duration=5)
    found = []
    for kill_at in range(2, 10):  # the first is before the submit
        world = World(tmp_path / str(kill_at), rules=(Rule("clip", "black"),), looks=True)
        with suppress(Killed):
            world.run(batch, kill_at=kill_at)
        world.run(batch)
        take = world.takes()[0]
        found.append((take.state, take.warning, world.submits))
    assert set(found) == {(State.VERIFIED, "the picture is black", 1)}


@pytest.mark.parametrize("runs", [1, 2])
def test_the_same_bytes_for_two_takes_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runs: int) -> None:
    render = slate.render
    monkeypatch.setattr(slate, "render", lambda _, body, made, target, __: render("one", body, made, target))
    world = World(tmp_path / "out", settings=RunSettings(limit=2 // runs))
    for _ in range(runs):
        assert world.run(batch_of(2)).exit_code is ExitCode.OK
    first, second = sorted(world.takes(), key=lambda take: take.warning)
    assert (first.warning, second.warning) == ("", f"this clip is identical to that of {first.label}")
