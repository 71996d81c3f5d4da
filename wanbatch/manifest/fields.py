"""The fields of a shot, by what they hold. The schemas define the fields; this module only sorts them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from wanbatch.batch.registry import Registry, registry
from wanbatch.manifest.schemas import MANIFEST, schema

PLANNING_FIELDS = frozenset({"id", "sequence", "scene", "takes", "seed", "tags", "cost_code", "notes", "omit"})
FREE_TEXT_FIELDS = frozenset({"id", "prompt", "notes"})
NUMERIC = frozenset({"integer", "number"})
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
            found[name] = found.get(name, frozenset()) | kinds_in(shape)
    return found
