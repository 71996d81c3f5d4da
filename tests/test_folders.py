"""Folders that are links: clips and posters may lie on another disk, for every command alike; nothing else may."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cut.test_film import film
from tests.films import Reel
from tests.output_folders import make_room
from wanbatch.cli import call
from wanbatch.clock import system_now
from wanbatch.cut.export import EditFormat, EdlStyle, export
from wanbatch.cut.film import CutOptions, make_cut
from wanbatch.errors import LocalFault, StateInvalid
from wanbatch.folders import home_of, is_in, links_of, only_in, room_bytes
from wanbatch.reporting.files import write_reports
from wanbatch.session.verify import verify_output
from wanbatch.state.reader import StateReader

STORY = film(("a", "s"), ("b", "s"))
R = Reel(1)


def far_room(tmp_path: Path) -> tuple[Path, Path]:
    """An output folder whose clips and posters lie elsewhere."""
    output, far = tmp_path / "o", tmp_path / "far"
    for name in ("clips", "posters"):
        (far / name).mkdir(parents=True)
        output.mkdir(exist_ok=True)
        (output / name).symlink_to(far / name)
    make_room(output, STORY, {"a_t1": R}).state.close()
    return output, far


@pytest.mark.long
def test_every_command_follows_a_link_to_the_clips(tmp_path: Path) -> None:
    output, far = far_room(tmp_path)
    (far / "posters" / "a_t1.jpg").write_bytes(b"a poster")
    assert [check.verdict for check in verify_output(output)] == ["ok"]
    assert make_cut(output, CutOptions(reencode=True)).pieces[0].clip is not None
    with StateReader.open(output) as reader:
        files = write_reports(reader, made_at=system_now())
    page = files.storyboard.read_text(encoding="utf-8")
    assert ('clips/a_t1.mp4"' in page, 'posters/a_t1.jpg"' in page) == (True, True)
    assert "clips/a_t1.mp4" in files.takes.read_text(encoding="utf-8-sig")
    assert (far / "clips" / "a_t1.json").is_file()
    written, timeline = export(output, EditFormat.OTIO)
    assert timeline.missing[0].shot.shot_id == "b"
    assert '"target_url": "../clips/a_t1.mp4"' in written.read_text(encoding="utf-8")
    assert call(["export", str(output), "--format", "mp4"]) == 1
    assert (output / "edit" / "tagged" / "a_t1.mp4").is_file()


def nothing(output: Path) -> None:
    (output / "clips").symlink_to("nowhere")


def a_file(output: Path) -> None:
    (output / "file").write_text("")
    (output / "clips").symlink_to("file")


def itself(output: Path) -> None:
    (output / "clips").symlink_to("clips")


def inside(output: Path) -> None:
    (output / "reports").mkdir()
    (output / "clips").symlink_to("reports")


def above(output: Path) -> None:
    (output / "clips").symlink_to("..")


def reports(output: Path) -> None:
    (output.parent / "far").mkdir()
    (output / "reports").symlink_to("../far")


def edit(output: Path) -> None:
    (output.parent / "far").mkdir()
    (output / "edit").symlink_to("../far")


@pytest.mark.parametrize("link", [nothing, a_file, itself, inside, above, reports, edit])
def test_a_link_that_is_not_followed_is_refused_before_anything_is_sent(
    link: Callable[[Path], None], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    output = tmp_path / "o"
    output.mkdir()
    link(output)
    Path("small.csv").write_text("id,prompt\na,first\n")
    code = call(["run", "small.csv", "--sandbox", "-o", "o", "--yes"])
    told = capsys.readouterr().err
    assert (code, told.count("\n"), "is a link" in told, (output / "state.sqlite").exists()) == (7, 1, True, False)
    with pytest.raises(LocalFault):
        links_of(output)


def test_where_the_clips_lie_is_known_and_its_disk_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, far = far_room(tmp_path)
    free = {output: 50, (far / "clips").resolve(): 20}
    monkeypatch.setattr("wanbatch.folders.free_bytes", lambda folder: free[folder])
    assert (links_of(output), home_of(output, "reports"), room_bytes(output)) == (
        {"clips": far / "clips", "posters": far / "posters"},
        output / "reports",
        20,
    )


@pytest.mark.parametrize("has_folder", [True, False])
def test_plain_names_in_a_folder_without_links_stay_in_it(tmp_path: Path, has_folder: bool) -> None:
    if has_folder:
        (tmp_path / "clips").mkdir()
    asked = ["clips/a.mp4", "clips/../state.sqlite", "clips/..", "clips/b/c.mp4", "clips/C:x", "posters/a.mp4", "clips"]
    assert only_in(tmp_path, "clips", asked) == ["clips/a.mp4", *[None] * 6]
    assert [is_in(tmp_path, "clips", file) for file in asked] == [True, *[False] * 6]


def test_a_link_among_the_clips_leads_nowhere(tmp_path: Path) -> None:
    output, far = far_room(tmp_path)
    (tmp_path / "mine.mp4").write_bytes(b"mine")
    (far / "clips" / "x.mp4").symlink_to(tmp_path / "mine.mp4")
    (far / "clips" / "loop.mp4").symlink_to("loop.mp4")
    asked = ["clips/a_t1.mp4", "clips/x.mp4", "clips/loop.mp4", "clips/../state.sqlite", "posters/a_t1.mp4", "clips/"]
    assert [is_in(output, "clips", file) for file in asked] == [True, False, False, False, False, False]
    assert only_in(output, "clips", [*asked, None]) == ["clips/a_t1.mp4", *[None] * 6]
    (far / "clips" / "a_t1.mp4").rename(far / "clips" / "b.mp4")
    (far / "clips" / "a_t1.mp4").symlink_to(tmp_path / "mine.mp4")
    with pytest.raises(StateInvalid, match="outside"):
        verify_output(output)


# --- paths in an EDL


@pytest.mark.parametrize(
    ("style", "wanted"),
    [
        (EdlStyle.AVID, ["* FROM CLIP NAME:  a_t1", "* FROM CLIP: Film ü 1%2/clips/a_t1.mp4", "* FROM CLIP NAME:  b"]),
        (
            EdlStyle.NUCODA,
            ["* FROM CLIP NAME:  a_t1", "* FROM FILE: Film ü 1%2/clips/a_t1.mp4", "* FROM CLIP NAME:  b"],
        ),
        (EdlStyle.PREMIERE, ["* FROM CLIP NAME:  a_t1.mp4", "* FROM CLIP NAME:  b"]),
    ],
)
def test_an_edl_names_its_clips_as_the_program_reads_them(tmp_path: Path, style: EdlStyle, wanted: list[str]) -> None:
    output = tmp_path / "Film ü 1%2"
    make_room(output, STORY, {"a_t1": R}).state.close()
    lines = export(output, EditFormat.EDL, tmp_path / "x.edl", style=style)[0].read_text(encoding="utf-8").splitlines()
    reels = [line.split()[1] for line in lines if line[:3].isdigit()]
    named = "AX" if style is EdlStyle.PREMIERE else reels[0]
    assert ([line for line in lines if line.startswith("* FROM")], reels) == (wanted, [named, "BL"])


def test_a_path_with_a_line_break_stays_on_its_line(tmp_path: Path) -> None:
    output = tmp_path / "two\nlines"
    make_room(output, STORY, {"a_t1": R}).state.close()
    text = export(output, EditFormat.EDL, tmp_path / "x.edl")[0].read_text(encoding="utf-8")
    assert "* FROM CLIP: two%0Alines/clips/a_t1.mp4\n" in text


def test_links_in_a_timeline_stay_urls(tmp_path: Path) -> None:
    output = tmp_path / "Film ü"
    make_room(output, STORY, {"a_t1": R}).state.close()
    made = json.loads(export(output, EditFormat.OTIO, tmp_path / "x.otio")[0].read_text(encoding="utf-8"))
    assert "Film%20%C3%BC/clips/a_t1.mp4" in json.dumps(made)


def test_a_style_is_for_an_edl_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["export", str(tmp_path), "--format", "otio", "--style", "premiere"]) == 2
    assert "--style is for an EDL" in capsys.readouterr().err
