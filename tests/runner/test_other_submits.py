"""A take of which one submit failed and another made a generation is not bought again by itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.runner.shared import HOURS, restore, saving
from tests.worlds import EPOCH, World, batch_of
from wanbatch.batch.lifecycle import State
from wanbatch.provider.protocol import LogRow
from wanbatch.runner.settings import OnUnknown, RunSettings
from wanbatch.sandbox.options import SandboxOptions

pytestmark = pytest.mark.usefixtures("quick_clips")


@pytest.mark.parametrize("policy", [OnUnknown.RECONCILE, OnUnknown.RESUBMIT])
def test_a_failed_submit_of_an_old_copy_buys_nothing_beside_the_one_that_made_the_clip(
    tmp_path: Path, policy: OnUnknown
) -> None:
    world = World(tmp_path / "out", options=SandboxOptions(concurrency=1), settings=RunSettings(on_unknown=policy))
    copy = saving(world, "accepted", "sh000_t1")
    world.run(batch_of(2))  # the second take was turned away first, which the log shows as failed
    bought = len([row for row in world.ledger() if row["charged"]])
    made = next(row for row in world.ledger() if row["charged"] and row["client_request_id"].split(":")[3] > "2.")
    row = LogRow(made["client_request_id"], made["inference_id"], True, made["credits"], EPOCH)
    restore(world, copy)
    world.settings = replace(world.settings, logged=(row,))  # run.log is newer than the state file
    for _ in range(4):
        world.run(batch_of(2))
        world.elapsed_s += 30 * HOURS
    again = len([row for row in world.ledger() if row["charged"]])
    assert (bought, again, world.takes()[1].state) == (2, 2, State.HELD)
