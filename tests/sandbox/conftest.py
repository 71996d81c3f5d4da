"""Sandboxes that are closed when their test ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.sandbox.local import LocalSandbox


@pytest.fixture
def sandbox_of() -> Iterator[Callable[..., LocalSandbox]]:
    sandboxes: list[LocalSandbox] = []

    def make(*arguments: Any, **more: Any) -> LocalSandbox:
        sandboxes.append(LocalSandbox(*arguments, **more))
        return sandboxes[-1]

    yield make
    for context in sandboxes:
        context.close()


@pytest.fixture
def context(sandbox_of: Callable[..., LocalSandbox]) -> LocalSandbox:
    return sandbox_of()
