"""What polls call failed and the provider's log calls made, or charged: it is not bought again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.runner.shared import PRICE, states
from tests.runner.test_rechecks import lost
from tests.worlds import EPOCH, World, batch_of
from wanbatch.batch.lifecycle import Fact
from wanbatch.clock import LoopClock
from wanbatch.errors import ExitCode
from wanbatch.pace.schedule import Rates
from wanbatch.provider.aimlapi import AimlApi
from wanbatch.provider.protocol import LogRow, NoAnswer
from wanbatch.runner.events import Event
from wanbatch.runner.loop import Runner
from wanbatch.sandbox.faults import Rule
from wanbatch.state.file import StateFile
from wanbatch.state.reader import entry
from wanbatch.state.tables import new_identity

pytestmark = pytest.mark.usefixtures("quick_clips")
HOUR_S = 3600.0
AS_MADE: dict[str, Callable[[LogRow], LogRow]] = {
    "succeeded": lambda row: replace(row, is_good=True),
    "succeeded under another id": lambda row: replace(row, is_good=True, generation_id="of-the-gateway"),
    "succeeded without an id": lambda row: replace(row, is_good=True, generation_id=None),
    "failed at a cost": lambda row: replace(row, credits=PRICE),
    "a word that is not known, at a cost": lambda row: replace(row, credits=PRICE, word="finished"),
}


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[LogRow], LogRow]]:
    """Return a list; the function in it changes the log's row of the second take's first submit."""
    shown: list[Callable[[LogRow], LogRow]] = []
    real = AimlApi.scan_log

    async def scan_log(self: AimlApi, begin: datetime) -> Any:
        scan = await real(self, begin)
        if isinstance(scan, NoAnswer) or not shown:
            return scan
        return replace(scan, rows=tuple(shown[0](r) if r.request_id.endswith(":2.1") else r for r in scan.rows))

    monkeypatch.setattr(AimlApi, "scan_log", scan_log)
    return shown


def failing(tmp_path: Path, attempts: int = 3) -> World:
    """A batch whose second generation fails."""
    world = World(tmp_path / "out", rules=(Rule("submit", "fail", nth=(2,)),))
    world.settings = replace(world.settings, rates=Rates(max_attempts=attempts))
    return world


def send_again(world: World, by: str) -> None:
    """Plan the failed take again, as the user does, or a run by its policy."""
    with StateFile.create_or_open(world.output, new_identity("world", "sandbox", "", EPOCH, sandbox=True)) as state:
        state.record(2, entry(Fact.RETRY_PLANNED, EPOCH, {"by": by}))


@pytest.mark.parametrize("as_made", AS_MADE.values(), ids=AS_MADE)
def test_what_polls_call_failed_and_the_log_calls_made_is_not_bought_again(
    tmp_path: Path, shown: list[Callable[[LogRow], LogRow]], as_made: Callable[[LogRow], LogRow]
) -> None:
    world = failing(tmp_path)
    shown.append(as_made)
    end = world.run(batch_of(3))
    assert (end.exit_code, states(world), world.submits) == (
        ExitCode.DECISION_NEEDED, ["verified", "failed", "verified"], 3,
    )  # fmt: skip
    assert any("sh001_t1 is not sent again in this run: the provider's request log" in text for text in end.messages)


def test_the_user_may_send_it_again_all_the_same(tmp_path: Path, shown: list[Callable[[LogRow], LogRow]]) -> None:
    world = failing(tmp_path)
    shown.append(AS_MADE["succeeded"])
    world.run(batch_of(3))
    send_again(world, "user")
    assert (world.run(batch_of(3)).exit_code, states(world)) == (ExitCode.OK, ["verified"] * 3)


def test_what_the_log_calls_made_while_a_retry_waits_is_not_bought_again(
    tmp_path: Path, shown: list[Callable[[LogRow], LogRow]]
) -> None:
    world = failing(tmp_path, attempts=1)
    world.run(batch_of(3))
    send_again(world, "policy")
    shown.append(AS_MADE["succeeded"])
    end = world.run(batch_of(3))
    assert (end.exit_code, states(world), world.submits) == (
        ExitCode.DECISION_NEEDED, ["verified", "failed", "verified"], 3,
    )  # fmt: skip


def test_a_log_that_cannot_be_read_keeps_no_failed_take_from_being_sent(tmp_path: Path) -> None:
    world = World(
        tmp_path / "out",
        rules=(Rule("submit", "fail", nth=(2,)), Rule("logs", "status", probability=1.0, code=403)),
    )
    assert (world.run(batch_of(3)).exit_code, states(world), world.submits) == (ExitCode.OK, ["verified"] * 3, 4)


def test_what_an_earlier_submit_made_is_fetched_when_a_later_one_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is turned away and made all the same, its charge shows late; the second fails."""
    world = World(tmp_path / "out", rules=(Rule("submit", "status_after", nth=(2,), code=429),))
    real = AimlApi.charges

    async def charges(self: AimlApi, since: datetime) -> Any:
        found = await real(self, since)
        first = next((r["inference_id"] for r in world.ledger() if str(r["client_request_id"]).endswith(":2.1")), None)
        is_late = self._clock.now() < EPOCH + timedelta(hours=20)
        return found if isinstance(found, NoAnswer) or not is_late else [c for c in found if c.generation_id != first]

    def fail(_: Runner, event: Event) -> None:
        if event.kind == "accepted" and event.take == "sh001_t1" and world.account is not None:
            change = "failure = 'crashed', ends_at = ends_at + 300"
            world.account._db.execute(f"UPDATE requests SET {change} WHERE client_request_id LIKE '%:2.2'")

    monkeypatch.setattr(AimlApi, "charges", charges)
    world.observe = fail
    end = world.run(batch_of(3))
    assert (end.exit_code, states(world), world.submits) == (ExitCode.OK, ["verified"] * 3, 4)
    assert "which the provider had refused for the moment, made its clip after all" in world.takes()[1].warning


def test_what_was_refused_before_the_machine_slept_is_looked_at_before_it_is_sent(tmp_path: Path) -> None:
    slept: list[float] = []

    class Ours(LoopClock):
        def asleep_s(self) -> float:
            return sum(slept)

    class Theirs(LoopClock):
        def now(self) -> datetime:
            return super().now() + timedelta(seconds=sum(slept))

    class Sleepy(World):
        def clocks(self) -> tuple[LoopClock, LoopClock]:
            ours, theirs = super().clocks()
            return Ours(ours.now()), Theirs(theirs.now())

    def sleep(_: Runner, event: Event) -> None:
        if event.kind == "turned_away":
            slept.append(8 * HOUR_S)

    refusal = Rule("submit", "status_after", nth=(2,), code=429, retry_after="300")
    world = Sleepy(tmp_path / "out", rules=(refusal,))
    world.observe = sleep
    end = world.run(batch_of(3))
    assert (end.exit_code, states(world), world.submits) == (ExitCode.OK, ["verified"] * 3, 3)


@pytest.mark.long
def test_a_success_without_an_id_that_the_log_shows_after_the_proof_keeps_the_take_from_being_sent(
    tmp_path: Path, shown: list[Callable[[LogRow], LogRow]]
) -> None:
    world = lost(tmp_path, "P2", lambda _: shown.append(AS_MADE["succeeded without an id"]))
    end = world.run(batch_of(3))
    assert (end.exit_code, states(world)[1], world.submits) == (ExitCode.DECISION_NEEDED, "failed", 3)
    assert any("now shows that an earlier submit of this take succeeded" in message for message in end.messages)
