"""Text from outside as a person may see it: nothing in it moves a terminal, and nothing hides. Pure."""

from __future__ import annotations

import re
import unicodedata

TURNING = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks that turn the direction of what follows
_UNSEEN = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{TURNING}]")  # of the controls, line breaks and tabs stay
_IN_JSON = re.compile(f"[\x7f-\x9f{TURNING}]")  # JSON itself escapes the other controls


def visible(text: object) -> str:
    """Return a text in which nothing hides: control characters are dropped, marks that turn the direction are named."""
    return _UNSEEN.sub(lambda found: "" if found[0] < "\xa0" else f"[U+{ord(found[0]):04X}]", str(text))


def visible_json(text: str) -> str:
    """Return the same JSON document with every character escaped that could move a terminal or hide."""
    return _IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


MESSAGE_CAP = 300


def shown(text: object) -> str:
    """Return a server's text fit for a screen or a log: one line, printable, at most 300 characters."""
    flat = " ".join(str(text).split())
    clean = "".join(char for char in flat if unicodedata.category(char)[0] != "C")
    return clean if len(clean) <= MESSAGE_CAP else clean[: MESSAGE_CAP - 1] + "…"


def is_text(name: str) -> bool:
    """Say whether a name is text: a path may hold bytes that are not UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
