"""What the state file does not know: restored, copied or begun anew, and generations that nobody ordered."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Callable, Coroutine, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import pytest

from tests.runner.test_searches import HOURS, LOST, PRICE, RESUBMIT, charged_twice, states, with_row
from tests.worlds import API, CLIPS, EPOCH, Hosts, Killed, World, batch_of, jump
from wanbatch.batch.attempts import Outcome
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.take import Take
from wanbatch.errors import ExitCode, UsageInvalid
from wanbatch.money.charge import Charge
from wanbatch.money.seen import charged_price, seen_prices
from wanbatch.pace.schedule import Rates, Search
from wanbatch.provider.aimlapi import AimlApi
from wanbatch.provider.endpoint import Endpoint
from wanbatch.provider.protocol import LogRow, LogScan, NoAnswer, Secret
from wanbatch.runner.context import RunContext
from wanbatch.runner.events import Event
from wanbatch.runner.loop import Runner
from wanbatch.runner.polls import LEDGER_MARGIN, Polls
from wanbatch.runner.proofs import CLOCK_MARGIN
from wanbatch.runner.settings import OnUnknown, RunSettings
from wanbatch.runner.strays import Strays
from wanbatch.sandbox.app import Sandbox
from wanbatch.sandbox.faults import FaultPlan, Rule
from wanbatch.session.decisions import Decision, Reconciled, reconcile, resolve, take_to_resolve, take_up
from wanbatch.state.file import StateFile
from wanbatch.state.reader import StateReader
from wanbatch.state.standing import read_standing
from wanbatch.state.tables import Stray, new_identity

pytestmark = pytest.mark.usefixtures("quick_clips")
T = TypeVar("T")


def saved(world: World) -> Path:
    """Copy the state file as it is now."""
    copy = world.output.with_name("backup.sqlite")
    copy.unlink(missing_ok=True)
    with closing(sqlite3.connect(copy)) as target, closing(sqlite3.connect(world.output / "state.sqlite")) as source:
        source.backup(target)
    return copy


def saving(world: World, kind: str, take: str) -> Path:
    """Copy the state file at the first event of a kind about a take; returns where the copy will be."""
    copy = world.output.with_name("backup.sqlite")

    def save(_: Runner, event: Event) -> None:
        if (event.kind, event.take) == (kind, take) and not copy.exists():
            saved(world)

    world.observe = save
    return copy


def restore(world: World, copy: Path) -> None:
    """Put an old copy in the place of the state file, two days later, without the clips made since."""
    for path in world.output.glob("state.sqlite*"):
        path.unlink()
    shutil.copy(copy, world.output / "state.sqlite")
    (world.output / "state.sqlite").chmod(0o600)
    shutil.rmtree(world.output / "clips", ignore_errors=True)
    world.observe = None
    world.elapsed_s += 48 * HOURS


def at_desk(world: World, work: Callable[[RunContext], Coroutine[Any, Any, T]]) -> T:
    """Work on a world's output folder beside its runs, as the commands that settle do."""

    async def main() -> T:
        loop = asyncio.get_running_loop()
        assert world.account is not None
        assert world.sandbox is not None
        ours, clock = world.clocks()
        sandbox = Sandbox(world.options, world.account, clock, CLIPS)
        sandbox.faults = world.sandbox.faults
        state = StateFile.create_or_open(world.output, new_identity("world", "sandbox", "k", EPOCH, sandbox=True))
        api = AimlApi(
            Endpoint(API, is_loopback=True), Secret("made-up"), ours, Random(1), Hosts(sandbox, world.date_of)
        )
        try:
            return await work(RunContext(state, api, ours, RunSettings(rates=Rates(max_attempts=0)), Random(1)))
        finally:
            world.elapsed_s += loop.time() + 1
            await api.aclose()
            state.close()
            sandbox.close()

    return jump(main)


def settle(world: World, label: str, decision: Decision, generation_id: str | None = None) -> Take:
    """Give the user's word on a take."""

    async def work(context: RunContext) -> Take:
        take_up(context)
        return await resolve(context, take_to_resolve(context, label, decision), decision, generation_id)

    return at_desk(world, work)


def told(world: World) -> Reconciled:
    return at_desk(world, reconcile)


