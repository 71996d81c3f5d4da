"""The nodes of a manifest as read: values with their places, before they are checked."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from wanbatch.batch.names import composed
from wanbatch.errors import Problem, column_text

HIDDEN, STRUCK = "hidden", "struck"  # the rules for rows of a workbook that are hidden, or have struck-out text
DEPTH_CAP = 32
FILE_CAP_BYTES = 256 * 1024 * 1024
_TABLES, _JSON = (".csv", ".tsv", ".xlsx"), (".json", ".jsonl", ".ndjson")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,3999})")  # Python reads no more than 4300 digits
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\.[0-9]{1,17}")
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None, "~": None, "": None}


class Place(NamedTuple):
    """The place of something; line and column count from 1.

    `file` is empty for the manifest itself, else the other file that it is in: its column map, the table that it names.
    `sheet` is the sheet of another workbook, where it is a cell.
    """

    line: int
    column: int
    file: str = ""
    sheet: str = ""


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value: the text as written, and its value as JSON would read it."""

    text: str
    value: Any
    at: Place
    is_quoted: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a text that was put together: where it begins in it, its place in the files, and whose it is."""

    offset: int
    at: Place
    owner: str


@dataclass(frozen=True, slots=True)
class Filled(Scalar):
    """A text that was put together of others."""

    parts: tuple[Part, ...] = ()

    def place_of(self, offset: int) -> Place:
        """Return the place of the text at an offset: where it is the user's to change."""
        return next((part.at for part in reversed(self.parts) if part.offset <= offset), self.at)


@dataclass(slots=True)
class Listing:
    """A list of nodes."""

    at: Place
    items: list[Node] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Member:
    """A member of the cast in a shot, with the pictures and the voice that the manifest has of them.

    `words` is what they look like if the shot lists them and no text of it names them, else empty.
    """

    name: str
    images: tuple[Scalar, ...]
    voice: Scalar | None
    words: str = ""


@dataclass(slots=True)
class Table:
    """Named nodes, and the place of each name. `is_made` if it is not in the file: a manifest around a table's
    shots. `owners` says, of a shot that was put together, whose each value is; `members` are the cast members in it.

    `alike` is equal for rows of a table that differ only in `fields.LOOSE_FIELDS` and own columns; None if that is not
    known.
    """

    at: Place
    items: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, Place] = field(default_factory=dict)
    is_made: bool = False
    owners: Mapping[str, str] | None = None
    alike: Hashable = None
    members: tuple[Member, ...] = ()


Node = Scalar | Listing | Table


def follow(node: Node, path: list[Any]) -> Node:
    """Return the node at a path, or the last existing one on the way."""
    for part in path:
        if (isinstance(node, Table) and part in node.items) or (
            isinstance(node, Listing) and isinstance(part, int) and part < len(node.items)
        ):
            node = node.items[part]
    return node


class ReadingStopped(Exception):
    """The file cannot be read any further; the problem that ended it is in the list."""


