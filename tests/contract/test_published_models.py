"""Every published schema of a model is taken in: bodies that it takes are taken by ours and by the sandbox, and others not.

Six samples in our own words are always held to. To hold ours against the provider's published schemas as well, name a
folder with one file a model (`models`, `request` and `components` in each):

    WANBATCH_MODELS=FOLDER python -m pytest tests/contract/test_published_models.py
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.contract.samples import COMPONENTS, SAMPLES
from wanbatch.batch.models import class_of
from wanbatch.batch.registry import model_from, reading, shipped
from wanbatch.batch.request_schemas import fault_in
from wanbatch.manifest.findings import validator_of
from wanbatch.provider.bodies import AnswerInvalid
from wanbatch.provider.published import schema_in, schema_of
from wanbatch.provider.tariff import listed_quote
from wanbatch.sandbox.bodies import faults_in
from wanbatch.sandbox.models import LENGTH_CAP_S, Model, kind_of
from wanbatch.sandbox.prices import pricing_of

FOLDER = os.environ.get("WANBATCH_MODELS")
BODIES = 25
Case = tuple[str, Mapping[str, Any], Mapping[str, Any]]


def cases() -> Iterator[Case]:
    yield from ((name, request, COMPONENTS) for name, request in SAMPLES.items())
    for path in sorted(Path(FOLDER).glob("*.json")) if FOLDER else ():
        told = json.loads(path.read_text(encoding="utf-8"))
        yield from ((name, told["request"], told["components"]) for name in told["models"])


CASES = list(cases())
over_cases = pytest.mark.parametrize(("model", "request_", "components"), CASES, ids=[case[0] for case in CASES])


def example(shape: Mapping[str, Any], components: Mapping[str, Any], rng: Random) -> Any:
    """Make a value that a published schema takes."""
    if "$ref" in shape:
        shape = components["schemas"][shape["$ref"].split("/")[-1]]
    for name in ("anyOf", "oneOf"):
        if name in shape:
            return example(rng.choice(shape[name]), components, rng)
    if "enum" in shape:
        return rng.choice(shape["enum"])
    match shape.get("type"):
        case "object":
            needed = shape.get("required", ())
            chosen = [name for name in shape.get("properties", {}) if name in needed or rng.random() < 0.5]
            return {name: example(shape["properties"][name], components, rng) for name in chosen}
        case "array":
            least = shape.get("minItems", 0)
            count = rng.randint(least, max(least, min(shape.get("maxItems", 3), least + 2)))
            return [example(shape["items"], components, rng) for _ in range(count)]
        case "boolean":
            return rng.random() < 0.5
        case "integer":
            return rng.randint(int(shape.get("minimum", 0)), int(shape.get("maximum", 1000)))
        case "number":
            return rng.choice([shape.get("minimum", 0), shape.get("maximum", 1)])
    if shape.get("format") == "uri":
        return f"https://example.com/{rng.randint(1, 99)}.png"
    return "gull "[: shape.get("maxLength", 5)].strip() * max(1, shape.get("minLength", 1) // 4)


def spoilt(shape: Mapping[str, Any], body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield bodies that a published schema refuses, each wrong in one way."""
    for name in shape["required"]:
        yield {field: value for field, value in body.items() if field != name}
    for name, told in shape["properties"].items():
        if "type" in told and not told.get("nullable"):
            yield {**body, name: [7] if told["type"] != "array" else 7}
        if "enum" in told:
            yield {**body, name: "no such choice"}
        if "maximum" in told and told.get("type") in ("integer", "number"):
            yield {**body, name: told["maximum"] + 1}
        if "maxItems" in told:
            yield {**body, name: ["https://example.com/a.png"] * (told["maxItems"] + 1)}
        if told.get("type") == "object" and told.get("required"):
            yield {**body, name: {}}


@over_cases
def test_bodies_are_taken_and_refused_alike(model: str, request_: Any, components: Any) -> None:
    schema = schema_of(request_, components, model)
    theirs = Draft202012Validator({**request_, "components": components})
    ours = validator_of(model_from(schema))
    rng = Random(model)
    good = [example(request_, components, rng) | {"model": model} for _ in range(BODIES)]
    bad = [each for body in good[:5] for each in spoilt(request_, body)]

    def verdicts(body: dict[str, Any]) -> tuple[bool, bool, bool]:
        return theirs.is_valid(body), ours.is_valid(body), not faults_in(schema, body)

    assert [body for body in good if verdicts(body) != (True, True, True)] == []
    assert [body for body in bad if verdicts(body) != (False, False, False)] == []


