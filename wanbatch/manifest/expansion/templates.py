"""Templates: a text in which `{cast.mara}` stands for another text. Pure.

A template reaches the texts of its manifest and nothing else: no attribute, no index, no format, no code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from wanbatch.manifest.words import shown

# A brace that is sent, a name in braces, or a brace that is neither.
_TOKEN = re.compile(r"\{\{|\}\}|\{[^{}\n]{0,120}\}|[{}]")
_NAME = re.compile(r"[^\W\d][\w-]{0,63}(?:\.[\w-]{1,64}){0,2}")
DOUBLED = "for braces that are sent, write {{ and }}"


@dataclass(frozen=True, slots=True)
class Literal:
    """A text that stands for itself, from this position of the template on."""

    offset: int
    text: str


@dataclass(frozen=True, slots=True)
class Reference:
    """A name in braces, split at its dots, and the position of its brace."""

    offset: int
    path: tuple[str, ...]

    @property
    def text(self) -> str:
        """The reference as a manifest has it, braces included: `{cast.mara}`."""
        return written(self.path)


@dataclass(frozen=True, slots=True)
class Fault:
    """What cannot be read at a position; `text` is what is written there."""

    offset: int
    text: str
    words: str


Piece = Literal | Reference | Fault


def written(path: tuple[str, ...]) -> str:
    """Return a name as a template has it: `{cast.mara}`."""
    return "{" + ".".join(path) + "}"


def pieces_of(text: str) -> Iterator[Piece]:
    """Yield the pieces of a template in order."""
    begin = 0
    for match in _TOKEN.finditer(text):
        if match.start() > begin:
            yield Literal(begin, text[begin : match.start()])
        begin = match.end()
        yield _piece(match.start(), match[0])
    if begin < len(text):
        yield Literal(begin, text[begin:])


def _piece(offset: int, token: str) -> Piece:
    if token in ("{{", "}}"):
        return Literal(offset, token[0])
    if len(token) == 1:
        what = "a { without its }" if token.startswith("{") else "a } without its {"
        return Fault(offset, token, f"{what}; {DOUBLED}")
    name = token[1:-1]
    if _NAME.fullmatch(name):
        return Reference(offset, tuple(name.split(".")))
    if _NAME.fullmatch(name.strip()):
        return Fault(offset, token, f"{shown(token)} has spaces around its name; write {{{name.strip()}}}")
    words = "is not a valid name: a name has letters, digits, dashes and underscores, and dots between its parts"
    return Fault(offset, token, f"{shown(token)} {words}; {DOUBLED}")
