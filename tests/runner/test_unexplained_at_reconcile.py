"""`reconcile` names the charges that neither a folder nor its key's log explains, also of a batch that is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from tests.runner.shared import HOURS, PRICE, beside_runs, told
from tests.runner.test_unexplained import half_done
from tests.runner.test_unowned import others_buy
from tests.worlds import World, batch_of
from wanbatch.cli.reconcile import _exit_code, _lines
from wanbatch.errors import ExitCode, UsageInvalid
from wanbatch.money.charge import Charge
from wanbatch.provider.protocol import NoAnswer, Trouble
from wanbatch.runner.context import RunContext
from wanbatch.sandbox.account import key_name
from wanbatch.sandbox.options import SandboxOptions
from wanbatch.session.decisions import Answers, Reconciled, reconcile
from wanbatch.session.lookup import look_up

pytestmark = pytest.mark.usefixtures("quick_clips")


def finished(tmp_path: Path) -> World:
    """A folder whose four clips are made, and a day later."""
    world = World(tmp_path / "out")
    world.run(batch_of(4))
    world.elapsed_s += 24 * HOURS
    return world


def answered(world: World, **answers: object) -> ExitCode:
    async def note(context: RunContext) -> None:
        Answers(**answers).note(context.state)  # type: ignore[arg-type]

    beside_runs(world, note)
    return _exit_code(told(world))


def test_a_batch_that_accounts_for_every_charge_has_no_question(tmp_path: Path) -> None:
    found = told(finished(tmp_path))
    assert (found.unexplained, _exit_code(found)) == ((), ExitCode.OK)


def test_charges_that_nothing_explains_are_named_with_their_sum_and_the_cures(tmp_path: Path) -> None:
    world = finished(tmp_path)
    bought = others_buy(world, 2)
    world.elapsed_s += HOURS
    found = told(world)
    text = next(line for line in _lines(found) if "--shared-account" in line)
    needed = ("2 charges for models like yours", "0.378 USD in all", "--not-mine", *bought)
    assert [each for each in needed if each not in text] == []
    named = {each.generation_id for each in found.unexplained}
    assert (named, _exit_code(found)) == (set(bought), ExitCode.DECISION_NEEDED)


def test_a_charge_before_the_last_run_is_named_too(tmp_path: Path) -> None:
    world = half_done(tmp_path)
    bought = others_buy(world, 1)
    world.elapsed_s += HOURS
    assert world.run(batch_of(4)).exit_code is ExitCode.DECISION_NEEDED
    assert [each.generation_id for each in told(world).unexplained] == bought


def test_a_charge_that_is_not_of_this_batch_is_asked_about_until_it_is_answered_for(tmp_path: Path) -> None:
    world = finished(tmp_path)
    first, second = others_buy(world, 2)
    world.elapsed_s += HOURS
    assert answered(world, not_mine=(first,)) is ExitCode.DECISION_NEEDED
    assert [each.generation_id for each in told(world).unexplained] == [second]
    assert answered(world, not_mine=(second,)) is ExitCode.OK
    others_buy(world, 1)
    world.elapsed_s += HOURS
    assert _exit_code(told(world)) is ExitCode.DECISION_NEEDED


def test_a_charge_of_a_model_that_the_manifest_no_longer_names_is_asked_about(tmp_path: Path) -> None:
    world = finished(tmp_path)
    bought = others_buy(world, 1)
    world.elapsed_s += HOURS
    world.run(batch_of(4, model="minimax/hailuo-02"))
    assert [each.generation_id for each in told(world).unexplained] == bought


def test_an_account_that_others_use_has_no_unexplained_charges(tmp_path: Path) -> None:
    world = finished(tmp_path)
    others_buy(world, 2)
    world.elapsed_s += HOURS
    assert answered(world, is_account_shared=True) is ExitCode.OK


def test_a_run_that_has_nothing_to_send_names_them_until_they_are_answered_for(tmp_path: Path) -> None:
    world = finished(tmp_path)
    (bought,) = others_buy(world, 1)
    world.elapsed_s += HOURS
    for _ in range(2):
        found = beside_runs(world, look_up)
        assert [(code, bought in text) for code, text in found.troubles] == [(ExitCode.DECISION_NEEDED, True)]
    assert answered(world, not_mine=(bought,)) is ExitCode.OK
    assert beside_runs(world, look_up).troubles == ()


def test_a_generation_of_this_batch_cannot_be_disowned(tmp_path: Path) -> None:
    world = finished(tmp_path)
    own = str(world.takes()[0].generation_id)
    with pytest.raises(UsageInvalid, match=f"generation {own} was made by a submit of this batch"):
        answered(world, not_mine=(own,))


def test_a_generation_that_the_ledger_does_not_charge_is_no_answer_and_is_named(tmp_path: Path) -> None:
    world = finished(tmp_path)
    (bought,) = others_buy(world, 1)
    world.elapsed_s += HOURS

    async def asked(context: RunContext) -> Reconciled:
        return await reconcile(context, [bought, "a-slip-of-the-pen"])

    found = beside_runs(world, asked)
    assert found.not_charged == ("a-slip-of-the-pen",)
    assert any("no charge for a-slip-of-the-pen" in line for line in _lines(found))


def test_reconcile_ends_with_8_where_the_refunds_could_not_be_read(tmp_path: Path) -> None:
    world = finished(tmp_path)
    assert _exit_code(told(world)) is ExitCode.OK
    read: list[object] = []

    async def asked(context: RunContext) -> Reconciled:
        real = context.provider.refunds

        async def refunds(begin: datetime) -> NoAnswer:
            read.append(await real(begin))
            return NoAnswer(Trouble.TRANSIENT, "HTTP 503")

        object.__setattr__(context.provider, "refunds", refunds)
        return await reconcile(context)

    assert (_exit_code(beside_runs(world, asked)), len(read)) == (ExitCode.PROVIDER_UNREACHABLE, 1)


def test_a_charge_whose_amount_cannot_be_read_is_named_and_not_called_missing(tmp_path: Path) -> None:
    async def work(context: RunContext) -> Reconciled:
        read = context.provider.charges

        async def charges(since: datetime) -> Sequence[Charge] | NoAnswer:
            found = await read(since)
            assert not isinstance(found, NoAnswer)
            return [replace(each, credits=0, is_legible=False) for each in found]

        object.__setattr__(context.provider, "charges", charges)
        return await reconcile(context)

    world = World(tmp_path / "out", options=SandboxOptions(log_lag_s=HOURS))
    world.run(batch_of(1))
    world.elapsed_s += 2 * HOURS
    found = beside_runs(world, work)
    assert (found.uncharged, found.unreadable) == ((), ("sh000_t1",))
    assert _exit_code(found) is ExitCode.DECISION_NEEDED
    assert any("a charge for 1 take (sh000_t1) whose amount cannot be read" in line for line in _lines(found))


def test_a_charge_of_a_failed_row_under_our_own_request_id_is_named(tmp_path: Path) -> None:
    """The provider's first try inside failed and was charged; the log shows that one alone."""
    world = finished(tmp_path)
    assert world.account is not None
    request_id = world.ledger()[0]["client_request_id"]
    (made,) = others_buy(world, 1)
    world.account._db.execute("UPDATE requests SET client_request_id = NULL WHERE seq = 1")
    shown = "UPDATE requests SET client_request_id = ?, key = ?, failure = 'crashed', fault = 'fail_charged'"
    world.account._db.execute(f"{shown} WHERE inference_id = ?", (request_id, key_name("made-up"), made))
    world.elapsed_s += HOURS
    assert [each.generation_id for each in told(world).unexplained] == [made]


def test_a_charge_that_the_ledger_lowers_is_named_and_the_sum_is_the_ledgers(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(2))
    assert world.account is not None
    world.account._db.execute("UPDATE requests SET credits = 300000 WHERE seq = 2")
    world.elapsed_s += 48 * HOURS
    found = told(world)
    assert (found.credits_charged, found.lowered) == (PRICE + 300_000, ("sh001_t1",))
    assert any("a smaller charge for 1 take (sh001_t1) than the one recorded here" in line for line in _lines(found))
