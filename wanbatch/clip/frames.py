"""Frames of a checked clip: its poster, and the exact frame at a moment."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any, BinaryIO

from av.container import InputContainer
from av.video.frame import VideoFrame
from PIL import Image

from wanbatch.clip.bounds import PIXELS_MAX
from wanbatch.clip.check import TAIL_S, duration_of, frames_from, judged, opened, video_of
from wanbatch.clip.given import FILE_BYTES_MAX
from wanbatch.disk import replacing
from wanbatch.errors import MediaInvalid
from wanbatch.units import size_text

SAME_TIME_S = 0.0005  # half of the finest step in which a manifest says a time
POSTER_LONG_SIDE_PX = 480
POSTER_AT = 0.4  # of the duration: past a fade-in, before an end card
_JPEG: dict[str, Any] = {"quality": 82, "optimize": True}


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


def _frame_at(container: InputContainer, share: float) -> VideoFrame:
    wanted_s = duration_of(container, video_of(container)) * share
    best: VideoFrame | None = None
    for at_s, frame in frames_from(container, wanted_s):
        best = frame
        if at_s >= wanted_s:
            break
    if best is None:
        raise MediaInvalid("the clip has no frame to show")
    return best


def _frame_of(container: InputContainer, moment: str) -> VideoFrame:
    """Return the frame at a moment: at a time, the last one that begins before it."""
    ends_s = {"first": (0.0, 0.0), "last": (duration_of(container, video_of(container)), math.inf)}
    near_s, until_s = ends_s[moment] if moment in ends_s else (float(moment.removesuffix("ms")) / 1000,) * 2
    best: VideoFrame | None = None
    for begin_s, frame in frames_from(container, max(0.0, near_s - TAIL_S)):
        if best is not None and begin_s > until_s + SAME_TIME_S:
            break
        best = frame
    if best is None:
        raise MediaInvalid("no frame of the clip can be decoded there")
    return best
