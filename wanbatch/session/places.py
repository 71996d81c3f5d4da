"""The places of shots that the provider refused: in which line of its manifest each is to be changed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from wanbatch.batch.lifecycle import State
from wanbatch.errors import ManifestInvalid
from wanbatch.manifest.cache import Manifest
from wanbatch.state.file import StateFile
from wanbatch.state.findings import PLACES_NOTE, places_text


def places_in(manifest: Manifest) -> Callable[[], dict[str, str]]:
    """Return a function that reads where a manifest names each shot: `shots.yaml line 7`, by shot id."""

    def read() -> dict[str, str]:
        with suppress(ManifestInvalid):  # changed meanwhile
            batch = manifest.batch()
            name = Path(batch.source).name
            return {shot.id: f"{name} line {shot.line}" for shot in batch.shots if shot.line}
        return {}

    return read


def keep_places(state: StateFile, read_places: Callable[[], dict[str, str]]) -> None:
    """Keep the places of shots with a failed take, which screens and pages name; reads no manifest without one."""
    failed = {take.shot_id for take in state.takes_in([State.FAILED]) if not take.superseded}
    places = read_places() if failed else {}
    found = {shot_id: place for shot_id, place in places.items() if shot_id in failed}
    if found:
        state.note(PLACES_NOTE, places_text(found))
