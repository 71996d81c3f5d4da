"""What shows between the proof that a submit made nothing and the submit that follows: then the take is not sent again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from tests.runner.shared import ENDED, HOURS, LOST, PRICE, RESUBMIT, beside_runs, charged_twice, states
from tests.worlds import EPOCH, World, batch_of
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.take import Entry
from wanbatch.clock import LoopClock
from wanbatch.errors import ExitCode
from wanbatch.money.charge import Charge
from wanbatch.pace.schedule import Rates
from wanbatch.provider.protocol import LogScan, NoAnswer
from wanbatch.runner.context import RunContext
from wanbatch.runner.events import Event
from wanbatch.runner.loop import Runner
from wanbatch.runner.rechecks import Rechecks
from wanbatch.runner.uncertain_submits import was_called_made
from wanbatch.runner.unexplained import answer_for
from wanbatch.sandbox.faults import FaultPlan, Rule
from wanbatch.session.decisions import take_up as desk_take_up
from wanbatch.state.file import StateFile
from wanbatch.state.reader import StateReader, entry
from wanbatch.state.tables import new_identity

pytestmark = pytest.mark.usefixtures("quick_clips")
COLUMNS = "at, fault, body, body_sha256, http_status, model, credits, starts_at, ends_at"
PLANNED_AGAIN = {"P2": "retry_planned", "P4": "presumed_absent"}


def execute(world: World, sql: str) -> None:
    assert world.account is not None
    world.account._db.execute(sql)


def charge_beside(world: World, seq: int = 2) -> None:
    """Charge what a submit made under another id, which no log of our key shows."""
    execute(
        world,
        f"INSERT INTO requests ({COLUMNS}, key, inference_id) SELECT {COLUMNS}, 'another', 'unowned' FROM requests"
        f" WHERE seq = {seq}",
    )


def lost(tmp_path: Path, proof: str, then: Callable[[World], None]) -> World:
    """A batch whose second submit is lost and proven to have made nothing; then the books change."""
    world = World(tmp_path / "out", rules=LOST)
    world.settings = RESUBMIT if proof == "P4" else world.settings

    def change(_: Runner, event: Event) -> None:
        if event.kind == "answer_lost" and proof == "P2":
            execute(world, "UPDATE requests SET failure = 'crashed' WHERE seq = 2")
        elif event.kind == "answer_lost":  # its row is nowhere to be seen
            execute(world, "UPDATE requests SET ends_at = ends_at + 9000000 WHERE seq = 2")
        elif event.kind == PLANNED_AGAIN[proof]:
            then(world)

    world.observe = change
    return world


def send_again(world: World, take_id: int, by: str = "user") -> None:
    """Plan a failed take again, as `wanbatch retry` does, or a run by its policy."""
    with StateFile.create_or_open(world.output, new_identity("world", "sandbox", "", EPOCH, sandbox=True)) as state:
        state.record(take_id, entry(Fact.RETRY_PLANNED, EPOCH, {"by": by}))


@pytest.mark.long
@pytest.mark.parametrize("proof", ["P2", "P4"])
def test_nothing_is_bought_again_beside_a_charge_that_came_after_the_proof(tmp_path: Path, proof: str) -> None:
    world = lost(tmp_path, proof, lambda world: charge_beside(world, seq=1))
    end = world.run(batch_of(3))
    assert (end.exit_code, states(world)[1], world.submits - 1) == (ExitCode.DECISION_NEEDED, "failed", 3)
    assert any("sh001_t1 is not sent again in this run: a charge" in message for message in end.messages)
    world.elapsed_s += 40 * HOURS
    end = world.run(batch_of(3))  # nor by any later run on its own
    assert (end.exit_code is ExitCode.OK, states(world)[1], world.submits - 1) == (False, "failed", 3)
    world.observe = None
    send_again(world, 2)
    world.settings = replace(world.settings, is_account_shared=True)
    assert (world.run(batch_of(3)).exit_code, states(world), world.submits - 1) == (
        ExitCode.OK, ["verified"] * 3, 4,
    )  # fmt: skip


@pytest.mark.long
def test_a_charge_that_the_user_answered_for_keeps_no_take_from_being_sent(tmp_path: Path) -> None:
    world = lost(tmp_path, "P2", lambda world: charge_beside(world, seq=1))
    change = world.observe
    assert change is not None

    def answer(runner: Runner, event: Event) -> None:
        change(runner, event)
        state = runner._context.state
        if event.kind == "retry_planned" and isinstance(state, StateFile):
            answer_for(state, ["unowned"])

    world.observe = answer
    end = world.run(batch_of(3))
    assert (end.exit_code, states(world)) == (ExitCode.OK, ["verified"] * 3)


@pytest.mark.long
@pytest.mark.parametrize("proof", ["P2", "P4"])
def test_the_clip_that_the_log_shows_after_the_proof_is_taken_and_none_is_bought(tmp_path: Path, proof: str) -> None:
    def made(world: World) -> None:
        shift = 9000000 if proof == "P4" else 0
        execute(world, f"UPDATE requests SET failure = NULL, ends_at = ends_at - {shift} WHERE seq = 2")

    world = lost(tmp_path, proof, made)
    end = world.run(batch_of(3))
    assert (end.exit_code, states(world), world.submits) == (ExitCode.OK, ["verified"] * 3, 3)
    assert charged_twice(world) == []


def close(world: World, reading: str) -> None:
    """Let the provider refuse log or ledger from now on."""
    assert world.sandbox is not None
    world.sandbox.faults = FaultPlan((Rule(reading, "status", probability=1.0, code=403),), 0)


@pytest.mark.long
@pytest.mark.sampled(2)
@pytest.mark.parametrize("proof", ["P2", "P4"])
@pytest.mark.parametrize("reading", ["ledger", "logs"])
def test_nothing_is_sent_again_where_the_books_of_the_proof_cannot_be_read_any_more(
    tmp_path: Path, proof: str, reading: str
) -> None:
    world = lost(tmp_path, proof, lambda world: close(world, reading))
    end = world.run(batch_of(3))
    assert (end.exit_code, states(world)[1], world.submits) == (ExitCode.PROVIDER_UNREACHABLE, "planned", 3)
    assert any("could not read the provider's ledger and request log" in message for message in end.messages)
    assert world.sandbox is not None
    world.observe, world.sandbox.faults, world.elapsed_s = None, FaultPlan((), 0), world.elapsed_s + HOURS
    assert (world.run(batch_of(3)).exit_code, states(world), world.submits) == (ExitCode.OK, ["verified"] * 3, 4)


@pytest.mark.long
@pytest.mark.parametrize("proof", ["P2", "P4"])
def test_what_nothing_speaks_against_is_sent_again(tmp_path: Path, proof: str) -> None:
    world = lost(tmp_path, proof, lambda _: None)
    end = world.run(batch_of(3))
    assert (end.exit_code, states(world), world.submits) == (ExitCode.OK, ["verified"] * 3, 4)


# --- refusals


def turned_away(tmp_path: Path, wait_s: str) -> World:
    """A batch whose second submit is refused for a while, while its work is charged under another id."""
    world = World(tmp_path / "out", rules=(Rule("submit", "status", nth=(2,), code=429, retry_after=wait_s),))

    def change(_: Runner, event: Event) -> None:
        if event.kind == "turned_away":
            charge_beside(world, seq=1)

    world.observe = change
    return world


def test_a_take_that_was_refused_long_ago_is_not_sent_again_beside_a_charge_of_no_take(tmp_path: Path) -> None:
    world = turned_away(tmp_path, "900")
    end = world.run(batch_of(3))
    assert (end.exit_code, states(world)) == (ExitCode.DECISION_NEEDED, ["verified", "failed", "verified"])
    assert any("sh001_t1 is not sent again in this run: a charge" in message for message in end.messages)
    world.observe = None
    send_again(world, 2)
    assert (world.run(batch_of(3)).exit_code, states(world)) == (ExitCode.OK, ["verified"] * 3)


def test_a_take_that_was_refused_just_now_is_sent_again_without_a_look(tmp_path: Path) -> None:
    world = turned_away(tmp_path, "30")
    world.run(batch_of(3))
    assert states(world) == ["verified"] * 3


def test_where_others_use_the_account_a_charge_says_nothing_of_a_refusal(tmp_path: Path) -> None:
    world = turned_away(tmp_path, "900")
    world.settings = replace(world.settings, is_account_shared=True)
    world.run(batch_of(3))
    assert states(world) == ["verified"] * 3


def test_a_ledger_that_cannot_be_read_keeps_no_refused_take_from_being_sent(tmp_path: Path) -> None:
    world = turned_away(tmp_path, "900")
    world.rules = (*world.rules, Rule("ledger", "status", probability=1.0, code=403))
    world.run(batch_of(3))
    assert states(world) == ["verified"] * 3


@pytest.mark.long
def test_a_charge_that_may_be_for_another_lost_submit_keeps_a_take_from_being_sent(tmp_path: Path) -> None:
    """Two answers are lost; one is proven to have failed, and a charge shows that may be for either."""
    world = World(tmp_path / "out", rules=(Rule("submit", "drop_after", nth=(2, 3)),))

    def change(_: Runner, event: Event) -> None:
        if event.kind == "answer_lost" and event.take == "sh001_t1":
            execute(world, "UPDATE requests SET failure = 'crashed' WHERE seq = 2")
        elif event.kind == "answer_lost":
            execute(world, "UPDATE requests SET ends_at = ends_at + 9000000 WHERE seq = 3")
        elif event.kind == "retry_planned":
            charge_beside(world, seq=1)

    world.observe = change
    end = world.run(batch_of(3))
    assert (end.exit_code, states(world), world.submits - 1) == (
        ExitCode.DECISION_NEEDED, ["verified", "failed", "held"], 3,
    )  # fmt: skip
    assert any("sh001_t1 is not sent again in this run" in message for message in end.messages)


def test_a_look_does_not_last_over_a_sleep_of_the_machine(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "fail", nth=(1,)),))
    world.settings = replace(world.settings, rates=Rates(max_attempts=1))
    world.run(batch_of(1))

    async def work(context: RunContext) -> list[bool]:
        wall = iter((0.0, 0.0, 8 * HOURS, 8 * HOURS))
        context.clock = LoopClock(EPOCH, wall=lambda: next(wall))
        looks = Rechecks(context, Ledger(EPOCH, Charge("", 0, EPOCH, "")))  # type: ignore[arg-type]
        await looks.may_retry(1)
        return [looks.is_owed(1)]

    assert beside_runs(world, work) == [True]


@pytest.mark.long
def test_a_charge_that_may_be_for_a_submit_that_is_looked_for_keeps_a_failed_take_from_being_sent(
    tmp_path: Path,
) -> None:
    """One answer is lost and its generation runs; another's generation fails, and a charge of no take shows."""
    world = World(tmp_path / "out", rules=(Rule("submit", "drop_after", nth=(2,)), Rule("submit", "fail", nth=(3,))))

    def change(_: Runner, event: Event) -> None:
        if event.kind == "answer_lost":
            execute(world, "UPDATE requests SET ends_at = ends_at + 9000000 WHERE seq = 2")
        elif event.kind == "accepted" and event.take == "sh002_t1":
            charge_beside(world, seq=1)

    world.observe = change
    world.run(batch_of(3))
    assert (states(world), world.submits - 1) == (["verified", "held", "failed"], 3)


