"""A state file that is lost, damaged or behind is made anew, and nothing that it knew of is bought again."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, cast

import pytest

from tests.worlds import API, EPOCH, Killed, World, batch_of, jump, with_prompt
from wanbatch.batch.lifecycle import Fact
from wanbatch.batch.shots import Batch
from wanbatch.batch.take import Take
from wanbatch.clock import Clock, LoopClock
from wanbatch.errors import ExitCode, OutputLocked, StateInvalid, UsageInvalid
from wanbatch.pace.schedule import Rates
from wanbatch.provider.aimlapi import AimlApi
from wanbatch.provider.endpoint import Endpoint
from wanbatch.provider.protocol import Provider, Secret
from wanbatch.reporting.sidecar import write_sidecar
from wanbatch.runner.events import Event
from wanbatch.runner.log import LOG_NAME, RunLog
from wanbatch.runner.loop import Runner
from wanbatch.runner.settings import RunSettings
from wanbatch.sandbox.faults import Rule
from wanbatch.session.access import Access
from wanbatch.session.recovery import Recovery, assert_not_behind, log_awaited_until, recover
from wanbatch.session.traces import read_event, read_sidecar
from wanbatch.state.file import StateFile
from wanbatch.state.lock import OutputLock
from wanbatch.state.reader import STATE_NAME, StateReader
from wanbatch.state.tables import Identity

pytestmark = pytest.mark.usefixtures("quick_clips")
PRICE = 378_000


class Line:
    """Access to a world's provider, as a session has it."""

    address = "sandbox"
    is_sandbox = is_embedded = True

    def __init__(self, world: World) -> None:
        self._world = world

    def key(self) -> Secret:
        return Secret("made-up")

    def at(self, identity: Identity) -> Line:
        assert identity.base_url == "sandbox"
        return self

    @asynccontextmanager
    async def provider(self, _: Path, __: datetime) -> AsyncIterator[tuple[Provider, Clock]]:
        clock = LoopClock(datetime.fromtimestamp(EPOCH.timestamp() + self._world.elapsed_s, UTC))
        assert self._world.hosts is not None
        api = AimlApi(Endpoint(API, is_loopback=True), Secret("made-up"), clock, Random(1), self._world.hosts)
        try:
            yield api, clock
        finally:
            await api.aclose()


def world_in(output: Path, rules: tuple[Rule, ...] = (), **settings: Any) -> World:
    """A world that keeps run.log and sidecars, as a session does."""

    def keep(take: Take) -> None:
        with StateReader.open(output) as reader:
            write_sidecar(output, take, reader.shot(take.shot_id), reader.attempts_of(take.take_id))

    world = World(output, rules=rules, settings=RunSettings(after_verified=keep, **settings))

    def log(_: Runner, event: Event) -> None:
        with RunLog(output / LOG_NAME, Secret("made-up")) as stream:
            stream.write(event)

    world.observe = log
    return world


def recovered(world: World, batch: Batch, confirm: Callable[[Recovery], bool] = lambda _: True) -> Recovery | None:
    world.elapsed_s += 600
    return jump(lambda: recover(cast(Access, Line(world)), batch, world.output, confirm))


def states(world: World) -> list[str]:
    return [take.shown_state for take in world.takes()]


def charged_twice(world: World) -> list[str]:
    """Takes with two charged submits, told from their request ids, by the provider's own books."""
    names = [row["client_request_id"].split(":")[3].split(".")[0] for row in world.ledger() if row["charged"]]
    return [name for name in set(names) if names.count(name) > 1]


def lose(output: Path, *names: str) -> None:
    for name in names:
        for path in output.glob(name):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def recovered_from(world: World, batch: Batch, old: Path, copy: Callable[[Runner, Event], None]) -> None:
    """Run a batch while `copy` looks on, put the old copy in the place of the state file, and recover."""
    log = world.observe
    assert log is not None

    def both(runner: Runner, event: Event) -> None:
        log(runner, event)
        if not old.exists():
            copy(runner, event)

    world.observe = both
    world.run(batch)
    lose(world.output, "state.sqlite*")
    shutil.copy(old, world.output / STATE_NAME)
    world.observe = log
    assert recovered(world, batch) is not None


