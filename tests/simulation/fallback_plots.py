"""The plots of version 10: fallbacks, and what may be wrong beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from random import Random

from tests.simulation.plots import HOUR, Plot, plain
from tests.simulation.scenario import LARGE, PRICES, SMALL, Act, Scenario
from tests.simulation.wrongness import Lies
from wanbatch.batch.shots import FAILED, REFUSED, Fallback, Shot, Version
from wanbatch.sandbox.faults import Rule

_OTHERS = {SMALL: {"model": LARGE, "resolution": "720p", "duration": 5}, LARGE: {"model": SMALL, "resolution": "480P"}}


def with_fallback(shot: Shot, *on: str) -> Shot:
    """Return a shot whose fallback is the other model."""
    version = Version({**_OTHERS[shot.model], "prompt": shot.prompt})
    return replace(shot, fallback=Fallback(version, on or (FAILED,)))


def fallbacks(scenario: Scenario, rng: Random) -> Scenario:
    """Return the scenario with fallbacks in some of its shots, and more that fails."""
    ways = ((FAILED,), (FAILED,), (FAILED, REFUSED), (REFUSED,))
    shots = tuple(with_fallback(each, *rng.choice(ways)) if rng.random() < 0.8 else each for each in scenario.shots)
    kinds = [rng.choice((("fail", 500), ("fail", 500), ("status", 400))) for _ in range(rng.randint(1, 3))]
    rules = tuple(Rule("submit", do, code=code, nth=(rng.randint(1, 5),)) for do, code in kinds)
    return replace(scenario, shots=shots, rules=(*rules, *scenario.rules))


def _failing(scenario: Scenario, rng: Random, count: int) -> Scenario:
    made = plain(scenario, rng, count)
    shots = tuple(with_fallback(each) for each in made.shots)
    return replace(made, shots=shots, rates=replace(made.rates, max_attempts=rng.choice((1, 2)), in_flight=1))


def a_fallback_after_a_failure(scenario: Scenario, rng: Random) -> Scenario:
    """The first model fails, or refuses, at no cost; the prompt may be what it refuses."""
    message = rng.choice(("the generation failed", "Content policy violation"))
    kind, code = rng.choice((("fail", 500), ("status", 400)))
    rules = (Rule("submit", kind, code=code, nth=(1, 2), message=message),)
    return replace(_failing(scenario, rng, rng.randint(1, 3)), rules=rules)


def an_old_copy_from_before_a_fallback(scenario: Scenario, rng: Random) -> Scenario:
    """A copy from before the fallback was sent is put back."""
    made = _failing(scenario, rng, rng.randint(2, 3))
    acts = (
        Act(1, rng.choice(("roll back", "restore folder", "restore first"))),
        Act(1, f"wait {rng.choice((1, 9, 30))}"),
    )
    return replace(made, rules=(Rule("submit", "fail", nth=(1, 2)),), acts=acts, limit=1)


def a_fallback_after_a_failure_that_was_none(scenario: Scenario, rng: Random) -> Scenario:
    """Polls say that the first model failed, and its generation completes; or a refused job was made all the same."""
    made = _failing(scenario, rng, rng.randint(1, 2))
    lies = rng.choice((Lies(failed=((1, 1, rng.choice((0.0, 90.0, HOUR))),)), Lies(refused=((1, 400),))))
    return replace(made, lies=lies, rates=replace(made.rates, max_attempts=1))


def a_fallback_of_a_take_that_was_given_up(scenario: Scenario, rng: Random) -> Scenario:
    """The answer of a submit is lost, the user gives it up, and it was made."""
    made = _failing(scenario, rng, rng.randint(1, 2))
    rules = (Rule("submit", "drop_after", nth=(1,)),)
    return replace(made, rules=rules, acts=(Act(0, "deadline", 2), Act(1, "abandon")))


def a_fallback_after_a_failure_that_is_charged(scenario: Scenario, rng: Random) -> Scenario:
    """The first model fails and is charged, by its own id or under an id of no take."""
    made = replace(
        _failing(scenario, rng, rng.randint(1, 2)), rates=replace(scenario.rates, max_attempts=1, in_flight=1)
    )
    if rng.random() < 0.5:
        return replace(made, rules=(Rule("submit", "fail_charged", nth=(1,)),))
    return replace(made, rules=(Rule("submit", "fail", nth=(1,)),), lies=Lies(shadows=(1,)))


def a_fallback_under_a_cap(scenario: Scenario, rng: Random) -> Scenario:
    """The fallback costs more than the first, and the cap bears it or does not."""
    made = _failing(scenario, rng, rng.randint(2, 3))
    cap = rng.choice((PRICES[SMALL] * 2, PRICES[LARGE], PRICES[LARGE] + PRICES[SMALL], PRICES[LARGE] * 2))
    quotes = rng.choice((dict(PRICES), {SMALL: PRICES[SMALL]}, {}))
    return replace(made, rules=(Rule("submit", "fail", nth=(1, 2)),), cap_credits=cap, quotes=quotes)


PLOTS_OF_10: Mapping[str, Plot] = {
    plot.__name__.replace("_", " "): plot
    for plot in (
        a_fallback_after_a_failure,
        an_old_copy_from_before_a_fallback,
        a_fallback_after_a_failure_that_was_none,
        a_fallback_of_a_take_that_was_given_up,
        a_fallback_after_a_failure_that_is_charged,
        a_fallback_under_a_cap,
    )
}
"""Plots of version 10 by name."""


def plotted_with_fallbacks(scenario: Scenario, rng: Random) -> Scenario:
    """Return a scenario with fallbacks in three seeds of ten that tell no other plot: a plot, or what was drawn."""
    if scenario.plot or rng.random() >= 0.3:
        return scenario
    if rng.random() < 0.5:
        return fallbacks(scenario, rng)
    name = rng.choice(sorted(PLOTS_OF_10))
    return replace(PLOTS_OF_10[name](scenario, rng), plot=name)
