"""Frames: what a shot is given of another shot's clip, as a recipe says it. Pure.

A recipe says what is fixed: the shot, which of its frames, and the take if one is pinned. Which clip that is becomes
known once it is made, and is recorded before the request that it goes into.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

FRAME_MARK = "frame:"
SECONDS_MAX = 3600
_REFERENCE = re.compile(r"frame:([^:]+):(first|last|[0-9]+ms)(?::t([1-9][0-9]{0,5}))?")
_IN_TEXT = re.compile(r'"frame:([^":\\]+):(first|last|[0-9]+ms)(?::t[0-9]+)?"')
_OPENING = ("first_frame_image", "image_url")  # the fields of the picture that a clip begins with
_CLOSING = ("last_image_url", "tail_image_url", "last_frame_image")  # of the picture that it ends with
_TEXTS = frozenset({"prompt", "negative_prompt"})  # which may say anything


class Edge(StrEnum):
    """The ends of a clip."""

    FIRST = "first"
    LAST = "last"


@dataclass(frozen=True)
class FrameOf:
    """A frame of a shot: at one of its ends, or `at_ms` after its beginning; of the chosen take, or of a pinned one."""

    shot_id: str
    edge: Edge = Edge.LAST
    at_ms: int | None = None
    take: int | None = None

    @property
    def text(self) -> str:
        """The text that a recipe has for it."""
        pinned = "" if self.take is None else f":t{self.take}"
        return f"{FRAME_MARK}{self.shot_id}:{self.moment}{pinned}"

    @property
    def moment(self) -> str:
        """Which frame of the clip it is, in one word: `first`, `last`, `2500ms`."""
        return self.edge.value if self.at_ms is None else f"{self.at_ms}ms"

    def __str__(self) -> str:
        which = f"the {self.edge.value} frame" if self.at_ms is None else f"the frame at {seconds_text(self.at_ms)} s"
        return f"{which} of {self.shot_id}" + ("" if self.take is None else f" take {self.take}")


def seconds_text(at_ms: int) -> str:
    """Return milliseconds in seconds, without zeros at the end: `2.5`, `12`."""
    return f"{at_ms / 1000:.3f}".rstrip("0").rstrip(".")


def frame_in(value: object) -> FrameOf | None:
    """Return the frame that a value of a request stands for; None for any other value."""
    if not isinstance(value, str) or not value.startswith(FRAME_MARK):
        return None
    found = _REFERENCE.fullmatch(value)
    if found is None:
        return None
    shot_id, moment, take = found[1], found[2], None if found[3] is None else int(found[3])
    if moment.endswith("ms"):
        return FrameOf(shot_id, at_ms=int(moment[:-2]), take=take)
    return FrameOf(shot_id, Edge(moment), take=take)


def frames_in(body: Mapping[str, Any]) -> tuple[FrameOf, ...]:
    """Return the frames that a request is given, each once, in the order of the request."""
    found = (frame_in(each) for each in values_in(body))
    return tuple(dict.fromkeys(each for each in found if each is not None))


def opening_frame(body: Mapping[str, Any]) -> FrameOf | None:
    """Return the frame of another shot that a request asks a clip to begin with; None if there is none."""
    return next((found for name in _OPENING if (found := frame_in(body.get(name))) is not None), None)


def closing_frame(body: Mapping[str, Any]) -> FrameOf | None:
    """Return the frame of another shot that a request asks a clip to end with; None if there is none."""
    return next((found for name in _CLOSING if (found := frame_in(body.get(name))) is not None), None)


def may_hold_frames(canonical: str) -> bool:
    """Say whether the text of a recipe may hold a frame; one that is read is asked by `frames_in`."""
    return f'"{FRAME_MARK}' in canonical


def values_in(body: Mapping[str, Any]) -> Iterator[object]:
    """Yield every single value of a request, at any depth, except its texts."""
    for name, value in body.items():
        if name not in _TEXTS:
            yield from _within(value)


def _within(value: object) -> Iterator[object]:
    if isinstance(value, Mapping):
        value = [*value.values()]
    if isinstance(value, list):
        for each in value:
            yield from _within(each)
    else:
        yield value


def shots_of_frames(canonical: str) -> set[str]:
    """Return the ids of the shots whose frames a recipe is sent."""
    return {found[1] for found in _IN_TEXT.finditer(canonical)}


def without_pins(canonical: str) -> str:
    """Return a recipe without the numbers of the takes whose frames it is sent: two of these may be one clip."""
    return _IN_TEXT.sub(lambda found: f'"{FRAME_MARK}{found[1]}:{found[2]}"', canonical)


def without_shots_of_frames(canonical: str) -> str:
    """Return a recipe without the ids and take numbers of the shots whose frames it is sent: two of these are alike."""
    return _IN_TEXT.sub(lambda found: f'"{FRAME_MARK}{found[2]}"', canonical)
