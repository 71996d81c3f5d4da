"""How the runs of a batch ended, on pages and in workbooks: in the words of `status`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from wanbatch.batch.run_details import RunDetails
from wanbatch.state.next_step import end_text
from wanbatch.state.tables import Run
from wanbatch.units import local_text


def end_lines(progress: Mapping[str, Any]) -> list[str]:
    """Say how the runs of a batch ended that tell why its takes wait, in the words of `status`, the last run last."""
    last, stopped = progress["last_run"], progress["stopped"]
    lines = [_end_words(stopped, "an earlier run")] if stopped is not None and not stopped["is_last"] else []
    if last is None:
        return lines
    if progress["running"]:
        return [*lines, f"a run started at {local_text(_run_of(last).started_at)} is still in progress"]
    return [*lines, _end_words(last)]


def _end_words(end: Mapping[str, Any], name: str = "the last run") -> str:
    return end_text(_run_of(end), name).removesuffix(".")


def _run_of(end: Mapping[str, Any]) -> Run:
    ended_at = None if end["ended_at"] is None else datetime.fromisoformat(end["ended_at"])
    began = datetime.fromisoformat(end["started_at"])
    details = RunDetails(stops=tuple(end["stops"]))
    return Run(0, began, ended_at, end["exit_code"], end["speed"], "", None, 0, None, end["message"], details=details)
