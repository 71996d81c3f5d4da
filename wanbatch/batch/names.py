"""Names: what a shot, a batch or a scene may be called, in any script, so that its name can be a file name anywhere.

Text is compared in NFC (Unicode's composed form): an editor may save the same word in either form.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

NAME_CHARACTERS = 64
NAME_BYTES = 200  # of UTF-8: `NAME_t99.mp4.part` stays under the 255 bytes that a file name may have
_ASCII = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
_JOINERS = frozenset("\u200c\u200d")  # Persian and Hindi words are written with them; so are emoji of several parts
_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")  # letters by their class, but invisible
_LOOKALIKES = (
    frozenset(  # like path separators and characters that Windows reserves; some systems turn one into the other
        "\u2044\u2215\u2216\u29f5\u29f8\uff02\uff0a\uff0f\uff1a\uff1c\uff1e\uff1f\uff3c\uff5c"
    )
)
_QUOTES = frozenset("\u201c\u201d\u201e\u201f\xab\xbb\u2018\u201a\u2039\u203a")
_NO_BEGINNING = ".-\uff0b\uff0d\uff1d\uff20"  # a flag, a hidden file, and what begins a formula in a table program
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zs", "Zl", "Zp"})  # control, bidi, half characters, private use, spaces
_RESERVED = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))})
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")  # use fullmatch: `$` lets a line break through
_RULE = "use letters and digits of any language, emoji, dots, dashes and underscores"


def composed(text: str) -> str:
    """Return a text in NFC. Most texts are already, and come back as they are."""
    return text if text.isascii() or unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)


def twin_key(name: str) -> str:
    """Return a key that is equal for names that are one file on some disk, or look the same."""
    if name.isascii():
        return name.lower()
    seen = "".join(char for char in name if char not in _JOINERS and not _is_variation(char))
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", seen).casefold())


def fault_of_name(name: str) -> str | None:
    """Say why a text (in NFC) cannot be a file name on every system; None if it can."""
    is_plain = _PLAIN.fullmatch(name) is not None  # nearly all are
    wrong = None if is_plain else next((place for place in range(len(name)) if not _may_stand(name, place)), None)
    if wrong is not None:
        char = name[wrong]
        what = f"'{char}'" if char.isprintable() and char != " " else _unseen(char)
        return f"cannot be a file name: it contains {what}; {_RULE}"
    if not name or name[0] in _NO_BEGINNING or unicodedata.category(name[0]).startswith("M"):
        return "cannot be a file name: it must begin with a letter, a digit or an underscore"
    if len(name) > NAME_CHARACTERS or len(name.encode()) > NAME_BYTES:
        return f"cannot be a file name: too long; {NAME_CHARACTERS} characters and {NAME_BYTES} bytes of UTF-8 at most"
    if name.endswith("."):
        return "ends in a dot, which some disks drop; choose another"
    if is_reserved(name):
        return "is a name that Windows reserves; choose another"
    return None


def is_in_quotation_marks(name: str) -> bool:
    """Say whether a name begins or ends with a typographic quotation mark: a file may be called so, but hardly is."""
    return name[:1] in _QUOTES or name[-1:] in _QUOTES if name else False


def name_of_stem(stem: str) -> str:
    """Make a batch name of a file's stem: what cannot be in a file name becomes a dash.

    If nothing is left, the name says so and differs for each stem.
    """
    text = composed(stem)
    kept = "".join(char if _may_stand(text, place) else "\0" for place, char in enumerate(text))
    name = _cut(re.sub("\0+", "-", kept).strip("-._"))
    if fault_of_name(name) is None:
        return name
    return f"unnamed-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def _cut(name: str) -> str:
    """Shorten a name to the length of a file name, between two characters."""
    name = name[:NAME_CHARACTERS]
    while len(name.encode("utf-8", "surrogatepass")) > NAME_BYTES:
        name = name[:-1]
    while name and (name[-1] in _JOINERS or name[-1] in "-._"):
        name = name[:-1]
    return name


def _may_stand(name: str, place: int) -> bool:
    """Say whether the character at this place may be in a name."""
    char = name[place]
    if char.isascii():
        return char in _ASCII
    if char in _JOINERS:
        return 0 < place < len(name) - 1 and not name[place - 1].isascii() and not name[place + 1].isascii()
    is_strange = char in _BLANKS or char in _LOOKALIKES or _is_no_character(char)
    return not is_strange and unicodedata.category(char) not in _HIDDEN


def _is_variation(char: str) -> bool:
    return "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"


def _is_no_character(char: str) -> bool:
    return "\ufdd0" <= char <= "\ufdef" or ord(char) & 0xFFFE == 0xFFFE


def _unseen(char: str) -> str:
    return "a space" if char == " " else f"the character U+{ord(char):04X}"


def is_reserved(name: str) -> bool:
    """Say whether Windows keeps a name for itself, with any ending."""
    return unicodedata.normalize("NFKC", name).split(".", maxsplit=1)[0].casefold() in _RESERVED
