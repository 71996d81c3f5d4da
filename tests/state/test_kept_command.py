"""The command that goes on leads to the state file that is read, wherever its folder or the project has gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reporting.states import begin, shot
from wanbatch.batch.shots import Batch
from wanbatch.state.kept_command import COMMAND_NOTE, PLACE_NOTE, KeptCommand, read_command
from wanbatch.state.reader import StateReader


def kept(output: Path, command: str, place: Path) -> KeptCommand:
    pen = begin(output, Batch("film", (shot("a", 0),)))
    pen.state.note(COMMAND_NOTE, command)
    pen.state.note(PLACE_NOTE, str(place))
    pen.state.close()
    with StateReader.open(output) as reader:
        return read_command(reader)


@pytest.mark.parametrize(
    ("folder", "command", "expected"),
    [
        ("outputs/film", "wanbatch run film.yaml --yes", "wanbatch run film.yaml --yes"),
        ("cut/one", "wanbatch run film.yaml -o cut/one", "wanbatch run film.yaml -o cut/one"),
        ("outputs/old", "wanbatch run film.yaml --yes", "wanbatch run film.yaml -o outputs/old --yes"),
        ("cut/two", "wanbatch run film.yaml -o cut/one --yes", "wanbatch run film.yaml -o cut/two --yes"),
        ("cut/two", "wanbatch run film.yaml --output=cut/one", "wanbatch run film.yaml -o cut/two"),
        ("cut/two", "wanbatch run 'film", "wanbatch run 'film"),  # a state file may come from anywhere
    ],
)
def test_a_folder_that_is_not_the_default_one_is_named(
    tmp_path: Path, folder: str, command: str, expected: str
) -> None:
    assert kept(tmp_path / folder, command, tmp_path) == KeptCommand(expected, str(tmp_path))


def test_in_the_working_folder_no_place_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = kept(tmp_path / "outputs/film", "wanbatch run film.yaml", tmp_path)
    assert found == KeptCommand("wanbatch run film.yaml", "")


@pytest.mark.parametrize("has_manifest", [True, False])
def test_a_copied_project_goes_on_in_the_copy_if_its_manifest_is_there(tmp_path: Path, *, has_manifest: bool) -> None:
    original, copy = tmp_path / "original", tmp_path / "copy"
    output = copy / "outputs/film"
    if has_manifest:
        copy.mkdir()
        (copy / "film.yaml").write_text("", encoding="utf-8")
    found = kept(output, "wanbatch run film.yaml --yes", original)
    there = KeptCommand("wanbatch run film.yaml --yes", str(copy))
    assert found == (there if has_manifest else KeptCommand(f"wanbatch run film.yaml -o {output} --yes", str(original)))


def test_a_renamed_folder_of_a_copied_project_goes_on_in_the_copy(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "film.yaml").write_text("", encoding="utf-8")
    found = kept(copy / "outputs/renamed", "wanbatch run film.yaml --yes", tmp_path / "original")
    assert found == KeptCommand("wanbatch run film.yaml -o outputs/renamed --yes", str(copy))
