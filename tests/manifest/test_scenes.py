"""Sequences and scenes: what a shot has from those above it, and what it is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from wanbatch.batch.shots import Batch
from wanbatch.manifest import load_manifest

FILM = """\
version: 1
defaults: {duration: 5, resolution: 720p, takes: 2}
sequences:
  - id: sq01
    defaults: {duration: 10, takes: 3, tags: [night]}
    scenes:
      - id: sc010
        defaults: {takes: 4}
        shots:
          - {id: a, prompt: x}
          - {id: b, prompt: x, takes: 1, tags: null, duration: null}
      - id: sc020
        shots:
          - {id: c, prompt: x}
scenes:
  - id: sc030
    shots:
      - {id: d, prompt: x}
shots:
  - {id: e, prompt: x, scene: sc040}
"""


def load(folder: Path, text: str) -> Batch:
    (folder / "film.yaml").write_text(text, encoding="utf-8")
    return load_manifest(folder / "film.yaml")


def test_the_nearest_word_counts(tmp_path: Path) -> None:
    found = [
        (shot.id, shot.sequence, shot.scene, shot.request.get("duration"), shot.takes, shot.tags)
        for shot in load(tmp_path, FILM).shots
    ]
    assert found == [
        ("a", "sq01", "sc010", 10, 4, ("night",)),
        ("b", "sq01", "sc010", None, 1, ()),
        ("c", "sq01", "sc020", 10, 3, ("night",)),
        ("d", "", "sc030", 5, 2, ()),
        ("e", "", "sc040", 5, 2, ()),
    ]


def test_story_order_is_the_order_of_the_file(tmp_path: Path) -> None:
    scene = "scenes:\n  - id: s\n    shots: [{id: b, prompt: x}]\n"
    flat = "shots:\n  - {id: a, prompt: x}\n"
    orders = [
        [(shot.id, shot.ordinal) for shot in load(tmp_path, f"version: 1\n{first}{second}").shots]
        for first, second in ((flat, scene), (scene, flat))
    ]
    assert orders == [[("a", 0), ("b", 1)], [("b", 0), ("a", 1)]]


def test_a_shot_without_an_id_is_named_for_its_scene_and_prompt(tmp_path: Path) -> None:
    def ids(*prompts: str) -> list[str]:
        lines = "".join(f"      - prompt: {each}\n" for each in prompts)
        return [shot.id for shot in load(tmp_path, f"version: 1\nscenes:\n  - id: sc010\n    shots:\n{lines}").shots]

    before = ids("A gull lands", "Waves", "A gull lands")
    assert (before[0].rpartition("_")[0], before[2]) == ("sc010_a-gull-lands", f"{before[0]}-2")
    assert ids("A dog", "A gull lands", "A gull lands", "Waves")[1:] == [before[0], before[2], before[1]]


def test_an_edit_of_a_text_keeps_the_id_that_was_made(tmp_path: Path) -> None:
    film = "version: 1\nstyle: {}\nscenes:\n  - id: s\n    shots: [{{prompt: 'A gull. {{style}}'}}]\n"
    one, other = (load(tmp_path, film.format(style)).shots[0] for style in ("Ink", "Oil"))
    assert (one.id == other.id, one.recipes == other.recipes) == (True, False)


@pytest.mark.parametrize(
    ("above", "below", "models"),
    [
        ("model: alibaba/wan-3-0-video", "models: [alibaba/wan-2-6-t2v]", ["alibaba/wan-2-6-t2v"]),
        ("models: [alibaba/wan-2-6-t2v]", "model: alibaba/wan-3-0-video", ["alibaba/wan-3-0-video"]),
    ],
)
def test_a_nearer_model_takes_the_place_of_models(tmp_path: Path, above: str, below: str, models: list[str]) -> None:
    text = f"version: 1\nscenes:\n  - id: s\n    defaults: {{{above}}}\n    shots: [{{id: a, prompt: x, {below}}}]\n"
    assert [each.model for each in load(tmp_path, text).shots[0].versions] == models


def test_a_budget_may_name_a_scene_of_the_structure(tmp_path: Path) -> None:
    text = "version: 1\nbudget: {scenes: {s: {max_usd: 2}}}\nscenes:\n  - id: s\n    shots: [{id: a, prompt: x}]\n"
    assert dict(load(tmp_path, text).scene_caps) == {"s": 4_000_000}


def test_values_say_where_they_come_from(tmp_path: Path) -> None:
    text = FILM.replace("prompt: x, scene", "prompt: 'x {style}', scene").replace(
        "version: 1", "version: 1\nstyle: Ink"
    )
    shots = {shot.id: shot for shot in load(tmp_path, text).shots}
    assert (shots["a"].origins["takes"], shots["a"].origins["duration"], shots["a"].origins["resolution"]) == (
        ("defaults of scene sc010, film.yaml:9",),
        ("defaults of sequence sq01, film.yaml:6",),
        ("defaults, film.yaml:3",),
    )
    assert shots["e"].origins["prompt"] == ("shot, film.yaml:21", "style, film.yaml:2")
