"""What the user is told to do about a take that failed: by how it failed, not by how its message begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.worlds import EPOCH, World, batch_of
from wanbatch.sandbox.faults import Rule
from wanbatch.state.needs import problems_in
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
