"""The lifecycle of a take: which facts may follow which, and what they say of its state and its money."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from tests.batch.takes import AT, shot, take_of
from wanbatch.batch.lifecycle import TRANSITIONS, Fact, State
from wanbatch.batch.take import Entry, TransitionForbidden, advance, fold


@pytest.mark.parametrize(("state", "fact"), list(itertools.product(State, Fact)), ids=str)
def test_only_listed_moves_can_happen(state: State, fact: Fact) -> None:
    data = {
        "is_retry": True,
        "attempt": 1, "request_id": "r", "recipe_json": "{}", "warning": "w", "by": "user", "generation_id": "g",
        "number": 1, "credits_charged": 5, "at": AT.isoformat(), "provider_at": AT.isoformat(), "error": "e",
        "has_witness": True, "is_failed": False, "log_lag_s": 1.0,
    }  # fmt: skip
    take = take_of(shot(), state=state, generation_id="g", tries=1, sha256="f")
    if (state, fact) in TRANSITIONS:
        assert advance(take, Entry(fact, AT, data)).state is TRANSITIONS[state, fact]
    else:
        with pytest.raises(TransitionForbidden):
            advance(take, Entry(fact, AT, data))


def test_a_verified_take_never_changes_its_state() -> None:
    assert {after for (before, _), after in TRANSITIONS.items() if before is State.VERIFIED} == {State.VERIFIED}


def test_a_queued_take_is_planned_again_only_after_a_proven_failure() -> None:
    ways = {(before, fact) for (before, fact), after in TRANSITIONS.items() if after is State.PLANNED}
    assert {before for before, _ in ways} == {
        State.PLANNED, State.SUBMITTING, State.FAILED, State.UNKNOWN, State.HELD,
    }  # fmt: skip
    assert {fact for before, fact in ways if before in (State.UNKNOWN, State.HELD)} == {
        Fact.PRESUMED_ABSENT, Fact.RESUBMIT_ALLOWED,
    }  # fmt: skip


def test_a_held_take_without_an_id_is_not_looked_at_again() -> None:
    take = take_of(shot(), state=State.HELD)
    with pytest.raises(TransitionForbidden):
        advance(take, Entry(Fact.LOOKED_AGAIN, AT, {}))


def test_a_held_take_without_a_clip_on_disk_is_not_named() -> None:
    take = take_of(shot(), state=State.HELD, generation_id="g")
    with pytest.raises(TransitionForbidden):
        advance(take, Entry(Fact.NAMED_AGAIN, AT, {}))


def test_charges_of_all_attempts_add_up_whenever_they_are_seen() -> None:
    take = take_of(shot())
    take = advance(take, Entry(Fact.SUBMIT_STARTED, AT, {"attempt": 1, "request_id": "r1"}))
    take = advance(take, Entry(Fact.ACCEPTED, AT, {"generation_id": "g1"}))
    take = advance(take, Entry(Fact.GENERATION_FAILED, AT, {"error": "e"}))
    take = advance(take, Entry(Fact.RETRY_PLANNED, AT, {"by": "policy"}))
    take = advance(take, Entry(Fact.SUBMIT_STARTED, AT, {"attempt": 2, "request_id": "r2", "credits_estimated": 100}))
    take = advance(take, Entry(Fact.ACCEPTED, AT, {"generation_id": "g2"}))
    told = [(take.credits_charged, take.is_charge_seen, take.credits_committed)]
    for data in (
        {"generation_id": "g1", "credits_charged": 7, "credits_more": 7},
        {"generation_id": "g2", "credits_charged": 90, "credits_more": 90},
        {"generation_id": "g2", "credits_charged": 180, "credits_more": 90},
    ):
        take = advance(take, Entry(Fact.CHARGED, AT, data))
        told.append((take.credits_charged, take.is_charge_seen, take.credits_committed))
    assert told == [(None, False, 100), (7, False, 107), (97, True, 97), (187, True, 187)]


def test_a_take_that_is_looked_at_again_ended_when_it_was_first_seen_to() -> None:
    take = take_of(shot(), state=State.QUEUED, generation_id="g", completed_at=AT)
    again = advance(take, Entry(Fact.COMPLETED, AT + timedelta(hours=9), {}))
    assert (again.state, again.completed_at) == (State.COMPLETED, AT)


def test_a_fold_must_begin_with_planned() -> None:
    with pytest.raises(TransitionForbidden):
        fold(1, "a", [Entry(Fact.COMPLETED, AT, {})])


def test_a_429_does_not_count_as_a_try() -> None:
    take = take_of(shot())
    for attempt in (1, 2):
        take = advance(take, Entry(Fact.SUBMIT_STARTED, AT, {"attempt": attempt, "request_id": f"r{attempt}"}))
        take = advance(take, Entry(Fact.TURNED_AWAY, AT, {"error": "busy"}))
    assert (take.attempts, take.tries, take.state) == (2, 0, State.PLANNED)


@pytest.mark.parametrize(
    ("fields", "committed"),
    [
        ({"state": State.PLANNED, "credits_estimated": 5}, 0),
        ({"state": State.FAILED, "credits_held": 5}, 0),
        ({"state": State.SUBMITTING, "credits_estimated": 5}, 5),
        ({"state": State.HELD, "credits_estimated": None}, None),
        ({"state": State.QUEUED, "credits_held": 7, "credits_estimated": 5}, 7),
        ({"state": State.QUEUED, "credits_held": 5, "credits_estimated": 7}, 7),
        ({"state": State.VERIFIED, "credits_held": 7, "credits_charged": 6, "is_charge_seen": True}, 6),
        ({"state": State.FAILED, "credits_charged": 6, "is_charge_seen": True}, 6),
        ({"state": State.PLANNED, "credits_charged": 6}, 6),
        ({"state": State.QUEUED, "credits_charged": 6, "credits_held": 5}, 11),
        ({"state": State.UNKNOWN, "credits_charged": 6}, None),
    ],
)
def test_unknown_is_never_zero(fields: dict[str, object], committed: int | None) -> None:
    assert take_of(shot(), **fields).credits_committed == committed


@pytest.mark.parametrize(
    ("fields", "known"),
    [
        ({"state": State.HELD, "credits_estimated": None}, 0),
        ({"state": State.UNKNOWN, "credits_charged": 6}, 6),
        ({"state": State.QUEUED, "credits_charged": 6, "credits_held": 5, "credits_at_risk": None}, 11),
        ({"state": State.QUEUED, "credits_charged": 6, "credits_held": 5, "credits_at_risk": 2}, 13),
    ],
)
def test_what_was_charged_is_committed_whatever_else_is_unknown(fields: dict[str, object], known: int) -> None:
    assert take_of(shot(), **fields).credits_committed_known == known


def test_a_warning_is_noted_once() -> None:
    take = take_of(shot())
    for text in ("a", "b", "a"):
        take = advance(take, Entry(Fact.WARNED, AT, {"warning": text}))
    assert take.warning == "a; b"
