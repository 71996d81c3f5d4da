"""The rows of a table as shots: the value of each cell, and which rows are not shots."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from wanbatch.batch.names import fault_of_name
from wanbatch.manifest.cells import DELIMITERS, Row, counted
from wanbatch.manifest.column_map import append, home_of, put_scene_before_id, scene_cure
from wanbatch.manifest.fields import BARE, LOOSE_FIELDS, NUMERIC, columns_of_shots, kinds_of
from wanbatch.manifest.header import NOT_A_FIELD, Header, TableShape
from wanbatch.manifest.leftovers import cell_error, says_nothing
from wanbatch.manifest.made_id import MadeIds
from wanbatch.manifest.spreadsheet_ids import change_of
from wanbatch.manifest.synonyms import is_own
from wanbatch.manifest.tree import Listing, Node, Place, Problems, Scalar, Table
from wanbatch.manifest.words import shown

_TRUE, _FALSE = frozenset({"true", "yes", "1", "1.0", "1,0"}), frozenset({"false", "no", "0", "0.0", "0,0"})
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_NUMBER = {  # 1,500 may be 1500: it is left as it is, and refused
    True: re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,17}|,(?![0-9]{3}$)[0-9]{1,17})"),
    False: re.compile(r"-?[0-9]{1,18}\.[0-9]{1,17}"),
}
_FRACTION = {True: re.compile(r"(-?[0-9]{1,18})[.,]0+"), False: re.compile(r"(-?[0-9]{1,18})\.0+")}
_NAMING = frozenset({"id", "scene", "sequence", "cost_code"})
_ONE_TEXT = frozenset({"template", "reference"})  # no list in a cell
_BETWEEN = {"tags": r"[;,]", "cast": r"[;,\s]"}
_OTHER_QUOTES = "“”„«»'\u2018\u2019"
_VALUES_CAP = 10_000  # different cells of one column that are remembered
_SUM_CAP = 20  # letters: no word for a sum is longer
_SUMS = re.compile(r"(?:grand[ -]?|sub)?(?:totals?|sum|summe|gesamt|somme|suma|合计|合計)\s*:?", re.IGNORECASE)


def _kept(header: Header, known: Collection[str]) -> list[tuple[int, str]]:
    """Return number and name of each column to read, the first of each name."""
    first: dict[str, int] = {}
    for number, name in enumerate(header.names):
        if name in known or is_own(name):
            first.setdefault(name, number)
    return [(number, name) for name, number in first.items()]


@dataclass(frozen=True, slots=True)
class _Column:
    """A column that is read: its number and field, the place of its name, and what its cells may be.

    `is_text` says that each cell is one text; else `values` keeps what was read in the cells so far.
    """

    number: int
    name: str
    at: Place
    kinds: frozenset[str]
    is_own: bool
    is_inner: bool
    is_text: bool
    values: dict[str, list[str] | tuple[str, Any]] = field(default_factory=dict, compare=False)


def _column_of(number: int, name: str, at: Place) -> _Column:
    kinds = kinds_of(name)
    is_text = not kinds & (BARE | {"array"}) or (name in _ONE_TEXT and not kinds & BARE)
    return _Column(number, name, at, kinds, is_own(name), "." in name and not is_own(name), is_text)


def _loose(header: Header, kept: Sequence[tuple[int, str]]) -> set[int]:
    """Return the columns in which rows may differ and be alike: texts that are not held against a model's choices."""
    loose = {number for number, name in kept if name in LOOSE_FIELDS or is_own(name)}
    loose |= {number for number, name in enumerate(header.names) if name == NOT_A_FIELD}
    return loose - {number for number, name in header.appended if name not in LOOSE_FIELDS}


