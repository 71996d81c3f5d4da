"""Assembly: the timeline of an output folder, from the chosen takes in story order and their measured clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from wanbatch.batch.choice import Choice, choices
from wanbatch.batch.drift import Drift, Step
from wanbatch.batch.frames import Edge, may_hold_frames
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
        is_sandbox, steps = reader.identity().sandbox, _read_steps(reader, takes)
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
    return replace(timeline, pieces=_joined(timeline.pieces, steps), is_sandbox=is_sandbox)


def _joined(pieces: Sequence[Piece], steps: Mapping[int, Step]) -> tuple[Piece, ...]:
    """Mark the pieces that show at their first frame what the clip before them, as it is in the cut, ends with."""
    pairs = zip((None, *pieces), pieces, strict=False)
    return tuple(replace(piece, join=_join(before, piece, steps)) for before, piece in pairs)


def _join(before: Piece | None, piece: Piece, steps: Mapping[int, Step]) -> Join | None:
    """Return how a piece continues from the one before it: only the last frame of that one leads over to it."""
    source = None if before is None or before.clip is None else before.choice.take
    take = None if piece.clip is None else piece.choice.take
    if source is None or take is None:
        return None
    step, earlier = steps.get(take.take_id), steps.get(source.take_id)
    opening = None if step is None else step.frame
    closing = None if earlier is None else earlier.closing
    if step is not None and opening is not None and opening.is_of(source) and opening.moment == Edge.LAST:
        return Join(source.label, Edge.LAST, Drift((step,)).psnr_db)
    if closing is not None and closing.is_of(take) and closing.moment == Edge.FIRST:
        return Join(source.label, Edge.FIRST, None if earlier is None else earlier.closing_psnr_db)
    return None


def _read_steps(reader: StateReader, takes: Sequence[Take]) -> dict[int, Step]:
    """Return the takes that are given frames of others, with these frames, by take id."""
    steps = ((take.take_id, read_step(reader, take.take_id)) for take in takes if may_hold_frames(take.recipe_json))
    return {take_id: step for take_id, step in steps if step is not None}


def _hole(output: Path, choice: Choice, why: str | Measured | None) -> Choice:
    note = choice.note if why is None else f"{why}: `wanbatch verify --fetch` fetches it again"
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
