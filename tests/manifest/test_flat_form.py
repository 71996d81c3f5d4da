"""A structured manifest is its flat equivalent, and a flat one keeps its recipes, braces and all."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wanbatch.batch.shots import Batch
from wanbatch.manifest import load_manifest
from wanbatch.manifest.expansion import expanded
from wanbatch.manifest.tree import Node, Problems, Table
from wanbatch.manifest.yaml_file import read_yaml

FLAT = Path(__file__).parent / "flat"
# Of each manifest as it was before there were cast and scenes: id, slot and recipe of every take.
RECIPES = {
    "braces.yaml": "aa72a908514a7c7ad3eca41bc247f35a3a67f366ab1a36c2c1e9d4dddacea011",
    "quickstart.yaml": "28a2b14a7ac71cb8cc466cc0ccb19d1541a24e39b4c3ff1c72f65a966578e3da",
    "shots.csv": "97dcf463c9506ffff74a8491d42681d7a9d5ce3c5c28a72ba5a4b629041f6149",
    "storyboard.yaml": "b50296389bee2692a98d9ffd5e4df1120b23f43e25f1ed2c9be174fa829af645",
}


def recipes_of(batch: Batch) -> list[tuple[str, int, str]]:
    return [(shot.id, slot, recipe.sha256) for shot, slot, recipe in batch.wanted()]


@pytest.mark.parametrize("name", RECIPES)
def test_a_flat_manifest_keeps_its_recipes(name: str) -> None:
    lines = "\n".join(f"{shot} {slot} {sha256}" for shot, slot, sha256 in recipes_of(load_manifest(FLAT / name)))
    assert hashlib.sha256(lines.encode()).hexdigest() == RECIPES[name]


@pytest.mark.parametrize("name", [name for name in RECIPES if name.endswith(".yaml")])
def test_a_flat_manifest_is_not_touched(name: str) -> None:
    def read(path: Path, problems: Problems) -> tuple[str, Node | None]:
        raise AssertionError("a flat manifest has no other files")

    text, problems = (FLAT / name).read_text(encoding="utf-8"), Problems(name)
    root = read_yaml(text, problems)
    assert expanded(root, FLAT / name, text, read, problems).root is root


def test_every_flat_manifest_of_the_corpus_is_listed() -> None:
    assert {path.name for path in FLAT.iterdir()} == set(RECIPES)


# --- any structured manifest, against its flat equivalent made by plain replacement

NAMES = st.sampled_from(["mara", "ilo", "orr"])
WORDS = (
    st.text(alphabet="abc ,.é{}-:#'\"", min_size=1, max_size=30)
    .map(str.strip)
    .filter(lambda text: any(char.isalpha() for char in text))
)
VALUES = st.fixed_dictionaries(
    {},
    optional={
        "duration": st.sampled_from([5, 10, None]),
        "resolution": st.sampled_from(["720p", "1080p"]),
        "takes": st.integers(1, 3),
        "tags": st.lists(st.sampled_from(["hero", "night"]), min_size=1, max_size=2, unique=True),
        "seed": st.integers(0, 99),
        "location": st.sampled_from(["pass", "cave"]),
        "cast": st.lists(NAMES, max_size=2, unique=True),
        "notes": st.just("n"),
    },
)
PROMPTS = st.lists(
    st.one_of(WORDS, NAMES.map(lambda name: ("cast", name)), st.just(("style",))), min_size=1, max_size=3
)


@st.composite
def films(draw: st.DrawFn) -> dict[str, Any]:
    scenes = []
    for number in range(draw(st.integers(1, 3))):
        shots = [
            {**draw(VALUES), "id": f"s{number}_{at}", "prompt": draw(PROMPTS)} for at in range(draw(st.integers(1, 3)))
        ]
        scenes.append({"id": f"sc{number}", "defaults": draw(VALUES), "shots": shots})
    return {
        "style": draw(WORDS),
        "cast": {name: draw(WORDS) for name in ("mara", "ilo", "orr")},
        "locations": {name: draw(WORDS) for name in ("pass", "cave")},
        "defaults": draw(VALUES),
        "sequence": draw(VALUES),
        "has_template": draw(st.booleans()),
        "scenes": scenes,
    }


def doubled(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def structured(film: dict[str, Any]) -> dict[str, Any]:
    def written(prompt: list[Any]) -> str:
        return "; ".join(doubled(part) if isinstance(part, str) else "{" + ".".join(part) + "}" for part in prompt)

    scenes = [
        {**scene, "shots": [{**shot, "prompt": written(shot["prompt"])} for shot in scene["shots"]]}
        for scene in film["scenes"]
    ]
    template = {"template": ["{prompt}", "At {location}.", "With {cast}.", "{style}"]} if film["has_template"] else {}
    return {
        "version": 1,
        "name": "film",
        "style": doubled(film["style"]),
        "cast": {name: doubled(text) for name, text in film["cast"].items()},
        "locations": {name: {"look": doubled(text)} for name, text in film["locations"].items()},
        "defaults": {**film["defaults"], **template},
        "sequences": [{"id": "sq", "defaults": film["sequence"], "scenes": scenes}],
    }


def flat(film: dict[str, Any]) -> dict[str, Any]:
    shots = []
    for scene in film["scenes"]:
        for shot in scene["shots"]:
            merged = {**film["defaults"], **film["sequence"], **scene["defaults"], **shot}
            cast, location = merged.pop("cast", []), merged.pop("location", None)
            texts: dict[Any, str] = {("style",): film["style"]}
            texts |= {("cast", name): text for name, text in film["cast"].items()}
            named = [part for part in shot["prompt"] if isinstance(part, tuple)]
            prompt = "; ".join(part if isinstance(part, str) else texts[part] for part in shot["prompt"])
            if film["has_template"]:
                looks = [film["cast"][name] for name in cast if ("cast", name) not in named]
                prompt += f" At {film['locations'][location]}." if location is not None else ""
                prompt += f" With {', '.join(looks)}." if looks else ""
                prompt += f" {film['style']}" if ("style",) not in named else ""
            kept = {name: value for name, value in merged.items() if value is not None}
            shots.append({**kept, "prompt": prompt, "scene": scene["id"], "sequence": "sq"})
    return {"version": 1, "name": "film", "shots": shots}


@pytest.mark.long
@given(films())
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_structured_manifest_is_its_flat_equivalent(
    tmp_path_factory: pytest.TempPathFactory, film: dict[str, Any]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    (folder / "structured.json").write_text(json.dumps(structured(film)), encoding="utf-8")
    (folder / "flat.json").write_text(json.dumps(flat(film)), encoding="utf-8")
    mine, plain = load_manifest(folder / "structured.json"), load_manifest(folder / "flat.json")
    assert (mine.shots, recipes_of(mine)) == (plain.shots, recipes_of(plain))


def test_the_flat_form_is_a_table_of_shots_alone(tmp_path: Path) -> None:
    text = "version: 1\nstyle: Ink\nscenes:\n  - id: s\n    shots: [{id: a, prompt: 'x {style}'}]\n"
    problems = Problems("x.yaml")
    made = expanded(read_yaml(text, problems), tmp_path / "x.yaml", text, lambda *_: ("", None), problems)
    assert isinstance(made.root, Table)
    assert (list(made.root.items), made.parts, problems.found) == (["version", "shots"], (), [])
