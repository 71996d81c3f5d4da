"""The schemas and example manifests that come with wanbatch, in a checkout and in an installed wheel alike."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from wanbatch.resources import folder_of, model_names, model_schema_path

MANIFEST = "manifest"


@cache
def schema_names() -> tuple[str, ...]:
    """Return `manifest` and the names of all models with a schema."""
    return (MANIFEST, *model_names())


def schema_text(name: str) -> str:
    """Return the text of a schema by its name. Raises KeyError for a name that `schema_names` does not list."""
    path = folder_of("schemas") / "manifest.schema.json" if name == MANIFEST else model_schema_path(name)
    return path.read_text(encoding="utf-8")


@cache
def schema(name: str) -> dict[str, Any]:
    """Return a schema by its name, decoded. Treat it as read-only."""
    loaded: dict[str, Any] = json.loads(schema_text(name))
    return loaded


@cache
def fields_of_shots() -> frozenset[str]:
    """Return every field that a shot may have, whatever its model."""
    return frozenset(schema(MANIFEST)["$defs"]["shot"]["properties"])


def example_path(name: str) -> Path:
    """Return the path of an example manifest such as `quickstart.yaml`."""
    return folder_of("manifests") / name
