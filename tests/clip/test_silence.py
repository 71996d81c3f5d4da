"""How loud a sound is, whatever the form of its samples."""

from __future__ import annotations

import math

import numpy as np
import pytest

from wanbatch.clip.silence import dbfs, is_silent, peak_of


@pytest.mark.parametrize(
    ("block", "peak"),
    [
        (np.array([[0.25, -0.5]], np.float32), 0.5),
        (np.array([[8192, -16384]], np.int16), 0.5),
        (np.array([[128, 192]], np.uint8), 0.5),
        (np.zeros((1, 0), np.float32), 0.0),
    ],
    ids=["floats", "signed", "unsigned", "no samples"],
)
def test_the_peak_is_a_share_of_full_scale(block: np.ndarray, peak: float) -> None:
    assert peak_of(block) == peak


@pytest.mark.parametrize(
    ("peak", "loudness", "is_called_silent"), [(0.1, -20.0, False), (0.0005, -66.0, True), (0.0, -math.inf, True)]
)
def test_a_sound_below_60_dbfs_is_silent(peak: float, loudness: float, is_called_silent: bool) -> None:
    found = dbfs(peak)
    assert found == pytest.approx(loudness, abs=0.1)
    assert (found is not None and is_silent(found)) is is_called_silent


def test_without_sound_there_is_no_loudness() -> None:
    assert dbfs(None) is None
