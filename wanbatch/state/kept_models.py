"""The models that a project added, as a state file keeps them: without their defaults its recipes could not be read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from wanbatch.batch.registry import Model, added_models, learn, model_from
from wanbatch.batch.request_schemas import fault_in

_BEGIN = "model "  # begins the names of these notes


def notes_of(names: Iterable[str]) -> dict[str, str]:
    """Return the notes to keep of these models; none of those that come with wanbatch."""
    wanted = set(names)
    return {
        f"{_BEGIN}{each.name}": json.dumps(each.schema, ensure_ascii=False)
        for each in added_models()
        if each.name in wanted
    }


def learn_kept(notes: Mapping[str, str]) -> None:
    """Remember the models that a state file keeps, unless a manifest said more of them."""
    learn(_models_in(notes), is_newest=False)


def _models_in(notes: Mapping[str, str]) -> Iterator[Model]:
    for name, text in notes.items():
        if name.startswith(_BEGIN):
            with suppress(ValueError, RecursionError):
                schema = json.loads(text)
                if not fault_in(schema):
                    yield model_from(schema)
