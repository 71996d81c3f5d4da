"""The plots of version 14: chains whose clips are measured, whose shots are renamed, and that meet in one shot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from random import Random

from tests.simulation.chain_plots import chained
from tests.simulation.disk import Crash, Outcome
from tests.simulation.joins import holds_frames
from tests.simulation.plots import Plot
from tests.simulation.renaming import RENAME, TAKE_OVER
from tests.simulation.scenario import PICTURES, Act, Scenario
from wanbatch.batch.shots import Shot
from wanbatch.runner.settings import OnUnknown
from wanbatch.sandbox.faults import Rule

_LOST = ("drop_after", "truncate", "bad_json")


def measured(scenario: Scenario, rng: Random) -> Scenario:
    """Return a scenario of chains with clips that can be measured, in most seeds, and threads that take time, in many."""
    if not any(holds_frames(shot) for shot in scenario.shots):
        return scenario
    measures = scenario.measures or rng.random() < 0.8
    return replace(scenario, measures=measures, threads_s=scenario.threads_s or rng.choice((0.0, 0.0, 2.0, 20.0)))


def a_chain_that_dies_around_its_measures(scenario: Scenario, rng: Random) -> Scenario:
    """The process dies again and again while clips are fetched, measured and given their names."""
    made = chained(scenario, rng, 3)
    if rng.random() < 0.6:  # nothing continues from most of them: what is missing of one nothing makes up for
        others = [_continuing(made.shots[0], number, "last") for number in range(1, rng.randint(4, 7))]
        made = replace(made, shots=(made.shots[0], *others))
    steps = [rng.randint(16, rng.choice((70, 150))) for _ in range(rng.randint(3, 8))]
    crashes = tuple(Crash(step, rng.choice(list(Outcome)), rng.randrange(2**32)) for step in steps)
    acts = (Act(rng.randint(1, 3), "chains: spoil"),) if rng.random() < 0.3 else ()
    return replace(made, crashes=crashes, acts=acts, measures=True, threads_s=rng.choice((0.0, 0.0, 5.0)))


def a_predecessor_found_while_its_frame_is_read(scenario: Scenario, rng: Random) -> Scenario:
    """Others continue from a shot of several takes, one of which was lost: it is found while their requests are made."""
    made = chained(scenario, rng, 2)
    first = replace(made.shots[0], takes=rng.choice((2, 2, 3)))
    moment = rng.choice(("last", "last", "first"))
    others = [_continuing(made.shots[0], number, moment) for number in range(1, rng.randint(4, 7))]
    rules = (Rule("submit", rng.choice(_LOST), nth=(rng.randint(1, first.takes),)),)
    rates = replace(made.rates, in_flight=rng.choice((2, 3, 8)), submit_per_min=rng.choice((6.0, 60.0, 60.0)))
    crashes = (None, Crash(rng.randint(10, 80), Outcome.CLEAN, 0)) if rng.random() < 0.3 else ()
    return replace(
        made,
        shots=(first, *others),
        rules=rules,
        rates=rates,
        crashes=crashes,
        on_unknown=OnUnknown.RECONCILE,
        threads_s=rng.choice((20.0, 60.0, 120.0)),
        measures=rng.random() < 0.5,
    )


def a_shot_between_two_others(scenario: Scenario, rng: Random) -> Scenario:
    """A shot begins with a frame of one shot and ends with one of another; either may fail, be retaken or be edited."""
    made = chained(scenario, rng, 2)
    count = len(made.shots)
    shots = [*made.shots, *(_between(made.shots, count + each, rng) for each in range(rng.randint(1, 2)))]
    rules = (
        (Rule("submit", rng.choice((*_LOST, "fail", "drop_before")), nth=(rng.randint(1, count + 1),)),)
        if rng.random() < 0.6
        else ()
    )
    deeds = ("retry", "edit shot 0", "edit shot 1", "chains: retake 0", "chains: retake-all 1", "chains: circle 0 1")
    acts = tuple(Act(run, rng.choice(deeds)) for run in range(1, rng.randint(1, 4)))
    crashes = tuple(
        Crash(rng.randint(5, 90), rng.choice(list(Outcome)), rng.randrange(2**32)) for _ in range(rng.choice((0, 1, 2)))
    )
    return measured(replace(made, shots=tuple(shots), rules=rules, acts=acts, crashes=crashes), rng)


def renamed_shots_of_a_chain(scenario: Scenario, rng: Random) -> Scenario:
    """A run dies, is stopped or ends, and shots of the chain are given other ids before the rest is sent."""
    made = chained(scenario, rng, 3)
    shots = tuple(replace(each, following=()) for each in made.shots)
    count = len(shots)
    which = "all" if rng.random() < 0.5 else " ".join(map(str, sorted(rng.sample(range(count), rng.randint(1, 2)))))
    acts: tuple[Act, ...] = (Act(1, f"rename {which}: {rng.choice((TAKE_OVER, RENAME))}"),)
    acts += (Act(0, "deadline", rng.choice((2, 20, 40, 60))),) if rng.random() < 0.6 else ()
    rules = (Rule("submit", rng.choice((*_LOST, "fail")), nth=(rng.randint(1, 3),)),) if rng.random() < 0.4 else ()
    crashes = tuple(
        Crash(rng.randint(16, 70), rng.choice(list(Outcome)), rng.randrange(2**32)) if rng.random() < 0.6 else None
        for _ in range(rng.choice((0, 1, 2)))
    )
    return measured(replace(made, shots=shots, acts=acts, rules=rules, crashes=crashes), rng)


def _continuing(first: Shot, number: int, moment: str) -> Shot:
    body = {**first.request, "image_url": f"frame:{first.id}:{moment}", "prompt": f"shot number {number}"}
    return Shot(f"sh{number:02d}", number, body)


def _between(shots: tuple[Shot, ...], number: int, rng: Random) -> Shot:
    one, other = rng.sample(shots, 2)
    body = {**one.request, "model": PICTURES, "prompt": f"shot number {number}"}
    body |= {"image_url": f"frame:{one.id}:last", "last_image_url": f"frame:{other.id}:{rng.choice(('first', 'last'))}"}
    return Shot(f"sh{number:02d}", number, body, takes=rng.choice((1, 1, 2)))


LATER_CHAIN_PLOTS: Mapping[str, Plot] = {
    plot.__name__.replace("_", " "): plot
    for plot in (
        a_chain_that_dies_around_its_measures,
        a_predecessor_found_while_its_frame_is_read,
        a_shot_between_two_others,
        renamed_shots_of_a_chain,
    )
}
"""Plots of version 14 by name."""
