"""The list of deliberate breaks, and how one is applied and caught.

A mutant is a generator of patches: (what, which attribute or key, with what). To add one, write it with `@mutant` into
the file of what it breaks, or into a new file in this folder: all files here are read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any
from unittest import mock

from tests.simulation.every_plot import scenario_with
from tests.simulation.generator import VERSION, scenario_of
from tests.simulation.mutants.usual_plots import USUAL_PLOTS
from tests.simulation.scenario import Scenario
from tests.simulation.sweep import live, wording

SEED_LIMIT = 1_000
BEFORE_PLOTS = 9  # the version of the generator after which two came that put stories in place of drawn faults
_UNFIT = re.compile(r"\b(TypeError|AttributeError|NameError): ")  # a break that breaks itself tells nothing
Patches = Iterator[tuple[Any, str, Any]]
MUTANTS: dict[str, Callable[[], Patches]] = {}
UNSEEN: dict[str, Callable[[], Patches]] = {}  # slips that no world shows yet


def mutant(make: Callable[[], Patches]) -> Callable[[], Patches]:
    """List a mutant under the words of its name."""
    MUTANTS[make.__name__.replace("_", " ")] = make
    return make


def unseen_mutant(make: Callable[[], Patches]) -> Callable[[], Patches]:
    """Note a mutant that no world shows yet, under the words of its name: `unseen.md` says why, and what catches it."""
    UNSEEN[make.__name__.replace("_", " ")] = make
    return make


@cache
def _plot_of(seed: int, version: int) -> str:
    return scenario_of(seed, version).plot


@contextmanager
def applied(name: str) -> Iterator[None]:
    """Break the protocol in this way."""
    with ExitStack() as stack:
        for target, attribute, value in {**MUTANTS, **UNSEEN}[name]():
            if attribute == "__code__":  # no attribute that mock can take away again
                stack.callback(setattr, target, attribute, getattr(target, attribute))
                setattr(target, attribute, value)
            elif isinstance(target, dict):
                stack.enter_context(mock.patch.dict(target, {attribute: value}))
            else:
                stack.enter_context(mock.patch.object(target, attribute, value))
        yield


def caught_by(name: str, limit: int = SEED_LIMIT) -> tuple[int, str] | None:
    """Return a seed that catches a mutant, and what was wrong there that is not wrong without it.

    Both the newest generator and `BEFORE_PLOTS` are asked: more of the seeds of that one draw faults and tell no story.
    The seeds that tell the plot which usually catches the mutant come first, then the rest of the newest: the order
    changes nothing else.
    """
    usual = USUAL_PLOTS.get(name)
    every = [(version, seed) for version in (VERSION, BEFORE_PLOTS) for seed in range(limit)]
    for version, seed in sorted(every, key=lambda each: _plot_of(each[1], each[0]) != usual):
        found = caught_at(name, seed, version)
        if found is not None:
            return seed, found if version == VERSION else f"(generator {version}) {found}"
    return None


def caught_with(name: str, plot: str, limit: int) -> tuple[int, str] | None:
    """Return the first seed that catches a mutant where every seed tells one plot, and what was wrong there."""
    found = ((seed, caught_in(name, scenario_with(plot, seed))) for seed in range(limit))
    return next(((seed, wrong) for seed, wrong in found if wrong is not None), None)


def caught_at(name: str, seed: int, version: int = VERSION) -> str | None:
    """Return what is wrong in a seed with a mutant, and is not wrong without it; None where nothing is."""
    return caught_in(name, scenario_of(seed, version))


def caught_in(name: str, scenario: Scenario) -> str | None:
    """Return what is wrong in a scenario with a mutant, and is not wrong without it; None where nothing is."""
    with applied(name):
        _, wrong = live(scenario)
    if not wrong:
        return None
    usual = set(map(wording, live(scenario)[1]))
    found = next((text for text in wrong if wording(text) not in usual), None)
    assert found is None or not _UNFIT.search(found), f"{name} no longer fits the code: {found}"
    return found
