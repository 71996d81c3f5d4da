"""A clip: whether it is whole, what a probe says of it, its poster, and how one is encoded."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
import av.error
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from wanbatch.disk import replacing
from wanbatch.errors import MediaInvalid

BOX_LIMIT = 10_000
DEPTH_LIMIT = 8
TAIL_S = 0.5  # how far from the declared end the last frame may be
FRAME_LIMIT = 3_000  # decoded per check: two minutes from a key frame to the end is no clip of ours
POSTER_LONG_SIDE_PX = 480
POSTER_AT = 0.4  # of the duration: past a fade-in, before an end card
AUDIO_RATE_HZ = 48_000
TONE_LEVEL = 0.1  # -20 dBFS, as line-up tones are
_PARENTS = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf", b"mvex"})


@dataclass(frozen=True)
class Probe:
    """What a clip says of itself. `frames` is None where the file does not count them."""

    duration_s: float
    width: int
    height: int
    fps: float
    frames: int | None
    has_audio: bool
    video_codec: str
    audio_codec: str | None


def check_clip(path: Path) -> Probe:
    """Prove that a file is a whole, playable MP4 and return its probe. Slow: run it off the event loop.

    A file cut in half still declares its full duration and frame count, hence the walk over its boxes and the
    decoding of its end. Raises MediaInvalid with the reason, OSError where the file cannot be read.
    """
    with path.open("rb") as stream:
        _walk_boxes(stream, os.fstat(stream.fileno()).st_size)
    with opened(path) as container:
        probe = _probe(container)
        _decode_end(container, probe.duration_s)
    return probe


def write_poster(clip: Path, poster: Path) -> None:
    """Write a JPEG of one frame of a checked clip. Raises MediaInvalid, or OSError where the disk fails."""
    with opened(clip) as container:
        picture = _frame_at(container, POSTER_AT).to_image()  # type: ignore[no-untyped-call]
    picture.thumbnail((POSTER_LONG_SIDE_PX, POSTER_LONG_SIDE_PX))
    with replacing(poster) as part:
        picture.save(part, "JPEG", quality=82, optimize=True)


# --- boxes -----------------------------------------------------------------------------------------------------------


def _walk_boxes(stream: BinaryIO, size_bytes: int) -> None:
    """Read the headers of the boxes, outer ones and those that hold the tables. Raises MediaInvalid."""
    if size_bytes == 0:
        raise MediaInvalid("the file is empty")
    outer: list[bytes] = []
    spans = [(0, size_bytes, 1)]
    count = 0
    while spans:
        at, end, depth = spans.pop()
        while at < end:
            count += 1
            if count > BOX_LIMIT:
                raise MediaInvalid(f"the file has more than {BOX_LIMIT} boxes")
            kind, body_at, next_at = _read_box(stream, at, end)
            if depth == 1:
                if not outer and kind != b"ftyp":
                    raise MediaInvalid("the file is no MP4: it does not begin with an ftyp box")
                outer.append(kind)
            if kind in _PARENTS and depth < DEPTH_LIMIT:
                spans.append((body_at, next_at, depth + 1))
            at = next_at
    for needed, holds in ((b"moov", "its index"), (b"mdat", "its pictures")):
        if needed not in outer:
            raise MediaInvalid(f"the file is cut short: the {needed.decode()} box with {holds} is missing")


def _read_box(stream: BinaryIO, at: int, end: int) -> tuple[bytes, int, int]:
    """Return a box's kind, where its body begins and where the next box does; offsets in bytes from the start."""
    stream.seek(at)
    header = stream.read(min(16, end - at))
    if len(header) < 8:
        if not any(header):  # padding
            return b"free", end, end
        raise MediaInvalid(f"the file is cut short: a box header is broken off at byte {at}")
    size_bytes, kind, header_bytes = int.from_bytes(header[:4]), header[4:8], 8
    if size_bytes == 1:
        if len(header) < 16:
            raise MediaInvalid(f"the file is cut short: a box header is broken off at byte {at}")
        size_bytes, header_bytes = int.from_bytes(header[8:16]), 16
    elif size_bytes == 0:
        size_bytes = end - at
    if size_bytes < header_bytes:
        raise MediaInvalid(f"the file is no sound MP4: the box at byte {at} is smaller than its own header")
    if at + size_bytes > end:
        name = kind.decode("ascii", "backslashreplace")
        missing = at + size_bytes - end
        raise MediaInvalid(f"the file is cut short: its {name} box runs {missing} bytes past the end")
    return kind, at + header_bytes, at + size_bytes


