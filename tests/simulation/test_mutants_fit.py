"""Every mutant fits the code that it breaks: one that no longer does would count as caught and break nothing."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import getattr_static
from pathlib import Path
from typing import Any

import pytest

from tests.simulation.every_plot import EVERY_PLOT
from tests.simulation.mutants import MUTANTS, applied
from tests.simulation.mutants.registry import UNSEEN
from tests.simulation.mutants.usual_plots import USUAL_PLOTS

ROOT = Path(__file__).parents[2]


def value_of(target: Any, attribute: str) -> object:
    if isinstance(target, Mapping):
        return target.get(attribute)
    return (
        target.__code__ if attribute == "__code__" else getattr_static(target, attribute)
    )  # not what a property gives


@pytest.mark.parametrize("name", [*MUTANTS, *UNSEEN])
def test_each_mutant_can_be_applied_and_leaves_nothing_behind(name: str) -> None:
    places = [(target, attribute) for target, attribute, _ in {**MUTANTS, **UNSEEN}[name]()]
    before = [value_of(*place) for place in places]
    broken = []
    for _ in range(2):
        with applied(name):
            broken.append([value_of(*place) for place in places])
    assert before == [value_of(*place) for place in places]
    assert places
    assert all(was != now for each in broken for was, now in zip(before, each, strict=True))


def test_the_plots_that_catch_mutants_are_plots_and_mutants_there_are() -> None:
    assert (set(USUAL_PLOTS) - set(MUTANTS), set(USUAL_PLOTS.values()) - {"", *EVERY_PLOT}) == (set(), set())


def test_the_page_on_trust_counts_every_mutant() -> None:
    page = (ROOT / "docs" / "trust.md").read_text(encoding="utf-8")
    listed = (Path(__file__).parent / "mutants" / "unseen.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1].strip() for line in listed.splitlines() if line.startswith("| ")][1:]
    told = (
        f"**{len(MUTANTS) + len(UNSEEN)} deliberate breaks**",
        f"runs {len(MUTANTS)} of them",
        f" {len(UNSEEN)} that no simulated run",
    )
    assert ([each in page for each in told], sorted(rows)) == ([True] * 3, sorted(UNSEEN))
