"""A table in Markdown, and what else the parts write."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

_OUTSIDE_CODE = re.compile(r"`[^`]*`|\|")  # a bar inside of code divides no cells


class PartIncomplete(Exception):
    """Something in the program has no words in the pages, or the pages have words for something that is gone."""


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table; a bar outside of code is escaped, and the lines of a cell are joined."""
    lines = [_row(heads), "|" + "---|" * len(heads), *map(_row, rows)]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_OUTSIDE_CODE.sub(_escaped, " ".join(cell.split())) for cell in cells) + " |"


def _escaped(found: re.Match[str]) -> str:
    return found[0] if found[0].startswith("`") else "\\|"


def code(text: object) -> str:
    """Write a word of the program as such; nothing for an empty one."""
    return f"`{text}`" if str(text) else ""


def block(kind: str, text: str) -> str:
    """Write a block of code."""
    return f"```{kind}\n{text.rstrip()}\n```"


def described(what: str, names: Iterable[str], words: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return each name with its words. Raises PartIncomplete if one lacks the other."""
    listed = list(names)
    silent = [name for name in listed if not words.get(name)]
    gone = [name for name in words if name not in listed]
    if silent or gone:
        raise PartIncomplete(f"{what}: no words for {silent or 'none'}; words for what is gone: {gone or 'none'}")
    return [(name, words[name]) for name in listed]
