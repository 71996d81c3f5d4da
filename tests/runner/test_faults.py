"""Faults of the provider, the disk and the line that are rare, one at a time: what a run makes of each."""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.worlds import Killed, World, batch_of
from wanbatch.batch.lifecycle import State
from wanbatch.batch.standing import Standing
from wanbatch.batch.take import Take
from wanbatch.clip.download import Part
from wanbatch.clip.inspection import Here
from wanbatch.errors import ExitCode, LocalFault, MediaInvalid
from wanbatch.pace.schedule import Rates
from wanbatch.provider.aimlapi import AimlApi
from wanbatch.provider.protocol import Accepted, NoAnswer, NotSent, Progress, Status, SubmitAnswer, Trouble, Unknown
from wanbatch.runner.downloads import Downloads
from wanbatch.runner.events import Event
from wanbatch.runner.loop import Runner
from wanbatch.runner.polls import Polls
from wanbatch.runner.searches import Searches
from wanbatch.runner.settings import OnUnknown, RunSettings
from wanbatch.sandbox import slate
from wanbatch.sandbox.account import Account
from wanbatch.sandbox.faults import Rule
from wanbatch.sandbox.options import SandboxOptions

pytestmark = pytest.mark.usefixtures("quick_clips")
PRICE = 378_000


def states(world: World) -> list[str]:
    return [take.shown_state for take in world.takes()]


# --- disk


def test_a_full_disk_ends_the_run_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Part, __: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Part, "write", full)
        world = World(tmp_path / "out")
        end = world.run(batch_of(2))
    assert (end.exit_code, list((tmp_path / "out" / "clips").glob("*"))) == (ExitCode.LOCAL_FAULT, [])
    bought = world.submits
    assert world.run(batch_of(2)).exit_code is ExitCode.OK
    assert (states(world), world.submits - bought) == (["verified"] * 2, 2 - bought)


def test_something_in_the_place_of_a_part_is_left_alone(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    in_the_way = tmp_path / "out" / "clips" / "sh000_t1.mp4.part"
    world.observe = lambda _, event: in_the_way.mkdir(parents=True) if event.kind == "completed" else None
    end = world.run(batch_of(1))
    assert (end.exit_code, states(world), in_the_way.is_dir()) == (ExitCode.DECISION_NEEDED, ["held"], True)
    in_the_way.rmdir()
    world.observe = None
    assert world.run(batch_of(1)).exit_code is ExitCode.OK
    assert world.submits == 1


def test_bytes_that_vanish_before_they_have_their_name_are_fetched_again(tmp_path: Path) -> None:
    gone: list[Event] = []

    def remove(_: Runner, event: Event) -> None:
        if event.kind == "downloaded" and not gone:
            gone.append(event)
            (tmp_path / "out" / "clips" / "sh000_t1.mp4.part").unlink()

    world = World(tmp_path / "out", observe=remove)
    end = world.run(batch_of(1))
    kinds = [event.kind for event in world.events]
    assert (end.exit_code, world.submits, kinds.count("download_discarded")) == (ExitCode.OK, 1, 1)


def test_a_poster_that_cannot_be_made_is_only_told(tmp_path: Path) -> None:
    def fail(_: Take) -> None:
        raise OSError("no room for posters")

    world = World(tmp_path / "out", settings=RunSettings(after_verified=fail))
    assert world.run(batch_of(1)).exit_code is ExitCode.OK
    assert any("no room for posters" in event.text for event in world.events)


# --- clips


def test_a_link_that_grew_old_in_our_own_queue_says_nothing_about_the_clip(tmp_path: Path) -> None:
    world = World(
        tmp_path / "out",
        options=SandboxOptions(link_ttl_s=100),
        rules=(Rule("clip", "delay", nth=(1, 2, 3), delay_s=55),),
        settings=RunSettings(rates=Rates(downloads=1)),
    )
    end = world.run(batch_of(4))
    assert (end.exit_code, states(world), world.submits) == (ExitCode.OK, ["verified"] * 4, 4)
    assert not any(event.kind == "link_dead" for event in world.events)


def test_a_clip_host_that_never_delivers_is_given_up_by_name(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("clip", "drop_before", nth=tuple(range(1, 21))),))
    end = world.run(batch_of(1))
    take = world.takes()[0]
    assert (end.exit_code, take.state, "does not deliver" in take.error) == (
        ExitCode.DECISION_NEEDED, State.HELD, True,
    )  # fmt: skip
    assert world.run(batch_of(1)).exit_code is ExitCode.OK
    assert world.submits == 1


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        ({"width": 640}, "640x720 instead of 1280x720"),
        ({"duration_s": 2}, "instead of 5 s"),
        ({"has_audio": False}, "no sound"),
    ],
    ids=["size", "length", "sound"],
)
def test_a_clip_that_is_not_as_ordered_is_kept_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], warning: str
) -> None:
    render = slate.render

    def other(generation_id: str, body: Any, made: Any, target: Path) -> None:
        render(generation_id, body, replace(made, **change), target)

    monkeypatch.setattr(slate, "render", other)
    world = World(tmp_path / "out")
    end = world.run(batch_of(1, model="alibaba/wan-2-6-t2v", resolution="720p", duration=5))
    take = world.takes()[0]
    assert (end.exit_code, take.state, world.submits) == (ExitCode.OK, State.VERIFIED, 1)
    assert "not as ordered" in take.warning
    assert warning in take.warning


