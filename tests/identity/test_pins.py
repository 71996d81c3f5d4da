"""A pin that names what a clip was made from anyway, or no longer names it, makes no clip stale."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.runner.test_chains import film, frames_of, world_of
from tests.worlds import World, admitted
from wanbatch.batch.chosen_frames import ChosenFrame
from wanbatch.batch.frames import FrameOf, frames_in
from wanbatch.batch.lifecycle import State
from wanbatch.batch.pins import as_pinned_now, with_other_pins
from wanbatch.batch.shots import Fallback, Recipe, Shot, Version
from wanbatch.batch.take import Take
from wanbatch.errors import ExitCode
from wanbatch.session.options import RunOptions

BARE = {"from": "sh000"}
ONE, TWO = ({**BARE, "take": number} for number in (1, 2))


def bought(world: World) -> int:
    return len(world.ledger())


@pytest.mark.usefixtures("quick_clips")
@pytest.mark.parametrize(("before", "now"), [(BARE, ONE), (ONE, BARE)])
def test_the_same_take_by_another_name_is_not_bought_again(
    before: dict[str, Any], now: dict[str, Any], tmp_path: Path
) -> None:
    world = world_of(tmp_path, plan=admitted(RunOptions()))
    assert world.run(film(tmp_path, {"sh001": before})).exit_code is ExitCode.OK
    assert (world.run(film(tmp_path, {"sh001": now})).exit_code, bought(world)) == (ExitCode.OK, 2)
    assert [(take.label, take.superseded) for take in world.takes()] == [("sh000_t1", False), ("sh001_t1", False)]


def test_another_take_than_the_one_it_was_made_from_is_an_edit(tmp_path: Path) -> None:
    world = world_of(tmp_path, plan=admitted(RunOptions()))
    two = {"sh000": {"takes": 2}}
    assert world.run(film(tmp_path, {"sh001": BARE}, **two)).exit_code is ExitCode.OK
    ((was,), *_) = (frames_of(world)[take.label] for take in world.takes() if take.shot_id == "sh001")
    other = ONE if was.take == "sh000_t2" else TWO
    assert (world.run(film(tmp_path, {"sh001": other}, **two)).exit_code, bought(world)) == (ExitCode.OK, 4)


FRAME, PINNED, OTHER = FrameOf("a"), FrameOf("a", take=1), FrameOf("a", take=2)
CLIP = replace(
    Take(1, "a", 1, Recipe.of({"model": "m", "prompt": "a"}).canonical, State.VERIFIED), sha256="5a", generation_id="g"
)


def body_of(frame: FrameOf) -> dict[str, Any]:
    return {"model": "m", "prompt": f"like {FRAME.text}", "image_url": frame.text}


def pinned_now(take: Take, shot: Shot, clip: Take = CLIP) -> str:
    given = ChosenFrame(frames_in(take.recipe.body)[0].text, 1, "a_t1", "g", "5a", "b6", "frames/a_t1_last.png")
    return as_pinned_now([clip, take], [shot], {2: [given]})[1].recipe_json


@pytest.mark.parametrize(
    ("sent", "asked", "is_same"),
    [
        (FRAME, PINNED, True),
        (PINNED, FRAME, True),
        (FRAME, OTHER, False),
        (PINNED, OTHER, False),
        (OTHER, PINNED, True),
    ],
)
def test_a_recipe_has_the_pin_of_the_manifest_where_it_means_the_same_clip(
    sent: FrameOf, asked: FrameOf, is_same: bool
) -> None:
    take = Take(2, "b", 1, Recipe.of(body_of(sent)).canonical, State.VERIFIED)
    shot = Shot("b", 1, body_of(asked))
    assert with_other_pins([CLIP, take], [shot]) == [take]
    assert pinned_now(take, shot) == Recipe.of(body_of(asked if is_same else sent)).canonical


@pytest.mark.parametrize(
    "clip",
    [
        replace(CLIP, sha256="other"),
        replace(CLIP, state=State.FAILED),
        replace(CLIP, take_id=3),
        replace(CLIP, superseded=True, state=State.PLANNED),
    ],
)
def test_what_was_made_from_another_clip_keeps_its_recipe(clip: Take) -> None:
    take = Take(2, "b", 1, Recipe.of(body_of(FRAME)).canonical, State.VERIFIED)
    assert pinned_now(take, Shot("b", 1, body_of(PINNED)), clip) == take.recipe_json


@pytest.mark.parametrize("state", [State.PLANNED, State.FAILED])
def test_what_would_be_sent_again_is_sent_with_the_frame_of_the_manifest(state: State) -> None:
    take = Take(2, "b", 1, Recipe.of(body_of(FRAME)).canonical, state)
    assert with_other_pins([take], [Shot("b", 1, body_of(PINNED))]) == []


def test_the_pin_of_a_fallback_counts_too_and_two_pins_of_one_frame_do_not() -> None:
    take = Take(2, "b", 1, Recipe.of({**body_of(FRAME), "model": "n"}).canonical, State.VERIFIED)
    by_fallback = Shot(
        "b", 1, {"model": "m", "prompt": "b"}, fallback=Fallback(Version({**body_of(PINNED), "model": "n"}))
    )
    assert with_other_pins([take], [by_fallback]) == [take]
    both = Shot("b", 1, {**body_of(PINNED), "last_image_url": OTHER.text})
    assert with_other_pins([take], [both]) == []
