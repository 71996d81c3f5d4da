"""A generation that the provider failed and charged: no more money follows it, whenever the charge shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runner.shared import HOURS, states
from tests.worlds import World, batch_of
from wanbatch.errors import ExitCode
from wanbatch.runner.charges import ChargeRecorder
from wanbatch.runner.settings import RunSettings
from wanbatch.sandbox.faults import Rule

pytestmark = pytest.mark.usefixtures("quick_clips")


def test_a_charge_that_shows_before_the_take_is_sent_again_keeps_it_from_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It failed, no charge showed, and the run was stopped before the next attempt: then the ledger shows a charge."""
    world = World(tmp_path / "out", rules=(Rule("submit", "fail_charged", nth=(1,)),))

    async def shows_nothing(*_: object) -> tuple[()]:
        return ()

    with monkeypatch.context() as patched:
        patched.setattr(ChargeRecorder, "read_ledger", shows_nothing)
        world.observe = lambda runner, event: runner.drain() if event.kind == "generation_failed" else None
        world.run(batch_of(1))
    assert states(world) == ["planned"]
    world.observe, world.settings = None, RunSettings(cap_credits=0)
    world.elapsed_s += HOURS
    world.run(batch_of(1))  # nothing fits under this cap, and the ledger is read
    assert states(world) == ["failed"]
    world.settings = RunSettings()
    assert (world.run(batch_of(1)).exit_code, world.submits) == (ExitCode.DECISION_NEEDED, 1)
