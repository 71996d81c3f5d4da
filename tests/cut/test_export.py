"""Exports, read back by the libraries' own readers."""

from __future__ import annotations

import builtins
import csv
import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tests.cut.test_film import ABC, NTSC, R, film, room
from tests.films import Reel
from tests.output_folders import make_room, takes_of
from wanbatch.batch.choice import Choice
from wanbatch.batch.lifecycle import Fact
from wanbatch.batch.plan import make_plan
from wanbatch.batch.shots import Batch
from wanbatch.cut.export import EditFormat, export, plain_names, reel_names
from wanbatch.cut.timeline import ClipFormat, Measured, lay_out
from wanbatch.errors import LocalFault, UsageInvalid
from wanbatch.session.circles_and_retakes import Pick, mark

otio = pytest.importorskip("opentimelineio", reason="has no wheels for this Python")


def written(output: Path, how: str, **more: Any) -> tuple[Path, Any]:
    path, timeline = export(output, EditFormat(how), **more)
    rate = {"rate": float(timeline.format.fps)} if how == "edl" else {}
    adapter = "cmx_3600" if how == "edl" else "otio_json"
    return path, otio.adapters.read_from_file(str(path), adapter_name=adapter, **rate)


def seconds(item: Any) -> float:
    return item.duration().to_seconds()


def noted(batch: Batch, **notes: str) -> Batch:
    return replace(batch, shots=tuple(replace(shot, notes=notes.get(shot.id, "")) for shot in batch.shots))


def test_a_timeline_has_clips_with_how_each_was_made_and_gaps_for_holes(tmp_path: Path) -> None:
    output = room(tmp_path, ABC, a=Reel(1, frames=41), c=Reel(3, sound_s=None))
    path, made = written(output, "otio")
    take = takes_of(output)["a_t1"]
    pictures, sound = made.tracks
    assert (path, made.name) == (output / "edit" / "cut.otio", "dragon-pass (SANDBOX)")
    assert [(type(each).__name__, each.name, each.duration().value) for each in pictures] == [
        ("Clip", "a_t1", 41),
        ("Gap", "b", 30),
        ("Clip", "c_t1", 30),
    ]
    assert [type(each).__name__ for each in sound] == ["Clip", "Gap", "Gap"]
    facts = dict(pictures[0].metadata["wanbatch"])
    assert {name: facts[name] for name in ("seed", "generation_id", "sha256", "credits_held", "credits_charged")} == {
        "seed": take.recipe.body["seed"],
        "generation_id": take.generation_id,
        "sha256": take.sha256,
        "credits_held": take.credits_held,
        "credits_charged": None,
    }
    assert dict(facts["recipe"]) == take.recipe.body


def test_what_is_noted_and_warned_of_stands_as_markers(tmp_path: Path) -> None:
    pen = make_room(tmp_path, noted(ABC, a="music ends", b="pick up"), {"a_t1": R, "c_t1": Reel(3)}, failed=("b_t1",))
    pen.tell(1, Fact.WARNED, warning="shorter than ordered")
    pen.state.close()
    _, made = written(tmp_path, "otio")
    told = [[(mark.name, mark.color) for mark in each.markers] for each in made.tracks[0]]
    assert told == [
        [("music ends", "GREEN"), ("shorter than ordered", "YELLOW")],
        [("b is missing: failed: the prompt was moderated", "RED"), ("pick up", "GREEN")],
        [],
    ]
    assert [(mark.name, mark.marked_range.start_time.value) for mark in made.tracks.markers] == [("s1", 0), ("s2", 60)]


def test_columns_of_ones_own_come_through(tmp_path: Path) -> None:
    cells = {"x_camera": "dolly in, größer", "x_scene": "taken", "x_lens": ""}
    output = room(tmp_path, replace(ABC, shots=tuple(replace(shot, own=cells) for shot in ABC.shots)), a=R)
    _, made = written(output, "otio")
    edl = written(output, "edl")[0].read_text(encoding="ascii")
    told = [[mark.name for mark in each.markers][-1] for each in made.tracks[0]]
    assert (
        told,
        dict(made.tracks[0][0].metadata["wanbatch"]["own"]),
        edl.count("CAMERA: dolly in, gro?er\n"),
        edl.count("taken"),
    ) == (
        ["camera: dolly in, größer; scene: taken"] * 3,
        {"camera": "dolly in, größer", "scene": "taken"},
        3,
        0,
    )


@pytest.mark.parametrize("how", ["otio", "edl"])
def test_clips_are_linked_from_the_file_so_that_a_moved_folder_links_again(tmp_path: Path, how: str) -> None:
    old, new = tmp_path / "old place", tmp_path / "new"
    path, _ = written(room(old, ABC, a=R), how)
    old.rename(new)
    moved = new / path.relative_to(old)
    rate = {"rate": 30} if how == "edl" else {}
    made = otio.adapters.read_from_file(str(moved), adapter_name="cmx_3600" if how == "edl" else "otio_json", **rate)
    clip = made.find_clips()[0]
    assert (moved.parent / unquote(clip.media_reference.target_url)).resolve() == new / "clips" / "a_t1.mp4"


