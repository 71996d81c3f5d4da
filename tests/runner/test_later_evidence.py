"""What shows after a proof was taken: the provider made all the same what it had refused, failed or lost."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.runner.test_searches import HOURS, LOST, PRICE, RESUBMIT, charged_twice, rows_of, scan, states
from tests.runner.test_strays import at_desk, outcomes, told
from tests.worlds import EPOCH, World, batch_of
from wanbatch.batch.attempts import Attempt, Outcome, adoption
from wanbatch.batch.lifecycle import State
from wanbatch.batch.shots import DEFAULT_MODEL
from wanbatch.batch.take import Take
from wanbatch.errors import ExitCode
from wanbatch.money.charge import Charge
from wanbatch.money.credits import usd_text
from wanbatch.pace.schedule import Rates
from wanbatch.provider.protocol import LogRow, LogScan, Progress, Status
from wanbatch.runner.context import RunContext
from wanbatch.runner.doubts import is_doubtful, note_questions
from wanbatch.runner.events import Event
from wanbatch.runner.loop import Runner
from wanbatch.runner.proofs import Evidence, Question, questions
from wanbatch.runner.settings import RunSettings
from wanbatch.runner.spares import Spares
from wanbatch.runner.window import Window
from wanbatch.sandbox.faults import Rule
from wanbatch.session.decisions import take_up
from wanbatch.state.reader import StateReader

pytestmark = pytest.mark.usefixtures("quick_clips")
LATE = timedelta(hours=30)


def lying(code: int, nth: int = 2) -> tuple[Rule, ...]:
    """Refuse the n-th submit in the provider's own envelope, and do the work."""
    return (Rule("submit", "status_after", nth=(nth,), code=code, message="no"),)


def warnings(world: World) -> str:
    return " ".join(take.warning for take in world.takes())


# --- refused, and made


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
            Spares(context).note_late(scan_of(EPOCH, LogRow(sent.request_id, None, True, PRICE, EPOCH)))
        return [(code, sent.request_id in message) for code, message in context.troubles]

    assert at_desk(world, work) == [(ExitCode.DECISION_NEEDED, True)]
    take = world.takes()[1]
    assert f"succeeded under request id {sent.request_id} ({usd_text(PRICE)})" in take.warning
    assert take.credits_at_risk == PRICE


def test_a_refused_submit_that_was_made_and_whose_shot_was_edited_ends_a_run_with_3(tmp_path: Path) -> None:
    from tests.worlds import with_prompt

    world = World(tmp_path / "out", rules=lying(422))
    world.run(batch_of(3))
    world.rules, world.elapsed_s = (), world.elapsed_s + HOURS
    end = world.run(with_prompt(batch_of(3), "sh001", "another prompt"))
    assert (end.exit_code, world.submits) == (ExitCode.DECISION_NEEDED, 4)
    (message,) = [text for text in end.messages if "made after all" in text]
    assert "`wanbatch resolve sh001_t1 --adopt " in message


def test_an_edited_take_is_not_given_the_clip_of_the_prompt_that_was_refused(tmp_path: Path) -> None:
    from tests.worlds import with_prompt

    world = World(tmp_path / "out", rules=lying(429))
    world.observe = lambda runner, event: runner.drain() if event.kind == "turned_away" else None
    world.run(batch_of(3))
    world.observe, world.rules, world.elapsed_s = None, (), world.elapsed_s + HOURS
    end = world.run(with_prompt(batch_of(3), "sh001", "another prompt"))
    assert (end.exit_code, world.submits, "made after all" in warnings(world)) == (ExitCode.DECISION_NEEDED, 4, True)


# --- failed, and made


def fail_the_row(world: World) -> None:
    """Let the log say that the lost submit failed."""

    def change(_: Runner, event: Event) -> None:
        if event.kind == "answer_lost" and world.account is not None:
            world.account._db.execute("UPDATE requests SET failure = 'crashed' WHERE seq = 2")

    world.observe = change


def test_a_row_that_said_failed_and_says_succeeded_later_is_a_double_with_a_name(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=LOST)
    fail_the_row(world)
    assert (world.run(batch_of(3)).exit_code, world.submits) == (ExitCode.OK, 4)
    assert world.account is not None
    world.account._db.execute("UPDATE requests SET failure = NULL WHERE seq = 2")
    world.observe, world.elapsed_s = None, world.elapsed_s + HOURS
    found = told(world)
    assert (found.doubles, "DOUBLE" in world.takes()[1].warning) == (("sh001_t1",), True)


