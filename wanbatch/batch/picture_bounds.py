"""The bounds of pictures: what of a picture is outside of what its model's vendor documents. Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from wanbatch.batch.given_files import FileKind, GivenFile
from wanbatch.batch.input_fields import Bounds
from wanbatch.units import size_text

_PNG_HEAD = 24  # bytes until the end of width and height


def doubt_about_png(head: bytes, size_bytes: int, bounds: Bounds) -> str:
    """Say what may keep a model from taking a picture without transparency; `head` is how its PNG begins."""
    if len(head) < _PNG_HEAD:
        return ""
    width, height = struct.unpack(">II", head[16:24])  # of the IHDR chunk, which is the first
    told = GivenFile("", "", FileKind.PICTURE, "PNG", size_bytes, width, height)
    return ", and ".join(doubts_about(told, bounds, has_alpha=False))


def doubts_about(file: GivenFile, bounds: Bounds, *, has_alpha: bool) -> Iterator[str]:
    """Yield what may keep a model from taking a picture, worded to follow its name."""
    if file.kind is not FileKind.PICTURE:
        return
    size = f"is {file.width}x{file.height} pixels"
    short, long = sorted((file.width, file.height))
    if bounds.side_max is not None and long > bounds.side_max:
        yield f"{size}, but the documented maximum is {bounds.side_max} pixels a side"
    if bounds.side_min is not None and short < bounds.side_min:
        yield f"{size}, but the documented minimum is {bounds.side_min} pixels a side"
    if bounds.bytes_max is not None and file.size_bytes > bounds.bytes_max:
        yield f"is {size_text(file.size_bytes)}, but the documented maximum is {size_text(bounds.bytes_max)}"
    if has_alpha and not bounds.takes_alpha:
        yield "is transparent in places, but only opaque pictures are documented"
