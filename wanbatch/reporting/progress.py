"""The progress of each batch of a cost report: what is done, what is left, and how its last run ended."""

from __future__ import annotations

from typing import Any

from wanbatch.batch.advice import in_folder
from wanbatch.batch.lifecycle import State
from wanbatch.reporting.book import Book
from wanbatch.reporting.sidecar import iso
from wanbatch.state.shown import shown_folder, shown_text


def progress_json(book: Book) -> dict[str, Any]:
    """Return the progress of a batch: its takes by what became of them, and the end of its last run."""
    record = book.record
    states = record.takes.loc[~record.takes["superseded"], "state"]
    counts = {name: int(states.isin(each).sum()) for name, each in _GROUPS.items()}
    return {"batch": book.batch, "takes": len(states), **counts, "last_run": _last_run(book)}


_GROUPS = {
    "verified": (State.VERIFIED.value,),
    "to_be_sent": (State.PLANNED.value,),
    "failed": (State.FAILED.value,),
    "waiting_for_you": (State.HELD.value,),
    "on_their_way": tuple(
        each.value for each in State if each not in (State.VERIFIED, State.PLANNED, State.FAILED, State.HELD)
    ),
}


def _last_run(book: Book) -> dict[str, Any] | None:
    """Return when the last run ended and what it said; None before the first, without an end where it was cut off."""
    if not book.record.runs:
        return None
    run, output = book.record.runs[-1], book.record.output
    message = in_folder(shown_text(run.message, output), shown_folder(output))
    return {"ended_at": iso(run.ended_at), "exit_code": run.exit_code, "message": message}
