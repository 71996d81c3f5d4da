"""The folders inside an output: which of them may be on another disk, and where that is.

`clips` and `posters` may be links to folders elsewhere, as they are what needs the room; every command follows them. No
other folder of an output may be a link: what is written there would land wherever it points.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from wanbatch.disk import free_bytes
from wanbatch.errors import LocalFault, UsageInvalid

OUTPUTS = "outputs"  # the folder of all outputs, below the working folder
CLIPS = "clips"
POSTERS = "posters"
LINKABLE = (CLIPS, POSTERS)
NAMED = "named"
FRAMES = "frames"  # of clips, as other shots were given them
FIXED = ("reports", "edit", NAMED, FRAMES, ".sandbox")


def home_of(output: Path, folder: str) -> Path | None:
    """Return where the files of a folder lie, links followed; None if it is a link that is not followed."""
    named = output / folder
    try:
        real = named.resolve()
        if not named.is_symlink():
            return real
        is_elsewhere = not real.is_relative_to(output.resolve()) and not output.resolve().is_relative_to(real)
        return real if folder in LINKABLE and is_elsewhere and real.is_dir() else None
    except (OSError, RuntimeError):  # RuntimeError: links in a circle, as older Pythons tell it
        return None


def is_in(output: Path, folder: str, file: str) -> bool:
    """Say whether a path of the state file is a plain name in this folder, and no link that leads out of it."""
    if not _is_plain(folder, file):
        return False
    home = home_of(output, folder)
    try:
        real = (output / file).resolve()
        return (
            home is not None and real.parent == home and not real.is_symlink()
        )  # a link still: one that leads in a circle
    except (OSError, RuntimeError):
        return False


def only_in(output: Path, folder: str, files: Iterable[str | None]) -> list[str | None]:
    """Return these paths of the state file, None in place of each that `is_in` says is not in this folder.

    A plain name in a folder that holds no link stays in it: the disk is asked once, not for each name.
    """
    home = home_of(output, folder)
    if home is None or _holds_links(home):
        return [file if file is not None and is_in(output, folder, file) else None for file in files]
    return [file if file is not None and _is_plain(folder, file) else None for file in files]


def _is_plain(folder: str, file: str) -> bool:
    begin, name = file[: len(folder) + 1], file[len(folder) + 1 :]
    return begin == f"{folder}/" and not set(name) & set("/\\:\0") and name not in ("", ".", "..")


def _holds_links(home: Path) -> bool:
    try:
        with os.scandir(home) as entries:
            return any(each.is_symlink() for each in entries)
    except FileNotFoundError:
        return False
    except OSError:
        return True  # unknown


def links_of(output: Path) -> Mapping[str, Path]:
    """Return which folders of an output are links, and where to. Call it before anything is paid for.

    Raises LocalFault for a link that is not followed, UsageInvalid for an output whose name no report could hold.
    """
    if not output.resolve().name.isascii():
        _assert_named(output.resolve().name)
    found = {}
    for folder in (*LINKABLE, *FIXED):
        named = output / folder
        if not named.is_symlink():
            continue
        home = home_of(output, folder)
        if home is not None:
            found[folder] = home
        elif folder in LINKABLE:
            raise LocalFault(
                f"{named} is a link to {named.readlink()}; it must lead to an existing folder outside {output}: make"
                " that folder, mount its disk, or remove the link"
            )
        else:
            raise LocalFault(
                f"{named} is a link: only clips and posters may be elsewhere. Put a folder in its place, or remove it"
            )
    return found


def _assert_named(name: str) -> None:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError as error:
        shown = name.encode("utf-8", "replace").decode("utf-8")
        raise UsageInvalid(
            f"the name of the output folder, {shown}, is not valid UTF-8, so no report could show it. Nothing was"
            " sent: rename it, or use another one"
        ) from error


def room_bytes(output: Path) -> int:
    """Return the bytes free where an output and its clips lie: the less of both."""
    home = home_of(output, CLIPS)
    places = [output] if home is None or not home.is_dir() else [output, home]
    return min(map(free_bytes, places))
