"""The header of a table: which row names the columns, and what each column holds."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from wanbatch.batch.shots import OWN
from wanbatch.manifest.cells import DELIMITERS, Row
from wanbatch.manifest.column_map import NO_MAP, ColumnMap, Use
from wanbatch.manifest.fields import OF_TEXTS, columns_of_shots
from wanbatch.manifest.lookalikes import is_column
from wanbatch.manifest.schemas import fields_of_shots
from wanbatch.manifest.synonyms import field_meant, folded, is_own, unknown_field
from wanbatch.manifest.tree import Place, Problems, start_of_file
from wanbatch.manifest.words import shown

NOT_A_FIELD = "-"  # the name of a column that a map ignores or appends
MANY_UNKNOWN = 3
_LOOKED_AT = 20


@dataclass(frozen=True)
class TableShape:
    """How a table is written: the sign between its cells, empty in a workbook; and the map of its columns."""

    delimiter: str
    columns: ColumnMap = NO_MAP

    @property
    def signs(self) -> str:
        """What separates the cells, for a sentence; empty for commas and for a workbook."""
        return "" if self.delimiter in ("", ",") else DELIMITERS[self.delimiter]


@dataclass(frozen=True)
class Header:
    """The columns of a table. `names` has one for each cell, empty for a column without a name.

    `appended` are the numbers of the columns whose text goes behind that of a field, and that field; `filled` those
    of the columns in which an empty cell means what the one above it means.
    """

    names: tuple[str, ...]
    cells: tuple[str, ...]
    places: tuple[Place, ...]
    row: int
    appended: tuple[tuple[int, str], ...] = ()
    is_within_scene: bool = False
    filled: tuple[int, ...] = ()

    def is_repeated(self, row: Row) -> bool:
        """Say whether a row repeats the header, as in tables of several pages."""
        return row.cells[0] == self.cells[0] and tuple(row.cells) == self.cells


def header_of(rows: Sequence[Row], shape: TableShape, problems: Problems) -> Header | None:
    """Find the row that names the columns, below a title if there is one; report what is wrong with it.

    None if no column holds prompts: then the rows cannot be used.
    """
    columns = shape.columns
    at = row_of_header(rows, columns)
    row = rows[at] if at is not None else None
    if at is None or row is None or not any(columns.use_of(cell) or is_column(cell) for cell in row.cells):
        problems.add(row.at if row is not None else start_of_file(), _no_header(row, shape))
        return None
    columns.tell_missing(row.cells, PurePath(problems.file).name, problems)
    known = columns_of_shots(is_part=problems.is_part)
    if not problems.is_part:
        columns.tell_texts(PurePath(problems.file).name, problems)
    uses = [columns.use_of(cell) if cell else None for cell in row.cells]
    pairs = zip(row.cells, uses, strict=True)
    names = [_column_name(cell, known) if use is None else _name_in(use) for cell, use in pairs]
    _tell_names(names, row, shape, problems)
    if "prompt" not in names:
        if not any(field_meant(name, {"prompt"}) for name in names):
            problems.add(row.at, "no prompt column; every shot needs one")
        return None
    appended = [(number, use.field) for number, use in enumerate(uses) if use is not None and use.is_appended]
    is_within_scene = any(use is not None and use.is_within_scene for use in uses)
    filled = tuple(number for number, use in enumerate(uses) if use is not None and use.is_filled)
    return Header(tuple(names), tuple(row.cells), tuple(row.places), at, tuple(appended), is_within_scene, filled)


def _name_in(use: Use) -> str:
    return use.field if use.field and not use.is_appended else NOT_A_FIELD


def row_of_header(rows: Sequence[Row], columns: ColumnMap) -> int | None:
    """Return the row that names most columns of a map; without one the first row that names two columns, one of them
    for prompts or ids; else the first that names any.
    """
    if columns.uses:
        mapped = [sum(columns.use_of(cell) is not None for cell in row.cells) for row in rows[:_LOOKED_AT]]
        if any(mapped):
            return mapped.index(max(mapped))
    first = None
    for number, row in enumerate(rows[:_LOOKED_AT]):
        if row.is_empty:
            continue
        first = number if first is None else first
        reported = {field_meant(cell, fields_of_shots()) for cell in row.cells if cell and is_column(cell)}
        if reported & {"id", "prompt"} and (len(reported) > 1 or _filled(row) == 1 == len(reported & {"prompt"})):
            return number
    return first


def _no_header(row: Row | None, shape: TableShape) -> str:
    words = "no header row: add a first row with the names of the columns, such as id,prompt,duration"
    if shape.signs:
        return f"{words} (the cells are separated by {shape.signs} here)"
    first = row.cells[0] if row is not None else ""
    if sum(map(is_column, re.split(r"[^\w-]+", first))) > 1 and not first.endswith(":"):
        return "this line names columns, but no commas, semicolons or tabs separate them; save the table as CSV again"
    if row is not None and _filled(row) == 1:
        return f"{words}; for a plain list of prompts, one per line, use a .txt file"
    return words


def _filled(row: Row) -> int:
    return sum(bool(cell) for cell in row.cells)


def _column_name(cell: str, known: Collection[str]) -> str:
    """Return a column's name as a manifest spells it; a column of the user's own keeps its letters."""
    name = folded(cell)
    if is_own(name):
        return OWN + " ".join(cell.replace("\ufeff", "").split())[len(OWN) :]
    return name if name in known else cell


def _is_known(name: str, known: Collection[str]) -> bool:
    return is_own(name) or name in known


def _tell_names(names: list[str], row: Row, shape: TableShape, problems: Problems) -> None:
    columns: dict[str, Place] = {}
    known = columns_of_shots(is_part=problems.is_part)
    free = (fields_of_shots() & known) - set(names)
    by_sign = f" (the columns are separated by {shape.signs} here)" if shape.signs else ""
    bare = [name.casefold() if is_own(name) else name for name in names]
    unknown = [name for name in bare if name and name != NOT_A_FIELD and not _is_known(name, known)]
    cure = f"; to read the columns as they are: wanbatch init --from {PurePath(problems.file).name}"
    cure = cure if len(unknown) >= MANY_UNKNOWN and not shape.columns.uses else ""
    for name, at in zip(bare, row.places, strict=True):
        if not name or name == NOT_A_FIELD:
            continue
        if name in OF_TEXTS and shape.columns.use_of(row.cells[names.index(name)]) and not problems.is_part:
            continue  # the problem is one of the map
        if name in columns:
            problems.add(
                at,
                f"{shown(name)[1:-1]} names a second column; the first begins at column "
                f"{problems.column_of(columns[name])}",
            )
        elif not _is_known(name, known):
            words = unknown_field(name, shown(name), free, what="not a column of a manifest") + by_sign
            problems.add(at, words + (cure if name == unknown[0] else ""))
        columns.setdefault(name, at)
