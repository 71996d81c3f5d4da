"""A world that can be wrong: clocks, books, promises; and an oracle that allows for no more than its table says."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from starlette.datastructures import QueryParams

from tests.simulation import mutants
from tests.simulation.allowance import ALLOWANCES
from tests.simulation.books import Books
from tests.simulation.oracle import problems
from tests.simulation.plots import PLOTS
from tests.simulation.scenario import KEY, SMALL, Scenario
from tests.simulation.seams import world_of
from tests.simulation.wrongness import Clocks, Dial, Jump, Lies, Mess
from wanbatch.batch.shots import Shot
from wanbatch.sandbox.account import Arrival, key_name
from wanbatch.sandbox.books import iso, ledger_page, log_page
from wanbatch.sandbox.options import SandboxOptions

EPOCH_S = 1_793_563_200.0
DAY = 86_400.0
BODY = {"model": SMALL, "resolution": "480P", "prompt": "a kite"}
PRICE = 378_000


@pytest.mark.parametrize(
    ("dial", "now_s", "off_s"),
    [
        (Dial(), 1000.0, 0.0),
        (Dial(ahead_s=-60.0), 1000.0, -60.0),
        (Dial(drift=1e-3), 1000.0, 1.0),
        (Dial(jumps=((500.0, 30.0), (600.0, -10.0))), 499.0, 0.0),
        (Dial(jumps=((500.0, 30.0), (600.0, -10.0))), 1000.0, 20.0),
        (Dial(ahead_s=5.0, drift=1e-2, jumps=((0.0, 1.0),)), 100.0, 7.0),
    ],
)
def test_a_dial_is_ahead_by_skew_drift_and_jumps(dial: Dial, now_s: float, off_s: float) -> None:
    assert dial.off_s(now_s) == pytest.approx(off_s)


@pytest.mark.parametrize(
    ("ours", "run", "off_s"), [((), 3, 0.0), ((5.0,), 3, 5.0), ((5.0, 0.0), 0, 5.0), ((5.0, 0.0), 4, 0.0)]
)
def test_our_clock_is_told_run_by_run(ours: tuple[float, ...], run: int, off_s: float) -> None:
    assert Clocks(ours=ours).ours_s(run) == off_s


# --- books


def booked(scenario: Scenario, jobs: int = 1) -> Books:
    """Return the books after so many submits of ours, one a second."""
    books = Books.opened(scenario, "wb1:nonce:", EPOCH_S)
    for job in range(1, jobs + 1):
        books.accept(Arrival(EPOCH_S + job, key_name(KEY), f"wb1:nonce:{'0' * 20}:{job}.1"), BODY)
    return books


def plain(**wrong: Any) -> Scenario:
    shots = (Shot("sh00", 0, BODY),)
    return Scenario(1, shots, options=SandboxOptions(seed=1, mean_s=60.0, cv=0.05, log_lag_s=30.0), **wrong)


def logged(books: Books, now: float) -> tuple[list[dict[str, Any]], int]:
    query = QueryParams({"start": iso(EPOCH_S - DAY), "end": iso(EPOCH_S + DAY), "limit": "100"})
    return books.log(log_page(query, key_name(KEY), now), now)


def charged(books: Books, now: float) -> list[dict[str, Any]]:
    query = QueryParams({"from": iso(EPOCH_S - DAY), "direction": "CHARGE", "type": "MODEL_USAGE", "limit": "100"})
    return books.ledger(ledger_page(query), now)[0]


@pytest.mark.parametrize(
    ("wrong", "shown", "total"),
    [
        ({}, 2, 2),
        ({"mess": Mess(twice=1.0)}, 4, 4),
        ({"mess": Mess(moving=(1,))}, 2, 3),
        ({"mess": Mess(holes=((1, DAY),))}, 1, 2),
        ({"mess": Mess(nameless=(2,))}, 1, 1),
        ({"mess": Mess(slow=((1, DAY),))}, 1, 1),
        ({"mess": Mess(page=1)}, 1, 2),
        ({"lies": Lies(gateway=((1, True),))}, 3, 3),
        ({"lies": Lies(gateway=((1, False),))}, 2, 2),
        ({"clocks": Clocks(log=Dial(ahead_s=2 * DAY))}, 0, 0),
    ],
)
def test_a_log_tells_what_its_scenario_says(wrong: dict[str, Any], shown: int, total: int) -> None:
    rows, counted = logged(booked(plain(**wrong), 2), EPOCH_S + 600)
    assert (len(rows), counted) == (shown, total)


def test_rows_of_other_programs_stand_among_ours() -> None:
    rows, _ = logged(booked(plain(mess=Mess(others=((0.0, 0), (1.0, 6), (2.0, 7)))), 1), EPOCH_S + 600)
    theirs = [row["status"] for row in rows if not str(row["client_request_id"]).startswith("wb1:nonce:")]
    assert set(theirs) == {"cancelled", None, 7}


def test_the_ledger_has_two_equal_rows_where_a_job_is_charged_twice() -> None:
    books = booked(plain(mess=Mess(charged_twice=(1,))), 1)
    first, second = charged(books, EPOCH_S + 600)
    truth = [row["charged"] for row in books.everything(EPOCH_S + 600)]
    assert (first == second, truth) == (True, [2 * PRICE])


def test_a_price_jumps_from_a_job_on() -> None:
    books = booked(plain(jump=Jump(2, 10)), 3)
    assert [row["credits"] for row in books.everything(EPOCH_S)] == [PRICE, 10 * PRICE, 10 * PRICE]


def test_log_and_ledger_have_clocks_of_their_own() -> None:
    clocks = Clocks(log=Dial(ahead_s=-60.0), ledger=Dial(ahead_s=3600.0))
    right, wrong = booked(plain(), 1), booked(plain(clocks=clocks), 1)
    now = EPOCH_S + 600
    pairs = [
        (each[0][0]["created"], charged(books, now)[0]["created_at"])
        for books in (right, wrong)
        for each in [logged(books, now)]
    ]
    assert pairs[1] == (iso(EPOCH_S + 1 - 60), iso(_seconds(pairs[0][1]) + 3600))


def _seconds(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


# --- the oracle


@pytest.mark.long
@pytest.mark.parametrize("plot", ["a refusal that was none", "an error that was none"])
def test_a_broken_promise_that_leads_to_a_second_charge_must_be_named(plot: str) -> None:
    told = []
    for number in range(12):
        scenario = PLOTS[plot](plain(), Random(f"named {number}"))
        with world_of(scenario) as world:
            world.live()
            world.takes = [replace(take, warning="", error="", generation_id=None) for take in world.takes]
            world.told.clear()
            told += [text for text in problems(world) if "is not named DOUBLE" in text]
        if told:
            break
    assert told != []


def test_every_allowance_gives_its_reason() -> None:
    assert [name for name, each in ALLOWANCES.items() if len(each.why) < 20 or len(each.allows) < 20] == []


@pytest.mark.long
@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("name", "seed"),
    [
        ("two looks need not lie apart", 1),
        ("a failed row is proof at the second look", 11),
        ("a charge under another name of the model is not ours", 32),
        ("a held take that needs the user is looked at as if it did not", 72),
        ("the lag is not taken off the read mark", 18),
        ("a state file from before the first submit is not checked", 25),
        ("log rows are not compared with the total", 870),
        ("strays do not count under the cap after a restart", 148),
        ("earlier risk is forgotten at adoption", 8),
    ],
)
def test_a_mutant_that_survived_once_is_caught(name: str, seed: int) -> None:
    assert mutants.caught_at(name, seed, version=2) is not None
