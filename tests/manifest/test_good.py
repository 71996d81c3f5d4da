"""What a good manifest becomes, whatever format and editor it comes from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from wanbatch.batch.plan import make_plan
from wanbatch.batch.shots import Batch, Limits
from wanbatch.manifest import load_manifest
from wanbatch.manifest.schemas import MANIFEST, MAP, example_path, schema, schema_names
from wanbatch.resources import folder_of

EXAMPLES = sorted(path for path in folder_of("manifests").iterdir() if path.is_file())

TWO = [
    {
        "id": "a",
        "prompt": "first",
        "duration": 5,
        "aspect_ratio": "16:9",
        "takes": 2,
        "tags": ["x", "y"],
        "scene": "007",
    },
    {"id": "b", "prompt": 'second, "quoted"\nline two', "omit": True, "seed": 3, "generate_audio": False},
]
YAML = """\
version: 1
name: two
shots:
  - id: a
    prompt: first
    duration: 5
    aspect_ratio: 16:9
    takes: 2
    tags: [x, y]
    scene: 007
  - id: b
    prompt: |-
      second, "quoted"
      line two
    omit: true
    seed: 3
    generate_audio: false
"""
CSV = (
    "id,prompt,duration,aspect_ratio,takes,tags,scene,omit,seed,generate_audio\n"
    'a,first,5,16:9,2,x;y,007,,,\nb,"second, ""quoted""\nline two",,,,,,yes,3,FALSE\n'
)


def load(folder: Path, name: str, text: str | bytes) -> Batch:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_manifest(folder / name)


def test_all_formats_say_the_same(tmp_path: Path) -> None:
    from dataclasses import replace

    batches = [
        load(tmp_path, "two.yaml", YAML),
        load(tmp_path, "two.json", json.dumps({"version": 1, "name": "two", "shots": TWO})),
        load(tmp_path, "two.csv", CSV),
        load(tmp_path, "two.yml", YAML.replace("\n", "\r\n")),
        load(tmp_path, "two.yaml", b"\xef\xbb\xbf" + YAML.encode()),
    ]
    assert [replace(batch, source="") for batch in batches] == [replace(batches[0], source="")] * 5


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("scene: 007", "scene", "007"),
        ("scene: no", "scene", "no"),
        ("scene: 1e3", "scene", "1e3"),
        ("scene: 12:30:45", "scene", "12:30:45"),
        ("scene: 2026-11-23", "scene", "2026-11-23"),
        ("scene: 0x10", "scene", "0x10"),
        ("notes: true", "notes", "true"),
        ("notes: NA", "notes", "NA"),
        ("cost_code: 1_000", "cost_code", "1_000"),
        ("tags: [1, no, 007]", "tags", ("1", "no", "007")),
        ("seed: 7", "seed", 7),
        ("seed: null", "seed", None),
        ("omit: true", "omit", True),
    ],
)
def test_yaml_keeps_what_the_user_wrote(tmp_path: Path, line: str, field: str, value: object) -> None:
    batch = load(tmp_path, "x.yaml", f"version: 1\nshots:\n  - id: 010\n    prompt: x\n    {line}\n")
    assert (batch.shots[0].id, getattr(batch.shots[0], field)) == ("010", value)


def test_csv_keeps_what_the_user_wrote(tmp_path: Path) -> None:
    batch = load(tmp_path, "x.csv", "id,prompt,scene\n007,NA fox,null\n")
    assert (batch.shots[0].id, batch.shots[0].prompt, batch.shots[0].scene) == ("007", "NA fox", "null")


def test_a_semicolon_csv_is_read(tmp_path: Path) -> None:
    batch = load(tmp_path, "x.csv", "id;prompt;duration\na;one, two;5\n")
    assert dict(batch.shots[0].request) == {"model": "alibaba/wan-2-6-t2v", "prompt": "one, two", "duration": 5}


def test_a_shot_wins_over_the_defaults_and_null_takes_one_away(tmp_path: Path) -> None:
    text = """version: 1
defaults: {duration: 15, resolution: 720p, scene: s, takes: 3, seed: 5}
shots:
  - {id: a, prompt: x}
  - {id: b, prompt: x, duration: 5, resolution: null, takes: 1, seed: null}
