"""A submit that something between wanbatch and the provider repeats is named in the very run that sent it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.worlds import Killed, World, batch_of
from wanbatch.errors import ExitCode
from wanbatch.pace.schedule import Rates
from wanbatch.runner.events import Event
from wanbatch.runner.loop import Runner
from wanbatch.runner.settings import OnUnknown, RunSettings
from wanbatch.sandbox.faults import Rule
from wanbatch.sandbox.options import SandboxOptions

pytestmark = pytest.mark.usefixtures("quick_clips")
COLUMNS = "key, fault, body, body_sha256, http_status, model, credits, starts_at, at"


def bought_beside(world: World, request_id: str, *, at_first: bool = False) -> None:
    """Have the provider make, and charge, one more job like the first as soon as one is accepted, or the first one."""

    def make(_: Runner, event: Event) -> None:
        if event.kind == "accepted" and world.account is not None and not (at_first and event.take != "sh000_t1"):
            world.account._db.execute(
                f"INSERT INTO requests ({COLUMNS}, client_request_id, ends_at, inference_id)"
                f" SELECT {COLUMNS}, {request_id}, at + 20, 'another' FROM requests WHERE seq = 1"
            )

    world.observe = make


@pytest.mark.parametrize("is_shared", [True, False])
def test_a_second_job_of_one_submit_is_named_a_double_by_the_first_run(tmp_path: Path, *, is_shared: bool) -> None:
    world = World(tmp_path / "out", settings=RunSettings(is_account_shared=is_shared))
    bought_beside(world, "client_request_id")
    end = world.run(batch_of(1))
    take = world.takes()[0]
    assert (end.exit_code, "DOUBLE" in take.warning, "another" in take.warning) == (
        ExitCode.DECISION_NEEDED, True, True,
    )  # fmt: skip


def test_a_job_of_another_program_is_no_double(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    bought_beside(world, "'another program'")
    assert (world.run(batch_of(1)).exit_code, world.takes()[0].warning) == (ExitCode.OK, "")


def test_a_run_of_some_shots_ends_by_what_it_made_of_the_others(tmp_path: Path) -> None:
    world = World(tmp_path / "out", settings=RunSettings(on_unknown=OnUnknown.HOLD))
    with pytest.raises(Killed):
        world.run(batch_of(2), 1)  # within the submit of the first
    world.settings = replace(world.settings, is_selected=lambda take: take.shot_id == "sh001")
    ends = [world.run(batch_of(2)).exit_code for _ in range(2)]
    assert [take.shown_state for take in world.takes()] == ["held", "verified"]
    assert ends == [ExitCode.DECISION_NEEDED, ExitCode.OK]  # the second run did nothing to the first shot


@pytest.mark.parametrize("is_shared", [True, False])
def test_a_charge_of_nothing_here_is_a_question_if_the_log_cannot_be_read(tmp_path: Path, *, is_shared: bool) -> None:
    rules, settings = (Rule("logs", "status", code=503),), RunSettings(is_account_shared=is_shared)
    world = World(tmp_path / "out", rules=rules, settings=settings)
    bought_beside(world, "client_request_id")
    end = world.run(batch_of(1))
    assert end.exit_code is (ExitCode.OK if is_shared else ExitCode.DECISION_NEEDED)


def test_no_later_reading_of_the_ledger_hides_what_an_earlier_one_showed(tmp_path: Path) -> None:
    rates, options = Rates(in_flight=1), SandboxOptions(log_lag_s=2400, mean_s=1800)
    world = World(tmp_path / "out", settings=RunSettings(rates=rates), options=options)
    bought_beside(world, "client_request_id", at_first=True)
    end = world.run(batch_of(30))
    assert (end.exit_code, "DOUBLE" in world.takes()[0].warning) == (ExitCode.DECISION_NEEDED, True)
