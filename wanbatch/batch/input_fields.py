"""Input fields: the fields of a model that hold pictures, sounds and videos, and whether one may be a file. Pure.

A file travels in the request, in Base64. A model takes it where the description of its field says so; where that only
speaks of addresses, only an address is sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from wanbatch.batch.given_files import FileKind
from wanbatch.batch.registry import Model, model_facts

_IN_THE_REQUEST = re.compile(r"base64|data[ -]ur[il]", re.IGNORECASE)
_KINDS = (
    (FileKind.SOUND, re.compile("audio|voice|sound")),
    (FileKind.PICTURE, re.compile("image|frame|photo|picture")),
)


@dataclass(frozen=True)
class Bounds:
    """What a model's vendor documents of the pictures that it takes; None for what is not documented.

    The provider documents none, and may take more: what is outside is a warning. Sides are in pixels.
    """

    side_min: int | None = None
    side_max: int | None = None
    bytes_max: int | None = None
    takes_alpha: bool = True


NO_BOUNDS = Bounds()


@dataclass(frozen=True)
class InputField:
    """A field of a model that holds addresses: `kind` is None for videos and documents, which are never files here.

    `inside` are the names of addresses in the objects of a field that holds objects.
    """

    name: str
    kind: FileKind | None
    takes_files: bool
    inside: frozenset[str] = frozenset()
    bounds: Bounds = field(default=NO_BOUNDS)


@lru_cache(maxsize=256)
def input_fields(model: Model) -> Mapping[str, InputField]:
    """Return the fields of a model that hold addresses, by name."""
    found = {}
    for name, shape in model.parameters.items():
        inside = [inner for inner, _ in _addresses(shape, "")]
        names = [name, *inside]
        if len(names) > 1:
            kind = next((kind for kind, word in _KINDS if any(word.search(each) for each in names)), None)
            kind = None if "video" in name else kind
            told = kind is not None and _IN_THE_REQUEST.search(" ".join(_descriptions(shape))) is not None
            found[name] = InputField(name, kind, told, frozenset(inside) - {""}, bounds_of(model))
    return found


def _addresses(shape: Mapping[str, Any], name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the addresses inside a field, each with the name that it has there."""
    if shape.get("format") == "uri":
        yield name, shape
    for each in (*shape.get("anyOf", ()), *([shape["items"]] if "items" in shape else [])):
        yield from _addresses(each, name)
    for inner, each in shape.get("properties", {}).items():
        yield from _addresses(each, inner)


def _descriptions(shape: Mapping[str, Any]) -> Iterator[str]:
    yield str(shape.get("description", ""))
    inner = [*shape.get("anyOf", ()), *shape.get("properties", {}).values()]
    for each in (*inner, *([shape["items"]] if "items" in shape else [])):
        yield from _descriptions(each)


def bounds_of(model: Model) -> Bounds:
    """Return what is documented of the pictures that a model takes."""
    told = model_facts()["pictures"].get(model.facts.get("pictures"))
    return NO_BOUNDS if told is None else Bounds(**told)
