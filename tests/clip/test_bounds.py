"""What a clip may ask of the machine: it is refused before FFmpeg opens it where it asks for more."""

from __future__ import annotations

import io
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from wanbatch.clip import check
from wanbatch.clip.bounds import EDITS_MAX, PIXELS_MAX, SAMPLES_MAX, TRACKS_MAX, Track, assert_within
from wanbatch.clip.boxes import walk_boxes
from wanbatch.clip.check import check_clip, opened
from wanbatch.clip.encoding import ClipSpec, encode_clip
from wanbatch.clip.frames import draw_poster
from wanbatch.clip.index import assert_plain
from wanbatch.clip.measuring import Reach, look_at
from wanbatch.errors import MediaInvalid


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return (8 + len(body)).to_bytes(4) + kind + body


def long_box(kind: bytes, *parts: bytes) -> bytes:
    """The same with its size in eight bytes."""
    body = b"".join(parts)
    return (1).to_bytes(4) + kind + (16 + len(body)).to_bytes(8) + body


def number(*values: int) -> bytes:
    return b"".join(each.to_bytes(4) for each in values)


def references(*entries: bytes) -> bytes:
    return number(0, len(entries)) + b"".join(entries)


WITHIN = box(b"url ", number(1))
OUTSIDE = box(b"url ", number(0), b"file:///etc/passwd\0")
ALIAS = box(b"alis", number(0), bytes(200))
ELSEWHERE = "the clip refers to video or sound in another file"
BROKEN = "the clip's list of its media files is cut short"
MANY = f"the clip declares more than {SAMPLES_MAX} samples of video and sound"
LARGE = "the clip's picture is 16000x16000; at most 36 million pixels (8K) can be decoded"


def objection_to(index: bytes) -> str | None:
    try:
        assert_plain(index)
    except MediaInvalid as error:
        return str(error)
    return None


def track_header(width: int, height: int, version: int) -> bytes:
    return box(b"tkhd", bytes([version]) + bytes(87 if version else 75), number(width << 16, height << 16))