class RowReader:
    """Reads the rows below a header as shots."""

    def __init__(self, header: Header, shape: TableShape, problems: Problems) -> None:
        self._header = header
        self._delimiter = shape.delimiter
        self._problems = problems
        self._ids = MadeIds()
        self._kept = _kept(header, columns_of_shots(is_part=problems.is_part))
        self._numbers = {name: number for number, name in self._kept}
        self._columns = [_column_of(number, name, header.places[number]) for number, name in self._kept]
        self._has_inner = any(column.is_inner for column in self._columns)
        self._shared: dict[tuple[str, ...], dict[str, Place]] = {}
        self._nameless = [number for number, name in enumerate(header.names) if not name]
        self._id_at = [number for number, name in self._kept if name == "id"]
        self._makes_ids = not self._id_at
        self._unnamed: dict[int, list[Place]] = {}
        self._above: dict[int, str] = {}
        self._without_scene: list[Place] = []
        self._width = len(header.names)
        loose = _loose(header, self._kept)
        fixed = [number for number in range(self._width) if number not in loose]
        self._fixed: Callable[[Sequence[str]], Hashable] = itemgetter(*fixed) if fixed else len

    def read(self, rows: list[Row]) -> Listing:
        """Return the shots, and empty the list of rows: of a large table, both together would fill the memory.

        Empty rows and repeated headers are skipped; all other rows are shots or problems.
        """
        shots = Listing(self._header.places[0])
        self._makes_ids = not any(any(row.cells[at : at + 1]) for row in rows for at in self._id_at)
        first = {row.cells[0] for row in rows if row.cells[0] and not self._header.is_repeated(row)}
        rows.reverse()
        while rows:
            row = rows.pop()
            if row.is_empty or self._header.is_repeated(row):
                continue
            shot = self._shot(row)
            if shot is not None:
                shots.items.append(shot)
        self._tell_unnamed(is_index=all(cell.isdigit() for cell in first))
        if self._without_scene:
            more = len(self._without_scene) - 1
            where = f"here and in {more} more row{'s' * (more != 1)}" if more else "here"
            at = self._numbers.get("scene")
            cure = scene_cure("" if at is None else self._header.cells[at])
            words = f"the shots are numbered within their scene, which is empty {where}: {cure}"
            self._problems.add(self._without_scene[0], words)
        return shots

    def _tell_unnamed(self, *, is_index: bool) -> None:
        """Report texts in columns without a name. `is_index`: the first column holds nothing but numbers."""
        where = self._problems.where(self._header.places[0]).replace("on", "in", 1)
        for number, places in self._unnamed.items():
            more = f" (also in {len(places) - 1} more rows)" if len(places) > 1 else ""
            cause = "; pandas writes its index like this: save the table with index=False"
            cause = cause if is_index and number == 0 else ""
            words = f"text in a column without a name{more}; name the column {where}, or remove the text{cause}"
            self._problems.add(places[0], words)

    def _shot(self, row: Row) -> Table | None:
        names, cells = self._header.names, row.cells
        what = self._no_shot(row)
        if what:
            self._problems.add(row.places[next(number for number, cell in enumerate(cells) if cell)], what)
            return None
        is_even = len(cells) == self._width
        if not is_even and (len(cells) < counted(names) or counted(cells) > self._width):
            self._problems.add(row.at, self._ragged(row))
            return None
        self._fill_down(cells)
        shot = Table(row.at, alike=self._fixed(cells) if is_even else None)
        self._note_unnamed(row)
        places, items = row.places, shot.items
        for column in self._columns:
            text = cells[column.number]
            if not text and not column.is_own:
                continue
            at = places[column.number]
            if column.name in _NAMING or text[:1] == "#":
                self._tell_spreadsheet(column.name, text, at)
            node: Node = Scalar(text, text, at) if column.is_text else self._node(column, text, at)
            if column.is_inner:
                table, inner = home_of(shot, column.name, at)
                table.items[inner], table.keys[inner] = node, column.at
            else:
                items[column.name] = node
                shot.keys[column.name] = column.at  # a wrong column is one problem, not one for every row
        if not (self._has_inner or self._makes_ids):
            # One for all rows that fill the same cells: a hundred thousand tables of places are 36 MB.
            shot.keys = self._shared.setdefault(tuple(shot.keys), shot.keys)
        is_whole = self._put_together(shot, row)
        return shot if is_whole and (not self._makes_ids or self._with_id(shot, row)) else None

    def _fill_down(self, cells: list[str]) -> None:
        for number in self._header.filled:
            cells[number] = self._above[number] = cells[number] or self._above.get(number, "")

    def _note_unnamed(self, row: Row) -> None:
        for number in self._nameless:
            if number < len(row.cells) and row.cells[number]:
                self._unnamed.setdefault(number, []).append(row.places[number])

    def _put_together(self, shot: Table, row: Row) -> bool:
        """Make of a row's columns what its map says: texts that are appended, an id that counts within its scene.

        False, after a problem, for a number within no scene.
        """
        cells = row.cells
        for number, name in self._header.appended:
            append(shot, name, cells[number] if number < len(cells) else "")
        if self._header.is_within_scene and not put_scene_before_id(shot):
            number = self._numbers.get("scene", self._numbers["id"])
            self._without_scene.append(row.places[number])
            return False
        return True

    def _with_id(self, shot: Table, row: Row) -> bool:
        """Give a shot an id that is made from its prompt; False, after a problem, if it has none."""
        prompt = shot.items.get("prompt")
        made = self._ids.next_of(prompt.text) if isinstance(prompt, Scalar) else ""
        if not made:
            self._problems.add(row.at, "prompt is missing; say what the clip shows, or remove the row")
            return False
        shot.items["id"], shot.keys["id"] = Scalar(made, made, row.at), row.at
        return True

    def _tell_spreadsheet(self, name: str, text: str, at: Place) -> None:
        """Report what a spreadsheet left in a cell: the sign of an error, a date that was an id."""
        if text.startswith("#") and cell_error(text):
            words = f"{name} is {text}, a spreadsheet error: fix the formula and save again"
            self._problems.settle(at, words)
        elif name in _NAMING and (change := change_of(text)):
            is_unfit = name == "id" and fault_of_name(text) is not None
            (self._problems.settle if is_unfit else self._problems.warn)(at, f"{name} {shown(text)} {change}")
        elif name == "id" and says_nothing(text) and fault_of_name(text) is None:
            words = "is what programs write into an empty cell; give the shot an id, or remove the row"
            self._problems.warn(at, f"id {shown(text)} {words}")

    def _cell(self, cells: Sequence[str], name: str) -> str:
        """Return the cell of a column; empty without one."""
        number = self._numbers.get(name)
        return cells[number] if number is not None and number < len(cells) else ""

    def _no_shot(self, row: Row) -> str:
        """Say why a row is not a shot but a heading, a total or a comment; empty if it is a shot."""
        names, cells = self._header.names, row.cells
        prompt, shot_id = self._cell(cells, "prompt"), self._cell(cells, "id")
        if shot_id and len(prompt) > _SUM_CAP:
            return ""
        given = {name: cell for name, cell in zip(names, cells, strict=False) if name and cell}
        may_be_sum = not prompt or (not self._makes_ids and not shot_id) or _SUMS.fullmatch(prompt) is not None
        if may_be_sum and any(_SUMS.fullmatch(cell) for cell in (row.cells[0], *given.values())):
            return "this row looks like a total, not a shot; remove it"
        if prompt or not given:
            return ""
        filled = [cell for cell in row.cells if cell]
        is_text = any(char.isalpha() for char in filled[0])
        if len(filled) == 1 and is_text and (not shot_id or re.search(r"\s|:$", shot_id)):
            words = f"this row contains only {shown(filled[0])}: if it is a heading, remove it"
            return words + "; name the scene in a scene column, in the row of each shot"
        if not shot_id and not self._makes_ids:
            return "a row with neither id nor prompt: if it is a total or a comment, remove it"
        return ""

    def _ragged(self, row: Row) -> str:
        count, wanted = len(row.cells), counted(self._header.names)
        sign = DELIMITERS[self._delimiter]
        words = f"{count} cells, but the header names {wanted} column{'s' * (wanted != 1)}"
        if count < wanted:
            return f"{words}; write the missing {sign}, even for an empty cell"
        if any(cell[:1] in _OTHER_QUOTES and cell for cell in row.cells):
            return f'{words}; only straight double quotes (") keep text with {sign} together'
        return f"{words}; put text that contains {sign} in double quotes"

    def _node(self, column: _Column, text: str, at: Place) -> Node:
        value = column.values.get(text)
        if value is None:
            if len(column.values) >= _VALUES_CAP:
                column.values.clear()
            value = column.values[text] = self._read(column, text)
        if isinstance(value, list):
            return Listing(at, [Scalar(part, part, at, is_quoted=True) for part in value])
        return Scalar(*value, at)

    def _read(self, column: _Column, text: str) -> list[str] | tuple[str, Any]:
        """Return the parts of a cell that holds a list, else its text and its value."""
        kinds = column.kinds
        if "array" in kinds and column.name not in _ONE_TEXT:
            parts = [part.strip() for part in re.split(_BETWEEN.get(column.name, r"[;\s]"), text)]
            return [part for part in parts if part]
        if kinds & NUMERIC:
            fraction = _FRACTION[self._delimiter != ","].fullmatch(text)
            whole = fraction[1] if fraction is not None else text
            if _WHOLE.fullmatch(whole):
                return whole, int(whole)
            if "number" in kinds and _NUMBER[self._delimiter != ","].fullmatch(text):
                return text, float(text.replace(",", "."))
        if "boolean" in kinds and text.casefold() in _TRUE | _FALSE:
            return text, text.casefold() in _TRUE
        return text, text
