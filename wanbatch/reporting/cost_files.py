"""The files of the cost report: of one batch in its `reports/`, or of several together in a folder of their own."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wanbatch.disk import own_folder, replace_parts, replace_text
from wanbatch.errors import UsageInvalid
from wanbatch.money.at_risk import AtRisk
from wanbatch.money.baseline import Baseline
from wanbatch.money.costs import Figure, Figures
from wanbatch.money.credits import exact_usd, usd
from wanbatch.money.currency import Currency, read_currency
from wanbatch.money.ledger import LedgerLine
from wanbatch.reporting.csv_text import csv_parts, csv_rows
from wanbatch.reporting.sidecar import iso
from wanbatch.state.reader import StateReader
from wanbatch.version import __version__

if TYPE_CHECKING:
    import pandas as pd

    from wanbatch.reporting.book import Book
    from wanbatch.reporting.costs import Costs

SHOTS_SHOWN = 20
CONVERTED = ("budget", "estimated", "charged", "committed", "final")
LEDGER_COLUMNS = (
    "verdict", "take", "generation_id", "request_id", "held_usd", "held_credits", "charged_usd", "charged_credits",
    "difference_usd", "difference_credits", "charges", "refunded_usd", "refunded_credits", "charged_at", "read_at",
)  # fmt: skip


@dataclass(frozen=True)
class CostFiles:
    """Where the cost report is."""

    costs: Path
    costs_json: Path
    shots: Path
    spend: Path
    prices: Path
    variance: Path


def cost_facts(books: Sequence[Book], tables: Costs, currency: Currency | None = None) -> dict[str, Any]:
    """Return the cost report as JSON values: credits are whole, USD exact, null where unknown."""
    from wanbatch.reporting.progress import progress_json
    from wanbatch.reporting.spend import spend_by_time

    return {
        "batches": [book.batch for book in books],
        "sandbox": any(book.record.identity.sandbox for book in books),
        "progress": [progress_json(book, _at_risk(tables.costs, book.batch)) for book in books],
        "figures": [{"batch": book.batch, **figures_json(book.figures)} for book in books],
        "submits_of_no_take": sum(len(book.record.strays) for book in books),
        "levels": _records(tables.costs),
        "shots_that_cost_most": _records(most_unchosen(tables.shots)),
        "spend": spend_by_time(tables.spend),
        "prices": _records(tables.prices),
        "converted": None if currency is None else _converted(tables.costs, currency),
        "baselines": [baseline_json(book.batch, book.record.baseline) for book in books if book.record.baseline],
        "without_baseline": [
            {"batch": book.batch, "why": book.record.no_baseline} for book in books if book.record.baseline is None
        ],
    }


def _at_risk(costs: pd.DataFrame, batch: str) -> AtRisk:
    """Return the credits of a batch that may still be charged, as far as they are known, and how many takes are not."""
    is_whole = (costs["level"] == "batch") & (costs["batch"] == batch)
    ((known, unknown),) = costs.loc[is_whole, ["at_risk_known_credits", "takes_of_unknown_cost"]].to_numpy()
    return AtRisk(int(known), int(unknown))


def most_unchosen(shots: pd.DataFrame) -> pd.DataFrame:
    """Return the shots whose takes outside of the cut cost most, at most SHOTS_SHOWN."""
    beside = shots["outside_cut_credits"]
    order = beside[beside > 0].sort_values(ascending=False, kind="stable").index[:SHOTS_SHOWN]
    return shots.loc[order]


def _converted(costs: pd.DataFrame, currency: Currency) -> dict[str, Any]:
    """Return the sums by group in another currency: cents as text, and the known part of one with its mark."""
    rows = [
        {
            **{name: row[name] for name in ("level", "batch", "key")},
            **{name: _converted_sum(row, name, currency) for name in CONVERTED},
        }
        for row in _records(costs)
    ]
    return {"code": currency.code, "rate": f"{currency.rate:f}", "note": currency.note, "rows": rows}


def _converted_sum(row: Mapping[str, Any], name: str, currency: Currency) -> str:
    whole: int | None = row[f"{name}_credits"]
    if whole is not None or f"{name}_known_credits" not in row:
        return currency.amount(whole)
    known: int = row[f"{name}_known_credits"]
    return f"{currency.amount(known)}+?" if known else "unknown"


def kept_currency(folder: Path) -> Currency | None:
    """Return the currency and the rate of the cost report in a folder; None without any, or if it cannot be read."""
    try:
        told = json.loads((folder / "costs.json").read_text(encoding="utf-8"))["converted"]
        return None if told is None else read_currency(f"{told['code']}={told['rate']}")
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def baseline_json(batch: str, baseline: Baseline) -> dict[str, Any]:
    """Return the first confirmed plan and what was added to it; a sum is null while a part of it is unknown."""
    return {
        "batch": batch,
        "kept_at": iso(baseline.at),
        "takes": baseline.takes,
        "credits": None if baseline.unpriced else baseline.credits,
        "known_credits": baseline.credits,
        "unpriced_takes": baseline.unpriced,
        "words": baseline.words,
        "variance_known_credits": baseline.variance,
        "final_credits": None if baseline.unknown else baseline.final,
        "final_known_credits": baseline.final,
        "unknown_takes": baseline.unknown,
        "final_words": baseline.final_words,
        "variance": [
            {"reason": part.reason.value, "words": part.words, "takes": part.count, "credits": part.credits,
             "unknown_takes": part.unknown}
            for part in baseline.parts
        ],
    }  # fmt: skip


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


def write_costs(folder: Path, tables: Costs, facts: Mapping[str, Any]) -> CostFiles:
    """Write the tables and the JSON of a cost report."""
    files = CostFiles(
        costs=folder / "costs.csv",
        costs_json=folder / "costs.json",
        shots=folder / "shots.csv",
        spend=folder / "spend.csv",
        prices=folder / "prices.csv",
        variance=folder / "variance.csv",
    )
    replace_parts(files.costs, csv_parts(tables.costs))
    replace_parts(files.shots, csv_parts(tables.shots))
    replace_parts(files.spend, csv_parts(tables.spend))
    replace_parts(files.prices, csv_parts(tables.prices))
    replace_parts(files.variance, csv_parts(tables.variance))
    replace_text(files.costs_json, json.dumps(facts, ensure_ascii=False, indent=2) + "\n")
    return files


def write_combined(
    outputs: Sequence[Path],
    folder: Path,
    made_at: datetime,
    currency: Currency | None = None,
    *,
    has_workbook: bool = False,
) -> tuple[Path, dict[str, Any]]:
    """Write one cost report of several batches into a folder; returns its page and what it says.

    Raises UsageInvalid if one batch is named twice, even as a copy, or sandboxes and real money would be summed.
    """
    from wanbatch.reporting.book import book_of
    from wanbatch.reporting.costs import make_costs
    from wanbatch.reporting.page import render_combined
    from wanbatch.reporting.record import read_record
    from wanbatch.reporting.workbook import WORKBOOK_NAME, write_workbook

    books: list[Book] = []
    homes: dict[str, Path] = {}
    for output in outputs:
        with StateReader.open(output) as reader:
            book = book_of(read_record(reader))
        nonce = book.record.identity.nonce
        if nonce in homes:
            raise UsageInvalid(f"{output} is the same batch as {homes[nonce]}: its charges would be counted twice")
        homes[nonce] = output
        books.append(book)
    books = _told_apart(books)
    if len({book.record.identity.sandbox for book in books}) > 1:
        raise UsageInvalid("some of these batches ran on a sandbox, others cost real money: report them separately")
    tables = make_costs(books)
    facts = {"made_at": iso(made_at), "version": __version__, **cost_facts(books, tables, currency)}
    write_costs(folder, tables, facts)
    if has_workbook:
        write_workbook(folder / WORKBOOK_NAME, tables, facts, currency)
    page = folder / "costs.html"
    replace_text(page, render_combined(facts, WORKBOOK_NAME if has_workbook else ""))
    return page, facts


def _told_apart(books: Sequence[Book]) -> list[Book]:
    """Add to the names of batches that are called the same those of their folders."""
    told = list(books)
    for depth in range(1, 1 + max(len(book.record.output.resolve().parts) for book in books)):
        names = Counter(book.batch for book in told)
        told = [
            replace(each, batch=f"{book.batch} ({_end_of(book.record.output, depth)})")
            if names[each.batch] > 1
            else each
            for book, each in zip(books, told, strict=True)
        ]
    return told


def _end_of(output: Path, depth: int) -> str:
    """Return the last parts of a path."""
    return "/".join(output.resolve().parts[-depth:])


def ledger_rows(lines: Sequence[LedgerLine], read_at: datetime) -> list[dict[str, Any]]:
    """Return the rows of `ledger.csv`: one per generation, by the columns of LEDGER_COLUMNS, as the ledger was read."""
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
            **{
                f"{name}_usd": None if value is None else exact_usd(value)
                for name, value in (
                    ("held", line.held),
                    ("charged", line.charged),
                    ("difference", line.difference),
                    ("refunded", line.refunded),
                )
            },
            "charged_at": iso(line.at),
            "read_at": iso(read_at),
        }
        for line in lines
    ]


def write_ledger(output: Path, lines: Sequence[LedgerLine], read_at: datetime) -> Path:
    """Write `reports/ledger.csv`; empty cells for unknown. `read_at` is when the ledger was read."""
    path = own_folder(output, "reports") / "ledger.csv"
    rows = ledger_rows(lines, read_at)
    replace_text(path, csv_rows(LEDGER_COLUMNS, [[row[name] for name in LEDGER_COLUMNS] for row in rows]))
    return path
