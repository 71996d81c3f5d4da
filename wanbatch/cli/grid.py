"""A grid of amounts on the screen: columns if they fit, else a line for each figure. No digit is ever cut off."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

INDENT = 2
PLAY_MARK = "   SANDBOX: play money"
_AMOUNT = re.compile(r"-?[\d,]+\.(\d{2,}(?:\+\?)?)")
_TABLES_MAX = 3  # one below the other; on a screen that needs more, one figure a line is easier to read


@dataclass
class Grid:
    """Rows under these columns; `left` are the numbers of the columns that hold text. Cells may hold markup."""

    columns: Sequence[str]
    left: Sequence[int] = (0,)
    rows: list[tuple[Sequence[str], str | None]] = field(default_factory=list)

    def add(self, *cells: str, style: str | None = None) -> None:
        """Add a row with one cell for each column."""
        self.rows.append((cells, style))

    def show(self, console: Console) -> None:
        """Print the rows, indented, in the widest layout that fits on the screen."""
        tables = self._tables(console.width - INDENT)
        if not tables:
            self._stack(console)
        for table in tables:
            console.print(Padding(table, (0, 0, 0, INDENT), expand=False))

    def _with_points_aligned(self) -> Grid:
        """Return the grid with spaces behind short amounts: in a column, the points are below each other."""
        columns = [[row[number] for row, _ in self.rows] for number in range(len(self.columns))]
        shown = [cells if number in self.left else _aligned(cells) for number, cells in enumerate(columns)]
        rows: list[tuple[Sequence[str], str | None]] = [
            ([cells[place] for cells in shown], style) for place, (_, style) in enumerate(self.rows)
        ]
        return Grid(self.columns, self.left, rows)

    def _tables(self, room: int) -> list[Table]:
        """Lay the columns out in one table, or in a few below each other; empty if none fits."""
        if (aligned := self._with_points_aligned()) != self:
            return aligned._tables(room)  # noqa: SLF001  another of this class
        if self._spread(range(len(self.columns)), room) is not None:
            groups = [list(range(len(self.columns)))]
        else:
            groups = [[0]]
            for number in range(1, len(self.columns)):
                if self._spread([*groups[-1], number], room) is None:
                    groups.append([0])
                groups[-1].append(number)
        spreads = [self._spread(group, room) for group in groups]
        if len(groups) > _TABLES_MAX or None in spreads:
            return []
        return [self._table(group, widths) for group, widths in zip(groups, spreads, strict=True) if widths is not None]

    def _spread(self, group: Sequence[int], room: int) -> list[int] | None:
        """Return the widths of these columns; None if they do not fit. Text may wrap; figures may not."""
        cells = {number: [self.columns[number], *(row[number] for row, _ in self.rows)] for number in group}
        widest = {number: max(_width(line) for cell in cells[number] for line in cell.split("\n")) for number in group}
        least = dict(widest)
        for number in self.left:
            if number in group:
                words = (word for cell in cells[number] for word in Text.from_markup(cell).plain.split())
                least[number] = max(map(cell_len, words), default=0)
        slack = room - sum(least.values()) - (len(group) - 1)
        if slack < 0:
            return None
        widths = dict(least)
        for number in reversed(group):
            more = min(slack, widest[number] - least[number])
            widths[number] += more
            slack -= more
        return [widths[number] for number in group]

    def _table(self, group: Sequence[int], widths: Sequence[int]) -> Table:
        names = [self.columns[number] for number in group]
        table = Table(*names, box=None, padding=(0, 1, 0, 0), show_header=any(names), pad_edge=False)
        for column, number, width in zip(table.columns, group, widths, strict=True):
            column.no_wrap = number not in self.left
            column.width = width
            if number not in self.left:
                column.header = "\n".join(_right(line, width) for line in self.columns[number].split("\n"))
        for cells, style in self.rows:
            shown = (
                cells[number] if number in self.left else _right(cells[number], width)
                for number, width in zip(group, widths, strict=True)
            )
            table.add_row(*shown, style=style)
        return table

    def _stack(self, console: Console) -> None:
        """Print each row as lines: its first cell, then each figure after its name."""
        for cells, style in self.rows:
            say(console, f"{' ' * INDENT}{cells[0]}", style=style)
            for name, cell in zip(self.columns[1:], cells[1:], strict=True):
                if cell:
                    words = [name.replace("\n", " "), cell] if name else [cell]
                    say(console, f"{' ' * 2 * INDENT}{' '.join(words)}", style=style)


def _aligned(cells: Sequence[str]) -> list[str]:
    """Put spaces behind amounts of USD, as many as others have decimals more; other cells stay as they are."""
    behind = [len(found[1]) if (found := _AMOUNT.fullmatch(cell)) else None for cell in cells]
    most = max((count for count in behind if count is not None), default=0)
    return [cell + " " * (0 if count is None else most - count) for cell, count in zip(cells, behind, strict=True)]


def _right(markup: str, width: int) -> str:
    """Put a figure to the right of its column; rich itself would cut off the spaces behind it."""
    return " " * (width - _width(markup)) + markup


def _width(markup: str) -> int:
    return Text.from_markup(markup).cell_len


def say(console: Console, markup: str, style: str | None = None) -> None:
    """Print one line of markup; on a narrower screen it wraps, between words only."""
    line = Text.from_markup(markup, style=style or "")
    if line.cell_len <= console.width or not (console.file.isatty() or os.environ.get("COLUMNS")):
        console.print(line, soft_wrap=True)
        return
    margin = len(line.plain) - len(line.plain.lstrip())
    words = line[margin:]
    for number, part in enumerate(words.divide(_breaks(words.plain, console.width - margin - INDENT))):
        part.rstrip()
        console.print(Text(" " * (margin + (INDENT if number else 0))) + part, soft_wrap=True)


def _breaks(text: str, room: int) -> list[int]:
    """Return where to break a text so that its lines fit, between words only: a longer word is not broken."""
    breaks, begin, end = [], 0, 0
    for word in re.finditer(r"\S+", text):
        if end > begin and cell_len(text[begin : word.end()]) > room:
            breaks.append(word.start())
            begin = word.start()
        end = word.end()
    return breaks
