"""The schemas and example manifests that come with wanbatch, in a checkout and in an installed wheel alike.

The schema of the manifest says what planning needs; the parameters of a shot are those of all models at hand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from wanbatch.batch.input_fields import input_fields
from wanbatch.batch.registry import Registry, registry
from wanbatch.batch.shots import DEFAULT_MODEL
from wanbatch.manifest.unions import union_of
from wanbatch.resources import folder_of

MANIFEST, MAP = "manifest", "map"
HEAD = ("name", "names", "limits", "budget")  # what is said of a batch as a whole, beside its defaults
_GROUPS = ("defaults", "shot")


def schema_names() -> tuple[str, ...]:
    """Return `manifest`, `map`, and the names of all models with a schema."""
    return (MANIFEST, MAP, *registry().names)


def schema_text(name: str) -> str:
    """Return the text of a schema by its name. Raises KeyError for a name that `schema_names` does not list."""
    return json.dumps(schema(name), ensure_ascii=False, indent=2) + "\n"


def schema(name: str) -> Mapping[str, Any]:
    """Return a schema by its name. Treat it as read-only. Raises KeyError for a name that is not listed."""
    if name == MANIFEST:
        return _manifest_schema(registry())
    if name == MAP:
        return _map_schema(registry())
    model = registry().get(name)
    if model is None:
        raise KeyError(name)
    return model.schema


@lru_cache(maxsize=16)
def _manifest_schema(models: Registry) -> Mapping[str, Any]:
    """Return the manifest's own schema with the parameters of these models in it."""
    whole = _file(MANIFEST)
    shapes: dict[str, list[Mapping[str, Any]]] = {}
    for model in sorted(models, key=lambda model: (model.name != DEFAULT_MODEL, "t2v" not in model.name)):
        fields = input_fields(model)
        for name, shape in model.parameters.items():
            may_be_file = name in fields and fields[name].takes_files
            shapes.setdefault(name, []).append(_with_paths(shape) if may_be_file else shape)
    for group in _GROUPS:
        told = whole["$defs"][group]
        told["properties"]["model"]["enum"] = list(models.names)
        told["properties"]["models"]["items"]["enum"] = list(models.names)
        told["properties"] |= {name: union_of(each) for name, each in shapes.items() if name not in told["properties"]}
        told["additionalProperties"] = False
    return whole


@lru_cache(maxsize=16)
def _map_schema(models: Registry) -> Mapping[str, Any]:
    """Return the schema of a table's map, with what a manifest says of the whole in it."""
    whole, manifest = _file(MAP), _manifest_schema(models)
    whole["properties"] |= {name: manifest["properties"][name] for name in ("defaults", *HEAD)}
    whole["$defs"] = {name: manifest["$defs"][name] for name in ("columns", "cap", "defaults", "frame_of")}
    return whole


def _file(name: str) -> dict[str, Any]:
    path = folder_of("schemas") / f"{name}.schema.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _with_paths(shape: Mapping[str, Any]) -> dict[str, Any]:
    """Return the shape of a field that takes addresses as a manifest has it: with paths of files and frames beside
    them.
    """
    made = {name: each for name, each in shape.items() if name not in ("format", "pattern")}
    if "items" in made:
        return {**made, "items": _with_paths(made["items"])}
    return {**made, "type": ["string", "object"]} if made.get("type") == "string" else made


def fields_of_shots() -> frozenset[str]:
    """Return every field that a shot may have, whatever its model."""
    return _fields_of_shots(registry())


@lru_cache(maxsize=16)
def _fields_of_shots(models: Registry) -> frozenset[str]:
    return frozenset(_manifest_schema(models)["$defs"]["shot"]["properties"])


def example_path(name: str) -> Path:
    """Return the path of an example manifest such as `quickstart.yaml`."""
    return folder_of("manifests") / name
