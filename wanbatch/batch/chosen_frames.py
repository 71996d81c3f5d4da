"""Chosen frames: which clip a shot continues from, and which frame of it a submit held, as it was recorded. Pure.

A frame is taken of the chosen take of its shot: the circled one, else the newest verified one, once nothing is under
way that could be newer. A pinned take is waited for, whichever is chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from wanbatch.batch.choice import chosen
from wanbatch.batch.frames import FrameOf, closing_frame, frame_in, may_hold_frames, opening_frame
from wanbatch.batch.lifecycle import IN_FLIGHT_STATES, Fact, State
from wanbatch.batch.take import Entry, Take

_ON_THE_WAY = IN_FLIGHT_STATES | {State.COMPLETED, State.DOWNLOADED}


@dataclass(frozen=True)
class ChosenFrame:
    """A frame of a clip as a submit holds it: what stands for it in the recipe, whose it is, and the hashes of both.

    `take` is the label that the take had then, a note for people: `take_id` and the hashes decide. `file` is the PNG,
    relative to the output folder.
    """

    reference: str
    take_id: int
    take: str
    generation_id: str | None
    clip_sha256: str
    png_sha256: str
    file: str

    @property
    def told(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> ChosenFrame:
        """Read it from JSON values. Raises KeyError or TypeError for others."""
        made = told["generation_id"]
        return cls(
            reference=str(told["reference"]),
            take_id=int(told["take_id"]),
            take=str(told["take"]),
            generation_id=None if made is None else str(made),
            clip_sha256=str(told["clip_sha256"]),
            png_sha256=str(told["png_sha256"]),
            file=str(told["file"]),
        )

    @property
    def moment(self) -> str:
        """Which frame of the clip it is, in one word: `first`, `last`, `2500ms`; empty if its record does not say."""
        found = frame_in(self.reference)
        return "" if found is None else found.moment

    def is_of(self, take: Take) -> bool:
        """Say whether it was taken from the clip that a take has now."""
        return self.take_id == take.take_id and self.clip_sha256 == take.sha256


def opening_of(take: Take, frames: Sequence[ChosenFrame]) -> ChosenFrame | None:
    """Return the frame of another clip that a take's clip begins with, of those that its submit held."""
    return _recorded_as(opening_frame, take, frames)


def closing_of(take: Take, frames: Sequence[ChosenFrame]) -> ChosenFrame | None:
    """Return the frame of another clip that a take's clip was to end with, of those that its submit held."""
    return _recorded_as(closing_frame, take, frames)


def _recorded_as(
    frame_of: Callable[[Mapping[str, Any]], FrameOf | None], take: Take, frames: Sequence[ChosenFrame]
) -> ChosenFrame | None:
    wanted = frame_of(take.recipe.body) if frames and may_hold_frames(take.recipe_json) else None
    if wanted is None:
        return None
    same = [each for each in frames if each.reference == wanted.text]  # else its shot has another id since
    alike = [each for each in frames if each.moment == wanted.moment]
    return next(iter(same or alike), None)


def frames_recorded(facts: Iterable[Entry], attempt: int) -> tuple[ChosenFrame, ...]:
    """Return the frames that a submit of a take held, or will hold, by the facts of that take; none if none is known.

    What was recorded for an earlier attempt holds for the later ones until something else is.
    """
    told = [each.data for each in facts if each.fact is Fact.FRAMES_CHOSEN and each.data["attempt"] <= attempt]
    return tuple(ChosenFrame.of(each) for each in told[-1]["frames"]) if told else ()


def fact_data(attempt: int, frames: Sequence[ChosenFrame]) -> dict[str, Any]:
    """Return what the fact records: the frames that an attempt will hold."""
    return {"attempt": attempt, "frames": [each.told for each in frames]}


@dataclass(frozen=True)
class Source:
    """Where a frame comes from: the take that gives it; None while none does.

    `cause` is the take that is waited for, None if the shot has none. `why` says what became of it, worded to follow
    its label, or that of the shot. `is_coming` if it is being made, `has_no_such_take` if the shot lacks the take that
    the frame names.
    """

    take: Take | None = None
    cause: Take | None = None
    why: str = ""
    is_coming: bool = False
    has_no_such_take: bool = False

    @classmethod
    def coming(cls, cause: Take) -> Source:
        """Return the source of a frame of a take that is being made."""
        return cls(cause=cause, why="is being made", is_coming=True)

    @property
    def is_left_out(self) -> bool:
        """Say whether it waits for a planned take that this run does not send."""
        return self.cause is not None and self.cause.state is State.PLANNED and not self.is_coming


def source_of(frame: FrameOf, takes: Iterable[Take], may_send: Callable[[Take], bool]) -> Source:
    """Choose the take that gives a frame, of the takes of its shot; `may_send` says which planned ones this run sends.

    What is looked up may turn out to be a clip: it is waited for only if there is no verified take.
    """
    mine = sorted(takes, key=lambda take: take.number)
    if frame.take is not None:
        pinned = next((take for take in mine if take.number == frame.take), None)
        if pinned is None:
            return Source(why=f"has no take {frame.take}", has_no_such_take=True)
        return _pinned(pinned, may_send)
    if any(take.circled for take in mine):
        return Source(chosen(mine))
    current, best = [take for take in mine if not take.superseded], chosen(mine)
    coming = [take for take in current if _may_come(take, may_send)]
    if coming and (best is None or coming[-1].number > best.number):
        return Source.coming(coming[-1])
    if best is not None:
        return Source(best)
    if not current:
        return Source(why="has no clip with the manifest's recipe" if mine else "has no clip")
    searched = next((take for take in reversed(current) if take.state is State.UNKNOWN), None)
    return _missing(current[-1] if searched is None else searched)


def missing_newest(takes: Iterable[Take], otherwise: str) -> Source:
    """Say what became of the newest take of a shot, if no clip did; `otherwise` what is so where it has its clip."""
    current = sorted((take for take in takes if not take.superseded), key=lambda take: take.number)
    if not current or current[-1].state is State.VERIFIED:
        return Source(why=otherwise)
    return _missing(current[-1])


def _pinned(take: Take, may_send: Callable[[Take], bool]) -> Source:
    if take.state is State.VERIFIED:
        return Source(take)
    return Source.coming(take) if _may_come(take, may_send) else _missing(take)


def _may_come(take: Take, may_send: Callable[[Take], bool]) -> bool:
    return take.state in _ON_THE_WAY or (take.state is State.PLANNED and may_send(take))


def _missing(take: Take) -> Source:
    """Say why a take that nothing will make on its own has no clip."""
    words = {
        State.FAILED: "failed",
        State.HELD: "is held",
        State.UNKNOWN: "may have been made, but its answer was lost",
        State.PLANNED: "is not sent",
    }
    return Source(cause=take, why=words.get(take.state, "has no clip"))
