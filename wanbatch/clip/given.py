"""A file that a shot is given, as it is sent: its bytes once they were checked, and what they are."""

from __future__ import annotations

from dataclasses import dataclass

FILE_BYTES_MAX = 20_000_000  # as saved, and as sent: the largest that a model of 2026 documents
SOUND_S_MAX = 300.0  # five minutes: no clip is longer than one


@dataclass(frozen=True)
class GivenBytes:
    """What is sent for a file: `form` is the format that it was saved in, `mime` that of `sent`.

    Width and height are those of an upright picture, 0 of a sound; `duration_s` is 0 of a picture.
    """

    form: str
    mime: str
    sent: bytes
    width: int = 0
    height: int = 0
    duration_s: float = 0.0
    has_alpha: bool = False


@dataclass(frozen=True)
class OpenedFile:
    """A file that was opened in another process: the hash of the bytes that were read, and what they are.

    `data` is what is sent, in Base64; it is empty after a check alone.
    """

    sha256: str
    size_bytes: int
    form: str
    mime: str
    width: int
    height: int
    duration_s: float
    has_alpha: bool
    data: str = ""

    @property
    def url(self) -> tuple[bytes, bytes]:
        """Return it as a `data:` URL, in two pieces."""
        return f"data:{self.mime};base64,".encode(), self.data.encode()
