"""The disk: room on it, and files that a crash leaves either old or new."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from wanbatch.errors import LocalFault

MOUNTS = Path("/proc/self/mountinfo")
PART_SUFFIX = ".part"
PART_DIGITS = 16
ABANDONED_S = 24 * 3600  # no file takes a day to write: its process is gone
_PART_NAME = re.compile(r"\.[0-9a-f]{16}\.part")
NETWORK_KINDS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "fuse.sshfs", "fuse.rclone", "davfs"}


def fsync_directory(directory: Path) -> None:
    """Make names in a directory survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Make a folder and those above it, so that their names survive a power cut. Raises OSError."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True, mode=mode)
    for made in missing:
        fsync_directory(made.parent)


def network_kind(folder: Path, mounts: Path = MOUNTS) -> str | None:
    """Return the kind of network share that holds a folder; None if none does, or that is unknown.

    `mounts` is Linux's list of mounts (man 5 proc); other systems have none.
    """
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    place, found = str(folder.resolve()), ("", "")
    for line in lines:
        before, _, after = line.partition(" - ")
        words = before.split()
        if len(words) < 5 or not after:
            continue
        point = words[4].replace("\\040", " ")
        is_inside = place == point or place.startswith(point.rstrip("/") + "/")
        if is_inside and len(point) >= len(found[0]):
            found = point, after.split()[0]
    return found[1] if found[1] in NETWORK_KINDS else None


def unshare(path: Path) -> bool:
    """Give a file that has several names (hard links) an inode of its own, so that writing it changes no other copy.

    Returns whether it had to. Raises OSError. No other process may have the file open.
    """
    try:
        info = path.lstat()
    except FileNotFoundError:
        return False
    if info.st_nlink < 2 or not stat.S_ISREG(info.st_mode):
        return False
    with replacing(path) as own:
        shutil.copyfile(path, own)
        own.chmod(stat.S_IMODE(info.st_mode))
    return True


def second_name(path: Path, other: Path) -> None:
    """Give a file another name beside its own, durably; a copy where the disk knows no second names.

    Does nothing if no ordinary file is there. Raises OSError.
    """
    if path.is_symlink() or not path.is_file():
        return
    other.unlink(missing_ok=True)
    try:
        os.link(path, other, follow_symlinks=False)
    except OSError:
        shutil.copyfile(path, other)
    fsync_directory(other.parent)


def free_bytes(directory: Path) -> int:
    """Return the bytes free for this user where the directory lies."""
    return shutil.disk_usage(directory).free


@contextmanager
def replacing(path: Path, mode: int = 0o666) -> Iterator[Path]:
    """Yield a new, empty file beside `path`, to be written by its name; after the block it takes the name of `path`.

    A crash leaves the old file or the new one, both whole. The new file has a name that cannot be known before, is
    made where nothing was, and is renamed over a link, never through one: a folder from somebody else cannot lead the
    write to another file. Raises LocalFault for a link in the way, and OSError; then, and where the block raises,
    `path` is as it was.
    """
    # Older versions wrote by this name. A link there was put there by somebody: whatever it is for, it is reported.
    assert_ordinary(path.with_name(f".{path.name}{PART_SUFFIX}"))
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    name = f".{secrets.token_hex(PART_DIGITS // 2)}{PART_SUFFIX}"
    try:
        os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, mode, dir_fd=directory))
        try:
            yield path.parent / name
            _flush(name, directory)
            os.replace(name, path.name, src_dir_fd=directory, dst_dir_fd=directory)
            os.fsync(directory)
        except BaseException as error:
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=directory)
            if isinstance(error, OSError) and error.errno is not None and error.filename is None:
                raise OSError(error.errno, error.strerror, str(path)) from error  # a full disk names no file
            raise
    finally:
        os.close(directory)


def _flush(name: str, directory: int) -> None:
    descriptor = os.open(name, os.O_RDWR | os.O_NOFOLLOW, dir_fd=directory)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep_parts(folder: Path) -> None:
    """Remove what `replacing` left in a folder when its process was killed, once it is old enough to be abandoned."""
    with suppress(OSError):
        for each in folder.iterdir():
            if _PART_NAME.fullmatch(each.name) is None:
                continue
            info = each.lstat()
            if stat.S_ISREG(info.st_mode) and time.time() - info.st_mtime > ABANDONED_S:
                each.unlink()


def replace_text(path: Path, text: str, mode: int = 0o666) -> bool:
    """Write a text file with `replacing`; False if it held that text already. Makes its folder.

    Raises OSError, which names `path`, whatever file beside it failed.
    """
    data = text.encode("utf-8")
    if _holds(path, data):
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, mode) as part:
            part.write_bytes(data)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    return True


class _UnchangedError(Exception):
    """A file would be written again as it is."""


def replace_parts(path: Path, parts: Iterable[str]) -> bool:
    """Write a text file like `replace_text`, part by part: it may be larger than what one wants in memory."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as new, new.open("wb") as stream:
            _write_parts(stream, parts, path)
    except _UnchangedError:
        return False
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    return True


def _write_parts(stream: BinaryIO, parts: Iterable[str], path: Path) -> None:
    """Write the parts. Raises _UnchangedError if an ordinary file, not a link to one, holds the same."""
    with ExitStack() as stack:
        old: BinaryIO | None = None
        with suppress(OSError):
            if stat.S_ISREG(path.lstat().st_mode):
                old = stack.enter_context(path.open("rb"))
        for part in parts:
            data = part.encode("utf-8")
            stream.write(data)
            if old is not None and old.read(len(data)) != data:
                old = None
        if old is not None and not old.read(1):
            raise _UnchangedError


def _holds(path: Path, data: bytes) -> bool:
    """Say whether an ordinary file, not a link to one, has these bytes."""
    try:
        info = path.lstat()
        return stat.S_ISREG(info.st_mode) and info.st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False


def assert_ordinary(path: Path) -> None:
    """Raise LocalFault if something other than an ordinary file, a link above all, has a name that we write to."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        kind = "a link" if stat.S_ISLNK(mode) else "not an ordinary file"
        raise LocalFault(f"{path} is {kind}: wanbatch does not write to it. Remove it, or use another output folder")


def own_folder(output: Path, *names: str) -> Path:
    """Make a folder inside an output folder and return it. Raises LocalFault if a link is in its place.

    What is written there would land wherever the link points.
    """
    folder = output
    for name in names:
        folder = folder / name
        if folder.is_symlink():
            raise LocalFault(
                f"{folder} is a link to another place: wanbatch does not write through it. Remove the link"
            )
        folder.mkdir(exist_ok=True)
    return folder
