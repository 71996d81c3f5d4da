"""The opener of the files that a manifest gave to shots: they are in its folder, which an output folder remembers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from wanbatch.batch.given_files import GivenFile
from wanbatch.batch.origin import Origin
from wanbatch.clip.given import OpenedFile
from wanbatch.clip.inspection import Inspection
from wanbatch.session.admission import ORIGIN_NOTE
from wanbatch.state.reader import StateReader


def given_opener(
    state: StateReader, now: Origin | None, inspection: Inspection
) -> Callable[[GivenFile], OpenedFile] | None:
    """Return what opens the files of a batch; None for a batch that a program made, which is given none.

    `now` is the manifest that is run, if one is.
    """
    folder = _folder(state, now)
    if folder is None:
        return None
    return lambda file: inspection.given(folder / file.name, file.kind.value, with_data=True)


def _folder(state: StateReader, now: Origin | None) -> Path | None:
    """Return the folder of the manifest; a project that was moved as a whole is found from the output folder."""
    if now is not None and now.is_file:
        return Path(now.absolute).parent
    origin = Origin.of(state.noted(ORIGIN_NOTE))
    if origin is None or not origin.is_file:
        return None
    beside = (state.output / origin.relative).parent if origin.relative else None
    return beside if beside is not None and beside.is_dir() else Path(origin.absolute).parent
