"""Assembly: the timeline of an output folder, from the chosen takes in story order and their measured clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from wanbatch.batch.choice import Choice, choices
from wanbatch.batch.drift import Drift, Step
from wanbatch.batch.frames import may_hold_frames, opening_frame
from wanbatch.batch.selection import EVERY_SHOT, Selection, places_of
from wanbatch.batch.take import Take
from wanbatch.cut.source import measure
from wanbatch.cut.timeline import Join, Measured, Piece, Timeline, lay_out
from wanbatch.errors import MediaInvalid, UsageInvalid
from wanbatch.folders import CLIPS, is_in
from wanbatch.state.drifts import read_step
from wanbatch.state.reader import StateReader
from wanbatch.state.shown import shown_text


def assemble(output: Path, wanted: Selection = EVERY_SHOT, *, with_holes: bool = True) -> Timeline:
    """Lay out the cut of an output folder; works while a run goes on.

    Only the shots that are `wanted` are in it. A clip that is not on disk as it was recorded is a hole. Raises
    UsageInvalid if no shot is selected, or none has a clip.
    """
    with StateReader.open(output) as reader, reader.snapshot():
        batch, shots, takes, own = reader.batch(), reader.shots(), reader.takes(), reader.own_cells()
        is_sandbox, openings = reader.identity().sandbox, _read_openings(reader, takes)
    wanted = replace(wanted, places=places_of(shots))
    every = (replace(choice, own=own.get(choice.shot.shot_id, {})) for choice in choices(shots, takes))
    chosen = [choice for choice in every if wanted.has(choice.shot.shot_id)]
    if not chosen:
        raise UsageInvalid(f"no shot of the story matches {wanted.words}" if wanted.words else "the story has no shots")
    clips: dict[int, Measured] = {}
    told = []
    for choice in chosen:
        found = None if choice.take is None else _measured(output, choice.take)
        if choice.take is not None and isinstance(found, Measured):
            clips[choice.take.take_id] = found
            told.append(choice)
        else:
            told.append(_hole(output, choice, found))
    timeline = lay_out(batch, told, clips, with_holes=with_holes)
    return replace(timeline, pieces=_joined(timeline.pieces, openings), is_sandbox=is_sandbox)


def _joined(pieces: Sequence[Piece], openings: Mapping[int, Step]) -> tuple[Piece, ...]:
    """Mark the pieces that begin with a frame of the clip before them, as it is in the cut."""
    pairs = zip((None, *pieces), pieces, strict=False)
    return tuple(replace(piece, join=_join(before, piece, openings)) for before, piece in pairs)


def _join(before: Piece | None, piece: Piece, openings: Mapping[int, Step]) -> Join | None:
    source = None if before is None or before.clip is None else before.choice.take
    take = None if piece.clip is None else piece.choice.take
    step = None if take is None else openings.get(take.take_id)
    if source is None or take is None or step is None or step.frame is None or not step.frame.is_of(source):
        return None
    opening = opening_frame(take.recipe.body)
    return Join(source.label, "" if opening is None else opening.moment, Drift((step,)).psnr_db)


def _read_openings(reader: StateReader, takes: Sequence[Take]) -> dict[int, Step]:
    """Return the takes that continue from others, with the frames that they begin with, by take id."""
    steps = ((take.take_id, read_step(reader, take.take_id)) for take in takes if may_hold_frames(take.recipe_json))
    return {take_id: step for take_id, step in steps if step is not None}


def _hole(output: Path, choice: Choice, why: str | Measured | None) -> Choice:
    note = choice.note if why is None else f"{why}: `wanbatch verify` offers to fetch it again"
    return replace(choice, take=None, note=shown_text(note, output))


def _measured(output: Path, take: Take) -> Measured | str:
    """Measure the clip of a take; or say why it cannot be used."""
    if take.file is None or not is_in(output, CLIPS, take.file):
        return f"the file of take {take.number} is not in this folder"
    path = output / take.file
    try:
        if path.stat().st_size != take.size_bytes:
            return f"the clip of take {take.number} is not as recorded"
        return measure(path)
    except OSError as error:
        return f"the clip of take {take.number} is not on disk ({error.strerror})"
    except MediaInvalid as error:
        return f"the clip of take {take.number} cannot be read ({error})"
