"""Run the simulation: `python -m tests.simulation --seeds 10000 --jobs 2`, `--seed 7`, `--crashes 500`, `--mutants`.

`--plot` with `--seed`, `--seeds`, `--freeze` or `--mutants` plays one plot alone.

Seeds begin at a random one, which is told first; `--first` names another.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial

from tests.simulation import mutants, sweep
from tests.simulation.disk import Crash
from tests.simulation.every_plot import EVERY_PLOT, scenario_with
from tests.simulation.frozen import written
from tests.simulation.generator import VERSION, scenario_of
from tests.simulation.scenario import Scenario

TRIES = 20  # seeds of one plot in which a mutant is played with it


def main() -> int:
    """Do what was asked; 1 where something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="one seed, with its whole trace")
    parser.add_argument("--generator", type=int, default=VERSION, help="an older version of it")
    parser.add_argument("--seeds", type=int, help="so many seeds, from --first on")
    parser.add_argument("--first", type=int, help="the first seed; a random one otherwise, and for --mutants 0")
    parser.add_argument(
        "--plot", choices=sorted(EVERY_PLOT), metavar="PLOT", help="let every seed tell this plot alone"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--crash", nargs="*", metavar="STEP:OUTCOME:SEED", help="these crashes, with the whole trace")
    parser.add_argument("--crashes", type=int, metavar="PAIRS", help="every single crash, and so many pairs")
    parser.add_argument("--freeze", type=int, metavar="SEED", help="write a seed's scenario as a case")
    parser.add_argument("--mutants", nargs="*", metavar="NAME", help="break the protocol: all ways, or these")
    asked = parser.parse_args()
    is_good = True
    drawn, source = partial(scenario_of, version=asked.generator), f"generator {asked.generator}"
    if asked.plot is not None:
        drawn, source = partial(scenario_with, asked.plot), f"the plot '{asked.plot}'"
    if asked.seed is not None:
        is_good = _one(drawn(asked.seed))
    if asked.freeze is not None:
        _say(f'"{asked.freeze} of {source}": {written(drawn(asked.freeze))},')
    if asked.crash is not None:
        crashes = tuple(map(Crash.read, asked.crash))
        is_good = _one(replace(sweep.three_shots(), crashes=crashes)) and is_good
    if asked.seeds is not None:
        first = sweep.any_seed() if asked.first is None else asked.first
        _say(f"seeds {first} to {first + asked.seeds - 1}, {source}: --first {first} runs them again")
        is_good = _many(range(first, first + asked.seeds), asked.jobs, drawn) and is_good
    if asked.crashes is not None:
        is_good = _crashes(asked.crashes, asked.jobs) and is_good
    if asked.mutants is not None:
        is_good = _mutants(asked.mutants or list(mutants.MUTANTS), asked.jobs, asked.plot) and is_good
    return 0 if is_good else 1


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _one(scenario: Scenario) -> bool:
    world, wrong = sweep.live(scenario)
    _say("\n".join(world.trace))
    _say(f"scenario: {world.scenario}")
    _say(f"trace {world.trace_hash}")
    for text in wrong:
        _say(f"WRONG: {text}")
    return not wrong


def _many(numbers: range, jobs: int, make: Callable[[int], Scenario]) -> bool:
    found, took_s = sweep.timed(lambda: sweep.spread(partial(sweep.seeds, make=make), numbers, jobs, _tell_broken))
    _say(found.covered.text())
    return _report(found, took_s, "seeds", "python -m tests.simulation --seed")


def _tell_broken(found: sweep.Found) -> None:
    for seed, wrong in found.broken.items():
        _say(f"seed {seed}: {wrong[0][:200]}")


def _crashes(pairs: int, jobs: int) -> bool:
    scenario = sweep.three_shots()
    every = sweep.single_crashes(scenario) + sweep.double_crashes(scenario, pairs)
    chunks = [every[at : at + sweep.CHUNK] for at in range(0, len(every), sweep.CHUNK)]
    began, found = time.perf_counter(), sweep.Found()
    with ProcessPoolExecutor(jobs) as pool:
        for part in pool.map(sweep.crashes, chunks):
            found.add(part)
    return _report(found, time.perf_counter() - began, "crashed batches", "python -m tests.simulation --crash")


def _report(found: sweep.Found, took_s: float, what: str, again: str) -> bool:
    _say(f"{found.worlds} {what} in {took_s:.0f} s: {found.worlds / took_s:.0f} a second")
    _say(f"runs ended: {dict(found.ends.most_common())}")
    _say(f"takes ended: {dict(found.states.most_common())}")
    for text, count, first in sweep.causes(found):
        _say(f"WRONG in {count}: {text}\n  {again} {first}")
    _say(f"{len(found.broken)} of {found.worlds} broke a rule")
    return not found.broken


def _mutants(names: list[str], jobs: int, plot: str | None) -> bool:
    missed = []
    catch = mutants.caught_by if plot is None else partial(mutants.caught_with, plot=plot, limit=TRIES)
    with ProcessPoolExecutor(jobs) as pool:
        for name, found in zip(names, pool.map(catch, names), strict=True):
            _say(f"{name}: " + (f"seed {found[0]}: {found[1][:140]}" if found else "NOT CAUGHT"))
            missed += [] if found else [name]
    _say(f"{len(names) - len(missed)} of {len(names)} mutants caught")
    return not missed


if __name__ == "__main__":
    sys.exit(main())