class Ledger:
    """A ledger that shows one take's first submit a charge of no take, and another's none."""

    def __init__(self, since: datetime, charge: Charge) -> None:
        self._since, self._charge = since, charge

    async def read_ledger(self, since: datetime) -> tuple[Charge, ...]:
        return (self._charge,) if since == self._since else ()


@pytest.mark.long
def test_two_looks_at_once_each_go_by_their_own_reading_of_the_ledger(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "drop_after", nth=(2, 3)),))

    def change(_: Runner, event: Event) -> None:
        if event.kind == "answer_lost":
            execute(world, "UPDATE requests SET failure = 'crashed' WHERE seq IN (2, 3)")

    world.observe = change
    world.settings = replace(world.settings, rates=Rates(max_attempts=1))
    world.run(batch_of(3))
    for take_id in (2, 3):
        with StateFile.create_or_open(world.output, new_identity("world", "sandbox", "", EPOCH, sandbox=True)) as state:
            state.record(take_id, entry(Fact.RETRY_PLANNED, EPOCH, {"by": "policy"}))

    async def work(context: RunContext) -> list[State]:
        desk_take_up(context)
        first = context.state.attempts_of(2)[0]
        charge = Charge("unowned", PRICE, first.started_at + timedelta(minutes=2), context.takes[2].order.model)
        real = context.provider.scan_log

        async def scan_log(begin: datetime) -> LogScan | NoAnswer:
            await asyncio.sleep(0)  # another look reads the ledger meanwhile
            return await real(begin)

        object.__setattr__(context.provider, "scan_log", scan_log)
        looks = Rechecks(context, Ledger(first.started_at, charge))  # type: ignore[arg-type]
        await asyncio.gather(looks.look(2), looks.look(3))
        return [context.takes[take_id].state for take_id in (2, 3)]

    assert beside_runs(world, work) == [State.FAILED, State.PLANNED]


