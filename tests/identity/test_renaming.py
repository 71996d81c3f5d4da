"""Shots that are renamed: which takes go on under the new names, by flag or by a word at the terminal."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

import pytest

import wanbatch
from tests.identity.folders import (
    RENUMBERED,
    RIDGE,
    SANDBOX,
    Tell,
    bought,
    digest,
    takes_in,
    write,
)
from tests.reporting.states import Pen
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.cli import call
from wanbatch.manifest import load_manifest
from wanbatch.session.options import RunOptions
from wanbatch.state.file import StateFile
from wanbatch.state.reader import StateReader

pytestmark = pytest.mark.usefixtures("no_settings_from_outside")


def test_renumbered_shots_are_named_and_never_bought_by_yes_alone(say: Tell) -> None:
    path = write("ridge.csv", RIDGE)
    output = bought(path, Path("outputs/ridge"))
    path.write_text(RENUMBERED)
    before = digest(output)
    planned, ran = say("plan", "ridge.csv", "--sandbox", "--offline"), say("run", "ridge.csv", *SANDBOX)
    facts = (
        "3 takes that this run would buy already exist in outputs/ridge under another id: 10_t1 exists as sh010_t1",
        "wanbatch run ridge.csv --sandbox --take-over",
        "wanbatch run ridge.csv --sandbox --rename sh010=10",
        "wanbatch run ridge.csv --sandbox --buy-again",
    )
    assert [(code, [fact for fact in facts if fact not in told]) for code, told in (planned, ran)] == [(2, []), (2, [])]
    assert "wanbatch: wanbatch" not in planned[1] + ran[1]
    assert digest(output) == before


@pytest.mark.long
def test_what_is_to_be_bought_again_is_asked_once_however_long_it_takes(say: Tell) -> None:
    path = write("ridge.csv", RIDGE)
    bought(path, Path("outputs/ridge"))
    path.write_text(RENUMBERED)
    assert "10_t1 verified" in say("run", "ridge.csv", *SANDBOX, "--buy-again", "--limit", "1")[1]
    code, told = say("plan", "ridge.csv", "--sandbox", "--offline")
    assert (code, "under another id" in told, "2 new" in told) == (0, False, True)


@pytest.mark.long
def test_what_was_planned_beside_its_clip_is_asked_about_once_the_old_id_is_gone(say: Tell) -> None:
    path = write("ridge.csv", RIDGE)
    bought(path, Path("outputs/ridge"))
    both = RIDGE + "sh040,Snow begins to fall,two\nsh050,A boat,two\n"
    path.write_text(both)
    assert "sh050_t1 verified" in say("run", "ridge.csv", *SANDBOX, "--only", "sh050")[1]
    path.write_text(both.replace("sh020,Snow begins to fall,one\n", ""))
    code, told = say("run", "ridge.csv", *SANDBOX)
    assert (code, "sh040_t1 exists as sh020_t1" in told) == (2, True)


@pytest.mark.long
def test_a_takeover_keeps_clips_sidecars_circles_and_buys_nothing(say: Tell) -> None:
    path = write("ridge.csv", RIDGE)
    output = bought(path, Path("outputs/ridge"))
    call(["circle", str(output), "sh020:1"])
    path.write_text(RENUMBERED)
    code, told = say("run", "ridge.csv", *SANDBOX, "--take-over")
    assert (code, "3 takes are reused under a new id: 10_t1 was sh010_t1 until now" in told) == (0, True)
    takes = takes_in(output)
    assert [(take.label, take.file, take.circled, take.superseded) for take in takes] == [
        ("10_t1", "clips/sh010_t1.mp4", False, False),
        ("20_t1", "clips/sh020_t1.mp4", True, False),
        ("30_t1", "clips/sh030_t1.mp4", False, False),
    ]
    sidecar = json.loads((output / "clips" / "sh020_t1.json").read_text())
    rows = (output / "reports" / "takes.csv").read_text().splitlines()
    sheet = (output / "storyboard.html").read_text()
    assert (sidecar["shot_id"], sidecar["circled"]) == ("20", True)
    assert [row.split(",")[0].lstrip("\ufeff") for row in rows] == ["shot_id", "10", "20", "30"]
    assert [f"posters/sh0{number}_t1.jpg" in sheet for number in (10, 20, 30)] == [True] * 3
    assert say("run", "ridge.csv", *SANDBOX)[0] == 0  # nothing is asked any more
    with StateReader.open(output) as reader:
        assert [row.shot_id for row in reader.shots()] == ["10", "20", "30"]


@pytest.mark.long
def test_a_renaming_by_hand_resumes_with_the_same_command(say: Tell) -> None:
    path = write("ridge.csv", RIDGE)
    output = bought(path, Path("outputs/ridge"))
    path.write_text(RENUMBERED)
    flags = ("--rename", "sh010=10", "--rename", "sh020=20", "--rename", "sh030=30")
    assert [say("run", "ridge.csv", *SANDBOX, *flags)[0] for _ in range(2)] == [0, 0]
    assert [take.label for take in takes_in(output)] == ["10_t1", "20_t1", "30_t1"]


@pytest.mark.parametrize(
    ("flag", "problem"),
    [
        ("sh010", "'sh010' is not OLD=NEW"),
        ("x=10", "no take of a shot 'x'"),
        ("sh010=x", "the manifest has no shot 'x'"),
    ],
)
def test_a_renaming_that_cannot_be_is_wrong_usage(flag: str, problem: str, say: Tell) -> None:
    path = write("ridge.csv", RIDGE)
    bought(path, Path("outputs/ridge"))
    path.write_text(RENUMBERED)
    code, told = say("run", "ridge.csv", *SANDBOX, "--rename", flag)
    assert (code, problem in told) == (2, True)


def test_one_recipe_that_could_be_of_several_shots_is_left_to_the_user(say: Tell) -> None:
    path = write("dark.csv", "id,prompt\na,Black\nb,Black\n")
    bought(path, Path("outputs/dark"))
    path.write_text("id,prompt\nc,Black\n")
    code, told = say("run", "dark.csv", *SANDBOX, "--take-over")
    assert (code, "c_t1 could be any of a_t1, b_t1" in told, "--rename a=c" in told) == (2, True, True)
    assert say("run", "dark.csv", *SANDBOX, "--rename", "b=c")[0] == 0


OLD_PART, OLD_CLIP, NEW_PART = "sh010_t1.mp4.part", "sh010_t1.mp4", "10_t1.mp4.part"


@pytest.mark.parametrize(
    ("found", "left"),
    [
        ({OLD_PART: b"the clip"}, {NEW_PART: b"the clip"}),
        ({OLD_CLIP: b"the clip"}, {NEW_PART: b"the clip"}),  # it died before the name was recorded
        ({OLD_CLIP: b"the clip", OLD_PART: b"the c"}, {NEW_PART: b"the clip"}),
        ({OLD_CLIP: b"of others", OLD_PART: b"the clip"}, {NEW_PART: b"the clip", OLD_CLIP: b"of others"}),
        ({}, {}),
    ],
)
def test_bytes_whose_file_is_not_recorded_yet_go_with_their_take(
    found: dict[str, bytes], left: dict[str, bytes]
) -> None:
    output, clips = _downloaded_and_renamed()
    for name, data in found.items():
        (clips / name).write_bytes(data)
    _taken_over(output)
    assert [take.label for take in takes_in(output)] == ["10_t1"]
    assert {each.name: each.read_bytes() for each in clips.glob("*.mp4*")} == left


def test_a_clip_that_has_both_its_names_goes_with_its_take_and_leaves_neither() -> None:
    output, clips = _downloaded_and_renamed()
    (clips / OLD_PART).write_bytes(b"the clip")
    (clips / OLD_CLIP).hardlink_to(clips / OLD_PART)
    _taken_over(output)
    assert {each.name: each.read_bytes() for each in clips.glob("*.mp4*")} == {NEW_PART: b"the clip"}


def _downloaded_and_renamed() -> tuple[Path, Path]:
    """Return an output folder with a take whose clip is on disk and not recorded, and its folder of clips."""
    path = write("ridge.csv", RIDGE.split("sh020", maxsplit=1)[0])
    output = bought(path, Path("outputs/ridge"), state=State.COMPLETED)
    told = {"size_bytes": 8, "clip_duration_s": 5.0, "width": 1280, "height": 720, "has_audio": True, "download_s": 1.5}
    with _opened(output) as (state, last):
        Pen(state, last).tell(1, Fact.DOWNLOADED, sha256=hashlib.sha256(b"the clip").hexdigest(), **told)
    path.write_text(RENUMBERED.split("20,")[0])
    (output / "clips").mkdir(exist_ok=True)
    return output, output / "clips"


def _taken_over(output: Path) -> None:
    from wanbatch.provider.endpoint import load_settings
    from wanbatch.session.access import Access
    from wanbatch.session.admission import admit, carry

    access = Access(load_settings({}, None, Path.cwd()), is_embedded=True)
    with _opened(output) as (state, last):
        admission = admit(load_manifest("ridge.csv"), output, state, RunOptions(take_over=True), access)
        carry(state, admission, last, "")


@contextmanager
def _opened(output: Path) -> Iterator[tuple[StateFile, datetime]]:
    """Open a state file to write to it; yields the time of its last fact, too."""
    with StateReader.open(output) as reader:
        identity, last = reader.identity(), reader.last_fact_at()
    assert last is not None
    with closing(StateFile.create_or_open(output, identity)) as state:
        yield state, last


def test_a_take_on_its_way_is_taken_over_and_goes_on_under_its_new_name() -> None:
    path = write("ridge.csv", RIDGE)
    output = bought(path, Path("outputs/ridge"), state=State.GENERATING)
    path.write_text(RENUMBERED)
    plan = wanbatch.plan(path, RunOptions(sandbox=True, take_over=True), offline=True)
    assert ([each.kind.value for each in plan.questions], plan.counts, plan.takes) == (
        ["taken"],
        {"in progress": 3},
        (),
    )
    assert takes_in(output)[0].label == "sh010_t1"  # a plan writes nothing


def test_the_state_file_holds_a_renaming_as_a_fact() -> None:
    path = write("ridge.csv", RIDGE)
    output = bought(path, Path("outputs/ridge"))
    path.write_text(RENUMBERED)
    call(["run", "ridge.csv", *SANDBOX, "--take-over"])
    with StateReader.open(output) as reader:
        told = [(take_id, entry.data) for take_id, entry in reader.entries(Fact.RENAMED)]
    assert told[0] == (1, {"shot_id": "10", "number": 1, "was_shot_id": "sh010", "was_number": 1})
    with closing(sqlite3.connect(output / "state.sqlite")) as file:
        file.execute("UPDATE takes SET shot_id = 'sh010' WHERE take_id = 1")
        file.commit()
    with StateReader.open(output) as reader, pytest.raises(wanbatch.StateInvalid, match="contradicts its facts"):
        reader.check()
