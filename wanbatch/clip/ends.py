"""The ends of a clip, measured: its first and its last frame, and the frame that it was given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from wanbatch.clip.bounds import assert_size
from wanbatch.clip.frame_measures import LINES, PSNR_MAX_DB, Ends, FrameMeasures
from wanbatch.clip.frames import draw_picture
from wanbatch.errors import MediaInvalid

PEAK = 255.0


def measure_ends(clip: Path, given: Path | None = None, closing: Path | None = None) -> Ends:
    """Measure the ends of a checked clip; `given` is the PNG that it was to begin with, `closing` to end with. Slow.

    Raises MediaInvalid, else as `check.opened` does.
    """
    first = _reduced(draw_picture(clip, "first"))
    last = _reduced(draw_picture(clip, "last"))
    closing_psnr_db = None if closing is None else psnr_db(last, _reduced(_read(closing)))
    ends = Ends(measures_of(first), measures_of(last), closing_psnr_db=closing_psnr_db)
    if given is None:
        return ends
    frame = _reduced(_read(given))
    return replace(ends, given=measures_of(frame), psnr_db=psnr_db(first, frame))


def measures_of(picture: Image.Image) -> FrameMeasures:
    """Measure a picture as it is."""
    luma, cb, cr = (np.asarray(each, np.float32) for each in picture.convert("YCbCr").split())
    return FrameMeasures(_sharpness(luma), _level(luma.std()), _level(cb.mean()), _level(cr.mean()))


def psnr_db(picture: Image.Image, other: Image.Image) -> float:
    """Return the PSNR of two pictures in dB; the second is made as large as the first."""
    fitting = other if other.size == picture.size else other.resize(picture.size, Image.Resampling.BICUBIC)
    one, two = (np.asarray(each, np.float32) for each in (picture, fitting))
    error = float(np.square(one - two).mean())
    return PSNR_MAX_DB if error == 0 else _level(min(PSNR_MAX_DB, 10 * np.log10(PEAK**2 / error)))


def _sharpness(luma: NDArray[np.float32]) -> float:
    if min(luma.shape) < 3:
        return 0.0
    inner = luma[1:-1, 1:-1]
    around = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]
    return _level((around - 4 * inner).var())


def _level(value: Any) -> float:
    return round(float(value), 3)


def _reduced(picture: Image.Image) -> Image.Image:
    """Return a picture in RGB, with at most `LINES` on its shorter side."""
    share = LINES / min(picture.size)
    plain = picture if picture.mode == "RGB" else picture.convert("RGB")
    if share >= 1:
        return plain
    width, height = (max(1, round(side * share)) for side in plain.size)
    return plain.resize((width, height), Image.Resampling.BICUBIC)


def _read(png: Path) -> Image.Image:
    try:
        with Image.open(png, formats=("PNG",)) as picture:
            assert_size(*picture.size)
            return picture.convert("RGB")
    except (UnidentifiedImageError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise MediaInvalid(f"the frame that it was given cannot be decoded ({str(error)[:120]})") from error
