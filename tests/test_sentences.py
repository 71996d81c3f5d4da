"""What people read: states in their words, counts as lists, places that exist, and nothing that does not concern them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from tests.money.test_screens import preview, screen
from tests.runner.test_wrong_clocks import EPOCH, Ahead
from wanbatch.batch.lifecycle import State, state_words
from wanbatch.cli.manifest import warning_text
from wanbatch.cli.money import preview_json
from wanbatch.cli.screen import counts_text
from wanbatch.clock import LoopClock
from wanbatch.errors import Problem
from wanbatch.money.prices import Estimate
from wanbatch.provider.endpoint import load_settings
from wanbatch.runner.batch_clock import BatchClock
from wanbatch.session.access import Access
from wanbatch.session.invocation import Invocation
from wanbatch.session.options import RunOptions, Watch
from wanbatch.session.safeguards import compare_clocks
from wanbatch.state.file import StateFile
from wanbatch.state.tables import new_identity


@pytest.mark.parametrize(
    ("line", "told"), [(0, "s.yaml: no such file"), (1, "s.yaml:1:1 no such file")], ids=["no line", "line 1"]
)
def test_a_problem_of_no_line_names_the_file_alone(line: int, told: str) -> None:
    assert str(Problem("s.yaml", line, line, "no such file")) == told


def test_a_warning_of_no_line_names_the_file_alone() -> None:
    assert warning_text(Problem("s.yaml", 0, 0, "odd")) == "s.yaml: warning: odd"


def test_counts_are_a_list_and_a_clip_that_is_not_fetched_yet_is_called_so() -> None:
    told = counts_text({"verified": 1200, "completed": 2, "held": 1})
    assert told == "1200 verified, 2 made (not fetched yet), 1 held"


@pytest.mark.parametrize("state", [state for state in State if state is not State.COMPLETED])
def test_every_other_state_is_its_own_word(state: State) -> None:
    assert state_words(state.value) == state.value


def test_a_plan_and_a_status_call_an_older_take_superseded_and_json_keeps_its_name() -> None:
    made = preview(counts={"done": 2, "stale": 1})
    assert ("  2 done, 1 superseded" in screen(made), preview_json(made)["counts"]) == (True, {"done": 2, "stale": 1})


@pytest.mark.parametrize("is_sending", [True, False])
def test_the_speed_of_a_sandbox_is_told_where_something_is_sent(is_sending: bool) -> None:
    nothing = {} if is_sending else {"to_submit": {}, "estimate": Estimate(0, 0, 0)}
    assert any("times faster" in line for line in screen(preview(speed=60.0, **nothing))) is is_sending


@pytest.mark.parametrize("speed", [None, 1.0, 600.0])
@pytest.mark.parametrize("hours", [-30, 5, 30])
def test_the_embedded_sandbox_has_our_clock_and_no_other_is_told_wrong(
    tmp_path: Path, speed: float | None, hours: int
) -> None:
    notices: list[str] = []
    options = RunOptions(sandbox=True, speed=speed)
    access = Access(load_settings({}, None, tmp_path), options.sandbox, options.speed)
    invocation = Invocation(options, access, Watch(notice=notices.append))

    async def work() -> None:
        with StateFile.create_or_open(tmp_path / "out", new_identity("b", "sandbox", "", EPOCH, sandbox=True)) as state:
            told = Ahead(timedelta(hours=hours))
            await compare_clocks(invocation, BatchClock(state, LoopClock(EPOCH)), told)  # type: ignore[arg-type]

    asyncio.run(work())
    assert notices == []
