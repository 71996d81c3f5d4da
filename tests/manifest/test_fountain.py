"""Fountain screenplays: their scenes and actions become shots; dialogue and signs for people do not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wanbatch.cli import call
from wanbatch.manifest import load_manifest
from wanbatch.manifest.fountain import read_fountain

PLAY = """\
Title: The _Pass_
Author: Ann

FADE IN:

INT. KEEPER'S HOUSE - NIGHT #1A#

A *lantern* burns. [[slow push in]]
The door opens.

MARA (O.S.)
(quietly)
Who is there?

ILO ^
Me.

CUT TO:

# Act two

= They meet.

EXT. HARBOUR WALL - DAWN

Gulls.

!THE WIND RISES.

/* INT. CUT SCENE - DAY

Not here. */

~la la

> THE END <

.FORCED PLACE

@McAvoy
Hello.
"""


def test_what_a_scene_holds() -> None:
    play = read_fountain(PLAY)
    assert [(scene.heading, scene.number, scene.actions, scene.cast, scene.notes) for scene in play.scenes] == [
        (
            "INT. KEEPER'S HOUSE - NIGHT",
            "1A",
            [(8, "A lantern burns. The door opens.")],
            ["MARA", "ILO"],
            ["slow push in"],
        ),
        ("EXT. HARBOUR WALL - DAWN", "", [(26, "Gulls."), (28, "THE WIND RISES.")], [], []),
        ("FORCED PLACE", "", [], ["McAvoy"], []),
    ]
    assert (play.title, [scene.place for scene in play.scenes]) == (
        "The Pass",
        [("interior", "KEEPER'S HOUSE", "NIGHT"), ("exterior", "HARBOUR WALL", "DAWN"), ("", "FORCED PLACE", "")],
    )


def test_a_manifest_is_written_beside_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "film.fountain").write_text(PLAY)
    assert call(["--json", "init", "--from", str(tmp_path / "film.fountain")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["scenes"], told["shots"], told["cast"]) == (3, 3, ["MARA", "ILO", "McAvoy"])
    batch = load_manifest(tmp_path / "film.yaml")
    assert (batch.name, [(shot.id, shot.scene, shot.prompt) for shot in batch.shots]) == (
        "The-Pass",
        [
            (
                "sc1A_sh010",
                "sc1A",
                "Keeper'S House, interior, night. A lantern burns. The door opens.".replace("'S", "'s"),
            ),
            ("sc020_sh010", "sc020", "Harbour Wall, exterior, dawn. Gulls."),
            ("sc020_sh020", "sc020", "Harbour Wall, exterior, dawn. THE WIND RISES."),
        ],
    )
    assert (batch.shots[0].notes, dict(batch.shots[0].own)) == ("slow push in", {"x_line": "8", "x_cast": "MARA, ILO"})
    assert call(["init", "--from", str(tmp_path / "film.fountain")]) == 2
    assert "film.yaml is there already" in capsys.readouterr().err


def test_a_text_without_scenes_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.fountain").write_text("Once upon a time.\n")
    assert call(["init", "--from", str(tmp_path / "x.fountain")]) == 2
    assert "x.fountain:1:1 no scene with action" in "".join(capsys.readouterr())


def test_a_screenplay_that_is_run_leads_to_its_manifest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.fountain").write_text(PLAY)
    assert call(["validate", str(tmp_path / "x.fountain")]) == 2
    assert "for a manifest with its scenes: wanbatch init --from x.fountain" in capsys.readouterr().out
