"""Frames of other shots that are outside of what is documented, or do not come, as the file before them is another."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tests.runner.test_chains import SMALL, film, world_of
from wanbatch.batch.lifecycle import Fact
from wanbatch.clip.given import OpenedFile
from wanbatch.clip.inspection import Here
from wanbatch.errors import ExitCode, MediaInvalid
from wanbatch.state.reader import StateReader


class Panorama(Here):
    """An inspection whose frames are wider than clips are."""

    def frame(self, clip: Path, moment: str) -> bytes:
        large = io.BytesIO()
        Image.new("RGB", (2400, 480)).save(large, "PNG")
        return large.getvalue()


@pytest.mark.usefixtures("quick_clips")
def test_a_frame_outside_of_what_is_documented_is_named_before_it_is_sent(tmp_path: Path) -> None:
    world, batch = world_of(tmp_path), film(tmp_path, {"sh001": "sh000"})
    world.settings = replace(world.settings, inspection=Panorama())
    assert world.run(batch).exit_code is ExitCode.OK
    said = "its frame of sh000_t1 is 2400x480 pixels, but the documented maximum is 2000 pixels a side"
    with StateReader.open(world.output) as reader:
        take = reader.takes()[1]
        facts = [each.fact for each in reader.facts_of(take.take_id)]
    assert take.warning == f"{said}; {SMALL['model']} may refuse it"
    assert facts.index(Fact.WARNED) < facts.index(Fact.SUBMIT_STARTED)


@pytest.mark.usefixtures("quick_clips")
def test_what_waits_for_a_take_that_was_not_sent_says_why_it_was_not(tmp_path: Path) -> None:
    def spoilt(_: object) -> OpenedFile:
        raise MediaInvalid("is no picture any more")

    world, batch = world_of(tmp_path), film(tmp_path, {"sh001": "sh000"})
    world.settings = replace(world.settings, open_given=spoilt)
    end = world.run(batch)
    assert (end.exit_code, world.submits) == (ExitCode.LOCAL_FAULT, 0)
    why = "which was not sent, because still.png is no picture any more"
    words = f"1 take (sh001_t1) waits for sh000_t1, {why}. It will be sent when that take has a clip"
    assert end.messages[1:] == (words,)
