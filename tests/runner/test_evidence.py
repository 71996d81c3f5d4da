"""What one look at log and ledger is put together with: whether the provider gives our request ids back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.runner.shared import beside_runs
from tests.worlds import EPOCH, World, batch_of
from wanbatch.provider.protocol import LogScan
from wanbatch.runner.context import RunContext
from wanbatch.runner.evidence import evidence_of

pytestmark = pytest.mark.usefixtures("quick_clips")
SCAN = LogScan(EPOCH - timedelta(hours=1), EPOCH, EPOCH, (), frozenset())


@pytest.mark.parametrize(
    ("told", "is_echoed"),
    [
        ((None, None), False),
        ((True, None), True),
        ((True, True), True),
        ((True, False), False),
        ((False, None), False),
    ],
    ids=["no answer came", "each that came", "all", "some", "none"],
)
def test_the_provider_gives_ids_back_if_each_answer_that_came_did(
    tmp_path: Path, told: tuple[bool | None, ...], is_echoed: bool
) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(len(told)))

    async def work(context: RunContext) -> bool:
        sent = context.state.attempts_as_sent()
        attempts = [replace(each, is_echoed=came) for each, came in zip(sent, told, strict=True)]
        return evidence_of(context, SCAN, (), attempts).is_echoed

    assert beside_runs(world, work) is is_echoed
