"""Roles: one name for a first frame, a last one, references and sound, said to each model in its own words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wanbatch.batch.request_schemas import HTTPS_PATTERN
from wanbatch.errors import ManifestInvalid
from wanbatch.manifest import load_manifest

A, B = "https://example.com/a.png", "https://example.com/b.png"


def request(tmp_path: Path, model: str, ending: str = "json", **fields: Any) -> dict[str, Any]:
    path = tmp_path / f"shots.{ending}"
    shot = {"id": "a", "model": model, "prompt": "p", **fields}
    if ending == "csv":
        path.write_text(f"{','.join(shot)}\n{','.join(map(str, shot.values()))}\n")
    else:
        path.write_text(json.dumps({"version": 1, "shots": [shot]}))
    made = dict(load_manifest(path).shots[0].request)
    return {name: value for name, value in made.items() if name not in ("model", "prompt")}


@pytest.mark.parametrize(
    ("model", "fields", "sent"),
    [
        ("alibaba/wan-2-6-i2v", {"first_frame": A}, {"image_url": A}),
        ("alibaba/wan-3-0-video", {"first_frame": A, "last_frame": B}, {"image_url": A, "last_image_url": B}),
        ("alibaba/wan-2-7-r2v", {"first_frame": A}, {"first_frame_image": A}),
        ("alibaba/wan-2-7-r2v", {"references": [A, B]}, {"image_urls": [A, B]}),
        ("alibaba/wan-3-0-video", {"references": [A]}, {"reference_image_urls": [A]}),
        ("alibaba/wan-2-6-t2v", {"audio": False}, {"generate_audio": False}),
        ("alibaba/wan-2-6-t2v", {"audio": A}, {"audio_url": A}),
        ("alibaba/wan2.1-t2v-turbo", {"resolution": "720p"}, {"resolution": "720P"}),
        ("alibaba/wan-2-6-t2v", {"resolution": "FHD"}, {"resolution": "1080p"}),
        ("alibaba/wan-2-6-i2v", {"image_url": A}, {"image_url": A}),
    ],
)
def test_a_role_is_sent_in_the_words_of_its_model(
    model: str, fields: dict[str, Any], sent: dict[str, Any], tmp_path: Path
) -> None:
    assert request(tmp_path, model, **fields) == sent


ADDRESS = {"type": "string", "format": "uri", "pattern": HTTPS_PATTERN}
LENS: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["model"],
    "properties": {"model": {"const": "studio/lens-1"}, "prompt": {"type": "string"}},
}
KIND = {"type": "string", "enum": ["image"]}


def listing(*needed: str, **fields: Any) -> dict[str, Any]:
    item = {"type": "object", "properties": fields, "required": list(needed), "additionalProperties": False}
    return {"type": "array", "items": item}


@pytest.mark.parametrize(
    ("field", "shape", "references", "sent"),
    [
        ("references", listing("type", "url", type=KIND, url=ADDRESS), [A, B], [{"type": "image", "url": A}, {"type": "image", "url": B}]),
        ("reference_images", listing("url", url=ADDRESS), [A], [{"url": A}]),
        ("references", listing("type", "url", type=KIND, url=ADDRESS), [{"type": "image", "url": A}], [{"type": "image", "url": A}]),
        ("references", {"type": "array", "items": ADDRESS}, [A], [A]),
    ],
)  # fmt: skip
def test_references_are_objects_where_a_schema_wants_objects(
    field: str, shape: dict[str, Any], references: list[Any], sent: list[Any], tmp_path: Path
) -> None:
    (tmp_path / "models").mkdir()
    schema = {**LENS, "properties": {**LENS["properties"], field: shape}}
    (tmp_path / "models" / "studio__lens-1.schema.json").write_text(json.dumps(schema))
    assert request(tmp_path, "studio/lens-1", references=references) == {field: sent}


def test_an_address_is_no_reference_where_an_object_needs_more(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    shape = listing("front", "side", front=ADDRESS, side=ADDRESS)
    schema = {**LENS, "properties": {**LENS["properties"], "references": shape}}
    (tmp_path / "models" / "studio__lens-1.schema.json").write_text(json.dumps(schema))
    with pytest.raises(ManifestInvalid, match="references"):
        request(tmp_path, "studio/lens-1", references=[A])


@pytest.mark.parametrize(
    ("cells", "sent"),
    [
        ({"references": f"{A}; {B}"}, {"reference_image_urls": [A, B]}),
        ({"audio": "false", "first_frame": A}, {"generate_audio": False, "image_url": A}),
    ],
)
def test_roles_are_columns_of_a_table(cells: dict[str, str], sent: dict[str, Any], tmp_path: Path) -> None:
    assert request(tmp_path, "alibaba/wan-3-0-video", "csv", **cells) == sent


@pytest.mark.parametrize(
    ("model", "fields", "said"),
    [
        (
            "alibaba/wan-2-6-t2v",
            {"last_frame": A},
            "alibaba/wan-2-6-t2v does not take last_frame, an image to end with; models that do: alibaba/wan-3-0-video",
        ),
        (
            "alibaba/wan-2-6-i2v",
            {"first_frame": A, "image_url": B},
            "first_frame and image_url mean the same thing; keep one",
        ),
        (
            "alibaba/wan2.1-t2v-turbo",
            {"audio": True},
            "alibaba/wan2.1-t2v-turbo does not take a sound setting (audio: true or false); models that do:",
        ),
        ("alibaba/wan-2-6-t2v", {"resolution": "4k"}, "resolution is '4k'; alibaba/wan-2-6-t2v accepts 720p or 1080p"),
        (
            "alibaba/wan-2-6-t2v",
            {"resolution": "480p"},
            "accepts 720p or 1080p; models that do: alibaba/wan-3-0-video, alibaba/wan2.1-t2v-turbo,",
        ),
        (
            "alibaba/wan-2-6-t2v",
            {"aspect_ratio": "adaptive"},
            "accepts 16:9, 9:16, 1:1, 4:3 or 3:4; models that do: alibaba/wan-3-0-video or alibaba/wan3.0-video",
        ),
        (
            "alibaba/wan-3-0-video",
            {"first_frame": A, "references": [B]},
            "this shot has both first_frame and references",
        ),
    ],
)
def test_a_role_that_a_model_lacks_is_a_problem(model: str, fields: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(ManifestInvalid) as raised:
        request(tmp_path, model, **fields)
    assert said in raised.value.problems[0].message


def test_a_first_frame_from_defaults_is_told_at_the_model(tmp_path: Path) -> None:
    path = tmp_path / "shots.yaml"
    path.write_text(
        f"version: 1\ndefaults: {{model: alibaba/wan-2-6-i2v, first_frame: {A}}}\nshots:\n"
        "  - {id: a, prompt: p}\n  - {id: b, prompt: p, model: alibaba/wan-2-6-t2v}\n"
    )
    with pytest.raises(ManifestInvalid) as raised:
        load_manifest(path)
    (problem,) = raised.value.problems
    assert (problem.line, "write first_frame: null in this shot" in problem.message) == (5, True)
