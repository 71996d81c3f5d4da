"""What a shell may complete: output folders, shots, takes, scenes and tags, from manifests and state files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from wanbatch.errors import WanbatchError
from wanbatch.manifest import load_manifest
from wanbatch.session.which_run import candidates, newest_output
from wanbatch.state.reader import STATE_NAME, StateReader

SHOWN = 500
_FAULTS = (WanbatchError, OSError, ValueError)  # a key that completes nothing is better than one that prints an error


def runs(begin: str) -> list[str]:
    """Return the output folders that begin so, the most recently used first."""
    try:
        return _first(begin, (str(each.output) for each in candidates()))
    except _FAULTS:
        return []


def shots(begin: str, run: Path | None = None, *, with_takes: bool = False) -> list[str]:
    """Return the ids of the shots of an output folder, the newest if it is None; with takes as SHOT:TAKE, too."""
    try:
        with StateReader.open(run if run is not None else newest_output()) as reader:
            ids = [row.shot_id for row in reader.shots() if not row.removed]
            if not with_takes:
                return _first(begin, ids)
            return _first(begin, [*ids, *(f"{take.shot_id}:{take.number}" for take in reader.takes())])
    except _FAULTS:
        return []


def choices(begin: str, manifest: Path | None) -> list[str]:
    """Return what --only and --except take: ids, scene:NAME and tag:NAME, of a manifest or of the newest folder."""
    try:
        if manifest is not None:
            found = [(shot.id, shot.scene, shot.tags) for shot in load_manifest(manifest).shots]
        else:
            with StateReader.open(newest_output()) as reader:
                found = [(row.shot_id, row.scene, row.tags) for row in reader.shots() if not row.removed]
    except _FAULTS:
        return []
    scenes = dict.fromkeys(f"scene:{scene}" for _, scene, _ in found if scene)
    tags = dict.fromkeys(f"tag:{tag}" for _, _, mine in found for tag in mine)
    return _first(begin, [*(shot_id for shot_id, _, _ in found), *scenes, *tags])


def run_in(names: Sequence[str]) -> Path | None:
    """Return the output folder that comes first among names; None if none does."""
    return Path(names[0]) if names and (Path(names[0]) / STATE_NAME).is_file() else None


def _first(begin: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(begin)][:SHOWN]