def test_a_take_whose_generation_was_called_made_is_not_bought_again_when_polls_say_that_it_failed(
    tmp_path: Path,
) -> None:
    """Its clip cannot be fetched, the take is held as paid, and the next run is told that it failed."""
    world = World(tmp_path / "out", rules=(Rule("clip", "status", code=404, probability=1.0),))
    world.run(batch_of(1))
    assert states(world) == ["held"]
    execute(world, "UPDATE requests SET failure = 'crashed' WHERE seq = 1")
    world.rules, world.elapsed_s = (), world.elapsed_s + HOURS
    end = world.run(batch_of(1))
    assert (end.exit_code, states(world), world.submits) == (ExitCode.DECISION_NEEDED, ["failed"], 1)
    assert any("but said earlier that it succeeded" in message for message in end.messages)


@pytest.mark.parametrize(
    ("facts", "is_made"),
    [
        ([(Fact.SUBMIT_STARTED, {"attempt": 1}), (Fact.COMPLETED, {})], True),
        ([(Fact.SUBMIT_STARTED, {"attempt": 1}), (Fact.ADOPTED, {"attempt": 1, "by": "log"})], True),
        ([(Fact.SUBMIT_STARTED, {"attempt": 1}), (Fact.ADOPTED, {"attempt": 1, "by": "user"})], False),
        ([(Fact.SUBMIT_STARTED, {"attempt": 1}), (Fact.SUBMIT_STARTED, {"attempt": 2}), (Fact.COMPLETED, {})], False),
    ],
    ids=["by a poll", "by the log", "by the user", "another attempt"],
)
def test_a_generation_was_called_made_by_the_log_or_by_a_poll(
    facts: list[tuple[Fact, dict[str, Any]]], *, is_made: bool
) -> None:
    class Reader:
        def facts_of(self, _: int) -> list[Entry]:
            return [entry(fact, EPOCH, data) for fact, data in facts]

    assert was_called_made(cast(StateReader, Reader()), ENDED) is is_made
