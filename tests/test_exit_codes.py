"""Exit codes: which of several a command ends with."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from tests.reporting.states import CREDITS, begin, shot
from tests.worlds import EPOCH
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.shots import Batch, Recipe
from wanbatch.batch.take import Entry, Take, planned_take
from wanbatch.errors import ExitCode, most_urgent
from wanbatch.runner.end_code import codes_of_takes, end_code

ORDER = [130, 143, 2, 7, 6, 3, 4, 5, 8, 1, 0]


@pytest.mark.parametrize(("first", "second"), list(permutations(ORDER, 2)))
def test_of_two_codes_the_more_urgent_wins(first: int, second: int) -> None:
    wins = min(first, second, key=ORDER.index)
    assert most_urgent([ExitCode(first), ExitCode(second)]) == wins


def test_without_a_trouble_a_run_ends_well() -> None:
    assert most_urgent([]) is ExitCode.OK


@pytest.mark.parametrize("stop", [4, 5, 8])
@pytest.mark.parametrize(("state", "is_hidden"), [(State.HELD, False), (State.UNKNOWN, True), (State.SUBMITTING, True)])
def test_only_what_the_next_run_looks_up_by_itself_hides_behind_a_stop(
    stop: int, state: State, is_hidden: bool
) -> None:
    found = [*codes_of_takes([ExitCode(stop)], [take_that_is(state)], ()), ExitCode(stop)]
    assert most_urgent(found) == (stop if is_hidden else 3)


@pytest.mark.parametrize("state", [State.HELD, State.UNKNOWN, State.SUBMITTING])
def test_without_a_stop_an_open_take_ends_with_3(state: State) -> None:
    assert codes_of_takes([], [take_that_is(state)], ()) == [ExitCode.DECISION_NEEDED]


CHARGE = (Fact.CHARGED, {"credits_charged": CREDITS, "generation_id": "gen-1", "attempt": 1})
GIVE_UP = (Fact.ABANDONED, {"error": "you gave it up"})


@pytest.mark.parametrize(
    ("way", "facts", "code"),
    [
        (State.HELD, [CHARGE, GIVE_UP], ExitCode.TAKES_FAILED),  # the user saw the charge, and decided
        (State.HELD, [GIVE_UP, CHARGE], ExitCode.DECISION_NEEDED),  # it came later: nobody has seen it
        (State.HELD, [CHARGE, GIVE_UP, CHARGE], ExitCode.DECISION_NEEDED),
        (State.HELD, [GIVE_UP], ExitCode.TAKES_FAILED),
        (State.HELD, [CHARGE], ExitCode.DECISION_NEEDED),
        (State.FAILED, [CHARGE], ExitCode.DECISION_NEEDED),
    ],
)
def test_a_charge_that_the_user_has_decided_on_is_no_decision(
    way: State, facts: list[tuple[Fact, dict[str, Any]]], code: ExitCode, tmp_path: Path
) -> None:
    pen = begin(tmp_path, Batch("b", (shot("a", 0),)))
    pen.lead(1, way, estimated=CREDITS)
    for fact, data in facts:
        pen.tell(1, fact, **data)
    takes, state = pen.state.takes(), pen.state
    found = [end_code(takes, state.offered(), state.given_up()), *codes_of_takes([], takes, (), state.given_up())]
    state.close()
    assert found == [code, code]


def take_that_is(state: State) -> Take:
    recipe = Recipe.of({"model": "m", "prompt": "p"})
    planned = planned_take(1, "a", Entry(Fact.PLANNED, EPOCH, {"number": 1, "recipe_json": recipe.canonical}))
    return replace(planned, state=state)
