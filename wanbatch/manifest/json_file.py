"""JSON manifests: strict JSON, with the place of every name and value."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Callable
from json import decoder
from typing import Any, NoReturn

from wanbatch.manifest.tree import DEPTH_CAP, Listing, Node, Place, Problems, Scalar, Table, start_of_file
from wanbatch.manifest.yaml_file import put

_scan_string: Callable[[str, int], tuple[str, int]] = decoder.scanstring  # type: ignore[attr-defined]
_SPACE = re.compile(r"[ \t\n\r]*")
_ATOM = re.compile(r"[^\s,\]}]+")


def read_json(text: str, problems: Problems) -> Node:
    """Read a JSON text. Raises ReadingStopped at the first fault of its syntax."""
    try:
        json.loads(text, parse_constant=_refuse, parse_int=str, parse_float=str)
    except json.JSONDecodeError as error:
        raise problems.stop(Place(error.lineno, error.colno), f"this is no JSON: {error.msg}") from error
    except ValueError as error:
        raise problems.stop(start_of_file(), f"this is no JSON: {error}") from error
    except RecursionError as error:
        raise problems.stop(start_of_file(), f"nested more than {DEPTH_CAP} deep") from error
    return _Reader(text, problems).read()


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")


class _Reader:
    """Walks a text that is known to be JSON."""

    def __init__(self, text: str, problems: Problems) -> None:
        self._text = text
        self._problems = problems
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]

    def read(self) -> Node:
        return self._value(self._skip(0), 0)[0]

    def _at(self, position: int) -> Place:
        line = bisect_right(self._lines, position)
        return Place(line, position - self._lines[line - 1] + 1)

    def _skip(self, position: int) -> int:
        match = _SPACE.match(self._text, position)
        assert match is not None
        return match.end()

    def _value(self, position: int, depth: int) -> tuple[Node, int]:
        at, first = self._at(position), self._text[position]
        if depth > DEPTH_CAP:
            raise self._problems.stop(at, f"nested more than {DEPTH_CAP} deep")
        if first == '"':
            text, end = _scan_string(self._text, position + 1)
            return Scalar(text, text, at, is_quoted=True), end
        if first == "[":
            return self._listing(position, depth)
        if first == "{":
            return self._table(position, depth)
        match = _ATOM.match(self._text, position)
        assert match is not None
        return Scalar(match[0], _number(match[0]), at), match.end()

    def _listing(self, position: int, depth: int) -> tuple[Node, int]:
        made = Listing(self._at(position))
        position = self._skip(position + 1)
        while self._text[position] != "]":
            node, position = self._value(position, depth + 1)
            made.items.append(node)
            position = self._next(position)
        return made, position + 1

    def _table(self, position: int, depth: int) -> tuple[Node, int]:
        made = Table(self._at(position))
        position = self._skip(position + 1)
        while self._text[position] != "}":
            at = self._at(position)
            name, position = _scan_string(self._text, position + 1)
            position = self._skip(self._skip(position) + 1)
            node, position = self._value(position, depth + 1)
            put(made, name, at, node, self._problems)
            position = self._next(position)
        return made, position + 1

    def _next(self, position: int) -> int:
        position = self._skip(position)
        return self._skip(position + 1) if self._text[position] == "," else position


def _number(text: str) -> Any:
    if text in ("true", "false", "null"):
        return {"true": True, "false": False, "null": None}[text]
    if re.fullmatch(r"-?[0-9]{1,18}", text):
        return int(text)
    try:
        return float(text) if len(text) < 40 else text
    except ValueError:
        return text
