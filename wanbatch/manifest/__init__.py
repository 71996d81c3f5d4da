"""Manifests: YAML, JSON, tables and plain text in, a batch or every problem with its place out."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wanbatch.batch.registry import learn, reading
from wanbatch.batch.shots import Batch
from wanbatch.errors import ManifestInvalid, Problem
from wanbatch.manifest.tree import Node, Problems, ReadingStopped, Table, start_of_file

if TYPE_CHECKING:
    from wanbatch.manifest.lint import Group
    from wanbatch.manifest.writing import Content

PROBLEMS_SHOWN = 200


@dataclass(frozen=True)
class Loaded:
    """A manifest that was read: its batch, the nodes as they stand in its file, and those that the batch was made of.

    `is_whole` says that all of it stands in that file.
    """

    batch: Batch
    own: Table
    flat: Table
    groups: tuple[Group, ...]
    is_whole: bool


@dataclass(frozen=True)
class Keeps:
    """What of a manifest is kept beside its batch: where each value comes from, and its nodes."""

    origins: bool = False
    nodes: bool = False


def load_manifest(
    path: Path | str, *, strict: bool = False, keeps_origins: bool = False, models_in: Path | None = None
) -> Batch:
    """Read a manifest: .yaml, .yml, .json, .jsonl, .csv, .tsv, .xlsx, or .txt with one prompt per line.

    `shots.xlsx#Act 2` names a sheet of a workbook. Probable mistakes are in the batch's `warnings`; with `strict`,
    each is a problem. With `keeps_origins`, each shot says where its values come from. Models that a project
    added, and files that shots are given, are looked for in the manifest's folder, or in `models_in`. Raises
    ManifestInvalid with every problem found, each with file, line and column.
    """
    return _load(Path(path), models_in, strict=strict, keeps=Keeps(origins=keeps_origins)).batch


def load_content(path: Path) -> tuple[Batch, Content]:
    """Read a manifest, and return what it says in plain values, too. Raises ManifestInvalid."""
    found = _load(path, None, strict=False, keeps=Keeps(nodes=True))
    from wanbatch.manifest.writing import content_of

    return found.batch, content_of(found.own, found.flat, found.groups, is_whole=found.is_whole)


def _load(path: Path, models_in: Path | None, *, strict: bool, keeps: Keeps) -> Loaded:
    from wanbatch.manifest.formats import located

    problems = Problems(str(located(path).file))
    found = None
    try:
        with _uncollected():
            found = _read(path, models_in if models_in is not None else path.parent, problems, keeps)
    except ReadingStopped:
        pass
    except (RecursionError, MemoryError) as error:  # pragma: no cover - the readers bound depth and size
        problems.add(start_of_file(), f"this file is too large to read ({type(error).__name__})")
    if strict:
        problems.found += problems.warnings
        problems.warnings = []
    warnings = tuple(sorted(problems.warnings))
    if problems.found or found is None:
        raise ManifestInvalid(first_ones(sorted(problems.found), "problems"), first_ones(warnings, "warnings"))
    return replace(found, batch=replace(found.batch, warnings=warnings))


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep Python from looking for circles among the nodes again and again: there are none, and it takes a quarter."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def first_ones(found: Sequence[Problem], noun: str) -> list[Problem]:
    """Return as many as a person can read; the last one counts the rest."""
    if len(found) <= PROBLEMS_SHOWN:
        return list(found)
    last = found[PROBLEMS_SHOWN - 1]
    more = replace(last, column=last.column + 1, message=f"... and {len(found) - PROBLEMS_SHOWN:,} more {noun}")
    return [*found[:PROBLEMS_SHOWN], more]


def _read(path: Path, folder: Path, problems: Problems, keeps: Keeps) -> Loaded | None:
    from wanbatch.manifest.added import models_beside

    models, wrong = models_beside(folder)
    problems.found += wrong
    with reading(models):
        found = _checked(path, folder, problems, keeps)
    learn(models)
    return found


def _checked(path: Path, folder: Path, problems: Problems, keeps: Keeps) -> Loaded | None:
    from wanbatch.manifest.checking import Checker
    from wanbatch.manifest.clip_names import pattern_in
    from wanbatch.manifest.expansion import expanded
    from wanbatch.manifest.expansion.sources import Sources
    from wanbatch.manifest.file_text import text_of
    from wanbatch.manifest.formats import located, read_root
    from wanbatch.manifest.given_files import GivenFiles
    from wanbatch.manifest.named_table import with_table
    from wanbatch.manifest.opened_files import FileOpener

    found = located(path)
    own = read_root(path, problems)
    named, table = with_table(own, path, problems)
    has_head = isinstance(named, Table) and not named.is_made
    text = text_of(found.file, problems) if has_head else ""  # of tables nothing is looked up in it
    made = expanded(named, found.file, text, _read_part, problems)
    names = pattern_in(named.items.get("names"), Sources({"": text}), problems) if isinstance(named, Table) else ""
    is_frugal = not keeps.nodes and not has_head
    with closing(FileOpener()) as opener:
        files = GivenFiles(folder, opener, problems)
        checker = Checker(files, str(path), has_head=has_head, keeps_origins=keeps.origins, is_frugal=is_frugal)
        batch = checker.batch(made.root, made.groups, names)
    if batch is None or not isinstance(made.root, Table) or not isinstance(own, Table):
        return None
    read = (*table, *made.parts)
    parts = (*read, *(str(files.folder / each.name) for each in files.found.values()))
    return Loaded(replace(batch, parts=parts) if parts else batch, own, made.root, made.groups, is_whole=not read)


def _read_part(path: Path, problems: Problems) -> tuple[str, Node | None]:
    """Read another file of a manifest. Raises ReadingStopped."""
    from wanbatch.manifest.file_text import text_of
    from wanbatch.manifest.formats import WORKBOOK, located, read_root

    root, file = read_root(path, problems), located(path).file
    return ("" if file.suffix.lower() == WORKBOOK else text_of(file, problems)), root
