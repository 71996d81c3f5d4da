"""A clip file: whether it is whole, its probe, its poster, and how it is decoded."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, cast

import av
import av.codec.codec
import av.error
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from wanbatch.clip.blame import Blame, blame_for
from wanbatch.clip.bounds import DECODED_PIXELS_MAX, PIXELS_MAX, Track, assert_within
from wanbatch.clip.boxes import walk_boxes
from wanbatch.clip.given import FILE_BYTES_MAX
from wanbatch.clip.probe import Probe
from wanbatch.disk import replacing
from wanbatch.errors import LocalFault, MediaInvalid, ProgramFault, WanbatchError
from wanbatch.units import size_text

TAIL_S = 0.5  # how far from the declared end the last frame may be
FRAME_LIMIT = 3_000  # decoded per check: no clip of ours has two minutes from a key frame to the end
SAME_TIME_S = 0.0005  # half of the finest step in which a manifest says a time
POSTER_LONG_SIDE_PX = 480
POSTER_AT = 0.4  # of the duration: past a fade-in, before an end card
MEMORY_PLENTY = 256 * 1024 * 1024  # bytes: more than any clip of ours needs at once
_JPEG: dict[str, Any] = {"quality": 82, "optimize": True}
_DECODERS = {
    b"avc1": "h264", b"avc3": "h264", b"hvc1": "hevc", b"hev1": "hevc", b"av01": "av1", b"vp08": "vp8", b"vp09": "vp9",
    b"mp4a": "aac", b"ac-3": "ac3", b"ec-3": "eac3", b"Opus": "opus", b"fLaC": "flac", b"alac": "alac",
}  # fmt: skip
"""Codings that a clip may have, as its tracks name them, with FFmpeg's decoders for them."""


def check_clip(path: Path | BinaryIO, *, pixels_max: int = PIXELS_MAX) -> Probe:
    """Prove that a file is a whole, playable MP4 and return its probe. Slow: run it off the event loop.

    A file cut in half still declares its full duration and frame count, so this walks through its boxes and
    decodes its end. Raises MediaInvalid with the reason, else as `opened` does.
    """
    with opened(path, pixels_max=pixels_max) as container:
        probe = _probe(container)
        _decode_end(container, probe.duration_s)
    return probe


def write_poster(clip: Path, poster: Path) -> None:
    """Write a JPEG of one frame of a checked clip. Raises MediaInvalid, else as `opened` does."""
    picture = draw_poster(clip)
    with replacing(poster) as part, judged("writing a poster"):
        picture.save(part, "JPEG", **_JPEG)


def draw_poster(clip: Path | BinaryIO, *, pixels_max: int = PIXELS_MAX) -> Image.Image:
    """Return one frame of a checked clip, made small. Raises as `write_poster` does."""
    with opened(clip, pixels_max=pixels_max) as container:
        picture: Image.Image = _frame_at(container, POSTER_AT).to_image()  # type: ignore[no-untyped-call]
        picture.thumbnail((POSTER_LONG_SIDE_PX, POSTER_LONG_SIDE_PX))
    return picture


def draw_frame(clip: Path | BinaryIO, moment: str, *, bytes_max: int = FILE_BYTES_MAX) -> bytes:
    """Return the exact frame of a checked clip at a moment, as a PNG with all 8 bits of each colour channel.

    `moment` is `first`, `last`, or the time from the beginning in milliseconds, such as `2500ms`: then it is the frame
    that is shown at that time. Raises as `write_poster` does, also for a PNG of more than `bytes_max`.
    """
    written = io.BytesIO()
    draw_picture(clip, moment).save(written, "PNG")
    if written.tell() > bytes_max:
        raise MediaInvalid(f"as a PNG it is {size_text(written.tell())}; at most {size_text(bytes_max)} can be sent")
    return written.getvalue()


def draw_picture(clip: Path | BinaryIO, moment: str) -> Image.Image:
    """Return the exact frame of a checked clip at a moment. See `draw_frame`."""
    with opened(clip) as container:
        picture: Image.Image = _frame_of(container, moment).to_image()  # type: ignore[no-untyped-call]
    return picture


def jpeg_of(picture: Image.Image) -> bytes:
    """Return a picture as the bytes of a JPEG."""
    written = io.BytesIO()
    picture.save(written, "JPEG", **_JPEG)
    return written.getvalue()


# --- decoding --------------------------------------------------------------------------------------------------------


@contextmanager
def opened(clip: Path | BinaryIO, *, pixels_max: int = PIXELS_MAX) -> Iterator[InputContainer]:
    """Open a clip for reading. FFmpeg's errors about its bytes become MediaInvalid; all others are not the clip's
    fault.

    The index is read first: a clip that refers to other files, or demands more than `bounds` allows, is opened
    by no decoder, and no decoder makes a picture of more than `pixels_max`. Raises MediaInvalid, ProgramFault for an
    error of the program or of its libraries, LocalFault if this machine is out of memory, OSError if the file
    cannot be read.
    """
    careful = {**_CAREFUL, "max_pixels": str(pixels_max)}
    source = clip.open("rb") if isinstance(clip, Path) else nullcontext(clip)
    with source as stream:
        codings = walk_boxes(stream)
        stream.seek(0)
        with judged("reading a clip"), av.open(stream, "r", format="mp4", options=careful, **_LENIENT) as container:
            _assert_decodable(container, codings)
            assert_within([_declared(each) for each in _tracks(container)], len(container.streams))
            for each in container.streams.video:
                each.codec_context.thread_count = 1
                each.codec_context.options = {**each.codec_context.options, "max_pixels": str(pixels_max)}
            yield container


