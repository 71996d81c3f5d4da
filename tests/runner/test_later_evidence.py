"""What shows after a proof was taken: the provider made all the same what it had refused, failed or lost."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.runner.shared import (
    ENDED,
    HOURS,
    LOST,
    PRICE,
    RESUBMIT,
    beside_runs,
    charged_twice,
    lying,
    outcomes,
    scan_of,
    states,
    told,
)
from tests.worlds import EPOCH, World, batch_of
from wanbatch.batch.attempts import Outcome, adoption, end_text
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.take import Take
from wanbatch.errors import ExitCode
from wanbatch.money.credits import usd_text
from wanbatch.pace.schedule import Rates
from wanbatch.provider.protocol import LogRow, Progress, Status
from wanbatch.runner.context import RunContext
from wanbatch.runner.events import Event
from wanbatch.runner.late_generations import LateGenerations
from wanbatch.runner.loop import Runner
from wanbatch.runner.settings import RunSettings
from wanbatch.sandbox.faults import Rule
from wanbatch.session.decisions import take_up
from wanbatch.state.reader import StateReader

pytestmark = pytest.mark.usefixtures("quick_clips")


def warnings(world: World) -> str:
    return " ".join(take.warning for take in world.takes())


def fail_the_row(world: World) -> None:
    """Let the log say that the lost submit failed."""

    def change(_: Runner, event: Event) -> None:
        if event.kind == "answer_lost" and world.account is not None:
            world.account._db.execute("UPDATE requests SET failure = 'crashed' WHERE seq = 2")

    world.observe = change


@pytest.mark.parametrize("code", [400, 403, 404, 422])
def test_a_refused_submit_that_was_made_is_adopted_by_the_next_run(tmp_path: Path, code: int) -> None:
    world = World(tmp_path / "out", rules=lying(code))
    world.run(batch_of(3))
    assert states(world)[1] in ("failed", "planned")
    world.rules, world.elapsed_s = (), world.elapsed_s + HOURS
    assert (world.run(batch_of(4)).exit_code, states(world)) == (ExitCode.OK, ["verified"] * 4)
    assert (world.submits, charged_twice(world)) == (4, [])
    assert "made its clip after all" in warnings(world)


def test_a_refused_submit_that_was_made_is_found_by_reconcile(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=lying(400))
    world.run(batch_of(3))
    world.elapsed_s += HOURS
    found = told(world)
    assert (found.adopted, found.doubles, states(world)[1]) == (("sh001_t1",), (), "queued")


def test_a_429_for_a_job_that_was_made_is_a_double_with_a_name(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=lying(429))
    world.run(batch_of(3))
    assert (charged_twice(world), "DOUBLE" in warnings(world)) == (["2"], False)  # the log does not show it yet
    world.elapsed_s += HOURS
    end = world.run(batch_of(4))
    take = world.takes()[1]
    assert (end.exit_code, "DOUBLE" in take.warning) == (ExitCode.DECISION_NEEDED, True)
    assert (take.credits_charged, take.credits_at_risk) == (2 * PRICE, 0)
    assert outcomes(world, 2) == {1: Outcome.LOST, 2: Outcome.COMPLETED}
    assert world.run(batch_of(5)).exit_code is ExitCode.OK  # it was told
    assert told(world).doubles == ("sh001_t1",)


def test_a_429_for_a_job_that_was_made_is_a_double_in_reconcile_though_nothing_else_is_open(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=lying(429))
    assert world.run(batch_of(3)).exit_code is ExitCode.OK
    world.elapsed_s += HOURS
    found = told(world)
    assert (found.doubles, "DOUBLE" in world.takes()[1].warning) == (("sh001_t1",), True)
    assert found.credits_charged == 4 * PRICE


def test_a_429_for_a_job_that_was_made_is_adopted_where_it_was_not_sent_again(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=lying(429))
    world.observe = lambda runner, event: runner.drain() if event.kind == "turned_away" else None
    world.run(batch_of(3))
    assert states(world)[1] == "planned"
    world.observe, world.rules, world.elapsed_s = None, (), world.elapsed_s + HOURS
    assert (world.run(batch_of(3)).exit_code, states(world)) == (ExitCode.OK, ["verified"] * 3)
    assert (world.submits, charged_twice(world)) == (3, [])


def test_a_refused_submit_whose_row_says_succeeded_and_not_what_it_made_is_counted_and_named_once(
    tmp_path: Path,
) -> None:
    world = World(tmp_path / "out", rules=lying(429))
    world.run(batch_of(3))
    with StateReader.open(world.output) as reader:
        (sent, *_) = reader.attempts_of(2)

    async def work(context: RunContext) -> list[tuple[ExitCode, bool]]:
        take_up(context)
        for _ in range(2):
            LateGenerations(context).note_late(scan_of(EPOCH, LogRow(sent.request_id, None, True, PRICE, EPOCH)))
        return [(code, sent.request_id in message) for code, message in context.troubles]

    assert beside_runs(world, work) == [(ExitCode.DECISION_NEEDED, True)]
    take = world.takes()[1]
    assert f"succeeded under request id {sent.request_id} ({usd_text(PRICE)})" in take.warning
    assert take.credits_at_risk == PRICE


def test_what_an_earlier_version_warned_of_a_row_without_an_id_is_not_warned_of_again(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=lying(429))
    world.run(batch_of(3))
    with StateReader.open(world.output) as reader:
        (sent, *_) = reader.attempts_of(2)
    row = LogRow(sent.request_id, None, True, PRICE, EPOCH)
    old = f"succeeded under request id {sent.request_id} ({usd_text(PRICE)}), but not what it made: it may have cost"

    async def work(context: RunContext) -> list[tuple[ExitCode, str]]:
        take_up(context)
        text = f"the provider's log says that attempt 1 of it, {end_text(sent)}, {old}"
        context.record(2, Fact.WARNED, {"warning": text})
        LateGenerations(context).note_late(scan_of(EPOCH, row))
        return list(context.troubles)

    assert beside_runs(world, work) == []


def test_a_refused_submit_that_was_made_and_whose_shot_was_edited_ends_a_run_with_3(tmp_path: Path) -> None:
    from tests.worlds import with_prompt

    world = World(tmp_path / "out", rules=lying(422))
    world.run(batch_of(3))
    world.rules, world.elapsed_s = (), world.elapsed_s + HOURS
    end = world.run(with_prompt(batch_of(3), "sh001", "another prompt"))
    assert (end.exit_code, world.submits) == (ExitCode.DECISION_NEEDED, 4)
    (message,) = [text for text in end.messages if "made a generation after all" in text]
    assert "`wanbatch resolve sh001_t1 --adopt " in message


def test_an_edited_take_is_not_given_the_clip_of_the_prompt_that_was_refused(tmp_path: Path) -> None:
    from tests.worlds import with_prompt

    world = World(tmp_path / "out", rules=lying(429))
    world.observe = lambda runner, event: runner.drain() if event.kind == "turned_away" else None
    world.run(batch_of(3))
    world.observe, world.rules, world.elapsed_s = None, (), world.elapsed_s + HOURS
    end = world.run(with_prompt(batch_of(3), "sh001", "another prompt"))
    assert (end.exit_code, world.submits, "made a generation after all" in warnings(world)) == (
        ExitCode.DECISION_NEEDED,
        4,
        True,
    )


@pytest.mark.long
def test_a_row_that_said_failed_and_says_succeeded_later_is_a_double_with_a_name(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=LOST)
    fail_the_row(world)
    assert (world.run(batch_of(3)).exit_code, world.submits) == (ExitCode.OK, 4)
    assert world.account is not None
    world.account._db.execute("UPDATE requests SET failure = NULL WHERE seq = 2")
    world.observe, world.elapsed_s = None, world.elapsed_s + HOURS
    found = told(world)
    assert (found.doubles, "DOUBLE" in world.takes()[1].warning) == (("sh001_t1",), True)


@pytest.mark.long
def test_a_failed_row_under_another_id_does_not_hide_a_charge_of_no_take(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=LOST)

    def gateway(_: Runner, event: Event) -> None:
        if event.kind == "answer_lost" and world.account is not None:
            columns = "at, key, fault, body, body_sha256, http_status, model, credits, starts_at, ends_at"
            world.account._db.execute(
                f"INSERT INTO requests ({columns}, inference_id, failure, client_request_id) SELECT {columns}, 'gateway',"
                " 'crashed', client_request_id FROM requests WHERE seq = 2"
            )
            # What was made is charged to the account, and the key's log shows nothing of it.
            world.account._db.execute("UPDATE requests SET key = 'another' WHERE seq = 2")

    world.observe = gateway
    end = world.run(batch_of(3))
    take = world.takes()[1]
    assert (end.exit_code, take.state, charged_twice(world)) == (ExitCode.DECISION_NEEDED, State.HELD, [])
    assert "the ledger shows a charge that belongs to no take" in take.error


def test_a_charge_of_no_take_after_a_refusal_is_a_question_with_exit_3(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=lying(400))
    world.run(batch_of(3))
    assert world.account is not None
    world.account._db.execute("UPDATE requests SET key = 'another' WHERE seq = 2")  # our key's log shows nothing of it
    world.elapsed_s += 40 * HOURS
    made = world.ledger()[1]["inference_id"]
    found = told(world)
    assert (found.questions, made in world.takes()[1].warning) == (("sh001_t1",), True)
    assert told(world).questions == ("sh001_t1",)
    assert world.takes()[1].warning.count(made) == 1


def test_a_run_asks_about_a_charge_of_no_take_once(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=lying(400))
    world.run(batch_of(3))
    assert world.account is not None
    world.account._db.execute("UPDATE requests SET key = 'another' WHERE seq = 2")
    world.rules, world.elapsed_s = (), world.elapsed_s + 40 * HOURS
    end = world.run(batch_of(4))
    assert any("belongs to no take" in message for message in end.messages)
    end = world.run(batch_of(5))
    assert not any("belongs to no take" in message for message in end.messages)


@pytest.mark.parametrize("second", ["succeeds", "fails"])
def test_the_first_late_row_does_not_hide_what_the_second_attempt_made(tmp_path: Path, second: str) -> None:
    grace = replace(RESUBMIT, unknown_grace=timedelta(minutes=20))
    world = World(tmp_path / "out", rules=(Rule("submit", "drop_after", nth=(2, 4)),), settings=grace)
    lost: list[Event] = []

    def delay(_: Runner, event: Event) -> None:
        if event.kind == "answer_lost":
            lost.append(event)
            assert world.account is not None
            first, later = 2_200, 1_000
            if len(lost) == 1:
                world.account._db.execute("UPDATE requests SET ends_at = ends_at + ? WHERE seq = 2", (first,))
            else:
                world.account._db.execute("UPDATE requests SET ends_at = ends_at + ? WHERE seq = 4", (later,))
                if second == "fails":
                    world.account._db.execute("UPDATE requests SET failure = 'crashed' WHERE seq = 4")

    world.observe = delay
    end = world.run(batch_of(3))
    take = world.takes()[1]
    kinds = [event.kind for event in world.events if event.take == take.label]
    assert (len(lost), kinds.index("found_late") < kinds.index("adopted"), take.state) == (2, True, State.VERIFIED)
    if second == "succeeds":
        assert (end.exit_code, charged_twice(world), "DOUBLE" in take.warning) == (
            ExitCode.DECISION_NEEDED, ["2"], True,
        )  # fmt: skip
        assert any("DOUBLE" in message for message in end.messages)
    else:  # the first one's clip is taken: no third is bought
        assert (charged_twice(world), "DOUBLE" in take.warning, world.submits) == ([], False, 4)


def test_an_answer_that_names_an_earlier_generation_of_its_take_holds_that_take_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests import worlds

    real, seen = worlds.Hosts.handle_async_request, []

    async def twisted(self: worlds.Hosts, request: httpx.Request) -> httpx.Response:
        answer = await real(self, request)
        if request.method != "POST":
            return answer
        made = json.loads(await answer.aread())
        seen.append(made["id"])
        named = seen[0] if len(seen) == 4 else made["id"]
        body = json.dumps({**made, "id": named}).encode()
        return httpx.Response(200, headers={"x-inference-id": named}, stream=httpx.ByteStream(body))

    monkeypatch.setattr(worlds.Hosts, "handle_async_request", twisted)
    rates = Rates(max_attempts=3)
    world = World(
        tmp_path / "out",
        rules=(Rule("submit", "fail", nth=(1,), message="Internal"),),
        settings=RunSettings(rates=rates),
    )
    end = world.run(batch_of(3))
    assert (end.exit_code, states(world), world.submits) == (ExitCode.OK, ["verified"] * 3, 4)
    assert any("which an earlier attempt of the take made" in event.text for event in world.events)
    assert not any("cannot happen now" in event.text for event in world.events)


def test_what_an_earlier_attempt_may_cost_stays_counted_when_a_later_one_is_adopted_by_the_log(tmp_path: Path) -> None:
    grace = replace(RESUBMIT, unknown_grace=timedelta(minutes=20))
    rules = (Rule("submit", "drop_before", nth=(2,)), Rule("submit", "drop_after", nth=(4,)))
    world = World(tmp_path / "out", rules=rules, settings=grace)
    world.run(batch_of(3))
    take = world.takes()[1]
    kinds = [event.kind for event in world.events if event.take == take.label]
    assert (kinds.count("answer_lost"), "adopted" in kinds, take.attempt) == (2, True, 2)
    assert (take.state, take.credits_at_risk) == (State.VERIFIED, PRICE)


def test_what_earlier_attempts_may_cost_is_what_they_held_or_were_expected_to() -> None:
    take = Take(1, "a", 1, "{}", state=State.UNKNOWN, attempts=3, attempt=3)
    lost = replace(ENDED, outcome=Outcome.LOST, credits_estimated=PRICE)
    held = replace(lost, number=2, request_id="wb1:n:r:1.2", credits_held=2 * PRICE)
    maker = replace(lost, number=3, request_id="wb1:n:r:1.3", generation_id="g")
    assert adoption(take, maker, [lost, held, maker])["credits_at_risk"] == 3 * PRICE
    assert adoption(take, maker, [replace(lost, credits_estimated=None), maker])["credits_at_risk"] is None
    assert adoption(take, replace(lost, generation_id="g"), [lost, replace(maker, outcome=Outcome.OPEN)]) == {
        "generation_id": "g",
        "attempt": 1,
        "request_id": lost.request_id,
        "credits_held": None,
        "credits_estimated": PRICE,
        "is_charge_seen": False,
        "credits_at_risk": PRICE,
    }


def test_a_held_take_that_needs_the_user_is_not_asked_about_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wanbatch.provider.aimlapi import AimlApi

    real, polled = AimlApi.poll, []

    async def poll(self: AimlApi, generation_id: str) -> Any:
        polled.append(generation_id)
        answer = await real(self, generation_id)
        return replace(answer, status=Status.EXPIRED, error="gone") if isinstance(answer, Progress) else answer

    monkeypatch.setattr(AimlApi, "poll", poll)
    world = World(tmp_path / "out")
    world.run(batch_of(1))
    take, count = world.takes()[0], len(polled)
    assert (take.state, take.needs_user, take.can_be_looked_at) == (State.HELD, True, False)
    world.elapsed_s += HOURS
    monkeypatch.setattr(AimlApi, "poll", real)
    world.events.clear()
    assert world.run(batch_of(1)).exit_code is ExitCode.DECISION_NEEDED
    kinds = {event.kind for event in world.events if event.take}
    assert (states(world), len(polled), kinds <= {"charged"}) == (["held"], count, True)