@pytest.mark.parametrize(
    ("do", "more", "warning"),
    [
        ("black", {}, "not as ordered: black picture"),
        ("frozen", {}, "not as ordered: the picture stands still"),
        ("silent", {}, "not as ordered: the sound is silent (peak -inf dBFS)"),
        ("silent", {"generate_audio": False}, ""),
        ("delay", {}, ""),
    ],
    ids=["black", "frozen", "silent", "without sound as ordered", "sound"],
)
def test_a_clip_that_nobody_orders_is_kept_with_a_warning_and_never_bought_again(
    tmp_path: Path, do: str, more: dict[str, Any], warning: str
) -> None:
    world = World(tmp_path / "out", rules=(Rule("clip", do),), looks=True)
    end = world.run(batch_of(1, model="alibaba/wan-2-6-t2v", resolution="720p", duration=5, **more))
    take = world.takes()[0]
    assert (end.exit_code, take.state, take.warning, world.submits) == (ExitCode.OK, State.VERIFIED, warning, 1)
    assert world.run(batch_of(1, model="alibaba/wan-2-6-t2v", resolution="720p", duration=5, **more)).exit_code == 0
    assert world.submits == 1


def test_a_clip_that_cannot_be_looked_at_is_kept_with_a_warning(tmp_path: Path) -> None:
    class Blind(Here):
        def look(self, clip: Path) -> Any:
            raise MediaInvalid("the clip cannot be decoded: no memory")

    world = World(tmp_path / "out", settings=RunSettings(inspection=Blind()), looks=True)
    assert world.run(batch_of(1)).exit_code is ExitCode.OK
    assert world.takes()[0].warning == "wanbatch could not look at it: the clip cannot be decoded: no memory"


def test_a_crash_between_the_look_and_the_record_loses_no_warning(tmp_path: Path) -> None:
    batch = batch_of(1, model="alibaba/wan-2-6-t2v", resolution="720p", duration=5)
    found = []
    for kill_at in range(2, 10):  # the first is before the submit
        world = World(tmp_path / str(kill_at), rules=(Rule("clip", "black"),), looks=True)
        with suppress(Killed):
            world.run(batch, kill_at=kill_at)
        world.run(batch)
        take = world.takes()[0]
        found.append((take.state, take.warning, world.submits))
    assert set(found) == {(State.VERIFIED, "not as ordered: black picture", 1)}


def test_the_same_bytes_for_two_takes_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    render = slate.render
    monkeypatch.setattr(slate, "render", lambda _, body, made, target: render("one", body, made, target))
    world = World(tmp_path / "out")
    assert world.run(batch_of(2)).exit_code is ExitCode.OK
    first, second = sorted(world.takes(), key=lambda take: take.warning)
    assert (first.warning, second.warning) == ("", f"the same bytes as {first.label}")


# --- polls


