"""The cache of manifests: a large one is not read again if neither its bytes nor this program changed.

The head and the first warnings are kept in the user's cache folder, by the digest of the file; the shots are in
the state file of the batch, which knows by the same digest that it was planned from them. Losing the cache costs one
reading.

It is kept for what it saves when a large run goes on (`benchmarks/scale.py`): to the first request it takes 0.5 s and
49 MB in place of 3.2 s and 115 MB with 10,000 shots, and 0.8 s and 92 MB in place of 9.9 s and 600 MB with 100,000. A
manifest of 200 shots is read in 0.03 s, and is not kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from wanbatch.batch.shots import Batch, Head, Limits
from wanbatch.disk import replace_text
from wanbatch.errors import Problem
from wanbatch.manifest import PROBLEMS_SHOWN, load_manifest
from wanbatch.manifest.added import files_beside
from wanbatch.manifest.file_text import map_path
from wanbatch.manifest.tree import FILE_CAP_BYTES
from wanbatch.version import __version__

CACHE_NAME = "manifests.json"
WORTH_BYTES = 256 * 1024  # a smaller one is read in a moment
HEADS_KEPT = 50


@dataclass(frozen=True)
class BatchCache:
    """The place of heads and warnings: those of files of `worth_bytes` and more, the newest `heads_kept` of them."""

    folder: Path
    worth_bytes: int = WORTH_BYTES
    heads_kept: int = HEADS_KEPT
    version: str = __version__  # of the program: another may read the same file otherwise
    load: Callable[[Path], Batch] = load_manifest

    def digest_of(self, path: Path) -> str:
        """Return what a file is known by; empty for one that is not kept."""
        with suppress(OSError, ValueError):
            if path.is_file() and self.worth_bytes <= path.stat().st_size <= FILE_CAP_BYTES:
                known = hashlib.sha256(f"{self.version}\n{path.name}\n".encode())
                known.update(path.read_bytes())
                column_map = map_path(path)
                for each in (*([column_map] if column_map.is_file() else []), *files_beside(path.parent)):
                    known.update(f"\n{each.name}\n".encode() + each.read_bytes())
                return known.hexdigest()
        return ""

    def rows(self) -> dict[str, Any]:
        """Return what is kept, by digest; empty if it is lost or damaged."""
        try:
            rows = json.loads((self.folder / CACHE_NAME).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return rows if isinstance(rows, dict) else {}

    def keep(self, digest: str, batch: Batch) -> None:
        """Keep a batch's head and first warnings; if that fails, the file is read again."""
        rows = self.rows()
        rows.pop(digest, None)
        warnings = [(each.line, each.column, each.message) for each in batch.warnings[:PROBLEMS_SHOWN]]
        rows[digest] = {**asdict(batch.head), "warnings": warnings, "warning_count": len(batch.warnings)}
        newest = dict([*rows.items()][-self.heads_kept :])
        with suppress(OSError, ValueError):
            replace_text(self.folder / CACHE_NAME, json.dumps(newest, ensure_ascii=False) + "\n")


class Manifest:
    """A manifest file: head and warnings come from the cache if it was read before; shots are read when they are
    needed.

    `digest` is empty for a file that is too small to be kept.
    """

    def __init__(self, path: Path, batch: Batch | None = None, cache: BatchCache | None = None) -> None:
        """`batch` if it was read already, or made by a program; `cache` if not the user's own is to be used."""
        self._path = path
        self._batch = batch
        self._cache = cache if cache is not None else BatchCache(user_cache_path("wanbatch"))
        self._head = None if batch is None else batch.head
        self._warned: tuple[list[Problem], int] | None = None
        self.digest = self._cache.digest_of(path) if batch is None else ""

    @property
    def source(self) -> str:
        """The path of the file; empty for a batch that a program made."""
        return str(self._path) if self._batch is None else self._batch.source

    def head(self) -> Head:
        """Return what it says about the whole batch. Raises ManifestInvalid."""
        self._take_up()
        return self.batch().head if self._head is None else self._head

    def warnings(self) -> tuple[list[Problem], int]:
        """Return its first warnings, and how many there are. Raises ManifestInvalid."""
        self._take_up()
        if self._warned is None or self._head is None:
            found = self.batch().warnings
            self._warned = list(found[:PROBLEMS_SHOWN]), len(found)
        return self._warned

    def _take_up(self) -> None:
        """Read head and warnings from the cache, if they are there."""
        if self._head is None and self.digest:
            kept = self._cache.rows().get(self.digest)
            self._head = _head_in(kept)
            self._warned = _warnings_in(kept, str(self._path))
            if self._warned is None:
                self._head = None  # kept by a version without warnings

    def batch(self) -> Batch:
        """Return the whole manifest, read at the first call. Raises ManifestInvalid with every problem."""
        if self._batch is None:
            self._batch = self._cache.load(self._path)
            self._head = self._batch.head
            if self._batch.parts or (self.digest and self.digest != self._cache.digest_of(self._path)):
                self.digest = ""  # other files belong to it, or it changed while it was read
            if self.digest:
                self._cache.keep(self.digest, self._batch)
        return self._batch


def _head_in(row: Any) -> Head | None:
    """Read a head; None for anything else."""
    try:
        limits = Limits(**{name: _number(value) for name, value in row["limits"].items()})
        caps = {str(scene): int(cap) for scene, cap in row["scene_caps"].items()}
        cap = None if row["max_credits"] is None else int(row["max_credits"])
        return Head(str(row["name"]), limits, cap, caps) if row["name"] else None
    except (TypeError, KeyError, ValueError, AttributeError):
        return None


def _warnings_in(row: Any, file: str) -> tuple[list[Problem], int] | None:
    """Read the first warnings and their number; None for anything else. The file may have moved since."""
    try:
        reported = [Problem(file, int(line), int(column), str(message)) for line, column, message in row["warnings"]]
        return reported, int(row["warning_count"])
    except (TypeError, KeyError, ValueError):
        return None


def _number(value: Any) -> Any:
    if value is None or (isinstance(value, int | float) and value > 0):
        return value
    raise ValueError("not a number")
