"""What becomes of a submit whose answer was lost: found again, proven to have failed, sent again, or held by name."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.runner.shared import HOURS, LOST, PRICE, RESUBMIT, charged_twice, states
from tests.worlds import World, batch_of
from wanbatch.batch.lifecycle import State
from wanbatch.errors import ExitCode
from wanbatch.runner.events import Event
from wanbatch.runner.loop import Runner
from wanbatch.runner.settings import OnUnknown, RunSettings
from wanbatch.sandbox.faults import Rule
from wanbatch.sandbox.options import SandboxOptions

pytestmark = pytest.mark.usefixtures("quick_clips")


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    "rule",
    [
        Rule("submit", "drop_after", nth=(1,)),
        Rule("submit", "drop_after", nth=(2,)),
        Rule("submit", "status_after", nth=(2,), code=500),
        Rule("submit", "status_after", nth=(2,), code=504, has_envelope=False),
        Rule("submit", "drop_after", nth=(1, 2)),
    ],
    ids=lambda rule: f"{rule.do}-{rule.nth}-{rule.code}",
)
@pytest.mark.parametrize("policy", [OnUnknown.RECONCILE, OnUnknown.RESUBMIT])
def test_a_lost_answer_is_found_again_by_its_exact_request_id(tmp_path: Path, rule: Rule, policy: OnUnknown) -> None:
    world = World(tmp_path / "out", rules=(rule,), settings=RunSettings(on_unknown=policy))
    end = world.run(batch_of(4))
    assert (end.exit_code, states(world), world.submits) == (ExitCode.OK, ["verified"] * 4, 4)
    assert sum(take.credits_charged or 0 for take in world.takes()) == 4 * PRICE


@pytest.mark.long
def test_other_takes_go_on_while_one_is_looked_up(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "drop_before", nth=(2,)),))
    world.run(batch_of(4))
    kinds = [(event.kind, event.take) for event in world.events]
    assert kinds.index(("verified", "sh003_t1")) < kinds.index(("held", "sh001_t1"))
    assert any("keeps looking up" in event.text for event in world.events)


@pytest.mark.long
@pytest.mark.parametrize("do", ["drop_before", "status"])
def test_what_left_no_trace_is_held_as_safe_to_send_again(tmp_path: Path, do: str) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", do, nth=(2,), code=500),))
    end = world.run(batch_of(3))
    take = world.takes()[1]
    assert (end.exit_code, take.state, world.submits) == (ExitCode.DECISION_NEEDED, State.HELD, 2)
    assert "looks safe" in take.error
    assert take.first_searched_at is not None
    assert take.last_searched_at is not None


@pytest.mark.long
def test_what_left_no_trace_is_sent_again_where_the_user_said_so(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "drop_before", nth=(2,)),), settings=RESUBMIT)
    end = world.run(batch_of(3))
    assert (end.exit_code, states(world), world.submits) == (ExitCode.OK, ["verified"] * 3, 3)
    assert str(world.takes()[1].request_id).endswith(".2")
    lost = next(event.at for event in world.events if event.kind == "answer_lost")
    again = next(event.at for event in world.events if event.kind == "presumed_absent")
    assert again - lost >= timedelta(hours=25)
    assert world.takes()[1].credits_at_risk == PRICE  # presumed is not proven: what it may have cost stays counted


@pytest.mark.long
def test_the_first_of_a_batch_has_no_witness_and_waits_for_one(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "drop_before", nth=(1,)),), settings=RESUBMIT)
    end = world.run(batch_of(1))
    assert (end.exit_code, states(world), world.submits) == (ExitCode.DECISION_NEEDED, ["held"], 0)
    assert "cannot find out" in world.takes()[0].error


@pytest.mark.parametrize("lag_h", [0.5, 6, 20])
def test_a_late_log_leads_to_no_second_purchase(tmp_path: Path, lag_h: float) -> None:
    world = World(
        tmp_path / "out",
        rules=(Rule("submit", "drop_after", nth=(2,)),),
        settings=RESUBMIT,
        options=SandboxOptions(log_lag_s=lag_h * HOURS),
    )
    end = world.run(batch_of(3))
    assert (end.exit_code, states(world), charged_twice(world)) == (ExitCode.OK, ["verified"] * 3, [])


def test_a_log_later_than_any_grace_is_found_out_and_named_double(tmp_path: Path) -> None:
    world = World(
        tmp_path / "out",
        rules=(Rule("submit", "drop_after", nth=(2,)),),
        settings=RunSettings(on_unknown=OnUnknown.RESUBMIT, unknown_grace=timedelta(minutes=20)),
        options=SandboxOptions(log_lag_s=0),
    )
    assert world.options.log_lag_s == 0

    def delay(runner: Runner, event: Event) -> None:
        # The row of the lost submit alone comes late: against all that was assumed.
        if event.kind == "answer_lost":
            assert world.account is not None
            world.account._db.execute("UPDATE requests SET ends_at = ends_at + 90000 WHERE seq = 2")

    world.observe = delay
    world.run(batch_of(3))
    assert world.submits == 4
    world.observe = None
    world.elapsed_s += 50 * HOURS
    world.rules = ()
    world.run(batch_of(4))
    take = world.takes()[1]
    assert charged_twice(world) == ["2"]
    assert "DOUBLE" in take.warning
    assert (take.credits_charged, take.credits_at_risk) == (2 * PRICE, 0)


def test_a_held_take_is_looked_up_on_every_resume(tmp_path: Path) -> None:
    hold = RunSettings(on_unknown=OnUnknown.HOLD)
    world = World(tmp_path / "out", rules=(Rule("submit", "drop_after", nth=(2,)),), settings=hold)
    assert world.run(batch_of(2)).exit_code is ExitCode.DECISION_NEEDED
    assert world.run(batch_of(2)).exit_code is ExitCode.OK
    assert (states(world), world.submits) == (["verified"] * 2, 2)


@pytest.mark.long
def test_a_run_that_waits_may_be_left_and_goes_on(tmp_path: Path) -> None:
    def leave(runner: Runner, event: Event) -> None:
        if "keeps looking up" in event.text:
            runner.drain()

    world = World(tmp_path / "out", rules=(Rule("submit", "drop_before", nth=(2,)),), settings=RESUBMIT, observe=leave)
    left = world.run(batch_of(3))
    assert (left.exit_code, states(world)) == (ExitCode.INTERRUPTED, ["verified", "unknown", "verified"])
    world.observe = None
    assert world.run(batch_of(3)).exit_code is ExitCode.OK
    assert world.submits == 3


@pytest.mark.parametrize(
    ("rule", "code", "submits"),
    [
        (Rule("logs", "status", code=500), ExitCode.PROVIDER_UNREACHABLE, 1),
        (Rule("logs", "html"), ExitCode.PROVIDER_UNREACHABLE, 1),
        (Rule("logs", "drop_before"), ExitCode.PROVIDER_UNREACHABLE, 1),
        (Rule("logs", "status", code=403, message="no"), ExitCode.DECISION_NEEDED, 1),
        (Rule("logs", "status", code=404, message="no"), ExitCode.DECISION_NEEDED, 1),
        (Rule("logs", "status", nth=tuple(range(1, 8)), code=503), ExitCode.OK, 3),
        (Rule("logs", "status", nth=(1, 2), code=429, retry_after="40"), ExitCode.OK, 3),
        (Rule("logs", "truncate", nth=(1, 2)), ExitCode.OK, 3),
        (Rule("logs", "empty", nth=(1, 2)), ExitCode.OK, 3),
    ],
    ids=lambda value: f"{value.do}-{value.code}-{len(value.nth)}" if isinstance(value, Rule) else "",
)
def test_a_resume_sends_nothing_before_the_log_was_read(
    tmp_path: Path, rule: Rule, code: ExitCode, submits: int
) -> None:
    def stop(runner: Runner, event: Event) -> None:
        if event.kind == "accepted":
            runner.drain()

    world = World(tmp_path / "out", rules=(rule,), observe=stop)
    world.run(batch_of(3))
    world.observe = None
    end = world.run(batch_of(3))
    assert (end.exit_code, world.submits) == (code, submits)


@pytest.mark.long
def test_lags_of_our_own_rows_are_measured(tmp_path: Path) -> None:
    world = World(
        tmp_path / "out",
        rules=(Rule("submit", "drop_before", nth=(2,)),),
        settings=RESUBMIT,
        options=SandboxOptions(log_lag_s=200.0),
    )
    world.run(batch_of(3))
    lags: list[Any] = [take.log_lag_s for take in world.takes()]
    assert [lag is None or 200 <= lag <= 1000 for lag in lags] == [True] * 3
    assert any(lag is not None for lag in lags)


@pytest.mark.parametrize("code", [403, 404])
def test_a_log_that_never_can_be_read_leaves_lost_answers_to_a_person(tmp_path: Path, code: int) -> None:
    rules = (*LOST, Rule("logs", "status", code=code, message="no"))
    world = World(tmp_path / "out", rules=rules)
    end = world.run(batch_of(3))
    assert (end.exit_code, states(world)) == (ExitCode.DECISION_NEEDED, ["verified", "held", "verified"])
    assert "could not read" in world.takes()[1].error
