"""Fountain screenplays: their scenes, cast and actions become a manifest; dialogue and signs for people do not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wanbatch.cli import call
from wanbatch.manifest import load_manifest
from wanbatch.manifest.breakdown import scene_ids
from wanbatch.manifest.fountain import read_fountain
from wanbatch.session.screenplay import write_manifest_of

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


def test_its_scenes_cast_and_locations_become_a_manifest_with_shots_to_fill_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "film.fountain").write_text(PLAY)
    assert call(["--json", "init", "--from", str(tmp_path / "film.fountain")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {name: told[name] for name in ("scenes", "shots", "cast", "locations")} == {
        "scenes": 3, "shots": 4, "cast": ["mara", "ilo", "mcavoy"],
        "locations": ["keepers_house", "harbour_wall", "forced_place"],
    }  # fmt: skip
    batch = load_manifest(tmp_path / "film.yaml")
    looks, style = "TODO: age, hair, clothes", "TODO: the look of the film"
    at_house = "Place: Keeper's House, interior, TODO: what it looks like."
    assert (batch.name, [(shot.id, shot.scene, dict(shot.own)) for shot in batch.shots], batch.shots[0].prompt) == (
        "The-Pass",
        [
            ("sc001A_sh010", "sc001A", {"x_line": "8"}),
            ("sc001AA_sh010", "sc001AA", {"x_line": "26"}),
            ("sc001AA_sh020", "sc001AA", {"x_line": "28"}),
            ("sc001AB_sh010", "sc001AB", {"x_line": "38"}),
        ],
        f"TODO: Night. A lantern burns. The door opens. {at_house} With Mara, {looks}, Ilo, {looks}. {style}",
    )
    left = "prompt contains what looks like a placeholder, TODO: fill it in, or remove it; it would be sent unchanged"
    assert [each.message.partition("; if you")[0] for each in batch.warnings] == [left] * 4
    assert call(["init", "--from", str(tmp_path / "film.fountain")]) == 2
    assert "film.yaml is there already" in capsys.readouterr().err


def test_a_manifest_that_is_filled_in_has_nothing_left_to_warn_of(tmp_path: Path) -> None:
    (tmp_path / "film.fountain").write_text(PLAY)
    assert call(["-q", "init", "--from", str(tmp_path / "film.fountain")]) == 0
    path = tmp_path / "film.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("TODO: ", ""), encoding="utf-8")
    assert load_manifest(path).warnings == ()


@pytest.mark.parametrize(
    ("numbers", "ids"),
    [
        (["", "", ""], ["sc010", "sc020", "sc030"]),
        ([""] * 100, [f"sc{10 * n:04}" for n in range(1, 101)]),
        (["1", "2", "12"], ["sc001", "sc002", "sc012"]),
        (["1", "2A", "1000"], ["sc0001", "sc0002A", "sc1000"]),
        (["", "1", "", "", "1A", "2", "2"], ["sc000A", "sc001", "sc001B", "sc001C", "sc001A", "sc002", "sc002A"]),
        (["A5", "a5", "X"], ["scA005", "scA005A", "scX"]),
    ],
)
def test_ids_of_scenes_have_numbers_of_one_width(numbers: list[str], ids: list[str]) -> None:
    assert scene_ids(numbers) == ids


def test_a_location_seen_from_both_sides_is_two_and_signs_of_a_script_name_nothing(tmp_path: Path) -> None:
    play = (
        "INT. BAR - DAY\n\nIt {snows}.\n\nNO\nYes.\n\nEXT. BAR - NIGHT\n\n"
        + "Snow falls. " * 100
        + "\n\nLOOK\nWhere?\n"
    )
    (tmp_path / "film.fountain").write_text(play)
    assert call(["-q", "init", "--from", str(tmp_path / "film.fountain")]) == 0
    shots = load_manifest(tmp_path / "film.yaml").shots
    end = "age, hair, clothes. TODO: the look of the film"
    assert (shots[0].prompt, len(shots), {shot.prompt.partition(" Place: ")[2] for shot in shots[1:]}) == (
        f"TODO: Day. It {{snows}}. Place: Bar, interior, TODO: what it looks like. With No, TODO: {end}",
        3,
        {f"Bar, exterior, TODO: what it looks like. With Look, TODO: {end}"},
    )


@given(
    st.text(st.characters(exclude_categories=("Cc", "Cs")) | st.sampled_from("\n\n\n.#{}[]()-'\"@!~=:"), max_size=200)
)
@settings(max_examples=100, suppress_health_check=list(HealthCheck))
def test_any_script_becomes_a_manifest_that_loads(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.fountain"
    path.with_suffix(".yaml").unlink(missing_ok=True)
    heading = text.replace("\n", " ")[:40].strip()
    path.write_text(f"INT. {heading or 'X'} - DAY\n\n{text}\n\nEXT. B\n\nANA\nYes.\n", encoding="utf-8")
    assert load_manifest(write_manifest_of(path).path).shots


def test_a_text_without_scenes_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.fountain").write_text("Once upon a time.\n")
    assert call(["init", "--from", str(tmp_path / "x.fountain")]) == 2
    assert "x.fountain:1:1 no scene: a scene begins" in "".join(capsys.readouterr())


def test_a_screenplay_that_is_run_leads_to_its_manifest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.fountain").write_text(PLAY)
    assert call(["validate", str(tmp_path / "x.fountain")]) == 2
    assert "for a manifest with its scenes: wanbatch init --from x.fountain" in capsys.readouterr().out
