"""Given files: the pictures and sounds that shots are given, known by the hash of their bytes. Pure.

A recipe holds `sha256:` and 64 hex digits where its request will hold the file: an edited picture is another recipe,
a moved one is not. The hash is that of the file as its owner saved it, so that anybody can check it, and so that a
newer library, which may write the same picture with other bytes, makes no shot stale.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from wanbatch.batch.frames import frame_in, values_in
from wanbatch.units import size_text

MARK = "sha256:"
CHUNK_BYTES = 64 * 1024
_REFERENCE = re.compile(r"sha256:([0-9a-f]{64})")


class FileKind(StrEnum):
    """What a file is to a shot."""

    PICTURE = "picture"
    SOUND = "sound"


@dataclass(frozen=True)
class GivenFile:
    """A file that a manifest gives to shots.

    `name` is its path from the manifest's folder, a note for people: the hash decides. `form` is its format by its
    content, such as PNG. Width and height are those of the picture as it is seen, 0 of a sound; `duration_s` is 0 of a
    picture.
    """

    sha256: str
    name: str
    kind: FileKind
    form: str
    size_bytes: int
    width: int = 0
    height: int = 0
    duration_s: float = 0.0

    def __str__(self) -> str:
        extent = f"{self.width}x{self.height}" if self.kind is FileKind.PICTURE else f"{self.duration_s:g} s"
        return f"{self.name} ({self.form}, {extent}, {size_text(self.size_bytes)})"

    @property
    def with_hash(self) -> str:
        """Return it with the beginning of its hash: of two files of one name and size, that tells which is which."""
        return f"{str(self)[:-1]}, sha256 {self.sha256[:8]})"

    @property
    def told(self) -> dict[str, Any]:
        """The fields as JSON values, from which `of` makes the same file again."""
        return asdict(self)

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> GivenFile:
        """Return the file whose fields `told` has. Raises KeyError, TypeError or ValueError for anything else."""
        return cls(
            sha256=str(told["sha256"]),
            name=str(told["name"]),
            kind=FileKind(told["kind"]),
            form=str(told["form"]),
            size_bytes=int(told["size_bytes"]),
            width=int(told["width"]),
            height=int(told["height"]),
            duration_s=float(told["duration_s"]),
        )


Files = Mapping[str, GivenFile]  # by hash


def reference_to(sha256: str) -> str:
    """Return what a recipe has in place of a file."""
    return f"{MARK}{sha256}"


def hash_in(value: object) -> str | None:
    """Return the hash of the file that a value of a request stands for; None for any other value."""
    found = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    return None if found is None else found[1]


def hashes_in(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the hashes of the files that a request is given, each once, in the order of the request."""
    found = (hash_in(each) for each in values_in(body))
    return tuple(dict.fromkeys(each for each in found if each is not None))


def with_names(value: Any, files: Files, text: Callable[[GivenFile], str] = str) -> Any:
    """Return a value of a request as people read it: files by their names, with what they are, and frames in words.

    `text` words the files.
    """
    if isinstance(value, Mapping):
        return {name: with_names(each, files, text) for name, each in value.items()}
    if isinstance(value, list):
        return [with_names(each, files, text) for each in value]
    known, frame = files.get(hash_in(value) or ""), frame_in(value)
    if frame is not None:
        return str(frame)
    return value if known is None else text(known)


@dataclass(frozen=True)
class Body:
    """The body of a request with files in it, in pieces: one of many megabytes is never copied into one.

    `frames` are the hashes of the frames in it, by what stands for them in the recipe.
    """

    pieces: tuple[bytes, ...]
    frames: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def size_bytes(self) -> int:
        """How long it is."""
        return sum(map(len, self.pieces))

    @cached_property
    def sha256(self) -> str:
        """The hash of all its bytes, as they are sent."""
        known = hashlib.sha256()
        for piece in self.pieces:
            known.update(piece)
        return known.hexdigest()

    def chunks(self) -> Iterator[bytes]:
        """Yield it in small parts."""
        for piece in self.pieces:
            for at in range(0, len(piece), CHUNK_BYTES):
                yield piece[at : at + CHUNK_BYTES]


def body_with(canonical: str, urls: Mapping[str, tuple[bytes, ...]]) -> Body:
    """Return the body that is sent for a recipe's canonical JSON: with these `data:` URLs, in pieces, for references.

    `urls` are by what stands for them in the recipe. In canonical JSON a reference between quotation marks is a whole
    value: inside a text they would be escaped.
    """
    pieces: list[bytes] = []
    for part in re.split(r'("(?:sha256|frame):[^"\\]+")', canonical):
        url = urls.get(part[1:-1]) if part.startswith('"') else None
        pieces += [part.encode()] if url is None else [b'"', *url, b'"']
    return Body(tuple(pieces))
