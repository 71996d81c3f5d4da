"""A generation that the user names is adopted only where the provider knows it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.runner.shared import LOST, PRICE, states
from tests.worlds import API, EPOCH, World, batch_of, jump
from wanbatch.batch.attempts import Outcome
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.clock import LoopClock
from wanbatch.errors import ExitCode, ProviderUnreachable, UsageInvalid
from wanbatch.provider.aimlapi import AimlApi
from wanbatch.provider.endpoint import Endpoint
from wanbatch.provider.protocol import NoAnswer, Progress, Secret, Status, Trouble
from wanbatch.runner.context import RunContext
from wanbatch.runner.settings import OnUnknown, RunSettings
from wanbatch.sandbox.faults import Rule
from wanbatch.session.decisions import Decision, reconcile, resolve, take_to_resolve
from wanbatch.state.file import StateFile
from wanbatch.state.reader import StateReader, entry

pytestmark = pytest.mark.usefixtures("quick_clips")


def test_a_batch_that_never_sent_anything_has_nothing_to_look_up(tmp_path: Path) -> None:
    world = World(tmp_path / "out", settings=RunSettings(cap_credits=0, is_begun_anew=True))
    assert world.run(batch_of(1)).exit_code is ExitCode.BUDGET_REACHED
    with StateReader.open(tmp_path / "out") as reader:
        identity = reader.identity()

    async def work() -> Any:
        state = StateFile.create_or_open(tmp_path / "out", identity)
        assert world.hosts is not None
        clock = LoopClock(EPOCH)
        api = AimlApi(Endpoint(API, is_loopback=True), Secret("k"), clock, Random(1), world.hosts)
        context = RunContext(state, api, clock, RunSettings(), Random(1))
        try:
            found = await reconcile(context)
            with pytest.raises(UsageInvalid):
                await resolve(context, context.takes[1], Decision.ADOPT, "\n")
            with pytest.raises(UsageInvalid):
                await resolve(context, context.takes[1], Decision.ADOPT, None)
            return found
        finally:
            await api.aclose()
            state.close()

    found = jump(work)
    assert (found.open, found.adopted, found.credits_charged, found.is_ledger_read) == ((), (), 0, True)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (NoAnswer(Trouble.TRANSIENT, "HTTP 502", status=502), ProviderUnreachable),
        (NoAnswer(Trouble.NOT_FOUND, "HTTP 404"), UsageInvalid),
        (Progress("another", Status.GENERATING, None, None), UsageInvalid),
    ],
    ids=["unreachable", "not found", "stranger"],
)
def test_an_id_is_adopted_only_where_the_provider_knows_it(tmp_path: Path, answer: Any, error: type) -> None:
    hold = RunSettings(on_unknown=OnUnknown.HOLD)
    world = World(tmp_path / "out", rules=LOST, settings=hold)
    world.run(batch_of(2))
    with StateReader.open(tmp_path / "out") as reader:
        identity = reader.identity()

    class Told:
        async def poll(self, _: str) -> Any:
            return answer

        async def scan_log(self, _: datetime) -> NoAnswer:
            return NoAnswer(Trouble.TRANSIENT, "HTTP 502", status=502)

    async def work() -> None:
        state = StateFile.create_or_open(tmp_path / "out", identity)
        context = RunContext(state, Told(), LoopClock(EPOCH), RunSettings(), Random(1))  # type: ignore[arg-type]
        context.load()
        try:
            with pytest.raises(error):
                await resolve(context, take_to_resolve(context, "sh001_t1", Decision.ADOPT), Decision.ADOPT, "some-id")
        finally:
            state.close()

    jump(work)
    assert world.takes()[1].state is State.HELD


def test_a_take_that_the_user_sends_again_while_it_runs_counts_both(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "stall", nth=(1,)),))
    world.run(batch_of(1))
    assert states(world) == ["held"]
    with StateReader.open(tmp_path / "out") as reader:
        identity = reader.identity()
    state = StateFile.create_or_open(tmp_path / "out", identity)
    take = state.record(1, entry(Fact.RESUBMIT_ALLOWED, EPOCH, {"error": ""}))
    assert (take.credits_at_risk, [each.outcome for each in state.attempts()]) == (PRICE, [Outcome.ABANDONED])
    state.close()
    end = world.run(batch_of(1))
    take = world.takes()[0]
    assert (end.exit_code, take.state, world.submits) == (ExitCode.OK, State.VERIFIED, 2)
    assert (take.credits_charged, take.credits_committed) == (PRICE, 2 * PRICE)
