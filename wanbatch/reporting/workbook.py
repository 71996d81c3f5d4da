"""The workbook: the cost report as one XLSX file, a sheet per grouping, numbers as numbers and formulas for totals.

XlsxWriter writes it and is not part of the installation: `pip install 'wanbatch[xlsx]'`. An amount that is unknown is
an empty cell, and the total of a column with such a cell is the word "unknown" in place of a number.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wanbatch.disk import replacing
from wanbatch.errors import UsageInvalid
from wanbatch.money.currency import Currency
from wanbatch.reporting.cost_columns import COSTS, PRICES, SHOTS, SPEND, VARIANCE
from wanbatch.reporting.meanings import COST_WORDS, heading_of, meanings
from wanbatch.reporting.record import plain_values
from wanbatch.reporting.workbook_summary import SUMMARY, write_summary

if TYPE_CHECKING:
    import pandas as pd

    from wanbatch.reporting.costs import Costs

WORKBOOK_NAME = "costs.xlsx"
LEVEL_SHEETS = ("all", "batch", "sequence", "scene", "model", "tag", "cost_code")
PLAY = " (play money)"  # in the name of each sheet of a sandbox: it is in sight wherever one scrolls
READ_FIRST = (
    "takes",
    "verified",
    "failed",
    "budget_usd",
    "baseline_usd",
    "charged_usd",
    "charged_known_usd",
    "at_risk_usd",
    "committed_usd",
    "to_complete_usd",
    "final_usd",
    "variance_usd",
    "outside_cut_usd",
    "takes_of_unknown_cost",
)
"""The columns of a grouping that stand on its own sheet, after those that say what a row is; its details have all."""
CONVERTED = ("charged", "committed", "final")  # shown in another currency, too
_NOT_ADDED = (
    "budget",
    "first_take_yield",
    "usd_per",
    "credits_per",
    "drift",
    "first_quoted",
    "last_quoted",
)
_EVENTS = {f"{event}_{unit}": event for event in ("submitted", "charged") for unit in ("usd", "credits")}
_LIMITS = ("_low_", "_high_")
_FORMATS = {
    "usd": "#,##0.00#####",
    "credits": "#,##0",
    "count": "#,##0",
    "other": "#,##0.00##",
    "converted": "#,##0.00",
}
_WIDEST = 40
_RATE_CELL = "about!$B$5"


@dataclass(frozen=True)
class Table:
    """One sheet: its name, its rows, whether they add up to something, and the columns that do not.

    `rows_of` says in which rows a column has a value, by the name of their event: a blank elsewhere is none. `ids` is
    the last of the columns that say what a row is: it and those before it stay in sight. `words` say what columns mean.
    """

    name: str
    frame: pd.DataFrame
    ids: str
    words: Mapping[str, str]
    is_added_up: bool = True
    alone: tuple[str, ...] = ()
    rows_of: Mapping[str, str] = field(default_factory=dict)
    total: str = "total"


def tables_of(costs: Costs) -> list[Table]:
    """Return the sheets of a cost report: one per grouping with the main columns, then shots, variance,
    prices and spend, then one per grouping with all its columns.
    """
    details = [
        Table(
            level,
            _usd_first(rows.drop(columns="level").rename(columns={"key": _name_of(level)})),
            _name_of(level),
            {**COSTS, _name_of(level): COSTS["key"]},
            level != "tag",
        )
        for level in LEVEL_SHEETS
        if len(rows := costs.costs[costs.costs["level"] == level])
    ]
    more = [
        Table("shots", _usd_first(costs.shots), "shot_id", SHOTS),
        # Takes of the baseline are in other rows, too.
        Table("variance", costs.variance, "shot_id", VARIANCE, alone=("takes",), total="final cost"),
        Table("prices", _usd_first(costs.prices), "price_class", PRICES, is_added_up=False),
        Table("spend", _usd_first(costs.spend), "take", SPEND, rows_of=_EVENTS),
    ]
    by_level = [replace(each, frame=each.frame[[*_ids_of(each), *READ_FIRST]]) for each in details]
    details = [replace(each, name=f"{each.name} details") for each in details]
    return [*by_level, *(table for table in more if len(table.frame)), *details]


def _ids_of(table: Table) -> list[str]:
    """Return the columns that say what a row is."""
    names = list(table.frame.columns)
    return names[: names.index(table.ids) + 1]


def _name_of(level: str) -> str:
    return "name" if level in ("all", "batch") else level


def _usd_first(frame: pd.DataFrame) -> pd.DataFrame:
    """Put the columns of credits after all others."""
    names = list(frame.columns)
    return frame[[*(name for name in names if not _is_credits(name)), *filter(_is_credits, names)]]


def _is_told_elsewhere(frame: pd.DataFrame, name: str) -> bool:
    """Say whether a column has the known parts of sums that are all known."""
    whole = name.replace("_known_", "_")
    return whole != name and whole in frame.columns and bool(frame[whole].notna().all())


def _is_credits(name: str) -> bool:
    return "credits" in name


def can_write_workbook() -> bool:
    """Say whether XlsxWriter is installed."""
    return find_spec("xlsxwriter") is not None


def write_workbook(path: Path, costs: Costs, facts: Mapping[str, Any], currency: Currency | None = None) -> None:
    """Write the workbook of a cost report; `facts` is what `costs.json` holds.

    Raises UsageInvalid if XlsxWriter is not installed.
    """
    try:
        xlsxwriter = import_module("xlsxwriter")
    except ImportError as error:
        raise UsageInvalid(
            "a workbook needs XlsxWriter, which is not installed: pip install 'wanbatch[xlsx]'"
        ) from error
    made_at = datetime.fromisoformat(str(facts["made_at"])).replace(tzinfo=None)
    made = io.BytesIO()
    book = xlsxwriter.Workbook(made, {"in_memory": True})
    book.set_properties({"title": _title(facts), "created": made_at})
    formats = _Formats.of(book)
    tables = tables_of(costs)
    write_summary(book.add_worksheet(SUMMARY + (PLAY if facts["sandbox"] else "")), facts, formats)
    for table in tables:
        sheet = book.add_worksheet(table.name + (PLAY if facts["sandbox"] else ""))
        if facts["sandbox"]:
            sheet.set_header(f"&C{_title(facts)}")
        _Sheet(sheet, table, formats, currency).write()
    _write_about(book.add_worksheet("about"), facts, formats, (tables, currency))
    book.close()
    with replacing(path) as part:
        part.write_bytes(made.getvalue())


def _title(facts: Mapping[str, Any]) -> str:
    names = ", ".join(map(str, facts["batches"]))
    return f"SANDBOX: play money. Costs of {names}" if facts["sandbox"] else f"Costs of {names}"


def _write_about(
    sheet: Any, facts: Mapping[str, Any], formats: _Formats, told: tuple[Sequence[Table], Currency | None]
) -> None:
    """Say what the workbook is: of which batches, when it was made, and what its words and its columns mean."""
    tables, currency = told
    rows: list[tuple[str, str | float]] = [
        ("title", _title(facts)),
        ("made at (UTC)", str(facts["made_at"])),
        ("unit", "USD; 2,000,000 credits are 1 USD"),
        (
            "unknown",
            (
                "an empty cell is an unknown amount, and the total of its column says unknown. If there is no cap, its"
                " cell is empty, too"
            ),
        ),
    ]
    if currency is not None:
        rows.append((f"1 USD in {currency.code}", float(currency.rate)))
        rows.append(("note", f"columns in {currency.code} are {currency.note}; change the rate above to convert again"))
    rows += [*clocks_of(facts), *meanings(()).items(), ("sheet: column", "what it means")]
    rows += [
        (f"{table.name}: {heading_of(name)}", table.words[name])
        for table in tables
        for name in _explained(table, tables)
    ]
    for number, (name, value) in enumerate(rows):
        sheet.write_string(number, 0, name, formats.head)
        (sheet.write_number if isinstance(value, float) else sheet.write_string)(number, 1, value)
    sheet.set_column(0, 0, 32)
    sheet.set_column(1, 1, 90)


def _explained(table: Table, tables: Sequence[Table]) -> list[str]:
    """Return the columns that are explained for a sheet: those that no sheet before it has with the same meaning."""
    before = tables[: [each.name for each in tables].index(table.name)]
    return [
        name
        for name in table.frame.columns
        if not any(name in each.frame.columns and each.words[name] == table.words[name] for each in before)
    ]


def clocks_of(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Say whose clock the times of a sandbox are by; nothing for real money."""
    if not facts["sandbox"]:
        return []
    return [("times", "on the sandbox's clock, which may be ahead of yours; only `made at` is on your clock")]


