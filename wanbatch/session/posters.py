"""Posters: the stills of the contact sheet, made again where a clip is there and its still is not."""

from __future__ import annotations

import os
from pathlib import Path

from wanbatch.batch.take import Take
from wanbatch.clip.inspection import Inspection
from wanbatch.clip.worker_pool import WorkerPool
from wanbatch.disk import replacing
from wanbatch.errors import MediaInvalid, WanbatchError
from wanbatch.folders import CLIPS, POSTERS, only_in
from wanbatch.state.reader import StateReader


def write_poster_of(output: Path, take: Take, inspection: Inspection) -> None:
    """Draw the still of a verified clip. Raises OSError, or what the inspection does."""
    assert take.file is not None
    posters = output / POSTERS
    posters.mkdir(exist_ok=True)
    jpeg = inspection.poster(output / take.file)
    with replacing(posters / f"{take.stem}.jpg") as part:
        part.write_bytes(jpeg)


def missing_posters(reader: StateReader) -> list[Take]:
    """Return the verified takes whose clip is in the folder and whose still is not."""
    output, clips = reader.output, reader.clips()
    files = only_in(output, CLIPS, [file for _, file in clips])
    pairs = zip((take_id for take_id, _ in clips), files, strict=True)
    return [reader.take(take_id) for take_id, file in pairs if file is not None and _lacks_poster(output, file)]


def _lacks_poster(output: Path, file: str) -> bool:
    """Say whether a clip is there and its still is not: of 100,000 clips in a second."""
    poster = f"{output}/{POSTERS}/{file.rpartition('/')[2].removesuffix('.mp4')}.jpg"
    return os.path.isfile(f"{output}/{file}") and not os.path.lexists(poster)  # noqa: PTH113


def make_missing_posters(reader: StateReader) -> None:
    """Draw every still that is missing. One that cannot be drawn stays so: a page does without it, and nothing ends."""
    missing = missing_posters(reader)
    if not missing:
        return
    workers = WorkerPool()
    try:
        for take in missing:
            try:
                write_poster_of(reader.output, take, workers)
            except MediaInvalid:
                continue  # of this clip alone
            except (OSError, WanbatchError):
                return  # of this machine or program: the next one would meet it too
    finally:
        workers.close()
