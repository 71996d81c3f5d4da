"""Units: durations such as `90s` and rates such as `60/min`, read as users write them; these and sizes, as text."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

CREDITS_MAX = 10**15  # half a billion USD: a larger figure is a misread field or a damaged file
_SIZE_UNITS = ("KiB", "MiB", "GiB", "TiB")
_SECONDS = {"s": 1.0, "sec": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*(s|sec|min|m|h|d)")
_RATE = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*(?:/\s*(s|min|h))?")


def parse_duration_s(text: str) -> float:
    """Read `90s`, `15min`, `2h` as seconds. Raises ValueError."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"'{text}' is not a duration: write 90s, 15min or 2h")
    return float(match[1]) * _SECONDS[match[2]]


def parse_rate_per_min(text: str) -> float:
    """Read `60/min`, `10/s` or a bare number a minute. Raises ValueError, also for 0."""
    match = _RATE.fullmatch(text.strip())
    per_min = float(match[1]) * 60 / _SECONDS[match[2] or "min"] if match else 0.0
    if per_min <= 0:
        raise ValueError(f"'{text}' is not a rate: write 60/min or 10/s")
    return per_min


def duration_text(seconds: float | None) -> str:
    """Return `3 min 25 s`, `2 h 05 min`, `4.2 s`, or `unknown`."""
    if seconds is None:
        return "unknown"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def left_text(left_s: float, now: datetime) -> str:
    """Return `about 3 min 25 s left, until about 14:35` by this machine's clock; another day is named.

    Of what ends within a minute the clock says nothing more.
    """
    left = f"about {duration_text(left_s)} left"
    begin, end = now.astimezone(), (now + timedelta(seconds=left_s)).astimezone()
    if left_s < 60:
        return left
    return f"{left}, until about {end:%H:%M}" if begin.date() == end.date() else f"{left}, until about {end:%a %H:%M}"


def local_text(at: datetime) -> str:
    """Write a time by this machine's clock, with its zone."""
    return f"{at.astimezone():%Y-%m-%d %H:%M %Z}"


def zone_text(at: datetime) -> str:
    """Return the name of this machine's zone at a time, such as `CET`."""
    return at.astimezone().tzname() or "UTC"


def count_text(count: int, noun: str) -> str:
    """Return `1 take`, `2 takes` or `1,200 takes`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def agreeing(count: int, words: str) -> str:
    """Return words as they are said of so many things; `wait|waits for them|it` has both forms of each."""
    return re.sub(r"(\w+)\|(\w+)", lambda found: found[2] if count == 1 else found[1], words)


def size_text(size_bytes: float) -> str:
    """Return `512 bytes`, `300 KiB`, `1.5 MiB`, `32 MiB` or `6.3 GiB`: the unit in which there is something to read."""
    whole = round(size_bytes)
    if whole < 1024:
        return count_text(whole, "byte")
    scaled, unit = whole / 1024, _SIZE_UNITS[0]
    for larger in _SIZE_UNITS[1:]:
        if round(scaled) < 1024:
            break
        scaled, unit = scaled / 1024, larger
    text = f"{scaled:.1f}" if scaled < 9.95 else f"{scaled:,.0f}"
    return f"{text.removesuffix('.0')} {unit}"
