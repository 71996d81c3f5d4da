"""The header of a table: which row names the columns, and what each column holds."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from wanbatch.batch.shots import OWN
from wanbatch.manifest.cells import DELIMITERS, Row
from wanbatch.manifest.fields import columns_of_shots
from wanbatch.manifest.lookalikes import is_column
from wanbatch.manifest.schemas import fields_of_shots
from wanbatch.manifest.synonyms import field_meant, folded, is_own, unknown_field
from wanbatch.manifest.tree import Place, Problems, start_of_file
from wanbatch.manifest.words import shown

_LOOKED_AT = 20


@dataclass(frozen=True)
class Header:
    """The columns of a table. `names` has one for each cell, empty for a column without a name."""

    names: tuple[str, ...]
    cells: tuple[str, ...]
    places: tuple[Place, ...]
    row: int

    def is_repeated(self, row: Row) -> bool:
        """Say whether a row repeats the header, as in tables of several pages."""
        return row.cells[0] == self.cells[0] and tuple(row.cells) == self.cells


def header_of(rows: Sequence[Row], delimiter: str, problems: Problems) -> Header | None:
    """Find the row that names the columns, below a title if there is one; report what is wrong with it.

    None if no column holds prompts: then the rows cannot be used.
    """
    at = _row_of_header(rows)
    row = rows[at] if at is not None else None
    if at is None or row is None or not any(is_column(cell) for cell in row.cells):
        problems.add(row.at if row is not None else start_of_file(), _no_header(row, delimiter))
        return None
    names = [_column_name(cell, columns_of_shots(is_part=problems.is_part)) for cell in row.cells]
    _tell_names(names, row, delimiter, problems)
    if "prompt" not in names:
        if not any(field_meant(name, {"prompt"}) for name in names):
            problems.add(row.at, "no prompt column; every shot needs one")
        return None
    return Header(tuple(names), tuple(row.cells), tuple(row.places), at)


def _row_of_header(rows: Sequence[Row]) -> int | None:
    """Return the first row that names two columns, one of them for prompts or ids; else the first that names any."""
    first = None
    for number, row in enumerate(rows[:_LOOKED_AT]):
        if row.is_empty:
            continue
        first = number if first is None else first
        reported = {field_meant(cell, fields_of_shots()) for cell in row.cells if cell and is_column(cell)}
        if reported & {"id", "prompt"} and (len(reported) > 1 or _filled(row) == 1 == len(reported & {"prompt"})):
            return number
    return first


def _no_header(row: Row | None, delimiter: str) -> str:
    words = "no header row: add a first row with the names of the columns, such as id,prompt,duration"
    if delimiter != ",":
        return f"{words} (the cells are separated by {DELIMITERS[delimiter]} here)"
    first = row.cells[0] if row is not None else ""
    if sum(map(is_column, re.split(r"[^\w-]+", first))) > 1 and not first.endswith(":"):
        return "this line names columns, but no commas, semicolons or tabs separate them; save the table as CSV again"
    if row is not None and _filled(row) == 1:
        return f"{words}; for only prompts, one per line, use a .txt file"
    return words


def _filled(row: Row) -> int:
    return sum(bool(cell) for cell in row.cells)


def _column_name(cell: str, known: Collection[str]) -> str:
    """Return a column's name as a manifest spells it; a column of the user's own keeps its letters."""
    name = folded(cell)
    if is_own(name):
        return OWN + " ".join(cell.replace("\ufeff", "").split())[len(OWN) :]
    return name if name in known else cell


def _tell_names(names: list[str], row: Row, delimiter: str, problems: Problems) -> None:
    columns: dict[str, Place] = {}
    known = columns_of_shots(is_part=problems.is_part)
    free = (fields_of_shots() & known) - set(names)
    by_sign = "" if delimiter == "," else f" (the columns are separated by {DELIMITERS[delimiter]} here)"
    bare = [name.casefold() if is_own(name) else name for name in names]
    for name, at in zip(bare, row.places, strict=True):
        if not name:
            continue
        if name in columns:
            problems.add(
                at, f"{shown(name)[1:-1]} names a second column; the first begins at column {columns[name].column}"
            )
        elif not is_own(name) and name not in known:
            problems.add(at, unknown_field(name, shown(name), free, what="not a column of a manifest") + by_sign)
        columns.setdefault(name, at)
