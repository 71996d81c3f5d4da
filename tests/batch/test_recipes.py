"""Recipes and orders: what a shot asks for, and what the model makes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.batch.takes import shot
from wanbatch.batch.models import order_of
from wanbatch.batch.registry import model_from, reading, shipped
from wanbatch.batch.shots import DEFAULT_MODEL, Batch, Recipe, derived_seed


@given(st.permutations(["prompt", "model", "duration", "seed"]))
def test_the_order_of_keys_does_not_make_another_recipe(names: list[str]) -> None:
    values = {"prompt": "ü", "model": "m", "duration": 5, "seed": 1}
    assert Recipe.of({name: values[name] for name in names}) == Recipe.of(values)


@pytest.mark.parametrize("body", [{"a": float("nan")}, {"a": {1, 2}}])
def test_what_json_cannot_say_is_no_recipe(body: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Recipe.of(body)


def test_takes_of_a_shot_have_seeds_of_their_own() -> None:
    given_seed = [recipe.body["seed"] for recipe in replace(shot(takes=3), seed=7).recipes]
    derived = [recipe.body["seed"] for recipe in shot(takes=2).recipes]
    assert (given_seed, derived) == ([7, 8, 9], [derived_seed("a", 1), derived_seed("a", 2)])


def test_omitted_shots_want_nothing() -> None:
    batch = Batch("b", (shot("a"), replace(shot("b"), omit=True)))
    assert [each.id for each, _, _ in batch.wanted()] == ["a"]


def test_an_order_fills_in_the_documented_defaults() -> None:
    order = order_of(shot().recipes[0])
    assert (order.resolution, order.duration_s, order.frame_size, order.has_audio) == ("1080p", 10, (1920, 1080), True)


def test_an_unknown_model_orders_nothing_that_is_known() -> None:
    order = order_of(Recipe.of({"model": "other/model", "prompt": "p"}))
    assert (order.resolution, order.duration_s, order.frame_size, str(order.price_class)) == (
        None,
        None,
        None,
        "other/model",
    )


def test_a_shot_names_its_model() -> None:
    assert shot().model == DEFAULT_MODEL


@pytest.mark.parametrize(
    ("fields", "lines"),
    [
        ({"model": "alibaba/wan-3-0-video"}, 1080),
        ({"model": "alibaba/wan-3-0-video", "resolution": "480p", "aspect_ratio": "9:16"}, 480),
        ({"model": "alibaba/wan-2-6-t2v"}, None),
        ({"model": "other/model", "resolution": "720p"}, None),
    ],
)
def test_lines_are_known_if_the_documentation_says_what_a_resolution_is(
    fields: dict[str, str], lines: int | None
) -> None:
    order = order_of(Recipe.of({"prompt": "p", **fields}))
    assert (order.lines, order.frame_size is None) == (lines, lines is not None or "other" in fields["model"])


PICTURE, MOVIE = {"type": "string", "format": "uri"}, {"type": "array", "items": {"type": "string", "format": "uri"}}
LENS: dict[str, Any] = {
    "model": {"const": "studio/lens-1"},
    "resolution": {"type": "string", "enum": ["auto", "720p", "2K"], "default": "720p"},
    "aspect_ratio": {"type": "string", "enum": ["adaptive", "16:9", "9:16", "1:1"], "default": "16:9"},
    "duration": {"type": "integer", "default": 5},
    "image_url": PICTURE,
    "reference_video_urls": MOVIE,
    "video_url": PICTURE,
    "audio_url": PICTURE,
}
SHORT = "The resolution of the output video, where the number refers to the short side in pixels."
SIZED = {"frame_size": {"type": "string", "enum": ["1280:720", "any"], "default": "1280:720"}}
A = "https://example.com/a"


@pytest.mark.parametrize(
    ("more", "body", "fixed"),
    [
        ({}, {}, (None, 720, 5)),
        ({}, {"aspect_ratio": "9:16", "audio_url": A}, (None, 720, 5)),
        ({}, {"aspect_ratio": "1:1"}, (None, None, 5)),
        ({}, {"aspect_ratio": "adaptive"}, (None, None, 5)),
        ({}, {"resolution": "auto"}, (None, None, 5)),
        ({}, {"resolution": "2K"}, (None, None, 5)),
        ({}, {"image_url": A}, (None, None, 5)),
        ({}, {"reference_video_urls": [A]}, (None, None, 5)),
        ({}, {"video_url": A}, (None, None, None)),
        ({"resolution": {**LENS["resolution"], "description": SHORT}}, {"aspect_ratio": "1:1"}, (None, 720, 5)),
        ({"resolution": {**LENS["resolution"], "description": SHORT}}, {"image_url": A}, (None, 720, 5)),
        (SIZED, {}, ((1280, 720), None, 5)),
        (SIZED, {"frame_size": "any"}, (None, 720, 5)),
    ],
)
def test_an_order_fixes_what_its_schema_says(
    more: dict[str, Any], body: dict[str, Any], fixed: tuple[tuple[int, int] | None, int | None, int | None]
) -> None:
    with reading(shipped().with_added([model_from({"properties": {**LENS, **more}})])):
        order = order_of(Recipe.of({"model": "studio/lens-1", **body}))
        assert (order.frame_size, order.lines, order.length_s) == fixed


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [(5, 5), ("5", 5), (5.0, 5), (2.5, None), (-1, None), ("auto", None), ([], None), (True, 1)],
)
def test_a_length_that_is_no_number_of_seconds_is_not_known(duration: Any, seconds: int | None) -> None:
    assert order_of(Recipe.of({"model": "other/model", "duration": duration})).duration_s == seconds
