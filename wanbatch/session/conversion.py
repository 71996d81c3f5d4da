"""The conversion of a manifest into another format: written beside, read again, and kept only if it says the same."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from wanbatch.batch.frames import values_in
from wanbatch.batch.given_files import MARK
from wanbatch.batch.shots import Batch, Shot
from wanbatch.disk import replacing
from wanbatch.errors import ManifestInvalid, UsageInvalid
from wanbatch.manifest import load_content, load_manifest
from wanbatch.manifest.file_text import MAP_ENDING, TABLES, map_path
from wanbatch.manifest.formats import JSON_LINES, WORKBOOK, YAML, located
from wanbatch.manifest.words import one_of
from wanbatch.manifest.writing import WRITTEN, keeps_structure, written
from wanbatch.manifest.yaml_file import has_comments

_COMPARED = ("id", "scene", "sequence", "takes", "tags", "cost_code", "notes", "omit", "fallback")


@dataclass(frozen=True)
class Conversion:
    """What was written: the manifest, the map beside it (None without one), the batch; whether comments were kept.

    `is_flat` says that scenes, cast and variants became shots that each say all of it, `is_gathered` that the shots
    of other files are in it; `lost` names what the source says, and the result does not.
    """

    path: Path
    map_path: Path | None
    batch: Batch
    is_copy: bool
    is_flat: bool
    is_gathered: bool
    lost: tuple[str, ...]


def convert(source: Path, target: Path) -> Conversion:
    """Write a manifest in the format that the ending of `target` names. Nothing is overwritten.

    The shots have the ids, recipes, scenes and columns of your own that they have in `source`. Raises ManifestInvalid
    for a source with problems, and UsageInvalid if the other format cannot hold what it says.
    """
    if target.suffix.lower() not in WRITTEN or target.name.lower().endswith(MAP_ENDING):
        raise UsageInvalid(f"{target} does not end in {one_of(WRITTEN)}, so wanbatch cannot write it")
    has_map = target.suffix.lower() in (*TABLES, WORKBOOK, *JSON_LINES)
    for path in (target, *([map_path(target)] if has_map else [])):
        if path.exists():
            raise UsageInvalid(f"{path} already exists: name another file, or move it away. Nothing was written")
    batch, content = load_content(source)
    is_copy = content.is_whole and {source.suffix.lower(), target.suffix.lower()} <= set(YAML)
    data, head = (located(source).file.read_bytes(), "") if is_copy else written(content, batch, target)
    _assert_same(batch, target, data, head)
    with replacing(target) as part:
        part.write_bytes(data)
    if head:
        with replacing(map_path(target)) as part:
            part.write_text(head, encoding="utf-8")
    is_flat = content.is_structured and not is_copy and not keeps_structure(content, target)
    lost = [] if not is_flat and content.is_whole else list(content.planning)
    if not is_copy and _has_comments(source):
        lost.append(f"the comments of {source}")
    return Conversion(
        target, map_path(target) if head else None, batch, is_copy, is_flat, not content.is_whole, tuple(lost)
    )


def _has_comments(source: Path) -> bool:
    return source.suffix.lower() in YAML and has_comments(source.read_text(encoding="utf-8-sig"))


def _assert_same(batch: Batch, target: Path, data: bytes, head: str) -> None:
    """Read what would be written. Raises UsageInvalid, with the first difference, if it is not the same batch."""
    with tempfile.TemporaryDirectory(prefix="wanbatch-") as folder:
        trial = Path(folder) / target.name
        trial.write_bytes(data)
        if head:
            map_path(trial).write_text(head, encoding="utf-8")
        try:
            found = load_manifest(trial, models_in=target.parent)
        except ManifestInvalid as error:
            raise UsageInvalid(_words(target, error.problems[0].message)) from error
    difference = _difference(batch, found)
    if difference:
        raise UsageInvalid(_words(target, difference))


def _words(target: Path, why: str) -> str:
    ending = target.suffix.lower()
    what = "a text file holds nothing but prompts" if ending == ".txt" else f"a {ending} file cannot hold all of it"
    return (
        f"{target} would not describe the same batch ({why}), since {what}. Nothing was written: choose .yaml or .json"
    )


def _difference(batch: Batch, other: Batch) -> str:
    """Say where two batches differ first; nothing if a run of each would be the same."""
    if len(batch.shots) != len(other.shots):
        return f"{len(other.shots)} shots in place of {len(batch.shots)}"
    for shot, its in zip(batch.shots, other.shots, strict=True):
        named = next((name for name in _COMPARED if getattr(shot, name) != getattr(its, name)), "")
        if shot.recipes != its.recipes and _given(shot) - _given(its):
            return f"shot {shot.id} would be sent without the pictures or audio of its cast"
        if named or shot.recipes != its.recipes:
            return f"the {named or 'recipe'} of shot {shot.id} would change"
        if _filled(shot) != _filled(its):
            return f"your own columns of shot {shot.id} would change"
    for name in ("limits", "max_credits", "scene_caps", "names"):
        if getattr(batch, name) != getattr(other, name):
            return f"{name} would change"
    return ""


def _given(shot: Shot) -> set[str]:
    """Return the pictures and sounds that a shot is sent: files by their hashes, and addresses."""
    values = (str(each) for recipe in shot.recipes for each in values_in(recipe.body))
    return {each for each in values if each.startswith((MARK, "https://"))}


def _filled(shot: Shot) -> dict[str, str]:
    """Return the cells in columns of the user's own, without the empty ones that only a table has."""
    return {name: cell for name, cell in shot.own.items() if cell}
