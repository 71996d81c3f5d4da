"""Files that were opened before: what a picture or a sound is follows from its bytes, so it is found out once.

What was found is kept in the user's cache folder, by the hash of the file. Losing it costs one more look.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from platformdirs import user_cache_path

from wanbatch.batch.given_files import FileKind
from wanbatch.clip.given import OpenedFile
from wanbatch.clip.opening import bytes_of
from wanbatch.disk import replace_text
from wanbatch.errors import MediaInvalid
from wanbatch.version import __version__

CACHE_NAME = "files.json"
FILES_KEPT = 5_000


class Workers(Protocol):
    """What opens files in a process of its own."""

    def given(self, path: Path, kind: str, *, with_data: bool) -> OpenedFile:
        """Open a picture or a sound (`kind`) and return its hash, size and form; `with_data` adds what is sent for it.

        Raises MediaInvalid for a file that is neither or is damaged, OSError for one that cannot be read.
        """
        ...

    def close(self) -> None:
        """End the process."""
        ...


def _workers() -> Workers:
    from wanbatch.clip.worker_pool import WorkerPool

    return WorkerPool()


@dataclass
class FileOpener:
    """Opens files: hashes them here, and lets another process look into those that it does not know.

    `folder` is where it keeps what it found. Close it at the end.
    """

    folder: Path = field(default_factory=lambda: user_cache_path("wanbatch"))
    workers: Callable[[], Workers] = _workers
    _rows: dict[str, Any] | None = None
    _open: Workers | None = None
    _has_news: bool = False

    def __call__(self, path: Path, kind: FileKind) -> OpenedFile:
        """Return what a file is. Raises MediaInvalid, OSError, LocalFault or ProgramFault."""
        sha256 = hashlib.sha256(bytes_of(path)).hexdigest()
        key = f"{__version__} {kind} {sha256}"
        known = _read(self._known().get(key))
        if isinstance(known, MediaInvalid):
            raise known
        if known is not None and known.sha256 == sha256:
            return known
        if self._open is None:
            self._open = self.workers()
        try:
            opened = self._open.given(path, kind, with_data=False)
        except MediaInvalid as error:
            self._keep(key, {"fault": str(error)})
            raise
        if opened.sha256 == sha256:  # else it was saved again meanwhile
            self._keep(key, asdict(replace(opened, data="")))
        return opened

    def close(self) -> None:
        """End the process that opens files, and keep what was found; if that fails, they are opened again."""
        if self._open is not None:
            self._open.close()
            self._open = None
        if self._has_news and self._rows is not None:
            newest = dict([*self._rows.items()][-FILES_KEPT:])
            with suppress(OSError, ValueError):
                replace_text(self.folder / CACHE_NAME, json.dumps(newest) + "\n")
            self._has_news = False

    def _known(self) -> dict[str, Any]:
        if self._rows is None:
            try:
                rows = json.loads((self.folder / CACHE_NAME).read_text(encoding="utf-8"))
            except (OSError, ValueError, RecursionError):
                rows = {}
            self._rows = rows if isinstance(rows, dict) else {}
        return self._rows

    def _keep(self, key: str, row: dict[str, Any]) -> None:
        self._known()[key] = row
        self._has_news = True


def _read(row: Any) -> OpenedFile | MediaInvalid | None:
    """Read what was kept of a file; None for anything else."""
    if not isinstance(row, dict):
        return None
    if isinstance(row.get("fault"), str):
        return MediaInvalid(row["fault"])
    try:
        return OpenedFile(**row) if all(isinstance(row[name], int) for name in ("width", "height")) else None
    except (TypeError, KeyError):
        return None
