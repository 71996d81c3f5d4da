"""What a manifest that is written for a test is found to say."""

from __future__ import annotations

from pathlib import Path

from wanbatch.errors import ManifestInvalid
from wanbatch.manifest import load_manifest


def findings_in(folder: Path, text: str, name: str) -> tuple[list[str], list[str]]:
    """Return the problems and the warnings of a manifest with this text."""
    (folder / name).write_text(text, encoding="utf-8")
    try:
        warnings = load_manifest(folder / name).warnings
        problems: tuple[object, ...] = ()
    except ManifestInvalid as error:
        problems, warnings = error.problems, error.warnings
    of = [[f"{each.line}:{each.column} {each.message}" for each in some] for some in (problems, warnings)]
    return of[0], of[1]
