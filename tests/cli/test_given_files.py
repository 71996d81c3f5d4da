"""Files of a manifest on the screens: names and sizes, what was sent of the cast, and no bytes anywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.pictures import I2V, LENS, T2V, add_lens, save, still
from wanbatch.cli import call

LOOK = "Mara, a cartographer of about forty"
STILL = "stills/mara.png (PNG, 640x360, 1.5 KiB)"
CAST = "cast/mara/1.png (PNG, 642x360, 1.5 KiB)"


@pytest.fixture
def film(tmp_path: Path) -> Path:
    add_lens(tmp_path)
    save(tmp_path / "stills/mara.png")
    save(tmp_path / "cast/mara/1.png", still(642))
    cast = {"mara": {"look": LOOK, "images": ["cast/mara/*.png"]}}
    shots: list[dict[str, Any]] = [
        {"id": "a", "model": I2V, "resolution": "720p", "duration": 5, "prompt": "She turns.", "first_frame": "stills/mara.png"},
        {"id": "b", "models": [LENS, T2V], "duration": 5, "prompt": "A woman turns.", "cast": ["mara"]},
    ]  # fmt: skip
    path = tmp_path / "film.json"
    path.write_text(json.dumps({"version": 1, "name": "film", "cast": cast, "shots": shots}))
    return path


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_validate_lists_the_files_and_their_sizes(film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["validate", film.name]) == 0
    assert lines(capsys) == ["film.json: 2 shots, 3 takes, 2 files (2.9 KiB), no problems", STILL, CAST]
    assert call(["--json", "validate", film.name]) == 0
    files = json.loads(capsys.readouterr().out)[0]["files"]
    assert [(each["name"], each["form"], each["width"], len(each["sha256"])) for each in files] == [
        ("stills/mara.png", "PNG", 640, 64),
        ("cast/mara/1.png", "PNG", 642, 64),
    ]


def test_a_plan_lists_the_files(film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["plan", film.name, "--sandbox", "--offline"]) == 0
    assert {STILL, CAST} <= set(lines(capsys))
    assert call(["--json", "plan", film.name, "--sandbox", "--offline"]) == 0
    assert [each["name"] for each in json.loads(capsys.readouterr().out)["files"]] == [
        "stills/mara.png",
        "cast/mara/1.png",
    ]


def test_an_estimate_is_that_of_the_same_shot_with_an_address(film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def estimate() -> Any:
        assert call(["--json", "plan", film.name, "--sandbox", "--offline"]) == 0
        return json.loads(capsys.readouterr().out)["to_submit"]

    before = estimate()
    film.write_text(film.read_text().replace("stills/mara.png", "https://example.com/a.png"))
    assert estimate() == before


def test_an_explanation_names_the_files_and_says_what_is_sent_of_the_cast(
    film: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["plan", film.name, "--explain", "a"]) == 0
    assert f"image_url {STILL}" in lines(capsys)
    assert call(["plan", film.name, "--explain", "b"]) == 0
    told = lines(capsys)
    assert f'reference_image_urls ["{CAST}"]' in told
    assert "cast mara to studio/lens-1: pictures as references" in told
    assert f"cast mara to {T2V}: words alone, because {T2V} takes no references" in told
    assert f"prompt A woman turns. {LOOK}" in told


def test_a_difference_names_both_pictures(film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(film.parent / "stills/other.png", still(right=(1, 2, 3)))
    edited = film.with_name("edited.json")
    edited.write_text(film.read_text().replace("stills/mara.png", "stills/other.png"))
    assert call(["diff", film.name, edited.name]) == 0
    told = " ".join(lines(capsys))
    assert ("[-stills/mara.png-]" in told, "[+stills/other.png+]" in told, "1 take to make" in told) == (
        True,
        True,
        True,
    )


@pytest.mark.long
def test_sheet_and_sidecar_name_the_files_and_say_what_was_sent_of_the_cast(film: Path) -> None:
    assert call(["-q", "run", film.name, "--sandbox", "--speed", "300"]) == 0
    output = film.parent / "outputs/film"
    told = {path.stem: json.loads(path.read_text()) for path in (output / "clips").glob("*.json")}
    assert [each["name"] for each in told["a_t1"]["files"]] == ["stills/mara.png"]
    assert told["a_t1"]["recipe"]["image_url"] == f"sha256:{told['a_t1']['files'][0]['sha256']}"
    by_model = {each["recipe"]["model"]: each for each in told.values()}
    assert (by_model[LENS]["cast"], by_model[LENS]["files"][0]["name"]) == (
        ["mara to studio/lens-1: pictures as references"],
        "cast/mara/1.png",
    )
    assert (by_model[T2V]["cast"], "files" in by_model[T2V]) == (
        [f"mara to {T2V}: words alone, because {T2V} takes no references"],
        False,
    )
    sheet = (output / "storyboard.html").read_text()
    assert (STILL in sheet, "mara to studio/lens-1: pictures as references" in sheet) == (True, True)
    for path in (
        each for each in output.rglob("*") if each.is_file() and each.suffix in (".sqlite", ".log", ".csv", ".json")
    ):
        assert b";base64," not in path.read_bytes(), path


@pytest.mark.long
def test_a_finished_batch_asks_for_nothing_until_a_picture_is_edited(
    film: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["-q", "run", film.name, "--sandbox", "--speed", "300"]) == 0
    capsys.readouterr()
    assert call(["--json", "plan", film.name, "--sandbox"]) == 0
    assert json.loads(capsys.readouterr().out)["to_submit"] == []
    save(film.parent / "stills/mara.png", still(right=(1, 2, 3)))
    assert call(["--json", "plan", film.name, "--sandbox"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert [(each["model"], each["takes"]) for each in plan["to_submit"]] == [(I2V, 1)]


@pytest.mark.long
def test_a_failed_take_is_tried_again_with_its_picture_from_the_folder_alone(
    film: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    faults = film.with_name("faults.json")
    faults.write_text(json.dumps([{"on": "submit", "do": "fail", "nth": [1, 2], "message": "no"}]))
    flags = ["--sandbox", "--speed", "300", "--faults", "faults.json"]
    assert call(["-q", "run", film.name, "--only", "a", *flags]) == 1
    faults.write_text("[]")
    assert call(["-q", "retry", "outputs/film", "--yes"]) == 0, capsys.readouterr()
    assert (film.parent / "outputs/film/clips/a_t1.mp4").is_file()
