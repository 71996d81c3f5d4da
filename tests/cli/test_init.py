"""A project that `init` begins: it is named for its folder, validates, and keeps its outputs inside."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from wanbatch.cli import call
from wanbatch.cli.new_film import asked_answers, film_text
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


def test_a_new_film_has_two_scenes_a_cast_and_a_style() -> None:
    assert call(["init", "film", "--yes"]) == 0
    shots = load_manifest("film/film.yaml").shots
    assert sorted({shot.scene for shot in shots}) == ["sc010", "sc020"]
    assert {shot.prompt.rpartition(". ")[2] for shot in shots} == {
        "Cinematic, natural light, shallow depth of field, muted colours."
    }


def test_the_table_of_a_new_film_has_the_same_recipes() -> None:
    assert call(["init", "film", "--yes"]) == 0
    of_film, of_table = (
        [(shot.id, recipe.sha256) for shot, _, recipe in load_manifest(f"film/{name}").wanted()]
        for name in ("film.yaml", "film-shots.csv")
    )
    assert of_film == of_table


@pytest.mark.parametrize(
    ("answers", "ratio", "style"),
    [
        ("\n\n", "16:9", "muted colours."),
        ('9:16\nInk, {brush} and "wash"\n', "9:16", 'Ink, {brush} and "wash"'),
        ("square\n1:1\n" + "x" * 401 + "\nOil: thick\n", "1:1", "Oil: thick"),
    ],
)
def test_init_asks_little_and_takes_no_answer_for_the_one_proposed(
    answers: str, ratio: str, style: str, tmp_path: Path
) -> None:
    @click.command()
    def ask() -> None:
        (tmp_path / "film.yaml").write_text(film_text("film", asked_answers()), encoding="utf-8")

    assert CliRunner().invoke(ask, input=answers).exit_code == 0
    shot = load_manifest(tmp_path / "film.yaml").shots[0]
    assert (shot.request["aspect_ratio"], shot.prompt.endswith(style)) == (ratio, True)
