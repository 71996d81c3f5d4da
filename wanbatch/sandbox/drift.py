"""Drift: a clip that shows the picture it was given to its end, a little worse from its first frame to its last."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter

from wanbatch.clip.encoding import ClipSpec, encode_clip
from wanbatch.sandbox.models import FPS, Made
from wanbatch.sandbox.slate import share_of, tone_of, yuv_of

BLUR_PX = 0.5  # at 720 lines: what is lost of the details in a first frame, and three times as much at the end
CONTRAST = 0.96  # what is left of the contrast in a first frame, and its third power at the end
WARMER = 4  # levels that red gains and blue loses in a first frame, and twice as many at the end
FLICKER = 4  # levels: more than an encoder makes of a still on its own


def render_drifting(generation_id: str, picture: Image.Image, made: Made, target: Path) -> None:
    """Write the clip: it begins a little worse than the picture, and becomes worse. Slow; deterministic.

    Two generations from one picture sound and flicker each in its own way: no two clips of a provider are the same.
    """
    spec = ClipSpec(made.width, made.height, FPS, made.duration_s, made.has_audio)
    begin, end = (yuv_of(_worse(picture, steps)).astype(np.float32) for steps in (1, 3))
    share = share_of(generation_id)
    encode_clip(spec, _fading(spec, begin, end, flickers_hz=1 + share), tone_of(share), target)


def _worse(picture: Image.Image, steps: int) -> Image.Image:
    blurred = picture.convert("RGB").filter(ImageFilter.GaussianBlur(BLUR_PX * steps * min(picture.size) / 720))
    red, green, blue = ImageEnhance.Contrast(blurred).enhance(CONTRAST**steps).split()
    gain = WARMER * (steps + 1) // 2
    return Image.merge("RGB", (red.point(lambda level: level + gain), green, blue.point(lambda level: level - gain)))


def _fading(
    spec: ClipSpec, begin: NDArray[np.float32], end: NDArray[np.float32], flickers_hz: float
) -> Iterator[NDArray[np.uint8]]:
    """Yield the frames; their brightness flickers, as a clip must move."""
    change, shown = end - begin, np.empty_like(begin)  # one array for all frames: to allocate is half of the time
    for number in range(spec.frames):
        np.multiply(change, np.float32(number / max(1, spec.frames - 1)), out=shown)
        shown += begin
        shown[: spec.height] += np.float32(FLICKER * math.sin(2 * math.pi * flickers_hz * number / spec.fps))
        yield np.clip(np.rint(shown, out=shown), 0, 255, out=shown).astype(np.uint8)
