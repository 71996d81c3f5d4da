"""What becomes of a submit whose answer was lost: found again, proven to have failed, sent again, or held by name."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from tests.worlds import API, EPOCH, World, batch_of, jump, with_prompt
from wanbatch.batch.attempts import Outcome
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.clock import LoopClock
from wanbatch.errors import ExitCode, ProviderUnreachable, UsageInvalid
from wanbatch.pace.schedule import Rates
from wanbatch.provider.aimlapi import AimlApi
from wanbatch.provider.endpoint import Endpoint
from wanbatch.provider.protocol import LogRow, LogScan, NoAnswer, NotSent, Progress, Secret, Status, Trouble
from wanbatch.runner.context import RunContext
from wanbatch.runner.events import Event
from wanbatch.runner.log import requests_in
from wanbatch.runner.loop import Runner
from wanbatch.runner.settings import OnUnknown, RunSettings
from wanbatch.sandbox.faults import Rule
from wanbatch.sandbox.options import SandboxOptions
from wanbatch.session.decisions import Decision, reconcile, resolve, take_to_resolve
from wanbatch.state.file import StateFile
from wanbatch.state.reader import StateReader, entry

pytestmark = pytest.mark.usefixtures("quick_clips")
PRICE = 378_000
RESUBMIT = RunSettings(on_unknown=OnUnknown.RESUBMIT)
HOURS = 3600.0


def states(world: World) -> list[str]:
    return [take.shown_state for take in world.takes()]


def charged_twice(world: World) -> list[str]:
    """Takes with two charged submits, told from their request ids, by the provider's own books."""
    seen: dict[str, int] = {}
    for row in world.ledger():
        if row["charged"]:
            name = row["client_request_id"].split(":")[3].split(".")[0]
            seen[name] = seen.get(name, 0) + 1
    return [name for name, count in seen.items() if count > 1]


@pytest.mark.parametrize(
    "rule",
    [
        Rule("submit", "drop_after", nth=(1,)),
        Rule("submit", "drop_after", nth=(2,)),
        Rule("submit", "status_after", nth=(2,), code=500),
        Rule("submit", "status_after", nth=(2,), code=504, has_envelope=False),
        Rule("submit", "drop_after", nth=(1, 2)),
    ],
    ids=lambda rule: f"{rule.do}-{rule.nth}-{rule.code}",
)
@pytest.mark.parametrize("policy", [OnUnknown.RECONCILE, OnUnknown.RESUBMIT])
def test_a_lost_answer_is_found_again_by_its_exact_request_id(tmp_path: Path, rule: Rule, policy: OnUnknown) -> None:
    world = World(tmp_path / "out", rules=(rule,), settings=RunSettings(on_unknown=policy))
    end = world.run(batch_of(4))
    assert (end.exit_code, states(world), world.submits) == (ExitCode.OK, ["verified"] * 4, 4)
    assert sum(take.credits_charged or 0 for take in world.takes()) == 4 * PRICE


def test_other_takes_go_on_while_one_is_looked_up(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "drop_before", nth=(2,)),))
    world.run(batch_of(4))
    kinds = [(event.kind, event.take) for event in world.events]
    assert kinds.index(("verified", "sh003_t1")) < kinds.index(("held", "sh001_t1"))
    assert any("looked up until" in event.text for event in world.events)


@pytest.mark.parametrize("do", ["drop_before", "status"])
def test_what_left_no_trace_is_held_as_safe_to_send_again(tmp_path: Path, do: str) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", do, nth=(2,), code=500),))
    end = world.run(batch_of(3))
    take = world.takes()[1]
    assert (end.exit_code, take.state, world.submits) == (ExitCode.DECISION_NEEDED, State.HELD, 2)
    assert "looks safe" in take.error
    assert take.first_searched_at is not None
    assert take.last_searched_at is not None


def test_what_left_no_trace_is_sent_again_where_the_user_said_so(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "drop_before", nth=(2,)),), settings=RESUBMIT)
    end = world.run(batch_of(3))
    assert (end.exit_code, states(world), world.submits) == (ExitCode.OK, ["verified"] * 3, 3)
    assert str(world.takes()[1].request_id).endswith(".2")
    lost = next(event.at for event in world.events if event.kind == "answer_lost")
    again = next(event.at for event in world.events if event.kind == "presumed_absent")
    assert again - lost >= timedelta(hours=25)
    assert world.takes()[1].credits_at_risk == PRICE  # presumed is not proven: what it may have cost stays counted


