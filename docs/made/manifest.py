"""The fields of a manifest and the parameters of each model, as the schemas say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from docs.made.table import code, table
from wanbatch.batch.models import documented_prices, frame_sizes_of
from wanbatch.batch.registry import shipped
from wanbatch.manifest.schemas import schema, schema_names


def top_fields() -> str:
    """Return the fields of the whole manifest, those of `limits` and `budget` among them."""
    top = schema("manifest")
    rows = []
    for name, spec in top["properties"].items():
        rows.append(_field(name, _named(spec), needed=name in top["required"]))
        if name in ("limits", "budget"):
            rows += [_field(f"{name}: {inner}", each) for inner, each in spec["properties"].items()]
    return table(("field", "values", "meaning"), rows)


def shot_fields() -> str:
    """Return the fields of a shot. All but `id` may stand in `defaults`, too."""
    shot = schema("manifest")["$defs"]["shot"]
    rows = [_field(name, spec, needed=name in shot["required"]) for name, spec in shot["properties"].items()]
    rows += [(code("x_..."), "any value", spec["description"]) for spec in shot["patternProperties"].values()]
    return table(("field", "values", "meaning"), rows)


def cast_fields() -> str:
    """Return the fields of a member of the cast."""
    told = schema("manifest")["$defs"]["cast_member"]
    rows = [_field(name, spec, needed=name in told["required"]) for name, spec in told["properties"].items()]
    return table(("field", "values", "meaning"), rows)


def group_fields() -> str:
    """Return the fields of sequences and scenes."""
    rows = []
    for kind in ("sequence", "scene"):
        group = schema("manifest")["$defs"][kind]
        for name, spec in group["properties"].items():
            rows.append((kind, *_field(name, _named(spec), needed=name in group["required"])))
    return table(("of a", "field", "values", "meaning"), rows)


def _named(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a schema refers to, if it does."""
    name = str(spec.get("$ref", "")).rpartition("/")[2]
    return schema("manifest")["$defs"][name] if name else spec  # type: ignore[no-any-return]


def _field(name: str, spec: Mapping[str, Any], *, needed: bool = False) -> tuple[str, str, str]:
    return code(name), values_of(spec) + (" (required)" if needed else ""), spec.get("description", "")


def values_of(spec: Mapping[str, Any]) -> str:
    """Say in a few words which values a schema allows, and the default."""
    if "const" in spec:
        return code(spec["const"])
    if "enum" in spec and len(spec["enum"]) > 8:
        allowed = "one of the [models](models.md)"
    elif "enum" in spec:
        allowed = ", ".join(map(code, spec["enum"]))
    else:
        allowed = _kind(spec)
    default = spec.get("default")
    return (
        allowed
        if default is None
        else f"{allowed}; default {code(str(default).lower() if isinstance(default, bool) else default)}"
    )


_KINDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
    "object": "a group of fields",
}


def _kind(spec: Mapping[str, Any]) -> str:
    if "type" not in spec and "anyOf" not in spec:
        return "as its [model](models.md) says"
    if any("$ref" in each for each in spec.get("anyOf", ())):
        return "text, or a group of fields"
    if any(each.get("type") == "array" for each in spec.get("anyOf", ())):
        return "text, or a list of lines"
    if "anyOf" in spec:
        return ", ".join(map(code, spec["examples"]))
    if spec["type"] == "array":
        items = spec.get("items", {})
        return "list of addresses" if items.get("format") == "uri" else "list"
    if spec.get("format") == "uri":
        return "address (https)"
    bounds = [spec.get("minimum"), spec.get("maximum")]
    words = _KINDS[spec["type"]]
    if None not in bounds:
        words += f", {bounds[0]} to {bounds[1]}"
    if "maxLength" in spec and spec["type"] == "string":
        words += f", at most {spec['maxLength']} characters"
    return words


def models() -> str:
    """Return a section for each model: its request parameters."""
    parts = []
    for name in schema_names():
        if name in ("manifest", "map"):
            continue
        spec = schema(name)
        required = [each for each in spec["required"] if each != "model"]
        rows = [
            _field(field, each, needed=field in required)
            for field, each in spec["properties"].items()
            if field != "model"
        ]
        parts += [f"## {name}", f"{spec['title']}.", table(("parameter", "values", "meaning"), rows)]
    return "\n\n".join(parts)


def frame_sizes() -> str:
    """Return the documented frame size of each resolution and aspect ratio, and the models that have it."""
    by_size: dict[tuple[str, ...], list[str]] = {}
    for model in shipped():
        for (resolution, ratio), (width, height) in frame_sizes_of(model).items():
            by_size.setdefault((resolution, ratio, f"{width} x {height}"), []).append(model.name)
    rows = [(*size, ", ".join(map(code, names))) for size, names in by_size.items()]
    return table(("resolution", "aspect ratio", "pixels", "models"), rows)


def prices() -> str:
    """Return the prices that the provider's documentation names."""
    rows = [
        (code(each.model), each.resolution or "", f"{each.duration_s} s", f"{price:,}")
        for each, price in documented_prices().items()
    ]
    return table(("model", "resolution", "length", "credits"), rows)
