"""Charges of the account that neither a folder nor its key's log explains: nothing is sent before the user has looked."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.runner.test_searches import HOURS
from tests.runner.test_unowned import others_buy
from tests.worlds import EPOCH, World, batch_of
from wanbatch.errors import ExitCode
from wanbatch.runner.end_code import RunEnd
from wanbatch.runner.settings import RunSettings
from wanbatch.runner.unexplained import READ_NOTE
from wanbatch.sandbox.account import Arrival, key_name
from wanbatch.sandbox.faults import Rule
from wanbatch.state.reader import StateReader

pytestmark = pytest.mark.usefixtures("quick_clips")
LATER_S = 30 * HOURS


def half_done(tmp_path: Path, *, later_s: float = LATER_S) -> World:
    """A folder with one clip of four, left alone for a time."""
    world = World(tmp_path / "out", settings=RunSettings(limit=1))
    world.run(batch_of(4))
    world.settings, world.elapsed_s = RunSettings(), world.elapsed_s + later_s
    return world


def with_a_lost_answer(tmp_path: Path) -> World:
    """A folder of four shots: one clip, one submit that never arrived and whose answer was lost, two never sent."""
    rules = (Rule("submit", "drop_before", nth=(2,)),)
    world = World(tmp_path / "out", rules=rules, settings=RunSettings(limit=2))
    world.observe = lambda runner, event: runner.drain() if event.kind == "answer_lost" else None
    world.run(batch_of(4))
    return world


def ended(world: World) -> tuple[ExitCode, int]:
    """Run once more: how that ended, and how many submits of ours there are then."""
    return world.run(batch_of(4)).exit_code, sum(bool(row["client_request_id"]) for row in world.ledger())


def counts(world: World) -> dict[str, int]:
    return dict(Counter(str(take.state) for take in world.takes()))


def send_from_another_copy(world: World) -> None:
    """Let another copy of the folder send its second take, with the same key."""
    assert world.account is not None
    take, nonce = world.takes()[1], world.ledger()[0]["client_request_id"].split(":")[1]
    request_id = f"wb1:{nonce}:{take.recipe.short_hash}:2.1"
    arrival = Arrival(EPOCH.timestamp() + world.elapsed_s, key_name("made-up"), request_id)
    world.account.accept(arrival, take.recipe.body)


def question(end: RunEnd) -> str:
    return next((text for text in end.messages if "--shared-account" in text), "")


def test_an_older_copy_that_is_run_with_its_old_key_asks_about_what_the_new_key_bought(tmp_path: Path) -> None:
    world = half_done(tmp_path)
    bought = others_buy(world, 2)
    world.elapsed_s += HOURS
    end = world.run(batch_of(4))
    assert (end.exit_code, counts(world)) == (ExitCode.DECISION_NEEDED, {"planned": 3, "verified": 1})
    text = question(end)
    needed = ("2 charges for models like yours", "0.378 USD in all", "--trust-state", "older copy", *bought)
    assert [each for each in needed if each not in text] == []
    assert ended(world) == (ExitCode.DECISION_NEEDED, 1)  # it asks until it is answered


def test_the_user_may_say_that_none_of_these_charges_is_of_this_batch(tmp_path: Path) -> None:
    world = half_done(tmp_path)
    others_buy(world, 1)
    world.elapsed_s += HOURS
    world.settings = RunSettings(trust_state=True, limit=1)
    assert ended(world) == (ExitCode.OK, 2)
    (said,) = [each.text for each in world.events if "since you added --trust-state" in each.text]
    assert "the ledger shows 1 charge for models like yours" in said
    world.settings = RunSettings(limit=1)
    assert ended(world) == (ExitCode.OK, 3)  # those are answered for
    others_buy(world, 1)
    world.elapsed_s += HOURS
    assert ended(world) == (ExitCode.DECISION_NEEDED, 3)  # and this one is not


def test_a_folder_remembers_that_others_use_the_account(tmp_path: Path) -> None:
    world = half_done(tmp_path)
    others_buy(world, 1)
    world.elapsed_s += HOURS
    world.settings = RunSettings(is_account_shared=True, limit=1)
    assert ended(world) == (ExitCode.OK, 2)
    others_buy(world, 1)
    world.settings, world.elapsed_s = RunSettings(), world.elapsed_s + HOURS
    assert ended(world) == (ExitCode.OK, 4)


@pytest.mark.parametrize(
    ("request_id", "code"),
    [
        ("wb1:abcdefghijklm:0123456789abcdef0123:1.1", ExitCode.OK),
        ("job 7", ExitCode.OK),
        (None, ExitCode.DECISION_NEEDED),  # it may be one of ours whose id the provider lost
    ],
)
def test_what_the_log_of_the_same_key_shows_under_another_id_is_explained(
    tmp_path: Path, request_id: str | None, code: ExitCode
) -> None:
    world = half_done(tmp_path)
    assert world.account is not None
    body = {"model": "alibaba/wan2.1-t2v-turbo", "resolution": "480P", "prompt": "of another batch"}
    arrival = Arrival(EPOCH.timestamp() + world.elapsed_s, key_name("made-up"), request_id)
    world.account.accept(arrival, body)
    world.elapsed_s += HOURS
    assert world.run(batch_of(4)).exit_code is code


def test_where_the_log_shows_our_own_clips_under_other_ids_its_rows_explain_no_charge(tmp_path: Path) -> None:
    world = half_done(tmp_path)
    assert world.account is not None
    body = {"model": "alibaba/wan2.1-t2v-turbo", "resolution": "480P", "prompt": "of a newer copy"}
    arrival = Arrival(EPOCH.timestamp() + world.elapsed_s, key_name("made-up"), "gateway-2")
    world.account.accept(arrival, body)
    world.account._db.execute("UPDATE requests SET client_request_id = 'gateway-1' WHERE seq = 1")
    world.elapsed_s += HOURS
    assert world.run(batch_of(4)).exit_code is ExitCode.DECISION_NEEDED


def test_charges_of_another_family_of_models_are_no_question(tmp_path: Path) -> None:
    world = half_done(tmp_path)
    others_buy(world, 1, model="kling/v2")
    world.elapsed_s += HOURS
    assert world.run(batch_of(4)).exit_code is ExitCode.OK


def test_a_charge_of_just_now_has_the_time_to_show_in_the_log(tmp_path: Path) -> None:
    world = half_done(tmp_path)
    others_buy(world, 1)
    world.elapsed_s += 600
    assert world.run(batch_of(4)).exit_code is ExitCode.OK


def test_a_charge_of_just_now_counts_where_the_log_shows_that_the_file_is_out_of_date(tmp_path: Path) -> None:
    world = half_done(tmp_path)
    send_from_another_copy(world)
    others_buy(world, 1)
    world.elapsed_s += 600
    end = world.run(batch_of(4))
    assert (end.exit_code, "1 charge for models like yours" in question(end)) == (ExitCode.DECISION_NEEDED, True)
    assert counts(world) == {"held": 1, "planned": 2, "verified": 1}


@pytest.mark.long
def test_a_lost_answer_explains_one_charge_and_no_more(tmp_path: Path) -> None:
    world = with_a_lost_answer(tmp_path)
    others_buy(world, 1)
    world.observe, world.rules, world.settings = None, (), RunSettings(limit=1)
    world.elapsed_s += HOURS
    assert question(world.run(batch_of(4))) == ""
    (made,) = others_buy(world, 1)  # the first is named beside the take that is held for it
    world.elapsed_s += HOURS
    text = question(world.run(batch_of(4)))
    assert ("1 charge for models like yours" in text, made in text) == (True, True)


def test_a_charge_that_a_lost_answer_explains_is_looked_at_again_once_that_is_settled(tmp_path: Path) -> None:
    world = with_a_lost_answer(tmp_path)
    others_buy(world, 1)
    made_at = EPOCH + timedelta(seconds=world.elapsed_s)
    world.rules, world.settings, world.elapsed_s = (), RunSettings(limit=1), world.elapsed_s + HOURS
    world.observe = lambda runner, event: runner.drain() if event.kind == "submit_started" else None
    world.run(batch_of(4))
    with StateReader.open(world.output) as reader:
        assert datetime.fromisoformat(reader.noted(READ_NOTE) or "") <= made_at


@pytest.mark.parametrize(("code", "waits_s"), [(503, 600), (403, 0)])
def test_a_ledger_that_cannot_be_read_delays_a_run_for_ten_minutes_at_most(
    tmp_path: Path, code: int, waits_s: int
) -> None:
    world = half_done(tmp_path)
    assert world.sandbox is not None
    begun = world.elapsed_s
    sent: list[datetime] = []
    world.rules, world.sandbox = (Rule("ledger", "status", probability=1.0, code=code),), None
    world.observe = lambda _, event: sent.append(event.at) if event.kind == "submit_started" else None
    end = world.run(batch_of(4))
    assert "could not read the provider's ledger" in " ".join(event.text for event in world.events)
    waited_s = sent[0].timestamp() - EPOCH.timestamp() - begun
    assert (counts(world), waits_s <= waited_s < waits_s + 60) == ({"verified": 4}, True), end


@pytest.mark.long
def test_where_the_file_is_out_of_date_nothing_is_sent_before_the_ledger_is_read(tmp_path: Path) -> None:
    world = half_done(tmp_path)
    send_from_another_copy(world)
    world.elapsed_s += HOURS
    world.rules, world.sandbox = (Rule("ledger", "status", probability=1.0, code=503),), None
    end = world.run(batch_of(4))
    assert (end.exit_code, counts(world)) == (
        ExitCode.DECISION_NEEDED,
        {"held": 1, "planned": 2, "verified": 1},
    )
    assert "to tell what else was bought: wanbatch sends nothing" in " ".join(end.messages)
    world.settings = replace(world.settings, trust_state=True)
    world.run(batch_of(4))
    assert counts(world) == {"held": 1, "verified": 3}
