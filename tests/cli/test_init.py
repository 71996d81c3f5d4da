"""A project that `init` begins: it is named for its folder, validates, and keeps its outputs inside."""

from __future__ import annotations

from pathlib import Path

import pytest

from wanbatch.cli import call
from wanbatch.manifest import load_manifest


def test_init_writes_a_project_that_validates_and_overwrites_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["init", "film"]) == 0
    assert call(["validate", "film/film.yaml", "film/film-shots.csv"]) == 0
    assert call(["init", "film"]) == 2
    assert "already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("folder", "name", "shown"),
    [
        ("my-film", "my-film", "cd my-film && wanbatch run my-film.yaml --sandbox"),
        ("Mein Film: 2", "Mein-Film-2", "cd 'Mein Film: 2' && wanbatch run Mein-Film-2.yaml --sandbox"),
        ("on", "on", "cd on && wanbatch run on.yaml --sandbox"),  # a word that YAML reads as true
        ("...x", "x", "cd ...x && wanbatch run x.yaml --sandbox"),
        ("!!", "film", "cd '!!' && wanbatch run film.yaml --sandbox"),
    ],
)
def test_init_names_the_project_for_its_folder_and_keeps_its_outputs_inside(
    folder: str, name: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["init", folder]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"next: {shown}"
    batch = load_manifest(Path(folder) / f"{name}.yaml")
    assert (batch.name, len(batch.shots)) == (name, 6)
    assert f"wanbatch run {name}.yaml --sandbox" in (Path(folder) / f"{name}.yaml").read_text()


def test_init_in_the_folder_itself_needs_no_other(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert call(["init"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "next: wanbatch run here.yaml --sandbox"