def generation(world: World, attempt: str) -> str:
    """The generation that a submit, named `take id.attempt`, made at the provider."""
    return next(str(row["inference_id"]) for row in world.ledger() if row["client_request_id"].endswith(f":{attempt}"))


def outcomes(world: World, take_id: int) -> dict[int, Outcome]:
    with StateReader.open(world.output) as reader:
        return {each.number: each.outcome for each in reader.attempts_of(take_id)}


def leave_waiting(runner: Runner, event: Event) -> None:
    if "looked up until" in event.text:
        runner.drain()


# --- a state file that is out of date


@pytest.mark.parametrize("count", [3, 4], ids=["same manifest", "a shot more"])
def test_the_log_is_read_from_when_it_was_last_read_whole(tmp_path: Path, count: int) -> None:
    world = World(tmp_path / "out", settings=RunSettings(limit=1))
    world.run(batch_of(3))
    copy = saved(world)
    world.settings = RunSettings()
    world.elapsed_s += HOURS
    world.run(batch_of(3))
    restore(world, copy)
    assert world.run(batch_of(count)).exit_code is ExitCode.DECISION_NEEDED
    assert (world.submits, states(world)) == (count, ["verified", "held", "held", "verified"][:count])


def test_facts_of_a_partial_run_do_not_hide_older_rows(tmp_path: Path) -> None:
    world = World(tmp_path / "out", settings=RunSettings(limit=1))
    world.run(batch_of(3))
    copy = saved(world)
    world.settings = RunSettings()
    world.run(batch_of(3))
    restore(world, copy)
    world.settings = RunSettings(is_selected=lambda take: take.shot_id == "sh000")
    world.run(batch_of(3))
    world.settings = RunSettings()
    world.run(batch_of(3))
    assert (world.submits, charged_twice(world)) == (3, [])


def test_a_state_file_from_before_the_first_submit_is_a_resume(tmp_path: Path) -> None:
    world = World(tmp_path / "out", settings=RunSettings(cap_credits=0))
    world.run(batch_of(2))
    copy = saved(world)
    world.settings = RunSettings()
    world.run(batch_of(2))
    restore(world, copy)
    assert world.run(batch_of(2)).exit_code is ExitCode.DECISION_NEEDED
    assert (world.submits, states(world)) == (2, ["held", "held"])


def test_a_user_who_knows_better_sends_without_the_log(tmp_path: Path) -> None:
    world = World(tmp_path / "out", settings=RunSettings(limit=1))
    world.run(batch_of(2))
    assert world.sandbox is not None
    world.sandbox.faults = FaultPlan((Rule("logs", "status", code=403, message="no"),), 1)
    world.settings = RunSettings()
    end = world.run(batch_of(2))
    assert (end.exit_code, "--trust-state" in end.messages[0], world.submits) == (ExitCode.DECISION_NEEDED, True, 1)
    world.settings = RunSettings(trust_state=True)
    assert (world.run(batch_of(2)).exit_code, world.submits) == (ExitCode.OK, 2)


def test_a_submit_of_a_take_whose_number_moved_is_offered_to_its_recipe(tmp_path: Path) -> None:
    world, whole = World(tmp_path / "out"), batch_of(3)
    world.run(replace(whole, shots=whole.shots[:1]))
    copy = saved(world)
    world.run(replace(whole, shots=(whole.shots[0], whole.shots[2])))
    restore(world, copy)
    end = world.run(whole)  # sh001 takes the number that sh002 had
    assert (end.exit_code, states(world), world.submits) == (
        ExitCode.DECISION_NEEDED, ["verified", "planned", "held"], 2,
    )  # fmt: skip
    take = settle(world, "sh002_t1", Decision.ADOPT, generation(world, "2.1"))
    assert take.state is State.QUEUED
    assert (world.run(whole).exit_code, states(world)) == (ExitCode.OK, ["verified"] * 3)
    assert len({row["body"] for row in world.ledger()}) == world.submits == 3


