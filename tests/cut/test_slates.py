"""Slates in a cut: what they show, and where they can lie between clips that are copied."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tests.cut.test_film import ABC, cut, room, whole
from tests.films import Reel, read_frames
from wanbatch.clip.slate_design import colour_of
from wanbatch.cut.avc import AvcRecord
from wanbatch.cut.join import slate_misfit
from wanbatch.cut.slate import Card, draw_card
from wanbatch.cut.source import measure
from wanbatch.errors import UsageInvalid

R = Reel(1)


@pytest.mark.parametrize("size", [(1280, 720), (720, 1280), (96, 96), (1920, 1080)])
@pytest.mark.parametrize(
    "shot", ["sc010_sh020", "x" * 200, "山_山", "né\u202e\x00", ""], ids=["usual", "long", "wide", "odd", "empty"]
)
def test_a_slate_is_drawn_at_any_size_with_any_words(size: tuple[int, int], shot: str) -> None:
    picture = draw_card(Card("p", "s", shot, "MISSING", "5 s", "because " * 80), *size)
    assert (picture.size, picture.mode) == (size, "RGB")


def test_a_slate_differs_by_what_it_says() -> None:
    card = Card("dragon-pass", "sc010", "sc010_sh020", "MISSING", "5 s", "failed")
    said = [replace(card, **{name: "other"}) for name in ("project", "scene", "shot", "take", "length", "why")]
    pictures = {draw_card(each, 640, 360).tobytes() for each in (card, *said)}
    assert (len(pictures), draw_card(card, 640, 360) == draw_card(card, 640, 360)) == (7, True)


def test_the_slates_of_a_scene_have_its_colour() -> None:
    card = Card("dragon-pass", "sc010", "sc010_sh020", "MISSING", "5 s", "failed")
    tops = [
        {colour for _, colour in draw_card(each, 640, 360).crop((60, 24, 580, 40)).getcolors(9_999) or ()}
        for each in (card, replace(card, shot="sc010_sh030"), replace(card, scene="sc020"))
    ]
    assert [colour_of(scene) in tops[0] for scene in ("sc010", "sc020")] == [True, False]
    assert (tops[0] == tops[1], tops[0] == tops[2], colour_of("")) == (True, False, (238, 238, 240))


@pytest.mark.long
def test_a_slate_in_a_cut_shows_what_was_drawn(tmp_path: Path) -> None:
    wide = Reel(1, width=640, height=360)
    made, _ = cut(room(tmp_path, ABC, a=wide))
    card = Card("dragon-pass (SANDBOX)", "s1", "b", "MISSING", "1 s, 30 frames at 30 fps", "not made yet")
    with av.open(str(made)) as container:
        shown = [frame.to_ndarray(format="gray") for frame in container.decode(container.streams.video[0])][44]
    wanted = np.asarray(draw_card(card, 640, 360).convert("L"), np.int16)
    drawn = np.asarray(Image.fromarray(shown), np.int16)
    assert np.abs(drawn - wanted).mean() < 6


@pytest.mark.sampled(3)
@pytest.mark.parametrize("profile", ["baseline", "main", "high"])
def test_slates_lie_between_copied_clips_of_every_common_profile(tmp_path: Path, profile: str) -> None:
    x264 = "keyint=20" if profile == "baseline" else "bframes=3:keyint=20"
    one, three = Reel(1, profile=profile, x264=x264), Reel(3, profile=profile, x264=x264)
    made, _ = cut(room(tmp_path, ABC, a=one, c=three))
    assert read_frames(made) == [*whole(one), *[None] * 30, *whole(three)]


@pytest.mark.long
def test_where_no_slate_can_be_put_between_copied_clips_it_is_said(tmp_path: Path) -> None:
    output = room(tmp_path, ABC, a=Reel(1, codec="mpeg4"), c=Reel(3, codec="mpeg4"))
    with pytest.raises(UsageInvalid, match="no slate can be put between copied clips of mpeg4: add --reencode"):
        cut(output)
    made, _ = cut(output, reencode=True)
    assert len(read_frames(made)) == 90


def test_an_avc_record_is_read_and_written_the_same(tmp_path: Path) -> None:
    like = measure(room(tmp_path, ABC, a=R) / "clips" / "a_t1.mp4").format
    record = AvcRecord.parse(like.headers)
    assert (bytes(record), record.profile, record.free_id(), slate_misfit(like)) == (like.headers, 100, 31, "")
    assert record.with_sets_of(record).sequence_sets == record.sequence_sets * 2


def test_a_broken_avc_record_is_refused(tmp_path: Path) -> None:
    headers = measure(room(tmp_path, ABC, a=R) / "clips" / "a_t1.mp4").format.headers
    whole_at = len(headers) - len(AvcRecord.parse(headers).tail)
    for data in (b"", b"\2" + headers[1:], *(headers[:length] for length in range(whole_at))):
        with pytest.raises(ValueError, match="avcC"):
            AvcRecord.parse(data)


def test_a_record_whose_parameter_set_ids_are_all_taken_has_none_free() -> None:
    def coded(number: int) -> bytes:
        bits = f"{number + 1:b}"
        return int(("0" * (len(bits) - 1) + bits).ljust(16, "0"), 2).to_bytes(2)

    sets = tuple(b"\x67\x64\x00\x1f" + coded(number) for number in range(32))
    record = AvcRecord(b"\x01\x64\x00\x1f\xff", sets[1:], (), b"")
    assert record.free_id() == 0
    with pytest.raises(ValueError, match="in use"):
        replace(record, sequence_sets=sets).free_id()
