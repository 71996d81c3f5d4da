"""Breaks of how the log is read: from when on, how whole, and by which state file."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.simulation.mutants.registry import Patches, mutant
from wanbatch.provider import answers, requestlog
from wanbatch.runner.searches import Searches


@mutant
def the_lag_is_not_taken_off_the_read_mark() -> Patches:
    yield Searches, "_mark_grace", lambda _: timedelta(0)


@mutant
def a_state_file_from_before_the_first_submit_is_not_checked() -> Patches:
    real = Searches.plan

    def plan(self: Searches) -> None:
        state = self._context.state
        state.is_new = state.is_new or state.first_sent_at() is None
        real(self)

    yield Searches, "plan", plan


class _Any(int):
    """A total that any number of rows is equal to."""

    __hash__ = int.__hash__

    def __eq__(self, _: object) -> bool:
        return True

    def __ne__(self, _: object) -> bool:
        return False


@mutant
def log_rows_are_not_compared_with_the_total() -> Patches:
    real = requestlog.read_log_page

    def read_log_page(fields: Any) -> Any:
        page = real(fields)
        return replace(page, total=_Any(page.total))

    yield requestlog, "read_log_page", read_log_page


@mutant
def a_first_row_of_a_log_page_is_enough() -> Patches:
    yield requestlog, "LOG_LIMIT", 1
    yield requestlog, "read_log_page", lambda fields: answers.LogPage(tuple(fields["data"]), len(fields["data"]))
