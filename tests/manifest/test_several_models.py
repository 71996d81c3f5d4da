"""The same shots from several models: one list of models in a manifest, a take of each model, the same seeds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wanbatch.batch.shots import Shot
from wanbatch.errors import ManifestInvalid
from wanbatch.manifest import load_manifest

FIRST, SECOND = "alibaba/wan-2-6-t2v", "alibaba/wan-3-0-video"


def shot_of(tmp_path: Path, shot: dict[str, Any], defaults: dict[str, Any] | None = None) -> Shot:
    path = tmp_path / "shots.json"
    shots = [{"id": "a", "prompt": "p", **shot}]
    path.write_text(json.dumps({"version": 1, "defaults": defaults or {}, "shots": shots}))
    return load_manifest(path).shots[0]


def test_each_model_makes_the_takes_of_a_shot_with_the_same_seeds(tmp_path: Path) -> None:
    one = shot_of(tmp_path, {"model": FIRST, "takes": 2})
    other = shot_of(tmp_path, {"model": SECOND, "takes": 2})
    both = shot_of(tmp_path, {"models": [FIRST, SECOND], "takes": 2})
    assert both.recipes == (*one.recipes, *other.recipes)
    assert [each.body["seed"] for each in one.recipes] == [each.body["seed"] for each in other.recipes]


def test_a_role_is_said_to_each_model_in_its_own_words(tmp_path: Path) -> None:
    told = {"models": ["alibaba/wan2.1-t2v-turbo", SECOND], "resolution": "480p"}
    made = [each.body["resolution"] for each in shot_of(tmp_path, told).recipes]
    assert made == ["480P", "480p"]


@pytest.mark.parametrize(
    ("shot", "defaults", "models"),
    [
        ({}, {"models": [FIRST, SECOND]}, [FIRST, SECOND]),
        ({"model": SECOND}, {"models": [FIRST, SECOND]}, [SECOND]),
        ({"models": [SECOND]}, {"model": FIRST}, [SECOND]),
        ({"models": None}, {"models": [FIRST, SECOND]}, [FIRST, SECOND]),
        ({"models": [SECOND, FIRST]}, {}, [SECOND, FIRST]),
    ],
)
def test_what_a_shot_says_comes_before_the_defaults(
    shot: dict[str, Any], defaults: dict[str, Any], models: list[str], tmp_path: Path
) -> None:
    assert [each.model for each in shot_of(tmp_path, shot, defaults).recipes] == models


def test_a_column_of_a_table_holds_several_models(tmp_path: Path) -> None:
    path = tmp_path / "shots.csv"
    path.write_text(f"id,prompt,models\na,p,{FIRST}; {SECOND}\nb,p,{SECOND}\n")
    shots = load_manifest(path).shots
    assert [[each.model for each in shot.recipes] for shot in shots] == [[FIRST, SECOND], [SECOND]]


@pytest.mark.parametrize(
    ("shot", "defaults", "said"),
    [
        ({"model": FIRST, "models": [SECOND]}, {}, "this shot has both model and models; keep one of them"),
        ({}, {"model": FIRST, "models": [SECOND]}, "defaults has both model and models; keep one of them"),
        ({"models": []}, {}, "models is an empty list; expected a list of names"),
        ({"models": FIRST}, {}, "expected a list of names, such as [alibaba/wan-2-6-t2v"),
        ({"models": [FIRST, FIRST]}, {}, "models names 'alibaba/wan-2-6-t2v' twice"),
        ({"models": [FIRST, "alibaba/wan-3-0-vide"]}, {}, "model is 'alibaba/wan-3-0-vide', which is not known"),
        ({"models": [FIRST, 3]}, {}, "model is '3', which is not known"),
        ({"models": [FIRST, SECOND], "shot_type": "multi"}, {}, "shot_type is not a parameter of alibaba/wan-3-0-video"),
        ({"models": [FIRST, SECOND], "last_frame": "https://example.com/a.png"}, {}, "alibaba/wan-2-6-t2v does not take last_frame, an image to end with"),
        ({"models": [f"somebody/lens-{number}" for number in range(21)]}, {}, "models names 21 models; a shot can have at most 20"),
    ],
)  # fmt: skip
def test_a_list_of_models_that_cannot_be_used_says_why(
    shot: dict[str, Any], defaults: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ManifestInvalid) as caught:
        shot_of(tmp_path, shot, defaults)
    assert said in str(caught.value)


def test_the_place_of_a_problem_is_that_of_its_model(tmp_path: Path) -> None:
    path = tmp_path / "shots.yaml"
    path.write_text(
        f"version: 1\nshots:\n  - id: a\n    prompt: p\n    models:\n      - {FIRST}\n      - nobody/knows\n"
    )
    with pytest.raises(ManifestInvalid) as caught:
        load_manifest(path)
    assert [(each.line, each.column) for each in caught.value.problems] == [(7, 9)]
