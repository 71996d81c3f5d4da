"""The reports: tables and pages derived from the state file alone. The same state gives the same files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wanbatch.disk import own_folder, replace_parts, replace_text, sweep_parts
from wanbatch.folders import CLIPS
from wanbatch.money.currency import Currency
from wanbatch.reporting.cost_files import cost_facts, kept_currency, write_costs
from wanbatch.reporting.csv_text import csv_parts
from wanbatch.reporting.summary import summary_facts
from wanbatch.state.reader import StateReader

if TYPE_CHECKING:
    from wanbatch.reporting.book import Book
    from wanbatch.reporting.costs import Costs
    from wanbatch.reporting.csv_tables import Frames

SIDECARS_AT_ONCE = 1_000


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


@dataclass(frozen=True)
class _Made:
    """All that is written of a book: tables, what the JSON files hold, and pages."""

    frames: Frames
    costs: Costs
    facts: Mapping[str, Any]
    cost_facts: Mapping[str, Any]
    report: str
    storyboard: str


def write_reports(
    reader: StateReader,
    *,
    made_at: datetime,
    currency: Currency | None = None,
    keeps_currency: bool = True,
    has_workbook: bool = False,
) -> ReportFiles:
    """Write all reports of an output folder. A crash leaves each file old or new; `made_at` is in them; in another
    currency sums are shown beside USD. A workbook that is there is written again, if XlsxWriter is; so are sums in the
    currency of the reports that are there, if `keeps_currency` and no other is named.

    The state file is read once; then all is made; then all is written.
    """
    from wanbatch.reporting.book import book_of
    from wanbatch.reporting.named_clips import place_named_clips
    from wanbatch.reporting.record import read_record
    from wanbatch.reporting.workbook import WORKBOOK_NAME, can_write_workbook, write_workbook

    files = _places(reader.output)
    if currency is None and keeps_currency:
        currency = kept_currency(files.costs.parent)
    book = book_of(read_record(reader))
    has_workbook |= (files.costs.parent / WORKBOOK_NAME).is_file() and can_write_workbook()
    made = _make(book, made_at, currency, WORKBOOK_NAME if has_workbook else "")
    _write(made, files)
    if has_workbook:
        write_workbook(files.costs.parent / WORKBOOK_NAME, made.costs, made.cost_facts, currency)
    _write_sidecars(book)
    place_named_clips(book.record)
    return files


def _places(output: Path) -> ReportFiles:
    folder = own_folder(output, "reports")
    for each in (output, folder, output / CLIPS):
        sweep_parts(each)
    return ReportFiles(
        report=folder / "report.html",
        storyboard=output / "storyboard.html",
        takes=folder / "takes.csv",
        attempts=folder / "attempts.csv",
        summary=folder / "summary.csv",
        summary_json=folder / "summary.json",
        costs=folder / "costs.csv",
    )


def _make(book: Book, made_at: datetime, currency: Currency | None, workbook: str) -> _Made:
    from wanbatch.reporting.costs import make_costs
    from wanbatch.reporting.csv_tables import make_frames
    from wanbatch.reporting.page import render_report
    from wanbatch.reporting.sheet import render_sheet

    frames, costs = make_frames(book), make_costs([book])
    facts = summary_facts(book, frames.summary, made_at)
    costed = cost_facts([book], costs, currency)
    return _Made(
        frames=frames,
        costs=costs,
        facts=facts,
        cost_facts={"made_at": facts["made_at"], **costed},
        report=render_report(book, facts, costed, workbook),
        storyboard=render_sheet(book, facts),
    )


def _write(made: _Made, files: ReportFiles) -> None:
    from wanbatch.reporting.plotting import place_plotly

    replace_parts(files.takes, csv_parts(made.frames.takes))
    replace_parts(files.attempts, csv_parts(made.frames.attempts))
    replace_parts(files.summary, csv_parts(made.frames.summary))
    replace_text(files.summary_json, json.dumps(made.facts, ensure_ascii=False, indent=2) + "\n")
    write_costs(files.costs.parent, made.costs, made.cost_facts)
    place_plotly(files.report.parent)
    replace_text(files.report, made.report)
    replace_text(files.storyboard, made.storyboard)


def _write_sidecars(book: Book) -> None:
    """Write the sidecar of each clip that is there."""
    from wanbatch.reporting.book import sidecars_of

    record = book.record
    takes = record.takes[record.takes["file"].notna()]
    there = [os.path.isfile(f"{record.output}/{file}") for file in takes["file"]]  # noqa: PTH113  of 100,000 names
    rows = takes.index[there]
    for begin in range(0, len(rows), SIDECARS_AT_ONCE):
        for path, text in sidecars_of(book, rows[begin : begin + SIDECARS_AT_ONCE]):
            replace_text(record.output / path, text)
