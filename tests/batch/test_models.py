"""What is known of the models has one home, their schemas: defaults are read there, and the sandbox holds to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from wanbatch.batch.models import (
    NO_DEFAULTS,
    ModelDefaults,
    class_of,
    defaults_of,
    documented_prices,
    frame_sizes_of,
    order_of,
)
from wanbatch.batch.registry import model_facts, shipped
from wanbatch.batch.shots import DEFAULT_MODEL, SEED_MAX, Recipe
from wanbatch.resources import model_names
from wanbatch.sandbox.models import models_served


def parameters_of(name: str) -> Mapping[str, Any]:
    model = shipped().get(name)
    assert model is not None
    return model.parameters


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
    assert documented_prices() == {
        class_of({"model": "alibaba/wan-2-6-t2v"}): 3_150_000,
        class_of({"model": "alibaba/wan-2-6-r2v"}): 3_150_000,
        class_of({"model": "alibaba/wan-2-7-t2v"}): 3_900_000,
    }


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "wan-2-6-t2v 1080p 10 s"),
        ({"generate_audio": True, "resolution": "1080p"}, "wan-2-6-t2v 1080p 10 s"),
        ({"generate_audio": False, "duration": 5}, "wan-2-6-t2v 1080p 5 s, generate_audio false"),
        # What makes other pictures of the same size and length is of one class.
        ({"seed": 7, "aspect_ratio": "9:16", "enhance_prompt": False, "shot_type": "multi"}, "wan-2-6-t2v 1080p 10 s"),
        ({"model": "studio/pro/text-to-video", "mode": "pro"}, "studio/pro/text-to-video"),
        ({"model": "studio/text-to-video"}, "studio/text-to-video"),
    ],
)
def test_a_price_class_is_named_for_all_that_a_price_may_depend_on(body: dict[str, Any], named: str) -> None:
    assert str(class_of(body)) == named


def test_every_row_of_facts_is_of_a_model_with_a_schema() -> None:
    facts = model_facts()
    sizes = {row["frame_sizes"] for row in facts["models"].values() if "frame_sizes" in row}
    assert (set(facts["models"]) - set(model_names()), sizes) == (set(), set(facts["frame_sizes"]))


def test_the_sandbox_serves_every_model() -> None:
    assert list(models_served()) == list(model_names())
    assert models_served()[DEFAULT_MODEL].is_served


def test_a_derived_seed_is_one_that_every_model_takes() -> None:
    assert {parameters_of(model)["seed"]["maximum"] for model in model_names()} == {SEED_MAX}


SIZED = [name for name, row in model_facts()["models"].items() if "frame_sizes" in row]


@pytest.mark.parametrize("name", SIZED)
def test_the_sandbox_makes_the_documented_frame_sizes(name: str) -> None:
    model = shipped().get(name)
    assert model is not None
    for (resolution, ratio), size in frame_sizes_of(model).items():
        body = {"model": name, "prompt": "p", "resolution": resolution, "aspect_ratio": ratio}
        made = models_served()[name].made_of(body)
        assert ((made.width, made.height), order_of(Recipe.of(body)).frame_size) == (size, size)
