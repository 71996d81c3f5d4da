"""The summary of a run: the facts that the page, the JSON file and the screen share."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pandas as pd

from wanbatch.batch.remedies import in_folder
from wanbatch.batch.take import Take
from wanbatch.money.costs import Figure
from wanbatch.reporting.book import Book
from wanbatch.reporting.record import Record, values_of
from wanbatch.reporting.sidecar import iso
from wanbatch.state.needs import WAITING, Problem, problems_in
from wanbatch.state.shown import shown_folder, shown_text
from wanbatch.version import __version__


def summary_facts(book: Book, summary: pd.DataFrame, made_at: datetime) -> dict[str, Any]:
    """Return what `summary.json` holds: JSON values, null where unknown. `summary` is the table of that name."""
    record, takes = book.record, book.record.takes
    counts = Counter[str](book.money["shown_state"])
    omitted = int(record.shots["omit"].sum())
    if omitted:
        counts["omitted"] = omitted
    groups: list[dict[str, Any]] = json.loads(summary.to_json(orient="records"))
    last = record.runs[-1] if record.runs else None
    problems = problems_of(record)
    figures, committed = book.figures, book.committed
    return {
        "batch": book.batch,
        "output": record.output.resolve().name,
        "sandbox": record.identity.sandbox,
        "provider": shown_text(record.identity.base_url, record.output),
        "created_at": record.identity.created_at,
        "made_at": iso(made_at),
        "version": __version__,
        "counts": counts,
        "left_out_takes": int(book.is_left_out.sum()),
        "elapsed_s": _elapsed_s(takes),
        "credits": {
            "estimated": figures.estimated.credits,
            "last_run_estimated": last.estimate_credits if last is not None and not last.unpriced else None,
            **_in_both("committed", committed),
            **_in_both("charged", figures.charged),
            **_in_both("held", figures.held),
            "unknown_takes": committed.unknown,
            "charges_not_seen": figures.charged.unknown,
            "holds_not_seen": figures.held.unknown,
            "cap": last.cap_credits if last is not None else None,
        },
        "runs": [
            {
                "started_at": iso(run.started_at),
                "ended_at": iso(run.ended_at),
                "exit_code": run.exit_code,
                "speed": run.speed,
                "message": in_folder(shown_text(run.message, record.output), shown_folder(record.output)),
            }
            for run in record.runs
        ],
        "needs": needs_of(problems),
        "problems": [vars(problem) for problem in problems],
        "summary": groups,
    }


def _in_both(name: str, figure: Figure) -> dict[str, int | None]:
    """Return a sum, null while a part of it is unknown, and its known part."""
    return {name: figure.credits, f"{name}_known": figure.known}


def problems_of(record: Record, folder: str = "") -> tuple[Problem, ...]:
    """List what needs the user. Only takes in one of these states can be among it.

    `folder` is the output folder as commands name it, else as `shown_folder` does.
    """
    takes = record.takes
    in_trouble = takes[takes["state"].isin(_URGENCY)]
    mine, folder = values_of(Take, in_trouble), folder or shown_folder(record.output)
    return problems_in(mine, record.strays, findings=record.findings, folder=folder)


def _elapsed_s(takes: pd.DataFrame) -> float | None:
    """Return the seconds from the first submit to the last clip."""
    begin, end = takes["submitted_at"].min(), takes["verified_at"].max()
    return None if pd.isna(begin) or pd.isna(end) else round((end - begin).total_seconds(), 3)


_URGENCY = {"held": 0, "unknown": 1, "failed": 2, WAITING: 3}


_NAMED = 5  # takes to decide about that each have their own commands; more would not be read


def _for_all(problem: Problem) -> str:
    """Return what can be done about several takes, of which this is the first."""
    is_own = problem.take in problem.todo
    return f"{problem.todo}. For the others, do the same with their names" if is_own else problem.todo


def needs_of(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    """Group what needs the user by state, cure and cause: equal text, whatever ids and numbers are in it.

    One that is alone keeps its ids, and so do a few that only the user can decide about: they are what a decision
    needs. Of more of them the commands name the first.

    Held takes come first, since only the user can decide about them; then the most frequent.
    """
    groups: dict[tuple[str, str, str], list[str]] = {}
    every = list(problems)
    keys = [(each.state, each.todo.replace(each.take, "TAKE"), _cause(each.error)) for each in every]
    counted = Counter(keys)
    first = dict(reversed(list(zip(keys, every, strict=True))))
    for key, problem in zip(keys, every, strict=True):
        is_named = counted[key] <= (_NAMED if problem.needs_user else 1)
        own = (problem.state, problem.todo, problem.error) if is_named else (key[0], _for_all(first[key]), key[2])
        groups.setdefault(own, []).append(problem.take)
    ordered = sorted(groups.items(), key=lambda item: (_URGENCY.get(item[0][0], 0), item[0][1], -len(item[1]), item[0]))
    return [
        {"state": state, "todo": todo, "cause": cause, "count": len(labels), "takes": labels}
        for (state, todo, cause), labels in ordered
    ]


def _cause(error: str) -> str:
    cause = re.sub(r"wb1:[A-Za-z0-9:.]+", "…", error)
    cause = re.sub(r"(?<![\w-])(?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{16,}(?![\w-])", "…", cause)  # an id: long, with a digit
    return re.sub(r"(?<!HTTP )(?<![\w.])\d+(\.\d+)?(?![\w-])", "#", cause)  # not those of a name: wan2.1-t2v
