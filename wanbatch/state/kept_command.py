"""The kept command: the command line of the newest run of a manifest, and in which folder it goes on today.

A folder may be renamed, and a whole project copied, since the command was given. It goes on with the state file that is
read, never with another one.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from wanbatch.folders import OUTPUTS
from wanbatch.state.reader import StateReader

COMMAND_NOTE = "command"  # the note that has the command line
PLACE_NOTE = "command place"  # the note that has the working folder in which it was given
_FLAGS = ("-o", "--output")
_SOURCE_AT = 2  # wanbatch run SOURCE


@dataclass(frozen=True)
class KeptCommand:
    """A command line, empty if it is not known, and the folder in which it has to be given; empty for the working one,
    or if that is unknown.
    """

    text: str = ""
    place: str = ""


def read_command(reader: StateReader) -> KeptCommand:
    """Read the command line that goes on with the batch of this very folder."""
    text, place = reader.noted(COMMAND_NOTE) or "", reader.noted(PLACE_NOTE) or ""
    if not place.isprintable():
        place = ""
    if place:
        text, place = _as_of_now(text, place, os.path.realpath(reader.output), reader.batch())
    return KeptCommand(text, "" if place == os.path.realpath(".") else place)


def _as_of_now(text: str, place: str, output: str, batch: str) -> tuple[str, str]:
    """Return a command and its folder so that they lead to this output folder, given as a whole path."""
    try:
        words = shlex.split(text)
    except ValueError:  # the state file may come from anywhere
        return text, place
    if len(words) <= _SOURCE_AT:
        return text, place
    kept, named = _without_output(words)
    within = named or f"{OUTPUTS}/{batch}"
    if os.path.realpath(Path(place) / within) == output:
        return text, place
    depth, here = len(Path(within).parts), Path(output)
    is_relative = not (Path(within).is_absolute() or Path(words[_SOURCE_AT]).is_absolute())
    copied = here.parents[depth - 1] if is_relative and 0 < depth <= len(here.parents) else Path(place)
    if (copied / words[_SOURCE_AT]).is_file():  # the whole project is there, manifest and all
        place = str(copied)
    if os.path.realpath(Path(place) / within) == output:
        return text, place
    folder = str(here.relative_to(place)) if here.is_relative_to(place) else output
    return shlex.join([*kept[: _SOURCE_AT + 1], "-o", folder, *kept[_SOURCE_AT + 1 :]]), place


def _without_output(words: list[str]) -> tuple[list[str], str]:
    """Return the words without the flag that names the output folder, and that folder; empty without one."""
    kept, named, is_value = list[str](), "", False
    for word in words:
        name, is_joined, value = word.partition("=")
        if is_value:
            named, is_value = word, False
        elif name in _FLAGS:
            named, is_value = value, not is_joined
        else:
            kept.append(word)
    return kept, named