# --- decoding --------------------------------------------------------------------------------------------------------


@contextmanager
def opened(clip: Path | BinaryIO) -> Iterator[InputContainer]:
    """Open a clip for reading; whatever FFmpeg or PyAV makes of odd bytes becomes MediaInvalid."""
    with clip.open("rb") if isinstance(clip, Path) else nullcontext(clip) as stream:
        try:
            # The format is named, so that no bytes can pass for a playlist that points elsewhere.
            with av.open(stream, "r", format="mp4", metadata_errors="replace") as container:
                for each in container.streams.video:
                    each.codec_context.thread_count = 1
                yield container
        except MediaInvalid:
            raise
        except (av.error.FFmpegError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise MediaInvalid(f"the clip cannot be decoded: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    if not isinstance(error, av.error.FFmpegError):  # PyAV tripping over a track that has no decoder, and the like
        return "its index makes no sense"
    return str(error.strerror or error)[:200]


def _video_of(container: InputContainer) -> VideoStream:
    if not container.streams.video:
        raise MediaInvalid("the file has no video track")
    return container.streams.video[0]


def _probe(container: InputContainer) -> Probe:
    video = _video_of(container)
    duration_s = _duration_s(container, video)
    if not 0 < duration_s < 86_400:
        raise MediaInvalid(f"the clip declares a duration of {duration_s:g} s")
    width, height = video.codec_context.width, video.codec_context.height
    if width < 1 or height < 1:
        raise MediaInvalid("the clip declares no frame size")
    sounds = container.streams.audio
    return Probe(
        duration_s=duration_s,
        width=width,
        height=height,
        fps=float(video.average_rate or video.guessed_rate or 0),
        frames=video.frames if video.frames > 0 else None,
        has_audio=len(sounds) > 0,
        video_codec=video.codec_context.name,
        audio_codec=sounds[0].codec_context.name if len(sounds) > 0 else None,
    )


def _duration_s(container: InputContainer, video: VideoStream) -> float:
    if video.duration is not None and video.time_base is not None:
        return float(video.duration * video.time_base)
    return float((container.duration or 0) / av.time_base)


def _frames_from(container: InputContainer, at_s: float) -> Iterator[tuple[float, VideoFrame]]:
    """Decode from the key frame before a time on; yields sound frames with their times in s from the clip's start."""
    video = _video_of(container)
    time_base = video.time_base or Fraction(1, av.time_base)
    zero = video.start_time or 0
    container.seek(zero + max(0, int(at_s / time_base)), stream=video, backward=True)
    for count, frame in enumerate(container.decode(video)):
        if count >= FRAME_LIMIT:
            raise MediaInvalid(f"the clip has more than {FRAME_LIMIT} frames between a key frame and its end")
        if frame.pts is not None and not frame.is_corrupt:
            yield float((frame.pts - zero) * time_base), frame


def _decode_end(container: InputContainer, duration_s: float) -> None:
    last_s = -1.0
    for at_s, _ in _frames_from(container, duration_s - TAIL_S):
        last_s = max(last_s, at_s)
    if last_s < 0:
        raise MediaInvalid("not one frame of the clip's end can be decoded")
    if last_s < duration_s - TAIL_S - 0.1:  # the last frame is itself shown for a while
        raise MediaInvalid(f"the clip ends at {last_s:.1f} s; it declares {duration_s:.1f} s")


def _frame_at(container: InputContainer, share: float) -> VideoFrame:
    wanted_s = _duration_s(container, _video_of(container)) * share
    best: VideoFrame | None = None
    for at_s, frame in _frames_from(container, wanted_s):
        best = frame
        if at_s >= wanted_s:
            break
    if best is None:
        raise MediaInvalid("the clip has no frame to show")
    return best


# --- encoding --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ClipSpec:
    """What a clip should be: even width and height in pixels, frames a second, seconds, and whether it has sound."""

    width: int
    height: int
    fps: int
    duration_s: int
    has_audio: bool

    @property
    def frames(self) -> int:
        """How many frames it has."""
        return self.fps * self.duration_s


def encode_clip(spec: ClipSpec, pictures: Iterable[NDArray[np.uint8]], tone_hz: float, target: Path) -> None:
    """Encode a clip: H.264 with the index in front, AAC with a tone where sound is wanted.

    A picture is YUV 4:2:0 as one array of 1.5 times the height by the width, the colour planes after the
    brightness. It is copied before the next is asked for, so one array may be painted over and over.
    The same arguments give the same bytes. The interpreter is free for other threads while a frame is encoded.
    """
    with av.open(
        str(target), "w", format="mp4", options={"movflags": "+faststart", "fflags": "+bitexact"}
    ) as container:
        video = _add_video(container, spec)
        audio = _add_audio(container) if spec.has_audio else None
        frame = VideoFrame(spec.width, spec.height, "yuv420p")
        frame.time_base = Fraction(1, spec.fps)
        planes = planes_within(frame)
        for number, picture in enumerate(pictures):
            _copy(picture, planes)
            frame.pts = number
            container.mux(video.encode(frame))  # x264 copies the picture before it returns, so one frame will do
            if audio is not None and number % spec.fps == 0:
                container.mux(audio.encode(_tone(tone_hz, number // spec.fps)))
        container.mux(video.encode(None))
        if audio is not None:
            container.mux(audio.encode(None))


def planes_within(frame: VideoFrame) -> list[NDArray[np.uint8]]:
    """Return the planes of a frame as views: writing into them changes the frame."""
    return [
        np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
        for plane in frame.planes
    ]


def _copy(picture: NDArray[np.uint8], planes: list[NDArray[np.uint8]]) -> None:
    flat, at = picture.reshape(-1), 0
    for plane in planes:
        plane[:] = flat[at : at + plane.size].reshape(plane.shape)
        at += plane.size


def _add_video(container: OutputContainer, spec: ClipSpec) -> VideoStream:
    video = container.add_stream("libx264", rate=spec.fps)
    video.width, video.height, video.pix_fmt = spec.width, spec.height, "yuv420p"
    # A fixed quantiser: a rate to be kept would make x264 study every frame twice.
    video.options = {"preset": "ultrafast", "qp": "26", "x264-params": "threads=1:keyint=60:colormatrix=smpte170m"}
    video.codec_context.thread_count = 1  # the bytes must not depend on the number of cores
    return video


def _add_audio(container: OutputContainer) -> AudioStream:
    audio = container.add_stream("aac", rate=AUDIO_RATE_HZ)
    audio.layout, audio.bit_rate = "mono", 48_000
    audio.options = {"aac_coder": "fast"}
    return audio


def _tone(tone_hz: float, second: int) -> AudioFrame:
    """Return one second of a tone; it fits onto the second before."""
    turns = (second + np.arange(AUDIO_RATE_HZ) / AUDIO_RATE_HZ) * tone_hz
    samples = (TONE_LEVEL * np.sin(2 * np.pi * turns)).astype(np.float32)[np.newaxis, :]
    frame = AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
    frame.sample_rate, frame.pts = AUDIO_RATE_HZ, second * AUDIO_RATE_HZ
    frame.time_base = Fraction(1, AUDIO_RATE_HZ)
    return frame
