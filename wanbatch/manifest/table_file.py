"""Tables as manifests: CSV, as spreadsheets save it, read into the same nodes as YAML."""

from __future__ import annotations

import re

from wanbatch.manifest.cells import Row, delimiter_of, read_rows, separator_fault
from wanbatch.manifest.column_map import NO_MAP, ColumnMap
from wanbatch.manifest.header import TableShape, header_of
from wanbatch.manifest.rows import RowReader
from wanbatch.manifest.text_file import manifest_of
from wanbatch.manifest.tree import Node, Place, Problems, ReadingStopped, start_of_file

_PIPES = "write commas instead, remove any line of dashes, and put cells with a comma in double quotes"


def read_csv(text: str, problems: Problems, columns: ColumnMap = NO_MAP) -> Node:
    """Read a table: a row with the names of the columns, as in a manifest, then one shot per row.

    An empty cell counts as missing; spaces around cells are removed. Commas, semicolons or tabs separate the cells:
    the one that the header uses, or that a line `sep=;` above it declares. A title above the header is skipped.
    `columns` says what each column is read as; the others have the names of fields.
    Without a column of ids they are made from the prompts. Raises ReadingStopped.
    """
    delimiter, reported = delimiter_of(text)
    if delimiter == "|":
        raise problems.stop(_first_place(text), f"the cells of this table are separated by | characters; {_PIPES}")
    if text.lstrip()[:1] in ("{", "["):
        raise problems.stop(_first_place(text), "this looks like JSON; rename the file to .json")
    if re.match(r"\s*(?:---|version:|shots:|- +(?:id|prompt):)", text):
        raise problems.stop(_first_place(text), "this looks like YAML; rename the file to .yaml")
    fault = separator_fault(text)
    if fault:
        raise problems.stop(start_of_file(), fault)
    rows = read_rows(text, delimiter, problems)[reported:]
    return read_table(rows, TableShape(delimiter, columns), problems)


def read_table(rows: list[Row], shape: TableShape, problems: Problems) -> Node:
    """Read rows, the header among them, as shots, and empty the list. Raises ReadingStopped if no row is a header."""
    header = header_of(rows, shape, problems)
    if header is None:
        raise ReadingStopped
    del rows[: header.row + 1]
    return manifest_of(RowReader(header, shape, problems).read(rows))


def _first_place(text: str) -> Place:
    before = text[: len(text) - len(text.lstrip())]
    return Place(before.count("\n") + 1, 1) if before else start_of_file()
