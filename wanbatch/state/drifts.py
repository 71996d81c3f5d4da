"""The drift of chains, as a state file tells it: which clip begins with a frame of which, and what was measured."""

from __future__ import annotations

from wanbatch.batch.chosen_frames import ChosenFrame, closing_of, opening_of
from wanbatch.batch.drift import Drift, Step, line_of
from wanbatch.batch.frames import may_hold_frames
from wanbatch.batch.take import Take
from wanbatch.errors import StateInvalid
from wanbatch.state.reader import StateReader


def read_opening(reader: StateReader, take: Take) -> ChosenFrame | None:
    """Read which frame of another clip a take's clip begins with."""
    return opening_of(take, _read_frames(reader, take))


def read_closing(reader: StateReader, take: Take) -> ChosenFrame | None:
    """Read which frame of another clip a take's clip was to end with."""
    return closing_of(take, _read_frames(reader, take))


def _read_frames(reader: StateReader, take: Take) -> tuple[ChosenFrame, ...]:
    return reader.frames_of(take.take_id, take.attempt) if may_hold_frames(take.recipe_json) else ()


def read_step(reader: StateReader, take_id: int) -> Step | None:
    """Read what is known of a take of a chain; None if no take has that id."""
    try:
        take = reader.take(take_id)
    except StateInvalid:
        return None
    measured = reader.measured_clip(take_id)
    is_current = measured is not None and measured.clip_sha256 == take.sha256
    frames = _read_frames(reader, take)
    opening, closing = opening_of(take, frames), closing_of(take, frames)
    return Step(take_id, take.label, opening, measured if is_current else None, closing)


def read_drift(reader: StateReader, take_id: int) -> Drift | None:
    """Read where a clip stands in its chain; None if it was not measured."""
    line = line_of(take_id, lambda each: read_step(reader, each))
    return Drift(line) if line and line[-1].measured is not None else None


def read_drifts(reader: StateReader) -> dict[int, Drift]:
    """Read where each measured clip stands in its chain, by take id."""
    known: dict[int, Step | None] = {}

    def step_of(take_id: int) -> Step | None:
        if take_id not in known:
            known[take_id] = read_step(reader, take_id)
        return known[take_id]

    lines = {take_id: line_of(take_id, step_of) for take_id in reader.measured_takes()}
    return {take_id: Drift(line) for take_id, line in lines.items() if line and line[-1].measured is not None}
