"""What cannot be read, and what nobody priced, is unknown: it proves nothing, and it is never free."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.runner.test_resubmission import AT, LOST, NOW, SEEN, UNKNOWN, attempt, evidence, row
from wanbatch.batch.attempts import Outcome
from wanbatch.batch.lifecycle import Fact
from wanbatch.batch.shots import DEFAULT_MODEL
from wanbatch.batch.take import Entry, advance
from wanbatch.money.budget import Budget, Fit
from wanbatch.money.charge import Charge
from wanbatch.money.ledger import LedgerReading, new_charges
from wanbatch.provider.ledger_page import read_charges
from wanbatch.runner.resubmission import Absent, Failed, find

ENTRY: dict[str, Any] = {
    "direction": "CHARGE",
    "type": "MODEL_USAGE",
    "reference_id": "orphan",
    "amount": {"usd": 1.0, "credits": 2_000_000},
    "created_at": AT.isoformat(),
    "model": DEFAULT_MODEL,
}
UNREAD = {
    "no amount": {"amount": {}},
    "an amount in words": {"amount": {"credits": "some"}},
    "a negative amount": {"amount": {"credits": -5}},
    "no generation": {"reference_id": None},
    "no time": {"created_at": "yesterday"},
    "nothing at all": {"amount": None, "reference_id": 7, "created_at": None, "model": None},
}


def charges_in(**changed: Any) -> tuple[Charge, ...]:
    return tuple(read_charges({"data": [ENTRY | changed], "pagination": {"has_more": False}})[0])


@pytest.mark.parametrize("name", UNREAD)
def test_no_absence_is_proven_beside_a_charge_that_cannot_be_read(name: str) -> None:
    said = find(UNKNOWN, LOST, evidence(*SEEN, charges=charges_in(**UNREAD[name])))
    assert isinstance(said, Absent)
    assert not said.is_proof


@pytest.mark.parametrize("name", UNREAD)
def test_a_charge_that_cannot_be_read_has_no_part_in_any_sum(name: str) -> None:
    charges = charges_in(**UNREAD[name])
    made = replace(LOST, generation_id="orphan")
    assert (new_charges([made], charges), LedgerReading(charges).charges_of("orphan")) == ([], [])


def test_a_charge_that_can_be_read_is_counted() -> None:
    made = replace(LOST, generation_id="orphan")
    assert [each.credits_charged for each in new_charges([made], charges_in())] == [2_000_000]


def test_a_failure_that_was_seen_of_an_earlier_attempt_proves_nothing_about_one_that_is_found() -> None:
    take = replace(UNKNOWN, failure_seen_at=NOW - timedelta(hours=24))
    found = attempt(2, minutes=29 * 60 + 55, outcome=Outcome.LOST, body_sha256="")
    told = {
        "attempt": 2,
        "is_another": True,
        "request_id": found.request_id,
        "at": found.started_at.isoformat(),
        "credits_at_risk": 0,
        "error": "found",
    }
    said = find(
        advance(take, Entry(Fact.FOUND_UNRECORDED, NOW, told)),
        found,
        evidence(row(found, "g", is_good=False, cost=0)),
    )
    assert isinstance(said, Failed)
    assert not said.is_proof


def test_a_submit_of_no_take_without_a_price_leaves_no_room_under_a_cap() -> None:
    budget = Budget(10, {})
    budget.add_stray("r", None)
    assert (budget.uncosted, budget.committed, budget.fit(UNKNOWN)) == (1, 0, Fit.NO)


def test_a_charge_whose_time_cannot_be_read_may_be_of_any_submit() -> None:
    (charge,) = charges_in(created_at="yesterday")
    found = evidence(*SEEN)
    assert found.fits(LOST, charge, DEFAULT_MODEL)
    assert not found.fits(LOST, replace(charge, at=NOW + timedelta(days=400)), DEFAULT_MODEL)
