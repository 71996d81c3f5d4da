"""Fountain screenplays: the scenes, what happens in them, who speaks, and the writer's notes. Pure.

Of the syntax (fountain.io) what a shot list needs: title page, sections, synopses, scene headings, action, characters,
notes. Dialogue, transitions, lyrics, and text between /* and */ are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_HEADING = re.compile(r"(?:(?:INT|EXT|EST|INT\.?/EXT|EXT\.?/INT|I/E)[. ]|\.(?=[^.\s])).*", re.IGNORECASE)
_PLACE = re.compile(
    r"(?:(INT\.?/EXT|EXT\.?/INT|I/E|INT|EXT|EST)[. ]+)?(.*?)(?:\s+[-\u2013\u2014]\s+(.*))?", re.IGNORECASE
)
_NUMBER = re.compile(r"\s*#([\w.-]+)#\s*$")
_BONEYARD = re.compile(r"/\*.*?\*/", re.DOTALL)
_NOTE = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)
_TITLE = re.compile(r"[A-Za-z][\w ]*:(?:\s.*)?")
_CHARACTER = re.compile(r"@.+|(?=.*[^\W\d_])[^a-z]+(?:\(.*\)\s*)?\^?")
_EXTENSION = re.compile(r"\s*\(.*?\)|\s*\^$|^@")
_EMPHASIS = re.compile(r"(?<!\\)(\*{1,3}|_)(?=\S)(.+?)(?<=\S)\1")
_SECTION = re.compile(r"\s*(#{1,6})\s*(.*?)\s*")
_SYNOPSIS = re.compile(r"\s*=(?!=)\s*(.*?)\s*")
_PAGE_BREAK = re.compile(r"\s*={3,}\s*")
_HEARD = re.compile(
    r"\((?:.*[\s,;/])?(?:V\.? ?O|O\.? ?[SC]|OFF|VOICE[ -]?OVER|OFF[ -]?(?:SCREEN|CAMERA))\b", re.IGNORECASE
)


@dataclass
class ScreenScene:
    """A scene: its heading and line, its number if it has one, and its parts in the order of the page.

    `actions` are paragraphs with their lines; `cast` those who speak and are seen, `heard` those who are off screen,
    each once. `act` is the number of its act among those of the screenplay; None if it is in none.
    """

    heading: str
    line: int
    number: str = ""
    actions: list[tuple[int, str]] = field(default_factory=list)
    cast: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    act: int | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def place(self) -> tuple[str, str, str]:
        """`interior` or `exterior` (empty if not said, or both), the location, and the time of day."""
        match = _PLACE.fullmatch(self.heading)
        assert match is not None
        inside = {"INT": "interior", "EXT": "exterior"}.get((match[1] or "").upper().rstrip("."), "")
        return inside, match[2].strip(" .") or self.heading, (match[3] or "").strip(" .")


@dataclass
class Act:
    """A section of the first level: its title, and its synopsis."""

    title: str
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Screenplay:
    """A screenplay: its title, empty if it has none, its scenes, and its acts."""

    title: str
    scenes: tuple[ScreenScene, ...]
    acts: tuple[Act, ...] = ()


@dataclass
class _Outline:
    """What is read so far; `waiting` are the sections below an act that the next scene is in."""

    scenes: list[ScreenScene] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    is_in_scene: bool = False

    def take(self, line: str) -> bool:
        """Take a section, a synopsis or a page break; False for any other line."""
        section, synopsis = _SECTION.fullmatch(line), _SYNOPSIS.fullmatch(line)
        if section is not None:
            self.is_in_scene = False
            if len(section[1]) == 1:
                self.acts.append(Act(_plain(section[2])))
                self.waiting = []
            elif section[2]:
                self.waiting.append(_plain(section[2]))
        elif synopsis is not None and synopsis[1]:
            at_act = self.acts and not self.is_in_scene and not self.waiting
            notes = self.scenes[-1].notes if self.is_in_scene else self.acts[-1].notes if at_act else self.waiting
            notes.append(_plain(synopsis[1]))
        return section is not None or synopsis is not None or _PAGE_BREAK.fullmatch(line) is not None

    def begin(self, scene: ScreenScene) -> None:
        """Begin a scene, of the act that was begun last."""
        scene.act = len(self.acts) - 1 if self.acts else None
        scene.notes += self.waiting
        self.waiting, self.is_in_scene = [], True
        self.scenes.append(scene)


def read_fountain(text: str) -> Screenplay:
    """Read a screenplay. What comes before the first scene heading is not part of a scene, and is skipped."""
    text = _BONEYARD.sub(lambda match: "\n" * match[0].count("\n"), text)
    blocks = list(_blocks(text))
    title = ""
    if blocks and _TITLE.fullmatch(blocks[0][1][0]) and not _HEADING.fullmatch(blocks[0][1][0]):
        first = blocks.pop(0)[1]
        title = next((_plain(line.partition(":")[2]) for line in first if line.casefold().startswith("title:")), "")
        title = title or next((_plain(line) for line in first[1:] if line.startswith((" ", "\t"))), "")
    outline = _Outline()
    for first_line, block in blocks:
        line, lines = first_line, block
        while lines and outline.take(lines[0]):
            line, lines = line + 1, lines[1:]
        bare = lines[0].strip() if lines else ""
        is_heading = _HEADING.fullmatch(bare) is not None and not bare.startswith("...")
        if is_heading:
            number = _NUMBER.search(bare)
            heading = _plain(_NUMBER.sub("", bare).removeprefix("."))
            outline.begin(ScreenScene(heading, line, number[1] if number is not None else ""))
            line, lines = line + 1, lines[1:]
            while lines and outline.take(lines[0]):
                line, lines = line + 1, lines[1:]
        if outline.scenes and lines:
            _put(outline.scenes[-1], line, lines)
    return Screenplay(title, tuple(outline.scenes), tuple(outline.acts))


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
    if not whole or is_transition or (first.startswith("~") and not is_forced):
        return
    if not is_forced and "\n" in whole and _CHARACTER.fullmatch(first):
        name = _plain(_EXTENSION.sub("", first)).strip()
        known = scene.heard if _HEARD.search(first) is not None else scene.cast
        if name and name not in known:
            known.append(name)
        return
    text = " ".join(_plain(each.strip().removeprefix("!")) for each in whole.split("\n"))
    scene.actions.append((line, " ".join(text.split())))


def _plain(text: str) -> str:
    """Return a text without the signs of emphasis."""
    before = ""
    while before != text:
        before, text = text, _EMPHASIS.sub(r"\2", text)
    return text.replace("\\*", "*").replace("\\_", "_").strip()