# --- a finished batch


@pytest.mark.parametrize(
    ("lost", "verified", "missing"),
    [
        (("state.sqlite*",), 4, 0),
        (("state.sqlite*", "run.log"), 4, 0),
        (("state.sqlite*", "clips/*.json"), 0, 4),
        (("state.sqlite*", "clips"), 0, 4),
        (("state.sqlite*", "clips/sh001*"), 3, 1),
    ],
)
def test_a_finished_batch_stays_finished(tmp_path: Path, lost: tuple[str, ...], verified: int, missing: int) -> None:
    world = world_in(tmp_path / "out")
    world.run(batch_of(4))
    lose(tmp_path / "out", *lost)
    found = recovered(world, batch_of(4))
    assert found is not None
    assert (len(found.verified), len(found.missing), found.to_send, found.strays) == (verified, missing, 0, ())
    end = world.run(batch_of(4))
    assert (end.exit_code, states(world), world.submits) == (ExitCode.OK, ["verified"] * 4, 4)
    assert sum(take.credits_charged or 0 for take in world.takes()) == 4 * PRICE


def test_what_only_the_providers_log_knows_is_fetched_not_bought(tmp_path: Path) -> None:
    world = world_in(tmp_path / "out")
    world.run(batch_of(4))
    lose(tmp_path / "out", "state.sqlite*", "run.log", "clips/sh001*", "clips/sh002*", "clips/sh003*")
    found = recovered(world, batch_of(4))
    assert found is not None
    assert ([label for label, _ in found.fetched], found.to_send) == (["sh001_t1", "sh002_t1", "sh003_t1"], 0)
    end = world.run(batch_of(4))
    assert (end.exit_code, states(world), world.submits) == (ExitCode.OK, ["verified"] * 4, 4)


def test_without_run_log_nothing_is_sent_before_the_providers_log_is_sure_to_be_whole(tmp_path: Path) -> None:
    world = world_in(tmp_path / "out")
    world.run(batch_of(2))
    lose(tmp_path / "out", "state.sqlite*")
    recovered(world, batch_of(2))
    with StateReader.open(tmp_path / "out") as reader:
        assert log_awaited_until(reader) is None
    lose(tmp_path / "out", "state.sqlite*", "run.log")
    found = recovered(world, batch_of(2))
    assert found is not None
    assert found.is_witnessed is False
    with StateReader.open(tmp_path / "out") as reader:
        assert log_awaited_until(reader) is not None


def test_a_whole_state_file_is_left_alone(tmp_path: Path) -> None:
    world = world_in(tmp_path / "out")
    world.run(batch_of(2))
    before = (tmp_path / "out" / STATE_NAME).read_bytes()
    found = recovered(world, batch_of(2))
    assert found is not None
    assert (found.is_needed, (tmp_path / "out" / STATE_NAME).read_bytes() == before) == (False, True)


def test_a_damaged_file_is_kept_aside(tmp_path: Path) -> None:
    world = world_in(tmp_path / "out")
    world.run(batch_of(3))
    path = tmp_path / "out" / STATE_NAME
    damaged = bytearray(path.read_bytes())
    damaged[8192:16384] = b"x" * 8192
    path.write_bytes(damaged)
    with pytest.raises(StateInvalid, match="wanbatch recover MANIFEST"):
        world.run(batch_of(3))
    assert recovered(world, batch_of(3)) is not None
    kept = tmp_path / "out" / f"{STATE_NAME}.damaged-1"
    assert (kept.read_bytes() == bytes(damaged), states(world), world.submits) == (True, ["verified"] * 3, 3)


def test_nothing_is_written_without_a_word(tmp_path: Path) -> None:
    world = world_in(tmp_path / "out")
    world.run(batch_of(2))
    lose(tmp_path / "out", "state.sqlite*")
    before = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert recovered(world, batch_of(2), lambda _: False) is None
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == before


def test_while_a_run_holds_the_folder_nothing_is_recovered(tmp_path: Path) -> None:
    world = world_in(tmp_path / "out")
    world.run(batch_of(1))
    lock = OutputLock(tmp_path / "out")
    lock.acquire()
    with pytest.raises(OutputLocked):
        recovered(world, batch_of(1))
    lock.release()