def test_a_file_elsewhere_links_to_the_clips_too(tmp_path: Path) -> None:
    output = room(tmp_path / "o", ABC, a=R)
    path, made = written(output, "otio", target=tmp_path / "deep" / "er" / "x.otio")
    url = made.find_clips()[0].media_reference.target_url
    assert (path.parent / url).resolve() == output / "clips" / "a_t1.mp4"


def test_an_edl_is_read_back_as_it_was_meant(tmp_path: Path) -> None:
    output = room(
        tmp_path, film(("sc010_sh010", "s"), ("sc010_sh020", "s"), ("sc010_sh030", "s")), sc010_sh010=Reel(1, frames=41)
    )
    path, made = written(output, "edl")
    text = path.read_text(encoding="ascii")
    assert text.startswith(
        "TITLE: dragon-pass (SANDBOX)\nFCM: NON-DROP FRAME\n\n001  010010T1 V     C        00:00:00:00 00:00:01:11 01:00:00:00 01:00:01:11\n"
    )
    assert "* LOC: 01:00:01:11 RED     SC010_SH020 IS MISSING: NOT MADE YET\n" in text
    assert "\n003  BL       V     C        00:00:00:00 00:00:01:00 01:00:02:11 01:00:03:11\n" in text
    clip, *holes = made.find_clips()
    assert (clip.name, clip.metadata["cmx_3600"]["reel"], clip.source_range.duration.value) == (
        "sc010_sh010_t1",
        "010010T1",
        41,
    )
    assert [(each.name, each.media_reference.generator_kind, seconds(each)) for each in holes] == [
        ("sc010_sh020", "black", 1.0),
        ("sc010_sh030", "black", 1.0),
    ]
    assert any(comment.startswith("SEED: ") for comment in clip.metadata["cmx_3600"]["comments"])
    assert holes[0].markers[0].name == "SC010_SH020 IS MISSING: NOT MADE YET"


def test_at_a_broken_rate_timecode_drops_frames_and_stays_with_the_clock(tmp_path: Path) -> None:
    names = [f"s{number}" for number in range(3)]
    output = room(
        tmp_path,
        film(*((name, "") for name in names)),
        **{name: Reel(7, fps=NTSC, frames=60, sound_s=None) for name in names},
    )
    path, made = written(output, "edl")
    assert path.read_text(encoding="ascii").splitlines()[1:4] == [
        "FCM: DROP FRAME",
        "",
        "001  0T1      V     C        00:00:00;00 00:00:02;00 01:00:00;00 01:00:02;00",
    ]
    assert [each.source_range.duration.value for each in made.find_clips()] == [60, 60, 60]


def laid(labels: Sequence[str], fps: Fraction) -> Any:
    like = ClipFormat("h264", 64, 64, fps, "yuv420p", Fraction(1), b"")
    story = make_plan(Batch("b", film(*((label, "") for label in labels)).shots), []).shots
    from tests.batch.test_choice import take

    takes = [take(1, shot_id=row.shot_id, file="clips/x.mp4") for row in story]
    choices = [
        Choice(row, replace(each, take_id=at), 5) for at, (row, each) in enumerate(zip(story, takes, strict=True))
    ]
    return lay_out("b", choices, {at: Measured(like, 30, 0, None, 0) for at in range(len(labels))})


@pytest.mark.parametrize(
    ("count", "fps", "words"),
    [
        (1, Fraction(16), "there is no timecode for 16 frames a second"),
        (1000, Fraction(30), "holds 999 events; this cut has 1000"),
    ],
)
def test_what_an_edl_cannot_say_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, fps: Fraction, words: str
) -> None:
    made = laid([f"s{number:04}" for number in range(count)], fps)
    monkeypatch.setattr("wanbatch.cut.export.assemble", lambda *_: made)
    with pytest.raises(UsageInvalid, match=words):
        export(tmp_path, EditFormat.EDL)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_an_edl_of_999_events_is_written_with_a_reel_name_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = laid([f"s{number:04}" for number in range(999)], Fraction(25))
    monkeypatch.setattr("wanbatch.cut.export.assemble", lambda *_: made)
    path, _ = export(tmp_path, EditFormat.EDL)
    reels = re.findall(r"^[0-9]{3}  ([0-9A-Z]{1,8}) +V", path.read_text(encoding="ascii"), re.MULTILINE)
    assert (len(reels), len(set(reels))) == (999, 999)


