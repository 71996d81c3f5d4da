"""Published schemas: the request of a model in the provider's OpenAPI file, turned into a schema of ours. Pure.

Only what limits a request is kept; what the file refers to is looked up in the same file and nowhere else. A
limit that is not kept is still held by the provider, which refuses such a request and charges nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wanbatch.batch.request_schemas import HTTPS_OR_DATA_PATTERN, fault_in
from wanbatch.provider.bodies import AnswerInvalid
from wanbatch.text import shown

DRAFT = "https://json-schema.org/draft/2020-12/schema"
DEPTH_CAP = 10
NODES_CAP = 10_000
_KEPT = ("enum", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems")
_KINDS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


def schema_in(document: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Return our schema of a model's requests from an OpenAPI file. Raises AnswerInvalid if it has none that fits."""
    components = document.get("components")
    found = [each for each in map(dict, _requests(document)) if model in _models_of(each, components)]
    if not found:
        raise AnswerInvalid(f"no request for {shown(model)} is described in it")
    return schema_of(found[0], components, model)


def schema_of(request: Mapping[str, Any], components: object, model: str) -> dict[str, Any]:
    """Return our schema of the requests that a published schema describes. Raises AnswerInvalid."""
    made = _Reader(components).read(request, 0)
    fields = made.get("properties")
    if not isinstance(fields, dict):
        raise AnswerInvalid("the request in it has no fields")
    fields["model"] = {"title": "Model", "const": model}
    made["required"] = list(dict.fromkeys(["model", *made.get("required", [])]))
    schema = {"$schema": DRAFT, "title": model, **{name: made[name] for name in made if name != "title"}}
    fault = fault_in(schema)
    if fault:
        raise AnswerInvalid(f"the request in it {fault}")
    return schema


def _requests(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the schemas of the bodies of POST requests."""
    paths = document.get("paths")
    for path in paths.values() if isinstance(paths, Mapping) else ():
        schema = path
        for name in ("post", "requestBody", "content", "application/json", "schema"):
            schema = schema.get(name) if isinstance(schema, Mapping) else None
        if isinstance(schema, Mapping):
            yield schema


def _models_of(request: Mapping[str, Any], components: object) -> list[Any]:
    named = _Reader(components).read(request, 0).get("properties", {}).get("model", {})
    return list(named.get("enum", ()))


class _Reader:
    """Reads one file's schemas; `components` is what they may refer to."""

    def __init__(self, components: object) -> None:
        self._components = components
        self._left = NODES_CAP

    def read(self, told: object, depth: int) -> dict[str, Any]:
        """Return one schema in our words."""
        self._left -= 1
        if not isinstance(told, Mapping) or depth > DEPTH_CAP or self._left < 0:
            raise AnswerInvalid("a schema in it cannot be read")
        if "$ref" in told:
            return self.read(self._referred(told["$ref"]), depth + 1)
        if "allOf" in told:
            return self._together([self.read(each, depth + 1) for each in _list(told["allOf"])])
        made = self._limited(told, depth)
        if isinstance(told.get("properties"), Mapping):
            made |= self._fields(told, depth)
        if told.get("format") == "uri" and made.get("type", "string") == "string" and "enum" not in made:
            made |= {"type": "string", "format": "uri", "pattern": HTTPS_OR_DATA_PATTERN}
        return _with_default(made, told)

    def _limited(self, told: Mapping[str, Any], depth: int) -> dict[str, Any]:
        """Return the words and the limits of a schema, without its fields."""
        words = {name: told[name] for name in ("title", "description") if isinstance(told.get(name), str)}
        made: dict[str, Any] = {name: shown(text) for name, text in words.items()}
        kind = told.get("type")
        if isinstance(kind, str) and kind in _KINDS:
            made["type"] = kind
        made |= {name: told[name] for name in _KEPT if name in told}
        for name in ("anyOf", "oneOf"):
            if name in told:
                made["anyOf"] = [self.read(each, depth + 1) for each in _list(told[name])]
        if "items" in told:
            made["items"] = self.read(told["items"], depth + 1)
        return made

    def _fields(self, told: Mapping[str, Any], depth: int) -> dict[str, Any]:
        fields = {str(name): self.read(each, depth + 1) for name, each in told["properties"].items()}
        needed = [name for name in _list(told.get("required", [])) if name in fields]
        return {"type": "object", "properties": fields, "required": needed, "additionalProperties": False}

    def _referred(self, address: object) -> object:
        """Return what a reference leads to in the same file."""
        parts = str(address).split("/")
        if parts[:2] != ["#", "components"]:
            raise AnswerInvalid(f"it refers to {shown(address)}, which wanbatch does not follow")
        found = self._components
        for part in parts[2:]:
            found = found.get(part) if isinstance(found, Mapping) else None
        return found

    @staticmethod
    def _together(parts: list[dict[str, Any]]) -> dict[str, Any]:
        """Put the parts of an `allOf` into one."""
        made: dict[str, Any] = {}
        for part in parts:
            fields = {**made.get("properties", {}), **part.get("properties", {})}
            needed = [*made.get("required", []), *part.get("required", [])]
            made |= part
            if fields:
                made |= {"properties": fields, "required": list(dict.fromkeys(needed))}
        return made


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise AnswerInvalid("a schema in it cannot be read")
    return value


def _with_default(made: dict[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """Keep a default if it is a value that the schema takes. The provider prints numbers as text: "5" is 5."""
    value, kind = told.get("default"), made.get("type")
    if kind in ("integer", "number") and isinstance(value, str):
        value = int(value) if value.removeprefix("-").isascii() and value.removeprefix("-").isdigit() else None
    is_of_kind = kind in _KINDS and isinstance(value, _KINDS[str(kind)])
    if value is None or not is_of_kind or (isinstance(value, bool) and kind != "boolean"):
        return made
    return made | ({"default": value} if "enum" not in made or value in made["enum"] else {})
