"""Durations and rates: as people write and read them."""

from __future__ import annotations

import pytest

from wanbatch.units import duration_text, parse_duration_s, parse_rate_per_min


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15min", 900), ("2h", 7200), ("1.5 h", 5400), ("1d", 86400)]
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize(("text", "per_min"), [("60/min", 60), ("10/s", 600), ("30/h", 0.5), ("12", 12)])
def test_rates_are_read(text: str, per_min: float) -> None:
    assert parse_rate_per_min(text) == per_min


@pytest.mark.parametrize("text", ["", "5", "min", "-1s", "1e3s", "90s\n9"])
def test_odd_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration_s(text)


@pytest.mark.parametrize("text", ["", "0/min", "-1/s", "fast", "1/day"])
def test_odd_rates_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a rate"):
        parse_rate_per_min(text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "unknown"), (4.24, "4.2 s"), (42, "42 s"), (205, "3 min 25 s"), (7500, "2 h 05 min")]
)
def test_durations_read_well(seconds: float | None, text: str) -> None:
    assert duration_text(seconds) == text