def test_a_submit_that_fits_no_take_stops_the_run_once_and_is_kept_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path / "out", settings=RunSettings(limit=1))
    world.run(batch_of(2))
    world.settings = RunSettings()
    with StateReader.open(world.output) as reader:
        strange = f"wb1:{reader.identity().nonce}:{'0' * 20}:77.1"
    real = AimlApi.scan_log

    async def scan_log(self: AimlApi, since: datetime) -> Any:
        found = await real(self, since)
        assert isinstance(found, LogScan)
        return with_row(found, strange)

    monkeypatch.setattr(AimlApi, "scan_log", scan_log)
    end = world.run(batch_of(2))
    assert (end.exit_code, strange in end.messages[0], world.submits) == (ExitCode.DECISION_NEEDED, True, 1)
    assert (world.run(batch_of(2)).exit_code, world.submits) == (ExitCode.OK, 2)
    with StateReader.open(world.output) as reader:
        assert [(each.request_id, each.generation_id) for each in reader.strays()] == [(strange, "strange")]
    standing = read_standing(world.output)
    assert [(each.take, each.state) for each in standing.problems] == [(strange, "stray")]
    assert "strange" in standing.problems[0].error


def test_each_generation_of_a_stray_is_kept_and_told(tmp_path: Path) -> None:
    world = World(tmp_path / "out", settings=RunSettings(limit=1))
    world.run(batch_of(1))
    with StateReader.open(world.output) as reader:
        strange = f"wb1:{reader.identity().nonce}:{'0' * 20}:77.1"

    async def work(context: RunContext) -> tuple[list[tuple[str, str | None, int | None]], int]:
        take_up(context)
        before, strays = context.budget.committed, Strays(context)
        context.settings = replace(context.settings, logged=(LogRow(strange, None, False, None, EPOCH),))
        strays.note_logged()
        rows = tuple(LogRow(strange, made, True, 7, EPOCH) for made in ("G2", "G3"))
        for _ in range(2):
            strays.note_scan(LogScan(EPOCH, EPOCH, EPOCH, rows, frozenset()))
        kept = [(each.request_id, each.generation_id, each.credits_held) for each in context.state.strays()]
        return kept, context.budget.committed - before

    kept, counted = at_desk(world, work)
    assert kept == [(strange, "G2", 7), (f"{strange}#1", "G3", 7)]
    assert counted >= 14  # what had no name counted at the highest price known


def test_an_attempt_that_comes_to_light_counts_as_a_try(tmp_path: Path) -> None:
    world = World(tmp_path / "out", settings=RunSettings(limit=1))
    world.run(batch_of(2))
    second = world.takes()[1]
    with StateReader.open(world.output) as reader:
        sent = f"wb1:{reader.identity().nonce}:{second.recipe.short_hash}:2.1"

    async def work(context: RunContext) -> list[int]:
        take_up(context)
        tries = []
        for made in (None, "G2"):  # run.log tells of the submit, then the log names what it made: one try
            Strays(context).note_scan(LogScan(EPOCH, EPOCH, EPOCH, (LogRow(sent, made, True, 7, EPOCH),), frozenset()))
            tries.append(context.takes[2].tries)
        return tries

    assert at_desk(world, work) == [1, 1]


def test_status_counts_what_belongs_to_no_take(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(1))
    before = read_standing(world.output).standing

    async def work(context: RunContext) -> None:
        context.state.note_stray(Stray("wb1:n:r:7.1", "G7", 7, EPOCH, "the provider's log"))
        context.state.note_stray(Stray("wb1:n:r:8.1", None, None, EPOCH, "run.log"))

    at_desk(world, work)
    after = read_standing(world.output).standing
    assert (after.credits_committed - before.credits_committed, after.uncosted - before.uncosted) == (7, 1)


def test_a_shot_that_is_put_back_is_offered_its_stray_and_not_bought_again(tmp_path: Path) -> None:
    world = World(tmp_path / "out", settings=RunSettings(limit=1))
    world.run(batch_of(2))
    second = world.takes()[1]
    with StateReader.open(world.output) as reader:
        lost = f"wb1:{reader.identity().nonce}:{second.recipe.short_hash}:77.1"

    async def work(context: RunContext) -> None:
        context.state.note_stray(Stray(lost, "G7", 7, EPOCH, "the provider's log"))

    at_desk(world, work)
    world.settings = RunSettings()
    world.run(batch_of(2))
    take = world.takes()[1]
    assert (take.state, "--adopt G7" in take.error, world.submits) == (State.HELD, True, 1)
    with StateReader.open(world.output) as reader:
        assert reader.strays() == []


