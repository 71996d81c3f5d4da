"""The result of a run: its reports, and how it ended."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from wanbatch.batch.progress import BatchProgress
from wanbatch.clock import Clock, system_now
from wanbatch.errors import ExitCode, WanbatchError
from wanbatch.runner.end_code import TROUBLED_STATES, RunEnd, end_code, without_reports
from wanbatch.runner.settings import RunSettings
from wanbatch.session.invocation import Invocation
from wanbatch.session.options import RunResult
from wanbatch.session.posters import make_missing_posters
from wanbatch.state.file import StateFile


def result_of(invocation: Invocation, state: StateFile, end: RunEnd, clock: Clock | None) -> RunResult:
    """Write the reports, where they are wanted, and sum up."""
    page, kinds = None, state.inventory().kinds
    if invocation.options.makes_report and kinds:
        try:
            from wanbatch.reporting.files import write_reports

            make_missing_posters(state)
            page = write_reports(state, made_at=_made_at(invocation, clock)).report
        except Exception as error:  # noqa: BLE001  the end of a run is reported even if a library of the tables fails
            end = without_reports(end, error)
    progress = BatchProgress.of(kinds, [each.credits_held for each in state.strays()])
    return RunResult(end.exit_code, end.messages, state.output, progress, page)


def rewrite_reports(state: StateFile) -> None:
    """Write the reports again, if they can be written; what is there stays otherwise."""
    from wanbatch.reporting.files import write_reports

    with suppress(OSError, WanbatchError):
        write_reports(state, made_at=system_now())


def renew_reports(state: StateFile) -> None:
    """Write the reports again where there are some: what was decided or found between runs is in them."""
    if (state.output / "reports" / "report.html").is_file():
        rewrite_reports(state)


def _made_at(invocation: Invocation, clock: Clock | None) -> datetime:
    """Return when reports are made, by the clock on the wall: that of a sandbox in a hurry is ahead of it."""
    return system_now() if clock is None or invocation.access.speed != 1 else clock.now()


def settled_code(state: StateFile, settings: RunSettings) -> ExitCode:
    """Return how a batch ends that has nothing left to do."""
    return end_code(filter(settings.is_selected, state.takes_in(TROUBLED_STATES)), state.offered(), state.given_up())