@over_cases
def test_a_default_is_a_value_that_is_taken(model: str, request_: Any, components: Any) -> None:
    schema = schema_of(request_, components, model)
    defaults = {name: each["default"] for name, each in schema["properties"].items() if "default" in each}
    told = {name for name, each in request_["properties"].items() if each.get("default") is not None}
    wrong = [name for name, value in defaults.items() if faults_in(schema["properties"][name], value)]
    assert (wrong, set(defaults) <= told, fault_in(schema)) == ([], True, "")


@over_cases
def test_a_listed_price_is_the_one_that_is_held(model: str, request_: Any, components: Any) -> None:
    schema = schema_of(request_, components, model)
    served, rng = Model(model, schema), Random(model)
    bodies = [{**example(request_, components, rng), "model": model, "provider": "auto"} for _ in range(BODIES)]
    bodies = [body for body in bodies if body.get("duration", 0) <= LENGTH_CAP_S]
    with reading(shipped().with_added([model_from(schema)])):
        quotes = [listed_quote(pricing_of(served), class_of(body)) for body in bodies]
    held = [served.made_of(body).credits for body in bodies]
    known = [(quote.credits, cost) for quote, cost in zip(quotes, held, strict=True) if quote.credits is not None]
    whys = {quote.why.partition(" (")[0] for quote in quotes if quote.credits is None}
    open_names = [name for name, shape in schema["properties"].items() if "default" not in shape]
    allowed = {
        "variable": {"the provider sets the price of this model only after the request"},
        "tokens": {"the provider charges by 'token', which does not give the price of a clip"},
    }.get(kind_of(served), {"the provider charges by the second, and the length of these clips is not known"})
    allowed |= {f"the price also depends on {name!r}" for name in open_names}
    assert (known, whys - allowed) == ([(cost, cost) for _, cost in known], set())


@over_cases
def test_a_model_that_comes_with_wanbatch_takes_what_is_published(model: str, request_: Any, components: Any) -> None:
    ours = shipped().get(model)
    if ours is None:
        return  # most models do not come with wanbatch
    theirs = schema_of(request_, components, model)["properties"]
    choices = {name: set(each["enum"]) for name, each in theirs.items() if "enum" in each}
    assert (set(ours.parameters), {name: set(ours.parameters[name]["enum"]) for name in choices}) == (
        set(theirs),
        choices,
    )


def document(request_: Any, **more: Any) -> dict[str, Any]:
    body = {"content": {"application/json": {"schema": request_}}}
    return {"paths": {"/v2/video/generations": {"post": {"requestBody": body}}}, "components": COMPONENTS, **more}


def test_the_request_of_a_model_is_found_in_its_openapi_file() -> None:
    name, request_ = next(iter(SAMPLES.items()))
    schema = schema_in(document(request_), name)
    assert (schema["properties"]["duration"], schema["properties"]["model"]["const"], schema["required"]) == (
        {"type": "integer", "enum": [5, 8, 10], "default": 5},
        name,
        ["model", "prompt", "image_url"],
    )


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({}, "no request for luma/ray-2 is described in it"),
        (document(SAMPLES["minimax/h3"]), "no request for luma/ray-2 is described in it"),
        (document({"$ref": "https://example.com/x.json"}), "which wanbatch does not follow"),
        (
            document(
                {"$ref": "#/components/schemas/Loop"},
                components={"schemas": {"Loop": {"$ref": "#/components/schemas/Loop"}}},
            ),
            "cannot be read",
        ),
        (document({"properties": "x"}), "no request for luma/ray-2"),
        (document({**SAMPLES["luma/ray-2"], "required": 7}), "cannot be read"),
        (
            document({"type": "object", "properties": {"model": {"enum": ["luma/ray-2"]}, "a": {"allOf": 7}}}),
            "cannot be read",
        ),
    ],
)
def test_a_file_that_cannot_be_taken_in_says_why(told: Any, why: str) -> None:
    with pytest.raises(AnswerInvalid, match=why):
        schema_in(told, "luma/ray-2")