# The format is set above, so that no bytes can pass for a playlist that points elsewhere. No protocol may be used:
# the file is opened by us. `max_pixels`, which is added, holds for the pictures that FFmpeg decodes while it opens it.
_CAREFUL = {"protocol_whitelist": "none", "enable_drefs": "0"}
# Up to PyAV 18 metadata that is not UTF-8 ends the reading by default; later ones ignore it and accept no
# such argument.
_LENIENT: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".", maxsplit=1)[0]) < 19 else {}


@contextmanager
def judged(doing: str) -> Iterator[None]:
    """Translate the errors of media work; `doing` names it as a gerund. See `opened` for the results."""
    try:
        yield
    except WanbatchError:
        raise
    except Exception as error:
        blame = blame_for(error, has_memory=isinstance(error, av.error.MemoryError) and _has_memory())
        if blame is Blame.BYTES:
            said = str(getattr(error, "strerror", None) or error)[:200]
            raise MediaInvalid(f"the clip cannot be decoded: {said}") from error
        if blame is Blame.PROGRAM:
            raise fault_of(doing, error) from error
        if isinstance(error, MemoryError):
            raise LocalFault(f"{doing} failed: this machine is out of memory") from error
        raise


def fault_of(doing: str, error: Exception) -> ProgramFault:
    """Return the error for media work that failed for a reason outside of the media."""
    return ProgramFault(f"{doing} failed in {library()}: {type(error).__name__}: {str(error)[:200]}")


def library() -> str:
    """Return the media library's name and version."""
    return f"PyAV {av.__version__}"


def _has_memory() -> bool:
    try:
        return len(bytearray(MEMORY_PLENTY)) == MEMORY_PLENTY
    except MemoryError:
        return False


def _tracks(container: InputContainer) -> list[VideoStream | AudioStream]:
    return [*container.streams.video, *container.streams.audio]


def _declared(track: VideoStream | AudioStream) -> Track:
    if isinstance(track, AudioStream):
        return Track(channels=track.codec_context.channels, rate_hz=track.codec_context.sample_rate)
    return Track(width=track.codec_context.width, height=track.codec_context.height)


def _assert_decodable(container: InputContainer, codings: frozenset[bytes]) -> None:
    """Raise MediaInvalid for a track in a coding that does not exist, ProgramFault if a decoder is missing here.

    Such a track has no codec context, and some versions of PyAV end the process when they are asked to decode it.
    """
    if all(cast("object | None", each.codec_context) is not None for each in _tracks(container)):  # typed as never None
        return
    for coding in sorted(codings & _DECODERS.keys()):
        if not _has_decoder(_DECODERS[coding]):
            raise ProgramFault(f"{library()} lacks the decoder {_DECODERS[coding]}: the clip may well be intact")
    raise MediaInvalid("the clip cannot be decoded: one of its tracks has an unknown codec")


def _has_decoder(name: str) -> bool:
    try:
        return bool(av.Codec(name, "r").name)
    except av.codec.codec.UnknownCodecError:
        return False


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
    return Probe(
        duration_s=duration_s,
        width=width,
        height=height,
        fps=float(video.average_rate or video.guessed_rate or 0),
        frames=video.frames if video.frames > 0 else None,
        has_audio=len(container.streams.audio) > 0,
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
    pixels = 0
    for count, frame in enumerate(container.decode(video), start=1):
        pixels += frame.width * frame.height
        if count > FRAME_LIMIT or pixels > DECODED_PIXELS_MAX:
            raise MediaInvalid(
                f"the clip has {count} or more frames between a key frame and its end: too many to check"
            )
        if frame.pts is not None and not frame.is_corrupt:
            yield float((frame.pts - zero) * time_base), frame


def _decode_end(container: InputContainer, duration_s: float) -> None:
    last_s = -1.0
    for at_s, _ in _frames_from(container, duration_s - TAIL_S):
        last_s = max(last_s, at_s)
    if last_s < 0:
        raise MediaInvalid("no frame at the end of the clip can be decoded")
    if last_s < duration_s - TAIL_S - 0.1:  # the last frame is shown for a while
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


def _frame_of(container: InputContainer, moment: str) -> VideoFrame:
    """Return the frame at a moment: at a time, the last one that begins before it."""
    ends_s = {"first": (0.0, 0.0), "last": (_duration_s(container, _video_of(container)), math.inf)}
    near_s, until_s = ends_s[moment] if moment in ends_s else (float(moment.removesuffix("ms")) / 1000,) * 2
    best: VideoFrame | None = None
    for begin_s, frame in _frames_from(container, max(0.0, near_s - TAIL_S)):
        if best is not None and begin_s > until_s + SAME_TIME_S:
            break
        best = frame
    if best is None:
        raise MediaInvalid("no frame of the clip can be decoded there")
    return best


# --- encoding --------------------------------------------------------------------------------------------------------
