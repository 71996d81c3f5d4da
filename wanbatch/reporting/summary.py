"""The summary of a run: the facts that the page, the JSON file and the screen share."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from wanbatch.batch.advice import in_folder
from wanbatch.batch.take import Take
from wanbatch.reporting.sidecar import iso
from wanbatch.state.needs import Problem, Told, problems_in
from wanbatch.state.reader import StateReader
from wanbatch.state.shown import shown_folder, shown_text
from wanbatch.version import __version__

if TYPE_CHECKING:
    import pandas as pd


def summary_facts(
    reader: StateReader, takes: Sequence[Take], summary: pd.DataFrame, made_at: datetime
) -> dict[str, Any]:
    """Return what `summary.json` holds: JSON values, null where unknown. `takes` are those that may be shown."""
    identity, runs = reader.identity(), reader.runs()
    counts: dict[str, int] = {}
    for take in takes:
        counts[take.shown_state] = counts.get(take.shown_state, 0) + 1
    omitted = sum(shot.omit for shot in reader.shots())
    if omitted:
        counts["omitted"] = omitted
    groups: list[dict[str, Any]] = json.loads(summary.to_json(orient="records"))
    whole = groups[0]
    committed = [take.credits_committed for take in takes]
    last = runs[-1] if runs else None
    first_submit = min((take.submitted_at for take in takes if take.submitted_at), default=None)
    last_clip = max((take.verified_at for take in takes if take.verified_at), default=None)
    elapsed_s = round((last_clip - first_submit).total_seconds(), 3) if first_submit and last_clip else None
    told = Told(reader.refused(), reader.offered())
    problems = problems_in(takes, reader.strays(), told=told, folder=shown_folder(reader.output))
    return {
        "batch": reader.batch(),
        "output": reader.output.resolve().name,
        "sandbox": identity.sandbox,
        "provider": shown_text(identity.base_url, reader.output),
        "created_at": identity.created_at,
        "made_at": iso(made_at),
        "version": __version__,
        "counts": counts,
        "elapsed_s": elapsed_s,
        "credits": {
            "estimate": last.estimate_credits if last is not None and not last.unpriced else None,
            "committed": _sum_known(committed),
            "charged": whole["credits_charged"],
            "held": whole["credits_held"],
            "unknown_takes": whole["takes_of_unknown_cost"],
            "charges_not_seen": whole["charges_not_seen"],
            "holds_not_seen": whole["holds_not_seen"],
            "cap": last.cap_credits if last is not None else None,
        },
        "runs": [
            {
                "started_at": iso(run.started_at),
                "ended_at": iso(run.ended_at),
                "exit_code": run.exit_code,
                "speed": run.speed,
                "message": in_folder(shown_text(run.message, reader.output), shown_folder(reader.output)),
            }
            for run in runs
        ],
        "needs": needs_of(problems),
        "problems": [vars(problem) for problem in problems],
        "summary": groups,
    }


def _sum_known(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known or not values else None


_URGENCY = {"held": 0, "unknown": 1, "failed": 2}


def needs_of(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    """Group what needs the user by state, what to do and cause: the same words, whatever ids and numbers are in them.

    Held takes come first, since only the user can settle them; then the most frequent.
    """
    groups: dict[tuple[str, str, str], list[str]] = {}
    for problem in problems:
        todo = problem.todo.replace(problem.take, "TAKE")
        groups.setdefault((problem.state, todo, _cause(problem.error)), []).append(problem.take)
    ordered = sorted(groups.items(), key=lambda item: (_URGENCY.get(item[0][0], 0), item[0][1], -len(item[1]), item[0]))
    return [
        {"state": state, "todo": todo, "cause": cause, "count": len(labels), "takes": labels}
        for (state, todo, cause), labels in ordered
    ]


def _cause(error: str) -> str:
    cause = re.sub(r"wb1:[A-Za-z0-9:.]+", "…", error)
    cause = re.sub(r"(?<![\w-])(?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{16,}(?![\w-])", "…", cause)  # an id: long, with a digit
    return re.sub(r"(?<!HTTP )\b\d+(\.\d+)?\b", "#", cause)
