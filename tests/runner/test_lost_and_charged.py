"""What the log and the ledger may say of a submit whose answer was lost."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.runner.shared import HOURS, LOST, PRICE, charged_twice, states
from tests.worlds import EPOCH, World, batch_of
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.errors import ExitCode
from wanbatch.pace.schedule import Rates
from wanbatch.runner.events import Event
from wanbatch.runner.loop import Runner
from wanbatch.runner.settings import OnUnknown, RunSettings
from wanbatch.sandbox.faults import Rule
from wanbatch.state.file import StateFile
from wanbatch.state.reader import StateReader, entry

pytestmark = pytest.mark.usefixtures("quick_clips")


def after_loss(world: World, sql: str) -> None:
    """Change the provider's books once, when the answer of the second submit was lost."""

    def change(_runner: Runner, event: Event) -> None:
        if event.kind == "answer_lost" and not done:
            done.append(event)
            assert world.account is not None
            world.account._db.execute(sql)

    done: list[Event] = []
    world.observe = change


@pytest.mark.long
def test_a_lost_submit_that_failed_at_no_cost_is_sent_again(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=LOST)
    after_loss(world, "UPDATE requests SET failure = 'crashed' WHERE seq = 2")
    end = world.run(batch_of(3))
    kinds = [event.kind for event in world.events if event.take == "sh001_t1"]
    assert (end.exit_code, states(world), world.submits) == (ExitCode.OK, ["verified"] * 3, 4)
    assert kinds[kinds.index("found_failed") - 1 :][:3] == ["searched", "found_failed", "retry_planned"]
    first = next(event.at for event in world.events if event.kind == "searched")
    proven = next(event.at for event in world.events if event.kind == "found_failed")
    assert proven - first >= timedelta(hours=24)  # the log's lag, as long as it is not known
    assert charged_twice(world) == []


def test_a_lost_submit_that_failed_is_not_tried_more_often_than_allowed(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=LOST, settings=RunSettings(rates=Rates(max_attempts=1)))
    after_loss(world, "UPDATE requests SET failure = 'crashed' WHERE seq = 2")
    end = world.run(batch_of(3))
    assert (end.exit_code, states(world)[1], world.submits) == (ExitCode.TAKES_FAILED, "failed", 3)


def test_a_lost_submit_that_failed_and_is_charged_is_for_a_person(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=LOST)
    after_loss(world, "UPDATE requests SET failure = 'crashed', fault = 'fail_charged' WHERE seq = 2")
    end = world.run(batch_of(3))
    take = world.takes()[1]
    assert (end.exit_code, take.state, world.submits) == (ExitCode.DECISION_NEEDED, State.HELD, 3)
    assert "its ledger shows a charge for" in take.error


def test_two_generations_for_one_submit_are_named(tmp_path: Path) -> None:
    columns = "at, key, client_request_id, fault, body, body_sha256, http_status, model, credits, starts_at, ends_at"
    world = World(tmp_path / "out", rules=LOST)
    after_loss(
        world,
        f"INSERT INTO requests ({columns}, inference_id) SELECT {columns}, 'twin' FROM requests WHERE seq = 2",
    )
    end = world.run(batch_of(3))
    take = world.takes()[1]
    assert (end.exit_code, take.state) == (ExitCode.DECISION_NEEDED, State.VERIFIED)
    assert "DOUBLE" in take.warning
    with StateReader.open(world.output) as reader:
        made = {each.generation_id: each.credits_charged for each in reader.attempts_of(2)}
    assert made == {row["inference_id"]: PRICE for row in world.ledger() if row["client_request_id"] == take.request_id}
    assert (len(made), take.credits_charged, take.credits_at_risk) == (2, 2 * PRICE, 0)
    assert world.run(batch_of(3)).exit_code is ExitCode.OK  # it was told, and nothing is left to decide


