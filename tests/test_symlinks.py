"""An output folder from somebody else: no command writes through a link that lies in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cut.test_film import ABC
from tests.films import Reel
from tests.output_folders import make_room
from wanbatch.cli import call
from wanbatch.disk import ABANDONED_S, own_folder, replace_text, replacing, sweep_parts
from wanbatch.errors import LocalFault

WORDS = "mine, and not to be touched\n"
COMMANDS = (
    ["report", "out"],
    ["cut", "out"],
    ["export", "out", "--format", "otio"],
    ["export", "out", "--format", "edl"],
    ["export", "out", "--format", "mp4"],
    ["circle", "out", "a", "1"],
    ["retake", "out", "a", "--later"],
    ["verify", "out"],
    ["status", "out"],
    ["retry", "out", "--yes"],
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every command that writes has run."""
    home = tmp_path_factory.mktemp("finished")
    pen = make_room(home / "out", ABC, {"a_t1": Reel(1), "b_t1": Reel(2), "c_t1": Reel(3)})
    pen.state.close()
    before = Path.cwd()
    os.chdir(home)
    try:
        assert [call(command) for command in COMMANDS[:5]] == [0] * 5
    finally:
        os.chdir(before)
    return home / "out"


@pytest.fixture
def folder(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    shutil.copytree(finished, tmp_path / "out", symlinks=True)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "victim").write_text(WORDS)
    yield tmp_path / "out"
    assert (tmp_path / "victim").read_text() == WORDS


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


@pytest.mark.sampled(3)
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_writes_through_a_link_in_place_of_a_file(command: list[str], folder: Path) -> None:
    wanted = {*files_in(folder), folder / ".lock", folder / ".lock.holder", folder / "run.log"}
    wanted |= {folder / f"state.sqlite{suffix}" for suffix in ("-wal", "-shm", "-journal")}
    for path in wanted - {folder / "state.sqlite"}:
        if path.suffix != ".mp4" or path.parent.name != "clips":
            path.unlink(missing_ok=True)
            path.symlink_to(folder.parent / "victim")
    code = call(command)
    assert (code, (folder.parent / "victim").read_text()) == (7, WORDS)


@pytest.mark.sampled(6)
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_writes_through_a_link_that_has_the_name_of_a_temporary_file(
    command: list[str], folder: Path
) -> None:
    for path in files_in(folder):
        for name in (f".{path.name}.part", f"{path.name}.part", f"{path.name}.tmp"):
            (path.parent / name).symlink_to(folder.parent / "victim")
    assert call(command) in (0, 1, 7)


def test_a_link_that_has_the_name_of_a_temporary_file_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "reports" / ".summary.json.part").symlink_to("/dev/full")
    code, told = call(["report", "out"]), capsys.readouterr().err
    assert (code, told.count("\n"), "out/reports/.summary.json.part is a link" in told) == (7, 1, True)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("name", ["reports", "edit", "edit/tagged", ".sandbox"])
def test_no_command_writes_into_a_linked_folder(name: str, command: list[str], folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    if (folder / name).exists():
        shutil.rmtree(folder / name)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).symlink_to(elsewhere)
    call(command)
    assert list(elsewhere.iterdir()) == []


def test_a_linked_reports_folder_is_named_and_ends_with_7(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(folder / "reports")
    (folder / "reports").symlink_to(folder.parent)
    assert (call(["report", "out"]), "out/reports is a link" in capsys.readouterr().err) == (7, True)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    target.write_text("old")
    writer = replacing(target)
    writer.__enter__().write_text("half")
    assert writer.__exit__(RuntimeError, RuntimeError("killed"), None) is not True
    assert (target.read_text(), [each.name for each in tmp_path.iterdir()]) == ("old", ["page.html"])


def test_the_new_file_takes_the_place_of_a_link(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("same")
    (tmp_path / "page.html").symlink_to(tmp_path / "victim")
    written = replace_text(tmp_path / "page.html", "same")
    assert (written, (tmp_path / "page.html").is_symlink(), (tmp_path / "victim").read_text()) == (True, False, "same")


def test_two_writers_of_one_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    with replacing(tmp_path / "page.html") as first, replacing(tmp_path / "page.html") as second:
        first.write_text("first")
        second.write_text("second")
    assert ((tmp_path / "page.html").read_text(), len(list(tmp_path.iterdir()))) == ("first", 1)


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("old")
    with pytest.raises(OSError, match="full"), replacing(tmp_path / "page.html"):
        raise OSError(28, "the disk is full")
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == {"page.html": "old"}


def test_parts_of_a_killed_process_are_swept_once_they_are_a_day_old(tmp_path: Path) -> None:
    old, new, other = (tmp_path / name for name in (f".{'a' * 16}.part", f".{'b' * 16}.part", "clip.mp4.part"))
    for each in (old, new, other):
        each.write_text("")
    past = old.stat().st_mtime - ABANDONED_S - 60
    os.utime(old, (past, past))
    os.utime(other, (past, past))
    sweep_parts(tmp_path)
    assert [each.exists() for each in (old, new, other)] == [False, True, True]


def test_a_folder_of_ours_is_made_and_a_link_in_its_place_is_refused(tmp_path: Path) -> None:
    assert own_folder(tmp_path, "edit", "tagged").is_dir()
    (tmp_path / "reports").symlink_to(tmp_path / "edit")
    with pytest.raises(LocalFault, match="is a link to another place"):
        own_folder(tmp_path, "reports")