def test_a_failed_row_under_another_id_does_not_hide_a_charge_of_nobody(tmp_path: Path) -> None:
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


def test_a_charge_of_nobody_after_a_refusal_is_a_question_with_exit_3(tmp_path: Path) -> None:
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


def test_a_run_asks_about_a_charge_of_nobody_once(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=lying(400))
    world.run(batch_of(3))
    assert world.account is not None
    world.account._db.execute("UPDATE requests SET key = 'another' WHERE seq = 2")
    world.rules, world.elapsed_s = (), world.elapsed_s + 40 * HOURS
    end = world.run(batch_of(4))
    assert any("belongs to no take" in message for message in end.messages)
    end = world.run(batch_of(5))
    assert not any("belongs to no take" in message for message in end.messages)


# --- which charge is whose question


AT = EPOCH
ENDED = Attempt(1, 1, "wb1:n:r:1.1", "b", "k", AT, outcome=Outcome.TURNED_AWAY)
CHARGE = Charge("g", PRICE, AT + timedelta(minutes=4), DEFAULT_MODEL)


def asked(*rows: LogRow, charge: Charge = CHARGE, attempts: tuple[Attempt, ...] = (), settled: bool = False) -> Any:
    now = AT + timedelta(hours=3)
    scan = LogScan(AT - timedelta(days=1), now, now, rows, frozenset({"other"}))
    evidence = Evidence(scan, (charge,), attempts, "k", True, (), None, now)
    return questions(evidence, [ENDED], {1: DEFAULT_MODEL, 2: DEFAULT_MODEL}, settled=settled)


def test_a_charge_of_nobody_is_the_question_of_an_attempt_that_ended() -> None:
    assert asked() == [Question(CHARGE, ENDED)]


@pytest.mark.parametrize(
    "charge",
    [
        replace(CHARGE, generation_id="other"),
        replace(CHARGE, model="openai/gpt-4o"),
        replace(CHARGE, at=AT - timedelta(hours=5)),
        replace(CHARGE, at=AT + timedelta(days=3)),
    ],
    ids=["of another request", "another model", "long before", "long after"],
)
def test_a_charge_that_an_ended_attempt_cannot_explain_is_no_question(charge: Charge) -> None:
    assert asked(charge=charge) == []


def test_a_charge_whose_row_carries_no_request_id_at_all_may_be_ours() -> None:
    now = AT + timedelta(hours=3)
    scan = LogScan(AT - timedelta(days=1), now, now, (), frozenset({"g", "h"}), nameless_ids=frozenset({"g"}))
    charges = (CHARGE, replace(CHARGE, generation_id="h"))
    evidence = Evidence(scan, charges, (), "k", True, (), None, now)
    assert questions(evidence, [ENDED], {1: DEFAULT_MODEL}, settled=False) == [Question(CHARGE, ENDED)]


def test_a_charge_that_somebody_owns_or_that_is_waited_for_is_no_question() -> None:
    owner = replace(ENDED, take_id=2, generation_id="g")
    assert asked(attempts=(owner,)) == []
    assert asked(attempts=(replace(ENDED, take_id=2, outcome=Outcome.LOST),)) == []
    assert asked(LogRow("wb1:other:r:1.1", "g", True, PRICE, AT)) == []


def test_a_charge_under_the_id_of_its_own_row_is_its_question_at_once() -> None:
    row = LogRow(ENDED.request_id, "g", False, 0, AT)
    assert asked(row, settled=True) == [Question(CHARGE, ENDED)]
    assert asked(settled=True) == []  # the log may still tell whose it is


def test_a_charge_that_comes_later_by_a_clock_that_is_behind_is_a_question() -> None:
    now = AT + timedelta(days=2 * 365, hours=3)
    charge = replace(CHARGE, at=AT + timedelta(days=2 * 365))
    evidence = Evidence(scan_of(now), (charge,), (), "k", True, (), None, now, lead=timedelta(days=2 * 365, hours=4))
    assert questions(evidence, [ENDED], {1: DEFAULT_MODEL}, settled=False) == [Question(charge, ENDED)]
    assert questions(replace(evidence, lead=timedelta(hours=4)), [ENDED], {1: DEFAULT_MODEL}, settled=False) == []
    unknown = replace(evidence, lead=timedelta.max)
    assert questions(unknown, [ENDED], {1: DEFAULT_MODEL}, settled=False) == [Question(charge, ENDED)]