def test_the_first_of_a_batch_has_no_witness_and_waits_for_one(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "drop_before", nth=(1,)),), settings=RESUBMIT)
    end = world.run(batch_of(1))
    assert (end.exit_code, states(world), world.submits) == (ExitCode.DECISION_NEEDED, ["held"], 0)
    assert "cannot find out" in world.takes()[0].error


@pytest.mark.parametrize("lag_h", [0.5, 6, 20])
def test_a_late_log_leads_to_no_second_purchase(tmp_path: Path, lag_h: float) -> None:
    world = World(
        tmp_path / "out",
        rules=(Rule("submit", "drop_after", nth=(2,)),),
        settings=RESUBMIT,
        options=SandboxOptions(log_lag_s=lag_h * HOURS),
    )
    end = world.run(batch_of(3))
    assert (end.exit_code, states(world), charged_twice(world)) == (ExitCode.OK, ["verified"] * 3, [])


def test_a_log_later_than_any_grace_is_found_out_and_named_double(tmp_path: Path) -> None:
    world = World(
        tmp_path / "out",
        rules=(Rule("submit", "drop_after", nth=(2,)),),
        settings=RunSettings(on_unknown=OnUnknown.RESUBMIT, unknown_grace=timedelta(minutes=20)),
        options=SandboxOptions(log_lag_s=0),
    )
    assert world.options.log_lag_s == 0

    def delay(runner: Runner, event: Event) -> None:
        # The row of the lost submit alone comes late: against all that was assumed.
        if event.kind == "answer_lost":
            assert world.account is not None
            world.account._db.execute("UPDATE requests SET ends_at = ends_at + 90000 WHERE seq = 2")

    world.observe = delay
    world.run(batch_of(3))
    assert world.submits == 4
    world.observe = None
    world.elapsed_s += 50 * HOURS
    world.rules = ()
    world.run(batch_of(4))
    take = world.takes()[1]
    assert charged_twice(world) == ["2"]
    assert "DOUBLE" in take.warning
    assert (take.credits_charged, take.credits_at_risk) == (2 * PRICE, 0)


def test_a_held_take_is_looked_up_on_every_resume(tmp_path: Path) -> None:
    hold = RunSettings(on_unknown=OnUnknown.HOLD)
    world = World(tmp_path / "out", rules=(Rule("submit", "drop_after", nth=(2,)),), settings=hold)
    assert world.run(batch_of(2)).exit_code is ExitCode.DECISION_NEEDED
    assert world.run(batch_of(2)).exit_code is ExitCode.OK
    assert (states(world), world.submits) == (["verified"] * 2, 2)


def test_a_run_that_waits_may_be_left_and_goes_on(tmp_path: Path) -> None:
    def leave(runner: Runner, event: Event) -> None:
        if "looked up until" in event.text:
            runner.drain()

    world = World(tmp_path / "out", rules=(Rule("submit", "drop_before", nth=(2,)),), settings=RESUBMIT, observe=leave)
    left = world.run(batch_of(3))
    assert (left.exit_code, states(world)) == (ExitCode.INTERRUPTED, ["verified", "unknown", "verified"])
    world.observe = None
    assert world.run(batch_of(3)).exit_code is ExitCode.OK
    assert world.submits == 3


def backing_up(world: World, kind: str) -> Path:
    """Copy the state file at the first event of a kind; returns where the copy will be."""
    copy = world.output.with_name("backup.sqlite")

    def back_up(_: Runner, event: Event) -> None:
        if event.kind == kind and not copy.exists():
            with (
                closing(sqlite3.connect(copy)) as target,
                closing(sqlite3.connect(world.output / "state.sqlite")) as source,
            ):
                source.backup(target)

    world.observe = back_up
    return copy


def restore(world: World, copy: Path) -> None:
    """Put an old copy in the place of the state file."""
    for path in world.output.glob("state.sqlite*"):
        path.unlink()
    shutil.copy(copy, world.output / "state.sqlite")
    (world.output / "state.sqlite").chmod(0o600)
    world.observe = None


