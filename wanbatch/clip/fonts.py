"""The fonts of this machine: where they are, and which characters each can draw.

Fontconfig lists them if it is installed; otherwise the usual folders are searched and the fonts' own tables read.
Looked up once a process, and only for a text that the font that comes with Pillow cannot draw.
"""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO

LOOK_LIMIT_S = 5.0
FILES_MAX = 4_000
FILE_CAP_BYTES = 256 * 1024 * 1024
_ENDINGS = frozenset({".ttf", ".otf", ".ttc", ".otc"})
_LIST = ("fc-list", "--format", "%{file}\t%{index}\t%{scalable}\t%{color}\t%{weight}\t%{slant}\t%{charset}\n")
_RANGES = re.compile(r"[0-9a-f]+(-[0-9a-f]+)?( [0-9a-f]+(-[0-9a-f]+)?)*")
_BLANK = re.compile(r"(?i)adobeblank|lastresort")  # they claim every character but draw none
_REGULAR_FC, _REGULAR_OS2 = 80, 400
_OUTLINES = frozenset({b"glyf", b"CFF ", b"CFF2"})
_GROUPS_MAX = 65_536


@dataclass(frozen=True)
class Face:
    """One font of a file. `starts` and `ends` are the ranges of code points that it has, sorted, both ends in."""

    path: str
    index: int
    is_regular: bool
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def has(self, char: str) -> bool:
        """Say whether the font has this character."""
        at = bisect_right(self.starts, ord(char)) - 1
        return at >= 0 and ord(char) <= self.ends[at]


@cache
def faces_here() -> tuple[Face, ...]:
    """Return the fonts of this machine with outlines, by path; the search lasts some seconds at most."""
    try:
        reported = subprocess.run(_LIST, capture_output=True, timeout=LOOK_LIMIT_S, check=True)  # noqa: S603  a fixed command
        found = list(_listed(reported.stdout.decode("utf-8", "surrogateescape")))
    except (OSError, subprocess.SubprocessError):
        found = []
    faces = found or list(faces_in(_folders(), time.monotonic() + LOOK_LIMIT_S))
    unique = {(face.path, face.index): face for face in faces if face.starts and not _BLANK.search(face.path)}
    return tuple(unique[each] for each in sorted(unique))


def _listed(text: str) -> Iterator[Face]:
    """Read the output of fc-list; a charset in the spelling of an old version is read from the font itself."""
    for line in text.splitlines():
        cells = line.split("\t")
        if len(cells) != 7 or cells[2] != "True" or cells[3] == "True":
            continue
        path, number, *_, weight, slant, charset = cells
        with suppress(ValueError):
            index = int(number)
            if index > 0xFFFF:  # a variation of a font that is itself listed
                continue
            is_regular = weight.strip("[]").split(".")[0] == str(_REGULAR_FC) and slant == "0"
            if _RANGES.fullmatch(charset):
                pairs = [(int(each.split("-")[0], 16), int(each.split("-")[-1], 16)) for each in charset.split()]
                yield _face(path, index, pairs, is_regular=is_regular)
            else:
                yield from (face for face in _faces_of(Path(path)) if face.index == index)


def _face(path: str, index: int, pairs: Sequence[tuple[int, int]], *, is_regular: bool) -> Face:
    merged: list[list[int]] = []
    for start, end in sorted(pairs):
        if merged and start <= merged[-1][1] + 1:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    return Face(path, index, is_regular, tuple(start for start, _ in merged), tuple(end for _, end in merged))


def _folders() -> list[Path]:
    home = Path.home()
    if sys.platform == "darwin":
        return [home / "Library/Fonts", Path("/Library/Fonts"), Path("/System/Library/Fonts")]
    if sys.platform == "win32":
        return [Path(os.environ.get("WINDIR", "C:/Windows")) / "Fonts"]
    data = os.environ.get("XDG_DATA_HOME") or str(home / ".local/share")
    return [home / ".fonts", Path(data) / "fonts", Path("/usr/local/share/fonts"), Path("/usr/share/fonts")]


