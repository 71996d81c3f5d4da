"""Joins by continuity: what the cut and its exports say of clips that begin with a frame of the clip before them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.chained_folders import make_chain
from wanbatch.batch.frames import Edge
from wanbatch.batch.selection import Selection
from wanbatch.cli import call
from wanbatch.cut.assembly import assemble
from wanbatch.cut.export import EditFormat, export
from wanbatch.cut.timeline import Join

FORK = {"a": "", "b": "a:last", "c": "b:500ms", "d": "a:last", "e": ""}


def joins(output: Path, wanted: Selection | None = None) -> dict[str, Join | None]:
    timeline = assemble(output) if wanted is None else assemble(output, wanted)
    return {piece.label: piece.join for piece in timeline.pieces}


def test_only_a_clip_behind_the_one_whose_last_frame_it_begins_with_is_joined(tmp_path: Path) -> None:
    assert joins(make_chain(tmp_path, FORK)) == {
        "a_t1": None,
        "b_t1": Join("a_t1", Edge.LAST, 31.5),
        "c_t1": None,  # from the middle of b
        "d_t1": None,  # behind c, not behind a
        "e_t1": None,
    }


def test_a_clip_that_begins_as_the_one_before_it_begins_is_not_joined(tmp_path: Path) -> None:
    assert joins(make_chain(tmp_path, {"a": "", "b": "a:first"})) == {"a_t1": None, "b_t1": None}


def test_a_clip_is_joined_to_one_that_was_given_its_first_frame_to_end_with(tmp_path: Path) -> None:
    output = make_chain(tmp_path, {"a": ">b:first", "b": "", "c": ">e:first", "d": ">e:last", "e": ""})
    found = joins(output)
    assert found == dict.fromkeys(found) | {"b_t1": Join("a_t1", Edge.FIRST, 28.5)}  # d ends with another frame of e
    assert Join("a_t1", Edge.FIRST).text == "begins with the frame that a_t1 was given to end with"
    assert "BEGINS WITH THE FRAME THAT A_T1" in export(output, EditFormat.EDL)[0].read_text(encoding="ascii")


def test_a_shot_that_is_left_out_of_the_cut_joins_nothing(tmp_path: Path) -> None:
    output = make_chain(tmp_path, FORK)
    assert joins(output, Selection(("a", "c"), ())) == {"a_t1": None, "c_t1": None}
    assert joins(output, Selection(("a", "d"), ()))["d_t1"] == Join("a_t1", Edge.LAST, 31.5)


def test_a_jump_that_was_not_measured_is_unknown(tmp_path: Path) -> None:
    join = joins(make_chain(tmp_path, FORK, is_measured=False))["b_t1"]
    assert join == Join("a_t1", Edge.LAST, None)
    assert join.text == "continues from the last frame of a_t1"


def test_the_cut_names_its_joins(near: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = make_chain(tmp_path, FORK)
    assert call(["cut", str(output)]) == 0
    told = [line for line in capsys.readouterr().out.splitlines() if "continues from" in line]
    assert told == [
        "  b_t1 continues from the last frame of a_t1 (PSNR 31.5 dB)",
    ]
    assert call(["--json", "cut", str(output)]) == 0
    pieces = json.loads(capsys.readouterr().out)["pieces"]
    assert [each["join"] for each in pieces][:2] == [None, {"before": "a_t1", "moment": "last", "psnr_db": 31.5}]


def test_exports_have_a_marker_at_each_join(tmp_path: Path) -> None:
    otio = pytest.importorskip("opentimelineio", reason="has no wheels for this Python")
    output = make_chain(tmp_path, FORK)
    path, _ = export(output, EditFormat.OTIO)
    made = otio.adapters.read_from_file(str(path), adapter_name="otio_json")
    marks = [[(each.color, each.metadata["wanbatch"]["kind"]) for each in clip.markers] for clip in made.tracks[0]]
    assert marks == [[], [("CYAN", "continuity")], [], [], []]
    edl = export(output, EditFormat.EDL)[0].read_text(encoding="ascii")
    assert edl.count("* LOC: 01:00:01:00 CYAN    CONTINUES FROM THE LAST FRAME OF A_T1 (PSNR 31.5 DB)") == 1