@pytest.mark.parametrize("after", ["submit_started", "accepted"])
def test_a_state_file_older_than_the_truth_buys_nothing_twice(tmp_path: Path, after: str) -> None:
    world = World(tmp_path / "out")
    copy = backing_up(world, after)
    assert world.run(batch_of(4)).exit_code is ExitCode.OK
    bought = world.submits
    restore(world, copy)
    end = world.run(batch_of(4))
    held = [take for take in world.takes() if take.state is State.HELD]
    assert (end.exit_code, world.submits, len(held)) == (ExitCode.DECISION_NEEDED, bought, 3)
    for take in held:
        made = next(row for row in world.ledger() if row["client_request_id"] == take.request_id)
        assert f"--adopt {made['inference_id']}" in take.error
    assert world.run(batch_of(4)).exit_code is ExitCode.DECISION_NEEDED
    assert world.submits == bought


def test_a_batch_begun_anew_is_offered_what_the_lost_one_bought(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(2))
    world.elapsed_s += HOURS
    for path in (tmp_path / "out").glob("state.sqlite*"):
        path.unlink()
    shutil.rmtree(tmp_path / "out" / "clips")
    world.settings = RunSettings(is_begun_anew=True)
    end = world.run(batch_of(3))
    takes = world.takes()
    assert (end.exit_code, states(world), world.submits) == (ExitCode.DECISION_NEEDED, ["held", "held", "verified"], 3)
    ids = [row["inference_id"] for row in world.ledger()]
    assert [f"--adopt {made}" in take.error for take, made in zip(takes[:2], ids, strict=False)] == [True, True]
    world.settings = RunSettings()
    assert world.run(batch_of(3)).exit_code is ExitCode.DECISION_NEEDED
    assert world.submits == 3


