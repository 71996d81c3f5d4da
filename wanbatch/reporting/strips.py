"""Strips: the chains of a batch as rows of clips, with the frames that join them and lines of how they change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wanbatch.batch.chosen_frames import ChosenFrame, closing_of, frames_recorded, opening_of
from wanbatch.batch.drift import JUMP_DB, SAME, Change, Drift
from wanbatch.batch.frames import frame_in
from wanbatch.batch.take import Take
from wanbatch.folders import FRAMES, is_in
from wanbatch.reporting.given import Given

WIDTH, HEIGHT, EDGE = 120, 24, 2  # of a line, in the units of its SVG
MOST = 4.0  # of a share that a line shows: what is sharper still would flatten all else
UNKNOWN = "not measured"
ENDS = "of the first and the last frame against the chain's first frame"
JOINS = "after the joins so far, against the chain's first frame"


@dataclass(frozen=True)
class Line:
    """A small line of one measure: the points of its SVG, in pieces where some are unknown, and the same in words.

    `base_y` is where the chain's first frame stands.
    """

    name: str
    pieces: tuple[str, ...]
    base_y: float
    end: str
    words: str


@dataclass(frozen=True)
class GivenFrame:
    """A frame that a clip was given: its file, empty if that is gone; whose it is; and how well the clip meets it.

    `is_broken` if it meets it so badly that wanbatch warns of it.
    """

    file: str
    words: str
    jump: str
    is_broken: bool = False


@dataclass(frozen=True)
class Cell:
    """A clip of a strip: how its card shows it, and the frames that it begins and ends with."""

    shown: Mapping[str, Any]
    label: str
    frame: GivenFrame | None
    closing: GivenFrame | None


@dataclass(frozen=True)
class Strip:
    """Clips of which each begins with a frame of the one before; `lines` are empty if nothing of them is measured."""

    cells: tuple[Cell, ...]
    lines: tuple[Line, ...]


def strips_of(shown: Mapping[int, tuple[Take, Mapping[str, Any]]], given: Given, output: Path) -> list[Strip]:
    """Return the chains of takes, given with how each is shown, by id. Each further branch is a strip of its own."""
    by_id = {take_id: take for take_id, (take, _) in shown.items()}
    recorded = {
        take_id: frames_recorded(given.frames.get(take_id, ()), take.attempt) for take_id, take in by_id.items()
    }
    frames = {take_id: opening_of(take, recorded[take_id]) for take_id, take in by_id.items()}
    closings = {take_id: closing_of(take, recorded[take_id]) for take_id, take in by_id.items()}
    after: dict[int, list[int]] = {}
    heads = []
    for take_id, frame in frames.items():
        if frame is not None and frame.take_id in by_id:
            after.setdefault(frame.take_id, []).append(take_id)
        else:
            heads.append(take_id)
    found: list[Strip] = []
    left = list(reversed([head for head in heads if head in after or frames[head] or closings[head]]))
    while left:
        row = [left.pop()]
        while after.get(row[-1]):
            following, *branches = after.pop(row[-1])
            left += reversed(branches)
            row.append(following)
        cells = tuple(
            _cell(by_id[each], shown[each][1], (frames[each], closings[each]), (given, output)) for each in row
        )
        found.append(Strip(cells, _lines([by_id[each] for each in row], given)))
    return found


def _cell(
    take: Take,
    shown: Mapping[str, Any],
    frames: tuple[ChosenFrame | None, ChosenFrame | None],
    of: tuple[Given, Path],
) -> Cell:
    (frame, closing), (given, output) = frames, of
    drift = given.drifts.get(take.take_id)
    psnr_db, closing_db = (None, None) if drift is None else (drift.psnr_db, drift.line[-1].closing_psnr_db)
    return Cell(shown, take.label, _given(frame, psnr_db, output), _given(closing, closing_db, output))


def _given(frame: ChosenFrame | None, psnr_db: float | None, output: Path) -> GivenFrame | None:
    if frame is None:
        return None
    is_there = is_in(output, FRAMES, frame.file) and (output / frame.file).is_file()
    jump = UNKNOWN if psnr_db is None else f"PSNR {psnr_db:.1f} dB"
    is_broken = psnr_db is not None and psnr_db < JUMP_DB
    return GivenFrame(frame.file if is_there else "", _words_of(frame), jump, is_broken)


def _words_of(frame: ChosenFrame) -> str:
    found = frame_in(frame.reference)
    return f"a frame of {frame.take}" if found is None else f"{str(found).partition(' of ')[0]} of {frame.take}"


def _lines(takes: Sequence[Take], given: Given) -> tuple[Line, ...]:
    drifts = [given.drifts.get(take.take_id) for take in takes]
    pairs = [_changes(drift, given) for drift in drifts]
    what = JOINS if given.are_slates else ENDS
    if not any(change is not None for pair in pairs for change in pair):
        return ()
    labels = [take.label for take in takes]
    measures: tuple[tuple[str, Callable[[Change], float | None], Callable[[float], str], float], ...] = (
        ("sharpness", lambda change: change.sharpness, lambda value: f"{value:.0%}", 1.0),
        ("contrast", lambda change: change.contrast, lambda value: f"{value:.0%}", 1.0),
        ("colour", lambda change: change.colour, lambda value: f"{value:.1f} levels", 0.0),
    )
    return tuple(
        _line(name, [tuple(_value(change, value) for change in pair) for pair in pairs], labels, (what, text, base))
        for name, value, text, base in measures
    )


def _changes(drift: Drift | None, given: Given) -> tuple[Change | None, ...]:
    """Return what is drawn of a clip: its first and its last frame; of a slate, whose text differs, its join alone."""
    if not given.are_slates:
        return (None, None) if drift is None else (drift.first, drift.last)
    if drift is not None and len(drift.line) == 1 and drift.line[0].frame is None:
        return (SAME,)
    return (None if drift is None else drift.joins,)


def _value(change: Change | None, value: Callable[[Change], float | None]) -> float | None:
    return None if change is None else value(change)


def _line(
    name: str,
    pairs: Sequence[tuple[float | None, ...]],
    labels: Sequence[str],
    how: tuple[str, Callable[[float], str], float],
) -> Line:
    what, text, base = how
    values = [value for pair in pairs for value in pair]
    known = [value for value in values if value is not None]
    top = max(1.0, *(min(each, MOST) if base else each for each in known), 0.0)
    step = (WIDTH - 2 * EDGE) / max(1, len(values) - 1)

    def y_of(value: float) -> float:
        return round(HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * min(value, top) / top, 1)

    points = [
        None if value is None else f"{round(EDGE + place * step, 1):g},{y_of(value):g}"
        for place, value in enumerate(values)
    ]
    told = [
        f"{label} {' and '.join(UNKNOWN if each is None else text(each) for each in pair)}"
        for label, pair in zip(labels, pairs, strict=True)
    ]
    last = values[-1]
    return Line(
        name=name,
        pieces=tuple(_pieces(points)),
        base_y=y_of(base),
        end=UNKNOWN if last is None else text(last),
        words=f"{name} {what}: {', '.join(told)}",
    )


def _pieces(points: Iterable[str | None]) -> list[str]:
    """Return runs of points that are known, each as one text."""
    found: list[list[str]] = [[]]
    for point in points:
        if point is None:
            found.append([])
        else:
            found[-1].append(point)
    return [" ".join(each) for each in found if each]
