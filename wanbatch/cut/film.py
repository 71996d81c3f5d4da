"""The film: the chosen takes of an output folder in one file, with slates for missing shots and chapters by scene."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wanbatch.batch.selection import EVERY_SHOT, Selection
from wanbatch.cut.assembly import assemble
from wanbatch.cut.join import Sources, join, slate_misfit
from wanbatch.cut.slate import Card, Picture, draw_card
from wanbatch.cut.timeline import Piece, Timeline, fps_text
from wanbatch.disk import free_bytes, make_folder, replacing
from wanbatch.errors import LocalFault, UsageInvalid
from wanbatch.folders import CLIPS
from wanbatch.state.reader import STATE_NAME
from wanbatch.units import size_text

CUT_NAME = "cut.mp4"
ENCODED_BYTES_PER_PIXEL = 0.02  # bytes for a frame of a busy picture at this quality, generously
SOUND_BYTES_PER_S = 24_000
MISFITS_SHOWN = 40

OnFrames = Callable[[Piece, int, Timeline], None]
"""Is called with a piece, how many of its frames are written, and the timeline."""


@dataclass(frozen=True)
class CutOptions:
    """How to cut. `target` None is `cut.mp4` in the output folder; the shots that are `wanted` are in it."""

    target: Path | None = None
    wanted: Selection = EVERY_SHOT
    reencode: bool = False
    slates: bool = True


def make_cut(output: Path, options: CutOptions, on_frames: OnFrames = lambda *_: None) -> Timeline:
    """Write the cut of an output folder and return what is in it. A crash leaves the old file or the new one.

    Raises UsageInvalid if nothing can be cut, or clips differ and `reencode` is off; LocalFault if the
    disk is full or fails.
    """
    target = _target(output, options)
    timeline = assemble(output, options.wanted, with_holes=options.slates)
    if not options.reencode:
        _assert_joinable(timeline)
    try:
        make_folder(target.parent)
        _assert_room(target.parent, output, timeline, options)
    except OSError as error:
        raise LocalFault(f"cannot write {target}: {error.strerror}") from error
    sources = Sources(
        clip=lambda piece: _clip_of(output, piece),
        slate=lambda piece: _slate_of(piece, timeline),
        on_frames=lambda piece, frames: on_frames(piece, frames, timeline),
    )
    try:
        with replacing(target) as part:
            join(timeline, sources, part, reencode=options.reencode)
    except OSError as error:
        raise LocalFault(f"cannot write {target}: {error.strerror}") from error
    return timeline


def _target(output: Path, options: CutOptions) -> Path:
    target = options.target if options.target is not None else output / CUT_NAME
    if target.suffix.lower() != ".mp4":
        raise UsageInvalid(f"a cut is an MP4: give it a name that ends in .mp4, not {target.name}")
    if target.resolve().is_relative_to((output / CLIPS).resolve()) or target.name == STATE_NAME:
        raise UsageInvalid(f"{target} is the folder of the clips: name another place")
    if target.is_dir():
        raise UsageInvalid(f"{target} is a folder: name a file in it")
    return target


def _assert_joinable(timeline: Timeline) -> None:
    like = timeline.format
    misfits = timeline.misfits
    if misfits:
        lines = [f"  {label}: {', '.join(differences)}" for label, differences in misfits[:MISFITS_SHOWN]]
        if len(misfits) > MISFITS_SHOWN:
            lines.append(f"  ... and {len(misfits) - MISFITS_SHOWN} more")
        raise UsageInvalid(
            f"{len(misfits)} of {len(timeline.pieces) - len(timeline.holes)} clips cannot be joined as they are with"
            f" the rest ({like.codec}, {like.size}, {fps_text(like.fps)} fps):\n"
            + "\n".join(lines)
            + f"\nadd --reencode to convert them, or choose clips that fit together with --only{_example(timeline)}"
        )
    why = slate_misfit(like) if timeline.holes else ""
    if why:
        raise UsageInvalid(f"{why}: add --reencode, or --no-slates to leave the missing shots out")


def _example(timeline: Timeline) -> str:
    """Return shots by their common begin whose clips can be joined as they are; empty if no such begin is known."""
    misfits = {label for label, _ in timeline.misfits}
    fits: dict[str, list[bool]] = {}
    for piece in timeline.pieces:
        begin, mark, _ = piece.choice.shot.shot_id.partition("_")
        if piece.clip is not None and mark:
            fits.setdefault(begin, []).append(piece.label not in misfits)
    best = max((begin for begin, all_ in fits.items() if all(all_)), key=lambda begin: len(fits[begin]), default="")
    return f" (such as --only '{best}_*')" if best else ""


def _assert_room(folder: Path, output: Path, timeline: Timeline, options: CutOptions) -> None:
    needed = float(timeline.duration_s) * SOUND_BYTES_PER_S
    if options.reencode:
        needed += timeline.frames * timeline.format.width * timeline.format.height * ENCODED_BYTES_PER_PIXEL
    else:
        needed += sum(_clip_of(output, piece).stat().st_size for piece in timeline.pieces if piece.clip is not None)
    free = free_bytes(folder)
    if free < needed:
        raise LocalFault(
            f"{folder} has {size_text(free)} free; the cut may need {size_text(needed)}. Make room, or"
            " write it elsewhere with -o"
        )


def _clip_of(output: Path, piece: Piece) -> Path:
    assert piece.choice.take is not None
    assert piece.choice.take.file is not None
    return output / piece.choice.take.file


def _slate_of(piece: Piece, timeline: Timeline) -> Picture:
    like, shot = timeline.format, piece.choice.shot
    seconds = f"{float(piece.frames / like.fps):g} s"
    card = Card(
        project=timeline.title,
        scene=shot.scene or shot.sequence,
        shot=shot.shot_id,
        take="MISSING",
        length=f"{seconds}, {piece.frames} frames at {fps_text(like.fps)} fps",
        why=piece.choice.note,
    )
    return draw_card(card, like.width, like.height)
