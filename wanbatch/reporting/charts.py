"""Small drawings for the report page: SVG of numbers alone, coloured by the page's own style."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from wanbatch.lifecycle import Take
from wanbatch.pricing import usd
from wanbatch.units import duration_text

WIDTH, HEIGHT, EDGE = 560, 170, 34
BARS = 24


def duration_histogram(durations_s: Sequence[float]) -> str:
    """Draw how often each generating time occurred; empty for fewer than two."""
    if len(durations_s) < 2:
        return ""
    low, high = min(durations_s), max(durations_s)
    step = max((high - low) / BARS, 0.001)
    counts = [0] * BARS
    for value in durations_s:
        counts[min(BARS - 1, int((value - low) / step))] += 1
    bar = (WIDTH - 2 * EDGE) / BARS
    tallest = max(counts)
    room = HEIGHT - 2 * EDGE
    drawn = "".join(
        f'<rect class="bar" x="{EDGE + n * bar:.1f}" y="{HEIGHT - EDGE - room * count / tallest:.1f}"'
        f' width="{max(1.0, bar - 2):.1f}" height="{room * count / tallest:.1f}"/>'
        for n, count in enumerate(counts)
        if count
    )
    ends = _text(EDGE, HEIGHT - 12, duration_text(low)) + _text(WIDTH - EDGE, HEIGHT - 12, duration_text(high), "end")
    return _svg("How long generations took", drawn + _axis() + ends + _text(EDGE, 20, f"at most {tallest} takes a bar"))


def spend_curve(takes: Sequence[Take]) -> str:
    """Draw the credits committed over time, by submit; empty for fewer than two priced submits."""
    points: list[tuple[datetime, int]] = []
    total = 0
    sent = [(take.submitted_at, take.credits_committed or 0) for take in takes if take.submitted_at is not None]
    for at, credit_count in sorted(each for each in sent if each[1]):
        total += credit_count
        points.append((at, total))
    if len(points) < 2:
        return ""
    begin, end = points[0][0], points[-1][0]
    span_s = max((end - begin).total_seconds(), 0.001)
    room = HEIGHT - 2 * EDGE
    path = f"M{EDGE} {HEIGHT - EDGE}"
    for at, credit_count in _thinned(points):
        x = EDGE + (WIDTH - 2 * EDGE) * (at - begin).total_seconds() / span_s
        path += f" H{x:.1f} V{HEIGHT - EDGE - room * credit_count / total:.1f}"
    ends = _text(EDGE, HEIGHT - 12, "first submit") + _text(
        WIDTH - EDGE, HEIGHT - 12, duration_text(span_s) + " later", "end"
    )
    top = _text(WIDTH - EDGE, 20, f"{total:,} credits ({usd(total):,.2f} USD)", "end")
    return _svg("Credits committed over time", f'<path class="line" d="{path}"/>' + _axis() + ends + top)


def _thinned(points: Sequence[tuple[datetime, int]], most: int = 400) -> Sequence[tuple[datetime, int]]:
    return [*points[:: math.ceil(len(points) / most)], points[-1]]


def _axis() -> str:
    return f'<path class="axis" d="M{EDGE} {HEIGHT - EDGE}H{WIDTH - EDGE}"/>'


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{text}</text>'


def _svg(title: str, inside: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}"><title>{title}</title>{inside}</svg>'
