"""The reports: tables and pages derived from the state file alone. The same state gives the same files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from wanbatch.batch.lifecycle import Fact
from wanbatch.batch.take import charged_by
from wanbatch.disk import own_folder, replace_text, sweep_parts
from wanbatch.folders import CLIPS
from wanbatch.reporting.cost_files import cost_report, write_costs
from wanbatch.reporting.csv_file import csv_text
from wanbatch.reporting.sidecar import write_sidecar
from wanbatch.reporting.summary import summary_facts
from wanbatch.state.reader import StateReader
from wanbatch.state.shown import shown_attempts, shown_shots, shown_take


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
