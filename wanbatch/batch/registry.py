"""The registry: every model whose schema is at hand, those that come with wanbatch and those that a project added.

A model is its schema: its parameters, its defaults and its limits are read there. What no schema can say (frame sizes,
prices that only the documentation names) is in `schemas/model-facts.json`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

from wanbatch.batch.request_schemas import name_in
from wanbatch.resources import facts_path, model_names, model_schema_path

NOTHING: Mapping[str, Any] = {}
MACHINE, ANY_MACHINE = "provider", "auto"  # the parameter that names who makes a clip, and what it says by default
# Columns of their own, what makes another picture of the same size and length, and a mark in its corner.
_OWN_OR_LOOKS = frozenset(
    {
        *("model", "prompt", "resolution", "duration"),
        *("seed", "aspect_ratio", "ratio", "enhance_prompt", "enable_prompt_expansion", "shot_type", "watermark"),
    }
)


@dataclass(frozen=True, eq=False)
class Model:
    """One model: its name, the JSON Schema of its requests, and what is known beyond that."""

    name: str
    schema: Mapping[str, Any]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def parameters(self) -> Mapping[str, Any]:
        """What the schema says of each field of a request."""
        parameters: Mapping[str, Any] = self.schema["properties"]
        return parameters

    def default_of(self, name: str) -> Any:
        """Return what the provider takes if a request does not name a parameter; None if that is not known."""
        return self.parameters.get(name, NOTHING).get("default", ANY_MACHINE if name == MACHINE else None)

    @cached_property
    def settings(self) -> tuple[str, ...]:
        """The parameters that a price may depend on beside resolution and duration: choices and whole numbers."""
        return tuple(sorted(name for name, shape in self.parameters.items() if _is_setting(name, shape)))

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """The parameters that hold addresses of images and videos, which a clip may follow in its shape."""
        shapes = {name: shape.get("items", shape) for name, shape in self.parameters.items()}
        return tuple(name for name, shape in shapes.items() if _is_address(shape) and not name.startswith("audio"))

    @property
    def pace(self) -> float:
        """How long a generation takes, as a share of one of the default model."""
        return float(self.facts.get("pace", 1.0))


def _is_setting(name: str, shape: Mapping[str, Any]) -> bool:
    is_choice = shape.get("type") in ("boolean", "integer") or "enum" in shape or name == MACHINE
    return is_choice and name not in _OWN_OR_LOOKS


def _is_address(shape: Mapping[str, Any]) -> bool:
    return any(each.get("format") == "uri" for each in (shape, *shape.get("anyOf", ())))


class Registry:
    """Models by name."""

    def __init__(self, models: Iterable[Model]) -> None:
        self._models = {model.name: model for model in models}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All names, in order."""
        return tuple(sorted(self._models))

    @cached_property
    def settings(self) -> tuple[str, ...]:
        """The parameters that a price may depend on beside resolution and duration, of any model."""
        return tuple(sorted({name for model in self._models.values() for name in model.settings}))

    def get(self, name: str) -> Model | None:
        """Return a model; None if no schema of it is at hand."""
        return self._models.get(name)

    def __iter__(self) -> Iterator[Model]:
        """Yield the models in the order of their names."""
        return (self._models[name] for name in self.names)

    def with_added(self, models: Iterable[Model]) -> Registry:
        """Return these models and more; one of the same name takes the place of the other."""
        return Registry([*self._models.values(), *models])


@cache
def model_facts() -> Mapping[str, Any]:
    """Return what no schema says: `frame_sizes` by name, and the rows of `models`."""
    facts: Mapping[str, Any] = json.loads(facts_path().read_text(encoding="utf-8"))
    return facts


@cache
def shipped() -> Registry:
    """Return the models that come with wanbatch."""
    told = model_facts()["models"]
    return Registry(Model(name, _schema_of(name), told.get(name, NOTHING)) for name in model_names())


def model_from(schema: Mapping[str, Any]) -> Model:
    """Return the model of a schema in which nothing is wrong, with what is known of it beyond that."""
    name = name_in(schema)
    return Model(name, schema, model_facts()["models"].get(name, NOTHING))


def _schema_of(name: str) -> Mapping[str, Any]:
    schema: Mapping[str, Any] = json.loads(model_schema_path(name).read_text(encoding="utf-8"))
    return schema


_current: ContextVar[Registry | None] = ContextVar("registry", default=None)
_added: dict[str, Model] = {}


def registry() -> Registry:
    """Return the models that count here: those of the manifest that is being read, else all that were met so far."""
    current = _current.get()
    return current if current is not None else _known()


def _known() -> Registry:
    return _all(tuple(_added.values())) if _added else shipped()


@cache
def _all(added: tuple[Model, ...]) -> Registry:
    return shipped().with_added(added)


def added_models() -> tuple[Model, ...]:
    """Return the models that count here and do not come with wanbatch."""
    return tuple(model for model in registry() if shipped().get(model.name) is not model)


def learn(models: Iterable[Model], *, is_newest: bool = True) -> None:
    """Remember models that a project added, so that its recipes can be read after its manifest was.

    What is known already stays if this is not the newest.
    """
    for model in models:
        if shipped().get(model.name) is not model and (is_newest or model.name not in _added):
            _added[model.name] = model


@contextmanager
def reading(models: Registry) -> Iterator[None]:
    """Let only these models count, for as long as a manifest is read."""
    token = _current.set(models)
    try:
        yield
    finally:
        _current.reset(token)
