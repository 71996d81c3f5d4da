"""The accounts of many worlds: `python -m tests.simulation.accounts --seeds 1000 --jobs 2`, `--crowds 200`, `--seed 7`.

Each seed is lived through as the simulation does, with scenes, tags and cost codes added and caps on scenes; then the
reports are made, and compared with the provider's own books to the credit.
"""

from __future__ import annotations

import argparse
import csv
import gc
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from math import inf
from random import Random
from typing import Any

import pandas as pd

from tests.simulation.end import End
from tests.simulation.generator import scenario_of
from tests.simulation.oracle import problems, told_price
from tests.simulation.scenario import KEY, PRICES, SMALL, Scenario
from tests.simulation.seams import world_of
from tests.simulation.sweep import wording
from tests.simulation.world import EPOCH, World
from wanbatch.batch.shots import Shot
from wanbatch.errors import ExitCode
from wanbatch.money.ledger import LedgerLine, Verdict
from wanbatch.pace.schedule import Rates
from wanbatch.reporting.amounts import WENT_INTO
from wanbatch.reporting.book import book_of
from wanbatch.reporting.costs import LEVELS, make_costs
from wanbatch.reporting.files import write_reports
from wanbatch.reporting.record import read_record
from wanbatch.runner.resubmission import take_and_attempt
from wanbatch.runner.settings import RunSettings
from wanbatch.sandbox.faults import Rule
from wanbatch.sandbox.options import SandboxOptions
from wanbatch.session.decisions import reconcile
from wanbatch.state.reader import StateReader

Row = dict[str, Any]
SCENES = ("sc010", "sc020", "")
CHUNK = 25


@dataclass
class Books:
    """What the worlds brought: how many, what was wrong by seed, and how often each verdict was given."""

    worlds: int = 0
    charges: int = 0
    credits: int = 0
    broken: dict[str, list[str]] = field(default_factory=dict)
    verdicts: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0

    def add(self, more: Books) -> None:
        """Put two together."""
        self.worlds += more.worlds
        self.charges += more.charges
        self.credits += more.credits
        self.broken |= more.broken
        self.verdicts.update(more.verdicts)
        self.in_flight = max(self.in_flight, more.in_flight)


def in_scenes(shots: Iterable[Shot]) -> tuple[Shot, ...]:
    """Give shots scenes, sequences, tags and cost codes, some of them none."""
    return tuple(
        replace(
            shot,
            scene=SCENES[number % 3],
            sequence=("sq1", "")[number % 2],
            tags=((), ("hero",), ("hero", "night"))[number % 3],
            cost_code=("A-1", "B-2", "")[number % 3],
        )
        for number, shot in enumerate(shots)
    )


def with_scenes(scenario: Scenario) -> tuple[Scenario, dict[str, int]]:
    """Add scenes to a scenario, and in half of the seeds caps on one or two of them."""
    rng = Random(f"accounts {scenario.seed}")
    caps = {}
    if rng.random() < 0.5:
        for scene in rng.sample(SCENES[:2], rng.choice((1, 2))):
            caps[scene] = int(PRICES[SMALL] * (rng.randint(1, 4) + rng.choice((0.0, 0.0, 0.5))))
    return replace(scenario, shots=in_scenes(scenario.shots)), caps


def capped(world: World, caps: dict[str, int]) -> None:
    """Hold the runs of a world to caps on scenes, too."""
    real, world.scene_caps = world.settings, caps

    def settings(*arguments: Any) -> RunSettings:
        return replace(real(*arguments), scene_caps=caps)

    world.settings = settings  # type: ignore[method-assign]


def account(scenario: Scenario, scene_caps: dict[str, int]) -> tuple[Books, list[str]]:
    """Live one world through, make its reports, and say where they differ from the provider's books."""
    found = Books(worlds=1)
    with world_of(scenario) as world:
        capped(world, scene_caps)
        world.live()
        lines: list[LedgerLine] = []
        world.between(lambda: _look(world, lines))
        books = world.books()
        ours = [row for row in books if str(row["client_request_id"]).startswith(f"wb1:{world.nonce}:")]
        wrong = list(problems(world, books))
        wrong += _scene_caps(world, ours, scene_caps)
        if not world.wrongs:
            wrong += _differences(world, ours, lines)
        found.verdicts.update(line.verdict.value for line in lines)
        found.charges = sum(row["charged"] > 0 for row in ours)
        found.credits = sum(row["charged"] for row in ours)
        found.in_flight = _most_at_once(ours)
    return found, wrong


async def _look(world: World, lines: list[LedgerLine]) -> Any:
    with world.user.context() as context:
        lines += (await reconcile(context)).ledger
    return End(ExitCode.OK)


