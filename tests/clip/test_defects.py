"""What is seen and heard of clips: black, still and silent ones, and those that only come near."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from wanbatch.clip.black_and_frozen import Watching
from wanbatch.clip.check import check_clip
from wanbatch.clip.defects import Look, Stretch, shortfalls
from wanbatch.clip.encoding import ClipSpec, encode_clip
from wanbatch.clip.measuring import Reach, look_at
from wanbatch.errors import MediaInvalid

WIDTH, HEIGHT, FPS, LENGTH_S = 320, 176, 10, 5
Paint = Callable[[float], NDArray[np.uint8]]

_RNG = np.random.default_rng(3)
_COARSE = _RNG.integers(40, 200, (HEIGHT // 8 + 4, WIDTH // 8 + 40)).astype(np.uint8)
SCENERY = np.kron(_COARSE, np.ones((8, 8), np.uint8))
FOG = np.add.outer(np.linspace(0, 12, HEIGHT), 12 * np.sin(np.arange(WIDTH + 400) / 90)).astype(np.uint8) + 120


def pan(scenery: NDArray[np.uint8], px_per_s: float) -> Paint:
    return lambda at_s: scenery[:HEIGHT, round(at_s * px_per_s) :][:, :WIDTH]


def still(_: float) -> NDArray[np.uint8]:
    return SCENERY[:HEIGHT, :WIDTH]


def even(level: int) -> Paint:
    return lambda _: np.full((HEIGHT, WIDTH), level, np.uint8)


def then(*parts: tuple[float, Paint]) -> Paint:
    """One picture after the other, each until a time."""
    return lambda at_s: next(paint for until_s, paint in parts if at_s < until_s)(at_s)


def lamp(at_s: float) -> NDArray[np.uint8]:
    """Night: 3% of the picture is a window with light."""
    picture = even(16)(at_s).copy()
    picture[40:80, 100:142] = 180
    return picture


def candle(at_s: float) -> NDArray[np.uint8]:
    """A large still room; a flame of 6 by 4 pixels moves."""
    picture = still(at_s).copy()
    picture[90:96, 150:154] = 90 + 60 * (round(at_s * FPS) % 3)
    return picture


def grain(at_s: float) -> NDArray[np.uint8]:
    """A still with what a sensor's noise leaves of itself."""
    rng = np.random.default_rng(round(at_s * FPS))
    return (still(at_s) + rng.integers(0, 3, (HEIGHT, WIDTH))).astype(np.uint8)


def shoot(target: Path, paint: Paint, tone_hz: float = 300.0, *, has_audio: bool = True) -> Path:
    spec = ClipSpec(WIDTH, HEIGHT, FPS, LENGTH_S, has_audio)

    def pictures() -> Iterator[NDArray[np.uint8]]:
        picture = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
        for number in range(spec.frames):
            picture[:HEIGHT] = paint(number / FPS)
            yield picture

    encode_clip(spec, pictures(), tone_hz, target)
    return target


