"""The plots of version 13: shots that continue from others, and what happens to these meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any

from tests.simulation.disk import Crash, Outcome
from tests.simulation.plots import Plot, plain
from tests.simulation.scenario import CHAIN_PRICES, PICTURE, Act, Scenario
from wanbatch.batch.shots import Shot
from wanbatch.runner.settings import OnUnknown
from wanbatch.sandbox.faults import Rule

_DEEDS = ("drop_after", "drop_before", "fail", "no_body_id", "truncate", "bad_json", "delay")


def chained(scenario: Scenario, rng: Random, fewest: int = 2) -> Scenario:
    """Return a scenario in which nothing goes wrong: a chain, which may branch, and perhaps a shot beside it."""
    made = plain(scenario, rng, 0, rng.choice((30.0, 300.0)))
    count = rng.randint(fewest, 5)
    shots = [_shot(0, rng, "")]
    for number in range(1, count):
        before = number - 1 if rng.random() < 0.75 else rng.randrange(number)
        moment = rng.choice(("last", "last", "last", "first", "2500ms"))
        pinned = ":t1" if rng.random() < 0.1 else ""
        shots.append(_shot(number, rng, f"frame:sh{before:02d}:{moment}{pinned}"))
    if rng.random() < 0.3:
        shots.append(_shot(count, rng, ""))
    quotes = {} if rng.random() < 0.1 else dict(CHAIN_PRICES)
    return replace(made, shots=tuple(shots), quotes=quotes)


def _shot(number: int, rng: Random, frame: str) -> Shot:
    body: dict[str, Any] = {"model": PICTURE, "resolution": "720p", "duration": 5, "prompt": f"shot number {number}"}
    body["image_url"] = frame or "https://example.com/first.png"
    following = (frame,) if frame and rng.random() < 0.2 else ()
    return Shot(f"sh{number:02d}", number, body, takes=rng.choice((1, 1, 1, 2)), following=following)


def _crashes(rng: Random, most: int = 90) -> tuple[Crash, ...]:
    count = rng.choice((0, 1, 2, 3))
    return tuple(Crash(rng.randint(3, most), rng.choice(list(Outcome)), rng.randrange(2**32)) for _ in range(count))


def a_chain_among_faults(scenario: Scenario, rng: Random) -> Scenario:
    """Answers are lost, generations fail, the process dies, and the user edits and retries."""
    made = chained(scenario, rng)
    rules = tuple(
        Rule("submit", rng.choice(_DEEDS), nth=(rng.randint(1, 8),), delay_s=5.0) for _ in range(rng.randint(0, 3))
    )
    acts = tuple(
        Act(run, rng.choice(("edit", "edit back", "retry", "reconcile"))) for run in range(1, rng.randint(1, 4))
    )
    return replace(made, rules=rules, crashes=_crashes(rng), acts=acts)


def a_chain_that_dies_between_frame_and_submit(scenario: Scenario, rng: Random) -> Scenario:
    """The process dies again and again, most often near the record of a frame; the frames may be spoilt by then."""
    made = chained(scenario, rng)
    crashes = tuple(
        Crash(rng.randint(12, 60), rng.choice(list(Outcome)), rng.randrange(2**32)) for _ in range(rng.randint(2, 4))
    )
    acts = (Act(rng.randint(1, 2), "chains: spoil"),) if rng.random() < 0.4 else ()
    return replace(made, crashes=crashes, acts=acts)


def a_retake_in_a_chain(scenario: Scenario, rng: Random) -> Scenario:
    """A shot of a chain gets another take, with its successors or without, once all is made or while it is not."""
    made = chained(scenario, rng, 3)
    first = (Act(0, "deadline", rng.choice((20, 40, 60))),) if rng.random() < 0.4 else ()
    word = rng.choice(("retake", "retake", "retake-all"))
    acts = (*first, Act(1, f"chains: {word} {rng.randrange(len(made.shots) - 1)}"))
    rules = (Rule("submit", rng.choice(_DEEDS), nth=(rng.randint(2, 8),), delay_s=5.0),) if rng.random() < 0.4 else ()
    crashes = (None, *_crashes(rng, 60)) if rng.random() < 0.4 else ()
    return replace(made, acts=acts, rules=rules, crashes=crashes)


def a_circled_predecessor(scenario: Scenario, rng: Random) -> Scenario:
    """The first shot has several takes, and the user circles an older one before the rest of the chain is sent."""
    made = chained(scenario, rng)
    shots = (replace(made.shots[0], takes=rng.choice((2, 3))), *made.shots[1:])
    acts: tuple[Act, ...] = (
        Act(0, "deadline", rng.choice((2, 20))),
        Act(1, f"chains: circle 0 {rng.choice((1, 1, 2))}"),
    )
    acts += (Act(2, "chains: circle 0 2"),) if rng.random() < 0.3 else ()
    acts += (Act(2, "chains: retake-all 0"),) if rng.random() < 0.3 else ()
    return replace(made, shots=shots, acts=acts, crashes=(None, *_crashes(rng, 40)))


def an_edited_predecessor(scenario: Scenario, rng: Random) -> Scenario:
    """A run is stopped, or dies, and a shot is edited before those that continue from it are sent."""
    made = chained(scenario, rng)
    acts = (Act(1, f"edit shot {rng.choice((0, 0, 1))}"), *((Act(2, "edit back"),) if rng.random() < 0.4 else ()))
    if rng.random() < 0.4:
        return replace(made, acts=(Act(0, "deadline", rng.choice((2, 20, 40))), *acts))
    if rng.random() < 0.5:  # what the edit asks for fails for good
        rules = (Rule("submit", "fail", nth=(2, 3, 4)),)
        acts = (Act(0, "deadline", 20), *acts[:1])
        return replace(made, acts=acts, rules=rules, rates=replace(made.rates, max_attempts=1, in_flight=1))
    return replace(made, acts=acts, crashes=(Crash(rng.randint(12, 60), Outcome.CLEAN, 0),))


def a_predecessor_that_fails(scenario: Scenario, rng: Random) -> Scenario:
    """A shot of a chain fails for good; the user tries it again, edits it, or leaves it."""
    made = chained(scenario, rng)
    first = rng.randint(1, 3)
    rules = (Rule("submit", "fail", nth=(first, first + 1)),)
    act = rng.choice(("retry", "retry", "edit shot 0", "chains: retake 0", ""))
    acts = (Act(2, act),) if act else ()
    shots = made.shots if rng.random() < 0.5 else (replace(made.shots[0], takes=2), *made.shots[1:])
    return replace(made, shots=shots, rules=rules, acts=acts, rates=replace(made.rates, max_attempts=1))


def a_predecessor_that_is_found_late(scenario: Scenario, rng: Random) -> Scenario:
    """The answer to a submit is lost: its clip is found in the log while others wait for it, or the user adopts it."""
    made = chained(scenario, rng)
    rules = (Rule("submit", "drop_after", nth=(rng.randint(1, 3),)),)
    if rng.random() < 0.6:
        return replace(made, rules=rules)
    acts = (Act(rng.randint(1, 2), rng.choice(("adopt", "adopt", "abandon", "resubmit"))),)
    return replace(made, rules=rules, acts=acts, on_unknown=OnUnknown.HOLD)


def a_chain_in_parts(scenario: Scenario, rng: Random) -> Scenario:
    """Few takes a run, or a cap that does not bear the whole chain and is raised."""
    made = chained(scenario, rng, 3)
    if rng.random() < 0.5:
        return replace(made, limit=rng.choice((1, 2)))
    return replace(made, cap_credits=CHAIN_PRICES[PICTURE] * rng.randint(1, 4), acts=(Act(1, "raise cap"),))


def an_old_copy_of_a_chain(scenario: Scenario, rng: Random) -> Scenario:
    """A copy of the state file, or of the folder, is put back while a chain is made."""
    made = chained(scenario, rng)
    acts = (
        Act(0, "deadline", rng.choice((20, 40))),
        Act(2, rng.choice(("roll back", "restore folder"))),
        Act(2, "wait 1"),
    )
    return replace(made, acts=acts, limit=rng.choice((1, 2)))


def a_frame_that_several_shots_share(scenario: Scenario, rng: Random) -> Scenario:
    """The first of several shots that continue from one frame fails; the user tries it again after the others."""
    made = chained(scenario, rng)
    moment = rng.choice(("last", "first"))
    others = [replace(_shot(number, rng, f"frame:sh00:{moment}"), takes=1) for number in range(1, rng.randint(3, 5))]
    rules = (Rule("submit", "fail", nth=(2,)),)
    acts = (*((Act(1, "chains: spoil"),) if rng.random() < 0.3 else ()), Act(rng.choice((2, 2, 3)), "retry"))
    shots = (replace(made.shots[0], takes=1), *others)
    return replace(made, shots=shots, rules=rules, acts=acts, limit=2, rates=replace(made.rates, max_attempts=1))


CHAIN_PLOTS: Mapping[str, Plot] = {
    plot.__name__.replace("_", " "): plot
    for plot in (
        a_chain_among_faults,
        a_chain_that_dies_between_frame_and_submit,
        a_retake_in_a_chain,
        a_circled_predecessor,
        an_edited_predecessor,
        a_predecessor_that_fails,
        a_predecessor_that_is_found_late,
        a_chain_in_parts,
        an_old_copy_of_a_chain,
        a_frame_that_several_shots_share,
    )
}
"""Plots of version 13 by name."""
