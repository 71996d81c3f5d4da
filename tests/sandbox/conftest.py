"""Sandboxes that are closed when their test ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.sandbox.local import LocalSandbox


@pytest.fixture
def desk_of() -> Iterator[Callable[..., LocalSandbox]]:
    desks: list[LocalSandbox] = []

    def make(*arguments: Any, **more: Any) -> LocalSandbox:
        desks.append(LocalSandbox(*arguments, **more))
        return desks[-1]

    yield make
    for context in desks:
        context.close()


@pytest.fixture
def context(desk_of: Callable[..., LocalSandbox]) -> LocalSandbox:
    return desk_of()
