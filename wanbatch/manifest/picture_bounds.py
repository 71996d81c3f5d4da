"""The bounds of pictures: what of a picture is outside of what its model's vendor documents. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from wanbatch.batch.given_files import FileKind, GivenFile
from wanbatch.batch.input_fields import Bounds
from wanbatch.units import size_text


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
