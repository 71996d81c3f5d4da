"""What was charged, what a price is believed to be, and the caps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.runner.shared import PRICE, states
from tests.worlds import World, batch_of, shots
from wanbatch.batch.models import PriceClass
from wanbatch.batch.shots import Batch
from wanbatch.errors import ExitCode
from wanbatch.money.prices import Quote
from wanbatch.pace.schedule import Rates
from wanbatch.runner.settings import RunSettings
from wanbatch.sandbox.faults import Rule
from wanbatch.sandbox.options import SandboxOptions
from wanbatch.state.reader import StateReader

pytestmark = pytest.mark.usefixtures("quick_clips")

CLASS = PriceClass("alibaba/wan2.1-t2v-turbo", "480P", None)


def test_a_failed_generation_is_tried_again_once_and_not_charged(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "fail", nth=(2,), message="model crashed"),))
    end = world.run(batch_of(3))
    charged = sum(row["charged"] for row in world.ledger())
    assert (end.exit_code, world.submits, charged) == (ExitCode.OK, 4, 3 * PRICE)


def test_a_failure_that_is_charged_is_told_and_never_tried_again(tmp_path: Path) -> None:
    rules = (Rule("submit", "fail_charged", nth=(2,), message="model crashed"),)
    world = World(tmp_path / "out", rules=rules, options=SandboxOptions(log_lag_s=0))
    end = world.run(batch_of(3))
    take = world.takes()[1]
    charged = sum(row["charged"] for row in world.ledger())
    assert (end.exit_code, world.submits, states(world)) == (
        ExitCode.DECISION_NEEDED, 3, ["verified", "failed", "verified"],
    )  # fmt: skip
    assert (take.credits_charged, charged, sum(each.credits_charged or 0 for each in world.takes())) == (
        PRICE, 3 * PRICE, 3 * PRICE,
    )  # fmt: skip
    assert "charged" in take.warning


def test_a_charge_that_comes_after_the_retry_is_not_lost(tmp_path: Path) -> None:
    rules = (Rule("submit", "fail_charged", nth=(2,)),)
    world = World(tmp_path / "out", rules=rules, options=SandboxOptions(log_lag_s=120))
    end = world.run(batch_of(2))
    charged = sum(row["charged"] for row in world.ledger())
    take = world.takes()[1]
    assert (end.exit_code, world.submits, take.credits_charged, charged) == (
        ExitCode.DECISION_NEEDED, 3, 2 * PRICE, 3 * PRICE,
    )  # fmt: skip
    assert "charged" in take.warning
    with StateReader.open(tmp_path / "out") as reader:
        assert [each.credits_charged for each in reader.attempts()] == [PRICE, PRICE, PRICE]


def test_two_looks_at_the_ledger_at_once_count_each_charge_once(tmp_path: Path) -> None:
    rules = (Rule("submit", "fail", nth=(4, 5)), Rule("ledger", "delay", delay_s=20))
    world = World(
        tmp_path / "out",
        rules=rules,
        options=SandboxOptions(log_lag_s=0, cv=0.001),
        settings=RunSettings(rates=Rates(submit_per_min=600)),
    )
    end = world.run(batch_of(6))
    looks = [event for event in world.events if event.kind == "charged"]
    assert (end.exit_code, len(looks)) == (ExitCode.OK, 6)
    assert [take.credits_charged for take in world.takes()] == [PRICE] * 6


def test_a_moderated_prompt_that_is_charged_needs_a_decision(tmp_path: Path) -> None:
    rule = Rule("submit", "fail_charged", nth=(1,), message="Content policy violation")
    world = World(tmp_path / "out", rules=(rule,), options=SandboxOptions(log_lag_s=0))
    end = world.run(batch_of(1))
    assert (end.exit_code, world.takes()[0].credits_charged) == (ExitCode.DECISION_NEEDED, PRICE)


def test_a_price_of_0_is_not_believed_and_does_not_lift_the_cap(tmp_path: Path) -> None:
    world = World(
        tmp_path / "out",
        rules=(Rule("submit", "free"),),
        settings=RunSettings(cap_credits=2 * PRICE, quotes={CLASS: Quote(PRICE, "test")}),
    )
    end = world.run(batch_of(4))
    assert (end.exit_code, world.submits) == (ExitCode.BUDGET_REACHED, 2)


def test_a_take_of_unknown_price_waits_for_the_answer_of_the_one_before(tmp_path: Path) -> None:
    world = World(
        tmp_path / "out",
        rules=(Rule("submit", "delay", nth=(1,), delay_s=20),),
        settings=RunSettings(cap_credits=4 * PRICE),
    )
    end = world.run(batch_of(3))
    assert (end.exit_code, world.submits) == (ExitCode.OK, 3)


@pytest.mark.long
def test_under_a_cap_a_second_class_of_unknown_price_waits_for_what_is_out(tmp_path: Path) -> None:
    both = (*shots(6, resolution="720P"), *(replace(each, id=f"small{each.id}") for each in shots(2)))
    world = World(
        tmp_path / "out",
        rules=(Rule("submit", "delay", nth=(6,), delay_s=100),),
        settings=RunSettings(cap_credits=100 * PRICE, rates=Rates(submit_per_min=3)),
    )
    end = world.run(Batch("world", tuple(replace(each, ordinal=n) for n, each in enumerate(both))))
    assert (end.exit_code, world.submits) == (ExitCode.OK, 8)
    out, most, unpriced = 0, 0, 0
    for event in world.events:
        out += (event.kind == "submit_started") - (event.kind == "accepted")
        if event.kind == "submit_started" and event.data["credits_estimated"] is None:
            unpriced += 1
            most = max(most, out)
    assert (unpriced, most) == (2, 1)


def test_the_cap_is_never_passed_and_can_be_raised(tmp_path: Path) -> None:
    quotes = {CLASS: Quote(PRICE, "test")}
    world = World(tmp_path / "out", settings=RunSettings(cap_credits=2 * PRICE + 1, quotes=quotes))
    end = world.run(batch_of(4))
    assert (end.exit_code, world.submits) == (ExitCode.BUDGET_REACHED, 2)
    world.settings = RunSettings(cap_credits=4 * PRICE, quotes=quotes)
    assert world.run(batch_of(4)).exit_code is ExitCode.OK
    assert world.submits == 4


def test_under_a_cap_an_unknown_price_is_learnt_from_the_first_submit(tmp_path: Path) -> None:
    world = World(tmp_path / "out", settings=RunSettings(cap_credits=3 * PRICE))
    end = world.run(batch_of(4))
    assert (end.exit_code, world.submits) == (ExitCode.BUDGET_REACHED, 3)


def test_unknown_counts_as_spent(tmp_path: Path) -> None:
    quotes = {CLASS: Quote(PRICE, "test")}
    world = World(
        tmp_path / "out",
        rules=(Rule("submit", "drop_after", nth=(1,)),),
        settings=RunSettings(cap_credits=2 * PRICE, quotes=quotes),
    )
    end = world.run(batch_of(4))
    assert (end.exit_code, world.submits) == (ExitCode.BUDGET_REACHED, 2)


def test_a_price_far_over_the_quote_stops_new_submits(tmp_path: Path) -> None:
    quotes = {CLASS: Quote(PRICE, "test")}
    rules = (Rule("submit", "dearer", nth=(2,)),)
    world = World(tmp_path / "out", rules=rules, settings=RunSettings(quotes=quotes))
    end = world.run(batch_of(6))
    assert (end.exit_code, world.submits) == (ExitCode.BUDGET_REACHED, 2)


def test_a_price_told_twice_differently_is_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wanbatch.provider.answers._header_credits", lambda _: PRICE + 1)
    world = World(tmp_path / "out")
    world.run(batch_of(1))
    take = world.takes()[0]
    assert (take.credits_held, "its header" in take.warning, take.credits_charged) == (PRICE + 1, True, PRICE)


def test_without_credits_in_the_answer_the_cost_is_unknown_until_the_ledger_tells(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "no_credits"),))
    world.run(batch_of(2))
    assert [(take.credits_held, take.credits_charged) for take in world.takes()] == [(None, PRICE)] * 2
