"""The preview of a manifest as a page, written again each time one of its files is saved. Nothing is sent or made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wanbatch.batch.shots import Batch
from wanbatch.clock import system_now
from wanbatch.disk import make_folder, replace_text
from wanbatch.errors import ManifestInvalid, Problem
from wanbatch.manifest import load_manifest
from wanbatch.manifest.file_text import map_path
from wanbatch.manifest.formats import located
from wanbatch.reporting.animatic import render_animatic
from wanbatch.session.kept_prices import PriceOf

REFRESH_S = 2
_WATCHED = (".yaml", ".yml", ".json", ".jsonl", ".csv", ".tsv", ".xlsx", ".txt")


@dataclass(frozen=True)
class Written:
    """What a page shows: a batch, or the problems of its manifest."""

    page: Path
    batch: Batch | None
    problems: tuple[Problem, ...] = ()


def write_animatic(manifest: Path, page: Path, price_of: PriceOf, *, is_watched: bool = False) -> Written:
    """Read a manifest and write its page; of one with problems the page shows those."""
    batch, problems = None, tuple[Problem, ...]()
    try:
        batch = load_manifest(manifest)
    except ManifestInvalid as error:
        problems = error.problems
    text = render_animatic(batch, problems, system_now(), price_of, REFRESH_S if is_watched else None)
    make_folder(page.parent)
    replace_text(page, text)
    return Written(page, batch, problems)


def follow(
    files: tuple[Path, Path], price_of: PriceOf, tell: Callable[[Written], None], wait: Callable[[], bool]
) -> None:
    """Write the page now and each time the files of a manifest change; `wait` says whether to look again.

    `files` are the manifest and the page.
    """
    (manifest, page), seen = files, None
    while True:
        stamp = _stamp(manifest)
        if stamp != seen:
            seen = stamp
            tell(write_animatic(manifest, page, price_of, is_watched=True))
        if not wait():
            return


def _stamp(manifest: Path) -> tuple[tuple[str, int, int], ...]:
    """Return what shows that one of the files of a manifest was saved: its folder's manifests and tables, by time."""
    file = located(manifest).file
    beside = {file, map_path(file)}
    if file.suffix.lower() in (".yaml", ".yml", ".json"):
        beside |= {each for each in file.parent.glob("*") if each.suffix.lower() in _WATCHED}
    found = []
    for path in sorted(beside):
        try:
            info = path.stat()
        except OSError:
            continue
        found.append((str(path), info.st_mtime_ns, info.st_size))
    return tuple(found)