def test_clips_of_several_rates_are_for_timelines_not_for_an_edl(tmp_path: Path) -> None:
    output = room(tmp_path, ABC, a=R, b=Reel(2, fps=Fraction(15), frames=15), c=Reel(3))
    with pytest.raises(UsageInvalid, match=r"b_t1 is not at 30 fps\. .*name the shots to keep with --only"):
        written(output, "edl")
    _, made = written(output, "otio")
    assert [seconds(each) for each in made.tracks[0]] == [1.0, 1.0, 1.0]
    assert made.tracks[0][1].source_range.duration.rate == 15


@pytest.mark.parametrize(
    "labels",
    [
        ["sc010_sh020_t1", "sc010_sh020_t2", "sc010_sh030_t1"],
        ["a10_sh1_t1", "b10_sh1_t1"],
        ["dragon_t1", "dräche_t1", "龍_t1", ""],
        ["sc0100_sh02000_t1", "sc0100_sh02000_t12"],
        ["1_23_t1", "12_3_t1"],
        ["_t", "_t1", "x_t²", "BL", "AX"],
    ],
)
def test_reel_names_are_short_plain_and_each_their_own(labels: list[str]) -> None:
    reels = reel_names(labels)
    assert list(reels) == labels
    assert len(set(reels.values())) == len(labels)
    assert all(re.fullmatch(r"[0-9A-Z]{1,8}", reel) and reel not in ("BL", "AX") for reel in reels.values())
    assert reel_names(["sc010_sh020_t1"]) == {"sc010_sh020_t1": "010020T1"}


def test_odd_characters_make_neither_lines_nor_letters_that_an_edl_has_not(tmp_path: Path) -> None:
    batch = noted(replace(ABC, name="dräche\n002  X"), a="Schluß:\n* LOC: x\r\n龍" + "y" * 500)
    pen = make_room(tmp_path, batch, {"a_t1": R})
    pen.state.close()
    path, made = written(tmp_path, "edl")
    lines = path.read_bytes().decode("ascii").splitlines()
    assert lines[0] == "TITLE: drache 002 X (SANDBOX)"
    assert max(map(len, lines)) < 260
    assert len(made.find_clips()) == 3


def test_a_circle_is_seen_by_the_cut_the_export_and_the_reports(tmp_path: Path) -> None:
    batch = replace(ABC, shots=tuple(replace(shot, takes=2) for shot in ABC.shots))
    make_room(tmp_path, batch, {"a_t1": R, "a_t2": Reel(2)}).state.close()
    assert [clip.name for clip in written(tmp_path, "otio")[1].find_clips()][:1] == ["a_t2"]
    mark(tmp_path, [Pick("a", 1)])
    _, made = written(tmp_path, "otio")
    clip = made.find_clips()[0]
    assert (clip.name, clip.metadata["wanbatch"]["circled"], takes_of(tmp_path)["a_t1"].circled) == ("a_t1", True, True)
    with (tmp_path / "reports" / "takes.csv").open(encoding="utf-8", newline="") as file:
        row = next(csv.DictReader(file))
    assert (row["circled"], row["take_note"]) == ("true", "")


@pytest.mark.parametrize("how", ["otio", "edl"])
def test_the_same_cut_gives_the_same_file(tmp_path: Path, how: str) -> None:
    output = room(tmp_path, ABC, a=R, c=Reel(3))
    first = written(output, how)[0].read_bytes()
    assert written(output, how)[0].read_bytes() == first


def test_without_the_library_it_is_said_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "opentimelineio":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageInvalid, match=r"pip install 'wanbatch\[edit\]'"):
        export(tmp_path, EditFormat.OTIO)


def test_an_export_goes_to_a_file_of_its_kind_and_a_disk_that_fails_is_told(tmp_path: Path) -> None:
    output = room(tmp_path / "o", ABC, a=R)
    with pytest.raises(UsageInvalid, match=r"a name that ends in \.edl"):
        export(output, EditFormat.EDL, tmp_path / "x.otio")
    (tmp_path / "file").write_text("")
    with pytest.raises(LocalFault, match="cannot write"):
        export(output, EditFormat.EDL, tmp_path / "file" / "x.edl")


def test_labels_in_any_script_have_names_in_ascii_each_their_own() -> None:
    labels = ["sc010_sh020_t1", "ce_t1", "çé_t1", "第一場_t1", "第二場_t1", "🐈_t12", "é", "first_第_t1"]
    names = plain_names(labels)
    assert all(name.isascii() and "?" not in name for name in names.values())
    assert (len(set(names.values())), names["sc010_sh020_t1"], names["ce_t1"], names["é"]) == (
        8,
        "sc010_sh020_t1",
        "ce_t1",
        "e",
    )
    assert [names[label].rpartition("_")[2] for label in ("第一場_t1", "🐈_t12", "first_第_t1")] == ["t1", "t12", "t1"]
    assert plain_names(reversed(labels)) == names
