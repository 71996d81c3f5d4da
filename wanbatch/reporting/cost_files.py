"""The files of the cost report: of one batch in its `reports/`, or of several together in a folder of their own."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wanbatch.disk import own_folder, replace_text
from wanbatch.errors import UsageInvalid
from wanbatch.money.costs import Figure, Figures
from wanbatch.money.credits import usd
from wanbatch.money.ledger import LedgerLine
from wanbatch.reporting.sidecar import iso
from wanbatch.state.reader import StateReader
from wanbatch.state.shown import shown_shots
from wanbatch.version import __version__

if TYPE_CHECKING:
    import pandas as pd

    from wanbatch.reporting.costs import Book, Costs

LEDGER_COLUMNS = (
    "verdict", "take", "generation_id", "request_id", "held_credits", "charged_credits", "difference_credits",
    "charges", "refunded_credits", "charged_usd", "charged_at", "read_at",
)  # fmt: skip


@dataclass(frozen=True)
class CostFiles:
    """Where the cost report is."""

    costs: Path
    costs_json: Path
    spend: Path
    prices: Path


def cost_report(reader: StateReader) -> tuple[Costs, dict[str, Any]]:
    """Make the tables of a batch's cost report, and what `costs.json` and the page hold of them."""
    from wanbatch.reporting.costs import make_costs, read_book

    book = _whole(read_book(reader))
    tables = make_costs([book])
    return tables, cost_facts([book], tables)


def _whole(book: Book) -> Book:
    """Give each take whose shot is missing one: no take is left out of a sum."""
    return replace(book, shots=shown_shots(book.shots, book.takes))


def cost_facts(books: Sequence[Book], tables: Costs) -> dict[str, Any]:
    """Return the cost report as JSON values: credits are whole, null where unknown; shares and rates are texts."""
    from wanbatch.reporting.costs import spend_by_time

    return {
        "batches": [book.batch for book in books],
        "sandbox": any(book.is_sandbox for book in books),
        "figures": [{"batch": book.batch, **figures_json(book.figures)} for book in books],
        "submits_of_no_take": sum(book.strays for book in books),
        "levels": _records(tables.costs),
        "spend": spend_by_time(tables.spend),
        "prices": _records(tables.prices),
    }


def figures_json(figures: Figures) -> dict[str, Any]:
    """Return the three figures: each null while a part of it is unknown, its known part and USD beside it."""
    return {name: _figure_json(getattr(figures, name)) for name in ("estimated", "held", "charged")}


def _figure_json(figure: Figure) -> dict[str, Any]:
    return {
        "credits": figure.credits,
        "known_credits": figure.known,
        "known_usd": str(usd(figure.known)),
        "unknown_takes": figure.unknown,
    }


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(frame.to_json(orient="records"))
    return rows


def write_costs(
    folder: Path, tables: Costs, facts: dict[str, Any], text_of: Callable[[pd.DataFrame], str]
) -> CostFiles:
    """Write the tables and the JSON of a cost report; `text_of` writes a table as CSV."""
    files = CostFiles(
        costs=folder / "costs.csv",
        costs_json=folder / "costs.json",
        spend=folder / "spend.csv",
        prices=folder / "prices.csv",
    )
    replace_text(files.costs, text_of(tables.costs))
    replace_text(files.spend, text_of(tables.spend))
    replace_text(files.prices, text_of(tables.prices))
    replace_text(files.costs_json, json.dumps(facts, ensure_ascii=False, indent=2) + "\n")
    return files


def write_combined(
    outputs: Sequence[Path], folder: Path, made_at: datetime, text_of: Callable[[pd.DataFrame], str]
) -> tuple[Path, dict[str, Any]]:
    """Write one cost report of several batches into a folder; returns its page and what it says.

    Raises UsageInvalid where one batch is named twice, also as a copy, or sandboxes and real money would be summed.
    """
    from wanbatch.reporting.costs import make_costs, read_book
    from wanbatch.reporting.page import render_combined

    books: list[Book] = []
    homes: dict[str, Path] = {}
    for output in outputs:
        with StateReader.open(output) as reader, reader.snapshot():
            book = _whole(read_book(reader))
        if book.nonce in homes:
            raise UsageInvalid(f"{output} is the same batch as {homes[book.nonce]}: its charges would be counted twice")
        homes[book.nonce] = output
        taken = {each.batch for each in books}
        books.append(replace(book, batch=f"{book.batch} ({output.resolve().name})") if book.batch in taken else book)
    if len({book.is_sandbox for book in books}) > 1:
        raise UsageInvalid("some of these batches are of a sandbox, others cost real money: report them apart")
    tables = make_costs(books)
    facts = {"made_at": iso(made_at), "version": __version__, **cost_facts(books, tables)}
    write_costs(folder, tables, facts, text_of)
    page = folder / "costs.html"
    replace_text(page, render_combined(facts))
    return page, facts


def ledger_rows(lines: Sequence[LedgerLine], read_at: datetime) -> list[dict[str, Any]]:
    """Return the rows of `ledger.csv`: one a generation, by the columns of LEDGER_COLUMNS, as the ledger was read."""
    return [
        {
            "verdict": line.verdict.value,
            "take": ";".join(line.takes) or None,
            "generation_id": line.generation_id,
            "request_id": ";".join(line.request_ids),
            "held_credits": line.held,
            "charged_credits": line.charged,
            "difference_credits": line.difference,
            "charges": line.charges,
            "refunded_credits": line.refunded,
            "charged_usd": None if line.charged is None else str(usd(line.charged)),
            "charged_at": iso(line.at),
            "read_at": iso(read_at),
        }
        for line in lines
    ]


def write_ledger(output: Path, lines: Sequence[LedgerLine], read_at: datetime) -> Path:
    """Write `reports/ledger.csv`; empty cells for unknown. `read_at` is when the ledger was read."""
    from wanbatch.reporting.csv_file import csv_rows

    path = own_folder(output, "reports") / "ledger.csv"
    rows = ledger_rows(lines, read_at)
    replace_text(path, csv_rows(LEDGER_COLUMNS, [[row[name] for name in LEDGER_COLUMNS] for row in rows]))
    return path
