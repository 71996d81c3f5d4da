"""The models that a project added: schemas in the folder `models` beside its manifest. Its files travel with it."""

from __future__ import annotations

import json
from pathlib import Path

from wanbatch.batch.registry import Model, Registry, model_from, shipped
from wanbatch.batch.request_schemas import fault_in
from wanbatch.errors import Problem
from wanbatch.resources import MODEL_ENDING

MODELS_FOLDER = "models"
SCHEMA_CAP_BYTES = 1024 * 1024
FILES_CAP = 1000


class _Unread(Exception):
    """A file that cannot be used; the text says why."""


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
            problems.append(Problem(str(path), 1, 1, f"this file {error}; repair or remove it"))
    return (shipped().with_added(models) if models else shipped()), problems


def _read_model(path: Path) -> Model:
    """Read one model from its schema file. Raises _Unread, with the reason, for a file that is not such a schema."""
    try:
        if not path.is_file() or path.stat().st_size > SCHEMA_CAP_BYTES:
            raise _Unread("is too large, or not a file")
        schema = json.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise _Unread(f"cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise _Unread(f"is not JSON ({error})") from error
    fault = fault_in(schema)
    if fault:
        raise _Unread(fault)
    return model_from(schema)