def faces_in(folders: Sequence[Path], until_s: float) -> Iterator[Face]:
    """Yield the fonts with outlines under these folders, until this time of the monotonic clock."""
    left = FILES_MAX
    for folder in folders:
        for parent, _, names in os.walk(folder):
            for name in sorted(names):
                if os.path.splitext(name)[1].lower() not in _ENDINGS:  # noqa: PTH122  a plain name
                    continue
                left -= 1
                if left < 0 or time.monotonic() > until_s:
                    return
                yield from _faces_of(Path(parent) / name)


def _faces_of(path: Path) -> list[Face]:
    """Read the fonts of a file; empty if it holds none that can be read."""
    try:
        if path.stat().st_size > FILE_CAP_BYTES:
            return []
        with path.open("rb") as file:
            begin = file.read(12)
            offsets = [0]
            if begin[:4] == b"ttcf":
                count = min(struct.unpack(">I", begin[8:12])[0], 256)
                offsets = list(struct.unpack(f">{count}I", file.read(4 * count)))
            return [face for index, at in enumerate(offsets) if (face := _read_face(file, path, index, at)) is not None]
    except (OSError, struct.error, ValueError, OverflowError):
        return []


def _read_face(file: BinaryIO, path: Path, index: int, at: int) -> Face | None:
    """Read one font: its directory of tables (OpenType 1.9, "Font file"), OS/2 and cmap."""
    file.seek(at)
    count = struct.unpack(">4xH6x", file.read(12))[0]
    tables = {}
    for _ in range(count):
        tag, offset, length = struct.unpack(">4s4xII", file.read(16))
        tables[tag] = (offset, length)
    if not _OUTLINES & set(tables) or b"cmap" not in tables:
        return None
    weight, is_slanted = _REGULAR_OS2, False
    if b"OS/2" in tables:
        file.seek(tables[b"OS/2"][0])
        head = file.read(64)
        weight, is_slanted = struct.unpack_from(">H", head, 4)[0], bool(struct.unpack_from(">H", head, 62)[0] & 1)
    offset, length = tables[b"cmap"]
    file.seek(offset)
    is_regular = weight == _REGULAR_OS2 and not is_slanted
    return _face(str(path), index, _ranges(file.read(min(length, 4 * 1024 * 1024))), is_regular=is_regular)


def _ranges(cmap: bytes) -> list[tuple[int, int]]:
    """Read the ranges of code points from a cmap table: its Unicode subtables of the formats 4, 6 and 12."""
    found: list[tuple[int, int]] = []
    for number in range(struct.unpack_from(">H", cmap, 2)[0]):
        platform, encoding, at = struct.unpack_from(">HHI", cmap, 4 + 8 * number)
        if not (platform == 0 or (platform == 3 and encoding in (1, 10))):
            continue
        kind = struct.unpack_from(">H", cmap, at)[0]
        if kind == 4:
            found += _ranges_4(cmap, at)
        elif kind == 6:
            first, count = struct.unpack_from(">HH", cmap, at + 6)
            found.append((first, first + count - 1))
        elif kind == 12:
            count = min(struct.unpack_from(">I", cmap, at + 12)[0], _GROUPS_MAX)
            groups = struct.iter_unpack(">III", cmap[at + 16 : at + 16 + 12 * count])
            found += [(start, end) for start, end, glyph in groups if start <= end <= sys.maxunicode and glyph]
    return [(start, end) for start, end in found if start <= end]


def _ranges_4(cmap: bytes, at: int) -> list[tuple[int, int]]:
    count = struct.unpack_from(">H", cmap, at + 6)[0] // 2
    ends = struct.unpack_from(f">{count}H", cmap, at + 14)
    starts = struct.unpack_from(f">{count}H", cmap, at + 16 + 2 * count)
    return [(start, end) for start, end in zip(starts, ends, strict=True) if start <= end and start != 0xFFFF]
