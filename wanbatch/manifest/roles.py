"""Roles: names that mean the same to every model, and the field that each has for them, read from its schema. Pure.

A field's own name always wins, so that what was bought under it keeps its recipe.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from wanbatch.batch.input_fields import input_fields
from wanbatch.batch.registry import Model, registry
from wanbatch.batch.shots import DEFAULT_MODEL
from wanbatch.manifest.addresses import is_path
from wanbatch.manifest.fields import kinds_in
from wanbatch.manifest.frames import is_frame
from wanbatch.manifest.tree import Node, Table
from wanbatch.manifest.words import one_of

OWNERS_SHOWN = 4
_DO, _TAKE_FILES = "models that do", "models that take files"
_NO_FRAMES = "; no model takes files there, so none takes a frame of another shot"
_NO_FILES = "; no model takes files there: put the file on the web and write its address"
# Each role, the fields that may play it, and the JSON type that the field has to take.
_FIELDS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "first_frame": (("first_frame_image", "string"), ("image_url", "string")),
    "last_frame": (("last_image_url", "string"), ("tail_image_url", "string"), ("last_frame_image", "string")),
    "references": (
        ("reference_image_urls", "array"),
        ("image_urls", "array"),
        ("reference_images", "array"),
        ("image_list", "array"),
    ),
    "sound": (("generate_audio", "boolean"), ("generate_audio_switch", "boolean")),
    "soundtrack": (("audio_url", "string"),),
    "voices": (("audio_urls", "array"),),
    "aspect_ratio": (("ratio", "string"),),
    "resolution": (("max_resolution", "integer"),),
}
NAMES = ("first_frame", "last_frame", "references", "reference", "audio", "aspect_ratio", "resolution")
_SYNONYMS = {"reference": "references"}
_WORDS = {
    "first_frame": "first_frame, an image to begin from",
    "last_frame": "last_frame, an image to end with",
    "references": "references, reference images",
    "sound": "a sound setting (audio: true or false)",
    "soundtrack": "an audio file (audio: an address)",
    "aspect_ratio": "an aspect ratio",
    "resolution": "a resolution",
}
_SPELT = ("resolution", "max_resolution")
_CHOSEN = ("aspect_ratio", "resolution")  # roles whose values a model lists
_TRANSLATED = frozenset((*NAMES, *_SPELT, *(field for field, _ in _FIELDS["references"])))
_LINES = re.compile(r"([0-9]{3,4})p?")
_NAMED_LINES = {"sd": 480, "hd": 720, "fhd": 1080, "full hd": 1080, "2k": 1440, "4k": 2160}


@dataclass(frozen=True)
class TranslatedShot:
    """A shot in its model's own names: the request, its nodes, the shot as written, and roles that the model lacks."""

    request: dict[str, Any]
    nodes: dict[str, Node]
    table: Table
    lacking: Mapping[str, str]


def in_own_names(request: Mapping[str, Any], nodes: Mapping[str, Node], table: Table) -> TranslatedShot:
    """Say a request in the names and spellings of its model; a model that is not known is left as it is."""
    name = request.get("model", DEFAULT_MODEL)
    model = registry().get(name) if isinstance(name, str) else None
    if model is None or request.keys().isdisjoint(_TRANSLATED):
        return TranslatedShot(dict(request), dict(nodes), table, {})
    made, own_nodes, lacking = dict(request), dict(nodes), {}
    items, keys = dict(table.items), dict(table.keys)
    for role in NAMES:
        if role in model.parameters or role not in made:
            continue
        value = made[role]
        part = _part_of(role, value)
        field = part if part in model.parameters else field_of(model, part)
        if field is None or field in made:
            lacking[role] = (
                _lack(model, part, value)
                if field is None
                else f"{role} and {written_name(field, own_nodes)} mean the same thing; keep one of them"
            )
            continue
        made[field] = [made.pop(role)] if role in _SYNONYMS and not isinstance(value, list) else made.pop(role)
        own_nodes[field] = nodes[role]
        if role in table.keys:
            items[field], keys[field] = table.items[role], table.keys[role]
    for field in _SPELT:
        if field in made and field in model.parameters:
            made[field] = _spelt(made[field], model.parameters[field])
    for field, _ in (("references", "array"), *_FIELDS["references"]):
        if field in made and field in model.parameters:
            made[field] = as_listed(made[field], model.parameters[field])
    kept = {field: value for field, value in made.items() if field not in lacking}
    return TranslatedShot(kept, own_nodes, replace(table, items=items, keys=keys), lacking)


def field_of(model: Model, part: str) -> str | None:
    """Return the field of a model that plays a role; None if it has none."""
    for field, kind in _FIELDS[part]:
        if field in model.parameters and kind in kinds_in(model.parameters[field]):
            return None if field == "image_url" and not _begins_from_images(model) else field
    return None


def role_of(model: Model, field: str) -> str | None:
    """Return the role that a field of a model plays; None for one that a manifest calls by its own name alone."""
    parts = [part for part in _FIELDS if field_of(model, part) == field]
    roles = ["audio" if part in ("sound", "soundtrack") else part for part in parts]
    return next((role for role in roles if role not in model.parameters), None)


