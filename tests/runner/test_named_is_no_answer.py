"""What was only named stays a question: it explains no charge, and every command that sees it exits with code 3."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.runner.shared import HOURS, beside_runs, told
from tests.runner.test_unexplained import half_done, question, with_a_lost_answer
from tests.runner.test_unowned import others_buy
from tests.worlds import EPOCH, World, batch_of
from wanbatch.batch.lifecycle import Fact
from wanbatch.batch.take import Entry
from wanbatch.cli.reconcile import _exit_code
from wanbatch.errors import ExitCode
from wanbatch.pace.schedule import Rates
from wanbatch.runner.rechecks import is_user_asking
from wanbatch.runner.settings import RunSettings
from wanbatch.sandbox.account import Arrival, key_name
from wanbatch.sandbox.faults import FaultPlan, Rule
from wanbatch.session.alarms import not_reported
from wanbatch.session.lookup import look_up
from wanbatch.state.reader import StateReader

pytestmark = pytest.mark.usefixtures("quick_clips")
TURNED_AWAY = Rule("submit", "status", nth=(1,), code=429)


@pytest.mark.parametrize("is_reconciled", [False, True])
def test_charges_named_beside_a_submit_that_was_turned_away_still_stop_the_run(
    tmp_path: Path, *, is_reconciled: bool
) -> None:
    world = World(tmp_path / "out", rules=(TURNED_AWAY,), settings=RunSettings(limit=1))
    world.run(batch_of(4))
    world.rules, world.settings, world.elapsed_s = (), RunSettings(), world.elapsed_s + 30 * HOURS
    others_buy(world, 3)
    world.elapsed_s += 30 * HOURS
    if is_reconciled:
        assert (len(told(world).unexplained), _exit_code(told(world))) == (3, ExitCode.DECISION_NEEDED)
    sent = world.submits
    end = world.run(batch_of(4))
    assert (end.exit_code, world.submits - sent, "3 charges" in question(end)) == (ExitCode.DECISION_NEEDED, 0, True)


def test_a_lost_answer_explains_one_of_the_charges_that_were_named_beside_it(tmp_path: Path) -> None:
    world = with_a_lost_answer(tmp_path)
    others_buy(world, 3)
    world.observe, world.rules, world.settings = None, (), RunSettings()
    world.elapsed_s += HOURS
    sent = world.submits
    end = world.run(batch_of(4))
    assert (question(end) != "", world.submits - sent) == (True, 0)


def test_reconcile_says_that_a_part_of_the_ledger_could_not_be_read(tmp_path: Path) -> None:
    world = half_done(tmp_path)
    others_buy(world, 1)
    world.elapsed_s += HOURS
    assert world.sandbox is not None
    world.sandbox.faults = FaultPlan((Rule("ledger", "status", nth=(1, 2, 3), code=503),), 0)
    found = told(world)
    assert (found.unexplained, found.is_ledger_read) == ((), False)
    assert _exit_code(found) is ExitCode.PROVIDER_UNREACHABLE


def test_reconcile_ends_with_3_for_a_submit_that_belongs_to_no_take(tmp_path: Path) -> None:
    world = half_done(tmp_path)
    assert world.account is not None
    nonce = world.ledger()[0]["client_request_id"].split(":")[1]
    arrival = Arrival(EPOCH.timestamp() + world.elapsed_s, key_name("made-up"), f"wb1:{nonce}:{'0' * 20}:99.1")
    world.account.accept(arrival, {**world.takes()[0].recipe.body, "prompt": "of a newer copy"})
    world.elapsed_s += HOURS
    for _ in range(2):
        found = told(world)
        assert (any("99.1" in each for each in found.needs_you), _exit_code(found)) == (True, ExitCode.DECISION_NEEDED)


def test_a_run_that_has_nothing_to_send_names_a_charge_of_a_failure(tmp_path: Path) -> None:
    rules = (Rule("submit", "fail_charged", nth=(1,)), Rule("ledger", "status", probability=1.0, code=403))
    world = World(tmp_path / "out", rules=rules, settings=RunSettings(rates=Rates(max_attempts=1)))
    world.run(batch_of(1))
    world.elapsed_s += 30 * HOURS
    assert world.sandbox is not None
    world.sandbox.faults = FaultPlan((), 0)
    assert any("but charged for it" in text for _, text in beside_runs(world, look_up).troubles)
    with StateReader.open(world.output) as reader:
        assert any("which failed" in text for text in not_reported(reader))  # also where no one saw how that run ended


def test_the_charges_of_a_model_that_comes_later_are_looked_at_from_the_beginning(tmp_path: Path) -> None:
    model = "kling-video/v1/standard/text-to-video"
    world = half_done(tmp_path)
    (bought,) = others_buy(world, 1, model=model)
    world.elapsed_s += HOURS
    world.settings = RunSettings(limit=1)
    assert world.run(batch_of(4)).exit_code is ExitCode.OK
    world.elapsed_s, world.settings = world.elapsed_s + 72 * HOURS, RunSettings()
    batch = batch_of(4)
    later = replace(batch.shots[3], request={"model": model, "prompt": "gull"})
    assert bought in question(world.run(replace(batch, shots=(*batch.shots[:3], later))))


@pytest.mark.parametrize(
    ("facts", "is_asked_for"),
    [
        ([(Fact.RETRY_PLANNED, {"by": "policy"})], False),
        ([(Fact.RETRY_PLANNED, {"by": "user"})], True),
        ([(Fact.RETRY_PLANNED, {"by": "user"}), (Fact.RETRY_PLANNED, {"by": "policy"})], False),
        ([(Fact.RETRY_PLANNED, {"by": "policy"}), (Fact.RESUBMIT_ALLOWED, {"error": ""})], True),
        ([(Fact.RETRY_PLANNED, {"by": "user"}), (Fact.MODEL_CHANGED, {"recipe_json": ""})], False),
        ([(Fact.MODEL_CHANGED, {"recipe_json": ""}), (Fact.RETRY_PLANNED, {"by": "user"})], True),
        ([], False),
    ],
)
def test_a_retry_by_policy_is_not_the_word_of_the_user(
    facts: list[tuple[Fact, dict[str, str]]], *, is_asked_for: bool
) -> None:
    assert is_user_asking([Entry(fact, EPOCH, data) for fact, data in facts]) is is_asked_for