def test_run_log_tells_of_submits_that_the_state_file_lost(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    path.write_text(
        '{"at": "2026-11-01T20:00:00+00:00", "kind": "submit_started", "take": "a_t1", "request_id": "wb1:n:r:1.1"}\n'
        'half a line {"\n'
        '{"at": "2026-11-01T20:00:01+00:00", "kind": "accepted", "take": "a_t1", "generation_id": "g"}\n'
        '{"at": "2026-11-01T20:00:02+00:00", "kind": "submit_started", "take": "b_t1", "request_id": "wb1:other:r:2.1"}\n'
        '{"at": "2026-11-01T20:00:02+00:00", "kind": "accepted", "take": "b_t1", "generation_id": "h"}\n'
        '{"at": "2026-11-01T20:09:00+00:00", "kind": "adopted", "take": "c_t1", "request_id": "wb1:n:r:3.1",'
        ' "generation_id": "k"}\n'
        '[1, "submit_started"]\n{"kind": "accepted", "at": "never", "take": 1}\n'
    )
    found = [(row.request_id, row.generation_id) for row in requests_in(path, "n")]
    assert found == [("wb1:n:r:1.1", "g"), ("wb1:n:r:3.1", "k")]
    assert requests_in(tmp_path / "none", "n") == []


def test_a_submit_that_only_run_log_knows_is_held(tmp_path: Path) -> None:
    world = World(tmp_path / "out")

    def stop(runner: Runner, event: Event) -> None:
        if event.kind == "accepted":
            runner.drain()

    world.observe = stop
    world.run(batch_of(2))
    second = world.takes()[1]
    with StateReader.open(tmp_path / "out") as reader:
        nonce = reader.identity().nonce
    (tmp_path / "run.log").write_text(
        f'{{"at": "2026-11-01T20:00:00+00:00", "kind": "submit_started", "take": "{second.label}",'
        f' "request_id": "wb1:{nonce}:{second.recipe.short_hash}:2.1"}}\n'
    )
    world.observe = None
    world.settings = RunSettings(logged=requests_in(tmp_path / "run.log", nonce))
    end = world.run(batch_of(2))
    assert (end.exit_code, states(world), world.submits) == (ExitCode.DECISION_NEEDED, ["verified", "held"], 1)
    assert "run.log" in world.takes()[1].error


@pytest.mark.parametrize(
    ("rule", "code", "submits"),
    [
        (Rule("logs", "status", code=500), ExitCode.PROVIDER_UNREACHABLE, 1),
        (Rule("logs", "html"), ExitCode.PROVIDER_UNREACHABLE, 1),
        (Rule("logs", "drop_before"), ExitCode.PROVIDER_UNREACHABLE, 1),
        (Rule("logs", "status", code=403, message="no"), ExitCode.DECISION_NEEDED, 1),
        (Rule("logs", "status", code=404, message="no"), ExitCode.DECISION_NEEDED, 1),
        (Rule("logs", "status", nth=tuple(range(1, 8)), code=503), ExitCode.OK, 3),
        (Rule("logs", "status", nth=(1, 2), code=429, retry_after="40"), ExitCode.OK, 3),
        (Rule("logs", "truncate", nth=(1, 2)), ExitCode.OK, 3),
        (Rule("logs", "empty", nth=(1, 2)), ExitCode.OK, 3),
    ],
    ids=lambda value: f"{value.do}-{value.code}-{len(value.nth)}" if isinstance(value, Rule) else "",
)
def test_a_resume_sends_nothing_before_the_log_was_read(
    tmp_path: Path, rule: Rule, code: ExitCode, submits: int
) -> None:
    def stop(runner: Runner, event: Event) -> None:
        if event.kind == "accepted":
            runner.drain()

    world = World(tmp_path / "out", rules=(rule,), observe=stop)
    world.run(batch_of(3))
    world.observe = None
    end = world.run(batch_of(3))
    assert (end.exit_code, world.submits) == (code, submits)


def test_lags_of_our_own_rows_are_measured(tmp_path: Path) -> None:
    world = World(
        tmp_path / "out",
        rules=(Rule("submit", "drop_before", nth=(2,)),),
        settings=RESUBMIT,
        options=SandboxOptions(log_lag_s=200.0),
    )
    world.run(batch_of(3))
    lags: list[Any] = [take.log_lag_s for take in world.takes()]
    assert [lag is None or 200 <= lag <= 1000 for lag in lags] == [True] * 3
    assert any(lag is not None for lag in lags)


# --- what the books may say of a lost submit


def after_loss(world: World, sql: str) -> None:
    """Change the provider's books once, when the answer of the second submit was lost."""

    def change(_runner: Runner, event: Event) -> None:
        if event.kind == "answer_lost" and not done:
            done.append(event)
            assert world.account is not None
            world.account._db.execute(sql)

    done: list[Event] = []
    world.observe = change


LOST = (Rule("submit", "drop_after", nth=(2,)),)


def test_a_lost_submit_that_failed_at_no_cost_is_sent_again(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=LOST)
    after_loss(world, "UPDATE requests SET failure = 'crashed' WHERE seq = 2")
    end = world.run(batch_of(3))
    kinds = [event.kind for event in world.events if event.take == "sh001_t1"]
    assert (end.exit_code, states(world), world.submits) == (ExitCode.OK, ["verified"] * 3, 4)
    assert kinds[kinds.index("found_failed") - 1 :][:3] == ["searched", "found_failed", "retry_planned"]
    first = next(event.at for event in world.events if event.kind == "searched")
    proven = next(event.at for event in world.events if event.kind == "found_failed")
    assert proven - first >= timedelta(hours=24)  # the log's lag, as long as it is not known
    assert charged_twice(world) == []


def test_a_lost_submit_that_failed_is_not_tried_more_often_than_allowed(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=LOST, settings=RunSettings(rates=Rates(max_attempts=1)))
    after_loss(world, "UPDATE requests SET failure = 'crashed' WHERE seq = 2")
    end = world.run(batch_of(3))
    assert (end.exit_code, states(world)[1], world.submits) == (ExitCode.TAKES_FAILED, "failed", 3)


def test_a_lost_submit_that_failed_and_is_charged_is_for_a_person(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=LOST)
    after_loss(world, "UPDATE requests SET failure = 'crashed', fault = 'fail_charged' WHERE seq = 2")
    end = world.run(batch_of(3))
    take = world.takes()[1]
    assert (end.exit_code, take.state, world.submits) == (ExitCode.DECISION_NEEDED, State.HELD, 3)
    assert "its ledger charges" in take.error


def test_two_generations_for_one_submit_are_named(tmp_path: Path) -> None:
    columns = "at, key, client_request_id, fault, body, body_sha256, http_status, model, credits, starts_at, ends_at"
    world = World(tmp_path / "out", rules=LOST)
    after_loss(
        world,
        f"INSERT INTO requests ({columns}, inference_id) SELECT {columns}, 'twin' FROM requests WHERE seq = 2",
    )
    end = world.run(batch_of(3))
    take = world.takes()[1]
    assert (end.exit_code, take.state) == (ExitCode.DECISION_NEEDED, State.VERIFIED)
    assert "DOUBLE" in take.warning
    with StateReader.open(world.output) as reader:
        made = {each.generation_id: each.credits_charged for each in reader.attempts_of(2)}
    assert made == {row["inference_id"]: PRICE for row in world.ledger() if row["client_request_id"] == take.request_id}
    assert (len(made), take.credits_charged, take.credits_at_risk) == (2, 2 * PRICE, 0)
    assert world.run(batch_of(3)).exit_code is ExitCode.OK  # it was told, and nothing is left to decide


def test_a_short_grace_of_the_user_hides_no_second_generation_that_the_log_shows_late(tmp_path: Path) -> None:
    columns = "at, key, client_request_id, fault, body, body_sha256, http_status, model, credits, starts_at"

    def make_twin(runner: Runner, event: Event) -> None:
        if event.kind == "verified":
            assert world.account is not None
            world.account._db.execute(
                f"INSERT INTO requests ({columns}, ends_at, inference_id)"
                f" SELECT {columns}, ends_at + {7 * HOURS}, 'twin' FROM requests WHERE seq = 1"
            )

    short = timedelta(minutes=2)
    world = World(tmp_path / "out", settings=RunSettings(limit=1, unknown_grace=short), observe=make_twin)
    world.run(batch_of(3))
    world.observe = None
    world.elapsed_s += 6 * HOURS
    world.run(batch_of(3))  # the row of the second generation is not in the log yet
    world.elapsed_s += 40 * HOURS
    world.settings = RunSettings()
    end = world.run(batch_of(3))
    assert (end.exit_code, "DOUBLE" in world.takes()[0].warning) == (ExitCode.DECISION_NEEDED, True)


@pytest.mark.parametrize("rule", [Rule("ledger", "status", code=503), Rule("ledger", "html")], ids=["503", "html"])
def test_without_the_ledger_nothing_is_presumed(tmp_path: Path, rule: Rule) -> None:
    world = World(
        tmp_path / "out",
        rules=(Rule("submit", "drop_before", nth=(2,)), rule),
        settings=RunSettings(on_unknown=OnUnknown.RESUBMIT, unknown_grace=timedelta(minutes=20)),
    )
    end = world.run(batch_of(3))
    assert (end.exit_code, states(world)[1], world.submits) == (ExitCode.DECISION_NEEDED, "held", 2)
    assert "could not read the provider's ledger" in world.takes()[1].error
    held = next(event.at for event in world.events if event.kind == "held")
    assert held - EPOCH >= timedelta(hours=1)  # three graces of 20 min


def test_a_take_given_up_that_was_made_after_all_is_told(tmp_path: Path) -> None:
    hold = RunSettings(on_unknown=OnUnknown.HOLD)
    world = World(tmp_path / "out", rules=LOST, settings=hold)
    world.run(batch_of(3))
    with StateReader.open(tmp_path / "out") as reader:
        identity = reader.identity()
    state = StateFile.create_or_open(tmp_path / "out", identity)
    state.record(2, entry(Fact.ABANDONED, EPOCH, {"error": "given up"}))
    state.close()
    world.elapsed_s += 5 * HOURS
    end = world.run(batch_of(4))
    take = world.takes()[1]
    assert (end.exit_code, take.state, "made after all" in take.warning) == (
        ExitCode.DECISION_NEEDED, State.FAILED, True,
    )  # fmt: skip
    assert (take.credits_charged, take.credits_at_risk, "DOUBLE" in take.warning) == (PRICE, 0, False)


# --- the log says what the state file cannot


def change_log(monkeypatch: pytest.MonkeyPatch, change: Callable[[LogScan, World], LogScan], world: World) -> None:
    """Change what a reading of the log brings."""
    real = AimlApi.scan_log

    async def scan_log(self: AimlApi, since: datetime) -> Any:
        found = await real(self, since)
        return change(found, world) if isinstance(found, LogScan) else found

    monkeypatch.setattr(AimlApi, "scan_log", scan_log)


def with_row(scan: LogScan, request_id: str, generation_id: str | None = "strange") -> LogScan:
    row = LogRow(request_id, generation_id, True, 7, EPOCH)
    return replace(scan, rows=(*scan.rows, row))


def stop_after(kind: str) -> Callable[[Runner, Event], None]:
    def stop(runner: Runner, event: Event) -> None:
        if (event.kind, event.take) == (kind, "sh000_t1"):
            runner.drain()
            runner.drain()

    return stop


def request_id(world: World, take_id: int, attempt: int) -> str:
    with StateReader.open(world.output) as reader:
        nonce = reader.identity().nonce
        return f"wb1:{nonce}:{reader.take(take_id).recipe.short_hash}:{take_id}.{attempt}"


def test_a_submit_that_began_while_the_log_was_read_is_no_stranger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "drop_before", nth=(2,)), Rule("logs", "delay", delay_s=45)))

    def show_all(scan: LogScan, world: World) -> LogScan:
        with StateReader.open(world.output) as reader:
            begun = [LogRow(each.request_id, None, False, 0, each.started_at) for each in reader.attempts()]
        return replace(scan, rows=tuple(row for row in begun if not row.request_id.endswith(":2.1")))

    change_log(monkeypatch, show_all, world)
    world.settings = RunSettings(rates=Rates(submit_per_min=2))
    world.observe = lambda runner, event: runner.drain() if "looked up" in event.text else None
    world.run(batch_of(6))
    assert states(world) == ["verified", "unknown", *["verified"] * 4]


