"""The schemas and example manifests that come with wanbatch, in a checkout and in an installed wheel alike."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from wanbatch.errors import LocalFault

MANIFEST = "manifest"


@cache
def _folder(name: str) -> Path:
    package = Path(__file__).resolve().parents[1]
    for folder in (package / name, package.parent / name):
        if folder.is_dir():
            return folder
    raise LocalFault(f"this installation of wanbatch lacks its {name}/; install it again")


@cache
def schema_names() -> tuple[str, ...]:
    """Return `manifest` and the names of all models that have a schema."""
    models = (path.name.removesuffix(".schema.json") for path in (_folder("schemas") / "models").glob("*.schema.json"))
    return (MANIFEST, *sorted(name.replace("__", "/") for name in models))


def schema_text(name: str) -> str:
    """Return the text of a schema by its name. Raises KeyError for a name that `schema_names` does not list."""
    if name not in schema_names():
        raise KeyError(name)
    relative = "manifest.schema.json" if name == MANIFEST else f"models/{name.replace('/', '__')}.schema.json"
    return (_folder("schemas") / relative).read_text(encoding="utf-8")


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
    return _folder("manifests") / name


def example_paths() -> tuple[Path, ...]:
    """Return the paths of all example manifests."""
    return tuple(sorted(path for path in _folder("manifests").iterdir() if path.is_file()))
