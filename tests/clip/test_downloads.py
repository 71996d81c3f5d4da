"""Downloads: a part becomes a clip of its name once, and only with the bytes that were checked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.worlds import World, batch_of
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.clip.download import ForeignFile, Part, publish, sha256_of
from wanbatch.state.reader import StateReader


def test_a_part_replaces_an_old_part_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "c" / "a.mp4.part"
    for text in (b"old and longer", b"new"):
        with Part(path) as part:
            part.write(text)
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("kind", ["link", "folder", "fifo"])
def test_a_part_is_never_written_through_something_else(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.mp4.part"
    {"link": lambda: path.symlink_to(tmp_path / "x"), "folder": path.mkdir, "fifo": lambda: os.mkfifo(path)}[kind]()
    with pytest.raises(ForeignFile), Part(path):
        pass


def test_publishing_twice_is_publishing_once(tmp_path: Path) -> None:
    part, final = tmp_path / "a.mp4.part", tmp_path / "a.mp4"
    part.write_bytes(b"clip")
    digest = sha256_of(part)
    publish(part, final, digest)
    publish(part, final, digest)
    assert (final.read_bytes(), part.exists()) == (b"clip", False)


def test_other_bytes_are_never_published_or_overwritten(tmp_path: Path) -> None:
    part, final = tmp_path / "a.mp4.part", tmp_path / "a.mp4"
    part.write_bytes(b"clip")
    with pytest.raises(FileNotFoundError):
        publish(part, final, "0" * 64)
    final.write_bytes(b"somebody's")
    with pytest.raises(ForeignFile):
        publish(part, final, sha256_of(part))
    assert final.read_bytes() == b"somebody's"


@pytest.mark.usefixtures("quick_clips")
@pytest.mark.parametrize("damage", ["part gone", "part altered"])
def test_a_crash_between_hash_and_rename_is_mended_without_a_submit(tmp_path: Path, damage: str) -> None:
    world = World(tmp_path / "o")
    world.run(batch_of(1))
    with StateReader.open(tmp_path / "o") as reader:
        takes = [each for _, each in reader.entries()]
    assert [each.fact for each in takes][-3:] == [Fact.DOWNLOADED, Fact.VERIFIED, Fact.CHARGED]
    world2 = World(tmp_path / "p")
    from tests.worlds import Killed

    with pytest.raises(Killed):
        world2.run(batch_of(1), kill_at=7)  # the hash is on disk, the rename is not recorded
    clips = tmp_path / "p" / "clips"
    for path in clips.iterdir():
        if damage == "part gone":
            path.unlink()
        else:
            path.write_bytes(b"other") if path.suffix == ".part" else path.unlink()
    world2.run(batch_of(1))
    assert (world2.takes()[0].state, world2.submits) == (State.VERIFIED, 1)
