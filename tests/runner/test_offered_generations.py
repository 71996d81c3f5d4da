"""Generations that are offered, in whole worlds: each is counted, named with its cost, and can be had or left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.runner.shared import HOURS, PRICE, beside_runs, decide, generation, outcomes, restore, saved, states, told
from tests.worlds import EPOCH, World, batch_of
from wanbatch.batch.attempts import Attempt, Outcome
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.shots import Batch, Recipe
from wanbatch.errors import ExitCode
from wanbatch.money.credits import usd_text
from wanbatch.provider.protocol import LogRow, LogScan
from wanbatch.runner.context import RunContext
from wanbatch.runner.doubles import Doubles
from wanbatch.runner.events import Event
from wanbatch.runner.loop import Runner
from wanbatch.runner.settings import RunSettings
from wanbatch.runner.unrecorded_submits import UnrecordedSubmits
from wanbatch.session.decisions import Decision, take_up
from wanbatch.state.progress_reader import read_overview
from wanbatch.state.reader import StateReader
from wanbatch.state.tables import Stray

pytestmark = pytest.mark.usefixtures("quick_clips")


def without_it() -> Batch:
    """A batch that asks for another shot in place of the second one."""
    whole = batch_of(3)
    return replace(whole, shots=(whole.shots[0], whole.shots[2]))


def beside(world: World, attempt: str, name: str) -> None:
    """The provider has made another generation for a submit."""
    assert world.account is not None
    columns = "at, key, client_request_id, fault, body, body_sha256, http_status, model, credits, starts_at, ends_at"
    world.account._db.execute(
        f"INSERT INTO requests ({columns}, inference_id) SELECT {columns}, ? FROM requests WHERE inference_id = ?",
        (name, generation(world, attempt)),
    )


def restored(tmp_path: Path, *more: str, batch: Batch | None = None) -> World:
    """A take that was bought, and then its state file was put back to before that; `more` was made for its submit."""
    world = World(tmp_path / "out", settings=RunSettings(limit=1))
    world.run(batch_of(2))
    copy = saved(world)
    world.settings = RunSettings()
    world.run(batch_of(2))
    for each in more:
        beside(world, "2.1", each)
    restore(world, copy)
    world.run(batch or batch_of(2))
    return world


def charges(world: World) -> int:
    return sum(row["charged"] for row in world.ledger())


@pytest.mark.parametrize("is_edited", [False, True], ids=["same manifest", "edited"])
def test_a_second_generation_of_an_offered_submit_is_counted_and_named(tmp_path: Path, is_edited: bool) -> None:
    batch = without_it() if is_edited else batch_of(2)
    world = restored(tmp_path, "second", "third", batch=batch)
    first = generation(world, "2.1")
    overview, take = read_overview(world.output), world.takes()[1]
    assert overview.progress.credits_committed == PRICE * len(world.ledger())
    assert take.warning.count("DOUBLE") == 2
    problem = next(each for each in overview.problems if each.take == take.label)
    assert all(f"{each} ({usd_text(PRICE)})" in problem.error for each in (first, "second", "third"))
    for _ in range(2):
        assert world.run(batch).exit_code is ExitCode.DECISION_NEEDED
        assert len(outcomes(world, 2)) == 3  # each is found once
    assert told(world).doubles == (take.label,)


@pytest.mark.parametrize("is_edited", [False, True], ids=["same manifest", "edited"])
@pytest.mark.parametrize("choice", ["first", "second"])
def test_each_generation_that_is_offered_can_be_had(tmp_path: Path, choice: str, is_edited: bool) -> None:
    batch = without_it() if is_edited else batch_of(2)
    world = restored(tmp_path, "second", batch=batch)
    first = generation(world, "2.1")
    chosen = {"first": first, "second": "second"}[choice]
    assert decide(world, world.takes()[1].label, Decision.ADOPT, chosen).state is State.QUEUED
    world.run(batch)
    world.elapsed_s += HOURS
    assert world.run(batch).exit_code is ExitCode.OK  # each was named
    take = world.takes()[1]
    assert (take.state, take.generation_id, "DOUBLE" in take.warning) == (State.VERIFIED, chosen, True)
    told(world)
    assert (world.takes()[1].credits_charged, read_overview(world.output).progress.credits_committed) == (
        2 * PRICE,
        charges(world),
    )


def test_what_is_left_stays_counted_and_is_named(tmp_path: Path) -> None:
    world = restored(tmp_path, "second")
    label = world.takes()[1].label
    assert decide(world, label, Decision.ABANDON).state is State.FAILED
    world.run(batch_of(2))
    told(world)
    take = world.takes()[1]
    assert (take.credits_charged, read_overview(world.output).progress.credits_committed) == (2 * PRICE, 3 * PRICE)
    assert all(each in take.warning for each in (generation(world, "2.1"), "second"))
    assert told(world).doubles == (label,)


def test_a_generation_that_shows_up_later_joins_the_offer(tmp_path: Path) -> None:
    world = restored(tmp_path)
    first, before = generation(world, "2.1"), world.takes()[1]
    beside(world, "2.1", "second")
    end = world.run(batch_of(2))
    take = world.takes()[1]
    assert (end.exit_code, take.state, take.tries) == (ExitCode.DECISION_NEEDED, State.HELD, before.tries)
    assert (f"--adopt {first}" in take.error, "second" in take.error) == (True, True)
    assert any("DOUBLE" in message and "second" in message for message in end.messages)


def seen(work: Callable[[RunContext, UnrecordedSubmits], None]) -> Callable[[RunContext], Any]:
    async def look(context: RunContext) -> None:
        take_up(context)
        work(context, UnrecordedSubmits(context))

    return look


def scan_of(*rows: LogRow) -> LogScan:
    return LogScan(EPOCH, EPOCH, EPOCH, rows, frozenset())


def planned(tmp_path: Path, count: int = 2) -> tuple[World, str, list[Recipe]]:
    """A world whose first take is bought and whose others are not; the beginning of its request ids, and the recipes."""
    world = World(tmp_path / "out", settings=RunSettings(limit=1))
    world.run(batch_of(count))
    with StateReader.open(world.output) as reader:
        return world, f"wb1:{reader.identity().nonce}", [take.recipe for take in reader.takes()]


def test_a_stray_with_two_generations_is_offered_whole_to_one_take(tmp_path: Path) -> None:
    world, prefix, recipes = planned(tmp_path)
    lost = f"{prefix}:{recipes[1].short_hash}:77.1"
    rows = [LogRow(lost, each, True, 7, EPOCH) for each in ("G2", "G3")]
    beside_runs(world, seen(lambda _, unrecorded: unrecorded.note_scan(scan_of(*rows))))
    take = world.takes()[1]
    assert (take.state, take.credits_held, take.credits_at_risk) == (State.HELD, 7, 7)
    assert ("G2" in take.error, "G3" in take.error) == (True, True)
    with StateReader.open(world.output) as reader:
        assert (reader.strays(), reader.owner_of("G3")) == ([], 2)


def test_both_generations_of_a_stray_that_was_kept_go_to_the_shot_that_is_put_back(tmp_path: Path) -> None:
    world, prefix, recipes = planned(tmp_path)
    lost = f"{prefix}:{recipes[1].short_hash}:77.1"

    def work(context: RunContext, unrecorded: UnrecordedSubmits) -> None:
        for name, generation_id in ((lost, "G2"), (f"{lost}#1", "G3")):
            context.state.note_stray(Stray(name, generation_id, 7, EPOCH, "the provider's log"))
        unrecorded.offer_strays()

    beside_runs(world, seen(work))
    take = world.takes()[1]
    assert (take.state, take.credits_at_risk, "G2" in take.error, "G3" in take.error) == (State.HELD, 7, True, True)
    with StateReader.open(world.output) as reader:
        assert reader.strays() == []


def test_a_submit_of_a_take_that_holds_another_ones_number_gets_the_next(tmp_path: Path) -> None:
    world, prefix, recipes = planned(tmp_path)
    recipe = recipes[1].short_hash
    rows = [
        LogRow(f"{prefix}:{recipe}:77.1", "G2", True, 7, EPOCH),
        LogRow(f"{prefix}:{recipe}:2.1", "G3", True, 7, EPOCH),
    ]
    beside_runs(world, seen(lambda _, unrecorded: unrecorded.note_scan(scan_of(*rows))))
    take = world.takes()[1]
    assert (take.attempt, take.credits_held, take.credits_at_risk) == (2, 7, 7)
    assert ("G2" in take.error, "G3" in take.error) == (True, True)
    with StateReader.open(world.output) as reader:
        assert [each.request_id for each in reader.attempts_of(2)] == [row.request_id for row in rows]


def test_a_submit_that_run_log_names_is_offered_what_the_log_shows_of_it(tmp_path: Path) -> None:
    world, prefix, recipes = planned(tmp_path)
    sent = f"{prefix}:{recipes[1].short_hash}:2.1"

    def work(context: RunContext, unrecorded: UnrecordedSubmits) -> None:
        context.settings = replace(context.settings, logged=(LogRow(sent, None, False, None, EPOCH),))
        unrecorded.note_logged()
        rows = [LogRow(sent, each, True, 7, EPOCH) for each in ("G2", "G3")]
        for _ in range(2):
            take = context.takes[2]
            unrecorded.offer(take, context.state.attempts_of(2)[-1], scan_of(*rows))

    beside_runs(world, seen(work))
    take = world.takes()[1]
    assert (take.tries, take.credits_held, take.credits_at_risk) == (1, 7, 7)
    assert ("--adopt G2" in take.error, "G3 (" in take.error, take.warning.count("DOUBLE")) == (True, True, 1)


# --- beside a generation that runs


def test_a_generation_that_runs_is_offered_beside_the_one_that_came_to_light(tmp_path: Path) -> None:
    world = World(tmp_path / "out")

    def stop(runner: Runner, event: Event) -> None:
        if event.kind == "accepted":
            runner.terminate(0)

    world.observe = stop
    world.run(batch_of(1))
    world.observe = None
    own, take = generation(world, "1.1"), world.takes()[0]
    other = str(take.request_id).replace(":1.1", ":1.2")
    rows = [LogRow(other, "G2", True, PRICE, EPOCH)]
    beside_runs(world, seen(lambda _, unrecorded: unrecorded.note_scan(scan_of(*rows))))
    take = world.takes()[0]
    assert (own in take.error, "--adopt G2" in take.error) == (True, True)
    assert outcomes(world, 1) == {1: Outcome.ABANDONED, 2: Outcome.LOST}
    assert (
        read_overview(world.output).progress.credits_committed == 2 * PRICE
    )  # nobody said that the one which runs had failed
    assert decide(world, take.label, Decision.ADOPT, own).generation_id == own
    world.run(batch_of(1))
    assert "failed" not in world.takes()[0].warning


def test_the_run_after_an_adoption_names_what_was_left_by_itself(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.observe = lambda runner, event: runner.terminate(0) if event.kind == "accepted" else None
    world.run(batch_of(1))
    world.observe = None
    own, other = generation(world, "1.1"), str(world.takes()[0].request_id).replace(":1.1", ":1.2")
    assert world.account is not None
    columns = "at, key, fault, body, body_sha256, http_status, model, credits, starts_at, ends_at"
    world.account._db.execute(
        f"INSERT INTO requests ({columns}, client_request_id, inference_id) SELECT {columns}, ?, 'G2' FROM requests",
        (other,),
    )
    rows = [LogRow(other, "G2", True, PRICE, EPOCH)]
    beside_runs(world, seen(lambda _, unrecorded: unrecorded.note_scan(scan_of(*rows))))
    decide(world, world.takes()[0].label, Decision.ADOPT, "G2")
    end = world.run(batch_of(1))
    take = world.takes()[0]
    assert (end.exit_code, states(world), take.generation_id) == (ExitCode.DECISION_NEEDED, ["verified"], "G2")
    assert any(own in message and "DOUBLE" in message for message in end.messages)
    assert ("failed" in take.warning, take.credits_charged) == (False, 2 * PRICE)
    assert world.run(batch_of(1)).exit_code is ExitCode.OK  # it is named once


# --- files of the version before


def test_a_generation_that_an_older_version_called_failed_is_named_and_said_to_be_left(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(1))
    older = Attempt(1, 2, "older", "b", "k", EPOCH, Outcome.FAILED, generation_id="G9", credits_held=7)

    async def work(context: RunContext) -> tuple[str, list[str]]:
        take_up(context)
        with context.state._transaction():
            context.state._store("attempts", older)
        Doubles(context).name_doubles()
        return context.takes[1].warning, [text for _, text in context.troubles]

    warning, troubles = beside_runs(world, work)
    assert ("DOUBLE" in warning, "G9" in warning, "failed" in warning, len(troubles)) == (True, True, False, 1)


def test_an_offer_of_the_version_before_is_joined_and_not_overwritten(tmp_path: Path) -> None:
    world, prefix, recipes = planned(tmp_path)
    sent = f"{prefix}:{recipes[1].short_hash}:2.1"

    def older(context: RunContext, _: UnrecordedSubmits) -> None:
        text = f"this state file is out of date: it shows G2. `wanbatch resolve {context.takes[2].label} --adopt G2`"
        told = {"attempt": 1, "request_id": sent, "is_another": True, "is_try": True, "key_fingerprint": "k"}
        told |= {"at": EPOCH.isoformat(), "credits_held": 7, "credits_at_risk": 0, "error": text}
        context.record(2, Fact.FOUND_UNRECORDED, told)

    beside_runs(world, seen(older))
    rows = [LogRow(sent, each, True, 7, EPOCH) for each in ("G2", "G3")]
    beside_runs(
        world,
        seen(
            lambda context, unrecorded: unrecorded.offer(
                context.takes[2], context.state.attempts_of(2)[-1], scan_of(*rows)
            )
        ),
    )
    take = world.takes()[1]
    assert (take.credits_held, take.credits_at_risk, "G2" in take.error, "G3" in take.error) == (7, 7, True, True)
