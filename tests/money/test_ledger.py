"""The match with the ledger: a case for each verdict, and each generation once."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from wanbatch.batch.attempts import Attempt, Outcome
from wanbatch.batch.lifecycle import State
from wanbatch.batch.take import Take
from wanbatch.money.charge import Charge
from wanbatch.money.ledger import (
    VERDICT_WORDS,
    LedgerReading,
    LoggedSubmit,
    Verdict,
    match_ledger,
    may_have_made,
    new_charges,
)
from wanbatch.reporting.cost_files import LEDGER_COLUMNS, write_ledger

AT = datetime(2026, 3, 1, 20, 0, tzinfo=UTC)
PRICE = 1_050_000
RECIPE = '{"model":"m","prompt":"x"}'


def attempt(outcome: Outcome, **facts: Any) -> Attempt:
    told = {"take_id": 1, "number": 1, "generation_id": "g", "credits_held": PRICE, **facts}
    return Attempt(
        request_id=told.pop("request_id", f"r{told['take_id']}.{told['number']}"),
        body_sha256="b",
        key_fingerprint="k",
        started_at=AT,
        outcome=outcome,
        **told,
    )


def take(state: State, **facts: Any) -> Take:
    return Take(1, "a", 1, RECIPE, state=state, **{"generation_id": "g", **facts})


def charge(generation_id: str = "g", credit_count: int = PRICE) -> Charge:
    return Charge(generation_id, credit_count, AT)


UNREADABLE = Charge("g", 0, AT, is_legible=False)

VERDICTS = [
    # attempt, take, charges, refunds, verdict
    (attempt(Outcome.COMPLETED), take(State.VERIFIED), [charge()], [], Verdict.CONFIRMED),
    (attempt(Outcome.COMPLETED), take(State.VERIFIED), [charge(credit_count=7)], [], Verdict.CHARGED),
    (attempt(Outcome.COMPLETED, credits_held=None), take(State.VERIFIED), [charge()], [], Verdict.CHARGED),
    (attempt(Outcome.COMPLETED), take(State.VERIFIED), [charge(), charge()], [], Verdict.CHARGED),
    (attempt(Outcome.FAILED), take(State.FAILED), [charge()], [], Verdict.CHARGED),
    (attempt(Outcome.OPEN), take(State.GENERATING), [charge()], [], Verdict.NOT_FETCHED),
    (attempt(Outcome.OPEN), take(State.GENERATING), [charge(credit_count=7)], [], Verdict.CHARGED),
    (attempt(Outcome.OPEN), take(State.QUEUED), [], [], Verdict.HELD),
    (attempt(Outcome.OPEN), take(State.HELD), [], [], Verdict.HELD),
    (attempt(Outcome.ABANDONED), take(State.QUEUED, generation_id="later"), [], [], Verdict.HELD),
    (attempt(Outcome.FAILED, error="Internal"), take(State.FAILED), [], [], Verdict.RELEASED),
    (attempt(Outcome.FAILED), take(State.FAILED), [], [], Verdict.HELD),  # of an older file: nobody said that it failed
    (attempt(Outcome.COMPLETED), take(State.VERIFIED), [charge()], [charge()], Verdict.REFUNDED),
    (attempt(Outcome.FAILED), take(State.FAILED), [], [charge()], Verdict.REFUNDED),
    (
        attempt(Outcome.COMPLETED),
        take(State.VERIFIED),
        [charge()],
        [charge(credit_count=1)],
        Verdict.PARTLY_REFUNDED,
    ),
    (attempt(Outcome.COMPLETED), take(State.VERIFIED), [UNREADABLE], [], Verdict.UNREADABLE),
    (attempt(Outcome.COMPLETED), take(State.VERIFIED), [charge(), UNREADABLE], [], Verdict.CONFIRMED),
    (attempt(Outcome.COMPLETED), take(State.VERIFIED), [], [], Verdict.MISSING),
    (attempt(Outcome.OPEN), take(State.COMPLETED), [], [], Verdict.MISSING),
    (attempt(Outcome.LOST, generation_id=None), take(State.UNKNOWN, generation_id=None), [], [], Verdict.UNKNOWN),
    (attempt(Outcome.OPEN, generation_id=None), take(State.SUBMITTING, generation_id=None), [], [], Verdict.UNKNOWN),
]


@pytest.mark.parametrize(
    ("sent", "owner", "charges", "refunds", "verdict"),
    VERDICTS,
    ids=[f"{row[-1]}-{n}" for n, row in enumerate(VERDICTS)],
)
def test_a_verdict_says_what_the_books_showed(
    sent: Attempt, owner: Take, charges: list[Charge], refunds: list[Charge], verdict: Verdict
) -> None:
    lines = match_ledger([sent], {1: owner}, LedgerReading(charges, refunds), [])
    assert [line.verdict for line in lines] == [verdict]


def test_every_verdict_has_its_words_and_its_case() -> None:
    assert set(VERDICT_WORDS) == set(Verdict)
    assert {row[-1] for row in VERDICTS} | {Verdict.ORPHAN} == set(Verdict)


def test_a_line_tells_held_charged_and_their_difference() -> None:
    (line,) = match_ledger(
        [attempt(Outcome.COMPLETED)], {1: take(State.VERIFIED)}, LedgerReading([charge(), charge(credit_count=5)]), []
    )
    told = (line.takes, line.request_ids, line.held, line.charged, line.charges, line.difference, line.at)
    assert told == (("a_t1",), ("r1.1",), PRICE, PRICE + 5, 2, 5, AT)


def test_a_generation_that_two_attempts_name_is_one_line() -> None:
    both = [attempt(Outcome.ABANDONED, number=1, credits_held=None), attempt(Outcome.COMPLETED, number=2)]
    (line,) = match_ledger(both, {1: take(State.VERIFIED)}, LedgerReading([charge()]), [])
    assert (line.charged, line.request_ids, line.verdict) == (PRICE, ("r1.1", "r1.2"), Verdict.CONFIRMED)


@pytest.mark.parametrize("outcome", [Outcome.NOT_SENT, Outcome.TURNED_AWAY, Outcome.REFUSED, Outcome.FAILED])
def test_a_submit_that_made_nothing_has_no_line(outcome: Outcome) -> None:
    sent = attempt(outcome, generation_id=None)
    assert (
        match_ledger([sent], {1: take(State.FAILED, generation_id=None)}, LedgerReading([charge("theirs")]), []) == []
    )
    assert may_have_made(sent) is (outcome is Outcome.FAILED)  # the log may still name what failed


def test_a_charge_of_strangers_is_not_ours_to_judge() -> None:
    assert match_ledger([], {}, LedgerReading([charge("theirs")]), []) == []


def test_a_submit_of_ours_that_no_take_has_is_an_orphan_once_it_is_charged() -> None:
    strays = [
        LoggedSubmit("r9.1", "g9", 5),
        LoggedSubmit("r9.1", "g9", 5),
        LoggedSubmit("r8.1", "g8", None),
        LoggedSubmit("r7.1", None, None),
    ]
    lines = match_ledger([], {}, LedgerReading([charge("g9")]), strays)
    told = [(line.verdict, line.request_ids, line.charged) for line in lines]
    assert told == [
        (Verdict.ORPHAN, ("r9.1",), PRICE),
        (Verdict.UNKNOWN, ("r8.1",), None),
        (Verdict.UNKNOWN, ("r7.1",), None),
    ]


def test_what_the_log_names_for_a_lost_answer_takes_the_place_of_its_line() -> None:
    lost = attempt(Outcome.LOST, generation_id=None)
    owner = {1: take(State.HELD, generation_id=None)}
    (line,) = match_ledger([lost], owner, LedgerReading([charge("g2")]), [LoggedSubmit("r1.1", "g2", 4)])
    assert (line.verdict, line.takes, line.generation_id, line.charged) == (Verdict.ORPHAN, ("a_t1",), "g2", PRICE)
    (uncharged,) = match_ledger([lost], owner, LedgerReading([]), [LoggedSubmit("r1.1", None, None)])
    assert (uncharged.verdict, uncharged.generation_id) == (Verdict.UNKNOWN, None)


def test_a_stray_that_was_taken_over_is_no_second_line() -> None:
    lines = match_ledger(
        [attempt(Outcome.COMPLETED)],
        {1: take(State.VERIFIED)},
        LedgerReading([charge()]),
        [LoggedSubmit("r9.1", "g", 5)],
    )
    assert [line.verdict for line in lines] == [Verdict.CONFIRMED]


def test_an_orphan_that_was_paid_back_is_refunded() -> None:
    (line,) = match_ledger([], {}, LedgerReading([charge("g9")], [charge("g9")]), [LoggedSubmit("r9.1", "g9", 5)])
    assert (line.verdict, line.refunded) == (Verdict.REFUNDED, PRICE)


# --- what is new


def test_a_charge_is_news_once_however_many_attempts_name_its_generation() -> None:
    both = [attempt(Outcome.ABANDONED, number=1), attempt(Outcome.COMPLETED, number=2)]
    found = new_charges(both, [charge()])
    assert [(each.credits_charged, each.credits_more) for each in found] == [(PRICE, PRICE)]
    recorded = [attempt(Outcome.ABANDONED, number=1), attempt(Outcome.COMPLETED, number=2, credits_charged=PRICE)]
    assert new_charges(recorded, [charge()]) == []
    assert new_charges(recorded[::-1], [charge()]) == []


def test_the_ledger_is_a_file(tmp_path: Path) -> None:
    sent = [attempt(Outcome.COMPLETED), attempt(Outcome.LOST, number=2, generation_id=None, credits_held=None)]
    lines = match_ledger(sent, {1: take(State.VERIFIED)}, LedgerReading([charge()]), [])
    rows = list(csv.DictReader(write_ledger(tmp_path, lines, AT).read_text(encoding="utf-8-sig").splitlines()))
    assert list(rows[0]) == list(LEDGER_COLUMNS)
    assert [(row["verdict"], row["take"], row["charged_credits"], row["charged_usd"]) for row in rows] == [
        ("confirmed", "a_t1", str(PRICE), "0.525"),
        ("unknown", "a_t1", "", ""),
    ]
    assert rows[0]["read_at"] == "2026-03-01T20:00:00.000Z"


def test_a_second_charge_is_news_of_the_difference() -> None:
    (found,) = new_charges([attempt(Outcome.COMPLETED, credits_charged=PRICE)], [charge(), charge(credit_count=3)])
    assert (found.credits_charged, found.credits_more) == (PRICE + 3, 3)


def test_a_ledger_that_shows_less_than_before_is_no_news() -> None:
    assert new_charges([attempt(Outcome.COMPLETED, credits_charged=PRICE)], [charge(credit_count=3)]) == []
    assert new_charges([attempt(Outcome.LOST, generation_id=None)], [charge()]) == []