MOVING = pan(SCENERY, 30)
CASES = {
    "scenery that moves": (MOVING, []),
    "a slow pan": (pan(SCENERY, 2), []),
    "a slow pan over fog": (pan(FOG, 20), []),
    "a candle in a still room": (candle, []),
    "a window at night": (then((9, lambda at_s: np.maximum(lamp(at_s), MOVING(at_s) // 8))), []),
    "dark, not black": (lambda at_s: 40 + MOVING(at_s) // 12, []),
    "a fade-in from black": (then((1.5, even(16)), (9, MOVING)), []),
    "a moment's stop": (then((1.8, still), (9, MOVING)), []),
    "black": (even(16), ["the picture is black"]),
    "nearly black": (lambda at_s: 16 + MOVING(at_s) // 12, ["the picture is black"]),
    "black at the end": (then((2, MOVING), (9, even(16))), ["the picture is black from 2.0 s to 5.0 s"]),
    "black, then still": (
        then((2.5, even(16)), (9, still)),
        ["the picture is black from 0.0 s to 2.5 s", "the picture is frozen from 2.5 s to 5.0 s"],
    ),
    "a still": (still, ["the picture is frozen"]),
    "a still with grain": (grain, ["the picture is frozen"]),
    "white": (even(235), ["the picture is frozen"]),
    "a still half": (then((3, still), (9, MOVING)), ["the picture is frozen from 0.0 s to 3.0 s"]),
    "two stills": (then((2.5, even(90)), (9, still)), ["the picture is frozen"]),
    "stills around": (
        then((2, still), (3, MOVING), (9, even(200))),
        ["the picture is frozen from 0.0 s to 2.0 s and from 3.0 s to 5.0 s"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_picture_that_is_not_as_ordered_is_named_with_its_times(tmp_path: Path, name: str) -> None:
    paint, told = CASES[name]
    look = look_at(shoot(tmp_path / "clip.mp4", paint, has_audio=False))
    assert shortfalls(look, sound=True) == told


@pytest.mark.parametrize(
    "x264", ["crf=18:keyint=15", "crf=28:keyint=250", "bitrate=1500:keyint=250:bframes=3", "crf=23:keyint=12:bframes=2"]
)
@pytest.mark.parametrize(("paint", "stands_still"), [(still, True), (candle, False), (pan(FOG, 20), False)])
def test_an_encoder_that_renews_a_still_does_not_move_it(
    tmp_path: Path, x264: str, paint: Paint, stands_still: bool
) -> None:
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=FPS)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"  # type: ignore[union-attr]
        video.options = {"preset": "veryfast", "x264-params": f"threads=1:{x264}"}
        for number in range(FPS * LENGTH_S):
            picture = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
            picture[:HEIGHT] = paint(number / FPS)
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts = number
            container.mux(video.encode(frame))  # type: ignore[union-attr]
        container.mux(video.encode(None))  # type: ignore[union-attr]
    assert bool(look_at(path).still) is stands_still


def loud(folder: Path, level: float | None, codec: str = "aac") -> Look:
    """Look at a clip whose sound is a tone of this amplitude; None is no sound track."""
    source, path = shoot(folder / "source.mp4", MOVING, has_audio=False), folder / "clip.mp4"
    with av.open(str(source)) as pictures, av.open(str(path), "w", format="mp4") as container:
        video = container.add_stream_from_template(pictures.streams.video[0])
        sound = container.add_stream(codec, rate=48_000) if level is not None else None
        if sound is not None:
            sound.layout = "stereo"  # type: ignore[union-attr]
        for packet in pictures.demux(video=0):
            if packet.dts is not None:
                packet.stream = video
                container.mux(packet)
        if sound is not None:
            line = np.sin(np.arange(48_000 * LENGTH_S) / 20) * (level or 0)
            frame = av.AudioFrame.from_ndarray(np.tile(line.astype(np.float32), (2, 1)), "fltp", "stereo")
            frame.sample_rate = 48_000
            container.mux(sound.encode(frame))  # type: ignore[union-attr]
            container.mux(sound.encode(None))  # type: ignore[union-attr]
    return look_at(path)


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("level", "sound", "told"),
    [
        (0.0, True, "not as ordered: the sound is silent (peak -inf dBFS)"),
        (0.0005, True, "not as ordered: the sound is silent (peak -6x dBFS)"),
        (0.004, True, ""),
        (0.5, True, ""),
        (0.0, False, ""),
        (0.0, None, ""),
        (0.5, None, ""),
        (0.5, False, "not as ordered: it has sound, but was ordered without"),
        (None, True, ""),
        (None, False, ""),
    ],
)
def test_sound_is_held_against_what_was_ordered(
    tmp_path: Path, level: float | None, sound: bool | None, told: str
) -> None:
    found = "".join(shortfalls(loud(tmp_path, level), sound=sound))
    assert re.sub(r"-6\d\.\d", "-6x", found) == told  # an encoder is not exact to a tenth


@pytest.mark.parametrize("codec", ["aac", "pcm_s16le", "pcm_s32le", "ac3"])
def test_a_look_tells_the_peak(tmp_path: Path, codec: str) -> None:
    assert loud(tmp_path, 0.1, codec).peak_dbfs == pytest.approx(-20.0, abs=0.3)
    assert loud(tmp_path, None) == Look(5.0)


@pytest.mark.long
def test_the_clips_of_the_sandbox_move_and_sound(tmp_path: Path) -> None:
    from wanbatch.sandbox import slate
    from wanbatch.sandbox.models import models_served

    body = {"model": "alibaba/wan-2-6-t2v", "prompt": "", "duration": 15, "resolution": "720p", "aspect_ratio": "9:16"}
    made = models_served()["alibaba/wan-2-6-t2v"].made_of(body)
    slate.render("gen-1", body, made, tmp_path / "clip.mp4")
    assert shortfalls(look_at(tmp_path / "clip.mp4"), sound=True) == []


def test_a_clip_damaged_in_its_midst_is_told_and_looked_at_to_its_end(tmp_path: Path) -> None:
    data = bytearray(shoot(tmp_path / "clip.mp4", then((3, MOVING), (9, still)), has_audio=False).read_bytes())
    begin = data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 3
    data[begin : begin + 2_000] = bytes(2_000)
    (tmp_path / "clip.mp4").write_bytes(data)
    look = look_at(tmp_path / "clip.mp4")
    assert look.damaged_s is not None
    assert shortfalls(look, sound=True)[-1] == f"the picture is damaged at {look.damaged_s:.1f} s"
    assert (0 < look.damaged_s < LENGTH_S, look.duration_s) == (True, LENGTH_S)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return shoot(tmp_path_factory.mktemp("looks") / "clip.mp4", MOVING).read_bytes()


@pytest.mark.long
@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=12))
def test_whatever_the_bytes_a_look_ends_and_only_media_invalid_escapes(
    tmp_path: Path, whole: bytes, flips: list[tuple[float, int]]
) -> None:
    data = bytearray(whole)
    for where, value in flips:
        data[int(where * len(data))] = value
    (tmp_path / "fuzzed.mp4").write_bytes(data)
    try:
        said = shortfalls(look_at(tmp_path / "fuzzed.mp4"), sound=True)
    except MediaInvalid as error:
        said = [f"not as ordered: {error}"]
    begins = ("not as ordered: ", "the picture is ")
    assert [each for each in said if not each.startswith(begins) or len(each.splitlines()) != 1] == []


@pytest.mark.parametrize("data", [b"no clip", b"\0\0\0\x10ftypisom\0\0\0\0" * 9])
def test_what_cannot_be_looked_at_is_said_so(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "clip.mp4").write_bytes(data)
    with pytest.raises(MediaInvalid):
        look_at(tmp_path / "clip.mp4")


def test_pictures_of_full_range_have_their_own_black(tmp_path: Path) -> None:
    # 30 of 255 is nearly black where black is 16, and dark grey where it is 0.
    luma = np.full((20, 30), 30, np.uint8)
    told = []
    for levels in ((16, 235), (0, 255)):
        watching = Watching(*levels)
        for number in range(30):
            watching.see(number / 10, luma, is_key=number == 0)
        told.append(watching.end(3.0))
    assert told == [((Stretch(0.0, 3.0),), ()), ((), (Stretch(0.0, 3.0),))]


def test_a_picture_of_another_size_is_another_picture() -> None:
    watching = Watching(16, 235)
    for at_s, side in ((0.0, 20), (1.0, 24), (2.0, 20), (3.0, 4)):
        watching.see(at_s, np.full((side, side), 99, np.uint8), is_key=True)
    assert watching.end(3.5) == ((), ())


def test_a_clip_shorter_than_what_lasts_is_judged_as_a_whole() -> None:
    watching = Watching(16, 235)
    for number in range(10):
        watching.see(number / 10, np.full((20, 20), 16, np.uint8), is_key=False)
    assert shortfalls(Look(1.0, *watching.end(1.0), peak_dbfs=-math.inf), sound=None) == ["the picture is black"]


@pytest.mark.parametrize("reach", [Reach(pictures=30), Reach(packets=30)], ids=["pictures", "packets"])
def test_a_clip_without_end_is_looked_at_as_far_as_it_costs_little(tmp_path: Path, reach: Reach) -> None:
    path = shoot(tmp_path / "clip.mp4", then((3, still), (9, MOVING)), has_audio=False)
    assert look_at(path, reach) == Look(2.9, still=(Stretch(0.0, 2.9),))


def test_pictures_of_ten_bits_are_seen_like_others(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=FPS)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p10le"  # type: ignore[union-attr]
        for number in range(FPS * LENGTH_S):
            picture = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
            picture[:HEIGHT] = then((3, even(16)), (9, MOVING))(number / FPS)
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p").reformat(format="yuv420p10le")
            frame.pts = number
            container.mux(video.encode(frame))  # type: ignore[union-attr]
        container.mux(video.encode(None))  # type: ignore[union-attr]
    assert look_at(path).black == (Stretch(0.0, 3.0),)


def test_a_look_changes_no_byte_and_a_check_still_passes(tmp_path: Path) -> None:
    path = shoot(tmp_path / "clip.mp4", MOVING)
    before = path.read_bytes()
    look_at(path)
    assert (path.read_bytes() == before, check_clip(path).frames) == (True, FPS * LENGTH_S)
