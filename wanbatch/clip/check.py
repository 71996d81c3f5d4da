"""The check of a clip file: whether it is whole and playable, its probe, and how it is decoded."""

from __future__ import annotations

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

from wanbatch.clip.blame import Blame, blame_for
from wanbatch.clip.bounds import DECODED_PIXELS_MAX, PIXELS_MAX, Track, assert_within
from wanbatch.clip.boxes import walk_boxes
from wanbatch.clip.probe import Probe
from wanbatch.errors import LocalFault, MediaInvalid, ProgramFault, WanbatchError

TAIL_S = 0.5  # how far from the declared end the last frame may be
FRAME_LIMIT = 3_000  # decoded per check: no clip of ours has two minutes from a key frame to the end
MEMORY_PLENTY = 256 * 1024 * 1024  # bytes: more than any clip of ours needs at once
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


def video_of(container: InputContainer) -> VideoStream:
    """Return the video track of an opened clip. Raises MediaInvalid if there is none."""
    if not container.streams.video:
        raise MediaInvalid("the file has no video track")
    return container.streams.video[0]


def _probe(container: InputContainer) -> Probe:
    video = video_of(container)
    duration_s = duration_of(container, video)
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


def duration_of(container: InputContainer, video: VideoStream) -> float:
    """Return how long an opened clip says that it lasts, in seconds."""
    if video.duration is not None and video.time_base is not None:
        return float(video.duration * video.time_base)
    return float((container.duration or 0) / av.time_base)


def frames_from(container: InputContainer, at_s: float) -> Iterator[tuple[float, VideoFrame]]:
    """Decode from the key frame before a time on; yields sound frames with their times in s from the clip's start."""
    video = video_of(container)
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
    for at_s, _ in frames_from(container, duration_s - TAIL_S):
        last_s = max(last_s, at_s)
    if last_s < 0:
        raise MediaInvalid("no frame at the end of the clip can be decoded")
    if last_s < duration_s - TAIL_S - 0.1:  # the last frame is shown for a while
        raise MediaInvalid(f"the clip ends at {last_s:.1f} s; it declares {duration_s:.1f} s")