def test_more_charges_of_nobody_than_answers_are_waited_for_are_questions() -> None:
    now, second = AT + timedelta(hours=3), replace(CHARGE, generation_id="g2")
    waiting = replace(ENDED, take_id=2, outcome=Outcome.LOST)
    evidence = Evidence(scan_of(now), (CHARGE, second), (waiting,), "k", True, (), None, now)
    models = {1: DEFAULT_MODEL, 2: DEFAULT_MODEL}
    assert questions(evidence, [ENDED], models, settled=False) == [Question(CHARGE, ENDED), Question(second, ENDED)]
    assert questions(replace(evidence, charges=(CHARGE, CHARGE)), [ENDED], models, settled=False) == []


def scan_of(now: Any, *rows: LogRow) -> LogScan:
    return LogScan(AT - timedelta(days=1), now, now, rows, frozenset())


# --- a submit of an old copy under a request id that the log knows from the one before


MADE = replace(ENDED, generation_id="own", outcome=Outcome.COMPLETED)
OWN = LogRow(ENDED.request_id, "own", True, PRICE, AT)


@pytest.mark.parametrize(
    ("rows", "key"),
    [
        ((OWN, LogRow(ENDED.request_id, "gateway", False, 0, AT)), ENDED.key_fingerprint),
        ((replace(OWN, at=AT - timedelta(hours=1)),), ENDED.key_fingerprint),
        ((OWN,), "another key"),
    ],
    ids=["a failed row beside it", "made before it was sent", "in the log of another key"],
)
def test_a_generation_of_another_submit_leaves_its_own_in_doubt(rows: tuple[LogRow, ...], key: str) -> None:
    assert is_doubtful(MADE, rows, key, AT)


@pytest.mark.parametrize(
    ("attempt", "rows"),
    [
        (MADE, (OWN,)),
        (MADE, (OWN, OWN)),
        (MADE, ()),
        (MADE, (OWN, replace(OWN, generation_id="second"))),  # which is named DOUBLE
        (ENDED, (LogRow(ENDED.request_id, "gateway", False, 0, AT),)),
        (replace(MADE, number=-1), (OWN, LogRow(ENDED.request_id, "gateway", False, 0, AT))),
    ],
    ids=["one row", "one row twice", "no row", "two that succeeded", "no generation", "a double"],
)
def test_what_the_log_tells_of_one_submit_is_in_no_doubt(attempt: Attempt, rows: tuple[LogRow, ...]) -> None:
    assert not is_doubtful(attempt, rows, ENDED.key_fingerprint, AT)


def test_a_submit_that_was_sent_once_more_with_another_key_is_named_by_its_charge(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(3))
    assert world.account is not None
    columns = "at, key, client_request_id, fault, body, body_sha256, http_status, model, credits, starts_at, ends_at"
    world.account._db.execute(
        f"INSERT INTO requests ({columns}, inference_id) SELECT {columns}, 'gw' FROM requests WHERE seq = 2"
    )
    world.account._db.execute("UPDATE requests SET credits = 0, failure = 'no' WHERE inference_id = 'gw'")
    world.account._db.execute(
        f"INSERT INTO requests ({columns}, inference_id) SELECT {columns}, 'made' FROM requests WHERE seq = 2"
    )
    world.account._db.execute("UPDATE requests SET key = 'another' WHERE inference_id = 'made'")
    world.elapsed_s += 40 * HOURS
    found = told(world)
    assert (found.questions, "for made, which belongs to no take" in world.takes()[1].warning) == (("sh001_t1",), True)
    world.elapsed_s += HOURS
    assert told(world).questions == ("sh001_t1",)  # it stays one, and is named once
    assert world.takes()[1].warning.count("for made") == 1


def test_a_charge_of_nobody_that_stands_there_twice_is_told_with_its_sum(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(1))

    async def work(context: RunContext) -> None:
        take_up(context)
        attempt, charge = context.state.attempts()[0], Charge("G9", 500_000, EPOCH)
        for charges in ([charge], [charge, charge], [charge, charge]):
            note_questions(context, [Question(each, attempt) for each in charges])

    at_desk(world, work)
    warning = world.takes()[0].warning
    assert [text in warning for text in ("0.25 USD for G9, which", "0.50 USD for G9 in 2 entries, which")] == [True] * 2
    assert warning.count("G9") == 2


# --- a double whose first row comes while the second attempt is unknown


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


# --- an answer that names an earlier generation of the same take


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


# --- rows that are not ours


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


# --- how far a look reaches


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

    assert at_desk(world, work) == (True, True)


# --- what an earlier attempt may still cost


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


# --- what waits for the user


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
