"""The reports: tables and pages derived from the state file alone. The same state gives the same files."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wanbatch import __version__
from wanbatch.disk import replace_text
from wanbatch.reporting.sidecar import iso, write_sidecar
from wanbatch.standing import problems_in
from wanbatch.state import StateReader

if TYPE_CHECKING:
    import pandas as pd

FREE_TEXT = frozenset({"prompt", "notes", "error", "warning", "scene", "sequence", "tags", "cost_code", "key"})
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


def write_reports(reader: StateReader, *, made_at: datetime) -> ReportFiles:
    """Write all reports of an output folder. A crash leaves each file old or new; `made_at` stands in them."""
    from wanbatch.reporting.frames import frames
    from wanbatch.reporting.page import render_report, render_storyboard

    output = reader.output
    folder = output / "reports"
    files = ReportFiles(
        report=folder / "report.html",
        storyboard=output / "storyboard.html",
        takes=folder / "takes.csv",
        attempts=folder / "attempts.csv",
        summary=folder / "summary.csv",
        summary_json=folder / "summary.json",
    )
    with reader.snapshot():
        tables = frames(reader)
        facts = summary_facts(reader, tables.summary, made_at)
        shots = {shot.shot_id: shot for shot in reader.shots()}
        takes, attempts = reader.takes(), reader.attempts()
    replace_text(files.takes, csv_text(tables.takes))
    replace_text(files.attempts, csv_text(tables.attempts))
    replace_text(files.summary, csv_text(tables.summary))
    replace_text(files.summary_json, json.dumps(facts, ensure_ascii=False, indent=2) + "\n")
    by_take: dict[int, list[Any]] = {}
    for attempt in attempts:
        by_take.setdefault(attempt.take_id, []).append(attempt)
    for take in takes:
        if take.file is not None and (output / take.file).is_file():
            write_sidecar(output, take, shots[take.shot_id], by_take.get(take.take_id, []))
    replace_text(files.report, render_report(facts, tables, takes))
    replace_text(files.storyboard, render_storyboard(facts, takes, list(shots.values()), output))
    return files


def summary_facts(reader: StateReader, summary: pd.DataFrame, made_at: datetime) -> dict[str, Any]:
    """Return what `summary.json` holds: JSON values, null where unknown."""
    identity, takes, runs = reader.identity(), reader.takes(), reader.runs()
    counts: dict[str, int] = {}
    for take in takes:
        counts[take.shown_state] = counts.get(take.shown_state, 0) + 1
    omitted = sum(shot.omit for shot in reader.shots())
    if omitted:
        counts["omitted"] = omitted
    committed = [take.credits_committed for take in takes]
    last = runs[-1] if runs else None
    first_submit = min((take.submitted_at for take in takes if take.submitted_at), default=None)
    last_clip = max((take.verified_at for take in takes if take.verified_at), default=None)
    elapsed_s = (last_clip - first_submit).total_seconds() if first_submit and last_clip else None
    return {
        "batch": identity.batch,
        "output": reader.output.resolve().name,
        "sandbox": identity.sandbox,
        "provider": identity.base_url,
        "created_at": identity.created_at,
        "made_at": iso(made_at),
        "version": __version__,
        "counts": counts,
        "elapsed_s": elapsed_s,
        "credits": {
            "estimate": last.estimate_credits if last is not None and not last.unpriced else None,
            "committed": sum(value or 0 for value in committed),
            "charged": sum(take.credits_charged or 0 for take in takes),
            "held": sum(take.credits_held or 0 for take in takes),
            "unknown_takes": sum(value is None for value in committed),
            "cap": last.cap_credits if last is not None else None,
        },
        "runs": [
            {
                "started_at": iso(run.started_at),
                "ended_at": iso(run.ended_at),
                "exit_code": run.exit_code,
                "speed": run.speed,
                "message": run.message,
            }
            for run in runs
        ],
        "failures": causes([(take.label, take.error) for take in takes if take.error]),
        "problems": [vars(problem) for problem in problems_in(takes)],
        "summary": json.loads(summary.to_json(orient="records")) if len(summary) else [],
    }


def causes(errors: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """Group errors by cause: the same words, whatever ids and numbers stand in them. Most frequent first."""
    groups: dict[str, list[str]] = {}
    for label, error in errors:
        cause = re.sub(r"wb1:[A-Za-z0-9:.]+", "…", error)
        cause = re.sub(r"\b(?!HTTP\b)[A-Za-z0-9_-]{16,}\b", "…", cause)
        cause = re.sub(r"(?<!HTTP )\b\d+(\.\d+)?\b", "#", cause)
        groups.setdefault(cause, []).append(label)
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    return [{"cause": cause, "count": len(labels), "takes": labels} for cause, labels in ordered]


def csv_text(frame: pd.DataFrame) -> str:
    """Write a table as CSV: RFC 4180 quoting, LF line ends, empty cells for unknown, no cell that is a formula."""
    import pandas as pd

    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(frame.columns)
    columns = []
    for name in frame.columns:
        values = frame[name].tolist()
        columns.append([_cell(name, None if pd.isna(value) else value) for value in values])
    writer.writerows(zip(*columns, strict=True))
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
    if name in FREE_TEXT and text.startswith(_FORMULA_STARTS):
        text = f"'{text}"
    return text.replace("\r\n", "\n").replace("\r", "\n")  # a bare CR is not quoted, and ends a row for many readers