class Problems:
    """The problems and warnings of one file. `is_part` if another manifest takes it in, and defines texts for it.

    `sheet` is the sheet of a workbook; then places are cells.
    """

    def __init__(self, file: str, sheet: str = "", *, is_part: bool = False) -> None:
        self.file = file
        self.sheet = sheet
        self.is_part = is_part
        self.found: list[Problem] = []
        self.warnings: list[Problem] = []
        self._seen: set[Problem] = set()
        self._settled: set[Place] = set()
        self._marked: dict[str, set[tuple[str, str, int]]] = {}

    def add(self, at: Place, message: str) -> None:
        """Note a problem, once."""
        self._note(self.found, at, message)

    def settle(self, at: Place, message: str) -> None:
        """Note a problem that explains everything wrong at a place: later problems at that place are left out."""
        self.add(at, message)
        self._settled.add(at)

    def warn(self, at: Place, message: str, rule: str = "") -> None:
        """Note, once, something that is allowed but probably a mistake; `rule` is the word that allows it."""
        self._note(self.warnings, at, message + self._allowed_by(rule, at))

    def _allowed_by(self, rule: str, at: Place) -> str:
        """Say how to allow what a rule warns of, as the end of a sentence; a text file cannot say so."""
        file = self._source(at)[0].lower()
        if not rule or file.endswith(".txt"):
            return ""
        if file.endswith(_TABLES):
            return f"; if this is intended, put {rule} in an `allow` column"
        return (
            f'; if this is intended, write "allow": ["{rule}"]'
            if file.endswith(_JSON)
            else f"; if this is intended, write allow: [{rule}]"
        )

    def _note(self, noted: list[Problem], at: Place, message: str) -> None:
        file, sheet = self._source(at)
        problem = Problem(file, at.line, at.column, message, sheet)
        if problem not in self._seen and at not in self._settled:
            self._seen.add(problem)
            noted.append(problem)

    def mark(self, rule: str, lines: Iterable[int]) -> None:
        """Note rows of this table of which a rule may warn, once it is known which of them are shots that count."""
        self._marked.setdefault(rule, set()).update((self.file, self.sheet, line) for line in lines)

    def is_marked(self, rule: str, at: Place) -> bool:
        """Say whether the row at a place was noted for a rule."""
        return rule in self._marked and (*self._source(at), at.line) in self._marked[rule]

    def is_in_table(self, at: Place) -> bool:
        """Say whether a place is in a table: a row of it."""
        return self._source(at)[0].lower().endswith(_TABLES)

    def _source(self, at: Place) -> tuple[str, str]:
        return (at.file, at.sheet) if at.file else (self.file, self.sheet)

    def where(self, at: Place) -> str:
        """Return where a place is, for a sentence about another one: `on line 3`, in a workbook `in row 3`."""
        return f"{'in row' if self._source(at)[1] else 'on line'} {at.line}"

    def column_of(self, at: Place) -> str:
        """Return which column a place is in: its number, in a workbook its letters."""
        return column_text(at.column) if self._source(at)[1] else str(at.column)

    def adopt(self, other: Problems) -> None:
        """Take up the problems and warnings of another file."""
        self.found += other.found
        self.warnings += other.warnings
        for rule, rows in other._marked.items():
            self._marked.setdefault(rule, set()).update(rows)

    def retell(self, since: int, at: Place, what: str) -> None:
        """Move the problems noted since then to another place, and put these words before each."""
        told, self.found[since:] = self.found[since:], []
        for each in told:
            self.add(at, f"{what}{each.message}")

    def stop(self, at: Place, message: str) -> ReadingStopped:
        """Note the problem that ends the reading; the caller raises what this returns."""
        self.add(at, message)
        return ReadingStopped(message)


def moved(node: Node, file: str, sheet: str = "") -> Node:
    """Return a node of another file with places that name that file."""

    def there(at: Place) -> Place:
        return at if at.file else Place(at.line, at.column, file, sheet)

    if isinstance(node, Scalar):
        return Scalar(node.text, node.value, there(node.at), node.is_quoted)
    if isinstance(node, Listing):
        return Listing(there(node.at), [moved(item, file, sheet) for item in node.items])
    items = {name: moved(item, file, sheet) for name, item in node.items.items()}
    return Table(there(node.at), items, {name: there(at) for name, at in node.keys.items()}, node.is_made)


def in_one_form(node: Node, problems: Problems) -> Node:
    """Return a node with every text in NFC, so that equal texts are equal whichever program saved them."""
    if isinstance(node, Scalar):
        text, value = composed(node.text), composed(node.value) if isinstance(node.value, str) else node.value
        is_same = text is node.text and value is node.value
        return node if is_same else Scalar(text, value, node.at, node.is_quoted)
    if isinstance(node, Listing):
        node.items = [in_one_form(item, problems) for item in node.items]
        return node
    for name in [name for name in {**node.items, **node.keys} if composed(name) != name]:
        if composed(name) in node.keys:
            problems.add(
                node.keys.get(name, node.at), f"{composed(name)} occurs here twice, in two Unicode forms; keep one"
            )
        for named in (node.items, node.keys):
            if name in named:
                named[composed(name)] = named.pop(name)  # type: ignore[assignment]
    for name, item in node.items.items():
        node.items[name] = in_one_form(item, problems)
    return node


def plain_value(text: str) -> Any:
    """Return the value of an unquoted text as JSON would read it: true, false, null, a whole number, a fraction; else
    text.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text):
        return float(text)
    return text


def start_of_file() -> Place:
    """Return line 1, column 1."""
    return Place(1, 1)
