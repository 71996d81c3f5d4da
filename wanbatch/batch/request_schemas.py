"""Schemas of requests from outside: the part of JSON Schema that wanbatch follows, and what is wrong with one. Pure.

Nothing in such a schema is fetched or executed: no reference, no pattern but one of our own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

HTTPS_PATTERN = r"^https://[^\s]+(?![\s\S])"
HTTPS_OR_DATA_PATTERN = r"^(?:https://|data:)[^\s]+(?![\s\S])"
DEPTH_CAP = 12
NODES_CAP = 20_000
TYPES = frozenset({"string", "integer", "number", "boolean", "array", "object", "null"})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}(?:/[A-Za-z0-9][A-Za-z0-9._-]{0,79}){0,3}")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


def is_model_name(name: object) -> bool:
    """Say whether this can be a model's name: letters, digits, dots, dashes and slashes; never a path upwards."""
    return isinstance(name, str) and len(name) <= 200 and _NAME.fullmatch(name) is not None


def name_in(schema: Mapping[str, Any]) -> str:
    """Return the name of the model that a schema is of; empty if it names none, or several."""
    named = schema.get("properties", {}).get("model", {})
    names = [named["const"]] if "const" in named else named.get("enum", [])
    return names[0] if len(names) == 1 and is_model_name(names[0]) else ""


@dataclass(frozen=True)
class Fault:
    """What is wrong with a schema, as the end of a sentence, and where: names and numbers from its root."""

    words: str
    path: tuple[str | int, ...] = ()

    def __str__(self) -> str:
        at = "/".join(map(str, self.path))
        return f"{self.words} (at {at[:80]})" if at else self.words


def fault_in(schema: object) -> str:
    """Return what is wrong with the schema of a model's requests, as the end of a sentence; empty if it can be used."""
    found = first_fault(schema)
    return "" if found is None else str(found)


def first_fault(schema: object) -> Fault | None:
    """Return the first fault of the schema of a model's requests; None if it can be used."""
    found = next(_faults(schema, (), [NODES_CAP]), None)
    if found is not None or not isinstance(schema, Mapping):
        return found
    if not isinstance(schema.get("properties"), Mapping) or not isinstance(schema["properties"].get("model"), Mapping):
        return Fault("does not describe a request with a model in it")
    if not name_in(schema):
        return Fault("does not name one model (properties.model.const)", ("properties", "model"))
    strange = next((name for name in schema["properties"] if _FIELD.fullmatch(name) is None), None)
    words = f"has a field whose name a manifest cannot hold: {str(strange)[:40]!r}"
    return None if strange is None else Fault(words, ("properties", strange))


def _faults(schema: object, path: tuple[str | int, ...], left: list[int]) -> Iterator[Fault]:
    left[0] -= 1
    if not isinstance(schema, Mapping) or len(path) > 2 * DEPTH_CAP or left[0] < 0:
        yield Fault("is not a schema that wanbatch can read", path)
        return
    for keyword, value in schema.items():
        at = (*path, str(keyword))
        if str(keyword).startswith("x-"):
            continue
        check = _KEYWORDS.get(str(keyword))
        if check is None:
            yield Fault(f"uses {str(keyword)[:40]!r}, which wanbatch does not follow", at)
        elif not check(value):
            yield Fault(f"has a value of {keyword} that cannot be read", at)
        else:
            for name, inner in _inner(str(keyword), value):
                yield from _faults(inner, at if name is None else (*at, name), left)
    yield from (Fault(words, (*path, keyword)) for keyword, words in _mistyped(schema))


def _mistyped(schema: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the keywords whose values no request can have, as they are of another type, or none of the choices."""
    named = schema.get("type", [])
    kinds = [named] if isinstance(named, str) else named if isinstance(named, list) else []
    for keyword in ("const", "default"):
        if keyword in schema and kinds and schema[keyword] is not None and not _is_of(schema[keyword], kinds):
            yield keyword, f"has a {keyword} that is not of its type ({', '.join(map(str, kinds))})"
    choices = schema.get("enum")
    if "const" in schema and isinstance(choices, list) and schema["const"] not in choices:
        yield "const", "has a const that is not one of its choices (enum)"


def _is_of(value: object, kinds: Sequence[str]) -> bool:
    if isinstance(value, bool):
        return "boolean" in kinds
    if isinstance(value, int | float):
        return "number" in kinds or ("integer" in kinds and value == int(value))
    names = ((str, "string"), (list, "array"), (dict, "object"))
    return any(isinstance(value, kind) and name in kinds for kind, name in names)


def _inner(keyword: str, value: Any) -> Iterator[tuple[str | int | None, Any]]:
    """Yield the schemas inside a value, each with its name or number; None if it is the value itself."""
    if keyword in ("items", "not") or (keyword == "additionalProperties" and not isinstance(value, bool)):
        yield None, value
    elif keyword in ("anyOf", "oneOf", "allOf"):
        yield from enumerate(value)
    elif keyword == "properties":
        yield from ((str(name), each) for name, each in value.items())


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_type(value: object) -> bool:
    named = value if isinstance(value, list) else [value]
    return bool(named) and all(isinstance(each, str) and each in TYPES for each in named)


def _is_choices(value: object) -> bool:
    return isinstance(value, list) and bool(value)


def _is_lists(value: object) -> bool:
    return isinstance(value, Mapping) and all(map(_is_texts, value.values()))


def _is_anything(value: object) -> bool:  # noqa: ARG001  one of a table of checks
    return True


_KEYWORDS: Mapping[str, Callable[[object], bool]] = {
    **dict.fromkeys(("$schema", "$id", "$comment", "title", "description", "format"), _is_text),
    **dict.fromkeys(("nullable", "deprecated", "readOnly", "writeOnly"), lambda value: isinstance(value, bool)),
    **dict.fromkeys(("minItems", "maxItems", "minLength", "maxLength"), _is_count),
    **dict.fromkeys(("minimum", "maximum"), _is_number),
    **dict.fromkeys(("const", "default", "example", "examples"), _is_anything),
    **dict.fromkeys(("items", "not"), lambda value: isinstance(value, Mapping)),
    **dict.fromkeys(("anyOf", "oneOf", "allOf", "enum"), _is_choices),
    "additionalProperties": lambda value: isinstance(value, bool | Mapping),
    "properties": lambda value: isinstance(value, Mapping),
    "required": _is_texts,
    "dependentRequired": _is_lists,
    "type": _is_type,
    "pattern": lambda value: value in (HTTPS_PATTERN, HTTPS_OR_DATA_PATTERN),
}