"""
    first, second = load(tmp_path, "x.yaml", text).shots
    assert (first.request["duration"], first.request["resolution"], first.takes, first.seed) == (15, "720p", 3, 5)
    assert ("resolution" in second.request, second.request["duration"], second.takes, second.seed) == (
        False,
        5,
        1,
        None,
    )


def test_limits_and_budget_are_read(tmp_path: Path) -> None:
    text = "version: 1\nlimits: {submit_rate: 10/s, poll_rate: 30, in_flight: 5}\nbudget: {max_usd: 1.575}\n"
    batch = load(tmp_path, "x.yaml", f"{text}shots:\n  - {{id: a, prompt: x}}\n")
    assert (batch.limits, batch.max_credits) == (Limits(600, 5, 30, None, None), 3_150_000)


def test_a_budget_may_have_caps_for_scenes(tmp_path: Path) -> None:
    text = "version: 1\nbudget: {max_usd: 3, scenes: {007: {max_usd: 1.575}, sc2: {max_credits: 0}}}\n"
    shots = "shots:\n  - {id: a, prompt: x, scene: 007}\n  - {id: b, prompt: x, scene: sc2, omit: true}\n"
    batch = load(tmp_path, "x.yaml", text + shots)
    assert (batch.max_credits, batch.scene_caps) == (6_000_000, {"007": 3_150_000, "sc2": 0})
    alone = load(tmp_path, "y.yaml", text.replace("max_usd: 3, ", "") + shots)
    assert (alone.max_credits, dict(alone.scene_caps)) == (None, {"007": 3_150_000, "sc2": 0})


def test_a_prompt_is_trimmed_and_otherwise_sent_as_written(tmp_path: Path) -> None:
    batch = load(tmp_path, "x.json", json.dumps({"version": 1, "shots": [{"id": "a", "prompt": "  é\t“x”\n 雪 🐉 "}]}))
    assert batch.shots[0].prompt == "é\t“x”\n 雪 🐉"


def test_lines_of_text_get_ids_that_do_not_move(tmp_path: Path) -> None:
    before = load(tmp_path, "p.txt", "A red door\nA blue door\nA red door\n")
    after = load(tmp_path, "p.txt", "# doors\nA green door\n\nA blue door\nA red door\nA red door\n")
    ids = [shot.id for shot in before.shots]
    assert (ids[0].startswith("a-red-door_"), ids[2]) == (True, f"{ids[0]}-2")
    assert set(ids) < {shot.id for shot in after.shots}


def test_a_name_comes_from_the_file_where_none_is_given(tmp_path: Path) -> None:
    assert load(tmp_path, "My film (v2).txt", "x\n").name == "My-film-v2"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_ready_manifests_validate_and_plan(path: Path) -> None:
    batch = load_manifest(path)
    assert make_plan(batch, []).counts == {"new": sum(shot.takes for shot in batch.shots)}


def test_the_quick_start_shows_every_aspect_ratio() -> None:
    batch = load_manifest(example_path("quickstart.yaml"))
    ratios = {shot.request["aspect_ratio"] for shot in batch.shots}
    assert (len(batch.shots), ratios) == (6, {"16:9", "9:16", "1:1", "4:3", "3:4"})


def test_the_storyboard_has_24_shots_in_three_scenes() -> None:
    batch = load_manifest(example_path("storyboard.yaml"))
    assert (len(batch.shots), len({shot.scene for shot in batch.shots})) == (24, 3)


@pytest.mark.parametrize("name", schema_names())
def test_schemas_are_valid_and_told_to_editors(name: str) -> None:
    Draft202012Validator.check_schema(schema(name))
    told = schema(name)
    fields = (
        {
            field: told["$defs"][each["$ref"].rpartition("/")[2]] if "$ref" in each else each
            for field, each in told["properties"].items()
        }
        if name != MANIFEST
        else schema(name)["$defs"]["shot"]["properties"]
    )
    assert {field for field, each in fields.items() if not ("title" in each and "description" in each)} == set()


@pytest.mark.parametrize("model", [name for name in schema_names() if name not in (MANIFEST, MAP)])
def test_a_model_takes_its_minimum_and_refuses_the_unknown(model: str) -> None:
    needs = {"image_url": "https://example.org/a.png", "video_urls": ["https://example.org/a.mp4"]}
    required = schema(model)["required"]
    body = {"model": model, "prompt": "x", **{name: needs[name] for name in required if name in needs}}
    validator = Draft202012Validator(schema(model))
    assert validator.is_valid(body)
    assert not validator.is_valid({**body, "tempo": 3})


def test_a_schema_names_the_model_of_its_file() -> None:
    named = {
        name: schema(name)["properties"]["model"]["const"] for name in schema_names() if name not in (MANIFEST, MAP)
    }
    assert named == {name: name for name in named}


@pytest.mark.parametrize("path", [path for path in EXAMPLES if path.suffix == ".yaml"], ids=lambda path: path.stem)
def test_the_pure_loader_reads_the_same(path: Path) -> None:
    import yaml

    from wanbatch.manifest.tree import Problems
    from wanbatch.manifest.yaml_file import read_yaml

    text = path.read_text(encoding="utf-8")
    fast, slow = Problems(path.name), Problems(path.name)
    pure = read_yaml(text, slow, yaml.SafeLoader)
    assert pure is not None
    assert (pure, slow.found, slow.warnings) == (read_yaml(text, fast), fast.found, fast.warnings)


def test_a_csv_cell_may_hold_quotes_and_odd_line_breaks(tmp_path: Path) -> None:
    batch = load(tmp_path, "x.csv", 'id,prompt,scene\na,a 5" nail\u2028here,s\n')
    assert (batch.shots[0].prompt, batch.shots[0].scene) == ('a 5" nail\u2028here', "s")


def test_whole_numbers_may_be_written_as_fractions(tmp_path: Path) -> None:
    text = '{"version": 1, "budget": {"max_credits": 3e0}, "shots": [{"id": "a", "prompt": "x", "takes": 2.0, "duration": 5.0}]}'
    batch = load(tmp_path, "x.json", text)
    assert (batch.max_credits, batch.shots[0].takes, str(batch.shots[0].request["duration"])) == (3, 2, "5")