@pytest.mark.parametrize("has_folder", [True, False])
def test_where_nothing_tells_of_a_run_it_says_so(tmp_path: Path, has_folder: bool) -> None:
    if has_folder:
        (tmp_path / "out").mkdir()
    with pytest.raises(UsageInvalid):
        recovered(world_in(tmp_path / "out"), batch_of(1))


# --- a run that was killed


RULES = (
    Rule("submit", "drop_after", nth=(2,)),
    Rule("submit", "fail", nth=(3,)),
    Rule("submit", "status", nth=(4,), code=429, message="Too many requests"),
)


@pytest.mark.sampled(5)
@pytest.mark.parametrize("kill_at", range(2, 40, 3))
@pytest.mark.parametrize("lost", [("state.sqlite*",), ("state.sqlite*", "clips/*.json")], ids=["state", "and sidecars"])
def test_a_killed_run_whose_state_is_lost_buys_nothing_twice(
    tmp_path: Path, kill_at: int, lost: tuple[str, ...]
) -> None:
    world = world_in(tmp_path / "out", RULES)
    with suppress(Killed):
        world.run(batch_of(4), kill_at)
    lose(tmp_path / "out", *lost)
    recovered(world, batch_of(4))
    world.run(batch_of(4))
    world.elapsed_s += 3600
    world.run(batch_of(4))
    found = states(world)
    # Killed between a failure and the plan to try again, a take stays failed, with or without its state file.
    assert (charged_twice(world), set(found) <= {"verified", "failed"}, found.count("failed") <= 1) == ([], True, True)
    assert sum(bool(row["charged"]) for row in world.ledger()) == found.count("verified")


@pytest.mark.sampled(3)
@pytest.mark.parametrize("event", ["submit_started", "accepted", "failure_seen", "completed", "downloaded", "verified"])
def test_a_run_whose_write_ahead_log_was_deleted_is_brought_up_to_date(tmp_path: Path, event: str) -> None:
    world = world_in(tmp_path / "out", (Rule("submit", "fail", nth=(1,)),))
    old = tmp_path / "old.sqlite"

    def copy(_: Runner, told: Event) -> None:
        if told.kind == event:
            shutil.copy(world.output / STATE_NAME, old)  # without the log beside it, which holds the newest part

    recovered_from(world, batch_of(3), old, copy)
    end = world.run(batch_of(3))
    assert (charged_twice(world), states(world), end.exit_code) == ([], ["verified"] * 3, ExitCode.OK)
    assert world.submits == 4


def test_a_state_file_that_is_older_than_its_clips_sends_nothing(tmp_path: Path) -> None:
    world = world_in(tmp_path / "out")
    world.run(batch_of(2))
    shutil.copy(tmp_path / "out" / STATE_NAME, tmp_path / "old.sqlite")
    world.run(batch_of(3))
    lose(tmp_path / "out", "state.sqlite*", "run.log")
    shutil.copy(tmp_path / "old.sqlite", tmp_path / "out" / STATE_NAME)
    with StateReader.open(tmp_path / "out") as reader:
        due = [replace_label(each) for each in ("sh002", "sh009")]
        with pytest.raises(StateInvalid, match="does not know the submit of sh002_t1"):
            assert_not_behind(reader, due)
        assert_not_behind(reader, due[1:])
    assert recovered(world, batch_of(3)) is not None
    end = world.run(batch_of(3))
    assert (end.exit_code, states(world), world.submits) == (ExitCode.OK, ["verified"] * 3, 3)


def replace_label(shot_id: str) -> Any:
    from wanbatch.batch.models import PriceClass
    from wanbatch.batch.plan import Due

    return Due(0, shot_id, 1, 0, "", PriceClass("m", None, None))


def test_a_submit_whose_recipe_nothing_tells_any_more_is_a_stray_by_name(tmp_path: Path) -> None:
    world = world_in(tmp_path / "out")
    world.run(batch_of(2))
    lose(tmp_path / "out", "state.sqlite*", "clips")
    edited = with_prompt(batch_of(2), "sh001", "another prompt")
    found = recovered(world, edited)
    assert found is not None
    bought = [row for row in world.ledger() if ":2.1" in row["client_request_id"]]
    assert [each.generation_id for each in found.strays] == [bought[0]["inference_id"]]
    assert found.to_send == 1
    world.run(edited)
    with StateReader.open(tmp_path / "out") as reader:
        assert [each.generation_id for each in reader.strays()] == [bought[0]["inference_id"]]