def test_a_take_that_the_state_file_does_not_know_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path / "out", observe=stop_after("accepted"))
    world.run(batch_of(2))
    world.observe = None
    strange = request_id(world, 1, 1).replace(":1.1", ":77.1")
    change_log(monkeypatch, lambda scan, _: with_row(scan, strange), world)
    end = world.run(batch_of(2))
    assert end.exit_code is ExitCode.DECISION_NEEDED
    assert any(strange in message and "strange" in message for message in end.messages)


@pytest.mark.parametrize(("kind", "state"), [("accepted", State.HELD), ("verified", State.VERIFIED)])
def test_a_later_attempt_that_only_the_log_knows_is_never_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, state: State
) -> None:
    world = World(tmp_path / "out", observe=stop_after(kind))
    world.run(batch_of(2))
    world.observe = None
    later = request_id(world, 1, 2)
    change_log(monkeypatch, lambda scan, _: with_row(scan, later), world)
    world.run(batch_of(5))
    take = world.takes()[0]
    assert (take.state, later in take.error or later in take.warning or "strange" in take.error) == (state, True)
    with StateReader.open(world.output) as reader:
        numbers = [each.number for each in reader.attempts_of(1)]
    assert sorted(numbers) == ([1, 2] if state is State.HELD else [-1, 1])  # beside a clip that is there: a double
    world.run(batch_of(6))
    warnings = [event for event in world.events if event.kind == "warned"]
    # A take without a clip is offered both. Nobody said that the one which runs had failed.
    assert len(warnings) == (0 if state is State.HELD else 1)