def written_name(field: str, nodes: Mapping[str, Node]) -> str:
    """Return the name under which a manifest gives a field: the role that it was written as, or its own."""
    node = nodes.get(field)
    return next((role for role in NAMES if node is not None and nodes.get(role) is node), field)


def _begins_from_images(model: Model) -> bool:
    """Say whether a model's only image is a frame of the clip: beside a video that it needs, it is a character."""
    return "video_url" not in model.schema.get("required", ())


def _part_of(role: str, value: Any) -> str:
    if role != "audio":
        return _SYNONYMS.get(role, role)
    return "sound" if isinstance(value, bool) else "soundtrack"


def _lack(model: Model, part: str, value: Any) -> str:
    """Say that a model lacks a role, and name those that take this value of it: not all of them take files."""
    words = f"{model.name} does not take {_WORDS[part]}"
    owners = {each: part if part in each.parameters else field_of(each, part) for each in registry()}
    takes_addresses = _owners_text(model, [each.name for each, field in owners.items() if field is not None])
    given = value if isinstance(value, list) else [value]
    if part in _CHOSEN or not any(is_frame(each) or is_path(each) for each in given):
        return words + takes_addresses
    takers = [each.name for each, field in owners.items() if field is not None and _takes_files(each, field)]
    named = _owners_text(model, takers).replace(_DO, _TAKE_FILES)
    if named or any(is_frame(each) for each in given):
        return words + (named or _NO_FRAMES)
    return f"{words}; no model takes files there" + takes_addresses.replace(_DO, "models that take its address")


def _takes_files(model: Model, field: str) -> bool:
    return field in input_fields(model) and input_fields(model)[field].takes_files


def takers_text(model: Model, field: str, value: Any) -> str:
    """Name the models that take a value that one of them lacks; an empty text for values of other fields."""
    role = next((each for each in _CHOSEN if field == each or field in dict(_FIELDS[each])), None)
    if role is None or not isinstance(value, str | int):
        return ""
    takers = []
    for each in registry():
        own = role if role in each.parameters else field_of(each, role)
        choices = each.parameters[own].get("enum", ()) if own is not None else ()
        if choices and _spelt(value, each.parameters[str(own)]) in choices:
            takers.append(each.name)
    return _owners_text(model, takers)


def file_takers_text(model: Model, field: str) -> str:
    """Name the models that take a file where one of them takes an address; how else to send it if none does."""
    parts = [part for part in _FIELDS if field_of(model, part) == field] or [field]
    takers = []
    for each in registry():
        own = [field_of(each, part) or part for part in parts if part in _FIELDS] or parts
        if any(_takes_files(each, name) for name in own):
            takers.append(each.name)
    return _owners_text(model, takers).replace(_DO, _TAKE_FILES) or _NO_FILES


def _owners_text(model: Model, owners: list[str]) -> str:
    def distance(name: str) -> tuple[bool, bool]:
        """Models of the same vendor come first, and of these those that need nothing more than this one does."""
        owner = registry().get(name)
        needs = set() if owner is None else set(owner.schema.get("required", ()))
        is_of_another = name.split("/", maxsplit=1)[0] != model.name.split("/")[0]
        return is_of_another, not needs <= set(model.schema.get("required", ()))

    owners.sort(key=distance)
    return f"; {_DO}: {one_of(owners[:OWNERS_SHOWN])}" if owners else ""


def _spelt(value: Any, shape: Mapping[str, Any]) -> Any:
    """Return a value as the model spells it, if exactly one of its choices says the same: 1080p is 1080P and fhd."""
    choices = shape.get("enum")
    if not isinstance(value, str | int) or isinstance(value, bool) or not isinstance(choices, list) or value in choices:
        return value
    wanted = _lines(value)
    alike = [each for each in choices if wanted is not None and _lines(each) == wanted]
    return alike[0] if len(alike) == 1 else value


def as_listed(values: Any, shape: Mapping[str, Any]) -> Any:
    """Return references as their model lists them: an address becomes an object where its schema wants objects.

    That is only so where the address is the one thing that the object leaves open. A single frame is a list of one.
    """
    values = [values] if is_frame(values) else values
    item = shape.get("items", {})
    fields = item.get("properties", {})
    needed = item.get("required", ())
    addresses = [name for name in needed if fields.get(name, {}).get("format") == "uri"]
    fixed = {
        name: each["enum"][0] for name, each in fields.items() if name in needed and len(each.get("enum", ())) == 1
    }
    if not isinstance(values, list) or len(addresses) != 1 or {*fixed, *addresses} != {*needed}:
        return values
    return [{**fixed, addresses[0]: each} if isinstance(each, str) or is_frame(each) else each for each in values]


def _lines(value: object) -> int | None:
    text = str(value).strip().casefold()
    found = _LINES.fullmatch(text)
    return int(found[1]) if found is not None else _NAMED_LINES.get(text)
