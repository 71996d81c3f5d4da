"""Fountain screenplays: the scenes, what happens in them, who speaks, and the writer's notes. Pure.

Of the syntax (fountain.io) what a shot list needs: title page, scene headings, action, characters, notes. Dialogue,
transitions, sections, synopses, lyrics, and text between /* and */ are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_HEADING = re.compile(r"(?:(?:INT|EXT|EST|INT\.?/EXT|EXT\.?/INT|I/E)[. ]|\.(?=[^.\s])).*", re.IGNORECASE)
_PLACE = re.compile(
    r"(?:(INT|EXT|EST|INT\.?/EXT|EXT\.?/INT|I/E)[. ]+)?(.*?)(?:\s+[-\u2013\u2014]\s+(.*))?", re.IGNORECASE
)
_NUMBER = re.compile(r"\s*#([\w.-]+)#\s*$")
_BONEYARD = re.compile(r"/\*.*?\*/", re.DOTALL)
_NOTE = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)
_TITLE = re.compile(r"[A-Za-z][\w ]*:(?:\s.*)?")
_CHARACTER = re.compile(r"@.+|(?=.*[^\W\d_])[^a-z]+(?:\(.*\)\s*)?\^?")
_EXTENSION = re.compile(r"\s*\(.*?\)|\s*\^$|^@")
_EMPHASIS = re.compile(r"(?<!\\)(\*{1,3}|_)(?=\S)(.+?)(?<=\S)\1")
_SKIPPED = ("#", "=", "~")


@dataclass
class ScreenScene:
    """A scene: its heading and line, its number if it has one, and its parts in the order of the page.

    `actions` are paragraphs with their lines; `cast` those who speak, each once.
    """

    heading: str
    line: int
    number: str = ""
    actions: list[tuple[int, str]] = field(default_factory=list)
    cast: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def place(self) -> tuple[str, str, str]:
        """`interior` or `exterior` (empty if not said, or both), the location, and the time of day."""
        match = _PLACE.fullmatch(self.heading)
        assert match is not None
        inside = {"INT": "interior", "EXT": "exterior"}.get((match[1] or "").upper().rstrip("."), "")
        return inside, match[2].strip(" .") or self.heading, (match[3] or "").strip(" .")


@dataclass(frozen=True)
class Screenplay:
    """A screenplay: its title, empty if it has none, and its scenes."""

    title: str
    scenes: tuple[ScreenScene, ...]


def read_fountain(text: str) -> Screenplay:
    """Read a screenplay. What comes before the first scene heading is not part of a scene, and is skipped."""
    text = _BONEYARD.sub(lambda match: "\n" * match[0].count("\n"), text)
    blocks = list(_blocks(text))
    title = ""
    if blocks and _TITLE.fullmatch(blocks[0][1][0]) and not _HEADING.fullmatch(blocks[0][1][0]):
        first = blocks.pop(0)[1]
        title = next((_plain(line.partition(":")[2]) for line in first if line.casefold().startswith("title:")), "")
        title = title or next((_plain(line) for line in first[1:] if line.startswith((" ", "\t"))), "")
    scenes: list[ScreenScene] = []
    for line, lines in blocks:
        bare = lines[0].strip()
        is_heading = _HEADING.fullmatch(bare) is not None and not bare.startswith("...")
        if is_heading:
            number = _NUMBER.search(bare)
            heading = _plain(_NUMBER.sub("", bare).removeprefix("."))
            scenes.append(ScreenScene(heading, line, number[1] if number is not None else ""))
        if scenes and lines[is_heading:]:
            _put(scenes[-1], line + is_heading, lines[is_heading:])
    return Screenplay(title, tuple(scenes))


def _blocks(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the paragraphs with the number of their first line."""
    held: list[str] = []
    for number, line in enumerate([*text.split("\n"), ""], 1):
        if line.strip():
            held.append(line.rstrip())
        elif held:
            yield number - len(held), held
            held = []


def _put(scene: ScreenScene, line: int, lines: list[str]) -> None:
    """Put a paragraph into its scene."""
    whole = "\n".join(lines)
    scene.notes += [" ".join(note.split()) for note in _NOTE.findall(whole)]
    whole = _NOTE.sub("", whole).strip()
    first = whole.split("\n")[0].strip()
    is_forced = first.startswith("!")
    is_transition = not is_forced and (first.startswith(">") or (first.endswith("TO:") and first.isupper()))
    if not whole or is_transition or (first.startswith(_SKIPPED) and not is_forced):
        return
    if not is_forced and "\n" in whole and _CHARACTER.fullmatch(first):
        name = _plain(_EXTENSION.sub("", first)).strip()
        if name and name not in scene.cast:
            scene.cast.append(name)
        return
    text = " ".join(_plain(each.strip().removeprefix("!")) for each in whole.split("\n"))
    scene.actions.append((line, " ".join(text.split())))


def _plain(text: str) -> str:
    """Return a text without the signs of emphasis."""
    before = ""
    while before != text:
        before, text = text, _EMPHASIS.sub(r"\2", text)
    return text.replace("\\*", "*").replace("\\_", "_").strip()