def test_a_row_that_leads_to_another_takes_generation_is_for_a_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path / "out", rules=LOST)

    def steal(scan: LogScan, world: World) -> LogScan:
        first = world.takes()[0].generation_id
        return with_row(replace(scan, rows=()), request_id(world, 2, 1), first)

    change_log(monkeypatch, steal, world)
    end = world.run(batch_of(2))
    take = world.takes()[1]
    assert (end.exit_code, take.state, "sh000_t1" in take.error) == (ExitCode.DECISION_NEEDED, State.HELD, True)
    assert world.run(batch_of(2)).exit_code is ExitCode.DECISION_NEEDED  # a held one is not held twice


def test_a_success_that_names_no_generation_is_for_a_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path / "out", rules=LOST)
    change_log(monkeypatch, lambda scan, world: with_row(replace(scan, rows=()), request_id(world, 2, 1), None), world)
    end = world.run(batch_of(2))
    assert (end.exit_code, world.takes()[1].state) == (ExitCode.DECISION_NEEDED, State.HELD)


def test_what_left_no_trace_is_not_sent_more_often_than_allowed(tmp_path: Path) -> None:
    world = World(
        tmp_path / "out",
        rules=(Rule("submit", "drop_before", nth=(2, 4)),),
        settings=RunSettings(on_unknown=OnUnknown.RESUBMIT, rates=Rates(max_attempts=1)),
    )
    end = world.run(batch_of(3))
    take = world.takes()[1]
    assert (end.exit_code, take.state, "used up" in take.error) == (ExitCode.DECISION_NEEDED, State.HELD, True)


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


def test_a_state_file_restored_from_before_a_line_came_back_buys_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, sent = AimlApi._submit, [0]

    async def submit(self: AimlApi, *arguments: Any) -> Any:
        sent[0] += 1
        return NotSent("no route") if sent[0] == 1 else await real(self, *arguments)

    monkeypatch.setattr(AimlApi, "_submit", submit)
    world = World(tmp_path / "out")
    copy = backing_up(world, "not_sent")
    assert world.run(batch_of(1)).exit_code is ExitCode.OK
    restore(world, copy)
    end = world.run(batch_of(1))
    assert (end.exit_code, states(world), world.submits) == (ExitCode.DECISION_NEEDED, ["held"], 1)


