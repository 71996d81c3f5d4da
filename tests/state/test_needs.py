"""What the user is told to do about a take that failed or is held: by what became of it, not by its message."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.worlds import EPOCH, World, batch_of
from wanbatch.batch.chained_takes import Waiting
from wanbatch.batch.lifecycle import State
from wanbatch.batch.remedies import Again
from wanbatch.batch.take import Take
from wanbatch.runner.settings import OnUnknown, RunSettings
from wanbatch.sandbox.faults import Rule
from wanbatch.state.needs import AttemptFindings, RetryCaps, problems_in, shots_to_retry, ways_of
from wanbatch.state.progress_reader import read_overview
from wanbatch.state.tables import Stray

AGAIN, CHANGE = "`wanbatch retry", "The provider would refuse the same request again"


@pytest.mark.parametrize(
    ("rule", "todo"),
    [
        (Rule("submit", "status", nth=(2,), code=422, message="duration is not known"), CHANGE),
        (Rule("submit", "fail", nth=(2, 3), message="HTTP 400 from the host of the model"), AGAIN),
    ],
    ids=["request refused", "generation failed with words of a status"],
)
def test_only_a_refused_request_is_to_be_changed(tmp_path: Path, rule: Rule, todo: str) -> None:
    world = World(tmp_path / "out", rules=(rule,))
    world.run(batch_of(2))
    told = [each.todo for each in read_overview(tmp_path / "out").problems]
    assert (len(told), todo in told[0]) == (1, True)


@pytest.mark.parametrize(
    ("made", "held", "words"),
    [
        ("G1", 1_050_000, "it made G1, and its cost is 0.525 USD"),
        ("G1", None, "it made G1, and its cost is unknown"),
        (None, 1_050_000, "what it made is unknown, and its cost is 0.525 USD"),
        (None, None, "what it made is unknown, and so is its cost"),
    ],
)
def test_a_submit_that_belongs_to_no_take_says_what_is_known_of_it(
    made: str | None, held: int | None, words: str
) -> None:
    (found,) = problems_in((), (Stray("r1", made, held, EPOCH, "the provider's log"),), folder="out")
    assert found.error == f"the provider's log shows this submit, which belongs to no take here: {words}"


def test_a_lost_answer_is_looked_up_before_anybody_decides_about_it(tmp_path: Path) -> None:
    settings = RunSettings(on_unknown=OnUnknown.HOLD)
    World(tmp_path / "out", rules=(Rule("submit", "drop_after", nth=(2,)),), settings=settings).run(batch_of(2))
    (problem,) = read_overview(tmp_path / "out").problems
    run, take = tmp_path / "out", problem.take
    assert (problem.can_be_looked_up, problem.todo) == (
        True,
        (
            f"`wanbatch reconcile {run}` looks it up in the provider's log, and costs nothing; so does the next run. If"
            f" neither finds it, choose one: `wanbatch resolve {run} {take} --resubmit` sends it again, which may be charged"
            f" a second time; or `wanbatch resolve {run} {take} --abandon` gives it up (its possible cost still counts)"
        ),
    )


@pytest.mark.parametrize(
    ("words", "commands"),
    [
        ({"searches": 1}, ["resolve a_t1 --resubmit", "resolve a_t1 --abandon"]),
        ({"request_id": None}, ["resolve a_t1 --resubmit", "resolve a_t1 --abandon"]),
        ({"generation_id": "G1"}, ["resolve a_t1 --adopt G1", "resolve a_t1 --resubmit", "resolve a_t1 --abandon"]),
        (
            {"searches": 1, "error": "found: `wanbatch resolve a_t1 --adopt G2` adopts it"},
            ["resolve a_t1 --adopt G2", "resolve a_t1 --resubmit", "resolve a_t1 --abandon"],
        ),
        (
            {"searches": 1, "error": "`wanbatch resolve a_t1 --adopt ID`"},
            ["resolve a_t1 --resubmit", "resolve a_t1 --abandon"],
        ),
        ({}, ["reconcile", "resolve a_t1 --resubmit", "resolve a_t1 --abandon"]),
    ],
)
def test_a_generation_is_offered_only_where_one_is_known(words: dict[str, Any], commands: list[str]) -> None:
    held = Take(1, "a", 1, "{}", State.HELD, request_id="wb1:x", needs_user=True)
    assert [" ".join(each) for each in ways_of(replace(held, **words), AttemptFindings())] == commands


@pytest.mark.parametrize("is_superseded", [False, True])
def test_a_take_that_was_given_up_says_that_another_try_may_pay_again(*, is_superseded: bool) -> None:
    risky = Take(1, "a", 1, "{}", State.FAILED, credits_at_risk=None, error="you gave it up", superseded=is_superseded)
    (found,) = problems_in([risky], folder="out")
    asked = "`wanbatch retry out` sends it again, and may pay a second time"
    gone = "It may have been charged. The manifest no longer asks for it"
    assert (found.todo.endswith(asked), found.todo == gone) == (not is_superseded, is_superseded)


def failed(shot_id: str, number: int = 1, **facts: Any) -> Take:
    return Take(number, shot_id, number, "{}", State.FAILED, error="it burnt", **facts)


def test_a_take_that_the_user_gave_up_is_no_more_to_be_retried_and_says_how_to_buy_it_again() -> None:
    caps = RetryCaps(whole=9_000_000, by_shot={"a": 4_200_000})
    findings = AttemptFindings(given_up={1}, caps=caps)
    (found,) = problems_in([failed("a", credits_at_risk=None)], findings=findings, folder="out")
    assert (found.again, shots_to_retry([found])) == (Again.GIVEN_UP, [])
    assert found.todo == (
        "wanbatch sends nothing more for it. `wanbatch reconcile out` shows whether the provider has a trace"
        " of it by now. To buy it again, which may be a second payment for it:"
        " `wanbatch retry out --only a --max-usd 2.10`"
    )


def test_an_advised_retry_has_the_cap_that_it_needs() -> None:
    caps = RetryCaps(
        whole=9_000_000, by_shot={"b": 4_200_000}, scenes={"c": "the cap of scene 13 is raised to 2.00 USD"}
    )
    findings = AttemptFindings(made={2: "G1"}, caps=caps)
    takes = [failed("a"), failed("b", 2), failed("c", 3)]
    todo = [each.todo for each in problems_in(takes, findings=findings, folder="out")]
    assert todo[0] == "`wanbatch retry out --max-usd 4.50` tries again"
    assert todo[1].endswith("; `wanbatch retry out --only b --max-usd 2.10` pays for a new one")
    assert todo[2] == (
        "`wanbatch retry out --max-usd 4.50` tries again, once the cap of scene 13 is raised to 2.00 USD"
    )


def test_a_take_that_waits_for_one_that_nobody_planned_says_which_command_plans_it() -> None:
    waiting = {"b_t1": Waiting("a, which has no take 3", "a"), "c_t1": Waiting("b_t1, which failed")}
    told = [each.todo for each in problems_in((), findings=AttemptFindings(waiting=waiting), folder="out")]
    assert told == [
        "`wanbatch retake out a` makes another take of a; or name a take that exists",
        "It will be sent when the take it waits for has a clip",
    ]
