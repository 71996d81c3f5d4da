"""JSON manifests, and JSON Lines: strict JSON, with the place of every name and value."""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_right
from collections.abc import Callable
from json import decoder
from typing import Any

from wanbatch.manifest.tree import (
    DEPTH_CAP,
    Listing,
    Node,
    Place,
    Problems,
    ReadingStopped,
    Scalar,
    Table,
    start_of_file,
)
from wanbatch.manifest.yaml_file import put

_scan_string: Callable[[str, int], tuple[str, int]] = decoder.scanstring  # type: ignore[attr-defined]
_SPACE = re.compile(r"[ \t\n\r]*")
_PLAIN_WORDS = (
    ("Expecting value", "expected a number, true, false, null, a list, an object, or text in double quotes"),
    ("Expecting property name", "expected a name in double quotes"),
    ("Expecting ':'", "expected a colon between the name and its value"),
    ("Expecting ','", "expected a comma or a closing bracket"),
    ("Extra data", "more text after the end of the manifest"),
    ("Unterminated string", "a quote that begins here is never closed"),
    ("Invalid control character", "a line break or control character inside text; write a line break as \\n"),
    ("Invalid", "a backslash that escapes nothing; write a backslash twice"),
)
_LANDMARK = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{\]}]|NaN|-?Infinity', re.DOTALL)
_ATOM = re.compile(r"[^\s,\]}]+")


def read_json(text: str, problems: Problems) -> Node:
    """Read a JSON text. Raises ReadingStopped at the first fault of its syntax."""
    reader = _Reader(text, problems)
    reader.survey()
    try:
        json.loads(text, parse_int=str, parse_float=str)
    except json.JSONDecodeError as error:
        position, words = _reported(error, text)
        raise problems.stop(reader.at(position), f"this is not valid JSON: {words}") from error
    return reader.read()


def _reported(error: json.JSONDecodeError, text: str) -> tuple[int, str]:
    """Say in plain words what `json` found and at which position; the same for every version of Python."""
    is_next_line = text[: error.pos].rstrip(" \t").endswith("\n")
    if error.msg.startswith("Extra data") and is_next_line and text[error.pos] in '{["':
        return error.pos, "this has one value per line, as in JSON Lines: rename the file to .jsonl"
    is_in_text = error.msg.startswith(("Unterminated", "Invalid"))
    match = _SPACE.match(text, error.pos)
    position = error.pos if match is None or is_in_text else match.end()
    found = text[position : position + 1]
    before = text[:position].rstrip()
    if "trailing comma" in error.msg or (found in ("]", "}") and before.endswith(",")):
        comma = position if found == "," else len(before) - 1
        return comma, "a comma with nothing after it; remove it before the closing bracket"
    if not is_in_text:
        if not found:
            return max(len(before) - 1, 0), "the file ends after this, but a bracket is not closed"
        if found in "#/":
            return position, "a comment; JSON does not allow comments"
        if found == "'":
            return position, "a single quote; JSON needs double quotes"
    return position, next((plain for said, plain in _PLAIN_WORDS if error.msg.startswith(said)), error.msg)


def read_jsonl(text: str, problems: Problems) -> Node:
    """Read JSON Lines: one value per line, a prompt or a shot; blank lines are skipped.

    A fault of a line's syntax is a problem of that line alone. Raises ReadingStopped if no line can be read.
    """
    values = Listing(start_of_file())
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        reader = _Reader(line, problems, number)
        try:
            reader.survey()
            json.loads(line, parse_int=str, parse_float=str)
        except ReadingStopped:
            continue
        except json.JSONDecodeError as error:
            position, words = _reported(error, line)
            at = reader.at(position)
            if not values.items and not problems.found and line.strip() in ("{", "["):
                words = "this text is JSON over several lines; rename the file to .json"
                raise problems.stop(at, words) from error
            if error.msg.startswith("Extra data") and line[position:].strip() == ",":
                words = "a comma after the value; JSON Lines does not have one"
            problems.add(at, f"this line is not valid JSON: {words}; each line must hold one complete value")
            continue
        values.items.append(reader.read())
    if not values.items:
        raise ReadingStopped
    only = values.items[0]
    is_whole = isinstance(only, Listing) or (isinstance(only, Table) and "shots" in only.keys)
    return only if len(values.items) == 1 and is_whole else values  # a manifest or list in one line


class _Reader:
    """Walks through a text that is known to be JSON."""

    def __init__(self, text: str, problems: Problems, first_line: int = 1) -> None:
        """`first_line` is the line of the file in which the text begins."""
        self._text = text
        self._first_line = first_line
        self._problems = problems
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]

    def read(self) -> Node:
        """Return the value as nodes; the text was surveyed before."""
        return self._value(self._skip(0))[0]

    def survey(self) -> None:
        """Refuse what `json` reads although it is not JSON, and a depth that could exhaust it."""
        depth = 0
        for match in _LANDMARK.finditer(self._text):
            first = match[0][0]
            if first in "[{":
                depth += 1
                if depth > DEPTH_CAP:
                    raise self._problems.stop(self.at(match.start()), f"nested more than {DEPTH_CAP} deep")
            elif first in "]}":
                depth -= 1
            elif first != '"':
                raise self._problems.stop(
                    self.at(match.start()), f"this is not valid JSON: {match[0]} is not a number in JSON"
                )

    def at(self, position: int) -> Place:
        """Return the place of a position in the text."""
        line = bisect_right(self._lines, position)
        return Place(line + self._first_line - 1, position - self._lines[line - 1] + 1)

    def _skip(self, position: int) -> int:
        match = _SPACE.match(self._text, position)
        assert match is not None
        return match.end()

    def _value(self, position: int) -> tuple[Node, int]:
        at, first = self.at(position), self._text[position]
        if first == '"':
            text, end = _scan_string(self._text, position + 1)
            return Scalar(text, text, at, is_quoted=True), end
        if first == "[":
            return self._listing(position)
        if first == "{":
            return self._table(position)
        match = _ATOM.match(self._text, position)
        assert match is not None
        return Scalar(match[0], _number(match[0]), at), match.end()

    def _listing(self, position: int) -> tuple[Node, int]:
        made = Listing(self.at(position))
        position = self._skip(position + 1)
        while self._text[position] != "]":
            node, position = self._value(position)
            made.items.append(node)
            position = self._next(position)
        return made, position + 1

    def _table(self, position: int) -> tuple[Node, int]:
        made = Table(self.at(position))
        position = self._skip(position + 1)
        while self._text[position] != "}":
            at = self.at(position)
            name, position = _scan_string(self._text, position + 1)
            position = self._skip(self._skip(position) + 1)
            node, position = self._value(position)
            put(made, name, at, node, self._problems)
            position = self._next(position)
        return made, position + 1

    def _next(self, position: int) -> int:
        position = self._skip(position)
        return self._skip(position + 1) if self._text[position] == "," else position


def _number(text: str) -> Any:
    if text in ("true", "false", "null"):
        return {"true": True, "false": False, "null": None}[text]
    try:
        return int(text)
    except ValueError:  # a fraction, or more digits than Python reads
        number = float(text)
        return text if math.isinf(number) else number
