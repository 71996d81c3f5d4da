"""Pins: a manifest that newly names the take a shot continues from, or no longer does, may mean the same clip. Pure.

What a clip was made from was recorded when it was sent. If that is what the manifest means now, its recipe is the same,
and nothing is bought.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from wanbatch.batch.chosen_frames import ChosenFrame, source_of
from wanbatch.batch.frames import FrameOf, frames_in, may_hold_frames
from wanbatch.batch.shot_plan import WITHOUT_CLIP
from wanbatch.batch.shots import Shot
from wanbatch.batch.take import Take


def with_other_pins(takes: Sequence[Take], shots: Sequence[Shot]) -> list[Take]:
    """Return the takes, of those that were sent, whose frames the manifest names with another pin, or none."""
    asked = {shot.id: _asked(shot) for shot in shots}
    found = (take for take in takes if take.state not in WITHOUT_CLIP and may_hold_frames(take.recipe_json))
    return [take for take in found if _renamed_frames(take, asked.get(take.shot_id, {}))]


def as_pinned_now(
    takes: Sequence[Take], shots: Sequence[Shot], frames: Mapping[int, Sequence[ChosenFrame]]
) -> list[Take]:
    """Return all takes; those of `with_other_pins` with the manifest's pins, where these mean what they were made from.

    `frames` are those that were sent, by take id, under the ids that shots have now.
    """
    by_shot: dict[str, list[Take]] = {}
    for take in takes:
        by_shot.setdefault(take.shot_id, []).append(take)
    asked = {shot.id: _asked(shot) for shot in shots}
    changed: dict[int, Take] = {}
    for take in with_other_pins(takes, shots):
        given = {each.reference: each for each in frames.get(take.take_id, ())}
        same = {
            was.text: now.text
            for was, now in _renamed_frames(take, asked[take.shot_id]).items()
            if was.text in given and _is_of(given[was.text], now, by_shot.get(now.shot_id, ()))
        }
        changed[take.take_id] = replace(take, recipe_json=_with(take.recipe_json, same))
    return [changed.get(take.take_id, take) for take in takes]


def _asked(shot: Shot) -> dict[FrameOf, FrameOf]:
    """Return the frames that a shot asks for by what they are without a pin; not one that it asks for in two ways."""
    bodies = [version.request for version in shot.versions]
    bodies += [] if shot.fallback is None else [shot.fallback.version.request]
    found: dict[FrameOf, set[FrameOf]] = {}
    for frame in (each for body in bodies for each in frames_in(body)):
        found.setdefault(replace(frame, take=None), set()).add(frame)
    return {bare: next(iter(ways)) for bare, ways in found.items() if len(ways) == 1}


def _renamed_frames(take: Take, asked: Mapping[FrameOf, FrameOf]) -> dict[FrameOf, FrameOf]:
    """Return the frames of a take that the manifest has with another pin: what it has instead."""
    found = {each: asked.get(replace(each, take=None), each) for each in frames_in(take.recipe.body)} if asked else {}
    return {was: now for was, now in found.items() if was != now}


def _is_of(given: ChosenFrame, now: FrameOf, takes: Sequence[Take]) -> bool:
    """Say whether a frame that was sent is the one that the manifest means now."""
    source = source_of(now, takes, lambda _: True).take
    return source is not None and given.is_of(source)


def _with(canonical: str, same: Mapping[str, str]) -> str:
    """Return a recipe with other texts for frames; none of them needs an escape in JSON."""
    ways = "|".join(map(re.escape, same))
    return re.sub(f'"({ways})"', lambda found: f'"{same[found[1]]}"', canonical) if same else canonical