def test_a_cost_that_was_unknown_is_known_once_the_submit_is_found(tmp_path: Path) -> None:
    capped = RunSettings(on_unknown=OnUnknown.HOLD, cap_credits=3 * PRICE)
    world = World(tmp_path / "out", rules=(Rule("submit", "drop_after", nth=(1,)),), settings=capped)
    world.run(batch_of(1))
    with StateReader.open(tmp_path / "out") as reader:
        identity = reader.identity()
    state = StateFile.create_or_open(tmp_path / "out", identity)
    take = state.record(1, entry(Fact.RESUBMIT_ALLOWED, EPOCH, {"error": ""}))
    assert (take.credits_at_risk, take.credits_committed) == (None, None)
    state.close()
    world.elapsed_s += HOURS
    assert world.run(batch_of(1)).exit_code is ExitCode.OK
    take = world.takes()[0]
    assert (take.credits_at_risk, take.credits_charged, take.state) == (0, PRICE, State.VERIFIED)
    assert world.submits == 1  # it was found before it was sent again


def test_an_edited_take_does_not_get_the_clip_of_its_old_prompt(tmp_path: Path) -> None:
    hold = RunSettings(on_unknown=OnUnknown.HOLD)
    world = World(tmp_path / "out", rules=LOST, settings=hold)
    world.run(batch_of(2))
    with StateReader.open(tmp_path / "out") as reader:
        identity = reader.identity()
    state = StateFile.create_or_open(tmp_path / "out", identity)
    state.record(2, entry(Fact.RESUBMIT_ALLOWED, EPOCH, {"error": ""}))
    state.close()
    world.elapsed_s += HOURS
    world.run(with_prompt(batch_of(2), "sh001", "another prompt"))
    take = world.takes()[1]
    body = next(row["body"] for row in world.ledger() if row["inference_id"] == take.generation_id)
    assert (world.submits, "another prompt" in body, "DOUBLE" in take.warning) == (3, True, True)


def test_a_restored_state_file_whose_take_runs_sends_nothing_before_the_log_was_read(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "fail", nth=(2,), message="Internal"),))
    copy = backing_up(world, "generation_failed")
    assert world.run(batch_of(2)).exit_code is ExitCode.OK
    bought = world.submits
    world.elapsed_s += 48 * HOURS
    restore(world, copy)
    world.run(batch_of(2))
    assert (world.submits, charged_twice(world)) == (bought, [])


@pytest.mark.parametrize("code", [403, 404])
def test_a_log_that_never_can_be_read_leaves_lost_answers_to_a_person(tmp_path: Path, code: int) -> None:
    rules = (*LOST, Rule("logs", "status", code=code, message="no"))
    world = World(tmp_path / "out", rules=rules)
    end = world.run(batch_of(3))
    assert (end.exit_code, states(world)) == (ExitCode.DECISION_NEEDED, ["verified", "held", "verified"])
    assert "could not read" in world.takes()[1].error


# --- reading the log


