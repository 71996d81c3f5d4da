"""Redaction: taking a key out of text that comes from outside, in the spellings in which servers give it back. Pure."""

from __future__ import annotations

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable
from urllib.parse import quote

PART_LETTERS = 12  # a part of a key that is this long is worth hiding; shorter ones occur by chance
SHORTEST = 4
STARS = "***"


class Redaction:
    """Hides a key: whole, in parts of 12 letters and more, and in Base64, hexadecimal, JSON or URL spelling.

    Letter case does not matter. A key shorter than 12 letters is hidden where it stands whole: no part of a word, a
    number or an id, or messages would lose letters. One of fewer than 4 letters is left alone: it cannot be a secret.
    """

    def __init__(self, key: str) -> None:
        self._short = _whole(key) if len(key) < PART_LETTERS else None
        self._size = PART_LETTERS
        every = _spellings(key) if self._short is None else ()
        self._parts = {part for text in every for part in _parts(text.lower(), self._size)}

    def __call__(self, text: str) -> str:
        """Return the text with three stars in place of each stretch that the key has, too."""
        if self._short is not None:
            return self._short.sub(STARS, text)
        size, low = self._size, text.lower()
        if len(low) != len(text):  # a letter whose lower case is two letters: compare as it stands
            low = text
        pieces: list[str] = []
        kept = at = 0
        while at + size <= len(low):
            if low[at : at + size] not in self._parts:
                at += 1
                continue
            end = at + size
            while end < len(low) and low[end - size + 1 : end + 1] in self._parts:
                end += 1
            pieces += [text[kept:at], STARS]
            kept = at = end
        return "".join([*pieces, text[kept:]]) if pieces else text


def _whole(key: str) -> re.Pattern[str]:
    """Return what finds a short key where it stands on its own; a point that ends a sentence ends it, too."""
    if len(key) < SHORTEST:
        return re.compile(r"(?!)")
    return re.compile(rf"(?i)(?<![\w.:-]){re.escape(key)}(?![\w:-]|\.\w)", re.ASCII)


def _spellings(key: str) -> Iterable[str]:
    data = key.encode()
    yield from (key, json.dumps(key)[1:-1], quote(key, safe=""), data.hex())
    for before in range(3):  # Base64 looks different with the number of bytes in front of the key
        for encode in (b64encode, urlsafe_b64encode):
            whole = encode(b"\0" * before + data).decode().rstrip("=")
            # The first letters mix with what comes before, the last one with what follows.
            yield whole[(before * 8 + 5) // 6 : len(whole) if (before + len(data)) % 3 == 0 else -1]


def _parts(text: str, size: int) -> Iterable[str]:
    return (text[at : at + size] for at in range(len(text) - size + 1))
