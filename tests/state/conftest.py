"""What tests of the state file share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.state.opening import MADE


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """Close what a test opened: Python 3.13 warns of every database that is left open."""
    yield
    while MADE:
        MADE.pop().close()