def rows_of(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [
        {
            "created": f"2026-11-01T{20 - number // 60:02}:{59 - number % 60:02}:00.000Z", "status": "succeeded", "model": "m",
            "cost": {"usd": 0.1, "credits": 7}, "inference_id": f"g{number}",
            "client_request_id": f"wb1:n:r:{number}.1" if number % 2 else None,
        }
        for number in range(start, start + count)
    ]  # fmt: skip


DATE = "Sun, 01 Nov 2026 23:00:00 GMT"


def scan(pages: Callable[[int, int], Any], now: datetime = EPOCH) -> tuple[Any, list[httpx.Request]]:
    """Read a log whose page at an offset, in a reading of that number, is what `pages` makes of them."""
    requests: list[httpx.Request] = []
    readings = [0]

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v2/billing":  # asked for the time alone
            return httpx.Response(200, stream=httpx.ByteStream(b"{}"), headers={"date": DATE})
        requests.append(request)
        offset = int(request.url.params["offset"])
        readings[0] += offset == 0
        told = pages(readings[0], offset)
        if isinstance(told, httpx.Response):
            return httpx.Response(told.status_code, stream=httpx.ByteStream(told.content))
        rows, total = told
        body = {"data": rows, "pagination": {"limit": 100, "offset": offset, "total": total, "has_more": False}}
        stream = httpx.ByteStream(json.dumps(body).encode())
        return httpx.Response(200, stream=stream, headers={"date": DATE})

    async def work() -> Any:
        api = AimlApi(
            Endpoint(API, is_loopback=True), Secret("k"), LoopClock(now), Random(1), httpx.MockTransport(answer)
        )
        try:
            return await api.scan_log(now - timedelta(days=200))
        finally:
            await api.aclose()

    return jump(work), requests


def test_a_log_is_read_page_by_page_in_a_window_that_ends_in_the_past() -> None:
    found, requests = scan(lambda _, offset: (rows_of(min(100, 250 - offset), offset), 250))
    assert isinstance(found, LogScan)
    assert (len(found.rows), len(found.other_ids)) == (125, 125)
    assert [request.url.params["offset"] for request in requests] == ["0", "100", "200"]
    begin, end = (datetime.fromisoformat(requests[0].url.params[name]) for name in ("start", "end"))
    told = datetime(2026, 11, 1, 23, tzinfo=UTC) + timedelta(seconds=0.5)  # a date leaves out what is left of a second
    assert end == told - timedelta(seconds=2)  # by the provider's clock, not by ours
    assert timedelta(days=91) <= end - begin <= timedelta(days=92)
    assert (found.taken_at, found.ahead) == (told, timedelta(hours=3, seconds=0.5))


@pytest.mark.parametrize(
    "pages",
    [
        lambda reading, offset: (rows_of(min(100, 150 - offset), offset), 150 + (offset > 0) * (reading == 1)),
        lambda reading, offset: (rows_of(100, 0 if reading == 1 else offset)[: 150 - offset], 150),
        lambda reading, offset: (rows_of(3), 3) if reading == 2 else (rows_of(2), 3),
        lambda reading, offset: (rows_of(3), 3) if reading == 2 else (rows_of(2) + rows_of(1), 3),
        lambda reading, offset: (rows_of(60, offset and 59), 120) if reading == 1 else (rows_of(60, offset), 120),
    ],
    ids=["total moves", "a page twice", "too few", "a row twice, apart", "a row that moved to the next page"],
)
def test_a_log_that_moves_is_read_again(pages: Callable[[int, int], Any]) -> None:
    found, requests = scan(pages)
    assert isinstance(found, LogScan)
    assert sum(request.url.params["offset"] == "0" for request in requests) == 2


@pytest.mark.parametrize(
    ("pages", "trouble"),
    [
        (lambda reading, _: (rows_of(reading), 9), Trouble.TRANSIENT),
        (lambda *_: (rows_of(2), -1), Trouble.TRANSIENT),
        (lambda *_: (rows_of(2), True), Trouble.TRANSIENT),
        (lambda *_: ("rows", 1), Trouble.TRANSIENT),
        (lambda _, offset: (rows_of(60), 120), Trouble.TRANSIENT),
        (lambda *_: ([{**rows_of(2)[1], "created": "yesterday"}], 1), Trouble.TRANSIENT),
        (lambda *_: httpx.Response(200, text="<html>"), Trouble.TRANSIENT),
        (lambda *_: httpx.Response(503), Trouble.TRANSIENT),
        (lambda *_: httpx.Response(403, json={"message": "no", "statusCode": 403}), Trouble.KEY),
        (lambda *_: httpx.Response(400, json={"message": "no", "statusCode": 400}), Trouble.INVALID),
    ],
    ids=[
        "never adds up",
        "negative",
        "boolean",
        "no rows",
        "the same page for ever",
        "time",
        "html",
        "503",
        "403",
        "400",
    ],
)
def test_half_a_log_is_no_log(pages: Callable[[int, int], Any], trouble: Trouble) -> None:
    found, requests = scan(pages)
    assert isinstance(found, NoAnswer)
    assert (found.trouble, len(requests) <= 30) == (trouble, True)


def test_the_logs_own_limit_is_kept() -> None:
    times: list[float] = []

    def pages(_: int, offset: int) -> Any:
        times.append(asyncio.get_running_loop().time())
        return rows_of(1, offset), 300

    found, _ = scan(pages)
    assert isinstance(found, LogScan)
    busiest = max(sum(begin <= each < begin + 60 for each in times) for begin in times)
    assert (len(times), 150 <= busiest <= 180) == (300, True)
