"""A probe: what a clip declares about itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Probe:
    """What a clip declares about itself. `frames` is None if the file does not count them."""

    duration_s: float
    width: int
    height: int
    fps: float
    frames: int | None
    has_audio: bool
