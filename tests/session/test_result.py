"""The result of a run: it sums up what status does."""

from __future__ import annotations

from pathlib import Path

from wanbatch.clock import system_now
from wanbatch.errors import ExitCode
from wanbatch.provider.endpoint import load_settings
from wanbatch.runner.end_code import RunEnd
from wanbatch.session.access import Access
from wanbatch.session.invocation import Invocation
from wanbatch.session.options import RunOptions, Watch
from wanbatch.session.result import result_of
from wanbatch.state.file import StateFile
from wanbatch.state.progress_reader import read_overview
from wanbatch.state.tables import Stray, new_identity


def test_the_end_of_a_run_counts_submits_of_no_take_as_status_does(tmp_path: Path) -> None:
    now = system_now()
    invocation = Invocation(RunOptions(makes_report=False), Access(load_settings({}, None, tmp_path)), Watch())
    with StateFile.create_or_open(tmp_path / "out", new_identity("film", "u", "k", now, sandbox=False)) as state:
        state.note_stray(Stray("wb1:n:r:7.1", "G7", 7, now, "the provider's log"))
        state.note_stray(Stray("wb1:n:r:8.1", None, None, now, "run.log"))
        result = result_of(invocation, state, RunEnd(ExitCode.OK, ()), None)
    assert (result.credits_committed, result.uncosted) == (7, 1)
    assert result.progress == read_overview(tmp_path / "out").progress
