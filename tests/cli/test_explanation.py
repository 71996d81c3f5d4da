"""`plan --explain SHOT`: what is sent for a shot, its length, and where each value comes from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wanbatch.cli import call

FILM = """\
version: 1
style: Ink on paper.
defaults: {duration: 5, template: "{prompt} {style}"}
scenes:
  - id: sc010
    defaults: {resolution: 720p}
    shots:
      - {id: a, prompt: A gull lands., takes: 2, tags: [hero]}
"""


@pytest.fixture
def film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "film.yaml").write_text(FILM, encoding="utf-8")
    return tmp_path / "film.yaml"


def test_a_shot_is_explained(film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["plan", film.name, "--explain", "a"]) == 0
    assert [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()[:14]] == [
        "a",
        "scene sc010 scene sc010, film.yaml:5",
        "takes 2 shot, film.yaml:8",
        "tags hero shot, film.yaml:8",
        "seed 1329158702, 700812465 made from the id and the number of the take",
        "sent to alibaba/wan-2-6-t2v, 2 takes:",
        "model alibaba/wan-2-6-t2v wanbatch's default",
        "duration 5 defaults, film.yaml:3",
        "resolution 720p defaults of scene sc010, film.yaml:6",
        "prompt A gull lands. Ink on paper.",
        "shot, film.yaml:8; template, film.yaml:3; style, film.yaml:2",
        "27 of 1,500 characters",
        "aspect_ratio 16:9 not sent: the model's own default",
        "enhance_prompt true not sent: the model's own default",
    ]


def test_an_explanation_in_json_has_the_request_of_each_take(film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["--json", "plan", film.name, "--explain", "a"]) == 0
    told = json.loads(capsys.readouterr().out)
    request = told["requests"][0]
    assert (told["shot"], request["characters"], request["limit"], len(told["takes"])) == ("a", 27, 1500, 2)
    assert {each["name"]: each["origins"] for each in request["values"]}["duration"] == ["defaults, film.yaml:3"]
    assert told["takes"][0]["request"]["prompt"] == "A gull lands. Ink on paper."


def test_a_shot_of_a_table_is_explained_by_its_rows(film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film.with_name("board.csv").write_text("id,prompt,duration\na,A gull lands,5\n")
    assert call(["plan", "board.csv", "--explain", "a"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert ("duration 5 shot, board.csv:2" in lines, "12 of 1,500 characters" in lines) == (True, True)


def test_a_shot_that_is_not_there_leads_to_the_one_that_was_meant(
    film: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film.write_text(FILM.replace("id: a,", "id: sc010_sh010,"), encoding="utf-8")
    assert call(["plan", film.name, "--explain", "sc010_sh10"]) == 2
    assert "no shot of film.yaml has the id 'sc010_sh10'; did you mean sc010_sh010?" in capsys.readouterr().err
