"""Drift: how the picture changes along a chain of clips, and how well each meets the frame that it was given. Pure.

Two comparisons are made. The first and the last frame of a clip are compared with the first frame of its chain: that
shows where the chain goes, and a new place or a closer view is part of it. At a join the same picture is seen twice, as
it was given and as the clip begins: what differs there is what the model did to it. So warnings go by the joins alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from wanbatch.batch.chosen_frames import ChosenFrame

# Measured on clips of the sandbox: a clean join keeps 99 % of sharpness and contrast, shifts the colour by 0.2 levels
# and has a PSNR of 44 dB; one with the fault `drift` keeps 60 % and 94 %, moves it by 4 levels and has 33 dB. First and
# last frames of the same clean chain differ by half to twice the sharpness, as their texts do. Half the details, a
# fifth of the contrast and 8 levels are seen when clips are cut together; two pictures of one scene have some 20 dB.
SHARPNESS_MIN = 0.5  # of the chain's first picture, over all joins
CONTRAST_MIN, CONTRAST_MAX = 0.8, 1.25  # the same
COLOUR_MAX = 8.0  # levels, the same
JUMP_DB = 25.0  # PSNR at one join
SHARPNESS_SEEN, CONTRAST_SEEN = 10.0, 2.0  # a picture with less has nothing to lose: an encoder's noise is as large


@dataclass(frozen=True)
class FrameMeasures:
    """What is recorded of a frame: variance of the Laplacian and standard deviation of luma, means of chroma."""

    sharpness: float
    contrast: float
    cb: float
    cr: float

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> FrameMeasures:
        """Read it from JSON values. Raises KeyError, TypeError or ValueError for others."""
        return cls(*(_number(told[name]) for name in ("sharpness", "contrast", "cb", "cr")))


@dataclass(frozen=True)
class MeasuredClip:
    """What is recorded of a clip: its ends, and the frame that it was given with the PSNR of the first one against it.

    `png_sha256` says which frame that was; all of it is None if the clip was given none, or it was no longer there.
    The same of `closing`: the PSNR of the last frame against the one that the clip was given to end with, and which.
    """

    clip_sha256: str
    first: FrameMeasures
    last: FrameMeasures
    given: FrameMeasures | None = None
    psnr_db: float | None = None
    png_sha256: str | None = None
    closing_psnr_db: float | None = None
    closing_png_sha256: str | None = None

    @property
    def told(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> MeasuredClip:
        """Read it from JSON values. Raises KeyError, TypeError or ValueError for others."""
        given, psnr_db, png_sha256 = told["given"], told["psnr_db"], told["png_sha256"]
        closing_psnr_db, closing_png_sha256 = told.get("closing_psnr_db"), told.get("closing_png_sha256")
        return cls(
            clip_sha256=str(told["clip_sha256"]),
            first=FrameMeasures.of(told["first"]),
            last=FrameMeasures.of(told["last"]),
            given=None if given is None else FrameMeasures.of(given),
            psnr_db=None if psnr_db is None else _number(psnr_db),
            png_sha256=None if png_sha256 is None else str(png_sha256),
            closing_psnr_db=None if closing_psnr_db is None else _number(closing_psnr_db),
            closing_png_sha256=None if closing_png_sha256 is None else str(closing_png_sha256),
        )


@dataclass(frozen=True)
class Change:
    """How a picture differs from another: sharpness and contrast as shares of the other's, colour in levels of chroma.

    A share of next to nothing is None: a plain picture has neither sharpness nor contrast to compare with.
    """

    sharpness: float | None
    contrast: float | None
    cb: float
    cr: float

    @property
    def colour(self) -> float:
        """How far the mean chroma is from the other's, in levels of 8 bits."""
        return math.hypot(self.cb, self.cr)

    @classmethod
    def between(cls, frame: FrameMeasures, other: FrameMeasures) -> Change:
        """Compare a frame with another."""
        return cls(
            sharpness=_share(frame.sharpness, other.sharpness, SHARPNESS_SEEN),
            contrast=_share(frame.contrast, other.contrast, CONTRAST_SEEN),
            cb=frame.cb - other.cb,
            cr=frame.cr - other.cr,
        )

    def then(self, other: Change) -> Change:
        """Return what both make together."""
        return Change(
            sharpness=_product(self.sharpness, other.sharpness),
            contrast=_product(self.contrast, other.contrast),
            cb=self.cb + other.cb,
            cr=self.cr + other.cr,
        )

    @property
    def told(self) -> dict[str, float | None]:
        """Return it as JSON values, rounded."""
        shares = {"sharpness": self.sharpness, "contrast": self.contrast}
        return {name: None if each is None else round(each, 3) for name, each in shares.items()} | {
            "colour": round(self.colour, 2)
        }


SAME = Change(1.0, 1.0, 0.0, 0.0)