def test_a_short_grace_of_the_user_hides_no_second_generation_that_the_log_shows_late(tmp_path: Path) -> None:
    columns = "at, key, client_request_id, fault, body, body_sha256, http_status, model, credits, starts_at"

    def make_twin(runner: Runner, event: Event) -> None:
        if event.kind == "verified":
            assert world.account is not None
            world.account._db.execute(
                f"INSERT INTO requests ({columns}, ends_at, inference_id)"
                f" SELECT {columns}, ends_at + {7 * HOURS}, 'twin' FROM requests WHERE seq = 1"
            )

    short = timedelta(minutes=2)
    world = World(tmp_path / "out", settings=RunSettings(limit=1, unknown_grace=short), observe=make_twin)
    world.run(batch_of(3))
    world.observe = None
    world.elapsed_s += 6 * HOURS
    world.run(batch_of(3))  # the row of the second generation is not in the log yet
    world.elapsed_s += 40 * HOURS
    world.settings = RunSettings()
    end = world.run(batch_of(3))
    assert (end.exit_code, "DOUBLE" in world.takes()[0].warning) == (ExitCode.DECISION_NEEDED, True)


@pytest.mark.parametrize("rule", [Rule("ledger", "status", code=503), Rule("ledger", "html")], ids=["503", "html"])
def test_without_the_ledger_nothing_is_presumed(tmp_path: Path, rule: Rule) -> None:
    world = World(
        tmp_path / "out",
        rules=(Rule("submit", "drop_before", nth=(2,)), rule),
        settings=RunSettings(on_unknown=OnUnknown.RESUBMIT, unknown_grace=timedelta(minutes=20)),
    )
    end = world.run(batch_of(3))
    assert (end.exit_code, states(world)[1], world.submits) == (ExitCode.DECISION_NEEDED, "held", 2)
    assert "could not read the provider's ledger" in world.takes()[1].error
    held = next(event.at for event in world.events if event.kind == "held")
    assert held - EPOCH >= timedelta(hours=1)  # three graces of 20 min


def test_a_take_given_up_that_was_made_after_all_is_told(tmp_path: Path) -> None:
    hold = RunSettings(on_unknown=OnUnknown.HOLD)
    world = World(tmp_path / "out", rules=LOST, settings=hold)
    world.run(batch_of(3))
    with StateReader.open(tmp_path / "out") as reader:
        identity = reader.identity()
    state = StateFile.create_or_open(tmp_path / "out", identity)
    state.record(2, entry(Fact.ABANDONED, EPOCH, {"error": "given up"}))
    state.close()
    world.elapsed_s += 5 * HOURS
    end = world.run(batch_of(4))
    take = world.takes()[1]
    assert (end.exit_code, take.state, "made a generation after all" in take.warning) == (
        ExitCode.DECISION_NEEDED, State.FAILED, True,
    )  # fmt: skip
    assert (take.credits_charged, take.credits_at_risk, "DOUBLE" in take.warning) == (PRICE, 0, False)


def test_a_cost_that_was_unknown_is_known_once_the_submit_is_found(tmp_path: Path) -> None:
    capped = RunSettings(on_unknown=OnUnknown.HOLD, cap_credits=3 * PRICE)
    world = World(tmp_path / "out", rules=(Rule("submit", "drop_after", nth=(1,)),), settings=capped)
    world.run(batch_of(1))
    with StateReader.open(tmp_path / "out") as reader:
        identity = reader.identity()
    state = StateFile.create_or_open(tmp_path / "out", identity)
    take = state.record(1, entry(Fact.RESUBMIT_ALLOWED, EPOCH, {"error": ""}))
    assert (take.credits_at_risk, take.credits_committed) == (None, None)
    state.close()
    world.elapsed_s += HOURS
    assert world.run(batch_of(1)).exit_code is ExitCode.OK
    take = world.takes()[0]
    assert (take.credits_at_risk, take.credits_charged, take.state) == (0, PRICE, State.VERIFIED)
    assert world.submits == 1  # it was found before it was sent again
