"""Which charge is a question about which attempt."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.runner.shared import AT, CHARGE, ENDED, HOURS, PRICE, asked, beside_runs, scan_of, told
from tests.worlds import EPOCH, World, batch_of
from wanbatch.batch.attempts import Attempt, Outcome
from wanbatch.batch.shots import DEFAULT_MODEL
from wanbatch.money.charge import Charge
from wanbatch.provider.protocol import LogRow, LogScan
from wanbatch.runner.context import RunContext
from wanbatch.runner.resubmission import Evidence, Question, questions
from wanbatch.runner.uncertain_submits import is_doubtful, note_questions
from wanbatch.session.decisions import take_up

pytestmark = pytest.mark.usefixtures("quick_clips")

MADE = replace(ENDED, generation_id="own", outcome=Outcome.COMPLETED)


OWN = LogRow(ENDED.request_id, "own", True, PRICE, AT)


def test_a_charge_of_no_take_is_the_question_of_an_attempt_that_ended() -> None:
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


def test_more_charges_of_no_take_than_answers_are_waited_for_are_questions() -> None:
    now, second = AT + timedelta(hours=3), replace(CHARGE, generation_id="g2")
    waiting = replace(ENDED, take_id=2, outcome=Outcome.LOST)
    evidence = Evidence(scan_of(now), (CHARGE, second), (waiting,), "k", True, (), None, now)
    models = {1: DEFAULT_MODEL, 2: DEFAULT_MODEL}
    assert questions(evidence, [ENDED], models, settled=False) == [Question(CHARGE, ENDED), Question(second, ENDED)]
    assert questions(replace(evidence, charges=(CHARGE, CHARGE)), [ENDED], models, settled=False) == []


@pytest.mark.parametrize(
    ("rows", "key"),
    [
        ((OWN, LogRow(ENDED.request_id, "gateway", False, 0, AT)), ENDED.key_fingerprint),
        ((replace(OWN, at=AT - timedelta(hours=1)),), ENDED.key_fingerprint),
        ((OWN,), "another key"),
        ((OWN, replace(OWN, generation_id=None)), ENDED.key_fingerprint),
    ],
    ids=["a failed row beside it", "made before it was sent", "in the log of another key", "a success without an id"],
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


def test_a_charge_of_no_take_that_stands_there_twice_is_told_with_its_sum(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(1))

    async def work(context: RunContext) -> None:
        take_up(context)
        attempt, charge = context.state.attempts()[0], Charge("G9", 500_000, EPOCH)
        for charges in ([charge], [charge, charge], [charge, charge]):
            note_questions(context, [Question(each, attempt) for each in charges])

    beside_runs(world, work)
    warning = world.takes()[0].warning
    assert [
        text in warning for text in ("0.25 USD charged for G9, which", "0.50 USD charged for G9 in 2 entries, which")
    ] == [True] * 2
    assert warning.count("G9") == 2
