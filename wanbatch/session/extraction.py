"""Extraction: one exact frame of a verified clip, written as a still."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from wanbatch.batch.choice import chosen
from wanbatch.batch.frames import FrameOf, seconds_text
from wanbatch.batch.lifecycle import State
from wanbatch.batch.take import Take
from wanbatch.clip.download import sha256_of
from wanbatch.clip.worker_pool import WorkerPool
from wanbatch.disk import replacing
from wanbatch.errors import LocalFault, MediaInvalid, UsageInvalid
from wanbatch.folders import CLIPS, is_in
from wanbatch.state.reader import StateReader


@dataclass(frozen=True)
class Still:
    """A frame that was written: of which take, and where to."""

    take: Take
    file: Path


def extract(output: Path, frame: FrameOf, target: Path | None = None) -> Still:
    """Write a frame of a shot's chosen take, or of the take that it names, as a lossless PNG.

    By default to the working folder, named for take and moment. Nothing is overwritten, and no link is followed.
    Raises UsageInvalid if there is no such clip or the file exists, MediaInvalid, LocalFault.
    """
    with StateReader.open(output) as reader:
        take = _take_of(reader, frame)
    length_s = take.clip_duration_s
    if frame.at_ms is not None and length_s is not None and frame.at_ms >= 1000 * length_s:
        raise UsageInvalid(f"{take.label} has no frame at {seconds_text(frame.at_ms)} s: its clip lasts {length_s:g} s")
    file = Path(f"{take.stem}_{frame.moment}.png") if target is None else target
    if file.suffix.lower() != ".png":
        raise UsageInvalid(f"a still is a PNG: give it a name that ends in .png, not {file.name}")
    if os.path.lexists(file):
        raise UsageInvalid(
            f"{file} already exists, and wanbatch does not overwrite it: name another file with -o, or remove it"
        )
    png = _png_of(output, take, frame.moment)
    try:
        with replacing(file) as part:
            part.write_bytes(png)
    except OSError as error:
        raise LocalFault(f"cannot write {file}: {error.strerror or error}") from error
    return Still(take, file)


def _take_of(reader: StateReader, frame: FrameOf) -> Take:
    takes = reader.takes_of_shots([frame.shot_id])
    if not takes:
        is_known = frame.shot_id in {row.shot_id for row in reader.shots()}
        raise UsageInvalid(f"{frame.shot_id} has no takes" if is_known else f"there is no shot '{frame.shot_id}'")
    if frame.take is None:
        found = chosen(takes)
    else:
        found = next((take for take in takes if take.number == frame.take), None)
        if found is None:
            raise UsageInvalid(f"{frame.shot_id} has no take {frame.take}")
    if found is None or found.state is not State.VERIFIED:
        raise UsageInvalid(f"{frame.shot_id if found is None else found.label} has no clip")
    return found


def _png_of(output: Path, take: Take, moment: str) -> bytes:
    if take.file is None or not is_in(output, CLIPS, take.file):
        raise UsageInvalid(f"{take.label} has no clip in the folder of the clips")
    clip = output / take.file
    try:
        is_same = sha256_of(clip) == take.sha256
    except OSError as error:
        raise LocalFault(f"the clip of {take.label} cannot be read: {error.strerror or error}") from error
    if not is_same:
        raise UsageInvalid(
            f"the clip of {take.label} is not the one that was verified: `wanbatch verify --fetch` fetches it again"
        )
    with closing(WorkerPool()) as workers:
        try:
            return workers.frame(clip, moment)
        except MediaInvalid as error:
            raise UsageInvalid(f"{take.label} has no such frame: {error}") from error
