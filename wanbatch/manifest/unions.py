"""The union of what several models say of one parameter: what a manifest may hold before its model is known. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_WORDS = ("title", "description")
_LOOSE = ("default", "examples", "minItems", "maxItems", "minLength", "maxLength")


def union_of(shapes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a schema that takes whatever one of these takes. The words are those of the first."""
    words = {name: shapes[0][name] for name in _WORDS if name in shapes[0]}
    bare = [{name: value for name, value in shape.items() if name not in (*_WORDS, *_LOOSE)} for shape in shapes]
    if all(each == bare[0] for each in bare):
        return words | bare[0] | _least_lengths(shapes)
    kinds = {str(each.get("type")) for each in bare}
    if len(kinds) > 1 or "None" in kinds:
        return words
    return words | {"type": bare[0]["type"]} | _values(bare)


def _values(bare: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the values that shapes of one type take together."""
    if all("enum" in each for each in bare):
        return {"enum": list(dict.fromkeys(value for each in bare for value in each["enum"]))}
    found: dict[str, Any] = {}
    if bare[0]["type"] in ("integer", "number"):
        lows: list[Any] = [min(each["enum"]) if "enum" in each else each.get("minimum") for each in bare]
        highs: list[Any] = [max(each["enum"]) if "enum" in each else each.get("maximum") for each in bare]
        found |= {"minimum": min(lows)} if None not in lows else {}
        found |= {"maximum": max(highs)} if None not in highs else {}
    for name in ("format", "pattern", "items"):
        if all(each.get(name) == bare[0].get(name) for each in bare) and name in bare[0]:
            found[name] = bare[0][name]
    return found


def _least_lengths(shapes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return how long a text has to be at least for any of them."""
    least = [shape.get("minLength", 0) for shape in shapes]
    return {"minLength": min(least)} if min(least) else {}