def test_a_poll_that_comes_back_after_the_log_has_settled_its_take_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "fail", nth=(2,), message="Internal"),))
    copy = saving(world, "accepted", "sh001_t1")
    world.run(batch_of(2))
    restore(world, copy)
    real = AimlApi.poll

    async def slow(self: AimlApi, generation_id: str) -> Any:
        answer = await real(self, generation_id)
        await asyncio.sleep(5)
        return answer

    monkeypatch.setattr(AimlApi, "poll", slow)
    end = world.run(batch_of(2))
    assert (end.exit_code, states(world), world.submits) == (ExitCode.DECISION_NEEDED, ["verified", "held"], 3)


# --- more generations than were asked for


def test_two_machines_with_copies_of_a_folder_are_found_out(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    copy = saving(world, "accepted", "sh000_t1")
    world.run(batch_of(2))
    assert world.account is not None
    world.account._db.execute("UPDATE requests SET ends_at = ends_at + 3000 WHERE seq = 2")  # the log is late
    world.elapsed_s -= 48 * HOURS
    restore(world, copy)
    world.run(batch_of(2))
    assert charged_twice(world) == ["2"]
    world.elapsed_s += 60 * HOURS
    found = told(world)
    take = world.takes()[1]
    assert (found.doubles, "DOUBLE" in take.warning) == (("sh001_t1",), True)
    assert (take.credits_charged, outcomes(world, 2)) == (2 * PRICE, {-1: Outcome.DOUBLE, 1: Outcome.COMPLETED})
    assert told(world).doubles == ("sh001_t1",)
    assert len(outcomes(world, 2)) == 2  # it is found once


# --- the user's word


def twice_lost(tmp_path: Path) -> World:
    """A take whose two submits both lost their answers and both made a clip that the log shows days later."""
    grace = RunSettings(on_unknown=OnUnknown.RESUBMIT, unknown_grace=timedelta(minutes=20))
    world = World(tmp_path / "out", rules=(Rule("submit", "drop_after", nth=(2, 4)),), settings=grace)

    def delay(_: Runner, event: Event) -> None:
        if event.kind == "answer_lost":
            assert world.account is not None
            late = EPOCH.timestamp() + 80_000
            world.account._db.execute(
                "UPDATE requests SET ends_at = ends_at + 90000 WHERE seq IN (2, 4) AND ends_at < ?", (late,)
            )

    world.observe = delay
    world.run(batch_of(3))
    world.observe = None
    world.settings = RunSettings()
    assert states(world) == ["verified", "held", "verified"]
    return world


def test_a_generation_goes_to_the_attempt_that_made_it(tmp_path: Path) -> None:
    world = twice_lost(tmp_path)
    world.elapsed_s += 40 * HOURS
    take = settle(world, "sh001_t1", Decision.ADOPT, generation(world, "2.1"))
    assert (take.attempt, take.attempts, take.credits_at_risk) == (1, 2, PRICE)
    world.run(batch_of(3))
    assert told(world).doubles == ("sh001_t1",)
    take = world.takes()[1]
    assert (take.state, take.credits_charged, take.credits_at_risk) == (State.VERIFIED, 2 * PRICE, 0)
    assert outcomes(world, 2) == {1: Outcome.COMPLETED, 2: Outcome.LOST}
    assert told(world).uncharged == ()


def test_a_generation_of_an_earlier_attempt_that_is_known_already_may_be_chosen(tmp_path: Path) -> None:
    world = twice_lost(tmp_path)
    assert world.account is not None
    world.account._db.execute("UPDATE requests SET ends_at = ends_at + 200000 WHERE seq = 4")
    world.elapsed_s += 40 * HOURS
    told(world)
    assert "made after all" in world.takes()[1].warning
    take = settle(world, "sh001_t1", Decision.ADOPT, generation(world, "2.1"))
    assert (take.attempt, take.is_charge_seen, take.credits_charged) == (1, True, PRICE)
    assert world.run(batch_of(3)).exit_code is ExitCode.OK


def test_a_generation_of_another_takes_submit_is_refused(tmp_path: Path) -> None:
    hold = RunSettings(on_unknown=OnUnknown.HOLD)
    world = World(tmp_path / "out", rules=(Rule("submit", "drop_after", nth=(1, 2)),), settings=hold)
    world.run(batch_of(1))
    world.run(batch_of(2))
    world.elapsed_s += HOURS
    with pytest.raises(UsageInvalid, match="submit of sh000_t1"):
        settle(world, "sh001_t1", Decision.ADOPT, generation(world, "1.1"))


def test_what_was_given_up_and_made_after_all_can_be_had(tmp_path: Path) -> None:
    hold = RunSettings(on_unknown=OnUnknown.HOLD)
    world = World(tmp_path / "out", rules=LOST, settings=hold)
    world.run(batch_of(2))
    assert settle(world, "sh001_t1", Decision.ABANDON).state is State.FAILED
    world.elapsed_s += HOURS
    take = settle(world, "sh001_t1", Decision.ADOPT, generation(world, "2.1"))
    assert (take.state, take.credits_at_risk) == (State.QUEUED, 0)
    assert (world.run(batch_of(2)).exit_code, states(world), world.submits) == (ExitCode.OK, ["verified"] * 2, 2)


def test_a_failed_take_that_made_nothing_adopts_nothing(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "fail", nth=(1,), message="policy violation"),))
    world.run(batch_of(1))
    with pytest.raises(UsageInvalid, match="none of its submits made anything"):
        settle(world, "sh000_t1", Decision.ADOPT, "some-id")
    with pytest.raises(UsageInvalid, match="only held and unknown"):
        settle(world, "sh000_t1", Decision.RESUBMIT)