def polled(monkeypatch: pytest.MonkeyPatch, change: Callable[[int, Progress], Progress | NoAnswer]) -> None:
    """Change what polls answer; `change` gets the number of the poll, from 1."""
    real, count = AimlApi.poll, [0]

    async def poll(self: AimlApi, generation_id: str) -> Any:
        count[0] += 1
        answer = await real(self, generation_id)
        assert isinstance(answer, Progress)
        return change(count[0], answer)

    monkeypatch.setattr(AimlApi, "poll", poll)


@pytest.mark.parametrize(
    ("change", "error", "again"),
    [
        (lambda n, was: replace(was, status=Status.EXPIRED, error="too old"), "may have been charged", 3),
        (lambda n, was: NoAnswer(Trouble.INVALID, "HTTP 400"), "refuses to say", 3),
        (lambda n, was: NoAnswer(Trouble.NOT_FOUND, "HTTP 404"), "no longer knows", 3),
        (lambda n, was: replace(was, status=Status.COMPLETED, link=None), "returns no link", 3),
    ],
    ids=["expired", "400", "404", "no link"],
)
def test_a_poll_that_leads_nowhere_is_held_and_never_bought_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Any, error: str, again: int
) -> None:
    world = World(tmp_path / "out")
    with monkeypatch.context() as patch:
        polled(patch, change)
        end = world.run(batch_of(1))
        take = world.takes()[0]
        assert (end.exit_code, take.state, error in take.error) == (ExitCode.DECISION_NEEDED, State.HELD, True)
        assert world.run(batch_of(1)).exit_code == again
    world.run(batch_of(1))
    assert world.submits == 1


def test_a_word_that_is_new_is_taken_for_running_and_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    polled(
        monkeypatch, lambda n, was: replace(was, status=Status.GENERATING, unknown_word="dreaming") if n < 4 else was
    )
    world = World(tmp_path / "out")
    assert world.run(batch_of(1)).exit_code is ExitCode.OK
    assert (
        world.takes()[0].warning
        == "the provider returned the unknown status 'dreaming', which wanbatch treats as running"
    )


def test_a_status_that_goes_backwards_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    polled(monkeypatch, lambda n, was: replace(was, status=Status.QUEUED) if n == 3 else was)
    world = World(tmp_path / "out")
    assert world.run(batch_of(1)).exit_code is ExitCode.OK


@pytest.mark.parametrize("later", ["1Z", "Z"], ids=["a moment later", "equal in all"])
def test_a_second_charge_for_one_generation_is_counted_and_told(tmp_path: Path, later: str) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(1))
    assert world.account is not None
    real = type(world.account).ledger

    def twice(self: Any, page: Any, now: float) -> Any:
        rows, place = real(self, page, now)
        return [*rows, *({**row, "created_at": row["created_at"][:-1] + later} for row in rows[-1:])], place

    try:
        type(world.account).ledger = twice  # type: ignore[method-assign]
        end = world.run(batch_of(2))
    finally:
        type(world.account).ledger = real  # type: ignore[method-assign]
    take = world.takes()[0]
    assert (end.exit_code, take.credits_charged, "second charge" in take.warning) == (
        ExitCode.DECISION_NEEDED, 2 * PRICE, True,
    )  # fmt: skip
    assert any("more than once" in message for message in end.messages)


def test_two_equal_charges_are_two_also_where_both_show_at_once(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    real = Account.ledger

    def twice(self: Any, page: Any, now: float) -> Any:
        rows, place = real(self, page, now)
        return [row for row in rows for _ in range(2)], place

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Account, "ledger", twice)
        end = world.run(batch_of(1))
    take = world.takes()[0]
    assert (end.exit_code, take.shown_state, take.credits_charged) == (
        ExitCode.DECISION_NEEDED, "verified", 2 * PRICE,
    )  # fmt: skip
    assert "charged 2 times" in take.warning


# --- submits


def answered(monkeypatch: pytest.MonkeyPatch, change: Callable[[int], SubmitAnswer | None]) -> None:
    """Answer a submit without sending it; `change` gets its number, from 1, and returns None to send it."""
    real, count = AimlApi._submit, [0]

    async def submit(self: AimlApi, *arguments: Any) -> SubmitAnswer:
        count[0] += 1
        return change(count[0]) or await real(self, *arguments)

    monkeypatch.setattr(AimlApi, "_submit", submit)


