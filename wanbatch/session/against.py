"""A batch against an invoice: the file is read, and held line by line against the charges that are recorded."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from wanbatch.disk import own_folder, replace_text
from wanbatch.errors import LocalFault, UsageInvalid, fault_text
from wanbatch.money.credits import exact_usd
from wanbatch.money.currency import Currency
from wanbatch.money.invoice import SETTLED, TOTALS, Charged, Match, Matched, match_invoice
from wanbatch.money.invoice_table import Unit, read_invoice
from wanbatch.reporting.csv_text import csv_rows
from wanbatch.state.reader import StateReader

SIZE_MAX_BYTES = 64 * 2**20
COLUMNS = (
    "match", "line", "generation_id", "take", "billed_usd", "billed_credits", "charged_usd", "charged_credits",
    "difference_usd", "difference_credits", "billed", "unit", "units_per_usd",
)  # fmt: skip


@dataclass(frozen=True)
class Against:
    """The lines of the comparison, what the amounts of the invoice are in, and where the lines are written."""

    lines: tuple[Matched, ...]
    unit: Unit
    table: Path

    @property
    def is_settled(self) -> bool:
        """Say whether every line and every charge has its counterpart."""
        return all(line.match in SETTLED for line in self.lines)

    @property
    def billed(self) -> list[Matched]:
        """The lines of the invoice that name a generation."""
        return [line for line in self.lines if line.generation_id and line.match is not Match.NOT_ON_INVOICE]

    @property
    def totals(self) -> list[Matched]:
        """The totals that the invoice has itself."""
        return [line for line in self.lines if line.match in TOTALS]

    def of(self, match: Match) -> list[Matched]:
        """Return the lines of one kind."""
        return [line for line in self.lines if line.match is match]


def hold_against(output: Path, file: Path, currency: Currency | None = None) -> Against:
    """Compare the charges of an output folder with an invoice, and write `reports/against.csv`. Sends no request.

    With `currency`, the charges are converted to it. Raises UsageInvalid for a file in which no ids or amounts can be
    found, or whose amounts are in another currency.
    """
    with StateReader.open(output) as reader, reader.snapshot():
        labels = {take.take_id: take.label for take in reader.takes()}
        ours: dict[str, Charged] = {}
        for attempt in reader.attempts():
            if attempt.generation_id is None:
                continue
            before = ours.get(attempt.generation_id)
            if before is None or before.credits is None:
                ours[attempt.generation_id] = Charged(labels.get(attempt.take_id, ""), attempt.credits_charged)
    try:
        invoice = read_invoice(_rows_of(file), ours, currency)
        lines = match_invoice(invoice, ours)
    except ValueError as error:
        raise UsageInvalid(f"{file}: {error}") from error
    table = own_folder(output, "reports") / "against.csv"
    replace_text(table, csv_rows(COLUMNS, [_cells(line, invoice.unit) for line in lines]))
    return Against(tuple(lines), invoice.unit, table)


def _rows_of(file: Path) -> list[list[str]]:
    """Read a table of text with commas, semicolons or tabs. Raises UsageInvalid, LocalFault."""
    try:
        if file.stat().st_size > SIZE_MAX_BYTES:
            raise UsageInvalid(
                f"{file} is larger than {SIZE_MAX_BYTES // 2**20} MiB: it cannot be the invoice of one batch"
            )
        text = file.read_text(encoding="utf-8-sig", errors="replace")
    except FileNotFoundError as error:
        raise UsageInvalid(f"{file}: there is no such file: check the name") from error
    except OSError as error:
        raise LocalFault(fault_text(error)) from error
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise UsageInvalid(f"{file} is not a CSV file that can be read: {error}") from error


def _cells(line: Matched, unit: Unit) -> list[object]:
    amounts = []
    for value in (line.billed, line.charged, line.difference):
        amounts += [None if value is None else exact_usd(value), value]
    written = None if line.amount is None else f"{line.amount:f}"
    told = [written, *((unit.code, f"{unit.per_usd:f}") if line.number is not None else (None, None))]
    return [line.match.value, line.number, line.generation_id or None, line.take or None, *amounts, *told]


def against_json(found: Against) -> dict[str, object]:
    """Return the comparison as JSON values."""
    rows = [dict(zip(COLUMNS, _cells(line, found.unit), strict=True)) for line in found.lines]
    counts = {match.value: len(found.of(match)) for match in Match if found.of(match)}
    return {"against_csv": str(found.table), "counts": counts, "lines": rows}