def clip(width: int = 64, height: int = 48) -> bytes:
    made = io.BytesIO()
    spec = ClipSpec(width, height, fps=10, duration_s=1, has_audio=True)
    picture = np.full((height * 3 // 2, width), 128, np.uint8)
    encode_clip(spec, (picture for _ in range(spec.frames)), 440.0, made)
    return made.getvalue()


@pytest.fixture(scope="module")
def whole() -> bytes:
    return clip()


@pytest.mark.parametrize(
    ("index", "said"),
    [
        (box(b"dref", references(OUTSIDE)), ELSEWHERE),
        (box(b"dref", references(WITHIN, OUTSIDE)), ELSEWHERE),
        (box(b"dref", references(ALIAS)), ELSEWHERE),
        (box(b"dref", references(box(b"alis", number(1)))), ELSEWHERE),
        (box(b"dref", references(box(b"urn ", number(0), b"urn:x\0"))), ELSEWHERE),
        (box(b"dref", references(box(b"rsrc", number(1)))), ELSEWHERE),
        (long_box(b"dref", references(OUTSIDE)), ELSEWHERE),
        ((0).to_bytes(4) + b"dref" + references(OUTSIDE), ELSEWHERE),
        (box(b"moov", box(b"udta", box(b"wave", box(b"dref", references(OUTSIDE))))), ELSEWHERE),
        (box(b"free", box(b"moov", box(b"dref", references(ALIAS)))), ELSEWHERE),
        (box(b"moov", box(b"rmra", box(b"rmda", box(b"rdrf", number(0))))), ELSEWHERE),
        (box(b"dref", number(0, 2), WITHIN), BROKEN),
        (box(b"dref", number(0, 1), number(999), b"url ", number(1)), BROKEN),
        (box(b"dref", number(0, 2**32 - 1), WITHIN), BROKEN),
        (box(b"moov", box(b"cmov", box(b"dcom", b"zlib"))), "the clip's index is compressed"),
        (track_header(16_000, 16_000, 0), LARGE),
        (track_header(16_000, 16_000, 1), LARGE),
        (box(b"stsz", number(0, 100, SAMPLES_MAX + 1)), MANY),
        (box(b"stz2", number(0, 8, SAMPLES_MAX + 1)), MANY),
        (box(b"stts", number(0, 1, SAMPLES_MAX + 1, 1)), MANY),
        (box(b"stts", number(0, 2, SAMPLES_MAX, 1, 1, 1)), MANY),
        (box(b"ctts", number(0, 1, 2**31, 1)), MANY),
        (box(b"stsc", number(0, 1, 1, 2**31, 1)), MANY),
        (box(b"moof", box(b"traf", box(b"trun", number(0, SAMPLES_MAX + 1)))), MANY),
        (box(b"trun", number(0, SAMPLES_MAX // 2)) * 3, MANY),
        (
            box(b"elst", number(0, EDITS_MAX + 1)),
            f"a track of the clip is assembled from more than {EDITS_MAX} parts",
        ),
        (box(b"stts", box(b"stts", box(b"stts", number(0, 0, 0)))), "the clip's index has tables within tables"),
    ],
)
def test_an_index_that_asks_for_too_much_is_refused(index: bytes, said: str) -> None:
    assert objection_to(index) == said


@pytest.mark.parametrize(
    "index",
    [
        b"",
        b"dref",
        b"a prompt that says dref, cmov and rmra",
        box(b"dref", references(WITHIN, WITHIN)),
        box(b"dref", references(box(b"url ", bytes([7]), (0x000003).to_bytes(3)))),
        box(b"dref"),
        track_header(7680, 4320, 0),
        track_header(0, 0, 1),
        box(b"tkhd"),
        box(b"cmov", number(0)),
        box(b"stsz", number(0, 4, 15 * 48_000)) + box(b"stts", number(0, 1, 15 * 48_000, 1)),
        box(b"stts", number(0, 2**32 - 1)),
        box(b"stsc", number(0)),
        box(b"elst", number(0, 2)),
    ],
)
def test_an_index_that_a_clip_may_have_is_let_through(index: bytes) -> None:
    assert objection_to(index) is None


def test_a_clip_that_refers_elsewhere_is_never_opened(
    whole: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    inner = whole.index(b"url \x00\x00\x00\x01")
    hostile = whole[:inner] + b"url \x00\x00\x00\x00" + whole[inner + 8 :]
    (tmp_path / "clip.mp4").write_bytes(hostile)
    said = []
    monkeypatch.setattr(check.av, "open", lambda *_, **__: pytest.fail("FFmpeg was asked to open it"))
    for use in (check_clip, look_at, draw_poster, lambda path: opened(path).__enter__()):
        with pytest.raises(MediaInvalid) as raised:
            use(tmp_path / "clip.mp4")
        said.append(str(raised.value))
    assert said == [ELSEWHERE] * 4


def test_bytes_that_look_like_a_reference_among_the_pictures_do_no_harm(whole: bytes) -> None:
    at = whole.index(b"mdat") - 4
    size = int.from_bytes(whole[at : at + 4])
    more = box(b"dref", references(OUTSIDE))
    grown = whole[:at] + (size + len(more)).to_bytes(4) + whole[at + 4 : at + size] + more + whole[at + size :]
    assert walk_boxes(io.BytesIO(grown)) == {b"avc1", b"mp4a"}


def test_too_much_beside_the_pictures_is_not_even_read(whole: bytes) -> None:
    with pytest.raises(MediaInvalid, match="the file has more than 1 MiB besides its video and sound"):
        walk_boxes(io.BytesIO(whole + box(b"free", bytes(2**20))), index_bytes_max=2**20)


@pytest.mark.parametrize(
    ("tracks", "count", "said"),
    [
        ([Track(7680, 4320)], 1, ""),
        ([Track(4320, 7680), Track(channels=8, rate_hz=192_000)], TRACKS_MAX, ""),
        ([Track(16_000, 16_000)], 1, LARGE),
        (
            [Track(1, PIXELS_MAX + 1)],
            1,
            "the clip's picture is 1x35651585; at most 36 million pixels (8K) can be decoded",
        ),
        ([], TRACKS_MAX + 1, f"the clip has {TRACKS_MAX + 1} tracks; wanbatch opens at most {TRACKS_MAX}"),
        (
            [Track(channels=64, rate_hz=48_000)],
            1,
            "the clip's sound has 64 channels at 48000 Hz; wanbatch decodes at most 16 at 192000 Hz",
        ),
        (
            [Track(channels=1, rate_hz=10**6)],
            1,
            "the clip's sound has 1 channels at 1000000 Hz; wanbatch decodes at most 16 at 192000 Hz",
        ),
    ],
)
def test_what_tracks_declare_is_bounded(tracks: list[Track], count: int, said: str) -> None:
    try:
        assert_within(tracks, count)
        told = ""
    except MediaInvalid as error:
        told = str(error)
    assert told == said


class TestInTheDecoder:
    """A picture whose size no header tells is bounded by the decoder. The bound is low here, for speed."""

    LOW = 100 * 100

    def test_the_pictures_are_not_decoded_while_the_file_is_opened_nor_after(self) -> None:
        large = clip(640, 480)
        uses = (
            lambda file: check_clip(file, pixels_max=self.LOW),
            lambda file: look_at(file, Reach(pixels=self.LOW)),
            lambda file: draw_poster(file, pixels_max=self.LOW),
        )
        for use in uses:
            with pytest.raises(MediaInvalid):
                use(io.BytesIO(large))
        assert check_clip(io.BytesIO(large)).width == 640

    def test_a_size_that_changes_in_mid_stream_is_bounded(self, tmp_path: Path) -> None:
        path = tmp_path / "clip.mp4"
        spliced(path)
        sizes = []
        with opened(path, pixels_max=self.LOW) as container, suppress(av.error.FFmpegError):
            frames = container.decode(container.streams.video[0])
            sizes.extend((frame.width, frame.height) for frame in frames)
        assert sizes == [(64, 48)] * 5


def spliced(path: Path) -> None:
    """Write a clip whose pictures grow from 64x48 to 640x480 after the fifth, as its packets alone tell."""

    def coded(width: int, height: int) -> list[av.Packet]:
        coder = av.CodecContext.create("libx264", "w")
        assert isinstance(coder, av.VideoCodecContext)
        coder.width, coder.height, coder.pix_fmt = width, height, "yuv420p"
        coder.time_base, coder.options = Fraction(1, 10), {"tune": "zerolatency"}
        packets: list[av.Packet] = []
        for at in range(5):
            frame = av.VideoFrame(width, height, "yuv420p")
            frame.pts = at
            packets += coder.encode(frame)
        return packets + list(coder.encode(None))

    small, large = coded(64, 48), coded(640, 480)
    with av.open(str(path), "w", format="mp4") as made:
        stream = made.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for at, packet in enumerate([*small, *large]):
            packet.stream = stream
            packet.pts = packet.dts = at
            packet.time_base = Fraction(1, 10)
            made.mux(packet)
