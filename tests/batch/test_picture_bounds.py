"""The bounds of pictures: what a PNG says of itself, and what of that is outside of what is documented."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from wanbatch.batch.input_fields import NO_BOUNDS, Bounds
from wanbatch.batch.picture_bounds import doubt_about_png

BOUNDS = Bounds(side_min=360, side_max=2000, bytes_max=1_000_000)


@pytest.mark.parametrize(
    ("size", "size_bytes", "bounds", "doubt"),
    [
        ((1280, 720), 1_000_000, BOUNDS, ""),
        ((3000, 300), 2_000_000, NO_BOUNDS, ""),
        ((2400, 720), 1_000, BOUNDS, "is 2400x720 pixels, but the documented maximum is 2000 pixels a side"),
        ((400, 320), 1_000, BOUNDS, "is 400x320 pixels, but the documented minimum is 360 pixels a side"),
        ((1280, 720), 2_000_000, BOUNDS, "is 1.9 MiB, but the documented maximum is 977 KiB"),
    ],
)
def test_a_png_is_compared_with_what_is_documented(
    size: tuple[int, int], size_bytes: int, bounds: Bounds, doubt: str
) -> None:
    made = io.BytesIO()
    Image.new("RGB", size).save(made, "PNG")
    assert doubt_about_png(made.getvalue()[:24], size_bytes, bounds) == doubt


def test_what_is_no_png_is_not_judged() -> None:
    assert doubt_about_png(b"a frame", 7, BOUNDS) == ""
