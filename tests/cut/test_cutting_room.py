"""Choosing, retaking, cutting and exporting from the command line, on the sandbox, as a filmmaker does in the morning."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av
import pytest

from tests.cut.test_film import ABC, R, film, room
from tests.films import Reel, read_frames
from tests.output_folders import make_room, takes_of
from tests.reporting.states import begin, shot
from wanbatch.batch.lifecycle import State
from wanbatch.batch.shots import Batch
from wanbatch.cli import call
from wanbatch.manifest import load_manifest
from wanbatch.state.file import StateFile
from wanbatch.state.reader import StateReader

MANIFEST = """version: 1
name: morning
defaults: {model: alibaba/wan2.1-t2v-turbo, resolution: 480P, takes: 2}
shots:
  - {id: a, scene: s1, prompt: first}
  - {id: b, scene: s1, prompt: moderated}
  - {id: c, scene: s2, prompt: third}
"""
FAULTS = [{"on": "submit", "do": "fail", "prompt_contains": "moderated", "message": "Content policy violation"}]


@pytest.fixture(autouse=True)
def a_folder_of_its_own(near: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AIMLAPI_API_KEY", "AIML_API_KEY", "AIMLAPI_KEY", "AIMLAPI_BASE_URL", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = call(list(arguments))
    told = capsys.readouterr()
    return int(code), told.out, told.err


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    return json.loads(said(capsys, "--json", *arguments)[1].splitlines()[-1])


def states(output: Path) -> dict[str, str]:
    return {label: take.state.value for label, take in takes_of(output).items()}


@pytest.mark.long
def test_a_morning_from_the_first_clips_to_the_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "m.yaml").write_text(MANIFEST)
    (tmp_path / "faults.json").write_text(json.dumps(FAULTS))
    sandbox = ["--sandbox", "--speed", "600", "--no-report"]
    said(capsys, "run", "m.yaml", *sandbox, "--faults", "faults.json", "--only", "[ab]", "-o", "out")
    out = tmp_path / "out"
    assert states(out) == {f"{shot}_t{number}": state for shot, state in (("a", "verified"), ("b", "failed"), ("c", "planned")) for number in (1, 2)}  # fmt: skip
    clip = (out / "clips" / "a_t1.mp4").read_bytes()

    assert said(capsys, "circle", "out", "a", "1")[0] == 0
    code, _, _ = said(capsys, "retake", "out", "a", "b", "--note", "again", "--speed", "600")
    assert states(out) == {
        "a_t1": "verified", "a_t2": "verified", "a_t3": "verified", "b_t1": "failed", "b_t2": "failed", "b_t3": "verified",
        "c_t1": "planned", "c_t2": "planned",
    }  # fmt: skip
    assert (code, takes_of(out)["b_t3"].note, (out / "clips" / "a_t1.mp4").read_bytes() == clip) == (1, "again", True)

    plan = told(capsys, "plan", "m.yaml", "-o", "out", "--sandbox", "--offline")
    assert plan["counts"] == {"new": 2, "done": 4, "failed": 1, "stale": 1}
    made = told(capsys, "cut", "out")
    assert [(piece["shot"], piece["take"]) for piece in made["pieces"]] == [("a", 1), ("b", 3), ("c", None)]
    assert (made["missing"], [scene["title"] for scene in made["scenes"]]) == (
        [{"shot": "c", "note": "not made yet"}],
        ["s1", "s2"],
    )
    assert Path(made["file"]).stat().st_size > 10_000

    code, _, _ = said(capsys, "run", "m.yaml", *sandbox, "-o", "out")
    assert (code, states(out)["c_t1"], len(states(out))) == (1, "verified", 8)
    with StateReader.open(out) as reader:
        assert all(
            len(reader.attempts_of(take.take_id)) == 1 for take in reader.takes() if take.state is State.VERIFIED
        )
    code, words, _ = said(capsys, "cut", "out")
    assert (code, "3 clips in 2 scenes" in words, "missing" in words) == (0, True, False)


def folder(tmp_path: Path, batch: Batch = ABC) -> Path:
    make_room(tmp_path / "o", batch, {"a_t1": R, "c_t1": Reel(3)}).state.close()
    return tmp_path / "o"


@pytest.mark.long
def test_circles_are_written_in_every_way_that_pages_and_people_write_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, money = str(folder(tmp_path)), "  charged for the cut 0.00 USD (as before), outside it 0.00 USD (as before)\n"
    assert said(capsys, "circle", out, "a", "1")[:2] == (0, "a_t1 is circled\n" + money)
    assert said(capsys, "circle", out, "a:1", "c:t1")[:2] == (0, "c_t1 is circled\n" + money)
    assert said(capsys, "circle", out, "a:1")[:2] == (0, "nothing to change: the circles are already set that way\n")
    assert told(capsys, "circle", "--clear", out, "a") == {
        "output": out,
        "changed": [{"shot": "a", "take": 1, "circled": False}],
    }
    (tmp_path / "outputs").mkdir()
    (tmp_path / "o").rename(tmp_path / "outputs" / "o")
    assert said(capsys, "circle", "a:1")[:2] == (0, "a_t1 is circled\n" + money)


def test_a_circle_says_what_it_changes_in_money(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, pen = str(tmp_path / "o"), begin(tmp_path / "o", Batch("b", (shot("s1", 0, takes=2),)))
    for take, charged in zip(pen.state.takes(), (1_000_000, 4_000_000), strict=True):
        pen.lead(take.take_id, State.VERIFIED, label=take.label, charged=charged)
    pen.state.close()
    now = "  charged for the cut 0.50 USD (before: 2.00 USD), outside it 2.00 USD (before: 0.50 USD)\n"
    assert said(capsys, "circle", out, "s1", "1")[:2] == (0, "s1_t1 is circled\n" + now)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("circle", "RUN"), "write SHOT TAKE"),
        (("circle", "RUN", "a"), "write SHOT TAKE"),
        (("circle", "RUN", "a:1", "c"), "write SHOT TAKE"),
        (("circle", "RUN", "a", "0"), "write SHOT TAKE"),
        (("circle", "RUN", "a", "7"), "a has no take 7; its takes are: 1"),
        (("circle", "RUN", "b:1"), "b_t1 is planned: only a verified take"),
        (("circle", "RUN", "--clear"), "name at least one shot"),
        (("circle", "nowhere/x", "a:1"), "nowhere/x has no state.sqlite"),
        (("circle", "a:1"), "no output folder under outputs/"),
        (("retake", "RUN"), "name at least one shot"),
        (("retake", "RUN", "a", "--only", "b"), "name the shots themselves"),
        (("retake", "RUN", "x", "--later"), "there is no shot 'x'"),
        (("cut", "RUN", "--only", "b"), "nothing to cut"),
        (("cut", "RUN", "-o", "clips.mov"), "a name that ends in .mp4"),
        (("export", "RUN", "--format", "otio", "--only", "nothing"), "no shot of the story matches --only"),
    ],
)
def test_a_word_that_cannot_be_meant_is_refused_with_what_to_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    out = str(folder(tmp_path))
    code, _, error = said(capsys, *(out if each == "RUN" else each for each in arguments))
    assert (code, words in error) == (2, True), error


def test_nothing_is_circled_or_planned_while_a_run_holds_the_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = folder(tmp_path)
    with StateReader.open(out) as reader:
        identity = reader.identity()
    state = StateFile.create_or_open(out, identity)
    try:
        codes = [said(capsys, "circle", str(out), "a:1")[0], said(capsys, "retake", str(out), "a", "--later")[0]]
        assert (codes, said(capsys, "cut", str(out))[0]) == ([6, 6], 1)
    finally:
        state.close()


def test_a_retake_for_later_waits_for_the_next_run_and_survives_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = folder(tmp_path)
    code, words, _ = said(capsys, "retake", str(out), "a", "--later", "--takes", "2", "--seed", "5")
    assert (code, words) == (0, "planned a_t2, a_t3: the next `wanbatch run` of the manifest buys them\n")
    waiting = takes_of(out)["a_t3"]
    assert (waiting.state, waiting.is_retake, waiting.recipe.body["seed"]) == (State.PLANNED, True, 6)


def test_a_retake_waits_until_something_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m.yaml").write_text(MANIFEST)
    batch = load_manifest(tmp_path / "m.yaml")
    pen = make_room(tmp_path / "o", batch, {"a_t1": R}, base_url="this machine")
    pen.state.close()
    monkeypatch.setenv("AIMLAPI_BASE_URL", "http://127.0.0.1:9")  # nobody listens there
    code, _, error = said(capsys, "retake", str(tmp_path / "o"), "a", "--new-key")
    assert (
        code,
        "nothing answers at http://127.0.0.1:9. Nothing was sent" in error,
        "a_t3" in takes_of(tmp_path / "o"),
    ) == (
        8,
        True,
        False,
    ), error


@pytest.mark.long
def test_quiet_says_nothing_and_the_exit_code_tells_of_missing_shots(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(folder(tmp_path))
    assert said(capsys, "-q", "cut", out) == (1, "", "")
    assert said(capsys, "-q", "cut", out, "--only", "[ac]") == (0, "", "")
    assert len(read_frames(Path(out) / "cut.mp4")) == 60
    assert said(capsys, "export", out, "--format", "edl")[0] == 1


def test_the_cut_counts_no_scenes_where_no_shot_has_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = room(tmp_path / "o", film(("a", ""), ("b", "")), a=R, b=R)
    code, words, _ = said(capsys, "cut", str(out))
    assert (code, "\n  2 clips; " in words) == (0, True)


def test_the_cut_says_what_is_in_it_and_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder(tmp_path)
    code, words, error = said(capsys, "cut", str(out))
    assert (code, error) == (1, "")
    assert (
        words
        == f"{out}/cut.mp4\n  2 clips and 1 slate in 2 scenes; 3.0 s, 90 frames; 128x96, 30 fps, sound\n  missing: b, not made yet\n"
    )


@pytest.mark.long
def test_a_cut_that_is_encoded_shows_how_far_it_is_and_keeps_its_sound(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = room(tmp_path, ABC, a=Reel(1, frames=40), b=Reel(2, width=112), c=Reel(3))
    code, _, err = said(capsys, "cut", str(output), "--reencode")
    shares = [int(line.split()[0]) for line in err.splitlines() if " % " in line]
    assert (code, shares[-1], len(shares), shares) == (0, 100, 10, sorted(shares))
    with av.open(str(output / "cut.mp4")) as container:
        sound = container.streams.audio[0]
        assert (float(sound.duration * sound.time_base), sound.rate) == (pytest.approx(100 / 30, abs=0.05), 48_000)
    _, _, quiet = said(capsys, "cut", str(output), "--only", "a")
    assert quiet == ""
