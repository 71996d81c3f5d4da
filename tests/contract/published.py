"""Contracts: what may be asked of the provider and what it answers, in our own words or read from OpenAPI files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from tests.sandbox import shapes
from wanbatch.manifest.schemas import MANIFEST, MAP, schema, schema_names

GENERATIONS = "/v2/video/generations"
NOTHING = "\u2013"  # the published files write a dash where a GET has no body
OFFSET_MOMENT = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"}
PAGE = {"type": "integer", "minimum": 1, "maximum": 100}


@dataclass(frozen=True)
class Operation:
    """One call: its query parameters by name, those that must be there, and JSON Schemas of both bodies.

    `request` is None if the call has no body; `source` names the file that says so.
    """

    method: str
    path: str
    source: str
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    request: Mapping[str, Any] | None = None
    answer: Mapping[str, Any] = field(default_factory=dict)

    @property
    def model(self) -> str | None:
        """The model whose requests this is about; None if it is about any."""
        told = (self.request or {}).get("properties", {}).get("model", {})
        names = told.get("enum", [told["const"]] if "const" in told else [])
        return str(names[0]) if names else None


def _own(method: str, path: str, answer: Mapping[str, Any], **more: Any) -> Operation:
    return Operation(method, path, "own words", answer=answer, **more)


def own_words() -> list[Operation]:
    """Return the contract as this project states it: the shapes of answers, and the schemas of the models."""
    logs = {
        "period": {"type": "string", "pattern": "^[1-9][0-9]*[hd]$"}, "start": OFFSET_MOMENT, "end": OFFSET_MOMENT, "limit": PAGE,
        "offset": {"type": "integer", "minimum": 0}, "status": {"enum": ["succeeded", "failed"]}, "model": {}, "key_prefix": {},
    }  # fmt: skip
    ledger = {
        "from": OFFSET_MOMENT, "to": OFFSET_MOMENT, "limit": PAGE, "cursor": {"type": "string"},
        "direction": shapes.LEDGER["properties"]["data"]["items"]["properties"]["direction"],
        "type": shapes.LEDGER["properties"]["data"]["items"]["properties"]["type"],
    }  # fmt: skip
    filters = (
        "id",
        "include",
        "details",
        "type",
        "tags",
        "modalities",
        "input_modalities",
        "output_modalities",
        "capabilities",
    )
    models = [name for name in schema_names() if name not in (MANIFEST, MAP)]
    return [
        *(_own("POST", GENERATIONS, shapes.generation_of(name), request=schema(name)) for name in models),
        _own("GET", GENERATIONS, shapes.GENERATION, parameters={"generation_id": {"type": "string"}}, required=frozenset({"generation_id"})),
        _own("GET", "/v2/logs", shapes.LOGS, parameters=logs),
        _own("GET", "/v2/billing/transactions", shapes.LEDGER, parameters=ledger),
        _own("GET", "/v2/billing", shapes.BALANCE),
        _own("GET", "/v2/billing/detail", shapes.DETAIL),
        _own("GET", "/v1/key", shapes.KEY),
        _own("GET", "/v1/models", shapes.MODELS, parameters={name: {"type": "string"} for name in filters}),
        _own("GET", "/v1/models/deprecations", shapes.ENDINGS, parameters={"status": {}, "since": {}}),
        _own("GET", "/models/metrics", shapes.METRICS, parameters={"aliases": {"type": "string"}}),
    ]  # fmt: skip


def read_folder(folder: Path) -> list[Operation]:
    """Read every OpenAPI 3.0 file of a folder."""
    found = []
    for path in sorted(folder.glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        for route, calls in document.get("paths", {}).items():
            found += [_read(method.upper(), route, path.name, call) for method, call in calls.items()]
    return found


def _read(method: str, route: str, source: str, call: Mapping[str, Any]) -> Operation:
    query = [each for each in call.get("parameters", []) if each.get("in") == "query"]
    body = _content(call.get("requestBody", {}))
    return Operation(
        method,
        route,
        source,
        {each["name"]: to_json_schema(each.get("schema", {})) for each in query},
        frozenset(each["name"] for each in query if each.get("required")),
        None if body is None or body.get("type") == NOTHING else to_json_schema(body),
        to_json_schema(_content(call.get("responses", {}).get("200", {})) or {}),
    )


def _content(part: Mapping[str, Any]) -> Mapping[str, Any] | None:
    told = part.get("content", {}).get("application/json", {}).get("schema")
    return told if isinstance(told, Mapping) else None


def to_json_schema(told: Any) -> Any:
    """Turn a schema of OpenAPI 3.0 into a JSON Schema: `nullable` is another type there."""
    if isinstance(told, list):
        return [to_json_schema(each) for each in told]
    if not isinstance(told, dict):
        return told
    made = {
        name: to_json_schema(value) for name, value in told.items() if name not in ("nullable", "example", "default")
    }
    if "properties" in told:
        made["properties"] = {name: to_json_schema(value) for name, value in told["properties"].items()}
        # One file lists a parent's fields as those that its last object must have: what nothing has, nothing must.
        made["required"] = [name for name in told.get("required", []) if name in made["properties"]]
    if not told.get("nullable"):
        return made
    return {"anyOf": [made, {"type": "null"}]} if made else {"type": "null"}


# --- holding something against a contract


@dataclass(frozen=True)
class Exchange:
    """One call that was made: what was asked, and what came back."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    request: Any
    status: int
    answer: Any


