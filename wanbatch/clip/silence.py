"""Silence: how loud the sound of a clip is, and when it counts as silent. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

SILENT_DBFS = -60.0  # `n` of silencedetect


def is_silent(peak_dbfs: float) -> bool:
    """Say whether a sound whose loudest sample is this loud counts as silent."""
    return peak_dbfs < SILENT_DBFS


def peak_of(block: NDArray[Any]) -> float:
    """Return the loudest sample of a block of sound as a share of full scale."""
    if block.dtype.kind == "f":
        return float(abs(block).max(initial=0.0))
    full = float(2 ** (8 * block.itemsize - 1))
    middle = full if block.dtype.kind == "u" else 0.0
    return float(abs(block.astype("float64") - middle).max(initial=0.0) / full)


def dbfs(peak: float | None) -> float | None:
    """Return a share of full scale in dBFS: -inf for digital silence, None if there is no sound."""
    if peak is None:
        return None
    return 20 * math.log10(peak) if peak > 0 else -math.inf