def test_another_generation_than_the_one_recorded_is_adopted_beside_it(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "stall", nth=(1,)),))
    world.run(batch_of(2))
    assert states(world) == ["held", "verified"]
    stalled = world.takes()[0].generation_id
    assert world.account is not None
    columns = "at, key, client_request_id, fault, body, body_sha256, http_status, model, credits, starts_at, ends_at"
    world.account._db.execute(
        f"INSERT INTO requests ({columns}, inference_id) SELECT at, key, 'a-stranger', fault, body, body_sha256,"
        " http_status, model, credits, starts_at, ends_at, 'twin' FROM requests WHERE seq = 2"
    )
    take = settle(world, "sh000_t1", Decision.ADOPT, "twin")
    assert (take.attempt, take.generation_id) == (-1, "twin")
    world.run(batch_of(2))
    with StateReader.open(world.output) as reader:
        made = {each.number: (each.generation_id, each.outcome) for each in reader.attempts_of(1)}
    assert made == {1: (stalled, Outcome.ABANDONED), -1: ("twin", Outcome.COMPLETED)}
    assert world.takes()[0].state is State.VERIFIED


@pytest.mark.parametrize("work", ["reconcile", "resolve"])
def test_a_submit_that_a_crash_cut_off_is_looked_up_without_a_run(tmp_path: Path, work: str) -> None:
    world = World(tmp_path / "out")
    with pytest.raises(Killed):
        world.run(batch_of(3), kill_at=1)
    cut = next(take for take in world.takes() if take.state is State.SUBMITTING)
    if work == "reconcile":
        assert told(world).open == (cut.label,)
    else:
        assert settle(world, cut.label, Decision.ABANDON).state is State.FAILED


# --- what a run may send


def test_what_is_held_as_safe_is_sent_again_once_the_user_says_so_for_all(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "drop_before", nth=(2,)),))
    world.run(batch_of(3))
    assert "looks safe" in world.takes()[1].error
    world.settings = RESUBMIT
    world.elapsed_s += HOURS
    assert (world.run(batch_of(3)).exit_code, states(world)) == (ExitCode.OK, ["verified"] * 3)


def test_only_what_is_selected_is_waited_for_and_sent_again(tmp_path: Path) -> None:
    world = World(
        tmp_path / "out", rules=(Rule("submit", "drop_before", nth=(2,)),), settings=RESUBMIT, observe=leave_waiting
    )
    world.run(batch_of(3))
    world.observe, before = None, world.elapsed_s
    world.settings = replace(RESUBMIT, is_selected=lambda take: take.shot_id == "sh000")
    assert world.run(batch_of(3)).exit_code is ExitCode.OK
    assert (states(world)[1], world.submits, world.elapsed_s - before < HOURS) == ("unknown", 2, True)


