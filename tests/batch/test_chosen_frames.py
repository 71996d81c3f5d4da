"""Which take gives a frame: the circled one, else the newest verified one, once nothing newer is under way."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.batch.takes import shot, take_of
from wanbatch.batch.chosen_frames import ChosenFrame, fact_data, frames_recorded, source_of
from wanbatch.batch.frames import FrameOf
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.take import Entry, Take

A, PINNED = FrameOf("a"), FrameOf("a", take=2)
GOOD, FAILED, HELD, SENT, PLANNED = State.VERIFIED, State.FAILED, State.HELD, State.QUEUED, State.PLANNED


def takes(*states: State, **marks: dict[str, object]) -> list[Take]:
    """Return takes of one shot in these states; `marks` are of `t1`, `t2` and so on."""
    each = shot("a", takes=len(states) or 1)
    made = [take_of(each, n, n, n, state=state) for n, state in enumerate(states, 1)]
    return [replace(take, **marks.get(f"t{take.number}", {})) for take in made]  # type: ignore[arg-type]


OLD, CIRCLED = {"superseded": True}, {"circled": True}


@pytest.mark.parametrize(
    ("found", "frame", "number", "cause", "why"),
    [
        (takes(GOOD), A, 1, None, ""),
        (takes(GOOD, GOOD), A, 2, None, ""),
        (takes(GOOD, GOOD, t1=CIRCLED), A, 1, None, ""),
        (takes(GOOD, SENT, t1=CIRCLED), A, 1, None, ""),
        (takes(GOOD, SENT, t1={**OLD, **CIRCLED}), A, 1, None, ""),
        (takes(GOOD, SENT), A, None, 2, "is being made"),
        (takes(GOOD, PLANNED), A, None, 2, "is being made"),
        (takes(GOOD, PLANNED, t2={"shot_id": "left out"}), A, 1, None, ""),
        (takes(GOOD, SENT, t2=OLD), A, 1, None, ""),
        (takes(SENT, GOOD), A, 2, None, ""),  # an older take that comes late is not chosen
        (takes(PLANNED, GOOD), A, 2, None, ""),
        (takes(GOOD, FAILED), A, 1, None, ""),
        (takes(GOOD, State.UNKNOWN), A, 1, None, ""),
        (takes(GOOD, GOOD, t2=OLD), A, 1, None, ""),
        (takes(FAILED), A, None, 1, "failed"),
        (takes(HELD, FAILED), A, None, 2, "failed"),
        (takes(State.UNKNOWN, FAILED), A, None, 1, "may have been made, but its answer was lost"),
        (takes(HELD), A, None, 1, "is held"),
        (takes(PLANNED, t1={"shot_id": "left out"}), A, None, 1, "is not sent"),
        (takes(GOOD, t1=OLD), A, None, None, "has no clip with the manifest's recipe"),
        ([], A, None, None, "has no clip"),
        (takes(GOOD, GOOD, GOOD), PINNED, 2, None, ""),
        (takes(GOOD, GOOD, t2=OLD), PINNED, 2, None, ""),
        (takes(GOOD, SENT, GOOD), PINNED, None, 2, "is being made"),
        (takes(GOOD, FAILED), PINNED, None, 2, "failed"),
        (takes(GOOD), PINNED, None, None, "has no take 2"),
    ],
)
def test_a_frame_comes_from(found: list[Take], frame: FrameOf, number: int | None, cause: int | None, why: str) -> None:
    source = source_of(frame, reversed(found), lambda take: take.shot_id == "a")
    assert (source.take and source.take.number, source.cause and source.cause.number, source.why) == (
        number,
        cause,
        why,
    )


FRAME = ChosenFrame("frame:a:last", 1, "a_t1", "g1", "c" * 64, "d" * 64, "frames/a_t1_last.png")


def test_what_was_recorded_holds_until_something_else_is() -> None:
    other = replace(FRAME, generation_id=None, png_sha256="e" * 64)
    at = datetime(2026, 11, 1, tzinfo=UTC)
    told = [
        (Fact.PLANNED, {}),
        (Fact.FRAMES_CHOSEN, fact_data(1, [FRAME])),
        (Fact.FRAMES_CHOSEN, fact_data(3, [other])),
    ]
    facts = [Entry(fact, at, data) for fact, data in told]
    assert [frames_recorded(facts, attempt) for attempt in (0, 1, 2, 3, 4)] == [
        *((), (FRAME,), (FRAME,), (other,), (other,)),
    ]


def test_a_frame_is_of_the_clip_that_it_was_taken_from() -> None:
    take = takes(GOOD, t1={"sha256": "c" * 64})[0]
    assert (FRAME.is_of(take), FRAME.is_of(replace(take, sha256="f" * 64)), FRAME.is_of(replace(take, take_id=2))) == (
        *(True, False, False),
    )
