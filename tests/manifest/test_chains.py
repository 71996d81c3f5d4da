"""Shots that continue from others in a manifest: what the recipe says of it, and each mistake at its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.pictures import I2V, LENS, R2V, add_lens, manifest, save, still
from wanbatch.batch.chains import Chains
from wanbatch.errors import ManifestInvalid
from wanbatch.manifest import load_manifest
from wanbatch.manifest.schemas import schema_text
from wanbatch.session.conversion import convert

A = "https://example.com/a.png"
SMALL = {"resolution": "720p", "duration": 5}
CIRCLE, ALONE = "these shots continue from each other in a loop", " without another's frame"
AT_THE_JOIN, ONCE = "the size changes at the join", "it will be sent when a retake has that number"


def film(folder: Path, *shots: dict[str, Any], **head: Any) -> Path:
    """Two shots, the second from the first, and these."""
    first = [{"first_frame": A, **SMALL}, {"first_frame": {"from": "sh000"}, **SMALL}]
    return manifest(folder, *first, *({**SMALL, **each} for each in shots), **head)


def given_to(path: Path, number: int = -1, field: str = "image_url") -> Any:
    return load_manifest(path).shots[number].request[field]


def told(path: Path) -> list[str]:
    with pytest.raises(ManifestInvalid) as caught:
        load_manifest(path)
    return [each.message for each in caught.value.problems]


@pytest.mark.parametrize(
    ("said", "recipe"),
    [
        ({"from": "sh001"}, "frame:sh001:last"),
        ({"from": "sh001", "frame": "last"}, "frame:sh001:last"),
        ({"from": "sh001", "frame": "first"}, "frame:sh001:first"),
        ({"from": "sh001", "at": "2.5s"}, "frame:sh001:2500ms"),
        ({"from": "sh001", "at": 2.5}, "frame:sh001:2500ms"),
        ({"from": "sh001", "at": "40ms"}, "frame:sh001:40ms"),
        ({"from": "sh001", "take": 1}, "frame:sh001:last:t1"),
        ({"from": "sh001", "take": None, "at": None, "follow": None, "frame": None}, "frame:sh001:last"),
        ("from: sh001", "frame:sh001:last"),
        ("from:sh001,at:2.5s", "frame:sh001:2500ms"),
        ("from: sh001, frame: first, take: 1", "frame:sh001:first:t1"),
    ],
)
def test_a_recipe_says_what_is_fixed(said: Any, recipe: str, tmp_path: Path) -> None:
    assert given_to(film(tmp_path, {"first_frame": said})) == recipe
    assert given_to(film(tmp_path, {"image_url": said})) == recipe


def test_what_is_followed_is_no_part_of_the_recipe(tmp_path: Path) -> None:
    followed = load_manifest(film(tmp_path, {"first_frame": {"from": "sh001", "follow": "always"}})).shots[2]
    plain = load_manifest(film(tmp_path, {"first_frame": {"from": "sh001"}})).shots[2]
    assert (followed.recipes, followed.following, plain.following) == (plain.recipes, ("frame:sh001:last",), ())


def test_every_role_takes_frames_where_the_model_takes_files(tmp_path: Path) -> None:
    add_lens(tmp_path)
    roles = {"last_frame": {"from": "sh001"}, "references": [{"from": "sh000"}, A, "from:sh001"]}
    path = film(
        tmp_path,
        {"model": LENS, "resolution": None, **roles},
        {"model": LENS, "resolution": None, "references": {"from": "sh000", "at": 1}},
    )
    shots = load_manifest(path).shots
    assert shots[2].request["last_image_url"] == "frame:sh001:last"
    assert shots[2].request["reference_image_urls"] == ["frame:sh000:last", A, "frame:sh001:last"]
    assert shots[3].request["reference_image_urls"] == ["frame:sh000:1000ms"]
    assert Chains.of_shots(shots).before == {"sh001": ("sh000",), "sh002": ("sh001", "sh000"), "sh003": ("sh000",)}


@pytest.mark.parametrize("said", [{"from": "sh000"}, "from: sh000", ["from:sh000"]])
def test_reference_is_another_name_for_references(said: Any, tmp_path: Path) -> None:
    add_lens(tmp_path)
    one = {"model": LENS, "resolution": None}
    path = film(tmp_path, {**one, "reference": said}, {**one, "reference": A})
    assert [given_to(path, each, "reference_image_urls") for each in (2, 3)] == [["frame:sh000:last"], [A]]
    for name in ("other.csv", "other.yaml", "other.jsonl"):
        convert(path, tmp_path / name)
        assert given_to(tmp_path / name, 2, "reference_image_urls") == ["frame:sh000:last"]


def test_reference_and_references_are_not_given_both(tmp_path: Path) -> None:
    add_lens(tmp_path)
    path = film(tmp_path, {"model": LENS, "resolution": None, "references": [A], "reference": A})
    assert told(path) == ["reference and references mean the same thing; keep one of them"]


def test_a_cell_of_the_column_reference_says_a_frame_as_other_cells_do(tmp_path: Path) -> None:
    add_lens(tmp_path)
    path = tmp_path / "shots.csv"
    path.write_text(f'id,model,prompt,reference\na,{LENS},one,\nb,{LENS},two,"from: a, at: 2.5s"\nc,{LENS},three,{A}\n')
    assert [given_to(path, each, "reference_image_urls") for each in (1, 2)] == [["frame:a:2500ms"], [A]]


def test_a_cell_of_a_table_says_it_in_one_text(tmp_path: Path) -> None:
    path = tmp_path / "shots.csv"
    rows = [
        "id,model,prompt,first_frame",
        f"a,{I2V},one,{A}",
        f"b,{I2V},two,from: a",
        f"c,{I2V},three,from: a",
        f'd,{I2V},four,"from: b, at: 2.5s"',
    ]
    path.write_text("\n".join(rows) + "\n")
    assert [each.request["image_url"] for each in load_manifest(path).shots] == [
        *(A, "frame:a:last", "frame:a:last", "frame:b:2500ms"),
    ]
    path.write_text("\n".join([*rows, f"e,{I2V},five,from: e"]) + "\n")
    assert told(path) == ["first_frame continues from e, which is this shot; name another"]


def test_a_manifest_keeps_its_frames_in_another_format(tmp_path: Path) -> None:
    add_lens(tmp_path)
    path = film(
        tmp_path,
        {"first_frame": {"from": "sh001", "at": "2.5s"}},
        {"model": LENS, "resolution": None, "references": [{"from": "sh001"}, A]},
        {"first_frame": "from: sh000"},
    )
    for name in ("other.csv", "other.yaml", "other.jsonl"):
        convert(path, tmp_path / name)
        assert [each.recipes for each in load_manifest(tmp_path / name).shots] == [
            each.recipes for each in load_manifest(path).shots
        ]


WRONG: list[tuple[Any, str]] = [
    ({"from": "sh003"}, "first_frame continues from 'sh003', but no shot has this id; did you mean sh001?"),
    ({"from": "sh002"}, "first_frame continues from sh002, which is this shot; name another"),
    ({"from": ""}, "first_frame has from but names no shot; write the shot's id, such as from: sc010_sh010"),
    ({"from": None}, "first_frame has from but names no shot"),
    ({"from": ["sh001"]}, "first_frame.from is a list; expected one value"),
    ({"from": "sh001", "at": "5s"}, "first_frame.at is 5 s, but sh001 lasts 5 s; leave out at to use its last frame"),
    ({"from": "sh001", "at": "soon"}, "first_frame.at is 'soon'; expected seconds into the clip, such as 2.5s"),
    ({"from": "sh001", "at": "0.5ms"}, "first_frame.at is '0.5ms'; expected seconds"),
    ({"from": "sh001", "at": "1s", "frame": "last"}, "first_frame has both at and frame; keep one of them"),
    ({"from": "sh001", "frame": "fist"}, "first_frame.frame is 'fist'; expected first or last; did you mean first?"),
    ({"from": "sh001", "take": 0}, "first_frame.take is '0'; expected the number of a take, such as 2"),
    ({"from": "sh001", "follow": "yes"}, "first_frame.follow is 'yes'; expected always; without follow"),
    ({"from": "sh001", "take": 1, "follow": "always"}, "first_frame has both take and follow"),
    ({"from": "sh001", "shot": 1}, "'shot' is not a field of a frame; its fields are from, frame, at, take, follow"),
    ({"form": "sh001"}, "'form' is not a field of a frame; did you mean from?"),
    ({"at": "2s"}, "first_frame does not say which shot its frame is from; add from and the shot's id, such as from: sc010_sh010"),
    ({"shot": "sh001"}, "'shot' is not a field of a frame; its fields are from, frame, at, take, follow"),
    ({}, "first_frame does not say which shot its frame is from"),
    ("form: sh001, at: 2s", "'form' is not a field of a frame; did you mean from?"),
    ("at: 2s", "first_frame does not say which shot its frame is from"),
    ("from: sh001 at 2.5s", "first_frame continues from 'sh001 at 2.5s', but no shot has this id"),
    ("from: sh001, 2.5s", "first_frame is 'from: sh001, 2.5s'; write from: SHOT, then the other fields after commas, such as at: 2.5s"),
    ("from: sh001, from: sh000", "first_frame has from twice; keep one of them"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "words"), WRONG)
def test_what_cannot_be_is_a_problem(said: Any, words: str, tmp_path: Path) -> None:
    problems = told(film(tmp_path, {"first_frame": said}))
    assert any(words in each for each in problems), problems


def test_problems_are_at_their_places(tmp_path: Path) -> None:
    path = tmp_path / "film.yaml"
    path.write_text(
        f"version: 1\ndefaults: {{model: {I2V}, resolution: 720p, duration: 5}}\nshots:\n"
        f"  - {{id: a, prompt: one, first_frame: '{A}'}}\n"
        "  - id: b\n    prompt: two\n    first_frame: {from: a, at: 9s}\n"
        "  - id: c\n    prompt: three\n    first_frame:\n      from: nobody\n"
    )
    with pytest.raises(ManifestInvalid) as caught:
        load_manifest(path)
    assert [(each.line, each.column) for each in caught.value.problems] == [(11, 13)]
    path.write_text(path.read_text().replace("nobody", "a"))
    with pytest.raises(ManifestInvalid) as caught:
        load_manifest(path)
    assert [(each.line, each.column) for each in caught.value.problems] == [(7, 32)]


def test_a_circle_is_named_with_all_its_shots(tmp_path: Path) -> None:
    problems = told(
        film(
            tmp_path,
            {"first_frame": {"from": "sh004"}},
            {"first_frame": {"from": "sh002"}},
            {"first_frame": {"from": "sh003"}},
        )
    )
    assert problems == [
        f"{CIRCLE} (sh002 from sh004, sh004 from sh003, sh003 from sh002): one of them has to begin{ALONE}"
    ]


def test_each_loop_is_named_at_once(tmp_path: Path) -> None:
    links = {"sh002": "sh003", "sh003": "sh002", "sh004": "sh006", "sh005": "sh004", "sh006": "sh005", "sh007": "sh003"}
    assert sorted(told(film(tmp_path, *({"first_frame": {"from": each}} for each in links.values())))) == [
        f"{CIRCLE} (sh002 from sh003, sh003 from sh002): one of them has to begin{ALONE}",
        f"{CIRCLE} (sh004 from sh006, sh006 from sh005, sh005 from sh004): one of them has to begin{ALONE}",
    ]


def test_a_model_without_the_role_says_which_models_have_it(tmp_path: Path) -> None:
    (problem,) = told(film(tmp_path, {"first_frame": A, "last_frame": {"from": "sh001"}}))
    assert problem.startswith(
        f"{I2V} does not take last_frame, an image to end with; no model takes files there, so none "
    )
    (problem,) = told(film(tmp_path, {"model": R2V, "first_frame": {"from": "sh001"}}))
    assert problem.startswith(
        f"first_frame continues from sh001, but {R2V} takes only an https:// address there; models that take files: {I2V}"
    )
    add_lens(tmp_path)
    (problem,) = told(film(tmp_path, {"first_frame": A, "last_frame": {"from": "sh001"}}))
    assert problem == f"{I2V} does not take last_frame, an image to end with; models that take files: {LENS}"
    (problem,) = told(film(tmp_path, {"model": LENS, "resolution": None, "audio": {"from": "sh001"}}))
    assert problem == "audio takes no picture, so it cannot take a frame of a shot"


def test_an_omitted_shot_gives_no_frame(tmp_path: Path) -> None:
    omitted = {"first_frame": A, "omit": True}
    (problem,) = told(film(tmp_path, omitted, {"first_frame": {"from": "sh002"}}))
    assert problem == (
        "first_frame continues from sh002, which is omitted, so it will have no clip; omit this shot, too, or name"
        " another"
    )
    load_manifest(film(tmp_path, omitted, {"first_frame": {"from": "sh002"}, "omit": True}))


def test_another_shape_than_that_of_the_frame_is_a_problem_also_through_a_chain(tmp_path: Path) -> None:
    tall = {"model": "alibaba/wan-2-6-t2v", "aspect_ratio": "9:16"}
    add_lens(tmp_path)
    file = json.loads((tmp_path / "models/studio__lens-1.schema.json").read_text())
    file["properties"]["aspect_ratio"] = {"type": "string", "enum": ["16:9", "9:16"], "default": "16:9"}
    (tmp_path / "models/studio__lens-1.schema.json").write_text(json.dumps(file))
    wide = {"model": LENS, "resolution": None, "first_frame": {"from": "sh003"}}
    (problem,) = told(film(tmp_path, tall, {"first_frame": {"from": "sh002"}}, wide))
    assert problem == (
        "first_frame continues from sh003, whose picture is 9:16, but this shot is 16:9; give both the same aspect_ratio"
    )
    load_manifest(film(tmp_path, tall, {"first_frame": {"from": "sh002"}}, {**wide, "aspect_ratio": "9:16"}))
    save(tmp_path / "tall.png", still(360, 640))
    (problem,) = told(film(tmp_path, tall, {"first_frame": "tall.png"}, wide))
    assert "whose picture is 9:16" in problem


def test_the_first_and_the_last_picture_of_a_clip_have_one_shape(tmp_path: Path) -> None:
    add_lens(tmp_path)
    wide = {"model": "alibaba/wan-2-6-t2v", "aspect_ratio": "16:9"}
    save(tmp_path / "tall.png", still(360, 640))
    tall = {"first_frame": "tall.png"}
    lens = {"model": LENS, "resolution": None}
    both = {**lens, "first_frame": {"from": "sh002"}, "last_frame": {"from": "sh003"}}
    wrong = "the clip would begin with a picture of 16:9 and end with one of 9:16; give both the same aspect ratio"
    assert told(film(tmp_path, wide, tall, both)) == [f"last_frame: {wrong}"]
    assert told(film(tmp_path, wide, tall, {**both, "last_frame": "tall.png"})) == [f"first_frame: {wrong}"]
    assert told(film(tmp_path, wide, tall, {**both, "first_frame": "tall.png", "last_frame": {"from": "sh002"}})) == [
        "last_frame: the clip would begin with a picture of 9:16 and end with one of 16:9; give both the same aspect ratio"
    ]
    load_manifest(film(tmp_path, wide, tall, {**both, "last_frame": {"from": "sh002", "frame": "first"}}))
    load_manifest(film(tmp_path, wide, tall, {**both, "first_frame": A}))


def test_a_frame_that_is_larger_than_the_documented_maximum_is_a_warning(tmp_path: Path) -> None:
    save(tmp_path / "panorama.png", still(1960, 400))
    batch = load_manifest(film(tmp_path, {"first_frame": "panorama.png"}, {"first_frame": {"from": "sh002"}}))
    (warning,) = (each.message for each in batch.warnings)
    assert warning == (
        "first_frame continues from sh002, whose picture is 3528x720 pixels, but the documented maximum is 2000 pixels a"
        f" side; {I2V} may refuse it"
    )
    save(tmp_path / "tall.png", still(400, 1960))
    batch = load_manifest(film(tmp_path, {"first_frame": "tall.png"}, {"first_frame": {"from": "sh002"}}))
    assert ["is 720x3528 pixels" in each.message for each in batch.warnings] == [True]


def test_another_size_and_a_take_that_is_not_planned_are_warnings(tmp_path: Path) -> None:
    batch = load_manifest(film(tmp_path, {"first_frame": {"from": "sh001", "take": 2}, "resolution": "1080p"}))
    assert [each.message for each in batch.warnings] == [
        "first_frame continues from sh001, which is made with 720 lines, but this shot with 1080: " + AT_THE_JOIN,
        "first_frame waits for take 2 of sh001, but the manifest asks for 1 take: " + ONCE,
    ]


def test_editors_complete_frames() -> None:
    told = json.loads(schema_text("manifest"))
    for group in ("defaults", "shot"):
        for name in ("first_frame", "last_frame", "references"):
            assert {"$ref": "#/$defs/frame_of"} in told["$defs"][group]["properties"][name]["anyOf"]
    assert set(told["$defs"]["frame_of"]["properties"]) == {"from", "frame", "at", "take", "follow"}
    assert "frame_of" in json.loads(schema_text("map"))["$defs"]
