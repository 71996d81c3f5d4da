"""A run from planned to verified, and what it does when the provider, the line or the user does not play along."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.runner.shared import PRICE, states
from tests.worlds import World, batch_of, with_prompt
from wanbatch.batch.lifecycle import State
from wanbatch.batch.models import PriceClass
from wanbatch.errors import ExitCode
from wanbatch.money.prices import Quote
from wanbatch.pace.schedule import Rates
from wanbatch.runner.events import Event
from wanbatch.runner.loop import Runner
from wanbatch.runner.settings import RunSettings
from wanbatch.sandbox.faults import Rule

pytestmark = pytest.mark.usefixtures("quick_clips")


def test_a_batch_ends_verified_and_charged_to_the_credit(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    end = world.run(batch_of(4))
    takes = world.takes()
    told = [(take.state, take.credits_held, take.credits_charged, take.file) for take in takes]
    assert (end.exit_code, told) == (
        ExitCode.OK,
        [(State.VERIFIED, PRICE, PRICE, f"clips/sh{n:03d}_t1.mp4") for n in range(4)],
    )


def test_the_first_submit_goes_alone(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(4))
    kinds = [event.kind for event in world.events if event.kind in ("submit_started", "accepted")]
    assert kinds[:2] == ["submit_started", "accepted"]


def test_a_finished_batch_makes_no_request(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(3))
    world.run(batch_of(3))
    assert world.hosts is not None
    assert world.hosts.requests == []


def test_the_key_never_reaches_the_clip_host(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(2))
    assert world.hosts is not None
    clips = [request for request in world.hosts.requests if request.url.host == "127.0.0.2"]
    leaks = [name for request in clips for name in request.headers if name in ("authorization", "cookie")]
    assert (len(clips), leaks) == (2, [])


def test_an_edited_shot_is_bought_anew_and_the_others_are_not(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(3))
    world.run(with_prompt(batch_of(3), "sh001", "another prompt"))
    labels = [(take.label, take.shown_state) for take in world.takes()]
    assert (world.submits, labels[1], labels[3]) == (4, ("sh001_t1", "superseded"), ("sh001_t2", "verified"))


def test_an_edit_taken_back_reinstates_the_old_take_for_nothing(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(2))
    world.run(with_prompt(batch_of(2), "sh001", "another prompt"))
    world.run(batch_of(2))
    assert (world.submits, states(world)) == (3, ["verified", "verified", "superseded"])


def test_a_removed_shot_that_runs_is_still_downloaded(tmp_path: Path) -> None:
    def stop(runner: Runner, event: Event) -> None:
        if event.kind == "accepted" and event.take == "sh001_t1":
            runner.drain()
            runner.drain()

    world = World(tmp_path / "out", observe=stop)
    world.run(batch_of(2))
    world.observe = None
    world.run(batch_of(1))
    assert (world.submits, states(world)) == (2, ["verified", "verified"])
    assert (tmp_path / "out" / "clips" / "sh001_t1.mp4").exists()


def test_who_watches_a_run_cannot_end_it(tmp_path: Path) -> None:
    def fail(_runner: Runner, event: Event) -> None:
        if event.kind == "accepted":
            raise BrokenPipeError

    world = World(tmp_path / "out", observe=fail)
    end = world.run(batch_of(3))
    assert (end.exit_code, states(world)) == (ExitCode.OK, ["verified"] * 3)


def test_a_clip_that_waits_for_its_name_is_not_fetched_again(tmp_path: Path) -> None:
    foreign = tmp_path / "out" / "clips" / "sh000_t1.mp4"
    world = World(tmp_path / "out")
    foreign.parent.mkdir(parents=True)

    def put(_runner: Runner, event: Event) -> None:
        if event.kind == "completed":
            foreign.write_bytes(b"a file of the user")

    world.observe = put
    end = world.run(batch_of(1))
    assert (end.exit_code, states(world), foreign.read_bytes()) == (
        ExitCode.DECISION_NEEDED, ["held"], b"a file of the user",
    )  # fmt: skip
    world.observe = None
    foreign.unlink()
    assert world.run(batch_of(1)).exit_code is ExitCode.OK
    assert world.hosts is not None
    fetched = [request for request in world.hosts.requests if request.url.host == "127.0.0.2"]
    assert (states(world), fetched) == (["verified"], [])


def test_an_id_that_the_disk_does_not_keep_is_told_to_the_user(tmp_path: Path) -> None:
    world = World(tmp_path / "out")

    def break_disk(runner: Runner, event: Event) -> None:
        if event.kind == "submit_started":
            runner._context.state._failed = OSError("disk full")

    world.observe = break_disk
    end = world.run(batch_of(2))
    generation_id = world.ledger()[0]["inference_id"]
    assert (end.exit_code, world.submits) == (ExitCode.LOCAL_FAULT, 1)
    assert any(generation_id in message and "sh000_t1" in message for message in end.messages)


@pytest.mark.long
def test_a_key_that_the_provider_echoes_is_stored_nowhere(tmp_path: Path) -> None:
    rules = (
        Rule("submit", "status", nth=(2,), code=400, message="bad key made-up here"),
        Rule("submit", "status", nth=(3,), code=500, has_envelope=False, message="made-up"),
        Rule("submit", "fail", nth=(4,), message="policy: made-up"),
    )
    world = World(tmp_path / "out", rules=rules)
    end = world.run(batch_of(5))
    files = [path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert any("***" in take.error for take in world.takes())
    assert not any(b"made-up" in data for data in files)
    assert not any("made-up" in text for text in [*end.messages, *(event.text for event in world.events)])


def test_the_first_interrupt_drains_and_the_second_stops(tmp_path: Path) -> None:
    def once(runner: Runner, event: Event) -> None:
        if event.kind == "accepted" and event.take == "sh001_t1":
            runner.drain()

    world = World(tmp_path / "out", observe=once)
    end = world.run(batch_of(5))
    assert (end.exit_code, states(world)) == (ExitCode.INTERRUPTED, ["verified"] * 2 + ["planned"] * 3)
    world.observe = None
    assert world.run(batch_of(5)).exit_code is ExitCode.OK
    assert world.submits == 5


def test_a_terminated_run_resumes_without_a_new_submit(tmp_path: Path) -> None:
    def stop(runner: Runner, event: Event) -> None:
        if event.kind == "generation_started":
            runner.terminate(1.0)

    world = World(tmp_path / "out", observe=stop)
    assert world.run(batch_of(3)).exit_code is ExitCode.TERMINATED
    world.observe = None
    assert world.run(batch_of(3)).exit_code is ExitCode.OK
    assert world.submits == 3


def test_a_file_that_is_not_ours_is_never_overwritten(tmp_path: Path) -> None:
    clips = tmp_path / "out" / "clips"
    clips.mkdir(parents=True)
    (clips / "sh000_t1.mp4").write_text("somebody's work")
    (tmp_path / "out" / "state.sqlite").unlink(missing_ok=True)
    (clips / "sh000_t1.mp4").rename(tmp_path / "mine.mp4")
    world = World(tmp_path / "out")

    def put_back(_: Runner, event: Event) -> None:
        if event.kind == "accepted":
            (tmp_path / "mine.mp4").rename(clips / "sh000_t1.mp4")

    world.observe = put_back
    end = world.run(batch_of(1))
    assert (end.exit_code, (clips / "sh000_t1.mp4").read_text()) == (ExitCode.DECISION_NEEDED, "somebody's work")


def test_only_selected_takes_are_sent(tmp_path: Path) -> None:
    settings = RunSettings(is_selected=lambda take: take.shot_id == "sh002", rates=Rates())
    world = World(tmp_path / "out", settings=settings)
    end = world.run(batch_of(4))
    assert (end.exit_code, states(world)) == (ExitCode.OK, ["planned", "planned", "verified", "planned"])


def test_a_take_that_the_cap_of_its_scene_forbids_uses_up_no_limit(tmp_path: Path) -> None:
    batch = batch_of(4)
    shots = tuple(replace(shot, scene="a" if at < 2 else "b") for at, shot in enumerate(batch.shots))
    quotes = {PriceClass("alibaba/wan2.1-t2v-turbo", "480P", None): Quote(PRICE, "test", is_proven=True)}
    world = World(tmp_path / "out", settings=RunSettings(limit=1, scene_caps={"a": 1}, quotes=quotes, rates=Rates()))
    world.run(replace(batch, shots=shots))
    assert (world.submits, states(world)) == (1, ["planned", "planned", "verified", "planned"])


def test_a_limit_sends_no_more_than_that(tmp_path: Path) -> None:
    world = World(tmp_path / "out", settings=RunSettings(limit=2))
    world.run(batch_of(4))
    assert world.submits == 2
