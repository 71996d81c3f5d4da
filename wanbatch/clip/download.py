"""A download: a `.part` file that becomes a clip only once it is complete, decodable, hashed and recorded."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from wanbatch.clip.inspection import Inspection
from wanbatch.clip.probe import Probe
from wanbatch.disk import fsync_directory
from wanbatch.errors import LocalFault

HASH_BLOCK_BYTES = 1024 * 1024


@dataclass(frozen=True)
class CheckedPart:
    """A whole clip on disk: its hash, its size in bytes and what a probe of it says."""

    sha256: str
    size_bytes: int
    probe: Probe


class ForeignFile(LocalFault):
    """A foreign file is in the place of a clip; it is never overwritten."""


class Part:
    """The `.part` file of one download. A context manager; write pieces with `write`.

    It is created new each time, never through a link, and left on disk when the download breaks off.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1

    def __enter__(self) -> Self:
        """Create the file. Raises ForeignFile if something other than an old part of ours is in the way."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            if not stat.S_ISREG(self.path.lstat().st_mode):
                raise ForeignFile(f"{self.path} is not an ordinary file; move it away")
            self.path.unlink()
        except FileNotFoundError:
            pass
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0)
        self._descriptor = os.open(self.path, flags, 0o644)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def write(self, piece: bytes) -> None:
        """Append. Raises OSError when the disk is full."""
        view = memoryview(piece)
        while view:
            view = view[os.write(self._descriptor, view) :]


def check_part(part: Path, inspection: Inspection) -> CheckedPart:
    """Flush a part to the disk, hash it and check that it is a whole clip. Slow: run it off the event loop.

    Raises MediaInvalid if it is not a whole clip, OSError if the disk fails, else as `Inspection` does.
    """
    descriptor = os.open(part, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    probe = inspection.check(part)
    return CheckedPart(sha256_of(part), part.stat().st_size, probe)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, 64 hex digits."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(HASH_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def publish(part: Path, final: Path, sha256: str) -> None:
    """Give a recorded part its final name, durably, and never overwrite a foreign file.

    Does nothing more if the final file with that hash already exists (a crash came after the rename). Raises
    ForeignFile if another file has the name, FileNotFoundError if neither file has those bytes.
    """
    if final.exists() or final.is_symlink():
        if not _has_hash(final, sha256):
            raise ForeignFile(f"{final} does not belong to this take; move it away and run again")
        part.unlink(missing_ok=True)
    else:
        if not _has_hash(part, sha256):
            raise FileNotFoundError(errno.ENOENT, "the bytes recorded are not on disk", str(part))
        _rename_without_overwriting(part, final)
    fsync_directory(final.parent)


def take_back(part: Path, final: Path, sha256: str) -> None:
    """Make a clip that has its final name a part again; nothing if no file with this hash has that name.

    For a take that does not record its file: a crash came after the rename. Durable once the folder is flushed.
    """
    if _has_hash(final, sha256):
        part.unlink(missing_ok=True)  # if both are one file, a rename does nothing
        final.rename(part)


def _has_hash(path: Path, sha256: str) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode) and sha256_of(path) == sha256
    except FileNotFoundError:
        return False


def _rename_without_overwriting(part: Path, final: Path) -> None:
    try:
        os.link(part, final, follow_symlinks=False)
    except FileExistsError as error:
        raise ForeignFile(f"{final} appeared in the meantime; move it away and run again") from error
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
        part.rename(final)  # a disk without hard links (FAT, some shares); the name was free a moment ago
        return
    part.unlink()
