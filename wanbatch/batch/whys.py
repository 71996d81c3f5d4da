"""Whys: why a shot has the take that it has, why it waits or is stale, back to the cause. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wanbatch.batch.chained_takes import ChainedTakes, Join
from wanbatch.batch.choice import OLDER, why_superseded
from wanbatch.batch.lifecycle import State, state_words
from wanbatch.batch.take import Take


@dataclass(frozen=True)
class Why:
    """One reason: what is so, and how far it is from the shot that was asked about. `shot_id` is whose it is."""

    depth: int
    shot_id: str
    text: str


def whys_of(shot_id: str, takes: Sequence[Take], chained: ChainedTakes) -> list[Why]:
    """Return why a shot stands as it does; `takes` are those of the shot. A cause follows its effect."""
    return list(_of_shot(shot_id, takes, chained, 0, {shot_id}))


def _of_shot(shot_id: str, takes: Sequence[Take], chained: ChainedTakes, depth: int, told: set[str]) -> Iterator[Why]:
    take = _standing(takes)
    if take is None:
        yield Why(depth, shot_id, f"{shot_id} has no take")
        return
    yield Why(depth, shot_id, _state_text(take, takes))
    for join in chained.joins(take):
        yield Why(depth, shot_id, _join_text(join))
        other = join.frame.shot_id
        if other not in told and (join.source.take is None or join.is_stale):
            told.add(other)
            yield from _of_shot(other, chained.takes.get(other, ()), chained, depth + 1, told)


def _standing(takes: Sequence[Take]) -> Take | None:
    mine = sorted(takes, key=lambda take: take.number)
    return next(
        reversed([take for take in mine if take.circled] or [t for t in mine if not t.superseded] or mine), None
    )


def _state_text(take: Take, takes: Sequence[Take]) -> str:
    words = "to be sent" if take.state is State.PLANNED else state_words(take.state.value)
    marks = [*(["circled"] if take.circled else []), *(["a retake"] if take.is_retake else [])]
    older = why_superseded(take, takes) if take.superseded else ""
    marks += [f"{older} than the manifest's" if older == OLDER else older] if older else []
    text = f"{take.label} is {words}" if take.state is not State.FAILED else f"{take.label} failed"
    told = f": {take.error}" if take.error and take.state in (State.FAILED, State.HELD, State.UNKNOWN) else ""
    return f"{text}{' (' + ', '.join(marks) + ')' if marks else ''}{told}"


def _join_text(join: Join) -> str:
    """Say what a frame is of, or would be."""
    if join.given is None:
        if join.source.take is not None:
            is_sent = join.take.attempts > 0
            return f"it continues from {join.frame}" + (
                "; it is not known which of its takes gave the frame" if is_sent else ""
            )
        return f"it continues from {join.frame}, and waits for {join.why_missing}"
    number = join.given.take.rpartition("_t")[2]
    made = f"it was made from {join.frame}" + (f", take {number}" if join.frame.take is None else "")
    if not join.is_stale or join.source.take is None:
        return made
    chosen = "is circled" if join.source.take.circled else "is the newest verified one"
    return f"{made}; {join.source.take.label} {chosen} now"
