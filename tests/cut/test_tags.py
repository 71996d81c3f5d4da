"""Tagged copies: how a clip was made is inside it, and not one picture or sample is another."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from tests.cut.test_film import ABC, R, film, room
from tests.films import Reel
from tests.output_folders import make_room, takes_of
from wanbatch.batch.shots import Batch
from wanbatch.cut import tags as tagging
from wanbatch.cut.tags import LINE_MAX, PROMPT_MAX, tag_clips
from wanbatch.errors import LocalFault, UsageInvalid


def tags(path: Path) -> dict[str, str]:
    with av.open(str(path)) as container:
        return dict(container.metadata)


def shown(path: Path) -> list[Any]:
    """Every picture and every block of sound with its time, decoded."""
    with av.open(str(path)) as container:
        return sorted(
            (type(frame).__name__, frame.pts * frame.time_base, frame.to_ndarray().tobytes())
            for frame in container.decode()
        )


def prompted(batch: Batch, prompt: str, **request: Any) -> Batch:
    return replace(
        batch, shots=tuple(replace(shot, request={**shot.request, "prompt": prompt, **request}) for shot in batch.shots)
    )


def test_a_copy_tells_how_its_clip_was_made(tmp_path: Path) -> None:
    output = room(tmp_path, prompted(ABC, "A dragon\nlands."), a=R, c=Reel(3))
    folder, timeline = tag_clips(output)
    take = takes_of(output)["a_t1"]
    assert take.completed_at is not None
    made_at = take.completed_at.strftime("%Y-%m-%dT%H:%M:%S")
    found = tags(folder / "a_t1.mp4")
    record = json.loads(found["synopsis"])
    assert (folder, sorted(path.name for path in folder.iterdir())) == (
        output / "edit" / "tagged",
        ["a_t1.mp4", "c_t1.mp4"],
    )
    assert [choice.shot.shot_id for choice in timeline.missing] == ["b"]
    assert {name: found[name] for name in ("title", "album", "show", "episode_id", "artist", "comment", "date")} == {
        "title": "a, take 1 (SANDBOX)",
        "album": "dragon-pass (SANDBOX)",
        "show": "s1",
        "episode_id": "a_t1",
        "artist": "m (sandbox)",
        "comment": "A dragon\nlands.",
        "date": made_at[:10],
    }
    assert found["description"] == f"m (sandbox), seed {take.recipe.body['seed']}, generation {take.generation_id}"
    assert found["creation_time"] == f"{made_at}.000000Z"
    assert {
        name: record[name] for name in ("sandbox", "recipe", "recipe_sha256", "generation_id", "clip_sha256", "take")
    } == {
        "sandbox": True,
        "recipe": take.recipe.body,
        "recipe_sha256": take.recipe.sha256,
        "generation_id": take.generation_id,
        "clip_sha256": take.sha256,
        "take": 1,
    }


@pytest.mark.parametrize(
    "reel",
    [
        Reel(1, frames=41),
        Reel(2, sound_s=None),
        Reel(3, sound_s=1.3, sound_at_s=0.2),
        Reel(4, fps=Fraction(30_000, 1001), x264="bframes=3:keyint=9:open-gop=1"),
        Reel(5, first_pts=4, channels=1, rate_hz=44_100),
    ],
    ids=["odd length", "no sound", "late sound", "open groups", "late start"],
)
def test_a_copy_shows_and_sounds_the_same_and_the_clip_is_untouched(tmp_path: Path, reel: Reel) -> None:
    output = room(tmp_path, film(("a", "s1")), a=reel)
    clip = output / "clips" / "a_t1.mp4"
    before = clip.read_bytes()
    folder, _ = tag_clips(output)
    assert (clip.read_bytes() == before, shown(folder / "a_t1.mp4") == shown(clip)) == (True, True)


def test_the_same_clip_gives_the_same_bytes_again(tmp_path: Path) -> None:
    output = room(tmp_path, film(("a", "s1")), a=R)
    folder, _ = tag_clips(output)
    before = (folder / "a_t1.mp4").read_bytes()
    tag_clips(output)
    assert [path.read_bytes() == before for path in folder.iterdir()] == [True]


HOSTILE = {
    "a NUL and colours": ("a\0b \x1b[31mred\x07", "ab [31mred"),
    "turned": ("safe \u202egpj.exe\u2069", "safe gpj.exe"),
    "lines": ("one\r\ntwo\rthree\tfour", "one\ntwo\nthree four"),
    "other scripts": ("龍が峠に降り立つ 🐉 é", "龍が峠に降り立つ 🐉 é"),
    "long": ("x" * 20_000, "x" * (PROMPT_MAX - 1) + "…"),
    "a JSON string": ('"}, {"wanbatch": "no', '"}, {"wanbatch": "no'),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_prompt_is_plain_in_its_comment_and_whole_in_the_record(tmp_path: Path, name: str) -> None:
    prompt, comment = HOSTILE[name]
    output = room(tmp_path, prompted(film(("a", "s1")), prompt), a=R)
    folder, _ = tag_clips(output)
    found = tags(folder / "a_t1.mp4")
    assert (found["comment"], json.loads(found["synopsis"])["recipe"]["prompt"]) == (comment, prompt)
    assert (found["synopsis"].isascii(), all(len(found[each]) <= LINE_MAX for each in ("title", "description"))) == (
        True,
        True,
    )


def test_no_secret_and_no_cost_leaves_the_house(tmp_path: Path) -> None:
    batch = prompted(
        film(("a", "s1")),
        "like https://u:pw@host/x?token=abc",
        audio_url="https://cdn.example/a.mp3?Signature=c0ffee5ecret",
    )
    batch = replace(batch, shots=tuple(replace(shot, notes="too dear", cost_code="DP-1") for shot in batch.shots))
    folder, _ = tag_clips(room(tmp_path / "out", batch, a=R))
    text = (folder / "a_t1.mp4").read_bytes()
    hidden = [b"pw@", b"token", b"Signature", b"c0ffee5ecret", b"too dear", b"DP-1", b"credits", str(tmp_path).encode()]
    assert [each for each in hidden if each in text] == []
    assert b"https://cdn.example/a.mp3?" in text


def test_a_file_that_is_no_copy_is_never_written_over(tmp_path: Path) -> None:
    output = room(tmp_path / "one", film(("a", "s1")), a=R)
    other = room(tmp_path / "two", film(("a", "s1")), a=Reel(2))
    clip = other / "clips" / "a_t1.mp4"
    before = clip.read_bytes()
    for folder in (other / "clips", output / "clips", output / "clips" / "deeper"):
        with pytest.raises(UsageInvalid, match=r"tagged copy|the folder of the clips"):
            tag_clips(output, folder)
    with pytest.raises(UsageInvalid, match="is a file"):
        tag_clips(output, clip)
    assert clip.read_bytes() == before
    (tmp_path / "place").mkdir()
    (tmp_path / "place" / "a_t1.mp4").symlink_to(clip)
    with pytest.raises(UsageInvalid, match="not a tagged copy"):
        tag_clips(output, tmp_path / "place")


def test_a_clip_that_was_changed_is_not_copied_as_if_it_were_as_recorded(tmp_path: Path) -> None:
    output = room(tmp_path, film(("a", "s1")), a=R)
    clip = output / "clips" / "a_t1.mp4"
    data = bytearray(clip.read_bytes())
    data[-100] ^= 1
    clip.write_bytes(data)
    with pytest.raises(LocalFault, match=r"not as recorded.*wanbatch verify"):
        tag_clips(output)
    assert list((output / "edit" / "tagged").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    output = room(tmp_path / "out", film(("a", "s1")), a=R)
    (tmp_path / "file").touch()
    with pytest.raises(LocalFault, match="cannot write to"):
        tag_clips(output, tmp_path / "file" / "x")


def test_a_disk_that_is_full_is_said_so_and_leaves_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = room(tmp_path, film(("a", "s1")), a=R)
    with monkeypatch.context() as patched:
        patched.setattr(tagging, "free_bytes", lambda _: 100)
        with pytest.raises(LocalFault, match="the copies need"):
            tag_clips(output)

    def half(path: Path) -> list[str]:
        return ["what is not flushed is not written"]

    monkeypatch.setattr(tagging, "_read_back", half)
    with pytest.raises(LocalFault, match="is the disk full"):
        tag_clips(output)
    assert list((output / "edit" / "tagged").iterdir()) == []


@pytest.mark.long
def test_the_command_tells_where_the_copies_are_and_what_is_missing(tmp_path: Path) -> None:
    make_room(tmp_path / "out", ABC, {"a_t1": R}, failed=("b_t1",)).state.close()
    command = [sys.executable, "-m", "wanbatch", "--json", "export", str(tmp_path / "out"), "--format", "mp4"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    told = json.loads(done.stdout)
    assert (done.returncode, told["file"], [each["shot"] for each in told["missing"]]) == (
        1,
        str(tmp_path / "out" / "edit" / "tagged"),
        ["b", "c"],
    )
