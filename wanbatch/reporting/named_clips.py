"""The clips under names of the user's own: second names in the folder `named`, made again with each report.

The clips themselves stay where the state file knows them, so a manifest may change its `names` at any time. The folder
holds `names.json`, which says which of its files are ours: no other is touched.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from wanbatch.batch.lifecycle import State
from wanbatch.batch.plan import ShotRow
from wanbatch.batch.take import Take
from wanbatch.disk import own_folder, replace_text, second_name
from wanbatch.folders import CLIPS, NAMED, is_in
from wanbatch.manifest.clip_names import NamedTake, stem_of
from wanbatch.reporting.record import Record, values_of

INDEX = "names.json"


def place_named_clips(record: Record) -> None:
    """Give each verified clip its name in the folder `named`, and take away the names that no clip has any more.

    Without a pattern in the manifest there is no such folder. Raises OSError, LocalFault.
    """
    folder = record.output / NAMED
    if not record.clip_names and not folder.is_dir():
        return
    folder = own_folder(record.output, NAMED)
    wanted, known = _wanted(record) if record.clip_names else {}, _known(folder / INDEX)
    for name in known.keys() - wanted.keys():
        _remove(folder / name)
    placed = {}
    for name, told in wanted.items():
        path, is_ours = folder / name, name in known
        if path.is_symlink() or (path.exists() and not is_ours):
            continue  # a file of somebody else: it stays
        if not (is_ours and known[name] == told and path.is_file()):
            second_name(record.output / told["file"], path)
        if path.is_file():
            placed[name] = told
    if wanted:
        replace_text(folder / INDEX, json.dumps(placed, ensure_ascii=False, indent=2) + "\n")
        return
    _remove(folder / INDEX)
    with suppress(OSError):  # files of somebody else are in it
        folder.rmdir()


def _wanted(record: Record) -> dict[str, dict[str, Any]]:
    """Return the file of each name. Of two takes of one name, that which was circled has it, else the newest."""
    shots = {row.shot_id: row for row in values_of(ShotRow, record.shots)}
    own = (
        dict(zip(record.shots["shot_id"], record.own.to_dict("records"), strict=True))
        if len(record.own.columns)
        else {}
    )
    good = record.takes[(record.takes["state"] == State.VERIFIED.value) & ~record.takes["superseded"]]
    found: dict[str, tuple[str, Take]] = {}
    for take in values_of(Take, good):
        shot = shots[take.shot_id]
        if take.file is None or not is_in(record.output, CLIPS, take.file):
            continue
        cells = {str(name): str(cell) for name, cell in own.get(take.shot_id, {}).items() if isinstance(cell, str)}
        named = NamedTake(take.shot_id, shot.scene, shot.sequence, take.number, take.recipe, cells)
        stem = stem_of(record.clip_names, named)
        before = found.get(stem)
        if before is None or (before[1].circled, before[1].number) < (take.circled, take.number):
            found[stem] = (stem, take)
    return {f"{stem}.mp4": {"file": take.file, "sha256": take.sha256} for stem, take in found.values()}


def _known(path: Path) -> dict[str, Any]:
    """Return which files of the folder are ours; none if that is not known."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    names = told if isinstance(told, dict) else {}
    return {name: each for name, each in names.items() if name.endswith(".mp4") and not set(name) & set("/\\:\0")}


def _remove(path: Path) -> None:
    if path.is_file() and not path.is_symlink():
        path.unlink()