def problems(exchange: Exchange, contract: Iterable[Operation]) -> list[str]:
    """Return what a contract has against an exchange; a call that it does not know is one."""
    calls = [each for each in contract if (each.method, each.path) == (exchange.method, exchange.path)]
    if exchange.request is not None:
        calls = [each for each in calls if each.model in (None, exchange.request.get("model"))]
    if not calls:
        return [f"{exchange.method} {exchange.path} is not in the contract"]
    call = calls[0]
    found = [f"{name} is no parameter" for name, _ in exchange.query if name not in call.parameters]
    found += [f"{name} is missing" for name in call.required - {name for name, _ in exchange.query}]
    for name, text in exchange.query:
        shape = call.parameters.get(name, {})
        found += _against(
            shape, int(text) if shape.get("type") == "integer" and text.isdigit() else text, f"query {name}"
        )
    if call.request is not None:
        found += _against({**call.request, "additionalProperties": False}, exchange.request, "request")
    return found + (_against(call.answer, exchange.answer, "answer") if exchange.status == 200 else [])


def _against(shape: Mapping[str, Any], value: Any, where: str) -> list[str]:
    errors = Draft202012Validator(shape).iter_errors(value)
    return [f"{where}: {'.'.join(map(str, error.absolute_path))} {error.message}" for error in errors]


def fields_of(shape: Mapping[str, Any], place: str = "") -> dict[str, bool]:
    """Return each field of a shape by its path, and whether it must be there."""
    found: dict[str, bool] = {}
    for branch in [shape, *shape.get("anyOf", [])]:
        for name, inner in branch.get("properties", {}).items():
            path = f"{place}.{name}"
            found[path] = found.get(path, False) or name in branch.get("required", [])
            found |= fields_of(inner, path)
        if "items" in branch:
            found |= fields_of(branch["items"], f"{place}[]")
    return found


def choices_of(shape: Mapping[str, Any], place: str = "") -> dict[str, frozenset[Any]]:
    """Return the values that each field with a closed list may have, by its path."""
    found: dict[str, frozenset[Any]] = {}
    for branch in [shape, *shape.get("anyOf", [])]:
        inner = {f"{place}.{name}": value for name, value in branch.get("properties", {}).items()}
        inner |= {f"{place}[]": branch["items"]} if "items" in branch else {}
        for at, value in inner.items():
            for name, values in choices_of(value, at).items():
                found[name] = found.get(name, frozenset()) | values
        if "enum" in branch or "const" in branch:
            found[place] = found.get(place, frozenset()) | frozenset(branch.get("enum", [branch.get("const")]))
    return found
