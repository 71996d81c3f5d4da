"""Where the values of a shot come from: kept in the state file, and shown on the card of the shot."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.reporting.storyboard import run_film
from wanbatch.state.reader import StateReader

FILM = """\
version: 1
style: Ink on paper.
defaults: {resolution: 720p, duration: 5, template: "{prompt} {style}"}
shots:
  - {id: a, prompt: A gull lands.}
"""
PLAIN = "version: 1\nshots:\n  - {id: a, prompt: A gull lands., duration: 5}\n"


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(near: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def origins(output: Path) -> dict[str, object]:
    with StateReader.open(output) as reader:
        return dict(reader.origins())


def test_a_card_says_where_its_values_come_from() -> None:
    output = run_film(FILM)
    page = (output / "storyboard.html").read_text(encoding="utf-8")
    told = "27 of 1,500 characters; shot, film.yaml:5; template, film.yaml:3; style, film.yaml:2"
    assert (f"<dt>prompt</dt><dd>{told}</dd>" in page, "<dt>duration</dt><dd>defaults, film.yaml:3</dd>" in page) == (
        True,
        True,
    )


@pytest.mark.long
def test_the_card_of_a_plain_manifest_has_no_such_list() -> None:
    output = run_film(PLAIN)
    assert ("where each value comes from" in (output / "storyboard.html").read_text(), origins(output)) == (False, {})


@pytest.mark.long
def test_origins_follow_the_manifest_and_an_older_file_has_none() -> None:
    output = run_film(FILM)
    before = origins(output)
    run_film(FILM.replace("version: 1\n", "# a comment\nversion: 1\n"))
    after = origins(output)
    with sqlite3.connect(output / "state.sqlite") as db:
        db.execute("DROP TABLE origins")
    db.close()
    assert (before != after, origins(output), run_film(FILM) and origins(output)) == (True, {}, before)
