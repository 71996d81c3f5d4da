"""Plots in which the user renames shots: what is there under other ids is used, or bought again if the user says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from random import Random

from tests.simulation.fallback_plots import with_fallback
from tests.simulation.plots import Plot, plain
from tests.simulation.renaming import ANSWERS, RENAME, TAKE_OVER
from tests.simulation.scenario import Act, Scenario
from wanbatch.sandbox.faults import Rule


def shots_renamed_after_fallbacks(scenario: Scenario, rng: Random) -> Scenario:
    """Some shots are on their fallback when they are renamed; the manifest may name no fallback any more."""
    made = _on_fallbacks(scenario, rng)
    acts = (*_no_more(rng, 1), Act(1, f"rename {_some(rng, len(made.shots))}: {rng.choice(ANSWERS)}"))
    return replace(made, acts=acts, limit=rng.choice((None, None, 2)))


def shots_renamed_while_fallbacks_run(scenario: Scenario, rng: Random) -> Scenario:
    """A run is stopped while fallbacks are open, planned or lost, and the shots are renamed before the next."""
    made = _on_fallbacks(scenario, rng)
    stop = Act(0, *rng.choice((("deadline", 20), ("deadline", 40), ("deadline", 60), ("drain", 20), ("terminate", 30))))
    lost = (Rule("submit", "drop_after", nth=(rng.randint(2, 4),)),) if rng.random() < 0.5 else ()
    acts = (stop, *_no_more(rng, 1), Act(1, f"rename {_some(rng, len(made.shots))}: {rng.choice((TAKE_OVER, RENAME))}"))
    return replace(made, acts=acts, rules=(*made.rules, *lost))


def shots_renamed_twice(scenario: Scenario, rng: Random) -> Scenario:
    """What a fallback made is used under another id, and under one more."""
    made = _on_fallbacks(scenario, rng)
    ways = (TAKE_OVER, RENAME)
    acts = tuple(Act(run, f"rename {_some(rng, len(made.shots))}: {rng.choice(ways)}") for run in (1, 2))
    return replace(made, acts=(*acts, *_no_more(rng, rng.randint(1, 2))))


def _on_fallbacks(scenario: Scenario, rng: Random) -> Scenario:
    made = plain(scenario, rng, rng.randint(2, 4))
    shots = tuple(
        replace(with_fallback(each), takes=rng.choice((1, 1, 1, 2)), seed=rng.choice((None, None, None, 7)))
        for each in made.shots
    )
    failing = tuple(sorted(rng.sample(range(1, len(shots) + 1), rng.choice((1, 1, 2)))))
    rules = (Rule("submit", "fail", nth=failing),)
    return replace(made, shots=shots, rules=rules, rates=replace(made.rates, max_attempts=1, in_flight=1))


def _no_more(rng: Random, run: int) -> tuple[Act, ...]:
    """In half of the seeds the manifest names no fallback from a run on."""
    return (Act(run, "drop fallbacks"),) if rng.random() < 0.5 else ()


def _some(rng: Random, count: int) -> str:
    if rng.random() < 0.7:
        return "all"
    return " ".join(map(str, sorted(rng.sample(range(count), rng.randint(1, count)))))


RENAMING_PLOTS: Mapping[str, Plot] = {
    plot.__name__.replace("_", " "): plot
    for plot in (shots_renamed_after_fallbacks, shots_renamed_while_fallbacks_run, shots_renamed_twice)
}
"""Plots of version 12 by name, beside those of `earlier_purchase_plots`."""
