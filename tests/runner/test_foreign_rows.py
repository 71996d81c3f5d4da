"""Rows of the log that belong to somebody else, and how far back the log is read."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.runner.shared import HOURS, LOST, RESUBMIT, beside_runs, rows_of, scan
from tests.worlds import EPOCH, World, batch_of
from wanbatch.batch.lifecycle import State
from wanbatch.errors import ExitCode
from wanbatch.provider.protocol import LogScan
from wanbatch.runner.context import RunContext
from wanbatch.runner.log_window import Window
from wanbatch.runner.settings import RunSettings
from wanbatch.sandbox.faults import Rule
from wanbatch.state.reader import StateReader

pytestmark = pytest.mark.usefixtures("quick_clips")

LATE = timedelta(hours=30)


STRANGE = {
    "created": "never", "status": "running", "model": "m", "cost": None, "inference_id": None,
    "client_request_id": "another-program",
}  # fmt: skip


@pytest.mark.parametrize(
    "rows",
    [
        [STRANGE],
        [STRANGE, STRANGE],
        [{**STRANGE, "client_request_id": "wb1:n:r:1.1", "created": "2026-11-01T20:00:00Z"}],
        [rows_of(2)[0]] * 2 + rows_of(1, 1),
    ],
    ids=[
        "a status we do not know",
        "two equal rows",
        "a status of our own that we do not know",
        "two equal rows and one",
    ],
)
def test_rows_that_are_not_ours_never_stop_us(rows: list[dict[str, Any]]) -> None:
    found, requests = scan(lambda *_: (rows, len(rows)))
    assert (isinstance(found, LogScan), len(requests)) == (True, 1)


def test_two_equal_rows_on_two_pages_are_believed_once_two_readings_say_so() -> None:
    every = [*rows_of(93), *rows_of(1, 92), *rows_of(60, 93)]
    every = [*every[:100], every[99], *every[100:]]
    found, requests = scan(lambda _, offset: (every[offset : offset + 100], len(every)))
    assert isinstance(found, LogScan)
    assert sum(request.url.params["offset"] == "0" for request in requests) == 2
    assert sorted({request.url.params["limit"] for request in requests}) == ["100", "93"]


def test_rows_are_as_many_as_the_total_or_it_is_no_reading() -> None:
    found, _ = scan(lambda *_: (rows_of(3), 2))
    assert not isinstance(found, LogScan)


@pytest.mark.long
def test_a_status_that_we_do_not_know_proves_nothing_of_our_own_take(tmp_path: Path, monkeypatch: Any) -> None:
    from wanbatch.provider.aimlapi import AimlApi

    real = AimlApi.scan_log

    async def scan_log(self: AimlApi, since: Any) -> Any:
        found = await real(self, since)
        if not isinstance(found, LogScan):
            return found
        rows = [
            replace(row, is_good=False, credits=0, word="running") for row in found.rows if ":2.1" in row.request_id
        ]
        return replace(found, rows=(*(row for row in found.rows if ":2.1" not in row.request_id), *rows))

    monkeypatch.setattr(AimlApi, "scan_log", scan_log)
    world = World(tmp_path / "out", rules=LOST, settings=RESUBMIT)
    end = world.run(batch_of(3))
    take = world.takes()[1]
    assert (end.exit_code, take.state, world.submits) == (ExitCode.DECISION_NEEDED, State.HELD, 3)
    assert "the provider's log gives its status as 'running'" in take.error


def test_a_batch_of_many_submits_reads_its_newest_rows_before_it_sends_and_the_rest_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wanbatch.provider.aimlapi import AimlApi

    busy = (Rule("submit", "status", nth=(2,), code=429, message="later"),)
    world = World(tmp_path / "out", rules=busy, settings=RunSettings(limit=3))
    world.run(batch_of(6))
    world.elapsed_s += 80 * HOURS
    world.rules, world.settings = (), RunSettings(limit=2)
    world.run(batch_of(6))  # the log is read whole up to then
    world.elapsed_s += 80 * HOURS
    begun: list[Any] = []
    real = AimlApi.scan_log

    async def scan_log(self: AimlApi, since: Any) -> Any:
        begun.append(since)
        return await real(self, since)

    monkeypatch.setattr(AimlApi, "scan_log", scan_log)
    world.settings = RunSettings(wide_at_once=0)
    world.run(batch_of(6))
    with StateReader.open(world.output) as reader:
        first = reader.first_nameless_at(EPOCH - LATE)
    assert first is not None
    assert [since < first for since in begun] == [False, True]


def test_the_window_of_a_thorough_look_reaches_back_to_the_first_attempt_without_a_generation(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "status", nth=(2,), code=429, message="later"),))
    world.run(batch_of(3))
    world.elapsed_s += 80 * HOURS

    async def work(context: RunContext) -> tuple[bool, bool]:
        context.load()
        look = Window(context, is_thorough=True)
        first = look.first_nameless
        assert first is not None
        return look.is_wide, look.since() < first

    assert beside_runs(world, work) == (True, True)
