"""Frame measures: how sharp, how rich in contrast and of what colour a frame is, and how far two frames differ."""

from __future__ import annotations

from dataclasses import dataclass

LINES = 480  # of the shorter side of a frame when it is measured: every model makes as many, and noise averages out
PSNR_MAX_DB = 100.0  # what is said of equal frames, whose PSNR has no end


@dataclass(frozen=True)
class FrameMeasures:
    """A frame in levels of 8 bits, made smaller to `LINES` if it is larger.

    `sharpness` is the variance of the Laplacian of its luma (4 neighbours), `contrast` the standard deviation of its
    luma, `cb` and `cr` are the means of its chroma; luma and chroma as JPEG has them (BT.601, full range).
    """

    sharpness: float
    contrast: float
    cb: float
    cr: float


@dataclass(frozen=True)
class Ends:
    """The first and the last frame of a clip, and how they meet the frames that it was given, if it was given any.

    `psnr_db` is the peak signal-to-noise ratio of the first frame against the given one, over the three channels of
    RGB; `PSNR_MAX_DB` if they are equal. `closing_psnr_db` is that of the last frame against the one to end with.
    """

    first: FrameMeasures
    last: FrameMeasures
    given: FrameMeasures | None = None
    psnr_db: float | None = None
    closing_psnr_db: float | None = None
