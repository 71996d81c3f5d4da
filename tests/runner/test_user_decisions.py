"""What the user decides about a held take."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runner.shared import HOURS, LOST, PRICE, decide, generation, outcomes, states, told, twice_lost
from tests.worlds import Killed, World, batch_of
from wanbatch.batch.attempts import Outcome
from wanbatch.batch.lifecycle import State
from wanbatch.errors import ExitCode, UsageInvalid
from wanbatch.runner.settings import OnUnknown, RunSettings
from wanbatch.sandbox.faults import FaultPlan, Rule
from wanbatch.session.decisions import Decision
from wanbatch.state.reader import StateReader

pytestmark = pytest.mark.usefixtures("quick_clips")


def test_a_generation_goes_to_the_attempt_that_made_it(tmp_path: Path) -> None:
    world = twice_lost(tmp_path)
    world.elapsed_s += 40 * HOURS
    take = decide(world, "sh001_t1", Decision.ADOPT, generation(world, "2.1"))
    assert (take.attempt, take.attempts, take.credits_at_risk) == (1, 2, PRICE)
    world.run(batch_of(3))
    assert told(world).doubles == ("sh001_t1",)
    take = world.takes()[1]
    assert (take.state, take.credits_charged, take.credits_at_risk) == (State.VERIFIED, 2 * PRICE, 0)
    assert outcomes(world, 2) == {1: Outcome.COMPLETED, 2: Outcome.LOST}
    assert told(world).uncharged == ()


def test_a_generation_of_an_earlier_attempt_that_is_known_already_may_be_chosen(tmp_path: Path) -> None:
    world = twice_lost(tmp_path)
    assert world.account is not None
    world.account._db.execute("UPDATE requests SET ends_at = ends_at + 200000 WHERE seq = 4")
    world.elapsed_s += 40 * HOURS
    told(world)
    assert "made a generation after all" in world.takes()[1].warning
    take = decide(world, "sh001_t1", Decision.ADOPT, generation(world, "2.1"))
    assert (take.attempt, take.is_charge_seen, take.credits_charged) == (1, True, PRICE)
    assert world.run(batch_of(3)).exit_code is ExitCode.OK


def test_a_generation_of_another_takes_submit_is_refused(tmp_path: Path) -> None:
    hold = RunSettings(on_unknown=OnUnknown.HOLD)
    world = World(tmp_path / "out", rules=(Rule("submit", "drop_after", nth=(1, 2)),), settings=hold)
    world.run(batch_of(1))
    world.run(batch_of(2))
    world.elapsed_s += HOURS
    with pytest.raises(UsageInvalid, match="submit of sh000_t1"):
        decide(world, "sh001_t1", Decision.ADOPT, generation(world, "1.1"))


def test_what_was_given_up_and_made_after_all_can_be_had(tmp_path: Path) -> None:
    hold = RunSettings(on_unknown=OnUnknown.HOLD)
    world = World(tmp_path / "out", rules=LOST, settings=hold)
    world.run(batch_of(2))
    assert decide(world, "sh001_t1", Decision.ABANDON).state is State.FAILED
    world.elapsed_s += HOURS
    take = decide(world, "sh001_t1", Decision.ADOPT, generation(world, "2.1"))
    assert (take.state, take.credits_at_risk) == (State.QUEUED, 0)
    assert (world.run(batch_of(2)).exit_code, states(world), world.submits) == (ExitCode.OK, ["verified"] * 2, 2)


def test_a_failed_take_that_made_nothing_adopts_nothing(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "fail", nth=(1,), message="policy violation"),))
    world.run(batch_of(1))
    with pytest.raises(UsageInvalid, match="none of its submits made anything"):
        decide(world, "sh000_t1", Decision.ADOPT, "some-id")
    with pytest.raises(UsageInvalid, match="only held and unknown"):
        decide(world, "sh000_t1", Decision.RESUBMIT)


def test_another_generation_than_the_one_recorded_is_adopted_beside_it(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "stall", nth=(1,)),))
    world.run(batch_of(2))
    assert states(world) == ["held", "verified"]
    stalled = world.takes()[0].generation_id
    assert world.account is not None
    columns = "at, key, client_request_id, fault, body, body_sha256, http_status, model, credits, starts_at, ends_at"
    world.account._db.execute(
        f"INSERT INTO requests ({columns}, inference_id) SELECT at, key, 'a-stranger', fault, body, body_sha256,"
        " http_status, model, credits, starts_at, ends_at, 'twin' FROM requests WHERE seq = 2"
    )
    take = decide(world, "sh000_t1", Decision.ADOPT, "twin")
    assert (take.attempt, take.generation_id) == (-1, "twin")
    world.run(batch_of(2))
    with StateReader.open(world.output) as reader:
        made = {each.number: (each.generation_id, each.outcome) for each in reader.attempts_of(1)}
    assert made == {1: (stalled, Outcome.ABANDONED), -1: ("twin", Outcome.COMPLETED)}
    assert world.takes()[0].state is State.VERIFIED


@pytest.mark.parametrize("work", ["reconcile", "resolve"])
def test_a_submit_that_a_crash_cut_off_is_looked_up_without_a_run(tmp_path: Path, work: str) -> None:
    world = World(tmp_path / "out")
    with pytest.raises(Killed):
        world.run(batch_of(3), kill_at=1)
    cut = next(take for take in world.takes() if take.state is State.SUBMITTING)
    if work == "reconcile":
        assert told(world).open == (cut.label,)
    else:
        assert decide(world, cut.label, Decision.ABANDON).state is State.FAILED


def test_the_users_word_needs_no_log(tmp_path: Path) -> None:
    hold = RunSettings(on_unknown=OnUnknown.HOLD)
    world = World(tmp_path / "out", rules=LOST, settings=hold)
    world.run(batch_of(2))
    world.elapsed_s += HOURS
    assert world.sandbox is not None
    world.sandbox.faults = FaultPlan((Rule("logs", "status", code=403, message="no"),), 1)
    assert told(world).open == ("sh001_t1",)
    assert decide(world, "sh001_t1", Decision.ADOPT, generation(world, "2.1")).state is State.QUEUED
