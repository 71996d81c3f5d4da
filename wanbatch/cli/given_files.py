"""The files of a manifest on the screen: how many there are, and the name, format and size of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from wanbatch.batch.given_files import Files
from wanbatch.units import count_text, size_text

SHOWN = 12


def sum_text(files: Files) -> str:
    """Return `2 files (1.4 MiB)`; nothing without files."""
    size_bytes = sum(each.size_bytes for each in files.values())
    return f"{count_text(len(files), 'file')} ({size_text(size_bytes)})" if files else ""


def file_lines(files: Files) -> Iterator[str]:
    """Yield a line for each of the first files, in the order of the manifest, and one for the rest."""
    for each in [*files.values()][:SHOWN]:
        yield str(each)
    if len(files) > SHOWN:
        yield f"... and {count_text(len(files) - SHOWN, 'more file')}"


def files_json(files: Files) -> dict[str, list[dict[str, Any]]]:
    """Return the files as JSON values."""
    return {"files": [each.told for each in files.values()]}
