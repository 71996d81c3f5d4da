"""Rebuilt chains: which frames takes were made from, and what was measured of their clips, put together again. Pure.

A frame is known by the hashes of its clip and of its PNG. Whose clip that is follows from the generation, since a
rebuilt take may have a different number from before. A frame that no record tells stays unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from wanbatch.batch.chosen_frames import ChosenFrame, fact_data, frames_recorded
from wanbatch.batch.frames import frames_in, may_hold_frames
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.take import Entry, Take
from wanbatch.session.rebuilt_take import RebuiltTake
from wanbatch.session.traces import Sidecar, read_frame, read_measured

NO_TAKE = 0  # take ids begin with 1: the clip of a frame whose take is lost belongs to none of those that are known
_NOT_SENT = (State.PLANNED, State.FAILED)


def has_unknown_frame(take: Take, entries: Sequence[Entry]) -> bool:
    """Say whether a take was sent with a frame of another shot, and it is not known of which clip."""
    if take.state in _NOT_SENT or not may_hold_frames(take.recipe_json):
        return False
    known = {each.reference for each in frames_recorded(entries, take.attempt)}
    return any(each.text not in known for each in frames_in(take.recipe.body))


def restore_chains(rebuilt: Mapping[str, RebuiltTake], sidecars: Sequence[Sidecar]) -> None:
    """Give rebuilt takes, by label, their frames and measures."""
    of_generation = {
        str(each.take.generation_id): each.take.take_id
        for each in rebuilt.values()
        if each.take.generation_id is not None
    }
    of_clip = {str(each.take.sha256): each.take.take_id for each in rebuilt.values() if each.take.sha256 is not None}

    def with_owner(frame: ChosenFrame) -> ChosenFrame:
        made_by = of_generation.get(frame.generation_id or "", of_clip.get(frame.clip_sha256, NO_TAKE))
        return replace(frame, take_id=made_by)

    for each in rebuilt.values():
        _read_again(each, with_owner)
    for sidecar in sidecars:
        mine = rebuilt.get(sidecar.label)
        if mine is not None and mine.take.generation_id == sidecar.told["generation_id"]:
            _give_frames(mine, sidecar, [with_owner(frame) for frame in sidecar.frames])
            _give_measures(mine, sidecar)


def _read_again(rebuilt: RebuiltTake, with_owner: Callable[[ChosenFrame], ChosenFrame]) -> None:
    """Give the frames of run.log their takes of now, and leave out what a state file could not read."""
    kept = []
    for entry in rebuilt.entries:
        if entry.fact is Fact.FRAMES_CHOSEN:
            found = _frames_in(entry)
            if found is not None:
                attempt, frames = found
                kept.append(replace(entry, data=fact_data(attempt, [with_owner(each) for each in frames])))
        elif entry.fact is not Fact.MEASURED or read_measured(entry.data) is not None:
            kept.append(entry)
    rebuilt.entries = kept  # neither fact moves a take


def _frames_in(entry: Entry) -> tuple[int, list[ChosenFrame]] | None:
    attempt, told = entry.data.get("attempt"), entry.data.get("frames")
    if not isinstance(attempt, int) or isinstance(attempt, bool) or not isinstance(told, list):
        return None
    frames = [read_frame(each) for each in told]
    whole = [each for each in frames if each is not None]
    return (attempt, whole) if len(whole) == len(frames) else None


def _give_frames(rebuilt: RebuiltTake, sidecar: Sidecar, frames: Sequence[ChosenFrame]) -> None:
    """Put what the sidecar tells before the submit that made its clip, unless it is known."""
    attempt, known = rebuilt.take.attempt, frames_recorded(rebuilt.entries, rebuilt.take.attempt)
    if not frames or {_bytes_of(each) for each in frames} <= {_bytes_of(each) for each in known}:
        return
    places = (
        place
        for place, each in enumerate(rebuilt.entries)
        if each.fact is Fact.SUBMIT_STARTED and each.data["attempt"] == attempt
    )
    entry = Entry(Fact.FRAMES_CHOSEN, sidecar.at("submitted_at"), fact_data(attempt, frames))
    rebuilt.put(next(places, 1), entry)  # else right behind the fact that it was planned


def _give_measures(rebuilt: RebuiltTake, sidecar: Sidecar) -> None:
    measured = sidecar.measured
    known = {each.data["clip_sha256"] for each in rebuilt.entries if each.fact is Fact.MEASURED}
    if measured is not None and measured.clip_sha256 == rebuilt.take.sha256 and measured.clip_sha256 not in known:
        rebuilt.add(Fact.MEASURED, sidecar.at("verified_at"), measured.told)


def _bytes_of(frame: ChosenFrame) -> tuple[str, str, str]:
    return frame.reference, frame.clip_sha256, frame.png_sha256
