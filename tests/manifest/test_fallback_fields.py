"""The fallback of a shot in a manifest: a model, or a table that says after what it may be taken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wanbatch.batch.shots import Fallback, Shot, Version
from wanbatch.errors import ManifestInvalid
from wanbatch.manifest import load_manifest

FIRST, SECOND, FRAMED = "alibaba/wan2.1-t2v-turbo", "alibaba/wan-3-0-video", "alibaba/wan-2-7-i2v"
NAME_ONE = f"write the name of a model, such as {SECOND}, or both: {{model: {SECOND}, on: [failed]}}"


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
    ("value", "said"),
    [
        (FIRST, f"15 fallback is '{FIRST}', which already makes the shot; name another"),
        ("alibaba/wan-9", "15 fallback is 'alibaba/wan-9', a model that is not known; did you mean alibaba/wan-"),
        ("sora", "15 fallback is 'sora', a model that is not known; use alibaba/wan-2-7-t2v, alibaba/wan-2-7-r2v, alibaba/wan-2-7-i2v or one of 12 more"),
        ("7", f"15 fallback is 7; {NAME_ONE}"),
        ("true", f"15 fallback is true; {NAME_ONE}"),
        ('""', f"15 fallback is empty; {NAME_ONE}"),
        (f"[{SECOND}]", f"15 fallback is a list; {NAME_ONE}"),
        ("{on: [failed]}", "15 fallback has no model; add model: alibaba/wan-3-0-video"),
        (f"{{mdel: {SECOND}}}", "16 'mdel' is not a field of a fallback; did you mean model?"),
        (f"{{model: {SECOND}, when: now}}", "46 'when' is not a field of a fallback; its fields are model and on"),
        ("{model: 7}", "23 fallback.model is 7; write a name, such as alibaba/wan-3-0-video"),
        (f"{{model: {SECOND}, on: refused}}", "50 fallback.on is 'refused'; write a list: on: [refused]"),
        (f"{{model: {SECOND}, on: 3}}", "50 fallback.on is 3; write a list: on: [failed, refused]"),
        (f"{{model: {SECOND}, on: []}}", "50 fallback.on is empty; write failed, refused (the prompt) or both, or remove"),
        (f"{{model: {SECOND}, on: [refuse]}}", "51 fallback.on has 'refuse'; did you mean refused?"),
        (f"{{model: {SECOND}, on: [never]}}", "51 fallback.on has 'never'; expected failed or refused (the prompt)"),
        (f"{{model: {SECOND}, on: [failed, failed]}}", "59 fallback.on has failed twice; keep one of them"),
    ],
)  # fmt: skip
def test_each_mistake_in_a_fallback_has_its_own_sentence_with_its_place(value: str, said: str, tmp_path: Path) -> None:
    assert told(tmp_path, f"model: {FIRST}\n    fallback: {value}").startswith(f"6:{said}")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            f"model: {FRAMED}\n    first_frame: https://a.example/b.png\n    fallback: {FIRST}",
            f"7:15 the fallback does not suit this shot: {FIRST} does not take first_frame, an image to begin from; models",
        ),
        (
            f"model: {FIRST}\n    fallback: {FRAMED}",
            f"6:15 the fallback does not suit this shot: first_frame (image_url) is missing; {FRAMED} needs it",
        ),
        (
            f"model: {FIRST}\n    negative_prompt: blur\n    fallback: {SECOND}",
            f"7:15 the fallback does not suit this shot: negative_prompt is not a parameter of {SECOND}",
        ),
        (
            f"models: [{FIRST}, {SECOND}]\n    fallback: {SECOND}",
            f"6:15 fallback is '{SECOND}', which already makes the shot; name another",
        ),
    ],
)
def test_a_fallback_that_does_not_suit_its_shot_is_told_at_its_place(fields: str, said: str, tmp_path: Path) -> None:
    assert told(tmp_path, fields).startswith(said)


def told(tmp_path: Path, fields: str) -> str:
    """The only problem of a shot with these fields, which begin in line 5."""
    path = tmp_path / "shots.yaml"
    path.write_text(f"version: 1\nshots:\n  - id: a\n    prompt: p\n    {fields}\n")
    with pytest.raises(ManifestInvalid) as caught:
        load_manifest(path)
    (problem,) = caught.value.problems
    return str(problem).removeprefix(f"{path}:")
