"""Characters in a text that are there by mistake: invisible ones that do not belong to the script, and misread ones.

Joiners belong between the parts of an emoji and in scripts such as Persian and Hindi; direction marks into text from
right to left. Source: Unicode 15, chapters 9, 12 and 23; UTS 51 (emoji).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

_UNSEEN = re.compile(
    "[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufeff\uffa0"
    "\ufff9-\ufffd\ue000-\uf8ff\ufdd0-\ufdef\U0001d173-\U0001d17a\U000e0000-\U000e007f\U000f0000-\U0010ffff]"
)
_SPACES = {"\u2028": "a line separator", "\u2029": "a paragraph separator"}
_NAMES = {"\ufeff": "a byte order mark", "\xad": "a soft hyphen", "\ufffd": "the replacement character"}
_JOINERS = "\u200c\u200d"
_MARKS = "\u061c\u200e\u200f\u202a\u202b\u202c\u2066\u2067\u2068\u2069"
# Scripts that need joiners: Arabic and its neighbours, those of India, Sinhala, Thai to Khmer, Mongolian, Tibetan.
_JOINING = re.compile("[\u0600-\u08ff\u0900-\u0fff\u1000-\u109f\u1780-\u18af\u1a00-\u1aff\ua8e0-\ua8ff\ua9e0-\uabff]")
_FROM_RIGHT = re.compile("[\u0590-\u08ff\ufb1d-\ufdfb\ufe70-\ufefc]")
_EMOJI = re.compile(
    "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2900-\u297f\u2b00-\u2bff"
    "\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
)
_AFTER_EMOJI = "\ufe0f\u20e3"  # the emoji form, a key cap; skin tones are emoji themselves
_FLAG, _TAGS = "\U0001f3f4", ("\U000e0020", "\U000e007f")


def unseen(text: str) -> Iterator[int]:
    """Yield the position of each invisible character that does not belong to the script around it."""
    if text.isascii():
        return
    for match in _UNSEEN.finditer(text):
        if not _belongs(text, match.start()):
            yield match.start()


def character_name(char: str) -> str:
    """Return the name of a character as people know it: `a soft hyphen (U+00AD)`."""
    name = _NAMES.get(char) or _SPACES.get(char)
    if name is None:
        official = unicodedata.name(char, "")
        name = f"the invisible character {official}" if official else "an unassigned character"
    return f"{name} (U+{ord(char):04X})"


def _belongs(text: str, at: int) -> bool:
    char, before = text[at], text[:at]
    if char in _JOINERS:
        if _JOINING.match(text, at - 1) if at else False:
            return True
        after = text[at + 1 : at + 2]
        bare = before.rstrip(_AFTER_EMOJI)
        return char == "\u200d" and bool(bare and after and _EMOJI.match(bare[-1]) and _EMOJI.match(after))
    if char in _MARKS:
        return _FROM_RIGHT.search(text) is not None
    if char == "\u180e":
        return bool(at and "\u1800" <= text[at - 1] <= "\u18af")
    if _TAGS[0] <= char <= _TAGS[1]:
        flag = re.search(f"{_FLAG}[{_TAGS[0]}-{_TAGS[1]}]*$", before)  # flags of England, Scotland, Wales
        return flag is not None
    return False


# The bytes of a letter in UTF-8, as Windows-1252 shows them; the five bytes that it lacks are control characters.
_LEAD = "[\xc2-\xf4]"
_MISREAD = re.compile(f"{_LEAD}[\x80-\xbf\u0152-\u2122]{{1,3}}")
_SURE_LEADS = "\xc2\xc3"  # of Latin letters; the others also begin words in capitals


@dataclass(frozen=True)
class Misread:
    """Characters that are one other character in UTF-8, read in the wrong encoding."""

    at: int
    found: str
    meant: str


def misread(text: str) -> list[Misread]:
    """Find characters that were read in the wrong encoding: `Ã©` for `é`, `â€™` for an apostrophe."""
    if text.isascii():
        return []
    found = []
    for match in _MISREAD.finditer(text):
        raw = b"".join(map(_byte_of, match[0]))
        size = 2 if raw[:1] < b"\xe0" else 3 if raw[:1] < b"\xf0" else 4
        try:
            meant = raw[:size].decode()
        except UnicodeDecodeError:
            continue
        found.append(Misread(match.start(), match[0][:size], meant))
    is_sure = len(found) > 1 or any(len(each.found) > 2 or each.found[0] in _SURE_LEADS for each in found)
    return found if is_sure else []


def _byte_of(char: str) -> bytes:
    if ord(char) < 0x100:
        return bytes([ord(char)])
    try:
        return char.encode("cp1252")
    except UnicodeEncodeError:
        return b"?"
