"""Whole batches under faults and crashes: what the provider's books and the disk say in the end."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation import accounts, cases, mutants, sweep
from tests.simulation.cases import FAILED_ONCE
from tests.simulation.every_plot import EVERY_PLOT, scenario_with
from tests.simulation.frozen import written
from tests.simulation.generator import VERSION, scenario_of
from tests.simulation.oracle import problems
from tests.simulation.scenario import Scenario
from tests.simulation.seams import world_of
from wanbatch.batch.lifecycle import TRANSITIONS

# What the suite plays each time; `.ci/run` plays more, and `make simulate` as many as one likes.
CHUNK = 15
SEEDS = 30
REPORTED = 4  # seeds of each part whose reports are held against the books: half a second of CPU each
GENERATOR = 8  # of the seeds that catch a mutant: a newer one draws other worlds from the same seed
FIRST = "FIRST"  # the variable that names the first seed, to run the same ones again
SINGLES = 2  # parts that the sample of single crashes is cut into
DRAWN = {  # what each version of the generator draws from the first seeds
    1: "59c11f3e0b7392af",
    2: "efca78f097cfc44d",
    3: "ef95df5f27b36186",
    4: "090fa63d8d0d4101",
    5: "ba0b38134be15d7f",
    6: "c046f56d9a0f59f3",
    7: "3c12b13f2bf75840",
    8: "b9c0b97e3ee2ea11",
    9: "b9c0b97e3ee2ea11",
    10: "0ebe304e445dddde",
    11: "0ebe304e445dddde",
    12: "18a876256ffe2eb0",
    13: "5de642a935c4ffb5",
    14: "4b86883315a39a58",
}
STRIDE = 48  # one crash in so many is in the sample; `.ci/run` plays them all


def told(found: sweep.Found) -> str:
    """Say what was wrong and how to see it again."""
    lines = [f"WRONG in {count}: {text}; first: {first}" for text, count, first in sweep.causes(found)]
    return "\n".join(["python -m tests.simulation --seed N shows the whole trace, --freeze N keeps it", *lines])


@pytest.mark.sampled(2)
@pytest.mark.parametrize("part", range(SEEDS // CHUNK))
def test_no_seed_breaks_a_rule(part: int) -> None:
    """The first part is of seeds that were never run: others each time, so that it may fail where it passed before.

    What it names fails again: `python -m tests.simulation --seed N`, or `FIRST=N` for this test, which then has all its
    parts there. A seed that failed is kept in `cases.py` once it is mended: `.ci/run` plays all of them.
    """
    named = os.environ.get(FIRST)
    first = part * CHUNK if named is None else int(named) + part * CHUNK
    if named is None and part == 0:
        first = sweep.any_seed()
    found = sweep.seeds(range(first, first + CHUNK))
    assert not found.broken, f"seeds {first} to {first + CHUNK - 1}, generator {VERSION}\n{told(found)}"


@pytest.mark.long
@pytest.mark.sampled(12)
@pytest.mark.parametrize("name", FAILED_ONCE)
def test_what_failed_once_fails_no_more(name: str) -> None:
    _, wrong = sweep.live(FAILED_ONCE[name])
    assert wrong == []


@pytest.mark.parametrize("seed", [1, 7, 30, 60])
def test_a_frozen_scenario_is_the_scenario(seed: int) -> None:
    made = scenario_of(seed)
    assert eval(written(made), vars(cases)) == made  # it is what was written just now


def test_each_version_of_the_generator_draws_what_it_drew() -> None:
    drawn = {
        version: hashlib.sha256("".join(written(scenario_of(seed, version)) for seed in range(40)).encode()).hexdigest()
        for version in DRAWN
    }
    assert {version: digest[:16] for version, digest in drawn.items()} == DRAWN


def test_a_plot_is_told_alone() -> None:
    told = [scenario_with(plot, 7) for plot in EVERY_PLOT]
    assert ([each.plot for each in told], {each.seed for each in told}) == (list(EVERY_PLOT), {7})


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 11])
def test_the_same_seed_gives_the_same_trace(seed: int) -> None:
    first, second = (sweep.live(scenario_of(seed))[0] for _ in range(2))
    assert first.trace == second.trace


@pytest.mark.long
def test_a_trace_does_not_hang_on_the_process() -> None:
    code = "from tests.simulation.sweep import seeds; print(sorted(seeds(range(40, 42)).hashes.items()))"
    root = Path(__file__).resolve().parents[2]
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for hash_seed in ("1", "2")
    ]
    assert (runs[0], len(runs[0]) > 100) == (runs[1], True)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("part", range(SINGLES))
def test_a_crash_at_any_step_is_resumed(part: int) -> None:
    every = sweep.single_crashes(sweep.three_shots())
    found = sweep.crashes(every[part :: SINGLES * STRIDE])
    assert not found.broken, told(found)


@pytest.mark.long
def test_two_crashes_are_resumed() -> None:
    found = sweep.crashes(sweep.double_crashes(sweep.three_shots(), 8))
    assert not found.broken, told(found)


@pytest.mark.parametrize("doctored", ["second charge", "unknown submit", "dearer", "same request id"])
def test_the_oracle_sees_a_doctored_ledger(doctored: str) -> None:
    with world_of(sweep.three_shots()) as world:
        world.live()
        books = world.books()
        assert problems(world, books) == []
        row = next(row for row in books if row["charged"])
        ids = row["client_request_id"]
        if doctored == "second charge":
            books.append({**row, "client_request_id": f"{ids[:-1]}9", "inference_id": "made-up"})
        elif doctored == "unknown submit":
            books.append(
                {**row, "client_request_id": ":".join([*ids.split(":")[:3], "99.1"]), "inference_id": "made-up"}
            )
        elif doctored == "dearer":
            row["charged"] += 1
        else:
            books.append({**row, "charged": 0, "credits": 0})
        assert problems(world, books) != []


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("name", "seed"),
    [
        ("a submitting take is bought anew on resume", 118),
        ("blind retry on a timeout", 115),
        ("the cap is not checked", 2),
        ("a download goes to the final name", 0),
    ],
)
def test_a_broken_protocol_is_caught(name: str, seed: int) -> None:
    """The seed is one that catches it; if the program changed, another is looked for."""
    assert mutants.caught_at(name, seed, GENERATOR) or mutants.caught_by(name, 150)


def test_the_moves_seen_are_moves_of_the_table() -> None:
    world, wrong = sweep.live(Scenario(seed=1, shots=scenario_of(1).shots))
    assert (wrong, world.moves <= set(TRANSITIONS), len(world.moves) > 5) == ([], True, True)


@pytest.mark.long
@pytest.mark.parametrize("first", [0, 618])
def test_the_reports_say_what_the_providers_books_say(first: int) -> None:
    found = accounts.seeds(range(first, first + REPORTED), accounts.usual)
    assert (found.broken, found.charges > REPORTED) == ({}, True)


@pytest.mark.long
def test_fifty_at_once_pass_no_cap_of_a_batch_or_a_scene() -> None:
    found = accounts.seeds(range(2), accounts.crowd_of)
    assert (found.broken, found.in_flight >= 50) == ({}, True)
