"""Gathering: what an output folder still holds of a batch whose state file is lost: run.log, sidecars, frames.

Files are only read here. A clip or a frame counts as what its sidecar says only if its bytes have that hash.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from wanbatch.batch.shots import Batch
from wanbatch.batch.take import Entry
from wanbatch.clip.download import sha256_of
from wanbatch.errors import UsageInvalid
from wanbatch.folders import CLIPS, FRAMES, is_in
from wanbatch.runner.log import LOG_NAME
from wanbatch.session.reconstruction import Evidence, nonce_in
from wanbatch.session.traces import Sidecar, is_line, read_event, read_sidecar
from wanbatch.state.reader import STATE_NAME
from wanbatch.state.tables import Identity

SIDECAR_CAP_BYTES = 1024 * 1024


def gather(
    output: Path, batch: Batch, identity: Identity | None, kept: Mapping[int, tuple[str, Sequence[Entry]]]
) -> Evidence:
    """Return what the folder tells; `identity` and `kept` are what could be read of the old state file.

    Raises UsageInvalid if there is no trace of an earlier run.
    """
    log = output / LOG_NAME
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() and not log.is_symlink() else ""
    lines = [line for line in text.split("\n") if line]
    events = [found for found in map(read_event, lines) if found is not None]
    is_torn = not all(map(is_line, lines))
    clips = output / CLIPS
    paths = sorted(clips.glob("*.json")) if clips.is_dir() and not clips.is_symlink() else []
    sidecars = [found for found in map(sidecar_at, paths) if found is not None]
    sent = [(entry.at, str(entry.data["request_id"])) for _, entry in events if "request_id" in entry.data]
    sent += [(each.at("submitted_at"), request_id) for each in sidecars for request_id in each.request_ids]
    nonce = identity.nonce if identity is not None else nonce_in(sent)
    if nonce is None:
        raise UsageInvalid(
            f"{output} holds no trace of an earlier run: no {STATE_NAME} that can be read, no submit in {LOG_NAME},"
            " no clip with its sidecar. If the batch never sent anything, start over with `wanbatch run --fresh`"
        )
    whole = [_looked_at(output, each) for each in sidecars]
    return Evidence(batch, nonce, "", kept, events, whole, is_torn=is_torn)


def sidecar_at(path: Path) -> Sidecar | None:
    """Read a sidecar; None for anything else, or if it is not that of the clip beside it."""
    try:
        info = path.lstat()
        if not stat.S_ISREG(info.st_mode) or info.st_size > SIDECAR_CAP_BYTES:
            return None
        found = read_sidecar(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None
    return found if found is not None and found.file_label == path.stem else None


def _looked_at(output: Path, sidecar: Sidecar) -> Sidecar:
    """Hold a sidecar against the bytes of its clip, and of the frames that it names."""
    clip = output / CLIPS / f"{sidecar.file_label}.mp4"
    other = tuple(each.file for each in sidecar.frames if _is_another(output, each.file, each.png_sha256))
    found = replace(sidecar, other_frames=frozenset(other))
    try:
        is_file = stat.S_ISREG(clip.lstat().st_mode) and sidecar.told["file"] == f"{CLIPS}/{clip.name}"
        return replace(found, is_whole=is_file and sha256_of(clip) == sidecar.told["sha256"])
    except OSError:
        return found


def _is_another(output: Path, file: str, png_sha256: str) -> bool:
    """Say whether a frame is there with other bytes than were sent, or cannot be one. One that is gone may be."""
    if not is_in(output, FRAMES, file):
        return True
    path = output / file
    try:
        return path.exists() and sha256_of(path) != png_sha256
    except OSError:
        return False
