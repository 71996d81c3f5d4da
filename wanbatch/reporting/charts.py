"""Small drawings for the report page: SVG of numbers alone, coloured and stretched by the page's own style."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from wanbatch.lifecycle import Take
from wanbatch.pricing import usd
from wanbatch.units import duration_text

WIDTH, HEIGHT = 600, 120
BARS_MAX = 24


def duration_histogram(durations_s: Sequence[float]) -> str:
    """Draw how often each generating time occurred; empty for fewer than three different ones."""
    if len(set(durations_s)) < 3:
        return ""
    low, high = min(durations_s), max(durations_s)
    bars = min(BARS_MAX, max(5, len(durations_s) // 2))
    counts = [0] * bars
    for value in durations_s:
        counts[min(bars - 1, int((value - low) / (high - low) * bars))] += 1
    bar, tallest = WIDTH / bars, max(counts)
    drawn = "".join(
        f'<rect class="bar" x="{n * bar + 1:.1f}" y="{HEIGHT - HEIGHT * count / tallest:.1f}"'
        f' width="{bar - 2:.1f}" height="{HEIGHT * count / tallest:.1f}"/>'
        for n, count in enumerate(counts)
        if count
    )
    note = f"{len(durations_s)} takes; {tallest} in the tallest bar"
    return _figure("How long generations took", note, drawn, (duration_text(low), duration_text(high)))


def spend_curve(takes: Sequence[Take]) -> str:
    """Draw the credits committed over time, by submit; empty for fewer than two priced submits.

    Takes of unknown cost are counted in its note.
    """
    points: list[tuple[datetime, int]] = []
    total = unknown = 0
    for at, credit_count in sorted(
        ((take.submitted_at, take.credits_committed) for take in takes if take.submitted_at is not None),
        key=lambda sent: sent[0],
    ):
        if credit_count is None:
            unknown += 1
        elif credit_count:
            total += credit_count
            points.append((at, total))
    if len(points) < 2 or points[0][0] == points[-1][0]:
        return ""
    begin, span_s = points[0][0], (points[-1][0] - points[0][0]).total_seconds()
    path = f"M0 {HEIGHT}"
    for at, credit_count in _thinned(points):
        x = WIDTH * (at - begin).total_seconds() / span_s
        path += f" H{x:.1f} V{HEIGHT - HEIGHT * credit_count / total:.1f}"
    note = f"{usd(total):,.2f} USD in the end" + (f", and {unknown} takes of unknown cost" if unknown else "")
    ends = ("first submit", f"{duration_text(span_s)} later")
    return _figure("Money committed over time", note, f'<path class="line" d="{path}"/>', ends)


def _thinned(points: Sequence[tuple[datetime, int]], most: int = 400) -> Sequence[tuple[datetime, int]]:
    return [*points[:: math.ceil(len(points) / most)], points[-1]]


def _figure(title: str, note: str, drawn: str, ends: tuple[str, str]) -> str:
    return (
        f'<figure><figcaption><b>{title}</b> <span class="dim">{note}</span></figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{title}">{drawn}</svg>'
        f'<div class="ends dim"><span>{ends[0]}</span><span>{ends[1]}</span></div></figure>'
    )
