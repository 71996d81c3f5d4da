"""The disk: room on it, and files that a crash leaves either old or new."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def fsync_directory(directory: Path) -> None:
    """Make names in a directory survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def free_bytes(directory: Path) -> int:
    """Return the bytes free for this user where the directory lies."""
    return shutil.disk_usage(directory).free
