"""Letters on pictures: text in the fonts that this machine has; text that none can draw is replaced by its length."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import groupby

from PIL import ImageDraw, ImageFont, features

from wanbatch.clip.fonts import Face, faces_here
from wanbatch.units import count_text

FACES_MAX = 6
_TRIAL_PX = 16
_TRIED_MAX = 40  # fonts to try for a character before giving up
_BUNDLED = frozenset(map(chr, range(0x20, 0x7F))) | frozenset(
    map(chr, (0xA9, 0xAB, 0xB0, 0xB1, 0xB4, 0xB7, 0xBB, 0x2018, 0x2019, 0x201C, 0x201D, 0x2026, 0x2122))
)
_PLAIN = str.maketrans({chr(0x2013): "-", chr(0x2014): "-", chr(0xD7): "x"})  # dashes and the times sign
_JOINERS = frozenset("\u200c\u200d")
# Scripts whose letters change with their neighbours, or run from right to left (Unicode 15 blocks): drawn letter by
# letter they would be wrong.
_SHAPED = (
    (0x0590, 0x08FF), (0x0900, 0x0DFF), (0x0F00, 0x109F), (0x1700, 0x18AF), (0x1900, 0x1CFF), (0xA800, 0xA8FF),
    (0xA900, 0xA9FF), (0xAA00, 0xAADF), (0xABC0, 0xABFF), (0xFB1D, 0xFDFF), (0xFE70, 0xFEFC), (0x10800, 0x10FFF),
    (0x11000, 0x11FFF), (0x1E800, 0x1EFFF),
)  # fmt: skip

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Lettering:
    """A size in pixels and the fonts of a text, first choice first; None stands for the one that comes with Pillow."""

    size_px: int
    faces: tuple[Face | None, ...]

    def getlength(self, text: str) -> float:
        """Return the width of a text on one line, in pixels."""
        return sum(_font(face, self.size_px).getlength(part) for face, part in self._runs(text))

    def draw(self, pen: ImageDraw.ImageDraw, at: tuple[float, float], text: str, fill: Colour) -> None:
        """Write a text on one line; `at` is its upper left corner."""
        if len(self.faces) == 1:
            pen.text(at, text, font=_font(self.faces[0], self.size_px), fill=fill)
            return
        left, base = at[0], at[1] + _ascent(self.faces[0], self.size_px)
        for face, part in self._runs(text):
            font = _font(face, self.size_px)
            pen.text((left, base), part, font=font, fill=fill, anchor="ls")
            left += font.getlength(part)

    def _runs(self, text: str) -> list[tuple[Face | None, str]]:
        """Break a line where the font changes; in a line that begins at the right the runs start there."""
        runs: list[tuple[Face | None, str]] = []
        face: Face | None = self.faces[0]
        for char in text:
            if not (char == " " or char in _JOINERS or unicodedata.combining(char)):
                face = next((each for each in self.faces if _claims(each, char)), face)
            if runs and runs[-1][0] == face:
                runs[-1] = (face, runs[-1][1] + char)
            else:
                runs.append((face, char))
        kinds = (unicodedata.bidirectional(char) for char in text)
        is_from_right = next((kind for kind in kinds if kind in ("L", "R", "AL")), "L") != "L"
        return runs[::-1] if is_from_right else runs


def letter(text: str, size_px: int) -> tuple[str, Lettering]:
    """Choose fonts for a text, and replace what they cannot draw by its length."""
    text = _line_of(text)
    plain = text.translate(_PLAIN)
    if set(plain) <= _BUNDLED:
        return plain, Lettering(size_px, (None,))
    chars = frozenset(text) - {" ", *_JOINERS}
    unshaped = frozenset() if has_shaper() else frozenset(filter(_is_shaped, chars))
    faces, lacked = _chosen(chars - unshaped)
    if lacked:  # better a letter without its accent than none
        bare = "".join(_bare(char) if char in lacked else char for char in text)
        if bare != text:
            return letter(bare, size_px)
    return _reported(text, lacked, unshaped), Lettering(size_px, faces)


def has_shaper() -> bool:
    """Say whether letters can be joined and lines can run from the right: Pillow needs the raqm library for it."""
    return bool(features.check_feature("raqm"))


def _line_of(text: str) -> str:
    """Replace controls by spaces, and remove characters that only change how others look; joiners stay where they
    matter.
    """
    is_shaped = any(map(_is_shaped, text))
    kept = []
    for char in text:
        if char in _JOINERS:
            kept.append(char if is_shaped else "")
        elif unicodedata.category(char) != "Cf" and not 0xFE00 <= ord(char) <= 0xFE0F:
            kept.append(char if char.isprintable() else " ")
    return "".join(kept)


def _bare(char: str) -> str:
    bare = "".join(each for each in unicodedata.normalize("NFKD", char) if not unicodedata.combining(each))
    return bare if bare and set(bare) <= _BUNDLED else char


def _is_shaped(char: str) -> bool:
    return any(start <= ord(char) <= end for start, end in _SHAPED)


def _reported(text: str, lacked: frozenset[str], unshaped: frozenset[str]) -> str:
    """Replace characters that cannot be drawn by their number and the reason."""
    reported = []
    for why, group in groupby(text, key=lambda char: (char in lacked, char in unshaped)):
        run = "".join(group)
        count = count_text(len(run), "character")
        if why[0]:
            reported.append(f" [{count} that no font here has] ")
        elif why[1]:
            reported.append(f" [{count} of a script that cannot be joined here] ")
        else:
            reported.append(run)
    return "".join(reported).strip()


@lru_cache(maxsize=512)
def _chosen(chars: frozenset[str]) -> tuple[tuple[Face | None, ...], frozenset[str]]:
    """Choose fonts for these characters: one that has them all, else as few as possible; and return what is left
    over.
    """
    whole = next((face for face in _fitting(chars) if all(_draws(face, char) for char in chars)), None)
    if whole is not None:
        return (whole,), frozenset()
    faces: list[Face | None] = [None]
    left = chars - _BUNDLED
    while left and len(faces) <= FACES_MAX:
        best = max(_fitting(left, some=True), key=lambda face: sum(_draws(face, char) for char in left), default=None)
        drawn = frozenset() if best is None else frozenset(char for char in left if _draws(best, char))
        if not drawn:
            break
        faces.append(best)
        left -= drawn
    return tuple(faces), left


def _fitting(chars: frozenset[str], *, some: bool = False) -> Iterator[Face]:
    """Yield fonts that claim all (or some) of these characters: regular ones first, those with the most characters
    first.
    """
    counted = [(sum(map(face.has, chars)), face) for face in faces_here()]
    wanted = [(count, face) for count, face in counted if count and (some or count == len(chars))]
    wanted.sort(key=lambda each: (-each[0], not each[1].is_regular, _is_odd(each[1]), each[1].path, each[1].index))
    return (face for _, face in wanted[:_TRIED_MAX])


def _is_odd(face: Face) -> bool:
    """Say whether a font has a special purpose: slates are read, not typeset."""
    name = face.path.rsplit("/", 1)[-1].lower()
    return any(word in name for word in ("mono", "serif", "narrow", "condensed", "math", "symbol"))


def _claims(face: Face | None, char: str) -> bool:
    return char in _BUNDLED if face is None else face.has(char)


@lru_cache(maxsize=4096)
def _draws(face: Face, char: str) -> bool:
    """Say whether a font really draws a character: some claim more than they have."""
    if not face.has(char):
        return False
    try:
        font = _font(face, _TRIAL_PX)
        drawn = bytes(font.getmask(char))
    except (OSError, ValueError):
        return False
    is_mark = bool(unicodedata.combining(char)) or unicodedata.category(char) in ("Cf", "Zs", "Mn", "Mc")
    return is_mark or (any(drawn) and drawn != _nothing(face))


@cache
def _nothing(face: Face) -> bytes:
    return bytes(_font(face, _TRIAL_PX).getmask("\U0010ffff"))


@lru_cache(maxsize=64)
def _font(face: Face | None, size_px: int) -> Font:
    if face is None:
        return ImageFont.load_default(size=size_px)
    return ImageFont.truetype(face.path, size_px, index=face.index)


def _ascent(face: Face | None, size_px: int) -> float:
    font = _font(face, size_px)
    return font.getmetrics()[0] if isinstance(font, ImageFont.FreeTypeFont) else size_px
