"""The sandbox's check of request bodies: a reader of its own of the schemas, in the provider's words.

It knows the part of JSON Schema that schemas of models use, and shares no code with the client's check.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_NAMES: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    (list, "array"),
    (dict, "object"),
)
_COUNTED = {"string": "character", "array": "element"}


def faults_in(schema: Mapping[str, Any], body: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a request body, as the provider words it."""
    return [f"{path}: {words}" if path else words for path, words in _faults(schema, body, "")]


def _faults(shape: Mapping[str, Any], value: Any, path: str) -> Iterator[tuple[str, str]]:
    branches = [*shape.get("anyOf", ()), *shape.get("oneOf", ())]
    if branches:
        told = [[*_faults(branch, value, path)] for branch in branches]
        if [] not in told:
            yield min(told, key=len)[0]
        return
    allowed = _allowed(shape)
    got = _kind(value)
    if allowed and got not in allowed and not (got == "integer" and "number" in allowed):
        yield path, f"Expected {' | '.join(allowed)}, received {got}"
        return
    choices = [shape["const"]] if "const" in shape else shape.get("enum", ())
    if choices and not any(_is_same(value, each) for each in choices):
        yield path, f"Invalid enum value. Expected {' | '.join(map(repr, choices))}, received {value!r}"
    yield from ((path, words) for words in _bounds(shape, value, path))
    if isinstance(value, dict):
        yield from _inside(shape, value, path)
    if isinstance(value, list) and "items" in shape:
        for number, each in enumerate(value):
            yield from _faults(shape["items"], each, f"{path}.{number}")


def _inside(shape: Mapping[str, Any], value: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the fields of an object."""
    before = f"{path}." if path else ""
    fields = shape.get("properties", {})
    for name in shape.get("required", ()):
        if name not in value:
            yield f"{before}{name}", "Required"
    for name, each in value.items():
        if name in fields:
            yield from _faults(fields[name], each, f"{before}{name}")
        elif shape.get("additionalProperties") is False:
            yield path, f"Unrecognized key in object: '{name}'"
    yield from ((f"{before}{name}" if name else path, words) for name, words in _together(shape, value))


def _together(shape: Mapping[str, Any], value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield which fields are not there beside others, or are too much beside them."""
    for name, needed in shape.get("dependentRequired", {}).items():
        for each in needed if name in value else ():
            if each not in value:
                yield each, f"Required with {name}"
    for rule in shape.get("allOf", ()):
        both = rule.get("not", {}).get("required", ())
        if both and all(name in value for name in both):
            yield "", f"{' and '.join(both)} are mutually exclusive"


def _bounds(shape: Mapping[str, Any], value: Any, path: str) -> Iterator[str]:
    """Yield which bounds a value breaks: of a number, of the length of a text or a list, of a text's form."""
    kind = _kind(value)
    if kind in ("integer", "number"):
        least, most = shape.get("minimum"), shape.get("maximum")
        if (least is not None and value < least) or (most is not None and value > most):
            yield f"Number must be from {least} to {most}, received {value}"
    if kind in _COUNTED:
        least, most = shape.get("minItems", 0), shape.get("maxLength" if kind == "string" else "maxItems")
        if kind == "array" and len(value) < least:
            yield f"Array must contain at least {least} element(s), received {len(value)}"
        if most is not None and len(value) > most:
            yield f"{kind.capitalize()} must contain at most {most} {_COUNTED[kind]}(s), received {len(value)}"
    if isinstance(value, str):
        if path == "prompt" and not value.strip():
            yield "String must contain at least 1 character(s)"
        if any(0xD800 <= ord(char) < 0xE000 for char in value):
            yield "Expected text, received half a character"
        if shape.get("format") == "uri" and not value.startswith(("https://", "http://", "data:")):
            yield "Invalid url"


def _allowed(shape: Mapping[str, Any]) -> tuple[str, ...]:
    told = shape.get("type", ())
    return (told,) if isinstance(told, str) else tuple(told)


def _is_same(value: Any, choice: Any) -> bool:
    return bool(value == choice) and isinstance(value, bool) == isinstance(choice, bool)


def _kind(value: Any) -> str:
    return next((name for kind, name in _NAMES if isinstance(value, kind)), "null")