def test_a_retry_that_the_user_asked_for_is_followed(tmp_path: Path) -> None:
    world = world_in(tmp_path / "out", (Rule("submit", "fail", nth=(1, 2)),), rates=Rates(max_attempts=1))
    world.run(batch_of(1))
    take = world.takes()[0]
    with_retry = replace(take)
    assert with_retry.attempts == 1
    from wanbatch.state.reader import entry

    with StateReader.open(world.output) as reader:
        identity, last = reader.identity(), reader.last_fact_at()
    assert last is not None
    with StateFile.create_or_open(world.output, identity) as state:
        state.record(take.take_id, entry(Fact.RETRY_PLANNED, last, {"by": "user"}))
    world.run(batch_of(1))
    lose(tmp_path / "out", "state.sqlite*")
    recovered(world, batch_of(1))
    assert [(take.shown_state, take.attempts) for take in world.takes()] == [("failed", 2)]


# --- copies made with hard links


def test_a_copy_of_hard_links_changes_nothing_of_the_original(tmp_path: Path) -> None:
    world = world_in(tmp_path / "out")
    world.run(batch_of(2))
    for folder, _, names in os.walk(tmp_path / "out"):
        to = tmp_path / "copy" / Path(folder).relative_to(tmp_path / "out")
        to.mkdir()
        for name in names:
            os.link(Path(folder) / name, to / name)
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file() and not path.name.startswith(".lock")]
    before = {path: path.read_bytes() for path in files}
    other = world_in(tmp_path / "copy")
    other.account, other.sandbox, other.elapsed_s = world.account, world.sandbox, world.elapsed_s
    other.run(batch_of(4))
    assert {path: path.read_bytes() for path in files} == before
    assert states(other) == ["verified"] * 4


# --- what cannot be read


@pytest.mark.parametrize(
    "line",
    ["", "{", "[]", "7", '{"kind": "nothing"}', '{"kind": "accepted", "take": 1, "at": "2026-01-01T00:00:00+00:00"}',
     '{"kind": "accepted", "take": "a_t1", "at": "2026-01-01"}', '{"kind": [], "take": "a", "at": "x"}', "[" * 10_000],
)  # fmt: skip
def test_a_line_that_is_no_fact_is_left_out(line: str) -> None:
    assert read_event(line) is None


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"shot_id": "a", "take": "x"}', "[" * 10_000])
def test_a_sidecar_that_is_none_is_left_out(text: str) -> None:
    assert read_sidecar(text) is None


@pytest.mark.parametrize(
    "change",
    [
        {"recipe_sha256": "0" * 64}, {"recipe": {"prompt": float("nan")}}, {"generation_id": None}, {"sha256": 7},
        {"request_ids": []}, {"request_ids": ["somebody else's"]}, {"times": {}}, {"take": None}, {"file": None},
        {"times": {"verified_at": "2026-01-01T00:00:00"}},
    ],
    ids="-".join,
)  # fmt: skip
def test_a_sidecar_that_was_changed_is_left_out(tmp_path: Path, change: dict[str, Any]) -> None:
    world = world_in(tmp_path / "out")
    world.run(batch_of(1))
    text = (tmp_path / "out" / "clips" / "sh000_t1.json").read_text(encoding="utf-8")
    assert read_sidecar(text) is not None
    assert read_sidecar(json.dumps({**json.loads(text), **change})) is None


def test_a_clip_with_other_bytes_is_not_taken_for_verified(tmp_path: Path) -> None:
    world = world_in(tmp_path / "out")
    world.run(batch_of(1))
    lose(tmp_path / "out", "state.sqlite*", "run.log")
    (tmp_path / "out" / "clips" / "sh000_t1.mp4").write_bytes(b"something else")
    found = recovered(world, batch_of(1))
    assert found is not None
    assert (found.verified, [label for label, _ in found.fetched], found.to_send) == ((), ["sh000_t1"], 0)