def _differences(world: World, ours: list[Row], lines: list[LedgerLine]) -> Iterator[str]:
    """Yield where reports and books differ: by batch, by level, by what it went into, by verdict, in the CSV."""
    charged = {row["inference_id"]: row["charged"] for row in ours if row["charged"]}
    if world.ends[-1].refused or (not world.takes and not charged):
        return  # the state file is refused, and the user was told; or nothing was ever sent
    told = {line.generation_id: line.charged for line in lines if line.charged is not None}
    for generation_id, credit_count in charged.items():
        if told.get(generation_id) != credit_count and not _is_hidden(world, ours, generation_id):
            yield f"the ledger lines say {told.get(generation_id)} of {generation_id}, the books {credit_count}"
    for generation_id in told.keys() - charged.keys():
        yield f"the ledger lines name a charge for {generation_id}, which was charged nothing"
    if len(told) != sum(line.charged is not None for line in lines):
        yield "a generation stands in two ledger lines"
    orphans = sum(line.charged or 0 for line in lines if line.verdict is Verdict.ORPHAN)
    with StateReader.open(world.output) as reader:
        files = write_reports(reader, made_at=EPOCH)
        tables = make_costs([book_of(read_record(reader))])
    rows = tables.costs.to_dict("records")
    actual = _seen(rows[0]["charged_known_credits"])
    lined = sum(told.values())
    if actual + orphans != lined:
        yield f"the cost report says {actual} were charged, the ledger lines {lined - orphans} and {orphans} of orphans"
    for row in rows:
        parts = [row[f"{name}_credits"] for name in WENT_INTO]
        charged, known = row["charged_credits"], _seen(row["charged_known_credits"])
        is_unknown = {pd.isna(each) for each in parts}  # all of them, or none
        if len(is_unknown) != 1 or sum(map(_seen, parts)) != known:
            yield f"{row['level']} {row['key']}: its parts are {parts}, its charges {known}"
        if pd.isna(charged) is not (row["charges_not_seen"] > 0) or _seen(charged) not in (0, known):
            yield f"{row['level']} {row['key']}: charged is {charged}, {row['charges_not_seen']} not seen, {known} known"
    for level in LEVELS:
        mine = [_seen(row["charged_known_credits"]) for row in rows if row["level"] == level]
        if mine and level != "tag" and sum(mine) != actual:
            yield f"by {level} {sum(mine)} were charged, in all {actual}"
    spent = int(tables.spend["charged_credits"].sum())
    if spent != actual:
        yield f"the spend over time comes to {spent}, not {actual}"
    with files.costs.open(encoding="utf-8", newline="") as stream:
        first = next(csv.DictReader(stream))
    with files.takes.open(encoding="utf-8", newline="") as stream:
        by_take = sum(int(row["credits_charged"] or 0) for row in csv.DictReader(stream))
    if (int(first["charged_known_credits"] or 0), by_take) != (actual, actual):
        yield f"costs.csv says {first['charged_known_credits']}, takes.csv {by_take}, the table {actual}"


def _is_hidden(world: World, ours: list[Row], generation_id: str) -> bool:
    """Say whether nothing that this key may read tells of a charge: made under another key, or what told was lost."""
    row = next(row for row in ours if row["inference_id"] == generation_id)
    ids = take_and_attempt(row["client_request_id"])
    is_unrecorded = ids is None or not any((each.take_id, each.number) == ids for each in world.attempts)
    has_other_key = world.key != KEY or any(act.do == "other key" for act in world.scenario.acts)
    is_nowhere = row["in_log_at"] == inf and not any(each.generation_id == generation_id for each in world.attempts)
    return has_other_key or is_nowhere or (world.is_rolled_back and is_unrecorded)


def _seen(credit_count: Any) -> int:
    """Return a sum of a report in credits; what is unknown, as the ledger shows nothing of it yet, as 0."""
    return 0 if pd.isna(credit_count) else int(credit_count)


def _scene_caps(world: World, ours: list[Row], caps: dict[str, int]) -> Iterator[str]:
    """Yield each moment at which a scene holds more than its cap: what a client cannot see through is allowed for."""
    if world.is_rolled_back:
        return
    scenes = {shot.id: shot.scene for shot in world.scenario.shots}
    takes = {take.take_id: take for take in world.takes}
    for scene, cap in caps.items():
        moves: list[tuple[float, int, int, Row]] = []
        for row in ours:
            ids = take_and_attempt(row["client_request_id"])
            take = takes.get(ids[0]) if ids is not None else None
            if take is None or scenes.get(take.shot_id) != scene or row["http_status"] != 200 or not row["credits"]:
                continue
            moves.append((row["at"], 1, row["credits"], row))
            if row["failure"]:
                moves.append((row["ends_at"], 0, -row["credits"], row))
        total = slack = 0
        for at, kind, credit_count, row in sorted(moves, key=lambda move: move[:3]):
            before, total = total, total + credit_count
            if kind != 1:
                continue
            told = told_price(world, row, ours)
            if told is None:
                slack += max(0, total - cap - slack) if before < cap + slack else 0
            else:
                slack += max(0, row["credits"] - told)
            if row["client_request_id"] in world.late | world.twins | set(world.supplier.broken):
                slack += row["credits"]
            if total > cap + slack:
                yield f"SCENE CAP: {scene} holds {total} at {at - EPOCH.timestamp():.0f} s, {cap} allowed"


