"""The files that come with wanbatch: schemas and example manifests, in a checkout and in an installed wheel alike."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from wanbatch.errors import LocalFault

MODEL_ENDING = ".schema.json"
SHOTS_NAME = "shots.json"  # in the folder of an embedded sandbox: what its takes are called


@cache
def folder_of(name: str) -> Path:
    """Return the folder of `schemas` or `manifests`. Raises LocalFault if the installation lacks it."""
    package = Path(__file__).resolve().parent
    for folder in (package / name, package.parent / name):
        if folder.is_dir():
            return folder
    raise LocalFault(f"this installation of wanbatch has no {name}/ folder; install it again")


@cache
def model_names() -> tuple[str, ...]:
    """Return the names of all models that have a schema, in order."""
    paths = (folder_of("schemas") / "models").glob(f"*{MODEL_ENDING}")
    return tuple(sorted(path.name.removesuffix(MODEL_ENDING).replace("__", "/") for path in paths))


def model_schema_path(name: str) -> Path:
    """Return the path of a model's schema. Raises KeyError for a model that `model_names` does not list."""
    if name not in model_names():
        raise KeyError(name)
    return folder_of("schemas") / "models" / f"{name.replace('/', '__')}{MODEL_ENDING}"


@cache
def facts_path() -> Path:
    """Return the path of what no schema of a model says."""
    return folder_of("schemas") / "model-facts.json"
