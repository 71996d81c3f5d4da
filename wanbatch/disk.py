"""The disk: room on it, and files that a crash leaves either old or new."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
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
    """Return the kind of network share that a folder lies on; None where it lies on none, or nobody can tell.

    `mounts` is what Linux tells of its mounts (man 5 proc); other systems tell nothing.
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


def free_bytes(directory: Path) -> int:
    """Return the bytes free for this user where the directory lies."""
    return shutil.disk_usage(directory).free


def replace_text(path: Path, text: str) -> bool:
    """Write a text file so that a crash leaves the old one or the new one; False where it held that text already."""
    data = text.encode("utf-8")
    try:
        if path.read_bytes() == data:
            return False
    except OSError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(path)
    return True
