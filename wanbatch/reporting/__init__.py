"""The reports: tables and pages derived from the state file alone. The same state gives the same files."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wanbatch import __version__
from wanbatch.advice import in_folder
from wanbatch.batch import OWN
from wanbatch.disk import own_folder, replace_text, sweep_parts
from wanbatch.folders import CLIPS
from wanbatch.lifecycle import Fact, Take, charged_by
from wanbatch.reporting.accounts import cost_report, write_costs
from wanbatch.reporting.shown import shown_attempts, shown_folder, shown_shots, shown_take, shown_text
from wanbatch.reporting.sidecar import iso, write_sidecar
from wanbatch.standing import Problem, problems_in
from wanbatch.state import StateReader

if TYPE_CHECKING:
    import pandas as pd

FREE_TEXT = frozenset(
    {
        "prompt",
        "notes",
        "take_note",
        "error",
        "warning",
        "scene",
        "sequence",
        "tags",
        "cost_code",
        "key",
        "model",
        "resolution",
        "aspect_ratio",
        "batch",
        "price_class",
    }
)
BYTE_ORDER_MARK = "\ufeff"
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")


@dataclass(frozen=True)
class ReportFiles:
    """Where the reports are."""

    report: Path
    storyboard: Path
    takes: Path
    attempts: Path
    summary: Path
    summary_json: Path
    costs: Path


def write_reports(reader: StateReader, *, made_at: datetime) -> ReportFiles:
    """Write all reports of an output folder. A crash leaves each file old or new; `made_at` stands in them."""
    from wanbatch.reporting.frames import make_frames
    from wanbatch.reporting.page import Shown, render_report
    from wanbatch.reporting.plotting import place_plotly
    from wanbatch.reporting.sheet import render_sheet

    output = reader.output
    folder = own_folder(output, "reports")
    for each in (output, folder, output / CLIPS):
        sweep_parts(each)
    files = ReportFiles(
        report=folder / "report.html",
        storyboard=output / "storyboard.html",
        takes=folder / "takes.csv",
        attempts=folder / "attempts.csv",
        summary=folder / "summary.csv",
        summary_json=folder / "summary.json",
        costs=folder / "costs.csv",
    )
    with reader.snapshot():
        takes = [shown_take(take, output) for take in reader.takes()]
        attempts, shots = shown_attempts(reader.attempts(), output), shown_shots(reader.shots(), takes)
        tables = make_frames(takes, shots, attempts, reader.batch(), reader.own_cells())
        facts = summary_facts(reader, takes, tables.summary, made_at)
        costs, cost_facts = cost_report(reader)
        charges = [(entry.at, charged_by(entry)) for _, entry in reader.entries(Fact.CHARGED)]
    replace_text(files.takes, csv_text(tables.takes))
    replace_text(files.attempts, csv_text(tables.attempts))
    replace_text(files.summary, csv_text(tables.summary))
    replace_text(files.summary_json, json.dumps(facts, ensure_ascii=False, indent=2) + "\n")
    write_costs(folder, costs, {"made_at": facts["made_at"], **cost_facts}, csv_text)
    by_take: dict[int, list[Any]] = {}
    for attempt in attempts:
        by_take.setdefault(attempt.take_id, []).append(attempt)
    by_id = {shot.shot_id: shot for shot in shots}
    for take in takes:
        if take.file is not None and (output / take.file).is_file():
            write_sidecar(output, take, by_id[take.shot_id], by_take.get(take.take_id, []))
    place_plotly(folder)
    replace_text(files.report, render_report(facts, Shown(takes, attempts, charges), cost_facts))
    replace_text(files.storyboard, render_sheet(facts, takes, shots, output))
    return files


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
    problems = problems_in(takes, reader.strays(), folder=shown_folder(reader.output))
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


def csv_text(frame: pd.DataFrame) -> str:
    """Write a table as CSV: RFC 4180 quoting, LF line ends, empty cells for unknown, no cell that is a formula.

    It begins with a byte order mark: without it Excel reads UTF-8 as the letters of an old code page. pandas skips it,
    Python's csv needs `encoding="utf-8-sig"`.
    """
    import pandas as pd

    columns = [[None if pd.isna(value) else value for value in frame[name].tolist()] for name in frame.columns]
    return csv_rows(list(frame.columns), zip(*columns, strict=True))


def csv_rows(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Write rows as CSV under these column names, like `csv_text`; None is an empty cell."""
    stream = io.StringIO()
    stream.write(BYTE_ORDER_MARK)
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(name, value) for name, value in zip(names, row, strict=True)] for row in rows)
    return stream.getvalue()


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return iso(value) or ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".")
    text = str(value)
    if (name in FREE_TEXT or name.startswith(OWN)) and text.startswith(_FORMULA_STARTS):
        text = f"'{text}"
    return text.replace("\r\n", "\n").replace("\r", "\n")  # a bare CR is not quoted, and ends a row for many readers
