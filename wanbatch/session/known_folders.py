"""The known folders: the output folders in which a manifest was run, wherever they are.

wanbatch looks for takes that exist already in the folders beside an output folder and beside the manifest. A run that
is given in another working folder, or with another `--output`, leaves its clips elsewhere. So each run that may send
something is listed in the user's cache folder, by provider and manifest. Without the list, wanbatch does not ask about
those folders, and no run fails. Runs with `--sandbox` are not listed, since they buy nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock
from platformdirs import user_cache_path

from wanbatch.disk import replace_text
from wanbatch.errors import fault_text
from wanbatch.text import is_text

LIST_NAME = "output_folders.json"
MANIFESTS_KEPT = 200
FOLDERS_KEPT = 20  # of each manifest
LOCK_LIMIT_S = 1.0  # another run holds the list for a moment only


@dataclass(frozen=True)
class KnownFolders:
    """The list of output folders by manifest, in `folder`. A list that cannot be read or written counts as empty."""

    folder: Path = field(default_factory=lambda: user_cache_path("wanbatch"))

    def of(self, source: str, base_url: str) -> list[Path]:
        """Return the output folders in which a manifest was run with this provider, the newest first.

        `source` is empty for a batch of a program, which has none. Folders that are gone are among them.
        """
        key = _key(source, base_url)
        return [Path(each) for each in folders_in(self._rows(), key)] if key else []

    def fault(self) -> str:
        """Say why the list cannot be kept, and where that would be; empty if it can."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            return fault_text(error)
        return "" if os.access(self.folder, os.W_OK) else f"{self.folder} is not writable"

    def note(self, source: str, base_url: str, output: Path) -> None:
        """List an output folder as the newest of a manifest; if that fails, the list stays as it is."""
        key = _key(source, base_url)
        if not key:
            return
        with suppress(OSError, ValueError):
            self.folder.mkdir(parents=True, exist_ok=True)
            with ExitStack() as stack:
                with suppress(OSError, NotImplementedError):  # without the lock, a run at the same moment may be lost
                    lock = FileLock(self.folder / f"{LIST_NAME}.lock", timeout=LOCK_LIMIT_S, preserve_lock_file=True)
                    stack.enter_context(lock)
                rows = with_folder(self._rows(), key, os.path.realpath(output))
                replace_text(self.folder / LIST_NAME, json.dumps(rows) + "\n", mode=0o600)

    def _rows(self) -> dict[str, Any]:
        path = self.folder / LIST_NAME
        try:
            rows = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        except (OSError, ValueError, RecursionError):
            return {}
        return rows if isinstance(rows, dict) else {}


def folders_in(rows: Mapping[str, Any], key: str) -> list[str]:
    """Return the folders that a list has under a key: whole paths that are text, whatever else it holds."""
    row = rows.get(key)
    every = row if isinstance(row, list) else []
    return [each for each in every if isinstance(each, str) and _is_whole(each)][:FOLDERS_KEPT]


def with_folder(rows: Mapping[str, Any], key: str, folder: str) -> dict[str, Any]:
    """Return a list with a folder as the newest under a key, and that key as the newest; the oldest are dropped."""
    folders = [folder, *(each for each in folders_in(rows, key) if each != folder)]
    others = [(other, row) for other, row in rows.items() if other != key]
    return dict([(key, folders[:FOLDERS_KEPT]), *others][:MANIFESTS_KEPT])


def _key(source: str, base_url: str) -> str:
    """Return what a manifest is listed under: its provider and its real path; empty if it has none."""
    with suppress(OSError, ValueError):
        return f"{base_url} {os.path.realpath(source)}" if source else ""
    return ""


def _is_whole(path: str) -> bool:
    return Path(path).is_absolute() and is_text(path) and "\0" not in path