def test_one_generation_for_two_submits_stops_the_spending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path / "out")
    answered(
        monkeypatch,
        lambda n: Accepted(world.ledger()[0]["inference_id"], PRICE, is_echoed=True) if n == 2 else None,
    )
    end = world.run(batch_of(4))
    takes = world.takes()
    assert (end.exit_code, takes[0].state, takes[3].state) == (
        ExitCode.DECISION_NEEDED, State.VERIFIED, State.PLANNED,
    )  # fmt: skip
    assert [take.generation_id for take in takes].count(takes[0].generation_id) == 1
    assert any("one generation id to two submits" in message for message in end.messages)


def test_an_id_that_the_headers_told_is_enough_whatever_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = AimlApi._submit

    async def submit(self: AimlApi, *arguments: Any) -> SubmitAnswer:
        await real(self, *arguments)
        return Unknown("the line broke")

    monkeypatch.setattr(AimlApi, "_submit", submit)
    world = World(tmp_path / "out")
    assert world.run(batch_of(1)).exit_code is ExitCode.OK
    assert (states(world), world.submits) == (["verified"], 1)


def test_a_trouble_is_told_once(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.observe = lambda runner, event: (
        runner._context.trouble(ExitCode.DECISION_NEEDED, "look here") if event.kind == "accepted" else None
    )
    assert world.run(batch_of(2)).messages == ("look here",)


def test_without_safe_tls_nothing_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answered(monkeypatch, lambda n: NotSent("certificate expired", is_final=True))
    world = World(tmp_path / "out")
    end = world.run(batch_of(2))
    assert (end.exit_code, states(world)) == (ExitCode.PROVIDER_UNREACHABLE, ["planned"] * 2)


def test_a_provider_that_turns_all_away_is_not_asked_for_ever(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "status", code=429),))
    end = world.run(batch_of(2))
    sent = sum(event.kind == "submit_started" for event in world.events)
    assert (end.exit_code, states(world), sent) == (ExitCode.PROVIDER_UNREACHABLE, ["planned"] * 2, 60)


def test_what_was_charged_for_nothing_before_is_not_followed_by_more_money(tmp_path: Path) -> None:
    world = World(
        tmp_path / "out",
        rules=(Rule("submit", "fail_charged", nth=(1,)), Rule("submit", "fail", nth=(2,))),
        options=SandboxOptions(log_lag_s=85),
        settings=RunSettings(rates=Rates(max_attempts=5)),
    )
    end = world.run(batch_of(1))
    assert (end.exit_code, states(world), world.submits) == (ExitCode.DECISION_NEEDED, ["failed"], 2)
    assert world.takes()[0].credits_charged == PRICE


def test_a_line_that_comes_back_costs_time_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answered(monkeypatch, lambda n: NotSent("no route") if n in (2, 3, 4) else None)
    world = World(tmp_path / "out")
    end = world.run(batch_of(2))
    assert (end.exit_code, [str(take.request_id)[-2:] for take in world.takes()]) == (ExitCode.OK, [".1", ".4"])


# --- our own mistakes, and the user's signals


@pytest.mark.parametrize(
    ("owner", "name", "error", "code"),
    [
        (Downloads, "_download", RuntimeError("ours"), ExitCode.LOCAL_FAULT),
        (Downloads, "fetch", RuntimeError("ours"), ExitCode.LOCAL_FAULT),
        (Polls, "poll", RuntimeError("ours"), ExitCode.LOCAL_FAULT),
        (Polls, "_completed", RuntimeError("ours"), ExitCode.LOCAL_FAULT),
        (Downloads, "_download", OSError(errno.EIO, "disk"), ExitCode.LOCAL_FAULT),
    ],
    ids=["download", "fetch", "before a poll", "poll", "disk"],
)
def test_a_mistake_of_ours_in_one_take_costs_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: type, name: str, error: Exception, code: ExitCode
) -> None:
    real, count = getattr(owner, name), [0]

    def wrong(self: Any, *arguments: Any) -> Any:
        count[0] += 1
        if count[0] == 1:
            raise error
        return real(self, *arguments)

    world = World(tmp_path / "out")
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, wrong)
        end = world.run(batch_of(3))
    assert end.exit_code is code
    assert world.run(batch_of(3)).exit_code is ExitCode.OK
    assert (states(world), world.submits) == (["verified"] * 3, 3)


