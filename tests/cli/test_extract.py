"""The command that writes a frame of a clip as a still."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tests.cut.test_film import film
from tests.films import Reel
from tests.output_folders import make_room
from wanbatch.cli import call


@pytest.fixture(autouse=True)
def room(near: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    make_room(Path("o"), film(("a", "s"), ("b", "s")), {"a_t1": Reel(1)}, failed=["b_t1"]).state.close()
    return tmp_path


def frame(number: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    with av.open("o/clips/a_t1.mp4") as container:
        frames = [each.to_ndarray(format="rgb24") for each in container.decode(video=0)]
    return np.asarray(frames[number], np.uint8)


@pytest.mark.parametrize(
    ("words", "name", "number"),
    [
        ([], "a_t1_last.png", -1),
        (["--frame", "first"], "a_t1_first.png", 0),
        (["--at", "0.5s"], "a_t1_500ms.png", 15),
        (["--take", "1", "--at", "100ms", "-o", "mara.png"], "mara.png", 3),
    ],
)
def test_the_still_is_the_frame_to_the_pixel(words: list[str], name: str, number: int) -> None:
    assert call(["extract", "o", "a", *words]) == 0
    with Image.open(name) as picture:
        assert np.array_equal(np.asarray(picture), frame(number))


def test_json_says_what_was_written(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["--json", "extract", "o", "a"]) == 0
    assert json.loads(capsys.readouterr().out) == {"file": "a_t1_last.png", "shot": "a", "take": 1, "frame": "last"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["b"], "b has no clip"),
        (["b", "--take", "1"], "b_t1 has no clip"),
        (["nobody"], "there is no shot 'nobody'"),
        (["a", "--take", "9"], "a has no take 9"),
        (["a", "b"], "name one shot"),
        (["a", "--at", "1s"], "a_t1 has no frame at 1 s: its clip lasts 1 s"),
        (["a", "--at", "soon"], "--at is 'soon'; expected seconds into the clip, such as 2.5s"),
        (["a", "--at", "0.5s", "--frame", "last"], "give either --frame or --at, not both"),
        (["a", "-o", "x.jpg"], "a still is a PNG: give it a name that ends in .png, not x.jpg"),
    ],
)
def test_what_cannot_be_written_is_said(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert (call(["extract", "o", *words]), said in capsys.readouterr().err) == (2, True)


@pytest.mark.parametrize("is_link", [False, True])
def test_nothing_is_overwritten_and_no_link_is_followed(is_link: bool, capsys: pytest.CaptureFixture[str]) -> None:
    kept, target = Path("kept.png"), Path("a_t1_last.png")
    kept.write_bytes(b"mine")
    target.symlink_to(kept) if is_link else target.write_bytes(b"mine")
    assert call(["extract", "o", "a"]) == 2
    assert "a_t1_last.png already exists, and wanbatch does not overwrite it" in capsys.readouterr().err
    assert (kept.read_bytes(), target.read_bytes(), target.is_symlink()) == (b"mine", b"mine", is_link)


def test_a_clip_that_was_changed_gives_no_still(capsys: pytest.CaptureFixture[str]) -> None:
    Path("o/clips/a_t1.mp4").write_bytes(b"other")
    assert call(["extract", "o", "a"]) == 2
    assert "the clip of a_t1 is not the one that was verified: `wanbatch verify --fetch`" in capsys.readouterr().err
