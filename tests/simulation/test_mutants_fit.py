"""Every mutant fits the code that it breaks: one that no longer does would count as caught and break nothing."""

from __future__ import annotations

import pytest

from tests.simulation.mutants import MUTANTS, applied


@pytest.mark.parametrize("name", MUTANTS)
def test_each_mutant_can_be_applied_and_leaves_nothing_behind(name: str) -> None:
    for _ in range(2):
        with applied(name):
            pass
