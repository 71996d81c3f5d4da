"""The cut: every frame at its place, sound in sync at every join, and nothing half written."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.films import RATE_HZ, Reel, delay_of, noise, read_frames, read_line
from tests.output_folders import make_room
from wanbatch.batch.selection import Selection
from wanbatch.batch.shots import Batch, Shot
from wanbatch.cut.film import CutOptions, make_cut
from wanbatch.cut.source import measure
from wanbatch.cut.timeline import ClipFormat, Timeline
from wanbatch.errors import LocalFault, MediaInvalid, UsageInvalid

R = Reel(1)
NTSC = Fraction(30_000, 1001)


def film(*shots: tuple[str, str], seconds: int = 1) -> Batch:
    """Shots by id and scene, one take each."""
    made = [
        Shot(shot_id, number, {"model": "m", "prompt": "p", "duration": seconds}, scene=scene)
        for number, (shot_id, scene) in enumerate(shots)
    ]
    return Batch("dragon-pass", tuple(made))


ABC = film(("a", "s1"), ("b", "s1"), ("c", "s2"))


def room(folder: Path, batch: Batch, **reels: Reel) -> Path:
    make_room(folder, batch, {f"{shot_id}_t1": reel for shot_id, reel in reels.items()}).state.close()
    return folder


def cut(output: Path, **options: Any) -> tuple[Path, Timeline]:
    timeline = make_cut(output, CutOptions(**options))
    return options.get("target", output / "cut.mp4"), timeline


def whole(reel: Reel) -> list[tuple[int, int] | None]:
    return [(reel.number, number) for number in range(reel.frames)]


@pytest.mark.long
def test_every_frame_of_every_clip_is_at_its_place_and_a_hole_is_as_long_as_ordered(tmp_path: Path) -> None:
    one, three = Reel(1, frames=41), Reel(3, frames=30)
    made, timeline = cut(room(tmp_path, ABC, a=one, c=three))
    assert read_frames(made) == [*whole(one), *[None] * 30, *whole(three)]
    assert [(piece.begin, piece.frames, piece.label) for piece in timeline.pieces] == [
        (0, 41, "a_t1"),
        (41, 30, "b"),
        (71, 30, "c_t1"),
    ]


def test_pictures_are_copied_byte_by_byte(tmp_path: Path) -> None:
    made, _ = cut(room(tmp_path, ABC, a=Reel(1), b=Reel(2), c=Reel(3)))
    clips = [packet for name in "abc" for packet in packets(tmp_path / "clips" / f"{name}_t1.mp4")]
    assert packets(made) == clips


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(container.streams.video[0]) if packet.size]


AWKWARD = {
    "as long as its pictures": Reel(11),
    "longer": Reel(12, sound_s=1.3),
    "shorter": Reel(13, sound_s=0.8),
    "mono": Reel(15, channels=1),
    "in whole blocks": Reel(16, sound_s=46 * 1024 / RATE_HZ),
}


@pytest.mark.long
@pytest.mark.sampled(2)
@pytest.mark.parametrize("reencode", [False, True], ids=["copied", "encoded"])
def test_sound_is_in_sync_to_the_sample_at_every_join(tmp_path: Path, reencode: bool) -> None:
    names = [f"s{number:02}" for number in range(2 * len(AWKWARD))]
    reels = {
        name: replace(reel, number=20 + at)
        for at, (name, reel) in enumerate(zip(names, [*AWKWARD.values()] * 2, strict=True))
    }
    made, timeline = cut(room(tmp_path, film(*((name, "s") for name in names)), **reels), reencode=reencode)
    line, rate_hz = read_line(made)
    late = {}
    for piece, reel in zip(timeline.pieces, reels.values(), strict=True):
        begin = round(piece.begin * rate_hz / reel.fps)
        heard = round(min(reel.sound_s or 0, 1.0) * rate_hz)
        late[piece.label] = delay_of(line, noise(reel.number, heard)[0], begin)
        rest = line[begin + heard + 1500 : begin + rate_hz]
        assert np.abs(rest).max(initial=0) < 0.01, f"{piece.label}: what is not there is silence"
    assert set(late.values()) == {0}, late
    assert 0 <= len(line) - timeline.frames * rate_hz / 30 <= 1024


def test_sound_that_begins_late_of_another_rate_or_none_keeps_its_place(tmp_path: Path) -> None:
    odd = {"a": Reel(31, sound_s=0.6, sound_at_s=0.25), "b": Reel(32, sound_s=None), "c": Reel(33, rate_hz=44_100)}
    made, _ = cut(room(tmp_path, ABC, **odd))
    line, rate_hz = read_line(made)
    late = delay_of(line, noise(31, round(0.6 * RATE_HZ))[0], RATE_HZ // 4)
    assert (rate_hz, abs(late) <= 48) == (RATE_HZ, True)  # an MP4 tells of a late begin in milliseconds
    assert np.abs(line[RATE_HZ + 1500 : 2 * RATE_HZ - 1500]).max() < 0.01
    assert abs(delay_of(line, noise(33, RATE_HZ)[0], 2 * RATE_HZ)) <= 1  # resampled


@pytest.mark.long
def test_lengths_do_not_drift_at_a_rate_of_broken_seconds(tmp_path: Path) -> None:
    names = [f"s{number:02}" for number in range(25)]
    reels = {name: Reel(100 + at, fps=NTSC, frames=7, sound_s=0.3) for at, name in enumerate(names)}
    made, timeline = cut(room(tmp_path, film(*((name, "") for name in names)), **reels))
    line, rate_hz = read_line(made)
    begin = round(timeline.pieces[-1].begin * rate_hz / NTSC)
    assert read_frames(made) == [frame for reel in reels.values() for frame in whole(reel)]
    assert delay_of(line, noise(124, 11_000)[0], begin) == 0


def test_a_film_without_sound_has_no_sound_track(tmp_path: Path) -> None:
    silent = Reel(1, sound_s=None)
    made, timeline = cut(room(tmp_path, ABC, a=silent))
    assert (measure(made).rate_hz, timeline.rate_hz, measure(made).frames) == (None, None, 90)


def test_scenes_are_chapters_of_a_player(tmp_path: Path) -> None:
    made, _ = cut(room(tmp_path, ABC, a=Reel(1, frames=41), c=Reel(3)))
    with av.open(str(made)) as container:
        told = [
            (
                each["metadata"]["title"],
                float(each["start"] * each["time_base"]),
                float(each["end"] * each["time_base"]),
            )
            for each in container.chapters()
        ]
    assert told == [("s1", 0.0, pytest.approx(71 / 30, abs=0.001)), ("s2", pytest.approx(71 / 30, abs=0.001), pytest.approx(101 / 30, abs=0.001))]  # fmt: skip


def test_shots_of_no_scene_are_chapters_of_their_own(tmp_path: Path) -> None:
    _, timeline = cut(room(tmp_path, film(("a", ""), ("b", ""), ("c", "s")), a=Reel(1), b=Reel(2), c=Reel(3)))
    assert [(scene.title, scene.begin, scene.frames) for scene in timeline.scenes] == [
        ("a", 0, 30),
        ("b", 30, 30),
        ("s", 60, 30),
    ]


def test_clips_that_differ_are_named_with_what_they_differ_in_and_nothing_is_written(tmp_path: Path) -> None:
    batch = film(*((name, "s") for name in "abcdefg"))
    reels = {
        "a": R,
        "b": Reel(2),
        "c": Reel(3, width=96, height=128),
        "d": Reel(4, fps=Fraction(24)),
        "e": Reel(5, x264="bframes=2:keyint=20:cabac=0"),
        "f": Reel(6, codec="mpeg4"),
        "g": Reel(7),
    }
    with pytest.raises(UsageInvalid) as told:
        cut(room(tmp_path, batch, **reels))
    words = str(told.value)
    assert [line.strip() for line in words.splitlines()[1:-1]] == [
        "c_t1: 96x128 instead of 128x96",
        "d_t1: 24 fps instead of 30 fps",
        "e_t1: its encoder settings differ",
        "f_t1: mpeg4 instead of h264",
    ]
    advice = "add --reencode to convert them, or choose clips that fit together with --only"
    assert ("4 of 7 clips" in words, advice in words, (tmp_path / "cut.mp4").exists()) == (True, True, False)


def test_the_shots_that_are_named_to_choose_can_be_joined(tmp_path: Path) -> None:
    batch = film(("sc1_a", "1"), ("sc1_b", "1"), ("sc2_a", "2"), ("sc2_b", "2"))
    reels = {"sc1_a": R, "sc1_b": Reel(2, width=96, height=128), "sc2_a": Reel(3), "sc2_b": Reel(4)}
    with pytest.raises(UsageInvalid) as told:
        cut(room(tmp_path, batch, **reels))
    assert str(told.value).endswith("or choose clips that fit together with --only (such as --only 'sc2_*')")


def test_no_shots_are_named_to_choose_if_no_scene_fits(tmp_path: Path) -> None:
    reels = {"a": R, "b": Reel(2, width=96, height=128)}
    with pytest.raises(UsageInvalid) as told:
        cut(room(tmp_path, film(("a", "s"), ("b", "s")), **reels))
    assert str(told.value).endswith("with --only")


@pytest.mark.long
def test_clips_of_any_kind_are_fitted_in_when_encoded_anew(tmp_path: Path) -> None:
    batch = film(*((name, "s") for name in "abcde"))
    tall, slow = Reel(2, width=112, height=144), Reel(3, fps=Fraction(15), frames=15)
    reels = {"a": R, "b": tall, "c": slow, "e": Reel(5)}
    made, timeline = cut(room(tmp_path, batch, **reels), reencode=True)
    frames = read_frames(made)
    assert frames[:30] == whole(R)
    assert frames[60:90] == [(3, number // 2) for number in range(30)]
    assert frames[90:] == [*[None] * 30, *whole(reels["e"])]
    with av.open(str(made)) as container:
        shown = next(container.decode(container.streams.video[0]))
        keys = {packet.pts * packet.time_base * 30 for packet in reopened(made) if packet.is_keyframe and packet.size}
    assert (shown.width, shown.height, timeline.format.size) == (128, 96, "128x96")
    assert {0, 30, 60, 90, 120} <= keys


@pytest.mark.long
def test_a_tall_clip_stands_whole_between_black(tmp_path: Path) -> None:
    made, _ = cut(room(tmp_path, ABC, a=Reel(1), b=Reel(2, width=112, height=144), c=Reel(3)), reencode=True)
    with av.open(str(made)) as container:
        picture = [frame.to_ndarray(format="gray") for frame in container.decode(container.streams.video[0])][45]
    columns = picture[60:].mean(axis=0)
    lit = np.flatnonzero(columns > 40)
    assert (lit[0], lit[-1]) == pytest.approx((27, 100), abs=2)


def reopened(path: Path) -> list[Any]:
    with av.open(str(path)) as container:
        return list(container.demux(container.streams.video[0]))


def test_slates_can_be_left_out_and_what_is_missing_is_still_told(tmp_path: Path) -> None:
    made, timeline = cut(room(tmp_path, ABC, a=R, c=Reel(3)), slates=False)
    assert read_frames(made) == [*whole(R), *whole(Reel(3))]
    assert [choice.shot.shot_id for choice in timeline.missing] == ["b"]


def test_only_some_shots_are_cut(tmp_path: Path) -> None:
    output = room(tmp_path / "o", ABC, a=R, c=Reel(3))
    made, _ = cut(output, wanted=Selection(("c", "b*")), target=tmp_path / "new" / "part.mp4")
    assert read_frames(made) == [*[None] * 30, *whole(Reel(3))]
    with pytest.raises(UsageInvalid, match="matches --only"):
        cut(output, wanted=Selection(("x*",)))
    with pytest.raises(UsageInvalid, match="nothing to cut"):
        cut(output, wanted=Selection(("b",)))


@pytest.mark.long
@pytest.mark.parametrize("reencode", [False, True], ids=["copied", "encoded"])
def test_the_same_clips_give_the_same_bytes(tmp_path: Path, reencode: bool) -> None:
    output = room(tmp_path / "o", ABC, a=R, c=Reel(3))
    first, _ = cut(output, reencode=reencode, target=tmp_path / "1.mp4")
    second, _ = cut(output, reencode=reencode, target=tmp_path / "2.mp4")
    assert first.read_bytes() == second.read_bytes()


def test_a_clip_that_is_gone_or_altered_is_a_hole_that_says_so(tmp_path: Path) -> None:
    output = room(tmp_path, ABC, a=R, b=Reel(2), c=Reel(3))
    (output / "clips" / "a_t1.mp4").unlink()
    (output / "clips" / "b_t1.mp4").write_bytes(b"short")
    made, timeline = cut(output)
    assert read_frames(made) == [*[None] * 60, *whole(Reel(3))]
    assert [choice.note for choice in timeline.missing] == [
        "the clip of take 1 is not on disk (No such file or directory): `wanbatch verify --fetch` fetches it again",
        "the clip of take 1 is not as recorded: `wanbatch verify --fetch` fetches it again",
    ]


def test_a_clip_that_cannot_be_read_is_a_hole(tmp_path: Path) -> None:
    output = room(tmp_path, ABC, a=R, c=Reel(3))
    clip = output / "clips" / "a_t1.mp4"
    clip.write_bytes(b"x" * clip.stat().st_size)
    _, timeline = cut(output)
    assert "cannot be read" in timeline.missing[0].note


@pytest.mark.parametrize("name", ["clips/a_t1.mp4", "cut.avi", "folder.mp4", "clips/new.mp4"])
def test_a_cut_goes_where_no_clip_and_no_folder_is(tmp_path: Path, name: str) -> None:
    output = room(tmp_path, ABC, a=R)
    (output / "folder.mp4").mkdir()
    before = (output / "clips" / "a_t1.mp4").read_bytes()
    with pytest.raises(UsageInvalid):
        cut(output, target=output / name)
    assert (output / "clips" / "a_t1.mp4").read_bytes() == before


# --- when it fails ---------------------------------------------------------------------------------------------------


def left_over(output: Path) -> list[str]:
    return sorted(path.name for path in output.iterdir() if "part" in path.name)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("limit_bytes", [500, 20_000, 60_000])
@pytest.mark.parametrize("reencode", [False, True], ids=["copied", "encoded"])
def test_a_full_disk_leaves_the_old_cut_and_no_part(tmp_path: Path, limit_bytes: int, reencode: bool) -> None:
    output = room(
        tmp_path,
        film(*((name, "s") for name in "abcdefgh")),
        **{name: Reel(40 + at) for at, name in enumerate("abcdefgh")},
    )
    (output / "cut.mp4").write_bytes(b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, before[1]))
    try:
        with pytest.raises(LocalFault):
            cut(output, reencode=reencode)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert ((output / "cut.mp4").read_bytes(), left_over(output)) == (b"old", [])


def test_too_little_room_is_said_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = room(tmp_path, ABC, a=R)
    monkeypatch.setattr("wanbatch.cut.film.free_bytes", lambda _: 1000)
    for reencode in (False, True):
        with pytest.raises(LocalFault, match="Make room"):
            cut(output, reencode=reencode)
    assert left_over(output) == []


def test_a_clip_that_changes_while_it_is_cut_ends_the_cut_and_names_it(tmp_path: Path) -> None:
    output = room(tmp_path, ABC, a=R, b=Reel(2))

    def swap(*_: object) -> None:
        shutil.copy(output / "clips" / "a_t1.mp4", output / "clips" / "b_t1.mp4")
        (output / "clips" / "b_t1.mp4").write_bytes(b"gone")

    with pytest.raises(MediaInvalid, match="b_t1: "):
        make_cut(output, CutOptions(), swap)
    assert left_over(output) == []


# --- what other programs say -----------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed")
@pytest.mark.parametrize("reencode", [False, True], ids=["copied", "encoded"])
def test_ffprobe_agrees(tmp_path: Path, reencode: bool) -> None:
    made, timeline = cut(room(tmp_path, ABC, a=Reel(1, frames=41), c=Reel(3, sound_s=1.3)), reencode=reencode)
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-show_chapters", "-of", "json", str(made)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    told = json.loads(done.stdout)
    pictures, sound = told["streams"][:2]
    assert (done.stderr, int(pictures["nb_read_frames"]), pictures["avg_frame_rate"]) == ("", timeline.frames, "30/1")
    assert (float(pictures["start_time"]), float(sound["start_time"])) == (0.0, 0.0)
    assert float(pictures["duration"]) == pytest.approx(101 / 30, abs=1e-4)
    assert float(sound["duration"]) == pytest.approx(101 / 30, abs=1e-3)
    assert [(chapter["tags"]["title"], float(chapter["start_time"])) for chapter in told["chapters"]] == [
        ("s1", 0.0),
        ("s2", pytest.approx(71 / 30, abs=1e-3)),
    ]


def test_formats_that_cannot_be_joined_say_why() -> None:
    like = ClipFormat("h264", 64, 64, Fraction(30), "yuv420p", Fraction(1), b"a")
    assert like.differences(like) == ()
    assert replace(like, is_even=False).differences(like) == ("its frames are not evenly spaced",)
    assert replace(like, headers=b"b").differences(like) == ("its encoder settings differ",)
    assert replace(like, width=32, codec="hevc").differences(like) == ("hevc instead of h264", "32x64 instead of 64x64")
