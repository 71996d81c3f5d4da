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
            ["ILO"],
            ["slow push in"],
        ),
        ("EXT. HARBOUR WALL - DAWN", "", [(26, "Gulls."), (28, "THE WIND RISES.")], [], []),
        ("FORCED PLACE", "", [], ["McAvoy"], []),
    ]
    assert (play.scenes[0].heard, [scene.act for scene in play.scenes]) == (["MARA"], [None, 0, 0])
    assert [(act.title, act.notes) for act in play.acts] == [("Act two", ["They meet."])]
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
        "scenes": 3, "shots": 4, "cast": ["ilo", "mcavoy"],
        "locations": ["keepers_house", "harbour_wall", "forced_place"],
    }  # fmt: skip
    assert told["heard"] == ["Mara"]
    batch = load_manifest(tmp_path / "film.yaml")
    assert [shot.sequence for shot in batch.shots] == ["", "Act-two", "Act-two", "Act-two"]
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
        f"TODO: Night. A lantern burns. The door opens. {at_house} With Ilo, {looks}. {style}",
    )
    left = "prompt contains what looks like a placeholder, TODO: fill it in, or remove it; it would be sent unchanged"
    assert [each.message.partition("; if this")[0] for each in batch.warnings] == [left] * 10
    assert call(["init", "--from", str(tmp_path / "film.fountain")]) == 2
    assert "film.yaml already exists" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("heading", "place"),
    [
        ("INT./EXT. BOAT - DAY", ("", "BOAT", "DAY")),
        ("EXT/INT CAR - NIGHT", ("", "CAR", "NIGHT")),
        ("I/E. CAR", ("", "CAR", "")),
        ("EST. CITY - NIGHT", ("", "CITY", "NIGHT")),
    ],
)
def test_a_heading_names_its_place(heading: str, place: tuple[str, str, str]) -> None:
    assert read_fountain(f"{heading}\n\nGo.\n").scenes[0].place == place


@pytest.mark.parametrize(
    ("cue", "is_seen"),
    [("ANA (V.O.)", False), ("ANA (O.S.)", False), ("ANA (on radio, V.O.)", False), ("ANA (OFF)", False), ("ANA (CONT'D)", True), ("ANA (OFFICER)", True)],
)  # fmt: skip
def test_who_is_only_heard_is_not_in_the_cast_of_the_scene(cue: str, is_seen: bool) -> None:
    assert bool(read_fountain(f"INT. BAR\n\n{cue}\nYes.\n").scenes[0].cast) == is_seen


def test_synopses_and_lower_sections_are_notes_and_braces_are_meant(tmp_path: Path) -> None:
    play = "# One\n= The first.\n\n## Arrival\n\nINT. BAR\n= She waits.\n\nA {red} coat.\n\n===\n\n# Two\n\n# One\n\nEXT. BAR\n"
    (tmp_path / "film.fountain").write_text(play)
    made = write_manifest_of(tmp_path / "film.fountain")
    assert [(each["id"], each.get("notes")) for each in made.found.sequences] == [
        ("One", "The first."),
        ("One-2", None),
    ]
    assert [scene.get("notes") for scene in made.found.all_scenes] == ["Arrival; She waits.", None]
    assert {each.message.split(":")[0] for each in load_manifest(made.path).warnings} == {
        "prompt contains what looks like a placeholder, TODO"
    }


@pytest.mark.long
@pytest.mark.parametrize("command", [["plan"], ["run", "--sandbox", "--yes"]])
def test_what_is_still_to_be_written_is_a_problem_for_a_plan_and_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "version: 1\nstyle: 'TODO: ink'\nshots:\n  - {id: a, prompt: 'A TODO. {style}'}\n"
    Path("film.yaml").write_text(text)
    assert (call(["validate", "film.yaml"]), call([*command, "film.yaml"])) == (0, 2)
    told = "".join(capsys.readouterr())
    assert ("film.yaml:2:8 prompt contains" in told, "film.yaml:4:21 prompt contains" in told) == (True, True)
    Path("film.yaml").write_text(text.replace("prompt:", "allow: [placeholder], prompt:"))
    assert call(["plan", "film.yaml", "--sandbox"]) == 0


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


@pytest.mark.long
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
