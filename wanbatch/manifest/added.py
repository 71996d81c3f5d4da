"""The models that a project added: schemas in the folder `models` beside its manifest. Its files travel with it."""

from __future__ import annotations

import json
from pathlib import Path

from wanbatch.batch.registry import Model, Registry, model_from, shipped
from wanbatch.batch.request_schemas import first_fault, name_in
from wanbatch.errors import Problem
from wanbatch.manifest.json_file import read_json
from wanbatch.manifest.tree import Problems, ReadingStopped, Table, follow, start_of_file
from wanbatch.resources import MODEL_ENDING

MODELS_FOLDER = "models"
SCHEMA_CAP_BYTES = 1024 * 1024
FILES_CAP = 1000


class _Unread(Exception):
    """A file that cannot be used; the text says why, `path` where in it, if that is known."""

    def __init__(self, words: str, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(words)
        self.path = path


def files_beside(folder: Path) -> list[Path]:
    """Return the schemas in the folder of a manifest, in the order of their names."""
    return sorted((folder / MODELS_FOLDER).glob(f"*{MODEL_ENDING}"))[:FILES_CAP]


def models_beside(folder: Path) -> tuple[Registry, list[Problem]]:
    """Return the models of a manifest in this folder, those that come with wanbatch among them, and what is wrong."""
    models: list[Model] = []
    problems: list[Problem] = []
    for path in files_beside(folder):
        try:
            models.append(_read_model(path))
        except _Unread as error:
            problems.append(_problem(path, error))
    return (shipped().with_added(models) if models else shipped()), problems


def name_of_file(path: Path) -> str:
    """Return the model that a file of this name is of: `vendor__model-1.schema.json` is of `vendor/model-1`."""
    return path.name.removesuffix(MODEL_ENDING).replace("__", "/")


def _read_model(path: Path) -> Model:
    """Read one model from its schema file. Raises _Unread, with the reason, for a file that is not such a schema."""
    try:
        if not path.is_file() or path.stat().st_size > SCHEMA_CAP_BYTES:
            raise _Unread(f"this file is too large (at most {SCHEMA_CAP_BYTES:,} bytes), or not a file")
        schema = json.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise _Unread(f"this file cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise _Unread("this is not valid JSON") from error
    fault = first_fault(schema)
    if fault is not None:
        raise _Unread(f"this file {fault}", fault.path)
    name, named = name_in(schema), name_of_file(path)
    if name != named:
        words = f"this file is named for {named}, but it names the model {name}: use one name in both"
        raise _Unread(words, ("properties", "model", "const" if "const" in schema["properties"]["model"] else "enum"))
    return model_from(schema)


def _problem(path: Path, error: _Unread) -> Problem:
    """Return the problem of a file, at the place in it where it is, so far as it can be read."""
    problems, place = Problems(str(path)), start_of_file()
    cure = f"repair it, or remove it and add the model again: `wanbatch models add {name_of_file(path)}`"
    try:
        node = read_json(path.read_bytes().decode("utf-8"), problems)
    except (OSError, ValueError, ReadingStopped, RecursionError):
        found = problems.found[0] if problems.found else Problem(str(path), 1, 1, str(error))
        return Problem(found.file, found.line, found.column, f"{found.message}; {cure}")
    for part in error.path:
        if isinstance(node, Table) and part in node.keys:
            place = node.keys[str(part)]
        node = follow(node, [part])
    return Problem(str(path), place.line, place.column, f"{error}; {cure}")
