"""The boxes of an MP4: whether the file is complete, and the codings that its tracks declare."""

from __future__ import annotations

import os
from typing import BinaryIO

from wanbatch.clip.bounds import INDEX_BYTES_MAX
from wanbatch.clip.index import assert_plain
from wanbatch.errors import MediaInvalid
from wanbatch.units import size_text

BOX_LIMIT = 10_000
DEPTH_LIMIT = 8
_PICTURES = b"mdat"
_PARENTS = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf", b"mvex"})


def walk_boxes(stream: BinaryIO, index_bytes_max: int = INDEX_BYTES_MAX) -> frozenset[bytes]:
    """Read the headers of the boxes, the outer ones and those that hold the tables. Raises MediaInvalid.

    What the index refers to and declares is compared with what a clip needs, so that FFmpeg may open the file.
    At most `index_bytes_max` bytes are read beside pictures and sound.
    Returns the codings that the tracks declare, four bytes each, such as `avc1` and `mp4a`.
    """
    size_bytes = stream.seek(0, os.SEEK_END)
    if size_bytes == 0:
        raise MediaInvalid("the file is empty")
    outer: list[bytes] = []
    index: list[tuple[int, int]] = []
    codings: set[bytes] = set()
    spans = [(0, size_bytes, 1)]
    count = 0
    while spans:
        at, end, depth = spans.pop()
        while at < end:
            count += 1
            if count > BOX_LIMIT:
                raise MediaInvalid(f"the file has more than {BOX_LIMIT} boxes")
            kind, body_at, next_at = _read_box(stream, at, end)
            if depth == 1:
                outer.append(kind)
                _assert_begin(outer)
                if kind != _PICTURES:
                    index.append((at, next_at))
            if kind == b"stsd":
                codings.add(_first_entry(stream, body_at, next_at))
            if kind in _PARENTS and depth < DEPTH_LIMIT:
                spans.append((body_at, next_at, depth + 1))
            at = next_at
    _assert_complete(outer)
    assert_plain(_read(stream, index, index_bytes_max))
    return frozenset(codings)


def _read(stream: BinaryIO, spans: list[tuple[int, int]], bytes_max: int) -> bytes:
    if sum(end - at for at, end in spans) > bytes_max:
        raise MediaInvalid(f"the file has more than {size_text(bytes_max)} besides its video and sound")
    parts = []
    for at, end in spans:
        stream.seek(at)
        parts.append(stream.read(end - at))
    return b"".join(parts)


def _assert_begin(outer: list[bytes]) -> None:
    if outer[0] != b"ftyp":
        raise MediaInvalid("the file is not an MP4: it does not begin with an ftyp box")


def _assert_complete(outer: list[bytes]) -> None:
    for needed, holds in ((b"moov", "its index"), (_PICTURES, "its video")):
        if needed not in outer:
            raise MediaInvalid(f"the file is cut short: the {needed.decode()} box with {holds} is missing")


def _first_entry(stream: BinaryIO, body_at: int, end: int) -> bytes:
    """Return the kind of the first entry of a table of sample descriptions; empty if there is none."""
    stream.seek(body_at + 12)  # its version, its count and the entry's size
    return stream.read(4) if body_at + 16 <= end else b""


def _read_box(stream: BinaryIO, at: int, end: int) -> tuple[bytes, int, int]:
    """Return a box's kind, where its body begins and where the next box does; offsets in bytes from the start."""
    stream.seek(at)
    header = stream.read(min(16, end - at))
    if len(header) < 8:
        if not any(header):  # padding
            return b"free", end, end
        raise MediaInvalid(f"the file is cut short: a box header is cut off at byte {at}")
    size_bytes, kind, header_bytes = int.from_bytes(header[:4]), header[4:8], 8
    if size_bytes == 1:
        if len(header) < 16:
            raise MediaInvalid(f"the file is cut short: a box header is cut off at byte {at}")
        size_bytes, header_bytes = int.from_bytes(header[8:16]), 16
    elif size_bytes == 0:
        size_bytes = end - at
    if size_bytes < header_bytes:
        raise MediaInvalid(f"the file is not a valid MP4: the box at byte {at} is smaller than its own header")
    if at + size_bytes > end:
        name = ascii(kind.decode("latin-1"))[1:-1]  # any bytes, if the file is not an MP4
        missing = at + size_bytes - end
        raise MediaInvalid(f"the file is cut short: its {name} box runs {missing} bytes past the end")
    return kind, at + header_bytes, at + size_bytes
