"""Files in a manifest: found below its folder, checked before anything is paid, and known by the hash of their bytes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.clip.test_given_files import png_of
from tests.pictures import I2V, LENS, R2V, T2V, add_lens, manifest, request_of, save, still, tone
from wanbatch.batch.given_files import FileKind, body_with, hashes_in
from wanbatch.batch.input_fields import input_fields
from wanbatch.batch.registry import shipped
from wanbatch.clip.given import OpenedFile
from wanbatch.clip.inspection import Here
from wanbatch.errors import ManifestInvalid, UsageInvalid
from wanbatch.manifest import load_manifest
from wanbatch.manifest.given_files import GivenFiles
from wanbatch.manifest.opened_files import FileOpener
from wanbatch.manifest.tree import Place, Problems, Scalar
from wanbatch.session.conversion import convert

A = "https://example.com/a.png"


def known_as(path: Path) -> str:
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def problems(path: Path) -> list[str]:
    with pytest.raises(ManifestInvalid) as caught:
        load_manifest(path)
    return [str(each).removeprefix(f"{path}:") for each in caught.value.problems]


def test_a_file_stands_in_the_recipe_as_its_hash(tmp_path: Path) -> None:
    path = save(tmp_path / "stills/mara.png")
    batch = load_manifest(manifest(tmp_path, {"first_frame": "stills/mara.png"}))
    assert batch.shots[0].request["image_url"] == known_as(path)
    assert [str(each) for each in batch.files.values()] == ["stills/mara.png (PNG, 640x360, 1.5 KiB)"]


def test_files_go_into_every_role_of_a_model_that_takes_them(tmp_path: Path) -> None:
    add_lens(tmp_path)
    files = [save(tmp_path / f"{name}.png", still(640 + n)) for n, name in enumerate("abc")]
    sound = tone(tmp_path / "line12.wav")
    roles = {"first_frame": "a.png", "last_frame": "b.png", "references": ["c.png", A], "audio": "line12.wav"}
    request = request_of(manifest(tmp_path, {"model": LENS, **roles}))
    assert request == {
        "model": LENS,
        "prompt": "She turns.",
        "image_url": known_as(files[0]),
        "last_image_url": known_as(files[1]),
        "reference_image_urls": [known_as(files[2]), A],
        "audio_url": known_as(sound),
    }


def test_a_pattern_names_its_files_in_order(tmp_path: Path) -> None:
    add_lens(tmp_path)
    files = [save(tmp_path / "cast/mara" / name, still(600 + n)) for n, name in enumerate(["1.png", "10.png", "2.png"])]
    (tmp_path / "cast/mara/notes.txt").write_text("not a picture")
    request = request_of(manifest(tmp_path, {"model": LENS, "references": ["cast/mara/*.png"]}))
    assert request["reference_image_urls"] == [known_as(each) for each in files]


def test_a_cell_of_a_table_holds_files_as_a_manifest_does(tmp_path: Path) -> None:
    add_lens(tmp_path)
    files = [save(tmp_path / f"{name}.png", still(640 + n)) for n, name in enumerate("abc")]
    path = tmp_path / "shots.csv"
    path.write_text(
        f"id,model,prompt,first_frame,references\na,{LENS},She turns.,a.png,[bc].png\nb,{LENS},Yes.,,b.png; {A}\n"
    )
    batch = load_manifest(path)
    assert batch.shots[0].request["image_url"] == known_as(files[0])
    assert batch.shots[0].request["reference_image_urls"] == [known_as(files[1]), known_as(files[2])]
    assert batch.shots[1].request["reference_image_urls"] == [known_as(files[1]), A]


def test_an_edited_picture_is_another_recipe_and_a_moved_one_is_not(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png")
    first = load_manifest(manifest(tmp_path, {"first_frame": "a.png"})).shots[0].recipes
    (tmp_path / "stills").mkdir()
    path.rename(tmp_path / "stills/b.png")
    moved = load_manifest(manifest(tmp_path, {"first_frame": "stills/b.png"})).shots[0].recipes
    save(tmp_path / "stills/b.png", still(right=(1, 2, 3)))
    edited = load_manifest(manifest(tmp_path, {"first_frame": "stills/b.png"})).shots[0].recipes
    assert (first == moved, first == edited) == (True, False)


def test_the_files_of_a_manifest_belong_to_it(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    assert load_manifest(manifest(tmp_path, {"first_frame": "a.png"})).parts == (str(tmp_path / "a.png"),)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"first_frame": "none.png"}, "first_frame: there is no file 'none.png' in the manifest's folder"),
    ({"first_frame": "*.gif"}, "first_frame: no file matches '*.gif' in the manifest's folder"),
    ({"first_frame": "*.png"}, "first_frame is '*.png', which names 2 files; it takes one"),
    ({"first_frame": "../a.png"}, "first_frame is '../a.png', which is not a path below the manifest's folder"),
    ({"first_frame": "x/../../a.png"}, "which is not a path below the manifest's folder"),
    ({"first_frame": "/etc/passwd"}, "first_frame is '/etc/passwd', which is not a path below"),
    ({"first_frame": "stills\\a.png"}, "write its path with /"),
    ({"first_frame": "C:/a.png"}, "which is not a path below the manifest's folder"),
    ({"first_frame": "folder"}, "there is no file 'folder'"),
    ({"first_frame": "text.jpg"}, "first_frame: 'text.jpg' is not a PNG, JPEG, WebP or BMP file"),
    ({"first_frame": "cut.jpg"}, "first_frame: 'cut.jpg' is damaged"),
    ({"first_frame": "wide.jpg"}, "first_frame: 'wide.jpg' is 20000x5 pixels; wanbatch sends at most 8192 a side"),
    ({"first_frame": "out.jpg"}, "first_frame: 'out.jpg' is a link that leads out of the manifest's folder; copy the file into it"),
    ({"first_frame": "out/a.png"}, "first_frame: 'out/a.png' is a link that leads out of the manifest's folder"),
    ({"image_url": "none.png"}, "image_url: there is no file 'none.png'"),
    ({"audio": "line.wav", "first_frame": A}, "audio is the file 'line.wav', but alibaba/wan-2-6-i2v takes only an https:// address there; models that take files: studio/lens-1"),
    ({"model": R2V, "first_frame": "a.png"}, "first_frame is the file 'a.png', but alibaba/wan-2-7-r2v takes only an https:// address there; models that take files: alibaba/wan-2-6-i2v,"),
    ({"model": T2V, "first_frame": "a.png"}, "alibaba/wan-2-6-t2v does not take first_frame, an image to begin from"),
    ({"model": LENS, "references": ["a.png", "b.png", A, A]}, "references has 4 entries; studio/lens-1 accepts 3 at most"),
    ({"model": LENS, "references": ["none/*.png"]}, "references: no file matches 'none/*.png'"),
    ({"model": LENS, "audio": "a.png"}, "audio: 'a.png' is not a WAV or MP3 file"),
    ({"first_frame": "sha256:" + "0" * 64}, "first_frame is 'sha256:"),
    ({"first_frame": "http://example.com/a.png"}, "write https:// instead of http://"),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "film"
    for n, name in enumerate("ab"):
        save(home / f"{name}.png", still(640 + n))
    save(tmp_path / "a.png")
    (home / "folder").mkdir()
    (home / "text.jpg").write_text("a text")
    (home / "cut.jpg").write_bytes((home / "a.png").read_bytes()[:-60])
    (home / "wide.jpg").write_bytes(png_of(20_000, 5))
    (home / "out.jpg").symlink_to(tmp_path / "a.png")
    (home / "out").symlink_to(tmp_path)
    add_lens(home)
    return home


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("shot", "said"), WRONG, ids=[f"{n}" for n in range(len(WRONG))])
def test_a_file_that_cannot_be_sent_is_a_problem_with_its_place(shot: dict[str, Any], said: str, folder: Path) -> None:
    path = manifest(folder, shot)
    told = problems(path)
    assert (len(told), said in told[0]) == (1, True), told


def test_a_problem_names_the_line_and_the_column_of_each_file(folder: Path) -> None:
    path = folder / "shots.yaml"
    shot = f"model: {LENS}\n    prompt: p\n    references:\n      - a.png\n      - none.png\n      - ../a.png\n"
    path.write_text(f"version: 1\nshots:\n  - id: a\n    {shot}")
    assert [each.partition(" ")[0] for each in problems(path)] == ["8:9", "9:9"]


def test_a_default_is_a_problem_at_its_own_place(tmp_path: Path) -> None:
    path = manifest(tmp_path, {}, defaults={"first_frame": "none.png"}, name="shots.json")
    assert [each.partition(": ")[2] for each in problems(path)] == [
        "there is no file 'none.png' in the manifest's folder; an address begins with https://"
    ]


def test_a_link_within_the_folder_is_a_file(folder: Path) -> None:
    (folder / "link.png").symlink_to(folder / "a.png")
    assert request_of(manifest(folder, {"first_frame": "link.png"}))["image_url"] == known_as(folder / "a.png")


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (still(2001, 400), "'p.png' is 2001x400 pixels, but the documented maximum is 2000 pixels a side; alibaba/wan-2-6-i2v may refuse it"),
        (still(400, 300), "'p.png' is 400x300 pixels, but the documented minimum is 360 pixels a side"),
    ],
)  # fmt: skip
def test_what_the_vendor_does_not_document_is_a_warning(picture: Any, said: str, tmp_path: Path) -> None:
    save(tmp_path / "p.png", picture)
    warnings = load_manifest(manifest(tmp_path, {"first_frame": "p.png"})).warnings
    assert [said in each.message for each in warnings] == [True]


def test_a_transparent_picture_is_a_warning(tmp_path: Path) -> None:
    glass = still()
    glass.putalpha(100)
    save(tmp_path / "p.png", glass)
    warnings = load_manifest(manifest(tmp_path, {"first_frame": "p.png"})).warnings
    assert ["is transparent in places" in each.message for each in warnings] == [True]


class Counting:
    """Opens files here and counts them."""

    def __init__(self, names: list[str]) -> None:
        self.names = names

    def given(self, path: Path, kind: str, *, with_data: bool) -> OpenedFile:
        self.names.append(path.name)
        return Here().given(path, kind, with_data=with_data)

    def close(self) -> None:
        self.names.append("closed")


def test_a_file_is_looked_into_once_and_a_bad_one_stays_bad(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("a text")
    names: list[str] = []
    found = []
    for _ in range(2):
        opener = FileOpener(tmp_path / "cache", lambda: Counting(names))
        found.append(opener(tmp_path / "a.png", FileKind.PICTURE))
        with pytest.raises(Exception, match="by its content"):
            opener(tmp_path / "b.png", FileKind.PICTURE)
        opener.close()
    assert (names, found[0] == found[1]) == (["a.png", "b.png", "closed"], True)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"x": 1}', "null"])
def test_a_damaged_cache_costs_one_more_look(text: str, tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    (tmp_path / "files.json").write_text(text)
    names: list[str] = []
    opener = FileOpener(tmp_path, lambda: Counting(names))
    opener(tmp_path / "a.png", FileKind.PICTURE)
    opener.close()
    assert names == ["a.png", "closed"]


def test_the_body_that_is_sent_is_the_recipe_with_its_files() -> None:
    known, other = "a" * 64, "b" * 64
    body = {"prompt": f'"sha256:{known}"', "image_url": f"sha256:{known}", "image_urls": [f"sha256:{other}", A]}
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    assert hashes_in(body) == (known, other)
    urls = {f"sha256:{known}": (b"data:image/png;base64,", b"AA=="), f"sha256:{other}": (b"data:", b"x")}
    made = body_with(canonical, urls)
    whole = b"".join(made.pieces)
    assert (b"".join(made.chunks()), made.size_bytes) == (whole, len(whole))
    assert made.sha256 == hashlib.sha256(whole).hexdigest()
    sent = json.loads(whole)
    assert sent == {**body, "image_url": "data:image/png;base64,AA==", "image_urls": ["data:x", A]}


def test_models_say_which_of_their_fields_take_files() -> None:
    found = {
        (model.name, each.name) for model in shipped() for each in input_fields(model).values() if each.takes_files
    }
    names = ("wan-2-6-i2v", "wan-2-6-image-to-video-flash", "wan-2-7-i2v", "wan2.2-i2v-plus", "wan2.5-i2v-preview")
    assert found == {(f"alibaba/{name}", "image_url") for name in names}


def test_a_fallback_that_takes_no_files_is_a_problem_of_the_fallback(folder: Path) -> None:
    told = problems(manifest(folder, {"first_frame": "a.png", "fallback": R2V}))
    assert len(told) == 1
    assert "the fallback does not suit this shot: first_frame is the file 'a.png'" in told[0]


def test_a_fallback_is_given_the_same_file(folder: Path) -> None:
    shot = load_manifest(manifest(folder, {"first_frame": "a.png", "fallback": LENS})).shots[0]
    assert shot.fallback is not None
    assert shot.fallback.version.request["image_url"] == shot.request["image_url"] == known_as(folder / "a.png")


def test_a_file_of_an_included_manifest_is_below_the_folder_of_the_whole(folder: Path) -> None:
    (folder / "act1").mkdir()
    manifest(folder / "act1", {"first_frame": "a.png"}, name="act1.json")
    inner = json.loads((folder / "act1/act1.json").read_text())
    (folder / "act1/act1.json").write_text(json.dumps({"shots": inner["shots"]}))
    (folder / "film.json").write_text(json.dumps({"version": 1, "include": "act1/act1.json"}))
    assert request_of(folder / "film.json")["image_url"] == known_as(folder / "a.png")


ADDRESSES = st.from_regex(r"https://[a-z]{1,8}\.example/[a-z0-9/._-]{0,20}", fullmatch=True)


@pytest.mark.long
@given(ADDRESSES, st.lists(ADDRESSES, max_size=5), st.text(min_size=1, max_size=40))
def test_a_request_of_addresses_is_what_it_was_without_files(first: str, images: list[str], prompt: str) -> None:
    def refuse(path: Path, _: FileKind) -> OpenedFile:
        raise AssertionError(path)

    files = GivenFiles(Path("nowhere"), refuse, Problems("x"))
    for model in shipped():
        request: dict[str, Any] = {"model": model.name, "prompt": prompt}
        for name, each in input_fields(model).items():
            request[name] = images if model.parameters[name].get("type") == "array" else first
            assert each.name == name
        nodes = {name: Scalar("x", "x", Place(1, 1)) for name in request}
        assert files.given(request, nodes) == (request, request)
        assert (files.problems.found, files.found) == ([], {})


@pytest.mark.parametrize("ending", ["csv", "yaml", "jsonl", "tsv"])
def test_a_converted_manifest_is_given_the_same_files(ending: str, folder: Path) -> None:
    path = manifest(folder, {"first_frame": "a.png"}, {"model": LENS, "references": ["[ab].png"]})
    convert(path, folder / f"other.{ending}")
    others = load_manifest(folder / f"other.{ending}").shots
    assert [each.recipes for each in load_manifest(path).shots] == [each.recipes for each in others]


def test_a_conversion_into_another_folder_does_not_lose_files(folder: Path) -> None:
    path = manifest(folder, {"first_frame": "a.png"})
    with pytest.raises(UsageInvalid, match=r"there is no file 'a.png' in the manifest's folder"):
        convert(path, folder / "folder/other.yaml")


ELEMENTS: dict[str, Any] = {
    "type": "array",
    "description": "Addresses, or Base64.",
    "items": {
        "type": "object",
        "additionalProperties": False,
        "required": ["image_url"],
        "properties": {
            "image_url": {"type": "string", "format": "uri"},
            "role": {"type": "string"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "more": {"type": "array", "items": {"type": "string", "format": "uri"}},
        },
    },
}


def test_an_object_is_given_files_in_its_addresses_alone(folder: Path) -> None:
    add_lens(folder, properties={"model": {"const": LENS}, "prompt": {"type": "string"}, "elements": ELEMENTS})
    a, b = known_as(folder / "a.png"), known_as(folder / "b.png")
    elements = [
        {"image_url": "[ab].png", "role": "hero", "more": ["a.png"]},
        {"image_url": A, "role": "place", "more": ["b.png"], "tags": ["x"]},
    ]
    assert request_of(manifest(folder, {"model": LENS, "elements": elements}))["elements"] == [
        {"image_url": a, "role": "hero", "more": [a]},
        {"image_url": b, "role": "hero", "more": [a]},
        {"image_url": A, "role": "place", "more": [b], "tags": ["x"]},
    ]


def test_a_table_in_place_of_a_file_is_no_file(folder: Path) -> None:
    told = problems(manifest(folder, {"first_frame": {"from": "sh001"}}))
    assert ["there is no file" in each for each in told] == [False], told


def test_a_file_for_a_role_that_a_model_lacks_names_only_models_that_take_files(tmp_path: Path) -> None:
    preview, lack = "alibaba/wan2.5-i2v-preview", "does not take an audio file (audio: an address)"
    shot = {"model": preview, "first_frame": "https://example.com/a.png"}
    (problem,) = problems(manifest(tmp_path, {**shot, "audio": "s/v.wav"}))
    none = "no model takes files there; models that take its address: alibaba/wan-2-6-i2v"
    assert problem.partition(" ")[2].startswith(f"{preview} {lack}; {none}, ")
    (problem,) = problems(manifest(tmp_path, {**shot, "audio": "https://example.com/v.wav"}))
    assert "; models that do: alibaba/wan-2-6-i2v" in problem
    (problem,) = problems(manifest(tmp_path, {"model": T2V, "first_frame": "a.png"}))
    assert f"; models that take files: {I2V}" in problem
    add_lens(tmp_path)
    (problem,) = problems(manifest(tmp_path, {**shot, "audio": "s/v.wav"}))
    assert problem.endswith(f"; models that take files: {LENS}")
