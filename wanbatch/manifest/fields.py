"""The fields of a shot, by what they hold. The schemas define the fields; this module only sorts them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import Any

from wanbatch.batch.registry import Registry, registry
from wanbatch.manifest.schemas import MANIFEST, fields_of_shots, schema

OF_TEXTS = frozenset({"cast", "location", "template"})
OF_VARIANTS = frozenset({"matrix", "zip", "prompts_from"})
PLANNING_FIELDS = (OF_TEXTS | OF_VARIANTS) | frozenset(  # used up before the check
    {
        "id",
        "sequence",
        "scene",
        "takes",
        "seed",
        "tags",
        "cost_code",
        "notes",
        "omit",
        "models",
        "fallback",
        "seeds",
        "allow",
    }
)
FREE_TEXT_FIELDS = frozenset({"id", "prompt", "notes"})
# Planning checks nothing of these but that they are texts.
NAMING_FIELDS = frozenset({"scene", "sequence", "cost_code"})
# What rows may differ in that are alike otherwise: the first is checked as a whole, of the others only these.
LOOSE_FIELDS = FREE_TEXT_FIELDS | NAMING_FIELDS | {"seed"}
NUMERIC = frozenset({"integer", "number"})
_DEPTH_CAP = 4
BARE = NUMERIC | {"boolean"}  # what is read without quotes


def kinds_in(shape: Mapping[str, Any]) -> frozenset[str]:
    """Return the JSON types that a schema takes; none if it does not say."""
    return frozenset(_kinds(shape))


def _kinds(shape: Mapping[str, Any]) -> Iterator[str]:
    named = shape.get("type", ())
    yield from (named,) if isinstance(named, str) else named
    for branch in (*shape.get("anyOf", ()), *shape.get("oneOf", ())):
        yield from _kinds(branch)


def kinds_of(name: str) -> frozenset[str]:
    """Return the JSON types that a field of a shot may have, for planning or for any model."""
    return _kinds_by_name(registry()).get(name, frozenset())


@lru_cache(maxsize=16)
def _kinds_by_name(models: Registry) -> Mapping[str, frozenset[str]]:
    found = {name: kinds_in(shape) for name, shape in schema(MANIFEST)["$defs"]["shot"]["properties"].items()}
    for model in models:
        for name, shape in model.parameters.items():
            for column, inner in ((name, shape), *_inside(name, shape)):
                found[column] = found.get(column, frozenset()) | kinds_in(inner)
    return found


def is_seed(value: object) -> bool:
    """Say whether a value is in the range that planning wants of a seed; it wants nothing else."""
    least, most = _range_of_seeds()
    return type(value) is int and least <= value <= most


@cache
def _range_of_seeds() -> tuple[int, int]:
    shape = schema(MANIFEST)["$defs"]["shot"]["properties"]["seed"]
    return shape["minimum"], shape["maximum"]


def columns_of_shots(*, is_part: bool) -> frozenset[str]:
    """Return every name that a column of a table may have: the fields of shots, and `field.inner` for those inside.

    A table that is part of a manifest may name the texts that are defined there; a table of its own has none.
    """
    return _columns_of_shots(registry(), is_part)


@lru_cache(maxsize=16)
def _columns_of_shots(models: Registry, is_part: bool) -> frozenset[str]:  # noqa: FBT001
    return (fields_of_shots() | _kinds_by_name(models).keys()) - OF_VARIANTS - (frozenset() if is_part else OF_TEXTS)


def _inside(name: str, shape: Mapping[str, Any], depth: int = 0) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the fields inside a field, with dotted names."""
    fields = shape.get("properties", {}) if depth < _DEPTH_CAP else {}
    for inner, told in fields.items():
        yield f"{name}.{inner}", told
        yield from _inside(f"{name}.{inner}", told, depth + 1)
