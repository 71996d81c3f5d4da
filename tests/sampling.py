"""Which cases of a long list are played: one in so many of a test marked `sampled`, or all of them (`--all-cases`).

The first of those that were asked for is always among them, so one that is named on the command line is played.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest


def left_out(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Return the cases that a sample leaves out: of a test marked `sampled(n)`, all but each nth."""
    seen: Counter[str] = Counter()
    left = []
    for item in items:
        mark = item.get_closest_marker("sampled")
        if mark is None:
            continue
        name = item.nodeid.partition("[")[0]
        if seen[name] % mark.args[0]:
            left.append(item)
        seen[name] += 1
    return left
