"""What each fact about a take makes of its attempts: which one it tells of, how that ends, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from wanbatch.batch.attempts import Attempt, Outcome, attempts_after
from wanbatch.batch.lifecycle import Fact
from wanbatch.batch.take import Entry, Take

AT = datetime(2026, 11, 1, 20, tzinfo=UTC)
LATER = datetime(2026, 11, 1, 21, tzinfo=UTC)
O = Outcome  # noqa: E741
SUBMIT = {"attempt": 3, "request_id": "r3", "body_sha256": "b", "key_fingerprint": "k", "credits_estimated": 7}
FOUND = {"request_id": "r9", "key_fingerprint": "k", "at": AT.isoformat(), "error": "found", "credits_held": 5}


def attempt(number: int, outcome: Outcome, generation_id: str | None = None) -> Attempt:
    return Attempt(1, number, f"r{number}", "b", "k", AT, outcome=outcome, generation_id=generation_id)


ONE_LOST = (attempt(1, O.LOST),)
FIRST_LOST = (attempt(1, O.LOST), attempt(2, O.OPEN, "g2"))
FIRST_FAILED = (attempt(1, O.FAILED, "g1"), attempt(2, O.OPEN, "g2"))
REFUSED = (attempt(1, O.REFUSED), attempt(2, O.OPEN, "g2"))
DOUBLE_OPEN = (attempt(-1, O.OPEN, "g9"), attempt(1, O.COMPLETED, "g1"))


@pytest.mark.parametrize(
    ("fact", "data", "attempts", "followed", "made"),
    [
        (Fact.SUBMIT_STARTED, SUBMIT, FIRST_FAILED, (2, 3), {3: (O.OPEN, None)}),
        (Fact.ACCEPTED, {"generation_id": "g"}, (attempt(1, O.OPEN),), (1, 1), {1: (O.OPEN, "g")}),
        (Fact.NOT_SENT, {"error": "e"}, (attempt(1, O.OPEN),), (1, 1), {1: (O.NOT_SENT, None)}),
        (Fact.TURNED_AWAY, {"http_status": 429}, (attempt(1, O.OPEN),), (1, 1), {1: (O.TURNED_AWAY, None)}),
        (Fact.REFUSED, {"http_status": 400}, (attempt(1, O.OPEN),), (1, 1), {1: (O.REFUSED, None)}),
        (Fact.ANSWER_LOST, {"error": "e"}, (attempt(1, O.OPEN),), (1, 1), {1: (O.LOST, None)}),
        (Fact.COMPLETED, {}, FIRST_LOST, (2, 2), {2: (O.COMPLETED, "g2")}),
        (Fact.GENERATION_FAILED, {"error": "e"}, FIRST_LOST, (2, 2), {2: (O.FAILED, "g2")}),
        (Fact.FOUND_FAILED, {"error": "e"}, ONE_LOST, (1, 1), {1: (O.FAILED, None)}),
        (Fact.ABANDONED, {"error": "e"}, ONE_LOST, (1, 1), {1: (O.ABANDONED, None)}),
        (Fact.RESUBMIT_ALLOWED, {"error": ""}, FIRST_LOST, (2, 2), {2: (O.ABANDONED, "g2")}),
        (Fact.RESUBMIT_ALLOWED, {"error": ""}, ONE_LOST, (1, 1), {1: (O.LOST, None)}),
        (Fact.ADOPTED, {"generation_id": "g"}, ONE_LOST, (1, 1), {1: (O.OPEN, "g")}),
        (Fact.ADOPTED, {"generation_id": "g"}, FIRST_LOST, (2, 1), {2: (O.ABANDONED, "g2"), 1: (O.OPEN, "g")}),
        (Fact.ADOPTED, {"generation_id": "g"}, DOUBLE_OPEN, (-1, 1), {-1: (O.ABANDONED, "g9"), 1: (O.OPEN, "g")}),
        (Fact.FOUND_UNRECORDED, FOUND | {"attempt": 3}, FIRST_LOST, (2, 3), {2: (O.ABANDONED, "g2"), 3: (O.LOST, None)}),
        (
            Fact.FOUND_UNRECORDED, FOUND | {"attempt": 1}, (attempt(2, O.OPEN, "g2"),), (2, 1),
            {2: (O.ABANDONED, "g2"), 1: (O.LOST, None)},
        ),
        (Fact.FOUND_UNRECORDED, FOUND | {"attempt": 2}, ONE_LOST, (1, 2), {2: (O.LOST, None)}),
        (
            Fact.FOUND_DOUBLE, FOUND | {"attempt": -1, "generation_id": "g9"}, FIRST_LOST, (2, 2),
            {-1: (O.DOUBLE, "g9")},
        ),
        (Fact.FOUND_LATE, {"attempt": 1, "generation_id": "g1"}, FIRST_LOST, (2, 2), {1: (O.LOST, "g1")}),
        (Fact.FOUND_LATE, {"attempt": 1, "generation_id": "g1"}, REFUSED, (2, 2), {1: (O.LOST, "g1")}),
        (Fact.FAILURE_WITHDRAWN, {"attempt": 1}, FIRST_FAILED, (2, 2), {1: (O.DOUBLE, "g1")}),
        (Fact.CHARGED, {"credits_charged": 5}, FIRST_FAILED, (2, 2), {2: (O.OPEN, "g2")}),
        (Fact.CHARGED, {"credits_charged": 5, "generation_id": "g1"}, FIRST_FAILED, (2, 2), {1: (O.FAILED, "g1")}),
        (Fact.CHARGED, {"credits_charged": 5, "generation_id": "g9"}, FIRST_FAILED, (2, 2), {}),
        (Fact.CHARGED, {"credits_charged": 5, "generation_id": None}, ONE_LOST, (1, 1), {}),
        (Fact.WARNED, {"warning": "w"}, FIRST_LOST, (2, 2), {2: (O.OPEN, "g2")}),
        (Fact.SUPERSEDED, {}, (), (0, 0), {}),
    ],
)  # fmt: skip
def test_a_fact_makes_or_changes_attempts(
    fact: Fact,
    data: dict[str, Any],
    attempts: tuple[Attempt, ...],
    followed: tuple[int, int],
    made: dict[int, tuple[Outcome, str | None]],
) -> None:
    before, take = (Take(1, "a", 1, "{}", attempt=number) for number in followed)
    after = attempts_after(before, take, Entry(fact, LATER, data), attempts)
    assert {each.number: (each.outcome, each.generation_id) for each in after} == made
    assert list(made) == [each.number for each in after]  # the one that ends is stored first: one is open at most


def test_what_an_attempt_was_charged_is_noted_on_it_alone() -> None:
    entry = Entry(Fact.CHARGED, LATER, {"credits_charged": 5, "generation_id": "g1"})
    take = Take(1, "a", 1, "{}", attempt=2)
    assert attempts_after(take, take, entry, FIRST_FAILED) == [replace(FIRST_FAILED[0], credits_charged=5)]
