"""What the tests of a run share: the price of a clip, copies of a state file, and looks at the log between runs."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Callable, Coroutine
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import httpx

from tests.worlds import API, CLIPS, EPOCH, Hosts, World, batch_of, jump
from wanbatch.batch.attempts import Attempt, Outcome
from wanbatch.batch.shots import DEFAULT_MODEL
from wanbatch.batch.take import Take
from wanbatch.clock import LoopClock
from wanbatch.money.charge import Charge
from wanbatch.pace.schedule import Rates
from wanbatch.provider.aimlapi import AimlApi
from wanbatch.provider.endpoint import Endpoint
from wanbatch.provider.protocol import LogRow, LogScan, Secret
from wanbatch.runner.context import RunContext
from wanbatch.runner.events import Event
from wanbatch.runner.loop import Runner
from wanbatch.runner.resubmission import Evidence, questions
from wanbatch.runner.settings import OnUnknown, RunSettings
from wanbatch.sandbox.app import Sandbox
from wanbatch.sandbox.faults import Rule
from wanbatch.session.decisions import Decision, Reconciled, reconcile, resolve, take_to_resolve, take_up
from wanbatch.state.file import StateFile
from wanbatch.state.reader import StateReader
from wanbatch.state.tables import new_identity

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


LOST = (Rule("submit", "drop_after", nth=(2,)),)


def with_row(scan: LogScan, request_id: str, generation_id: str | None = "strange") -> LogScan:
    row = LogRow(request_id, generation_id, True, 7, EPOCH)
    return replace(scan, rows=(*scan.rows, row))


def request_id(world: World, take_id: int, attempt: int) -> str:
    with StateReader.open(world.output) as reader:
        nonce = reader.identity().nonce
        return f"wb1:{nonce}:{reader.take(take_id).recipe.short_hash}:{take_id}.{attempt}"


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


T = TypeVar("T")


def saved(world: World) -> Path:
    """Copy the state file as it is now."""
    copy = world.output.with_name("backup.sqlite")
    copy.unlink(missing_ok=True)
    with closing(sqlite3.connect(copy)) as target, closing(sqlite3.connect(world.output / "state.sqlite")) as source:
        source.backup(target)
    return copy


def saving(world: World, kind: str, take: str | None = None) -> Path:
    """Copy the state file at the first event of a kind, about a take or any; returns where the copy will be."""
    copy = world.output.with_name("backup.sqlite")

    def save(_: Runner, event: Event) -> None:
        if event.kind == kind and take in (None, event.take) and not copy.exists():
            saved(world)

    world.observe = save
    return copy


def put_back(world: World, copy: Path, *, keeps_clips: bool = True) -> None:
    """Put an old copy in the place of the state file; without the clips if they are of the same old age."""
    for path in world.output.glob("state.sqlite*"):
        path.unlink()
    shutil.copy(copy, world.output / "state.sqlite")
    (world.output / "state.sqlite").chmod(0o600)
    if not keeps_clips:
        shutil.rmtree(world.output / "clips", ignore_errors=True)
    world.observe = None


def restore(world: World, copy: Path) -> None:
    """Put an old copy in the place of the state file, two days later, without the clips made since."""
    put_back(world, copy, keeps_clips=False)
    world.elapsed_s += 48 * HOURS


def beside_runs(world: World, work: Callable[[RunContext], Coroutine[Any, Any, T]]) -> T:
    """Work on a world's output folder beside its runs, as the commands that record decisions do."""

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


def decide(world: World, label: str, decision: Decision, generation_id: str | None = None) -> Take:
    """Record the decision of the user on a take."""

    async def work(context: RunContext) -> Take:
        take_up(context)
        return await resolve(context, take_to_resolve(context, label, decision), decision, generation_id)

    return beside_runs(world, work)


def told(world: World) -> Reconciled:
    return beside_runs(world, reconcile)


def generation(world: World, attempt: str) -> str:
    """The generation that a submit, named `take id.attempt`, made at the provider."""
    return next(str(row["inference_id"]) for row in world.ledger() if row["client_request_id"].endswith(f":{attempt}"))


def outcomes(world: World, take_id: int) -> dict[int, Outcome]:
    with StateReader.open(world.output) as reader:
        return {each.number: each.outcome for each in reader.attempts_of(take_id)}


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


def lying(code: int, nth: int = 2) -> tuple[Rule, ...]:
    """Refuse the n-th submit in the provider's own envelope, and do the work."""
    return (Rule("submit", "status_after", nth=(nth,), code=code, message="no"),)


AT = EPOCH


ENDED = Attempt(1, 1, "wb1:n:r:1.1", "b", "k", AT, outcome=Outcome.TURNED_AWAY)


CHARGE = Charge("g", PRICE, AT + timedelta(minutes=4), DEFAULT_MODEL)


def asked(*rows: LogRow, charge: Charge = CHARGE, attempts: tuple[Attempt, ...] = (), settled: bool = False) -> Any:
    now = AT + timedelta(hours=3)
    scan = LogScan(AT - timedelta(days=1), now, now, rows, frozenset({"other"}))
    evidence = Evidence(scan, (charge,), attempts, "k", True, (), None, now)
    return questions(evidence, [ENDED], {1: DEFAULT_MODEL, 2: DEFAULT_MODEL}, settled=settled)


def scan_of(now: Any, *rows: LogRow) -> LogScan:
    return LogScan(AT - timedelta(days=1), now, now, rows, frozenset())