@dataclass(frozen=True)
class Step:
    """A take of a chain: the frame that its clip begins with, and what is recorded of the clip; None if unknown.

    `closing` is the frame of another clip that it was to end with, None if there is none.
    """

    take_id: int
    label: str
    frame: ChosenFrame | None
    measured: MeasuredClip | None
    closing: ChosenFrame | None = None

    @property
    def closing_psnr_db(self) -> float | None:
        """How well its last frame meets the one that it was given to end with; None if that is not known."""
        measured, closing = self.measured, self.closing
        is_of_it = measured is not None and closing is not None and measured.closing_png_sha256 == closing.png_sha256
        return measured.closing_psnr_db if measured is not None and is_of_it else None

    @property
    def join(self) -> Change | None:
        """How its first frame differs from the frame that it was given; None if that is not known."""
        measured = self.measured
        if measured is None or measured.given is None or self.frame is None:
            return None
        if measured.png_sha256 != self.frame.png_sha256:
            return None
        return Change.between(measured.first, measured.given)


def line_of(take_id: int, step_of: Callable[[int], Step | None]) -> tuple[Step, ...]:
    """Return the takes of which each clip begins with a frame of the one before, from the chain's first to this one."""
    found: dict[int, Step] = {}
    here: int | None = take_id
    while here is not None and here not in found:
        step = step_of(here)
        if step is None:
            break
        found[here] = step
        here = None if step.frame is None else step.frame.take_id
    return tuple(reversed(found.values()))


@dataclass(frozen=True)
class Drift:
    """Where the last clip of a line stands. What is not known is None, never 0."""

    line: tuple[Step, ...]

    @property
    def start(self) -> str:
        """The label of the take that the chain begins with."""
        return self.line[0].label

    @property
    def first(self) -> Change | None:
        """How the first frame differs from that of the chain."""
        return self._against("first")

    @property
    def last(self) -> Change | None:
        """How the last frame differs from the chain's first."""
        return self._against("last")

    def _against(self, end: str) -> Change | None:
        mine, origin = self.line[-1].measured, self.line[0].measured
        if mine is None or origin is None or self.line[0].frame is not None:
            return None
        return Change.between(mine.first if end == "first" else mine.last, origin.first)

    @property
    def psnr_db(self) -> float | None:
        """How well the clip begins with the frame that it was given."""
        mine = self.line[-1]
        return None if mine.join is None or mine.measured is None else mine.measured.psnr_db

    @cached_property
    def joins(self) -> Change | None:
        """What all joins so far have made of the picture together; None without a join, or if one is not known."""
        if len(self.line) < 2 or self.line[0].frame is not None:
            return None
        whole = SAME
        for step in self.line[1:]:
            join = step.join
            if join is None:
                return None
            whole = whole.then(join)
        return whole

    @property
    def told(self) -> dict[str, Any]:
        """Return it as JSON values."""
        changes = {"first": self.first, "last": self.last, "joins": self.joins}
        ends = {"join_psnr_db": self.psnr_db, "last_frame_psnr_db": self.line[-1].closing_psnr_db}
        return {"start": self.start, **ends} | {
            name: None if each is None else each.told for name, each in changes.items()
        }

    @property
    def doubts(self) -> list[str]:
        """Say what is large: warnings, which neither buy nor stop anything."""
        found = []
        if self.psnr_db is not None and self.psnr_db < JUMP_DB:
            found.append(
                f"its first frame does not match the frame that it was given: PSNR {self.psnr_db:.1f} dB, less than"
                f" {JUMP_DB:g} dB"
            )
        closing_db = self.line[-1].closing_psnr_db
        if closing_db is not None and closing_db < JUMP_DB:
            found.append(
                f"does not end on the last frame that it was given: PSNR {closing_db:.1f} dB, less than {JUMP_DB:g} dB"
            )
        parts = [] if self.joins is None else _large(self.joins)
        if parts:
            joins = "1 join" if len(self.line) == 2 else f"{len(self.line) - 1} joins"
            found.append(f"drifts: over {joins} since {self.start} the picture {' and '.join(parts)}")
        return found


def _large(change: Change) -> list[str]:
    became = []
    if change.sharpness is not None and change.sharpness < SHARPNESS_MIN:
        became.append(f"softer (sharpness {change.sharpness:.0%})")
    if change.contrast is not None and not CONTRAST_MIN <= change.contrast <= CONTRAST_MAX:
        became.append(f"{'flatter' if change.contrast < 1 else 'harsher'} (contrast {change.contrast:.0%})")
    found = [f"became {' and '.join(became)}"] if became else []
    if change.colour > COLOUR_MAX:
        found.append(f"shifted in colour (by {change.colour:.1f} levels)")
    return found


def _share(value: float, whole: float, least: float) -> float | None:
    return None if whole < least else value / whole


def _product(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one * other


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("a measure that is not finite")
    return number
