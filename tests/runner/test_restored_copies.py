"""State files that are older than what was bought."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.runner.shared import HOURS, charged_twice, put_back, saving, states
from tests.worlds import World, batch_of
from wanbatch.batch.lifecycle import State
from wanbatch.batch.shots import Batch
from wanbatch.errors import ExitCode
from wanbatch.provider.aimlapi import AimlApi
from wanbatch.provider.protocol import NotSent
from wanbatch.runner.events import Event
from wanbatch.runner.log import requests_in
from wanbatch.runner.loop import Runner
from wanbatch.runner.settings import RunSettings
from wanbatch.sandbox.faults import Rule
from wanbatch.state.reader import StateReader

pytestmark = pytest.mark.usefixtures("quick_clips")


@pytest.mark.parametrize("after", ["submit_started", "accepted"])
def test_a_state_file_older_than_the_truth_buys_nothing_twice(tmp_path: Path, after: str) -> None:
    world = World(tmp_path / "out")
    copy = saving(world, after)
    assert world.run(batch_of(4)).exit_code is ExitCode.OK
    bought = world.submits
    put_back(world, copy)
    end = world.run(batch_of(4))
    held = [take for take in world.takes() if take.state is State.HELD]
    assert (end.exit_code, world.submits, len(held)) == (ExitCode.DECISION_NEEDED, bought, 3)
    for take in held:
        made = next(row for row in world.ledger() if row["client_request_id"] == take.request_id)
        assert f"--adopt {made['inference_id']}" in take.error
    assert world.run(batch_of(4)).exit_code is ExitCode.DECISION_NEEDED
    assert world.submits == bought


@pytest.mark.parametrize("seed", [None, 9])
def test_what_came_to_light_is_not_bought_under_another_id(tmp_path: Path, seed: int | None) -> None:
    world = World(tmp_path / "out")
    first, second = batch_of(2).shots
    second = replace(second, seed=seed)
    copy = saving(world, "submit_started")  # of the first shot: in the copy the second is planned
    assert world.run(Batch("world", (first, second))).exit_code is ExitCode.OK
    put_back(world, copy)
    end = world.run(Batch("world", (first, replace(second, id="new"))))
    assert (end.exit_code, world.submits) == (ExitCode.DECISION_NEEDED, 2)
    words = f"new_t1 was not sent: a submit of {second.id}_t1 with the same request was found"
    assert words in "; ".join(end.messages)


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


def test_a_state_file_restored_from_before_a_line_came_back_buys_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, sent = AimlApi._submit, [0]

    async def submit(self: AimlApi, *arguments: Any) -> Any:
        sent[0] += 1
        return NotSent("no route") if sent[0] == 1 else await real(self, *arguments)

    monkeypatch.setattr(AimlApi, "_submit", submit)
    world = World(tmp_path / "out")
    copy = saving(world, "not_sent")
    assert world.run(batch_of(1)).exit_code is ExitCode.OK
    put_back(world, copy)
    end = world.run(batch_of(1))
    assert (end.exit_code, states(world), world.submits) == (ExitCode.DECISION_NEEDED, ["held"], 1)


def test_a_restored_state_file_whose_take_runs_sends_nothing_before_the_log_was_read(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "fail", nth=(2,), message="Internal"),))
    copy = saving(world, "generation_failed")
    assert world.run(batch_of(2)).exit_code is ExitCode.OK
    bought = world.submits
    world.elapsed_s += 48 * HOURS
    put_back(world, copy)
    world.run(batch_of(2))
    assert (world.submits, charged_twice(world)) == (bought, [])
