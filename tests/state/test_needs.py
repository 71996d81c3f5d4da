"""What the user is told to do about a take that failed: by how it failed, not by how its message begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.worlds import World, batch_of
from wanbatch.sandbox.faults import Rule
from wanbatch.state.progress_reader import read_overview

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
