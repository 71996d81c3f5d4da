"""A body that made a clip is not sent for another take, whatever the recipes say, unless the user said so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.worlds import World, batch_of
from wanbatch.batch.lifecycle import State
from wanbatch.batch.shots import Batch
from wanbatch.errors import ExitCode
from wanbatch.pace.schedule import Rates
from wanbatch.runner.settings import RunSettings
from wanbatch.sandbox.faults import Rule

pytestmark = pytest.mark.usefixtures("quick_clips")
(ONE,) = batch_of(1).shots
FIRST = replace(ONE, seed=5)
TWO = Batch("world", (FIRST, replace(FIRST, id="sh002", ordinal=1)))


def test_one_body_is_bought_once_until_the_user_was_told_and_said_so(tmp_path: Path) -> None:
    world = World(tmp_path / "out", settings=RunSettings(buys_again=True))
    end = world.run(TWO)
    assert (len(world.ledger()), end.exit_code) == (1, ExitCode.DECISION_NEEDED)  # of this one nobody was told
    assert "sh002_t1 was not sent: its request is, byte for byte, that of sh000_t1" in "; ".join(end.messages)
    assert [take.state for take in world.takes()] == [State.VERIFIED, State.PLANNED]
    world.settings = RunSettings()
    assert len((world.run(TWO), world.ledger())[1]) == 1
    world.settings = RunSettings(buys_again=True)
    assert (world.run(TWO).exit_code, len(world.ledger())) == (ExitCode.OK, 2)


def test_a_body_that_failed_is_sent_for_another_take(tmp_path: Path) -> None:
    world = World(
        tmp_path / "out", rules=(Rule("submit", "fail", nth=(1,)),), settings=RunSettings(rates=Rates(max_attempts=1))
    )
    world.run(Batch("world", (FIRST,)))
    end = world.run(TWO)
    assert [take.state for take in world.takes()] == [State.FAILED, State.VERIFIED]
    assert end.exit_code is ExitCode.TAKES_FAILED


@pytest.mark.parametrize(("fails", "made", "code"), [(True, ["sh002_t1"], 1), (False, ["sh000_t1"], 3)])
def test_a_take_waits_for_the_end_of_the_one_that_has_its_body(
    fails: bool, made: list[str], code: int, tmp_path: Path
) -> None:
    rules = (Rule("submit", "fail", nth=(1,)),) if fails else ()
    world = World(tmp_path / "out", rules=rules, settings=RunSettings(rates=Rates(max_attempts=1)))
    end = world.run(TWO)
    assert [take.label for take in world.takes() if take.state is State.VERIFIED] == made
    assert ("was not sent: its request is, byte for byte, that of" in "; ".join(end.messages), end.exit_code) == (
        not fails,
        code,
    )


def test_a_model_without_a_seed_makes_another_clip_of_one_body(tmp_path: Path) -> None:
    seedless = replace(ONE, request={**ONE.request, "model": "alibaba/wan2.1-t2v-turbo"}, has_seed=False, takes=2)
    world = World(tmp_path / "out")
    world.run(Batch("world", (seedless,)))
    assert len(world.ledger()) == 2
