"""The progress of each batch of a cost report: what is done, what is left, why it waits, and how to go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from wanbatch.batch.lifecycle import State
from wanbatch.batch.remedies import in_folder
from wanbatch.money.at_risk import AtRisk, at_risk_words
from wanbatch.money.remaining import remaining_json
from wanbatch.reporting.book import Book
from wanbatch.reporting.sidecar import iso
from wanbatch.reporting.summary import needs_of, problems_of
from wanbatch.state.needs import Problem
from wanbatch.state.next_step import NextStep
from wanbatch.state.shown import shown_folder, shown_text
from wanbatch.state.tables import Run


def progress_json(book: Book, at_risk: AtRisk) -> dict[str, Any]:
    """Return the progress of a batch: its takes by what became of them, the end of its last run, and how to go on.

    Of shots that are left out, `left_out` takes are verified, and `left_out_unfinished` wait for the user or are on
    their way; neither is among `takes`.

    `stopped` is how the run ended that tells why takes wait, null if none does; `last_run` is null before the first,
    and has no end while it is `running`, or if it was cut off.
    `at_risk` is what may still be charged; `at_risk_words` say who settles it, and
    `unfetched_words` what is ordered and not fetched, with its command, once no run goes on.
    """
    record = book.record
    takes = record.takes
    states = takes.loc[book.is_asked_for, "state"]
    others = takes.loc[~takes["superseded"] & book.is_of_shot_left_out & ~book.is_left_out]
    counts = {name: int(states.isin(each).sum()) for name, each in _GROUPS.items()}
    last = record.runs[-1] if record.runs else None
    problems = problems_of(record, folder_of(book))
    step = _next_step(book, problems)
    return {
        "batch": book.batch,
        "takes": len(states),
        **counts,
        "left_out": int(book.is_left_out.sum()),
        "left_out_unfinished": len(others),
        "remaining": remaining_json(record.remaining),
        "at_risk_words": "" if record.is_running else _at_risk_words(book, at_risk),
        "running": record.is_running,
        "last_run": None if last is None else _end_of(book, last),
        "stopped": None if record.early_end is None else _end_of(book, record.early_end),
        "needs": needs_of(problems),
        "unfetched_words": step.fetch_line,
        "next": step.lines_with(lambda command: f"`{command}`"),
    }


def _at_risk_words(book: Book, at_risk: AtRisk) -> str:
    left = book.record.remaining
    return at_risk_words(at_risk, left.later, left.clips_listed_later, folder_of(book))


_GROUPS = {
    "verified": (State.VERIFIED.value,),
    "to_be_sent": (State.PLANNED.value,),
    "failed": (State.FAILED.value,),
    "waiting_for_you": (State.HELD.value,),
    "on_their_way": tuple(
        each.value for each in State if each not in (State.VERIFIED, State.PLANNED, State.FAILED, State.HELD)
    ),
}


def _end_of(book: Book, run: Run) -> dict[str, Any]:
    """Return when a run ended and what it said; without an end where it was cut off."""
    shown = _shown_run(book, run)
    return {
        "started_at": iso(shown.started_at),
        "ended_at": iso(shown.ended_at),
        "speed": shown.speed,
        "exit_code": shown.exit_code,
        "message": shown.message,
        "stops": list(shown.details.stops),
        "is_last": run is book.record.runs[-1],
    }


def _shown_run(book: Book, run: Run) -> Run:
    output = book.record.output
    return replace(run, message=in_folder(shown_text(run.message, output), folder_of(book)))


def folder_of(book: Book) -> str:
    """Return the output folder as commands name it: as it was given, or by its name if it was given as a whole path."""
    output = book.record.output
    return str(output) if not output.is_absolute() and ".." not in output.parts else shown_folder(output)


def _next_step(book: Book, problems: Sequence[Problem]) -> NextStep:
    """Return what decides how to go on, with the folder as a page names it."""
    record = book.record
    return NextStep(
        command=record.command,
        folder=folder_of(book),
        last_run=record.runs[-1] if record.runs else None,
        remaining=record.remaining,
        problems=problems,
        is_running=record.is_running,
        is_elsewhere=record.is_elsewhere,
        is_finished=record.is_finished,
    )
