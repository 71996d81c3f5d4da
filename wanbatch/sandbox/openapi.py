"""The OpenAPI file of a model, in the provider's published shape: a choice of one for a constant, numbers as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wanbatch.sandbox.models import Model

_UNSAID = ("$schema", "additionalProperties", "pattern", "dependentRequired", "allOf", "not")


def openapi_of(model: Model, path: str) -> dict[str, Any]:
    """Return the file; `path` is that of the submit."""
    body = {"required": True, "content": {"application/json": {"schema": _published(model.schema)}}}
    operation = {"operationId": "submit", "requestBody": body, "responses": {}}
    return {
        "openapi": "3.0.0",
        "info": {"title": "AIML API", "version": "1.0.0"},
        "paths": {path: {"post": operation}},
        "components": {"schemas": {}},
    }


def _published(shape: Mapping[str, Any]) -> dict[str, Any]:
    made = {name: value for name, value in shape.items() if name not in _UNSAID and not name.startswith("x-")}
    if "const" in made:
        made = {"type": "string", "enum": [made.pop("const")], **made}
    if made.get("type") == "integer" and "default" in made:
        made["default"] = str(made["default"])  # as the provider prints it
    if "properties" in made:
        made["properties"] = {name: _published(each) for name, each in made["properties"].items()}
    if "items" in made:
        made["items"] = _published(made["items"])
    for name in ("anyOf", "oneOf"):
        if name in made:
            made[name] = [_published(each) for each in made[name]]
    return made
