"""The models that the sandbox serves: those of a folder, and the sizes that each of them makes."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.samples import COMPONENTS, SAMPLES
from wanbatch.clip.check import check_clip
from wanbatch.provider.published import schema_of
from wanbatch.sandbox.models import Model, models_served
from wanbatch.sandbox.slate import draw_slate, render


def test_a_schema_that_was_added_to_the_folder_since_is_served(tmp_path: Path) -> None:
    before = set(models_served(tmp_path))
    schema = {"properties": {"model": {"const": "maker/lens"}}}
    (tmp_path / "lens.schema.json").write_text(json.dumps(schema))
    assert set(models_served(tmp_path)) - before == {"maker/lens"}


SHIPPED, SAMPLED = models_served(), [schema_of(request, COMPONENTS, name) for name, request in SAMPLES.items()]
EVERY = [*SHIPPED.values(), *(Model(str(schema["title"]), schema) for schema in SAMPLED)]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("model", EVERY, ids=[model.name for model in EVERY])
def test_every_size_that_a_model_lists_is_made_and_drawn(model: Model) -> None:
    """Each choice of size and shape beside each other, as far as the schema lists them."""
    named = [
        name
        for name in ("resolution", "max_resolution", "aspect_ratio", "ratio", "frame_size")
        if name in model.parameters
    ]
    choices = [[(name, value) for value in model.parameters[name].get("enum", ())] or [(name, None)] for name in named]
    asked = [{name: value for name, value in chosen if value is not None} for chosen in product(*choices)]
    made = {
        (each.width, each.height): each for each in (model.made_of({"model": model.name, **body}) for body in asked)
    }
    drawn = {draw_slate("an-id", {"model": model.name, "prompt": "gull"}, each).size for each in made.values()}
    assert (drawn, [size for size in drawn if size[0] % 2 or size[1] % 2]) == (set(made), [])


@given(width=st.integers(100, 4096), height=st.integers(100, 4096), sign=st.sampled_from(":x*"))
def test_a_size_that_is_ordered_outright_is_made_to_the_even_pixel(width: int, height: int, sign: str) -> None:
    schema = {"properties": {"model": {"const": "a/one"}, "frame_size": {"type": "string"}}}
    made = Model("a/one", schema).made_of({"frame_size": f"{width}{sign}{height}"})
    assert (made.width, made.height) == (width - width % 2, height - height % 2)


@given(lines=st.integers(100, 2160), across=st.integers(1, 21), down=st.integers(1, 21))
def test_any_lines_in_any_shape_make_a_picture_that_a_clip_can_have(lines: int, across: int, down: int) -> None:
    schema = {"properties": {"model": {"const": "a/one"}, "resolution": {}, "aspect_ratio": {}}}
    made = Model("a/one", schema).made_of({"resolution": f"{lines}p", "aspect_ratio": f"{across}:{down}"})
    assert (made.width % 2, made.height % 2, made.width >= made.height) == (0, 0, across >= down)


@pytest.mark.parametrize("size", [(641, 361), (100, 100), (100, 1080), (2160, 100)])
def test_a_clip_of_an_odd_or_extreme_size_is_rendered(size: tuple[int, int], tmp_path: Path) -> None:
    schema = {"properties": {"model": {"const": "a/one"}, "frame_size": {"type": "string"}}}
    body = {"model": "a/one", "prompt": "A gull lands.", "frame_size": f"{size[0]}x{size[1]}"}
    made = replace(Model("a/one", schema).made_of(body), duration_s=1)
    render("an-id", body, made, tmp_path / "clip.mp4")
    probe = check_clip(tmp_path / "clip.mp4")
    assert (probe.width, probe.height, probe.duration_s) == (size[0] // 2 * 2, size[1] // 2 * 2, 1.0)
