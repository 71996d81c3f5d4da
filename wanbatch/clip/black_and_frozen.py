"""Where the pictures of a clip are black or frozen, followed picture by picture as they are shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wanbatch.clip.defects import EDGE_S, Stretch

LASTING_S = 2.0  # `d` of blackdetect, freezedetect and silencedetect: shorter ones are a matter of style
BLACK_LEVEL = 0.10  # `pix_th` of blackdetect: of the way from black to white
BLACK_SHARE = 0.98  # `pic_th` of blackdetect: of the picture
GRID = 12  # blocks each way

Luma = NDArray[np.uint8]
"""The brightness of a picture, rows by columns, at the sampled points."""


@dataclass(frozen=True)
class Noise:
    """The largest change that an encoder makes on its own, in levels of 255: of a block's mean, and of any one sample.

    freezedetect holds the mean of the whole picture to -60 dB, which a candle in a large dark room does not reach,
    and an encoder that refines a still passes. So blocks are compared: noise averages out in them, motion does not.
    """

    block: float
    sample: int


# Measured on stills of x264 at crf 18 to 28 and 6 Mbit/s: 0.6 and 8 between key frames, 1.8 and 22 across one.
# A candle flame of 20 by 30 pixels of 720p changes a block by 3.6 and samples by 70.
STEADY = Noise(0.75, 20)
RENEWED = Noise(2.0, 40)


class Watching:
    """Follows the pictures of a clip in the order they are shown. `black` and `white` are the levels that mean it."""

    def __init__(self, black: int, white: int) -> None:
        self._dark = black + BLACK_LEVEL * (white - black)
        self._black = _Stretches()
        self._still = _Stretches()
        self._first: _Picture | None = None  # the picture with which a still stretch began
        self._anchor: _Picture | None = None  # the same as its newest key frame shows it

    def see(self, at_s: float, luma: Luma, *, is_key: bool) -> None:
        """Add the picture shown at a time."""
        self._black.follow(at_s, holds=bool(np.mean(luma <= self._dark) >= BLACK_SHARE))
        picture = _Picture.of(luma)
        if self._first is None or self._anchor is None or self._has_moved(picture, is_key=is_key):
            self._still.follow(at_s, holds=False)
            self._first = self._anchor = picture
        elif is_key:
            self._anchor = picture  # encoded again: the stills that follow are like this one
        self._still.follow(at_s, holds=True)

    def _has_moved(self, picture: _Picture, *, is_key: bool) -> bool:
        assert self._first is not None
        assert self._anchor is not None
        if picture.differs(self._first, RENEWED):
            return True
        return not is_key and picture.differs(self._anchor, STEADY)

    def end(self, end_s: float) -> tuple[tuple[Stretch, ...], tuple[Stretch, ...]]:
        """Return the black and the still stretches of notable length, up to the end of the clip."""
        least_s = min(LASTING_S, max(0.0, end_s - EDGE_S))
        black, still = self._black.lasting(end_s, least_s), self._still.lasting(end_s, least_s)
        return black, tuple(each for each in still if not any(dark.covers(each) for dark in black))


class _Stretches:
    """The stretches in which something held, gathered picture by picture."""

    def __init__(self) -> None:
        self._done: list[Stretch] = []
        self._begin_s: float | None = None

    def follow(self, at_s: float, *, holds: bool) -> None:
        """Note that it holds, or no longer does, from this time on."""
        if holds and self._begin_s is None:
            self._begin_s = at_s
        elif not holds and self._begin_s is not None:
            self._done.append(Stretch(self._begin_s, at_s))
            self._begin_s = None

    def lasting(self, end_s: float, least_s: float) -> tuple[Stretch, ...]:
        """End at `end_s`; return the stretches of at least `least_s`."""
        self.follow(end_s, holds=False)
        return tuple(each for each in self._done if each.length_s >= least_s)


@dataclass(frozen=True)
class _Picture:
    """Samples of a picture, and the means of its blocks."""

    samples: NDArray[np.int16]
    blocks: NDArray[np.float32]

    @classmethod
    def of(cls, luma: Luma) -> _Picture:
        """Sample a picture by its brightness."""
        rows, columns = (min(GRID, side) for side in luma.shape)
        tall, wide = luma.shape[0] // rows, luma.shape[1] // columns
        blocks = luma[: rows * tall, : columns * wide].reshape(rows, tall, columns, wide)
        return cls(luma.astype(np.int16), blocks.mean(axis=(1, 3), dtype=np.float32))

    def differs(self, other: _Picture, noise: Noise) -> bool:
        """Say whether it differs from another picture by more than noise, in a sample or in the mean of a block."""
        if self.samples.shape != other.samples.shape:
            return True
        if bool(np.abs(self.blocks - other.blocks).max() > noise.block):
            return True
        return bool(np.abs(self.samples - other.samples).max() > noise.sample)