@dataclass(frozen=True)
class _Formats:
    """The formats of cells, by kind, and those of the header and of totals."""

    head: Any
    cells: Mapping[str, Any]
    totals: Mapping[str, Any]

    @classmethod
    def of(cls, book: Any) -> _Formats:
        cells = {kind: book.add_format({"num_format": text}) for kind, text in _FORMATS.items()}
        totals = {
            kind: book.add_format({"num_format": text, "bold": True, "top": 1, "align": "right"})
            for kind, text in _FORMATS.items()
        }
        return cls(book.add_format({"bold": True, "bottom": 1}), cells, totals)


class _Sheet:
    """A sheet with a frozen header, a filter, and a row of totals."""

    def __init__(self, sheet: Any, table: Table, formats: _Formats, currency: Currency | None) -> None:
        self._sheet, self._table, self._formats, self._currency = sheet, table, formats, currency
        self._names = list(table.frame.columns)
        self._rows = len(table.frame)

    def write(self) -> None:
        """Write all cells."""
        at = -1
        for at, name in enumerate(self._names):
            self._write_column(at, name, plain_values(self._table.frame[name]))
        for more, (name, source) in enumerate(self._converted(), start=at + 1):
            self._write_converted(more, name, source)
            at = more
        if self._table.is_added_up and self._rows:
            self._sheet.write_string(self._rows + 1, 0, self._table.total, self._formats.head)
        self._sheet.freeze_panes(1, self._names.index(self._table.ids) + 1)
        self._sheet.autofilter(0, 0, self._rows, at)

    def _write_column(self, at: int, name: str, values: Sequence[Any]) -> None:
        kind = _kind_of(name)
        shown = [len(heading_of(name)), *(len(str(value)) for value in values[:200] if value is not None)]
        self._sheet.set_column(at, at, min(_WIDEST, max(shown) + 2), None, self._folded(name))
        self._sheet.write_string(0, at, heading_of(name), self._formats.head)
        for row, value in enumerate(values, start=1):
            self._write_cell(row, at, value, self._formats.cells[kind])
        is_number = any(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
        if is_number and self._table.is_added_up and not _is_alone(name) and name not in self._table.alone:
            self._write_total(at, kind, values, self._table.rows_of.get(name))

    def _folded(self, name: str) -> dict[str, Any]:
        """Fold away credits that have a column in USD, and known parts of sums that are all known: a + shows them."""
        is_folded = _is_credits(name) and name.replace("credits", "usd") in self._names
        is_folded |= _is_told_elsewhere(self._table.frame, name)
        return {"level": 1, "hidden": True} if is_folded else {}

    def _write_cell(self, row: int, at: int, value: Any, cell: Any) -> None:
        match value:
            case None:
                self._sheet.write_blank(row, at, None)
            case bool():
                self._sheet.write_boolean(row, at, value)
            case int() | float() if not math.isnan(value):
                self._sheet.write_number(row, at, value, cell)
            case datetime():
                self._sheet.write_string(row, at, value.isoformat(timespec="seconds"))
            case _:
                self._sheet.write_string(row, at, str(value))

    def _write_total(self, at: int, kind: str, values: Sequence[Any], event: str | None) -> None:
        """Write the sum of a column, or "unknown" where a value is missing; `event` names the rows that have one."""
        last = self._rows + 1
        cells, counted = f"{_letters(at)}2:{_letters(at)}{last}", list(values)
        blanks = f"COUNTBLANK({cells})"
        if event is not None:
            place = self._names.index("event")
            events = f"{_letters(place)}2:{_letters(place)}{last}"
            blanks = f'SUMPRODUCT(({events}="{event}")*({cells}=""))'
            told = self._table.frame["event"]
            counted = [value for value, each in zip(values, told, strict=True) if each == event]
        value = "unknown" if None in counted else round(sum(counted), 7)  # a credit is 0.0000005 USD
        formula = f'=IF({blanks}>0,"unknown",SUM({cells}))'
        self._sheet.write_formula(self._rows + 1, at, formula, self._formats.totals[kind], value)

    def _converted(self) -> Iterator[tuple[str, int]]:
        """Yield the columns in another currency: name, and the place of the column in USD."""
        if self._currency is None:
            return
        for name in CONVERTED:
            if f"{name}_usd" in self._names:
                yield f"{name}_{self._currency.code.lower()}", self._names.index(f"{name}_usd")

    def _write_converted(self, at: int, name: str, source: int) -> None:
        assert self._currency is not None
        self._sheet.set_column(at, at, len(name) + 2)
        sum_, _, code = name.rpartition("_")
        self._sheet.write_string(0, at, f"{COST_WORDS[sum_]} {code.upper()}", self._formats.head)
        for row, value in enumerate(plain_values(self._table.frame.iloc[:, source]), start=1):
            if value is None:
                continue
            formula, told = f"={_letters(source)}{row + 1}*{_RATE_CELL}", float(value) * float(self._currency.rate)
            self._sheet.write_formula(row, at, formula, self._formats.cells["converted"], told)


def _is_alone(name: str) -> bool:
    """Say whether the values of a column do not add up: prices, shares, caps and what is compared with them."""
    return name.startswith(_NOT_ADDED) or any(each in name for each in _LIMITS) or name.endswith("_so_far_usd")


def _kind_of(name: str) -> str:
    if name.startswith(("usd_per", "credits_per", "first_take_yield", "drift")) or name.endswith("_s"):
        return "other"
    if _is_credits(name):
        return "credits"
    return "usd" if name.endswith("usd") else "count"


def _letters(column: int) -> str:
    """Return the letters of a column, which counts from 0: A, Z, AA."""
    text = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(ord("A") + rest) + text
    return text
