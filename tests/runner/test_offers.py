"""Offers: which generations of a take are offered, in which words, and what was named or left already."""

from __future__ import annotations

from typing import Any

import pytest

from tests.worlds import EPOCH
from wanbatch.batch.attempts import Attempt, Outcome
from wanbatch.batch.lifecycle import Fact
from wanbatch.batch.take import Entry
from wanbatch.runner.offered_generations import Offer, left_in, named_in, offer_of, offer_text, offers_of, told_in


def found(request_id: str = "r1", **data: Any) -> Entry:
    return Entry(Fact.FOUND_UNRECORDED, EPOCH, {"request_id": request_id, "error": "held", "credits_held": 7, **data})


def made(generation_id: str | None, outcome: Outcome = Outcome.DOUBLE, error: str = "", number: int = -1) -> Attempt:
    return Attempt(
        1, number, f"x{number}", "", "k", EPOCH, outcome, generation_id=generation_id, credits_held=9, error=error
    )


OF_OLD = found(error="it shows G1 for attempt 1 of it. `wanbatch resolve a_t1 --adopt G1` adopts it")
NAMELESS_OF_OLD = found(error="it shows a submit. `wanbatch resolve a_t1 --adopt ID` adopts it")


@pytest.mark.parametrize(
    ("facts", "attempts", "offers"),
    [
        pytest.param([], [], [], id="nothing"),
        pytest.param([found(made="G1")], [made(None, Outcome.LOST)], [Offer("G1", 7)], id="one"),
        pytest.param([found(made=None)], [made(None, Outcome.LOST)], [], id="nameless"),
        pytest.param([found(made="G1")], [made("G2")], [Offer("G1", 7), Offer("G2", 9)], id="and a double"),
        pytest.param([found(made="G1"), found(made="G1")], [made("G1", Outcome.LOST)], [Offer("G1", 7)], id="once"),
        pytest.param(
            [found("r1", made="G1"), found("r2", made="G2")], [], [Offer("G1", 7), Offer("G2", 7)], id="of two submits"
        ),
        pytest.param([found(made="G1")], [made("G3", Outcome.ABANDONED)], [Offer("G1", 7), Offer("G3", 9)], id="left"),
        pytest.param([found(made="G1")], [made("G3", Outcome.FAILED, "no")], [Offer("G1", 7)], id="failed"),
        pytest.param([found(made="G1")], [made("G1", Outcome.FAILED, "no")], [], id="offered, then failed"),
        pytest.param(
            [found(made="G1")], [made("G3", Outcome.FAILED)], [Offer("G1", 7), Offer("G3", 9)], id="nobody said so"
        ),
        pytest.param([OF_OLD], [], [Offer("G1", 7)], id="of an older version"),
        pytest.param([NAMELESS_OF_OLD], [], [], id="nameless, of an older version"),
    ],
)
def test_what_a_take_can_have_is_told_by_its_facts_and_attempts(
    facts: list[Entry], attempts: list[Attempt], offers: list[Offer]
) -> None:
    assert offers_of(facts, attempts) == offers


@pytest.mark.parametrize(
    ("facts", "offer"),
    [
        ([found("r2", made="G9")], None),
        ([found(made=None), found(made="G1"), found(made="G2")], Offer("G1", 7)),
        ([OF_OLD], Offer("G1", 7)),
        ([NAMELESS_OF_OLD], None),
    ],
)
def test_the_first_generation_of_a_submit_is_the_one_that_was_offered_first(
    facts: list[Entry], offer: Offer | None
) -> None:
    assert offer_of(facts, "r1") == offer


@pytest.mark.parametrize(
    ("fact", "ids"),
    [(found(offers=["G1", "G2"]), {"G1", "G2"}), (found(offers=[]), set()), (OF_OLD, {"G1"}), (NAMELESS_OF_OLD, set())],
)
def test_what_a_message_offers_is_told_beside_it(fact: Entry, ids: set[str]) -> None:
    assert told_in(fact) == ids


@pytest.mark.parametrize(
    ("offers", "text"),
    [
        ([], "why. `wanbatch resolve a_t1 --adopt ID` adopts it"),
        ([Offer("G1", 300_000)], "why. `wanbatch resolve a_t1 --adopt G1` adopts it"),
        (
            [Offer("G1", 300_000), Offer("G2", None)],
            (
                "why. There are 2 generations of it: G1 (0.15 USD), G2."
                " `wanbatch resolve a_t1 --adopt G1` adopts the first; give another id to adopt that one."
                " What the others may cost still counts toward the cap"
            ),
        ),
    ],
)
def test_an_offer_names_each_generation_and_its_cost(offers: list[Offer], text: str) -> None:
    assert offer_text("a_t1", "why", offers) == text


def warned(text: str, **data: Any) -> Entry:
    return Entry(Fact.WARNED, EPOCH, {"warning": text, **data})


ACCEPTED = Entry(Fact.ACCEPTED, EPOCH, {"generation_id": "G1"})
DOUBLE = Entry(Fact.FOUND_DOUBLE, EPOCH, {"generation_id": "G2"})


@pytest.mark.parametrize(
    ("facts", "named"),
    [
        ([], set()),
        ([ACCEPTED, DOUBLE], set()),
        ([ACCEPTED, DOUBLE, warned("no word of it", doubles=["G2"])], {"G2"}),
        ([ACCEPTED, DOUBLE, warned("DOUBLE: it made G2 beside another")], {"G2"}),  # of an older version
        ([ACCEPTED, DOUBLE, warned("its attempt 1 made a generation after all: G2")], set()),
        ([ACCEPTED, DOUBLE, warned("DOUBLE: G1", doubles=["G2"])], {"G2"}),  # the field decides
    ],
)
def test_what_was_named_as_a_double_is_told_by_a_field(facts: list[Entry], named: set[str]) -> None:
    assert named_in(facts) == named


SENT = Entry(Fact.SUBMIT_STARTED, EPOCH, {"request_id": "r2"})
AGAIN, GIVEN_UP = (Entry(fact, EPOCH, {"error": ""}) for fact in (Fact.RESUBMIT_ALLOWED, Fact.ABANDONED))


@pytest.mark.parametrize(
    ("facts", "left"),
    [
        ([SENT, ACCEPTED], set()),
        ([SENT, ACCEPTED, AGAIN], {"G1"}),
        ([SENT, ACCEPTED, GIVEN_UP], {"G1"}),
        ([SENT, AGAIN], set()),  # nobody knew of a generation
        ([SENT, ACCEPTED, SENT, AGAIN], set()),
        ([SENT, ACCEPTED, found(made="G2"), AGAIN], set()),
    ],
)
def test_what_the_user_let_go_of_by_name_needs_no_second_word(facts: list[Entry], left: set[str]) -> None:
    assert left_in(facts) == left
