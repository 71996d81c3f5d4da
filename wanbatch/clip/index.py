"""The index of an MP4: what it demands of a reader, checked before FFmpeg reads it. Source: ISO/IEC 14496-12.

A few bytes of index can refer to other files, promise billions of samples or unpack to gigabytes. FFmpeg takes such
boxes wherever they are, inside each other and in sample descriptions, so wanbatch searches byte by byte and not only
where they belong.
"""

from __future__ import annotations

import re

from wanbatch.clip.bounds import EDITS_MAX, SAMPLES_MAX, assert_size
from wanbatch.errors import MediaInvalid

_WITHIN = 1  # the flag of a data reference that means this very file
_BOXES = re.compile(rb"dref|rmra|cmov|tkhd|elst|stsz|stz2|stts|ctts|stsc|trun", re.DOTALL)
_PACKED = re.compile(rb"....dcom", re.DOTALL)


def assert_plain(index: bytes) -> None:
    """Raise MediaInvalid if the index demands what no clip needs.

    `index` is all of a file that is neither pictures nor sound: its outer boxes but `mdat`, one after the other.
    """
    samples, room_bytes = 0, len(index)
    for hit in _BOXES.finditer(index):
        body = _body_at(index, hit.start())
        if body is None:
            continue
        room_bytes -= len(body)
        if room_bytes < 0:
            raise MediaInvalid("the clip's index has tables within tables")
        samples += _TESTS[hit.group()](body)
        if samples > SAMPLES_MAX:
            raise MediaInvalid(f"the clip declares more than {SAMPLES_MAX} samples of video and sound")


def _body_at(index: bytes, kind_at: int) -> memoryview | None:
    """Return the body of the box whose kind is at this place; None if these four bytes are not a box."""
    if kind_at < 4:
        return None
    at, size_bytes, header_bytes = kind_at - 4, int.from_bytes(index[kind_at - 4 : kind_at]), 8
    if size_bytes == 1:
        size_bytes, header_bytes = int.from_bytes(index[kind_at + 4 : kind_at + 12]), 16
    elif size_bytes == 0:
        size_bytes = len(index) - at
    if not header_bytes <= size_bytes <= len(index) - at:
        return None
    return memoryview(index)[at + header_bytes : at + size_bytes]


def _number(body: memoryview, at: int) -> int:
    return int.from_bytes(body[at : at + 4])


def _references(body: memoryview) -> int:
    """A `dref`: every entry must be a `url ` or `urn ` of this very file."""
    at = 8  # its version and flags, and how many entries there are
    for _ in range(_number(body, 4)):
        size_bytes = _number(body, at)
        entry = bytes(body[at : at + 12])
        if size_bytes < 12 or at + size_bytes > len(body):
            raise MediaInvalid("the clip's list of its media files is cut short")
        if entry[4:8] not in (b"url ", b"urn ") or not entry[11] & _WITHIN:
            raise MediaInvalid("the clip refers to video or sound in another file")
        at += size_bytes
    return 0


def _film_reference(_: memoryview) -> int:
    """A `rmra` of QuickTime: a list of films elsewhere."""
    raise MediaInvalid("the clip refers to video or sound in another file")


def _packed(body: memoryview) -> int:
    """A `cmov` of QuickTime: an index whose boxes cannot be seen, and may unpack to gigabytes."""
    if _PACKED.match(body) is not None:
        raise MediaInvalid("the clip's index is compressed")
    return 0


def _track_size(body: memoryview) -> int:
    """A `tkhd`: the size of the picture is in its last eight bytes, 16.16 each."""
    at = 88 if len(body) and body[0] == 1 else 76
    assert_size(_number(body, at) >> 16, _number(body, at + 4) >> 16)
    return 0


def _edits(body: memoryview) -> int:
    """A `elst`: each entry may show the whole track again."""
    if _number(body, 4) > EDITS_MAX:
        raise MediaInvalid(f"a track of the clip is assembled from more than {EDITS_MAX} parts")
    return 0


def _sizes(body: memoryview) -> int:
    """A `stsz` or `stz2`: a sample count, which may be large in a small box if all have one size."""
    return _number(body, 8)


def _runs(body: memoryview) -> int:
    """A `stts` or `ctts`: runs of samples, eight bytes each, whose lengths add up."""
    entries = min(_number(body, 4), max(0, len(body) - 8) // 8)
    return sum(_number(body, 8 + 8 * each) for each in range(entries))


def _chunks(body: memoryview) -> int:
    """A `stsc`: how many samples a chunk has, in the second of three numbers."""
    entries = min(_number(body, 4), max(0, len(body) - 8) // 12)
    return max((_number(body, 12 + 12 * each) for each in range(entries)), default=0)


def _fragment(body: memoryview) -> int:
    """A `trun`: how many samples a fragment has."""
    return _number(body, 4)


_TESTS = {
    b"dref": _references,
    b"rmra": _film_reference,
    b"cmov": _packed,
    b"tkhd": _track_size,
    b"elst": _edits,
    b"stsz": _sizes,
    b"stz2": _sizes,
    b"stts": _runs,
    b"ctts": _runs,
    b"stsc": _chunks,
    b"trun": _fragment,
}
"""The check for each kind of box; it returns how many samples the box declares."""
