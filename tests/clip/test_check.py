"""Clips: what is taken for a whole one, posters, and the encoder."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from wanbatch.clip.boxes import BOX_LIMIT
from wanbatch.clip.check import check_clip
from wanbatch.clip.encoding import ClipSpec, encode_clip
from wanbatch.clip.frames import draw_frame, write_poster
from wanbatch.clip.probe import Probe
from wanbatch.errors import MediaInvalid

SPEC = ClipSpec(width=128, height=96, fps=30, duration_s=2, has_audio=True)


def encode(path: Path, spec: ClipSpec = SPEC) -> bytes:
    picture = np.full((spec.height * 3 // 2, spec.width), 128, np.uint8)

    def pictures() -> object:
        for number in range(spec.frames):
            picture[10:40, 10:60] = np.random.default_rng(number).integers(16, 235, (30, 50))
            yield picture

    encode_clip(spec, pictures(), 330.0, path)  # type: ignore[arg-type]
    return path.read_bytes()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return encode(tmp_path_factory.mktemp("media") / "clip.mp4")


def check(folder: Path, data: bytes) -> Probe:
    path = folder / "candidate.mp4"
    path.write_bytes(data)
    return check_clip(path)


def boxes(data: bytes) -> list[tuple[bytes, int, int]]:
    found, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4])
        found.append((data[at + 4 : at + 8], at, size))
        at += size
    return found


def test_a_whole_clip_is_probed(tmp_path: Path, clip: bytes) -> None:
    assert check(tmp_path, clip) == Probe(
        duration_s=2.0,
        width=128,
        height=96,
        fps=30.0,
        frames=60,
        has_audio=True,
    )


def test_a_silent_clip_has_no_audio(tmp_path: Path) -> None:
    probe = check(tmp_path, encode(tmp_path / "silent.mp4", ClipSpec(64, 64, 30, 1, has_audio=False)))
    assert (probe.has_audio, probe.frames, probe.duration_s) == (False, 30, 1.0)


def test_the_index_of_a_clip_comes_first(clip: bytes) -> None:
    assert [kind for kind, _, _ in boxes(clip)] == [b"ftyp", b"moov", b"free", b"mdat"]


def test_the_same_pictures_give_the_same_bytes(tmp_path: Path, clip: bytes) -> None:
    assert hashlib.sha256(encode(tmp_path / "again.mp4")).digest() == hashlib.sha256(clip).digest()


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.9, 0.999])
def test_a_clip_cut_short_is_refused(tmp_path: Path, clip: bytes, share: float) -> None:
    with pytest.raises(MediaInvalid, match=r"cut short|no MP4"):
        check(tmp_path, clip[: int(len(clip) * share)])


def without(data: bytes, kind: bytes) -> bytes:
    return b"".join(data[at : at + size] for each, at, size in boxes(data) if each != kind)


def png() -> bytes:
    return b"\x89PNG\r\n\x1a\n" + bytes(500)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda _: b"", "empty"),
        (lambda _: b"x", "cut short"),
        (lambda _: b"<html>Sign in</html>" * 9, "no MP4|past the end"),
        (lambda _: png(), "no MP4|past the end"),
        (lambda clip: without(clip, b"ftyp"), "does not begin with an ftyp"),
        (lambda clip: without(clip, b"moov"), "moov"),
        (lambda clip: without(clip, b"mdat"), "mdat"),
        (lambda clip: clip + b"\0\0\0\x07free", "smaller than its own header"),
        (lambda clip: clip + b"abc", "cut off at byte"),
        (lambda clip: clip + b"\0\0\0\x01free\0\0\0", "cut off at byte"),
        (lambda clip: clip + b"\0\0\0\x01free" + (2**62).to_bytes(8), "past the end"),
        (lambda clip: clip + b"\0\0\0\x08free" * (BOX_LIMIT + 1), "more than 10000 boxes"),
    ],
)
def test_what_is_no_whole_clip_is_refused(tmp_path: Path, clip: bytes, spoil: object, reason: str) -> None:
    with pytest.raises(MediaInvalid, match=reason):
        check(tmp_path, spoil(clip))  # type: ignore[operator]


def test_the_last_box_may_reach_to_the_end_and_sizes_may_have_64_bits(tmp_path: Path, clip: bytes) -> None:
    open_ended = bytearray(clip)
    kind, at, _ = boxes(clip)[-1]
    open_ended[at : at + 4] = bytes(4)
    wide = clip + b"\0\0\0\x01free" + (24).to_bytes(8) + bytes(8)
    padded = clip + bytes(5)
    probes = [check(tmp_path, data) for data in (bytes(open_ended), wide, padded)]
    assert (kind, [probe.frames for probe in probes]) == (b"mdat", [60, 60, 60])


def test_a_clip_whose_last_second_is_blank_is_refused(tmp_path: Path, clip: bytes) -> None:
    _, at, size = boxes(clip)[-1]
    blanked = clip[: at + size // 2] + bytes(size - size // 2)
    with pytest.raises(MediaInvalid):
        check(tmp_path, blanked)


def test_a_clip_with_sound_alone_is_refused(tmp_path: Path) -> None:
    import av

    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=48_000)
        stream.layout = "mono"  # type: ignore[union-attr]
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 48_000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48_000
        container.mux(stream.encode(frame))  # type: ignore[union-attr]
        container.mux(stream.encode(None))  # type: ignore[union-attr]
    with pytest.raises(MediaInvalid, match="no video track"):
        check_clip(path)


def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        check_clip(tmp_path / "none.mp4")


@pytest.mark.long
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cut=st.floats(0, 1),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8),
    in_index=st.booleans(),
)
def test_whatever_the_bytes_only_media_invalid_escapes(
    tmp_path: Path, clip: bytes, cut: float, flips: list[tuple[float, int]], in_index: bool
) -> None:
    data = bytearray(clip if in_index else clip[: int(len(clip) * cut)])
    reach = boxes(clip)[2][1] if in_index else len(data)
    for where, value in flips:
        if data:
            data[int(where * reach)] = value
    clip_path, poster = tmp_path / "fuzzed.mp4", tmp_path / "fuzzed.jpg"
    clip_path.write_bytes(data)
    poster.unlink(missing_ok=True)
    is_refused = False
    try:
        check_clip(clip_path)
        write_poster(clip_path, poster)
    except MediaInvalid:
        is_refused = True
    assert (poster.exists(), clip_path.read_bytes()) == (not is_refused, data)


@pytest.mark.parametrize(
    ("size", "expected"), [((1280, 720), (480, 270)), ((480, 832), (277, 480)), ((128, 96), (128, 96))]
)
def test_a_poster_is_a_small_jpeg_of_the_clips_shape(
    tmp_path: Path, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    encode(tmp_path / "clip.mp4", ClipSpec(*size, fps=10, duration_s=1, has_audio=False))
    write_poster(tmp_path / "clip.mp4", tmp_path / "poster.jpg")
    with Image.open(tmp_path / "poster.jpg") as poster:
        assert (poster.format, poster.size, sorted(path.name for path in tmp_path.iterdir())) == (
            "JPEG",
            expected,
            ["clip.mp4", "poster.jpg"],
        )


@pytest.mark.parametrize(
    ("moment", "number"),
    [("first", 0), ("0ms", 0), ("32ms", 0), ("33ms", 1), ("1000ms", 30), ("1966ms", 58), ("9000ms", 59), ("last", 59)],
)
def test_a_frame_is_the_one_that_is_shown_then_to_the_pixel(
    moment: str, number: int, tmp_path: Path, clip: bytes
) -> None:
    (tmp_path / "clip.mp4").write_bytes(clip)
    with av.open(io.BytesIO(clip)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    with Image.open(io.BytesIO(draw_frame(tmp_path / "clip.mp4", moment))) as picture:
        assert (picture.format, np.array_equal(np.asarray(picture), frames[number])) == ("PNG", True)


def test_a_frame_that_is_too_large_to_be_sent_is_refused(tmp_path: Path, clip: bytes) -> None:
    (tmp_path / "clip.mp4").write_bytes(clip)
    with pytest.raises(MediaInvalid, match=r"as a PNG it is [0-9.]+ KiB; at most 100 bytes can be sent"):
        draw_frame(tmp_path / "clip.mp4", "last", bytes_max=100)


def test_a_poster_of_no_clip_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(png())
    with pytest.raises(MediaInvalid):
        write_poster(tmp_path / "clip.mp4", tmp_path / "poster.jpg")
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_a_poster_that_cannot_be_written_leaves_no_part(
    tmp_path: Path, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object, part: Path, *__: object, **___: object) -> None:
        part.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    (tmp_path / "clip.mp4").write_bytes(clip)
    with pytest.raises(OSError, match="No space"):
        write_poster(tmp_path / "clip.mp4", tmp_path / "poster.jpg")
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]
