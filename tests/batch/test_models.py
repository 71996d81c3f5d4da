"""What is known of the models has one home, their schemas: defaults are read there, and the sandbox holds to them."""

from __future__ import annotations

from typing import Any

import pytest

from wanbatch.batch.models import (
    DOCUMENTED_CREDITS,
    FRAME_SIZES,
    NO_DEFAULTS,
    ModelDefaults,
    class_of,
    defaults_of,
    order_of,
)
from wanbatch.batch.shots import DEFAULT_MODEL, SEED_MAX, Recipe
from wanbatch.resources import model_names, parameters_of
from wanbatch.sandbox.models import MODELS, SEED_CAP, UNSERVED, Parameter

NAMED = {"resolution": "resolution", "aspect_ratio": "aspect_ratio", "duration": "duration_s"}


@pytest.mark.parametrize("model", model_names())
def test_an_order_is_filled_in_with_the_defaults_of_its_schema(model: str) -> None:
    order = order_of(Recipe.of({"model": model, "prompt": "p"}))
    told = {name: parameter.get("default") for name, parameter in parameters_of(model).items()}
    expected = {field: told.get(name) for name, field in NAMED.items()} | {"has_audio": told.get("generate_audio")}
    assert {name: getattr(order, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("model", "defaults"),
    [
        ("alibaba/wan-2-6-t2v", ModelDefaults("1080p", "16:9", 10, has_audio=True)),
        ("alibaba/wan2.5-i2v-preview", ModelDefaults("1080p", "16:9", 10, None)),
        ("alibaba/wan2.2-i2v-plus", ModelDefaults("1080P", None, None, None)),
        ("alibaba/wan2.1-t2v-turbo", ModelDefaults("720P", "16:9", None, None)),
        ("somebody/else", NO_DEFAULTS),
        ("../wan", NO_DEFAULTS),
        ("", NO_DEFAULTS),
    ],
)
def test_the_defaults_are_those_that_the_provider_documents(model: str, defaults: ModelDefaults) -> None:
    assert defaults_of(model) == defaults


def test_a_documented_price_is_that_of_the_default_settings() -> None:
    classes = [class_of(model, None, None) for model, _, _ in DOCUMENTED_CREDITS]
    assert [(each.model, each.resolution, each.duration_s) for each in classes] == list(DOCUMENTED_CREDITS)


def test_the_sandbox_knows_every_model_and_no_other() -> None:
    assert sorted({*MODELS, *UNSERVED}) == list(model_names())
    assert (set(MODELS) & UNSERVED, DEFAULT_MODEL in MODELS) == (set(), True)


def published(name: str, told: dict[str, Any]) -> Parameter:
    """Return a parameter of a schema as the sandbox writes it."""
    kind = "url" if told.get("format") == "uri" else told.get("type", "string")
    choices = (told["const"],) if "const" in told else tuple(told.get("enum", ()))
    is_filled = name == "prompt"  # the sandbox takes an empty negative prompt, as the provider may
    return Parameter(kind, choices, told.get("maxLength"), told.get("default"), is_filled)


@pytest.mark.parametrize("model", MODELS)
def test_the_sandbox_takes_what_the_schema_says(model: str) -> None:
    assert dict(MODELS[model].parameters) == {
        name: published(name, told) for name, told in parameters_of(model).items()
    }


@pytest.mark.parametrize("model", MODELS)
def test_the_sandbox_takes_the_seeds_of_the_schema(model: str) -> None:
    told = parameters_of(model)["seed"]
    assert (told["minimum"], told["maximum"]) == (0, SEED_CAP)


def test_a_derived_seed_is_one_that_every_model_takes() -> None:
    assert {parameters_of(model)["seed"]["maximum"] for model in model_names()} == {SEED_MAX}


@pytest.mark.parametrize(("resolution", "ratio"), FRAME_SIZES)
def test_the_sandbox_makes_the_documented_frame_sizes(resolution: str, ratio: str) -> None:
    body = {"model": DEFAULT_MODEL, "prompt": "p", "resolution": resolution, "aspect_ratio": ratio}
    made = MODELS[DEFAULT_MODEL].made_of(body)
    assert (made.width, made.height) == order_of(Recipe.of(body)).frame_size
