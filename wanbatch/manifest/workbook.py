"""Excel workbooks as manifests: the values of one sheet, read into the same rows as those of a CSV file."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import date, datetime, time, timedelta
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

from wanbatch.errors import UsageInvalid, cell_text
from wanbatch.manifest.cells import Row
from wanbatch.manifest.column_map import ColumnMap
from wanbatch.manifest.file_text import NOWHERE, Located
from wanbatch.manifest.header import TableShape, row_of_header
from wanbatch.manifest.table_file import read_table
from wanbatch.manifest.tree import HIDDEN, STRUCK, Node, Place, Problems, ReadingStopped, start_of_file
from wanbatch.manifest.words import meant, one_of, shown
from wanbatch.manifest.workbook_package import BROKEN, check_package, scan_sheet

ROWS_CAP = 200_000
CELLS_CAP = 5_000_000
_COLUMNS_CAP = 1000
_SHEETS_SHOWN = 8
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_ZEROS = re.compile(r"0{2,20}")
_BROKEN = (*BROKEN, KeyError, TypeError, AttributeError, IndexError, SyntaxError, ArithmeticError, AssertionError)
_DAMAGED = "this workbook is damaged, or of a kind that cannot be read: open it in Excel and save it again"


def read_workbook(found: Located, columns: ColumnMap, problems: Problems, *, rows_cap: int = ROWS_CAP) -> Node:
    """Read the shots of a sheet, the one with cells if none is named. Raises ReadingStopped.

    Only values are read: a formula counts with the value that Excel saved for it.
    """
    with found.file.open("rb") as file:
        check_package(found.file, file.read(8), problems)
    rows = _rows_of(found, columns, problems, rows_cap)
    if not any(not row.is_empty for row in rows):
        raise problems.stop(start_of_file(), "this sheet is empty")
    return read_table(rows, TableShape("", columns), problems)


def rows_of_sheet(found: Located, problems: Problems) -> list[Row]:
    """Return the rows of a sheet as they are, whatever they hold. Raises ReadingStopped."""
    with found.file.open("rb") as file:
        check_package(found.file, file.read(8), problems)
    with _opened(found.file, problems) as book:
        chosen = _chosen(book, found, problems)
        problems.sheet = chosen.title
        return _cells_of(chosen, problems, ROWS_CAP, frozenset())


@contextmanager
def _opened(path: Path, problems: Problems) -> Iterator[Any]:
    """Open a workbook to be read. Raises ReadingStopped for what the library cannot read."""
    try:
        openpyxl = import_module("openpyxl")
    except ImportError as error:
        raise UsageInvalid(
            f"{path} is a workbook, and reading one needs openpyxl, which is not installed: pip install"
            " 'wanbatch[xlsx]', or save the sheet as CSV"
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of parts that are not read, such as the rules of a cell's input
            # The file is opened here: where the library stops half-way, it leaves its own open.
            with path.open("rb") as file:
                book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
                with closing(book):
                    yield book
    except ReadingStopped:
        raise
    except _BROKEN as error:
        raise problems.stop(NOWHERE, _DAMAGED) from error


def _visible(book: Any) -> list[Any]:
    return [each for each in book.worksheets if each.sheet_state == "visible"]


def _rows_of(found: Located, columns: ColumnMap, problems: Problems, rows_cap: int) -> list[Row]:
    """Return the rows of a sheet. Raises ReadingStopped if cells have no value of their own."""
    with _opened(found.file, problems) as book:
        chosen = _chosen(book, found, problems)
        problems.sheet = chosen.title
        part = chosen._worksheet_path  # noqa: SLF001 - openpyxl does not name the part of a sheet elsewhere
        struck = _struck_styles(book)
        rows = _cells_of(chosen, problems, rows_cap, struck)
    before = len(problems.found)
    scan = scan_sheet(found.file, part)
    problems.mark(HIDDEN, scan.hidden)
    _tell_formulas(scan.bare_formulas, rows, problems)
    header = row_of_header(rows, columns)
    below = [each for each in scan.merged if header is not None and each[2] > header]
    names = rows[header].cells if header is not None else []
    filled = {number for number, name in enumerate(names, 1) if (use := columns.use_of(name)) and use.is_filled}
    _tell_merged([each for each in below if not (each[1] == each[3] and each[1] in filled)], rows, problems)
    if len(problems.found) > before:
        raise ReadingStopped  # what is missing in these cells would only be told as other problems
    return rows


def _chosen(book: Any, found: Located, problems: Problems) -> Any:
    """Return the sheet that is named, else the only one with cells. Raises ReadingStopped."""
    visible, sheet, path = _visible(book), found.sheet, found.file
    names = [each.title for each in visible]
    if sheet:
        for each in book.worksheets:
            if each.title.casefold() == sheet.casefold():
                return each
        has = one_of([shown(name) for name in names[:_SHEETS_SHOWN]]).replace(" or ", " and ")
        what = "this workbook" if found.sheet_at == NOWHERE else path.name
        raise problems.stop(found.sheet_at, f"{what} has no sheet {shown(sheet)}; it has {has}{meant(sheet, names)}")
    filled = [each for each in visible if _has_cells(each)]
    if not filled:
        raise problems.stop(NOWHERE, "this workbook is empty")
    if len(filled) > 1:
        has = one_of([shown(each.title) for each in filled[:_SHEETS_SHOWN]]).replace(" or ", " and ")
        cure = f"name the one with the shots: '{path.name}#{filled[0].title}', or sheet: in {path.stem}.map.yaml"
        raise problems.stop(NOWHERE, f"this workbook has several sheets, {has}; {cure}")
    return filled[0]


def _has_cells(sheet: Any) -> bool:
    sheet.reset_dimensions()  # what a file says of its size may be wrong, or meant to exhaust
    return any(cell.value is not None for row in islice(sheet.iter_rows(), 1000) for cell in row)


def _struck_styles(book: Any) -> frozenset[int]:
    """Return the numbers of the styles of cells whose text is struck out."""
    fonts, styles = book._fonts, book._cell_styles  # noqa: SLF001 - of each cell apart, its font takes a second
    struck = {number for number, font in enumerate(fonts) if font.strike}
    return frozenset(number for number, style in enumerate(styles) if style.fontId in struck)


def _cells_of(sheet: Any, problems: Problems, rows_cap: int, struck: frozenset[int]) -> list[Row]:
    """Return the rows of a sheet, each as wide as the widest. Raises ReadingStopped for one that is too large.

    Rows with a text in a style of `struck` are marked.
    """
    sheet.reset_dimensions()
    found: list[list[str]] = []
    seen, filled, width = 0, 0, 0
    for number, row in enumerate(sheet.iter_rows(), 1):
        seen += len(row) + 1
        if number > rows_cap * 5 or filled > rows_cap or seen > CELLS_CAP * 4:
            raise problems.stop(Place(number, 1), f"this sheet has more than {rows_cap:,} rows: save it as CSV")
        texts = [_text_of(cell) for cell in row]
        if struck and any(text and cell._style_id in struck for text, cell in zip(texts, row, strict=True)):  # noqa: SLF001
            problems.mark(STRUCK, (number,))
        while texts and not texts[-1]:
            texts.pop()
        if len(texts) > _COLUMNS_CAP:
            raise problems.stop(
                Place(number, _COLUMNS_CAP + 1), f"more than {_COLUMNS_CAP:,} columns; remove this cell"
            )
        filled += bool(texts)
        width = max(width, len(texts))
        found.append(texts)
    while found and not found[-1]:
        found.pop()
    if len(found) * width > CELLS_CAP:
        raise problems.stop(NOWHERE, f"this sheet has more than {CELLS_CAP:,} cells: save it as CSV")
    return [
        Row([*texts, *[""] * (width - len(texts))], [Place(number, column) for column in range(1, width + 1)])
        for number, texts in enumerate(found, 1)
    ]


def _text_of(cell: Any) -> str:
    """Return what a cell shows, as a CSV file would hold it: dates as 2026-03-01, whole numbers without a fraction."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, str):
        return _unescaped(value).strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        text = str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else str(value)
        zeros = cell.number_format if isinstance(cell.number_format, str) else ""
        return text.zfill(len(zeros)) if _ZEROS.fullmatch(zeros) else text
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    if isinstance(value, datetime):
        return value.isoformat(" ", "seconds")
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value) if isinstance(value, timedelta) else _unescaped(str(value)).strip()


def _unescaped(text: str) -> str:
    """Return a text with the characters that Excel writes as `_x000D_`, and its lines ended by a line feed."""
    if "_x" in text:
        text = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _tell_formulas(cells: Sequence[tuple[int, int]], rows: Sequence[Row], problems: Problems) -> None:
    """Report each formula without a saved value: it would be read as an empty cell."""
    for row, column in cells:
        if row <= len(rows) and column <= len(rows[row - 1].cells):
            words = "a formula without a value: open the workbook in Excel, which calculates it, and save it there"
            problems.add(Place(row, column), words)


def _tell_merged(merged: Sequence[tuple[int, int, int, int]], rows: Sequence[Row], problems: Problems) -> None:
    """Report merged cells from the header on: only the first of them has a value. A heading across a row is none."""
    for top, left, bottom, right in merged:
        row = rows[top - 1] if 0 < top <= len(rows) else None
        if row is None or left > len(row.cells) or (top == bottom and sum(map(bool, row.cells)) <= 1):
            continue
        what = (
            f"the cells {cell_text(top, left)} to {cell_text(bottom, right)} are merged, so only the first has a value"
        )
        problems.add(row.places[left - 1], f"{what}: unmerge them, and write the value into each")