def test_a_mistake_of_ours_in_a_search_stops_the_spending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: Any) -> None:
        raise RuntimeError("ours")

    world = World(tmp_path / "out", rules=(Rule("submit", "drop_after", nth=(2,)),))
    with monkeypatch.context() as patch:
        patch.setattr(Searches, "_note_lags", wrong)
        end = world.run(batch_of(2))
    assert (end.exit_code, states(world)) == (ExitCode.LOCAL_FAULT, ["verified", "unknown"])
    assert world.run(batch_of(2)).exit_code is ExitCode.OK
    assert world.submits == 2


def test_a_deadline_sends_nothing_more_and_finishes_what_runs(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.observe = lambda runner, event: runner.reach_deadline() if event.kind == "accepted" else None
    end = world.run(batch_of(3))
    assert (end.exit_code, states(world)) == (ExitCode.INTERRUPTED, ["verified", "planned", "planned"])


def test_an_unknown_take_is_held_once_the_user_wants_that(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "drop_before", nth=(2,)),))
    world.observe = lambda runner, event: runner.drain() if "looked up" in event.text else None
    world.run(batch_of(2))
    assert states(world) == ["verified", "unknown"]
    world.settings = RunSettings(on_unknown=OnUnknown.HOLD)
    assert world.run(batch_of(2)).exit_code is ExitCode.DECISION_NEEDED
    assert states(world) == ["verified", "held"]


def test_a_run_tells_how_it_stands(tmp_path: Path) -> None:
    told: list[Standing] = []
    world = World(tmp_path / "out", observe=lambda runner, _: told.append(runner.standing()))
    world.run(batch_of(3))
    assert told[0].eta_s is not None
    assert (told[-1].counts, told[-1].credits_charged, told[-1].eta_s) == ({"verified": 3}, 3 * PRICE, None)
    assert told[-1].credits_committed == 3 * PRICE
    assert timedelta(seconds=told[0].eta_s) < timedelta(hours=1)


def test_a_deadline_with_nothing_left_to_send_changes_nothing(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.observe = lambda runner, event: runner.reach_deadline() if event.kind == "completed" else None
    assert world.run(batch_of(1)).exit_code is ExitCode.OK


def test_a_state_file_that_fails_at_the_start_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Searches, **__: Any) -> None:
        raise LocalFault("the disk is gone")

    monkeypatch.setattr(Searches, "plan", fail)
    world = World(tmp_path / "out")
    end = world.run(batch_of(1))
    assert (end.exit_code, end.messages, world.submits) == (ExitCode.LOCAL_FAULT, ("the disk is gone",), 0)


def test_a_second_stop_waits_for_no_answer_longer_than_a_moment(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "delay", nth=(1,), delay_s=60),))

    def stop(runner: Runner, event: Event) -> None:
        if event.kind == "submit_started":
            runner.drain()
            runner.drain()

    world.observe = stop
    end = world.run(batch_of(1))
    assert (end.exit_code, states(world)) == (ExitCode.INTERRUPTED, ["submitting"])
    world.observe = None
    assert world.run(batch_of(1)).exit_code is ExitCode.DECISION_NEEDED  # cut off before it arrived: no trace of it
    assert (states(world), world.submits) == (["held"], 0)


@pytest.mark.parametrize(
    ("nth", "told"),
    [((2,), []), (tuple(range(2, 40)), ["no readable answer", "the provider answers again"])],
    ids=["one lost answer", "a minute of them"],
)
def test_an_outage_is_told_once_it_lasts(tmp_path: Path, nth: tuple[int, ...], told: list[str]) -> None:
    world = World(tmp_path / "out", rules=(Rule("poll", "html", nth=nth),))
    assert world.run(batch_of(2)).exit_code is ExitCode.OK
    notes = [event.text for event in world.events if "answer" in event.text]
    assert [text[: len(start)] for text, start in zip(notes, told, strict=True)] == told