def _most_at_once(ours: list[Row]) -> int:
    moves = [(row["at"], 1) for row in ours if row["credits"]] + [
        (row["ends_at"], -1) for row in ours if row["credits"]
    ]
    most = now = 0
    for _, step in sorted(moves):
        now += step
        most = max(most, now)
    return most


# --- crowds: fifty at once


def crowd_of(seed: int) -> tuple[Scenario, dict[str, int]]:
    """Seventy takes and more, fifty at the provider at once, under a cap that does not divide by the price."""
    rng = Random(f"crowd {seed}")
    shots = tuple(
        Shot(f"sh{n:02d}", n, {"model": SMALL, "resolution": "480P", "prompt": f"shot number {n}"})
        for n in range(rng.randint(70, 90))
    )
    base = scenario_of(seed)
    price = PRICES[SMALL]
    scenario = replace(
        base,
        shots=in_scenes(shots),
        rates=Rates(submit_per_min=6_000.0, poll_per_min=6_000.0, in_flight=50, downloads=8, max_attempts=2),
        cap_credits=int(price * (rng.randint(51, 68) + rng.random())),
        quotes=rng.choice((dict(PRICES), dict(PRICES), {})),
        options=SandboxOptions(seed=seed, log_lag_s=30.0, mean_s=600.0, cv=rng.choice((0.05, 0.25))),
        rules=tuple(_crowd_rule(rng) for _ in range(rng.choice((0, 1, 2)))),
        cuts=(),
        strangers=(),
        limit=None,
        acts=(),
    )
    return scenario, {"sc010": int(price * (rng.randint(8, 22) + rng.random()))}


def _crowd_rule(rng: Random) -> Rule:
    nth = tuple(sorted(rng.sample(range(2, 60), 4)))
    return rng.choice(
        (Rule("submit", "fail", nth=nth), Rule("submit", "drop_after", nth=nth[:2]), Rule("poll", "delay", nth=nth))
    )


# --- many


def seeds(numbers: Iterable[int], scenario_for: Callable[[int], tuple[Scenario, dict[str, int]]]) -> Books:
    """Account for these seeds."""
    found = Books()
    gc.disable()
    try:
        for count, seed in enumerate(numbers):
            one, wrong = account(*scenario_for(seed))
            found.add(one)
            if wrong:
                found.broken[str(seed)] = wrong
            if count % 10 == 9:
                gc.collect()
    finally:
        gc.enable()
    return found


def usual(seed: int) -> tuple[Scenario, dict[str, int]]:
    """Return the simulation's scenario of a seed, with scenes."""
    return with_scenes(scenario_of(seed))


def _usual_seeds(numbers: range) -> Books:
    return seeds(numbers, usual)


def _crowd_seeds(numbers: range) -> Books:
    return seeds(numbers, crowd_of)


def _many(work: Callable[[range], Books], numbers: range, jobs: int) -> bool:
    began, found = time.perf_counter(), Books()
    chunks = [numbers[at : at + CHUNK] for at in range(0, len(numbers), CHUNK)]
    with ProcessPoolExecutor(jobs) as pool:
        for part in pool.map(work, chunks):
            found.add(part)
    took_s = time.perf_counter() - began
    _say(f"{found.worlds} worlds in {took_s:.0f} s: {found.charges} charges, {found.credits:,} credits in their books")
    _say(f"verdicts: {dict(found.verdicts.most_common())}; at most {found.in_flight} at once")
    for text, names in _grouped(found.broken).items():
        _say(f"WRONG in {len(names)}: {text}; first: seed {names[0]}")
    _say(f"{len(found.broken)} of {found.worlds} differ")
    return not found.broken


def _grouped(broken: dict[str, list[str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name, wrong in broken.items():
        for text in dict.fromkeys(map(wording, wrong)):
            groups.setdefault(text, []).append(name)
    return groups


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Do what was asked; 1 where a report differs from the books."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.accounts", description=__doc__)
    parser.add_argument("--seed", type=int, help="one seed, with all that is wrong")
    parser.add_argument("--crowd", type=int, help="one crowd, with all that is wrong")
    parser.add_argument("--seeds", type=int, help="so many seeds, from --first on")
    parser.add_argument("--crowds", type=int, help="so many crowds of fifty at once")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    is_good = True
    for seed, scenario_for in ((asked.seed, usual), (asked.crowd, crowd_of)):
        if seed is not None:
            _, wrong = account(*scenario_for(seed))
            for text in wrong:
                _say(f"WRONG: {text}")
            is_good = is_good and not wrong
    if asked.seeds is not None:
        is_good = _many(_usual_seeds, range(asked.first, asked.first + asked.seeds), asked.jobs) and is_good
    if asked.crowds is not None:
        is_good = _many(_crowd_seeds, range(asked.first, asked.first + asked.crowds), asked.jobs) and is_good
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
