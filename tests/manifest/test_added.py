"""Models that a project added by a file beside its manifest, and files there that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wanbatch.batch.models import order_of
from wanbatch.batch.registry import learn, model_from, registry
from wanbatch.batch.request_schemas import HTTPS_PATTERN, fault_in, is_model_name
from wanbatch.batch.shots import Recipe
from wanbatch.cli import call
from wanbatch.errors import ManifestInvalid
from wanbatch.manifest import load_manifest
from wanbatch.manifest.cache import BatchCache
from wanbatch.state.kept_models import learn_kept, notes_of

LENS: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["model", "prompt"],
    "properties": {
        "model": {"const": "somebody/lens-1"},
        "prompt": {"type": "string", "minLength": 1},
        "duration": {"type": "integer", "enum": [2, 4], "default": 2},
        "resolution": {"type": "string", "enum": ["360p", "720p"], "default": "360p"},
        "camera": {"type": "object", "properties": {"pan": {"type": "number", "minimum": -10, "maximum": 10}}},
    },
}
SHOTS = "version: 1\nshots:\n  - {id: a, model: somebody/lens-1, prompt: A gull lands, takes: 2}\n"


def put(folder: Path, schema: object = LENS, shots: str = SHOTS) -> Path:
    (folder / "models").mkdir(exist_ok=True)
    text = schema if isinstance(schema, str) else json.dumps(schema)
    (folder / "models" / "somebody__lens-1.schema.json").write_text(text)
    (folder / "shots.yaml").write_text(shots)
    return folder / "shots.yaml"


def test_a_file_beside_the_manifest_adds_a_model(tmp_path: Path) -> None:
    shot = load_manifest(put(tmp_path)).shots[0]
    order = order_of(shot.recipes[0])
    body = {"model": "somebody/lens-1", "prompt": "A gull lands"}
    assert ([each.body for each in shot.recipes], str(order.price_class)) == ([body, body], "lens-1 360p 2 s")


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("duration: 3", "5:16 duration is 3; somebody/lens-1 accepts 2 or 4"),
        ("seed: 3", "5:6 seed is not a parameter of somebody/lens-1; alibaba/wan-2-6-t2v has it"),
        ("watermark: true", "5:6 watermark is not a parameter of somebody/lens-1; alibaba/wan2.1-t2v-plus has it"),
    ],
)
def test_a_shot_is_held_against_an_added_model(field: str, said: str, tmp_path: Path) -> None:
    shots = f"version: 1\nshots:\n  - id: a\n    model: somebody/lens-1\n     {field}\n    prompt: p\n".replace(
        "     ", "    "
    )
    with pytest.raises(ManifestInvalid) as raised:
        load_manifest(put(tmp_path, shots=shots))
    found = [f"{each.line}:{each.column + 1} {each.message}" for each in raised.value.problems]
    assert found == [said]


def test_a_manifest_elsewhere_does_not_know_the_model(tmp_path: Path) -> None:
    load_manifest(put(tmp_path))
    other = tmp_path / "other"
    other.mkdir()
    (other / "shots.yaml").write_text(SHOTS)
    with pytest.raises(ManifestInvalid, match="which is not known"):
        load_manifest(other / "shots.yaml")


def _with(**changes: Any) -> dict[str, Any]:
    return {**LENS, "properties": {**LENS["properties"], **changes}}


@pytest.mark.parametrize(
    ("schema", "fault"),
    [
        ("{", "1:1 this is not valid JSON: the file ends after this, but a bracket is not closed"),
        (
            '{\n "type": "object",\n}',
            "2:18 this is not valid JSON: a comma with nothing after it; remove it before the",
        ),
        ("[]", "1:1 this file is not a schema that wanbatch can read"),
        ({"type": "object"}, "1:1 this file does not describe a request with a model in it"),
        (_with(model={"type": "string"}), "9:5 this file does not name one model (properties.model.const)"),
        (_with(model={"const": "../up"}), "9:5 this file does not name one model (properties.model.const)"),
        (
            _with(model={"const": "somebody/lens-2"}),
            "10:7 this file is named for somebody/lens-1, but it names the model somebody/lens-2: use one name in both",
        ),
        (
            _with(model={"type": "integer", "const": "somebody/lens-1"}),
            "11:7 this file has a const that is not of its type (integer) (at properties/model/const)",
        ),
        (
            _with(model={"enum": ["somebody/lens-2"], "const": "somebody/lens-1"}),
            "13:7 this file has a const that is not one of its choices (enum) (at properties/model/const)",
        ),
        (
            _with(style={"type": "string", "const": 5}),
            "44:7 this file has a const that is not of its type (string) (at properties/style/const)",
        ),
        (
            _with(style={"type": "integer", "default": "5"}),
            "44:7 this file has a default that is not of its type (integer) (at properties/style/default)",
        ),
        (
            _with(style={"$ref": "https://example.com/x"}),
            "43:7 this file uses '$ref', which wanbatch does not follow (at properties/style/$ref)",
        ),
        (
            _with(style={"anyOf": [{"type": "string"}, {"type": "string", "pattern": "(a+)+b"}]}),
            "49:11 this file has a value of pattern that cannot be read (at properties/style/anyOf/1/pattern)",
        ),
        (_with(style={"type": "word"}), "43:7 this file has a value of type that cannot be read"),
        (_with(**{"a b": {}}), "42:5 this file has a field whose name a manifest cannot hold: 'a b'"),
    ],
)
def test_a_schema_that_cannot_be_used_is_a_problem_with_its_file_place_and_cure(
    schema: object, fault: str, tmp_path: Path
) -> None:
    text = schema if isinstance(schema, str) else json.dumps(schema, indent=2)
    with pytest.raises(ManifestInvalid) as raised:
        load_manifest(put(tmp_path, text))
    first = raised.value.problems[0]
    assert (Path(first.file).name, f"{first.line}:{first.column} {first.message}"[: len(fault)]) == (
        "somebody__lens-1.schema.json",
        fault,
    )
    assert first.message.endswith(
        "; repair it, or remove it and add the model again: `wanbatch models add somebody/lens-1`"
    )


@pytest.mark.parametrize("words", [{"example": 5}, {"nullable": True}, {"deprecated": False}, {"readOnly": False}])
def test_words_of_openapi_that_limit_nothing_are_taken(words: dict[str, Any], tmp_path: Path) -> None:
    schema = _with(style={"type": "string", **words})
    assert load_manifest(put(tmp_path, schema)).shots[0].model == "somebody/lens-1"


def test_a_deep_schema_is_refused() -> None:
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(60):
        deep = {"type": "array", "items": deep}
    assert fault_in(_with(deep=deep)).startswith("is not a schema that wanbatch can read")


def test_only_a_pattern_of_our_own_is_taken() -> None:
    assert fault_in(_with(image_url={"type": "string", "pattern": HTTPS_PATTERN})) == ""


@pytest.mark.parametrize("name", ["", "a//b", "/a", "a/../b", "..", "a b", "é", "a/" * 5 + "a", "a" * 300, 7])
def test_no_path_passes_for_the_name_of_a_model(name: object) -> None:
    assert not is_model_name(name)


def test_a_state_file_keeps_the_models_of_its_recipes() -> None:
    learn([model_from(LENS)])
    kept = notes_of(["somebody/lens-1", "alibaba/wan-2-6-t2v"])
    learn_kept({**kept, "model x": "{", "batch": "b"})
    recipe = Recipe.of({"model": "somebody/lens-1", "prompt": "p"})
    assert (list(kept), order_of(recipe).duration_s) == (["model somebody/lens-1"], 2)


def test_what_a_manifest_said_last_of_a_model_stays() -> None:
    learn([model_from(_with(duration={"type": "integer", "default": 4}))])
    learn_kept({"model somebody/lens-1": json.dumps(LENS)})
    model = registry().get("somebody/lens-1")
    assert model is not None
    assert model.default_of("duration") == 4


def test_a_manifest_is_read_again_after_a_model_beside_it_changed(tmp_path: Path) -> None:
    cache = BatchCache(tmp_path / "cache", worth_bytes=1)
    before = cache.digest_of(put(tmp_path))
    assert cache.digest_of(put(tmp_path, _with(style={"type": "string"}))) != before


def test_a_column_with_a_dot_is_a_field_inside_a_field(tmp_path: Path) -> None:
    put(tmp_path, _with(camera=CAMERA))
    path = tmp_path / "shots.csv"
    path.write_text("id,prompt,model,camera.pan,camera.way.name\na,p,somebody/lens-1,2.5,out\nb,p,somebody/lens-1,,\n")
    first, second = (dict(shot.request) for shot in load_manifest(path).shots)
    assert (first["camera"], "camera" in second) == ({"pan": 2.5, "way": {"name": "out"}}, False)


def test_a_wrong_cell_inside_a_field_is_named(tmp_path: Path) -> None:
    put(tmp_path, _with(camera=CAMERA))
    path = tmp_path / "shots.csv"
    path.write_text("id,prompt,model,camera.pan,camera.tilt\na,p,somebody/lens-1,25,1\n")
    with pytest.raises(ManifestInvalid) as raised:
        load_manifest(path)
    found = {each.message.split(";")[0] for each in raised.value.problems}
    assert found == {"'camera.tilt' is not a column of a manifest", "camera.pan is 25"}


@pytest.mark.parametrize(
    ("text", "pan"),
    [
        ("id;prompt;model;camera.pan\na;p;somebody/lens-1;2,5\n", 2.5),
        ("id;prompt;model;camera.pan\na;p;somebody/lens-1;1,500\n", None),
        ('id,prompt,model,camera.pan\na,p,somebody/lens-1,"2,5"\n', None),
    ],
)
def test_a_fraction_is_read_only_where_it_cannot_be_thousands(text: str, pan: float | None, tmp_path: Path) -> None:
    put(tmp_path, _with(camera=CAMERA))
    path = tmp_path / "shots.csv"
    path.write_text(text)
    if pan is None:
        with pytest.raises(ManifestInvalid, match=r"camera\.pan is '"):
            load_manifest(path)
    else:
        assert load_manifest(path).shots[0].request["camera"] == {"pan": pan}


CAMERA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "pan": {"type": "number", "minimum": -10, "maximum": 10},
        "way": {"type": "object", "properties": {"name": {"type": "string"}}},
    },
}


def test_the_schema_for_editors_knows_the_models_of_a_project(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path)
    call(["schema", "--folder", str(tmp_path)])
    shot = json.loads(capsys.readouterr().out)["$defs"]["shot"]["properties"]
    assert ("somebody/lens-1" in shot["model"]["enum"], "camera" in shot) == (True, True)


ADDRESS = {"type": "string", "format": "uri"}
WANTED = "expected an https:// or a data: address without spaces"


@pytest.mark.parametrize(
    ("shape", "value", "said"),
    [
        (ADDRESS, "maybe", f"still is 'maybe'; {WANTED}"),
        (
            ADDRESS,
            "http://a.example/b.png",
            f"still is 'http://a.example/b.png'; {WANTED}; write https:// instead of http://, if that address works, too",
        ),
        (ADDRESS, '"https://a.example/b c.png"', f"still is 'https://a.example/b c.png'; {WANTED}"),
        ({"anyOf": [ADDRESS, {"type": "array", "items": ADDRESS}]}, "maybe", f"still is 'maybe'; {WANTED}"),
        ({"type": "array", "items": ADDRESS}, "[maybe]", f"still is 'maybe'; {WANTED}"),
        ({"anyOf": [ADDRESS, {"type": "array", "items": ADDRESS}]}, "[maybe]", f"still is 'maybe'; {WANTED}"),
        (ADDRESS, "https://a.example/b.png", ""),
        (ADDRESS, '"data:image/png;base64,AAAA"', ""),
    ],
)
def test_what_a_schema_calls_an_address_is_one(shape: object, value: str, said: str, tmp_path: Path) -> None:
    schema = {**LENS, "properties": {**LENS["properties"], "still": shape}}
    shots = f"version: 1\nshots:\n  - id: a\n    model: somebody/lens-1\n    prompt: p\n    still: {value}\n"
    path = put(tmp_path, schema, shots)
    if not said:
        assert "still" in load_manifest(path).shots[0].request
        return
    with pytest.raises(ManifestInvalid) as raised:
        load_manifest(path)
    column = 13 if value.startswith("[") else 12
    assert [str(each) for each in raised.value.problems] == [f"{path}:6:{column} {said}"]
