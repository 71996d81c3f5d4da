"""Sandboxes that are closed when their test ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.sandbox.desk import Desk


@pytest.fixture
def desk_of() -> Iterator[Callable[..., Desk]]:
    desks: list[Desk] = []

    def make(*arguments: Any, **more: Any) -> Desk:
        desks.append(Desk(*arguments, **more))
        return desks[-1]

    yield make
    for context in desks:
        context.close()


@pytest.fixture
def context(desk_of: Callable[..., Desk]) -> Desk:
    return desk_of()
