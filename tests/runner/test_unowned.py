"""Charges of no take beside a take that is held because its answer was lost: the user reads their ids."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.runner.shared import AT, CHARGE, ENDED, PRICE, asked
from tests.worlds import EPOCH, World, batch_of
from wanbatch.batch.attempts import Outcome
from wanbatch.batch.lifecycle import State
from wanbatch.provider.protocol import LogRow
from wanbatch.runner.resubmission import Question
from wanbatch.runner.settings import RunSettings
from wanbatch.runner.uncertain_submits import NAMED_AT_MOST
from wanbatch.sandbox.account import Arrival, key_name
from wanbatch.sandbox.faults import Rule

pytestmark = pytest.mark.usefixtures("quick_clips")
NEVER_ARRIVED = (Rule("submit", "drop_before", nth=(2,)), Rule("submit", "no_echo", nth=(1,)))


def others_buy(world: World, count: int, model: str = "") -> list[str]:
    """Let somebody with another key of the account buy clips; no log of ours shows them."""
    assert world.account is not None
    body = {"model": "alibaba/wan2.1-t2v-turbo", "resolution": "480P", "prompt": "theirs"}
    arrival = Arrival(EPOCH.timestamp() + world.elapsed_s, key_name("their key"), None)
    made = [world.account.accept(arrival, body).generation_id for _ in range(count)]
    if model:
        world.account._db.execute("UPDATE requests SET model = ? WHERE client_request_id IS NULL", (model,))
    return made


def held(tmp_path: Path, bought: int, **more: str) -> tuple[World, list[str]]:
    """Lose a submit, let others buy, and give the log and the ledger all the time that there is."""
    world = World(tmp_path / "out", rules=NEVER_ARRIVED, settings=RunSettings(unknown_grace=timedelta(hours=2)))
    world.observe = lambda runner, event: runner.drain() if event.kind == "answer_lost" else None
    world.run(batch_of(2))
    ids = others_buy(world, bought, **more)
    world.observe, world.rules = None, ()
    world.run(batch_of(2))
    assert [take.state for take in world.takes()] == [State.VERIFIED, State.HELD]
    return world, ids


def test_a_held_take_names_the_charge_that_its_submit_may_have_made(tmp_path: Path) -> None:
    world, (made,) = held(tmp_path, 1)
    text = f"the ledger shows a charge for {made}, which belongs to no take: the lost submit may have made it"
    assert [take.warning for take in world.takes()] == ["", text]
    world.run(batch_of(2))
    assert world.takes()[1].warning == text


def test_of_many_charges_of_no_take_a_few_are_named(tmp_path: Path) -> None:
    world, ids = held(tmp_path, NAMED_AT_MOST + 4)
    world.run(batch_of(2))
    warning = world.takes()[1].warning
    assert (sum(made in warning for made in ids), "have made one of them" in warning) == (NAMED_AT_MOST, True)


def test_charges_of_another_family_of_models_are_not_named(tmp_path: Path) -> None:
    world, _ = held(tmp_path, 1, model="kling/v2")
    assert [take.warning for take in world.takes()] == ["", ""]


def test_a_lost_answer_whose_generation_the_log_tells_explains_no_other_charge() -> None:
    lost = replace(ENDED, take_id=2, request_id="wb1:n:r:2.1", outcome=Outcome.LOST)
    row = LogRow(lost.request_id, "its own", True, PRICE, AT)
    assert asked(row, attempts=(lost,)) == [Question(CHARGE, ENDED)]
    assert asked(replace(row, generation_id=None), attempts=(lost,)) == []  # what it made may be what is charged
    assert asked(replace(row, is_good=False), attempts=(lost,)) == []
    assert asked(row, charge=replace(CHARGE, generation_id="its own"), attempts=(lost,)) == []
