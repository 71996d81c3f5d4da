"""The fallback of a shot in a manifest: a model, or a table that says after what it may be taken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wanbatch.batch.shots import Fallback, Shot, Version
from wanbatch.errors import ManifestInvalid
from wanbatch.manifest import load_manifest

WORDS = "expected a model, or a table with model and on (failed, refused)"
FIRST, SECOND = "alibaba/wan2.1-t2v-turbo", "alibaba/wan-3-0-video"


def shot_of(tmp_path: Path, shot: dict[str, Any], defaults: dict[str, Any] | None = None) -> Shot:
    path = tmp_path / "shots.json"
    shots = [{"id": "a", "prompt": "p", "model": FIRST, **shot}]
    path.write_text(json.dumps({"version": 1, "defaults": defaults or {}, "shots": shots}))
    return load_manifest(path).shots[0]


@pytest.mark.parametrize(
    ("shot", "defaults", "on"),
    [
        ({"fallback": SECOND}, {}, ("failed",)),
        ({}, {"fallback": SECOND}, ("failed",)),
        ({"fallback": {"model": SECOND}}, {}, ("failed",)),
        ({"fallback": {"model": SECOND, "on": ["refused", "failed"]}}, {}, ("failed", "refused")),
        ({"fallback": {"model": SECOND, "on": ["refused"]}}, {"fallback": "alibaba/wan-2-6-t2v"}, ("refused",)),
    ],
)
def test_a_fallback_has_the_request_of_its_model(
    shot: dict[str, Any], defaults: dict[str, Any], on: tuple[str, ...], tmp_path: Path
) -> None:
    made = shot_of(tmp_path, {**shot, "resolution": "480p"}, defaults)
    request = {"model": SECOND, "prompt": "p", "resolution": "480p"}
    assert (made.fallback, made.request["resolution"]) == (Fallback(Version(request), on), "480P")


def test_null_takes_the_fallback_of_the_defaults_away(tmp_path: Path) -> None:
    assert shot_of(tmp_path, {"fallback": None}, {"fallback": SECOND}).fallback is None


def test_a_column_names_a_fallback(tmp_path: Path) -> None:
    path = tmp_path / "shots.csv"
    path.write_text(f"id,prompt,fallback\na,p,{SECOND}\nb,p,\n")
    assert [shot.fallback and shot.fallback.model for shot in load_manifest(path).shots] == [SECOND, None]


@pytest.mark.parametrize(
    ("shot", "said"),
    [
        ({"fallback": FIRST}, "fallback is 'alibaba/wan2.1-t2v-turbo', which makes the shot already; name another"),
        ({"model": None, "models": [FIRST, SECOND], "fallback": SECOND}, "which makes the shot already; name another"),
        ({"fallback": "alibaba/wan-9"}, "model is 'alibaba/wan-9', which is not known"),
        ({"fallback": 7}, "model is '7', which is not known"),
        ({"fallback": [SECOND]}, WORDS),
        ({"fallback": {"on": ["failed"]}}, "fallback lacks model"),
        ({"fallback": {"model": SECOND, "on": []}}, "fallback.on"),
        ({"fallback": {"model": SECOND, "on": ["maybe"]}}, "fallback.on is 'maybe'; expected refused or failed"),
        (
            {"fallback": SECOND, "negative_prompt": "blur"},
            "negative_prompt is not a parameter of alibaba/wan-3-0-video",
        ),
    ],
)
def test_a_fallback_that_cannot_be_used_says_why(shot: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(ManifestInvalid) as caught:
        shot_of(tmp_path, shot)
    assert said in str(caught.value)
