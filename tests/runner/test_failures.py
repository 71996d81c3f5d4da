"""A generation that the provider says has failed: believed at the second look, and asked for once more afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.worlds import API, EPOCH, Killed, World, batch_of, jump
from wanbatch.batch.attempts import Outcome
from wanbatch.clock import LoopClock
from wanbatch.errors import ExitCode
from wanbatch.pace.polling import POLL_EVERY_S
from wanbatch.pace.schedule import Rates
from wanbatch.provider.aimlapi import AimlApi
from wanbatch.provider.endpoint import Endpoint
from wanbatch.provider.protocol import Accepted, NoAnswer, PollAnswer, Progress, Secret, Status, SubmitAnswer, Trouble
from wanbatch.runner.context import FAILURE_LOOKS_APART_S, RunContext
from wanbatch.runner.settings import RunSettings
from wanbatch.sandbox.faults import Rule
from wanbatch.session.decisions import Reconciled, reconcile
from wanbatch.state.file import StateFile
from wanbatch.state.reader import StateReader

pytestmark = pytest.mark.usefixtures("quick_clips")
PRICE = 378_000
Said = Callable[[str, int, float], bool]


def states(world: World) -> list[str]:
    return [take.shown_state for take in world.takes()]


def charged(world: World) -> int:
    return sum(bool(row["charged"]) for row in world.ledger())


def says_failed(monkeypatch: pytest.MonkeyPatch, when: Said, message: str = "Internal model error") -> None:
    """Have polls say `error` where `when(generation, which poll of it, seconds of the loop)` holds."""
    real, polls = AimlApi.poll, dict[str, int]()

    async def poll(self: AimlApi, generation_id: str) -> PollAnswer:
        polls[generation_id] = polls.get(generation_id, 0) + 1
        if when(generation_id, polls[generation_id], asyncio.get_running_loop().time()):
            return Progress(generation_id, Status.FAILED, None, message)
        return await real(self, generation_id)

    monkeypatch.setattr(AimlApi, "poll", poll)


def first_of(world: World) -> str:
    return str(world.ledger()[0]["inference_id"])


def look(world: World, settings: RunSettings) -> Reconciled:
    """Reconcile by hand, between two runs."""

    async def once() -> Reconciled:
        clock = LoopClock(datetime.fromtimestamp(EPOCH.timestamp() + world.elapsed_s, UTC))
        assert world.hosts is not None
        provider = AimlApi(Endpoint(API, is_loopback=True), Secret("made-up"), clock, Random(1), world.hosts)
        with StateReader.open(world.output) as reader:
            identity = reader.identity()
        state = StateFile.create_or_open(world.output, identity)
        try:
            return await reconcile(RunContext(state, provider, clock, settings, Random(1)))
        finally:
            state.close()

    return jump(once)


@pytest.mark.parametrize("lies", [1, 2], ids=["once", "twice within the time that one server may differ"])
def test_a_poll_that_says_error_alone_is_not_followed_by_a_purchase(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lies: int
) -> None:
    at: list[float] = []

    def lie(_: str, __: int, now: float) -> bool:
        at.append(now)
        return now - at[0] < (0.1 if lies == 1 else FAILURE_LOOKS_APART_S - 1)

    says_failed(monkeypatch, lie)
    world = World(tmp_path / "out")
    end = world.run(batch_of(1))
    take = world.takes()[0]
    assert (end.exit_code, world.submits, charged(world), take.shown_state, take.attempts) == (
        ExitCode.OK, 1, 1, "verified", 1,
    )  # fmt: skip
    assert take.warning == "the provider said that it had failed, and later that it had not"
    assert [event.kind for event in world.events].count("failure_seen") == 1


def test_two_looks_lie_at_least_two_poll_intervals_apart() -> None:
    assert FAILURE_LOOKS_APART_S >= 2 * POLL_EVERY_S


def test_a_failure_that_is_said_twice_is_bought_again_within_the_tries(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "fail", nth=(1,)),))
    end = world.run(batch_of(1))
    seen = [event for event in world.events if event.kind in ("failure_seen", "generation_failed")]
    assert (end.exit_code, states(world), world.submits, charged(world)) == (ExitCode.OK, ["verified"], 2, 1)
    assert (seen[1].at - seen[0].at).total_seconds() >= FAILURE_LOOKS_APART_S


@pytest.mark.parametrize("kill_at", range(4, 14))
def test_a_crash_between_the_looks_begins_them_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill_at: int
) -> None:
    world = World(tmp_path / "out")
    says_failed(monkeypatch, lambda _, n, __: n == 1)  # and the restarted run hears the truth
    try:
        world.run(batch_of(1), kill_at)
    except Killed:
        world.run(batch_of(1))
    assert (states(world), world.submits, charged(world)) == (["verified"], 1, 1)


def test_after_a_crash_one_answer_is_still_one_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    def lie(_: str, n: int, __: float) -> bool:
        return n == 1 or (len(said) > 0 and n == 2)  # the first answer of each of the two runs

    says_failed(monkeypatch, lie)
    world = World(tmp_path / "out")
    world.observe = lambda runner, event: runner.terminate(0) if event.kind == "failure_seen" and not said else None
    world.run(batch_of(1))
    said.append("the second run")
    world.elapsed_s += 3600
    end = world.run(batch_of(1))
    assert (end.exit_code, states(world), world.submits) == (ExitCode.OK, ["verified"], 1)


@pytest.mark.parametrize("word", ["cancelled", "canceled", "Cancelled"])
def test_what_was_cancelled_may_have_been_charged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    from wanbatch.provider.answers import read_progress

    async def poll(_: AimlApi, generation_id: str) -> PollAnswer:
        return read_progress(b'{"id": "%s", "status": "%s"}' % (generation_id.encode(), word.encode()))

    monkeypatch.setattr(AimlApi, "poll", poll)
    world = World(tmp_path / "out")
    end = world.run(batch_of(1))
    take = world.takes()[0]
    assert (end.exit_code, take.shown_state, world.submits, take.needs_user) == (
        ExitCode.DECISION_NEEDED, "held", 1, True,
    )  # fmt: skip
    assert (
        take.error
        == f"the generation ended without a clip ({word}, the provider gave no reason); it may have been charged"
    )


def submit_says_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    real, count = AimlApi._submit, [0]

    async def submit(self: AimlApi, *arguments: Any) -> SubmitAnswer:
        answer = await real(self, *arguments)
        count[0] += 1
        if count[0] == 1 and isinstance(answer, Accepted):
            return replace(answer, failed_message="no")
        return answer

    monkeypatch.setattr(AimlApi, "_submit", submit)


def test_a_submit_that_answers_error_is_the_first_look_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    submit_says_failed(monkeypatch)
    world = World(tmp_path / "out")
    end = world.run(batch_of(2))
    assert (end.exit_code, states(world), world.submits) == (ExitCode.OK, ["verified"] * 2, 2)


def test_a_submit_that_answers_error_has_failed_where_a_poll_says_so_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit_says_failed(monkeypatch)
    world = World(
        tmp_path / "out",
        rules=(Rule("submit", "fail", nth=(1,)),),
        settings=RunSettings(rates=Rates(max_attempts=1)),
    )
    end = world.run(batch_of(2))
    assert (end.exit_code, states(world)) == (ExitCode.TAKES_FAILED, ["failed", "verified"])


# --- a failure that was none


def test_a_failed_generation_that_completes_after_all_is_fetched_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path / "out", settings=RunSettings(rates=Rates(max_attempts=1)))
    says_failed(monkeypatch, lambda g, _, now: g == first_of(world) and now < 60)
    end = world.run(batch_of(3))
    take = world.takes()[0]
    assert (end.exit_code, states(world), world.submits, take.credits_charged) == (
        ExitCode.OK, ["verified"] * 3, 3, PRICE,
    )  # fmt: skip
    assert (
        take.warning == f"the provider said that {first_of(world)} (attempt 1) had failed, but it completed after all"
    )


def test_one_that_completes_when_another_was_bought_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path / "out", settings=RunSettings(rates=Rates(max_attempts=2)))
    says_failed(monkeypatch, lambda g, _, now: g == first_of(world) and now < 60)
    end = world.run(batch_of(1))
    take = world.takes()[0]
    with StateReader.open(world.output) as reader:
        outcomes = [each.outcome for each in reader.attempts()]
    assert (end.exit_code, take.shown_state, world.submits, charged(world)) == (
        ExitCode.DECISION_NEEDED, "verified", 2, 2,
    )  # fmt: skip
    told = f"DOUBLE: the provider said that {first_of(world)} (attempt 1) had failed, but it completed after all"
    assert told in take.warning
    assert (outcomes, take.credits_charged) == ([Outcome.DOUBLE, Outcome.COMPLETED], 2 * PRICE)
    assert any("sh000_t1: DOUBLE" in message for message in end.messages)


def test_a_failure_of_an_earlier_run_is_looked_at_by_reconcile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = RunSettings(rates=Rates(max_attempts=1))
    world = World(tmp_path / "out", settings=settings)
    is_over: list[bool] = []
    says_failed(monkeypatch, lambda _, __, ___: not is_over)
    end = world.run(batch_of(1))
    assert (end.exit_code, states(world)) == (ExitCode.TAKES_FAILED, ["failed"])
    is_over.append(True)
    world.elapsed_s += 3600
    found = look(world, settings)
    assert (found.adopted, states(world)) == (("sh000_t1",), ["queued"])
    end = world.run(batch_of(1))
    assert (end.exit_code, states(world), world.submits) == (ExitCode.OK, ["verified"], 1)


def test_a_retry_that_was_not_sent_yet_gives_way_to_the_clip_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path / "out")
    is_over: list[bool] = []
    says_failed(monkeypatch, lambda _, __, ___: not is_over)

    def stop(runner: Any, event: Any) -> None:
        if event.kind == "retry_planned":
            is_over.append(True)
            runner.drain()

    world.observe = stop
    end = world.run(batch_of(1))
    assert (end.exit_code, states(world), world.submits) == (ExitCode.INTERRUPTED, ["verified"], 1)


def test_what_stays_failed_stays_failed(tmp_path: Path) -> None:
    settings = RunSettings(rates=Rates(max_attempts=1))
    world = World(tmp_path / "out", rules=(Rule("submit", "fail", nth=(1,)),), settings=settings)
    end = world.run(batch_of(2))
    found = look(world, settings)
    assert (end.exit_code, states(world), found.adopted, found.doubles) == (
        ExitCode.TAKES_FAILED, ["failed", "verified"], (), (),
    )  # fmt: skip


@pytest.mark.parametrize("tries", [1, 2])
def test_a_charge_of_what_failed_is_named_also_where_the_poll_sticks_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tries: int
) -> None:
    world = World(tmp_path / "out", settings=RunSettings(rates=Rates(max_attempts=tries)))
    says_failed(monkeypatch, lambda g, _, __: g == first_of(world))
    end = world.run(batch_of(2))
    assert (end.exit_code, world.submits, charged(world)) == (ExitCode.DECISION_NEEDED, tries + 1, tries + 1)
    assert (
        f"sh000_t1: the provider says that {first_of(world)} failed, but charged for it: contact the provider's support"
        in end.messages
    )


# --- a retry that waits its turn while the ledger goes on


def waiting_retry(tmp_path: Path, **settings: Any) -> World:
    return World(tmp_path / "out", settings=RunSettings(rates=Rates(submit_per_min=0.5, max_attempts=2), **settings))


def test_a_failure_that_is_charged_while_its_retry_waits_is_not_bought_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = waiting_retry(tmp_path)
    says_failed(monkeypatch, lambda g, _, now: g == first_of(world) and now < 3600)
    end = world.run(batch_of(3))
    kinds = [event.kind for event in world.events if event.take == "sh000_t1"]
    assert ("retry_planned" in kinds, world.submits, charged(world)) == (True, 3, 3)
    assert (end.exit_code, states(world)[0]) == (ExitCode.DECISION_NEEDED, "failed")
    assert "was charged before the take was sent again" in world.takes()[0].warning


def test_a_retry_that_waited_is_sent_where_the_ledger_shows_no_charge_still(tmp_path: Path) -> None:
    world = waiting_retry(tmp_path)
    world.rules = (Rule("submit", "fail", nth=(1,)),)
    end = world.run(batch_of(3))
    assert (end.exit_code, states(world), world.submits, charged(world)) == (ExitCode.OK, ["verified"] * 3, 4, 3)


def test_a_retry_that_waited_is_not_sent_where_the_ledger_cannot_be_read_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, real = waiting_retry(tmp_path), AimlApi.charges
    world.rules = (Rule("submit", "fail", nth=(1,)),)
    is_over: list[bool] = []

    async def charges(self: AimlApi, begin: datetime) -> Any:
        is_planned = any(event.kind == "retry_planned" for event in world.events)
        return NoAnswer(Trouble.KEY, "HTTP 403") if is_planned and not is_over else await real(self, begin)

    monkeypatch.setattr(AimlApi, "charges", charges)
    end = world.run(batch_of(3))
    assert (end.exit_code, states(world)[0], world.submits) == (ExitCode.PROVIDER_UNREACHABLE, "planned", 3)
    assert any("sh000_t1 is not sent again in this run: wanbatch could not read" in message for message in end.messages)
    is_over.append(True)
    world.elapsed_s += 3600
    assert (world.run(batch_of(3)).exit_code, states(world), world.submits) == (ExitCode.OK, ["verified"] * 3, 4)
