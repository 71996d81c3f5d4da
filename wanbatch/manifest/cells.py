"""The cells of a table file: which character separates them, and where each of them begins."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from wanbatch.manifest.lookalikes import is_column
from wanbatch.manifest.tree import Place, Problems
from wanbatch.units import size_text

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "| characters"}
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[ \t]*;*,*(?:\n|$)', re.IGNORECASE)
_CELL_CAP = 1024 * 1024
_SHARED_CAP = 24
_LOOKED_AT = 30  # lines in which a header is expected
_BLANKS = "[ \u00a0\u2000-\u200a\u202f\u205f\u3000{tab}]*"


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its cells without surrounding spaces, and the place where each begins."""

    cells: list[str]
    places: list[Place]

    @property
    def at(self) -> Place:
        """Where the row begins."""
        return self.places[0]

    @property
    def is_empty(self) -> bool:
        """Say whether all cells are empty."""
        return not any(self.cells)


def delimiter_of(text: str) -> tuple[str, int]:
    """Return the separator, and how many lines before the table declare it, such as Excel's `sep=;`.

    It is the one with which a line near the beginning names the most columns, else the most frequent one in the first
    line, else a comma.
    """
    reported = _SEPARATOR_LINE.match(text)
    if reported is not None and reported[1] in DELIMITERS:
        return reported[1], 1
    begin = text[: _CELL_CAP // 4].split("\n", _LOOKED_AT)[:_LOOKED_AT]
    lines = [line for line in begin if line.strip(" ,;\t|")]
    named = {each: max((_columns_in(line, each) for line in lines), default=0) for each in DELIMITERS}
    if any(named.values()):
        return max(named, key=lambda each: (named[each], each == ",")), 0
    first = lines[0] if lines else ""
    return max(DELIMITERS, key=lambda each: (first.count(each), each == ",")), 0


def separator_fault(text: str) -> str:
    """Say that a line `sep=,` declares a separator that the header below it does not use; nothing if they agree."""
    reported = _SEPARATOR_LINE.match(text)
    if reported is None:
        return ""
    header = next((line for line in text[reported.end() : _CELL_CAP].split("\n") if line.strip()), "")
    named = {each: _columns_in(header, each) for each in DELIMITERS}
    best = max(named, key=lambda each: named[each])
    if named.get(reported[1], 0) >= 1 or named[best] < 1:
        return ""
    by = DELIMITERS.get(reported[1], f"{reported[1]} characters")
    words = f"this line says that {by} separate the cells, but the header below it uses {DELIMITERS[best]}"
    return f"{words}: remove this line" if best == "\t" else f"{words}: write sep={best} here, or remove this line"


def _columns_in(line: str, delimiter: str) -> int:
    cells = line.split(delimiter)
    return sum(is_column(cell.strip().strip('"')) for cell in cells) if len(cells) > 1 else 0


def read_rows(text: str, delimiter: str, problems: Problems) -> list[Row]:
    """Read all rows. Quotes count only at the beginning of a cell, after any spaces; elsewhere they are plain
    characters.

    Raises ReadingStopped if a quote is not closed, or more text follows it.
    """
    rows: list[Row] = []
    pattern = _pattern(delimiter)
    at, line, begin, end = 0, 1, 0, len(text)
    cells: list[str] = []
    places: list[Place] = []
    known: dict[str, str] = {}
    while at < end or cells:
        match = pattern.match(text, at)
        assert match is not None
        is_quoted = match.lastindex == 1
        cell, start = match[match.lastindex or 2], match.start(match.lastindex or 2)
        place = Place(line, start - is_quoted - begin + 1)
        if is_quoted:
            if "\n" in cell:
                line += cell.count("\n")
                begin = start + cell.rfind("\n") + 1
            if '"' in cell:
                cell = cell.replace('""', '"')
        elif "\r" in cell or (cell.startswith('"') and _is_broken(cell, has_blank=start > match.start())):
            raise problems.stop(*_fault(text, start, place, delimiter))
        if len(cell) > _CELL_CAP:
            words = f"a cell of more than {size_text(_CELL_CAP)}; is a quote in this row not closed?"
            raise problems.stop(place, words)
        cell = cell.strip()
        # Equal cells are one text: a column of durations or tags would be a hundred thousand of them.
        cells.append(known.setdefault(cell, cell) if len(cell) < _SHARED_CAP else cell)
        places.append(place)
        at = match.end()
        if text[at : at + 1] == delimiter:
            at += 1
            if at == end:
                cells.append("")
                places.append(Place(line, at - begin + 1))
            else:
                continue
        rows.append(Row(cells, places))
        cells, places = [], []
        at, line = at + 1, line + 1
        begin = at
    return rows


def _is_broken(cell: str, *, has_blank: bool) -> bool:
    """Say whether a cell that begins with a quote cannot be read; after a space, `"Stop" says a sign` is plain text."""
    return not has_blank or cell.count('"') % 2 == 1


def _fault(text: str, at: int, place: Place, delimiter: str) -> tuple[Place, str]:
    """Say what is wrong with a cell that cannot be read."""
    if text[at : at + 1] != '"':
        return place, "a carriage return in a cell; put the cell in quotes"
    if re.compile(r'"[^"]*(?:""[^"]*)*').match(text, at).end() == len(text):  # type: ignore[union-attr]
        return place, "a quote that begins here is never closed"
    after = '; write a quote inside a quoted cell twice ("")'
    if delimiter != ",":
        after += f"; the cells are separated by {DELIMITERS[delimiter]}"
    return place, f"text after a closing quote{after}"


@cache
def _pattern(delimiter: str) -> re.Pattern[str]:
    """Return the pattern of a cell: its text in quotes, or without them."""
    blanks = _BLANKS.format(tab="" if delimiter == "\t" else "\t")
    sign = re.escape(delimiter)
    quoted = rf'"([^"]*(?:""[^"]*)*)"{blanks}(?={sign}|\n|\Z)'
    return re.compile(rf"{blanks}(?:{quoted}|([^{sign}\n]*))")


def counted(cells: Sequence[str]) -> int:
    """Return the number of cells up to the last one with content."""
    return max((number for number, cell in enumerate(cells, 1) if cell), default=0)
