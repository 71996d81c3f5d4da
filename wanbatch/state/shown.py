"""What a report may show of a state file: no secret, no path of this machine, no file outside the output folder.

The state file may be damaged, old or from someone else, so each text and each path of it is judged again here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from wanbatch.batch.remedies import in_folder
from wanbatch.batch.take import Take
from wanbatch.folders import CLIPS, is_in

_USERINFO = re.compile(r"(?i)\b(https?://)[^\s/?#@]*@")
_QUERY = re.compile(r"(?i)\b(https?://[^\s?#\"'<>]*)[?#][^\s\"'<>]*")  # a signed link is a key to what it names
_BEARER = re.compile(r"(?i)\bbearer\s+[^\s,;\"']+")


def shown_text(text: str, output: Path) -> str:
    """Return a text without passwords and queries of links, without keys, the output folder by its name alone."""
    return shown_beside(text, homes_of(output)) if text else text


def homes_of(output: Path) -> tuple[Path, ...]:
    """Return the paths that an output folder may be called by in a text: links followed, and not."""
    return tuple(each for each in dict.fromkeys((output.resolve(), output.absolute())) if each.name)


def shown_beside(text: str, homes: Iterable[Path]) -> str:
    """Return a text as `shown_text` does, for an output folder that has these paths."""
    text = _BEARER.sub("Bearer ***", _QUERY.sub(r"\1?…", _USERINFO.sub(r"\1", text)))
    for folder in homes:
        text = text.replace(str(folder), folder.name)
    return text


def shown_folder(output: Path) -> str:
    """Return how a page names its output folder in commands: as it is reached from where batches are run."""
    home = output.resolve()
    return f"outputs/{home.name}" if home.parent.name == "outputs" else home.name


def shown_take(take: Take, output: Path) -> Take:
    """Return a take as reports may show it; its file is None if it is not a clip of this folder."""
    file = take.file if take.file is not None and is_in(output, CLIPS, take.file) else None
    return replace(
        take,
        file=file,
        error=in_folder(shown_text(take.error, output), shown_folder(output)) if take.error else "",
        warning=in_folder(shown_text(take.warning, output), shown_folder(output)) if take.warning else "",
        note=shown_text(take.note, output),
    )
