"""The inventory: what the takes of a batch come to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.batch.takes import shot, take_of
from wanbatch.batch.inventory import Inventory, finish_text
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


@pytest.mark.parametrize(
    ("states", "said"),
    [
        ([State.VERIFIED] * 2, "nothing to do: every take is done"),
        (
            [*[State.VERIFIED] * 5, State.FAILED],
            "nothing to send: 5 takes are done, 1 failed (`wanbatch status` says what to do, such as `wanbatch retry`)",
        ),
        (
            [State.VERIFIED, State.HELD],
            "nothing to send: 1 take is done, 1 is held (`wanbatch status` says what you can do)",
        ),
        (
            [State.VERIFIED, State.PLANNED],
            "nothing to send: 1 take is done, 1 not sent, because this command leaves it out",
        ),
    ],
)
def test_where_nothing_is_to_be_sent_it_says_what_stands(states: list[State], said: str) -> None:
    takes = [replace(take_of(shot()), take_id=number, state=state) for number, state in enumerate(states)]
    assert finish_text(Inventory.of(takes)) == said
