"""The inventory: what the takes of a batch come to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.batch.takes import shot, take_of
from wanbatch.batch.inventory import Inventory
from wanbatch.batch.lifecycle import State


@pytest.mark.parametrize(
    ("fields", "finished"),
    [
        ({"state": State.PLANNED}, False),
        ({"state": State.PLANNED, "superseded": True}, True),
        ({"state": State.PLANNED, "shot_id": "x"}, True),
        ({"state": State.VERIFIED}, False),
        ({"state": State.VERIFIED, "is_charge_seen": True}, True),
        ({"state": State.FAILED}, True),
        ({"state": State.UNKNOWN}, False),
        ({"state": State.QUEUED}, False),
        ({"state": State.HELD, "generation_id": "g"}, False),
        ({"state": State.HELD, "generation_id": "g", "needs_user": True}, True),
        ({"state": State.HELD, "request_id": "r", "needs_user": True}, False),
    ],
)
def test_a_batch_is_finished_when_nothing_is_left_to_ask(fields: dict[str, object], finished: bool) -> None:
    take = replace(take_of(shot()), **fields)  # type: ignore[arg-type]
    assert Inventory.of([take]).is_finished(lambda take: take.shot_id != "x") is finished
