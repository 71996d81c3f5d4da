"""Clips under names of the user's own: beside the clips, made again with each report, and nothing else is touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.reporting.storyboard import run_film
from wanbatch.cli import call

FILM = """\
version: 1
names: "{prompt}-{take0}"
shots:
  - {id: a, prompt: A gull lands, resolution: 720p, duration: 5, takes: 2}
"""


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(near: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def named(output: Path) -> list[str]:
    return sorted(path.name for path in (output / "named").iterdir())


@pytest.mark.long
def test_clips_have_the_names_of_the_manifest_beside_their_own() -> None:
    output = run_film(FILM)
    assert named(output) == ["A gull lands-0.mp4", "A gull lands-1.mp4", "names.json"]
    pairs = [("A gull lands-0.mp4", "a_t1.mp4"), ("A gull lands-1.mp4", "a_t2.mp4")]
    assert all((output / "named" / name).samefile(output / "clips" / clip) for name, clip in pairs)
    index = json.loads((output / "named" / "names.json").read_text())
    assert {name: told["file"] for name, told in index.items()} == {name: f"clips/{clip}" for name, clip in pairs}


@pytest.mark.long
def test_other_names_rename_nothing_that_was_made_and_buy_nothing() -> None:
    output = run_film(FILM)
    (output / "named" / "mine.mp4").write_text("a file of the user's own")
    (output / "named" / "a 2.mp4").write_text("in the way")
    before = sorted((path.name, path.stat().st_mtime_ns) for path in (output / "clips").glob("*.mp4"))
    run_film(FILM.replace("{prompt}-{take0}", "{id} {take}"))
    assert named(output) == ["a 1.mp4", "a 2.mp4", "mine.mp4", "names.json"]
    assert (output / "named" / "a 2.mp4").read_text() == "in the way"
    assert sorted((path.name, path.stat().st_mtime_ns) for path in (output / "clips").glob("*.mp4")) == before
    run_film(FILM.replace('names: "{prompt}-{take0}"\n', ""))
    assert named(output) == ["a 2.mp4", "mine.mp4"]


@pytest.mark.long
def test_a_name_that_several_takes_have_goes_to_the_one_that_was_circled() -> None:
    film = FILM.replace("{prompt}-{take0}", "{id}").replace("takes: 2", "takes: 1")
    output = run_film(film)
    assert call(["-q", "retake", "o", "a", "--later"]) == 0
    run_film(film)
    name = output / "named" / "a.mp4"
    newest = name.samefile(output / "clips" / "a_t2.mp4")
    assert call(["-q", "circle", "o", "a", "1"]) == 0
    assert call(["-q", "report", "o"]) == 0
    assert (newest, name.samefile(output / "clips" / "a_t1.mp4")) == (True, True)


@pytest.mark.long
def test_names_of_a_stranger_reach_nothing_outside_of_their_folder() -> None:
    output = run_film(FILM)
    Path("victim.mp4").write_text("keep me")
    told = {"../../victim.mp4": {}, "..": {}, "x.txt": {}}
    (output / "named" / "names.json").write_text(json.dumps(told))
    assert call(["-q", "report", "o"]) == 0
    assert Path("victim.mp4").read_text() == "keep me"


@pytest.mark.long
def test_a_plain_manifest_has_no_such_folder() -> None:
    assert not (run_film(FILM.replace('names: "{prompt}-{take0}"\n', "")) / "named").exists()
