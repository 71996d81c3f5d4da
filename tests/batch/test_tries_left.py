"""The plan counts what is left: tries that a take used before are in no worst case, and a take sent again is not new."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.reporting.states import BEGIN, CREDITS, Pen, begin, shot
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.models import PriceClass
from wanbatch.batch.plan import Due, make_plan
from wanbatch.batch.shots import Batch
from wanbatch.money.prices import Quote
from wanbatch.money.reach import Caps, reach_of
from wanbatch.runner.settings import RunSettings
from wanbatch.session.preview import Basis
from wanbatch.state.file import StateFile

CLASS = PriceClass("alibaba/wan-2-6-t2v", "720p", 5)
QUOTES = {CLASS: Quote(CREDITS, "price list")}
SHOTS = (shot("a", 0), shot("b", 1))


def with_a_failure(output: Path, by: str) -> StateFile:
    """Two shots, of which the first failed once and is planned again."""
    pen: Pen = begin(output, Batch("film", SHOTS))
    pen.lead(1, State.FAILED, estimated=CREDITS)
    pen.tell(1, Fact.RETRY_PLANNED, by=by)
    return pen.state


def basis_of(state: StateFile, **facts: Any) -> Basis:
    return Basis("film", state.output, state.inventory(), settings=RunSettings(), **{"plan": None, **facts})


def test_a_try_that_was_used_is_in_no_worst_case(tmp_path: Path) -> None:
    state = with_a_failure(tmp_path, "run")
    basis = basis_of(state)
    plan = make_plan(Batch("film", SHOTS), state.takes())
    state.close()
    worst = {
        name: basis.estimate_of(takes, QUOTES).worst for name, takes in (("file", basis.to_send), ("plan", plan.due))
    }
    assert worst == {"file": 3 * CREDITS, "plan": 3 * CREDITS}  # one try is left of the first take, two of the second


def test_the_user_gives_a_take_all_its_tries_again(tmp_path: Path) -> None:
    state = with_a_failure(tmp_path, "user")
    basis = basis_of(state)
    state.close()
    assert basis.estimate_of(basis.to_send, QUOTES).worst == 4 * CREDITS


def test_a_take_that_is_sent_again_is_counted_as_such(tmp_path: Path) -> None:
    state = with_a_failure(tmp_path, "run")
    basis, plan = basis_of(state, is_as_planned=True), make_plan(Batch("film", SHOTS), state.takes())
    state.close()
    assert basis.counts == plan.counts == {"new": 1, "again": 1}


def test_an_edit_begins_with_all_tries(tmp_path: Path) -> None:
    state = with_a_failure(tmp_path, "run")
    state.adopt(make_plan(Batch("film", (shot("a", 0, prompt="Another one."), SHOTS[1])), state.takes()), BEGIN)
    basis = basis_of(state)
    state.close()
    assert basis.estimate_of(basis.to_send, QUOTES).worst == 4 * CREDITS


def test_the_question_counts_the_tries_that_are_left() -> None:
    due = [Due(1, "a", 1, 0, "", CLASS, tries=1), Due(2, "b", 1, 1, "", CLASS, tries=5)]
    assert reach_of(due, QUOTES, Caps(), tries=3).worst == (2 + 1) * CREDITS
