"""The look-up of a finished batch: what it asks beside the provider's log."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from tests.runner.shared import beside_runs
from tests.runner.test_failures import first_of, says_failed
from tests.worlds import World, batch_of
from wanbatch.errors import ExitCode
from wanbatch.money.charge import Charge
from wanbatch.pace.schedule import Rates
from wanbatch.provider.aimlapi import AimlApi
from wanbatch.runner.settings import RunSettings
from wanbatch.sandbox.faults import FaultPlan, Rule
from wanbatch.session.lookup import look_up

pytestmark = pytest.mark.usefixtures("quick_clips")


async def no_charges(self: AimlApi, since: datetime) -> list[Charge]:
    return []


def test_a_failure_that_completes_after_its_batch_is_finished_is_a_double_with_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path / "out", settings=RunSettings(rates=Rates(max_attempts=2)))
    is_over: list[bool] = []
    says_failed(monkeypatch, lambda generation, _, __: generation == first_of(world) and not is_over)
    with monkeypatch.context() as patch:
        patch.setattr(AimlApi, "charges", no_charges)  # its charge shows later, too
        end = world.run(batch_of(1))
    assert (end.exit_code, world.takes()[0].shown_state, world.submits) == (ExitCode.OK, "verified", 2)
    is_over.append(True)
    world.elapsed_s += 12 * 3600
    found = beside_runs(world, look_up)
    assert [code for code, _ in found.troubles] == [ExitCode.DECISION_NEEDED]
    assert f"DOUBLE: the provider said that {first_of(world)}" in world.takes()[0].warning


def test_a_look_up_that_could_not_read_the_ledger_says_so(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(1))
    world.elapsed_s += 12 * 3600
    assert "could not read the ledger" not in beside_runs(world, look_up).text
    assert world.sandbox is not None
    world.sandbox.faults = FaultPlan((Rule("ledger", "status", probability=1.0, code=403),), 0)
    assert "wanbatch could not read the ledger, so charges may be missing" in beside_runs(world, look_up).text


def test_a_look_up_whose_polls_take_too_long_has_read_the_ledger_and_says_what_it_lacks(tmp_path: Path) -> None:
    rules = (Rule("submit", "fail", nth=(1,)),)
    world = World(tmp_path / "out", rules=rules, settings=RunSettings(rates=Rates(max_attempts=2)))
    world.run(batch_of(1))
    world.elapsed_s += 12 * 3600
    assert world.sandbox is not None
    assert world.account is not None
    world.account._db.execute("UPDATE requests SET fault = 'fail_charged' WHERE seq = 1")
    world.sandbox.faults = FaultPlan((Rule("poll", "delay", probability=1.0, delay_s=500.0),), 0)
    found = beside_runs(world, look_up)
    assert any("failed" in text and "charged for it" in text for _, text in found.troubles)
    assert "did not finish its checks" in found.text
