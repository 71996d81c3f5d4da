"""Many worlds: seeds over processes, every single crash of one batch, pairs of crashes."""

from __future__ import annotations

import gc
import os
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import product

from tests.simulation.coverage import Covered
from tests.simulation.disk import Crash, Outcome
from tests.simulation.generator import scenario_of
from tests.simulation.oracle import problems
from tests.simulation.scenario import PRICES, SMALL, Scenario
from tests.simulation.seams import world_of
from tests.simulation.world import World
from wanbatch.batch.shots import Shot
from wanbatch.pace.schedule import Rates
from wanbatch.sandbox.faults import Rule

CHUNK = 50


@dataclass
class Found:
    """What some worlds brought."""

    worlds: int = 0
    broken: dict[str, list[str]] = field(default_factory=dict)  # how to make it again: what was wrong
    covered: Covered = field(default_factory=Covered)
    ends: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    hashes: dict[str, str] = field(default_factory=dict)

    def add(self, more: Found) -> None:
        """Put two together."""
        self.worlds += more.worlds
        self.broken |= more.broken
        self.covered.add(more.covered)
        self.ends.update(more.ends)
        self.states.update(more.states)
        self.hashes |= more.hashes

    def note(self, name: str, world: World, wrong: Sequence[str]) -> None:
        """Count one world."""
        self.worlds += 1
        if wrong:
            self.broken[name] = list(wrong)
        self.covered.note(world)
        self.ends.update("killed" if end.code is None else end.code.name for end in world.ends)
        self.states.update(take.state.value for take in world.takes)
        self.hashes[name] = world.trace_hash


def live(scenario: Scenario) -> tuple[World, list[str]]:
    """Live one scenario through and judge it."""
    with world_of(scenario) as world:
        world.live()
        return world, problems(world)


def seeds(numbers: Iterable[int], make: Callable[[int], Scenario] = scenario_of) -> Found:
    """Live through these seeds; `make` draws the scenario of one."""
    found = Found()
    gc.disable()
    gc.freeze()  # what was imported need not be looked through again and again
    try:
        for count, seed in enumerate(numbers):
            world, wrong = live(make(seed))
            found.note(str(seed), world, wrong)
            if count % 50 == 49:
                gc.collect()
    finally:
        gc.enable()
    return found


def any_seed() -> int:
    """Draw the first of seeds that were never run."""
    return int.from_bytes(os.urandom(4)) % 10**9


def spread(
    work: Callable[[range], Found], numbers: range, jobs: int, tell: Callable[[Found], None] = lambda _: None
) -> Found:
    """Do chunks of the numbers in processes of their own, and tell of each when it is done."""
    chunks = [numbers[at : at + CHUNK] for at in range(0, len(numbers), CHUNK)]
    found = Found()
    with ExitStack() as stack:
        parts = map(work, chunks)
        if jobs > 1:
            parts = stack.enter_context(ProcessPoolExecutor(jobs)).map(work, chunks)
        for part in parts:
            found.add(part)
            tell(part)
    return found


# --- every crash of one batch


def three_shots() -> Scenario:
    """Three takes on a good day, but for one lost answer and one clip that breaks off."""
    shots = tuple(
        Shot(f"sh{n:02d}", n, {"model": SMALL, "resolution": "480P", "prompt": f"shot number {n}"}) for n in range(3)
    )
    rules = (Rule("submit", "drop_after", nth=(2,)), Rule("clip", "truncate", nth=(1,)))
    return Scenario(seed=3, shots=shots, rates=Rates(), cap_credits=4 * PRICES[SMALL], rules=rules)


def steps_of(scenario: Scenario) -> list[str]:
    """Return the steps of the first run of a scenario."""
    return live(scenario)[0].steps[0]


def single_crashes(scenario: Scenario) -> list[Scenario]:
    """Return the scenario once for each step and each outcome on the disk; what a cut leaves is seeded."""
    tails = [
        (Outcome.CLEAN, 0),
        (Outcome.SYNCED, 0),
        (Outcome.ROT, 0),
        *((outcome, seed) for outcome in (Outcome.CUT, Outcome.ZEROS) for seed in (1, 2)),
    ]
    count = len(steps_of(scenario))
    return [
        replace(scenario, crashes=(Crash(step, outcome, seed * 1000 + step),))
        for step, (outcome, seed) in product(range(count), tails)
    ]


def double_crashes(scenario: Scenario, count: int) -> list[Scenario]:
    """Return a seeded sample of pairs of crashes."""
    rng = random.Random("pairs of crashes")
    most = len(steps_of(scenario))

    def crash() -> Crash:
        return Crash(rng.randrange(most), rng.choice(list(Outcome)), rng.randrange(2**32))

    return [replace(scenario, crashes=(crash(), crash())) for _ in range(count)]


def crashes(scenarios: Sequence[Scenario]) -> Found:
    """Live through these scenarios; each is named by its crashes."""
    found = Found()
    for count, scenario in enumerate(scenarios):
        world, wrong = live(scenario)
        found.note(" ".join(map(str, scenario.crashes)), world, wrong)
        if count % 50 == 49:
            gc.collect()
    return found


# --- what was wrong


def causes(found: Found) -> list[tuple[str, int, str]]:
    """Group what was wrong by its wording: how often, and in which world first."""
    groups: dict[str, list[str]] = {}
    for name, wrong in found.broken.items():
        for text in dict.fromkeys(map(wording, wrong)):
            groups.setdefault(text, []).append(name)
    return sorted(((text, len(names), names[0]) for text, names in groups.items()), key=lambda group: -group[1])


def wording(text: str) -> str:
    """Return a text without names and numbers, so that the same trouble reads the same."""
    text = re.sub(r"wb1:\S+|sh\d\d_t\d+|[A-Za-z0-9_:/-]{21}(?=\b)|/dev/shm\S*|\d+", "#", text)
    return text[:160]


def timed(work: Callable[[], Found]) -> tuple[Found, float]:
    """Do it, and say how many seconds that took."""
    began = time.perf_counter()
    return work(), time.perf_counter() - began
