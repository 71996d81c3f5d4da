"""A `reconcile` that could not read everything: it never ends as if all were well."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.runner.shared import told
from tests.worlds import World, batch_of
from wanbatch.cli.reconcile import _exit_code, _lines
from wanbatch.errors import ExitCode
from wanbatch.sandbox.faults import FaultPlan, Rule
from wanbatch.session.decisions import Reconciled

pytestmark = pytest.mark.usefixtures("quick_clips")
DAY_S = timedelta(days=1).total_seconds()
WELL = Reconciled((), (), (), (), (), (), (), (), (), 0, is_ledger_read=True)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, ExitCode.OK),
        ({"is_log_read": False}, ExitCode.PROVIDER_UNREACHABLE),
        ({"is_ledger_read": False}, ExitCode.PROVIDER_UNREACHABLE),
        ({"is_log_read": False, "is_log_refused": True}, ExitCode.DECISION_NEEDED),
        ({"is_log_read": False, "doubles": ("a_t1",)}, ExitCode.DECISION_NEEDED),
        ({"is_ledger_read": False, "open": ("a_t1",)}, ExitCode.DECISION_NEEDED),
    ],
)
def test_what_was_not_read_decides_the_exit_code(changes: dict[str, object], code: ExitCode) -> None:
    assert _exit_code(replace(WELL, **changes)) is code  # type: ignore[arg-type]


@pytest.mark.parametrize(("status", "is_refused"), [(403, True), (401, True), (404, True), (500, False), (503, False)])
def test_a_log_that_answers_an_error_is_told_as_unread(tmp_path: Path, status: int, *, is_refused: bool) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(2))
    world.elapsed_s += DAY_S
    world.sandbox.faults = FaultPlan((Rule("logs", "status", code=status, message="no"),), 1)
    found = told(world)
    assert (found.is_log_read, found.is_log_refused) == (False, is_refused)
    assert "the request log could not be read" in " ".join(_lines(found))
    world.sandbox.faults = FaultPlan((), 1)
    assert told(world).is_log_read
