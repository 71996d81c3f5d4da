"""What the quick suite leaves out: tests marked `long`, and all but one in so many cases of a test marked `sampled`.

With `--all-cases` nothing is left out, and a test that is named on the command line is played with all its cases.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest


def left_out(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Return the cases that a sample leaves out: those marked `long`, and of a test marked `sampled(n)` all but each nth."""
    seen: Counter[str] = Counter()
    left = []
    for item in items:
        if item.get_closest_marker("long") is not None:
            left.append(item)
            continue
        mark = item.get_closest_marker("sampled")
        if mark is None:
            continue
        name = item.nodeid.partition("[")[0]
        if seen[name] % mark.args[0]:
            left.append(item)
        seen[name] += 1
    return left