def test_a_failed_take_of_an_earlier_run_does_not_exceed_the_limit(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "fail", nth=(1,), message="Internal"),))
    world.observe = lambda runner, event: (runner.drain(), runner.drain()) if event.kind == "accepted" else None  # type: ignore[assignment]
    world.run(batch_of(3))
    world.observe = None
    world.settings = RunSettings(limit=1)
    world.run(batch_of(3))
    assert (world.submits, states(world).count("planned")) == (2, 2)


def test_a_deadline_stops_tries_that_come_after_it(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "fail", nth=(1,), message="Internal"),))
    world.observe = lambda runner, event: runner.reach_deadline() if event.kind == "accepted" else None
    end = world.run(batch_of(1))
    assert (end.exit_code, states(world), world.submits) == (ExitCode.INTERRUPTED, ["planned"], 1)


def test_a_deadline_after_the_last_submit_is_no_trouble(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.observe = lambda runner, event: runner.reach_deadline() if event.kind == "accepted" else None
    end = world.run(batch_of(1))
    assert (end.exit_code, end.messages, states(world)) == (ExitCode.OK, (), ["verified"])


def test_a_log_that_is_down_for_ever_is_not_asked_for_ever(tmp_path: Path) -> None:
    grace = RunSettings(unknown_grace=timedelta(minutes=20))
    world = World(tmp_path / "out", rules=(*LOST, Rule("logs", "status", code=503)), settings=grace)
    end = world.run(batch_of(2))
    assert (end.exit_code, states(world)) == (ExitCode.DECISION_NEEDED, ["verified", "held"])
    assert timedelta(hours=1) <= timedelta(seconds=world.elapsed_s) < timedelta(hours=2)


def test_a_take_that_failed_and_was_charged_needs_a_decision_every_time(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "fail_charged", nth=(1,), message="policy violation"),))
    assert world.run(batch_of(2)).exit_code is ExitCode.DECISION_NEEDED
    assert world.run(batch_of(2)).exit_code is ExitCode.DECISION_NEEDED
    take = world.takes()[0]
    assert (take.state, take.warning) == (
        State.FAILED,
        "the provider charged for this generation, which failed: ask the provider's support",
    )
    assert told(world).breaches == ("sh000_t1",)


def test_a_first_attempt_charged_late_is_not_said_to_have_failed(tmp_path: Path) -> None:
    world = twice_lost(tmp_path)
    world.elapsed_s += 40 * HOURS
    world.run(batch_of(3))
    assert "failed it" not in world.takes()[1].warning
    assert Fact.FOUND_LATE.value in [event.kind for event in world.events]


def test_the_price_of_a_take_bought_twice_is_not_the_sum(tmp_path: Path) -> None:
    world = twice_lost(tmp_path)
    world.elapsed_s += 40 * HOURS
    world.run(batch_of(3))
    told(world)
    takes = world.takes()
    assert takes[1].credits_charged == 2 * PRICE
    assert seen_prices(takes)[takes[1].order.price_class] == PRICE
    assert charged_price(takes[1]) is None


# --- what happens at the same time


def test_a_row_of_a_take_that_is_being_sent_is_looked_at_again_later(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    with pytest.raises(Killed):
        world.run(batch_of(1), kill_at=1)

    async def work(context: RunContext) -> tuple[State, bool]:
        context.load()
        take = context.takes[1]
        row = LogRow(str(take.request_id).replace(":1.1", ":1.2"), "g", True, 7, EPOCH)
        context.settings = replace(context.settings, logged=(row,))
        Strays(context).note_logged()
        return context.takes[1].state, context.schedule.next_step(context.clock.monotonic() + 3600) == Search()

    assert at_desk(world, work) == (State.SUBMITTING, True)


@pytest.mark.parametrize("source", ["run.log", "the provider's log"])
def test_another_submit_of_a_take_that_is_done_is_a_double_with_its_cost(tmp_path: Path, source: str) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(1))
    request_id = str(world.takes()[0].request_id).replace(":1.1", ":1.2")
    rows = tuple(LogRow(request_id, made, True, 7, EPOCH) for made in ("G2", "G3", "G2"))

    async def work(context: RunContext) -> tuple[set[ExitCode], int]:
        take_up(context)
        before, strays = context.budget.committed, Strays(context)
        for _ in range(2):
            if source == "run.log":
                context.settings = replace(context.settings, logged=rows)
                strays.note_logged()
            else:
                strays.note_scan(LogScan(EPOCH, EPOCH, EPOCH, rows, frozenset()))
        return {code for code, _ in context.troubles}, context.budget.committed - before

    assert at_desk(world, work) == ({ExitCode.DECISION_NEEDED}, 14)
    with StateReader.open(world.output) as reader:
        made = {each.generation_id: (each.outcome, each.credits_held) for each in reader.attempts() if each.number < 0}
    assert made == {"G2": (Outcome.DOUBLE, 7), "G3": (Outcome.DOUBLE, 7)}
    assert world.takes()[0].warning.count("DOUBLE") == 2


def test_another_submit_of_which_only_the_name_is_known_is_told(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(1))
    request_id = str(world.takes()[0].request_id).replace(":1.1", ":1.2")

    async def work(context: RunContext) -> list[int]:
        take_up(context)
        context.settings = replace(context.settings, logged=(LogRow(request_id, None, False, None, EPOCH),))
        Strays(context).note_logged()
        return [each.number for each in context.state.attempts()]

    assert at_desk(world, work) == [1]
    assert f"another submit of it, {request_id}" in world.takes()[0].warning


def test_a_failed_take_whose_other_submit_shows_meanwhile_is_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "fail", nth=(1,), message="Internal"),))
    real = Polls.read_ledger

    async def read_ledger(self: Polls, since: datetime | None = None) -> Sequence[Charge] | None:
        done = await real(self, since)
        take = self._context.takes[1]
        if take.state is State.FAILED:
            later = str(take.request_id).replace(":1.1", ":1.2")
            self._context.settings = replace(self._context.settings, logged=(LogRow(later, "g", True, 7, EPOCH),))
            Strays(self._context).note_logged()
        return done

    monkeypatch.setattr(Polls, "read_ledger", read_ledger)
    world.run(batch_of(1))
    assert (states(world), world.submits) == (["held"], 1)


def test_a_look_at_a_batch_that_is_new_asks_for_nothing(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(1))
    world.output = tmp_path / "other"
    assert told(world).open == ()


def test_what_only_run_log_knows_is_never_sent_again_by_policy(tmp_path: Path) -> None:
    world = World(tmp_path / "out", settings=RunSettings(limit=1))
    world.run(batch_of(2))
    second = world.takes()[1]
    with StateReader.open(world.output) as reader:
        nonce = reader.identity().nonce
    row = LogRow(f"wb1:{nonce}:{second.recipe.short_hash}:2.1", None, False, None, EPOCH)
    world.settings = RunSettings(
        logged=(row,), on_unknown=OnUnknown.RESUBMIT, unknown_grace=timedelta(minutes=20), rates=Rates(max_attempts=9)
    )
    for count in range(3, 7):
        world.run(batch_of(count))
        world.elapsed_s += HOURS
    assert (states(world)[1], world.submits, str(world.takes()[1].request_id)) == ("held", 5, row.request_id)


def test_the_users_word_needs_no_log(tmp_path: Path) -> None:
    hold = RunSettings(on_unknown=OnUnknown.HOLD)
    world = World(tmp_path / "out", rules=LOST, settings=hold)
    world.run(batch_of(2))
    world.elapsed_s += HOURS
    assert world.sandbox is not None
    world.sandbox.faults = FaultPlan((Rule("logs", "status", code=403, message="no"),), 1)
    assert told(world).open == ("sh001_t1",)
    assert settle(world, "sh001_t1", Decision.ADOPT, generation(world, "2.1")).state is State.QUEUED


def test_after_a_failure_the_ledger_is_read_from_its_own_submit_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[datetime] = []
    real = AimlApi.charges

    async def charges(self: AimlApi, since: datetime) -> Sequence[Charge] | NoAnswer:
        asked.append(since)
        return await real(self, since)

    monkeypatch.setattr(AimlApi, "charges", charges)
    world = World(tmp_path / "out", rules=(Rule("submit", "fail", nth=(2,), message="Internal"),))
    world.run(batch_of(2))
    with StateReader.open(world.output) as reader:
        submits = [each.started_at for each in reader.attempts()]
    assert [state for state, _ in zip(states(world), submits, strict=False)] == ["verified", "verified"]
    assert (len(submits), asked[0]) == (3, submits[1] - CLOCK_MARGIN)
    assert submits[0] - LEDGER_MARGIN in asked[1:]
