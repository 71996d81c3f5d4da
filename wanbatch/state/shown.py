"""What a report may show of a state file: no secret, no path of this machine, no file outside the output folder.

The state file may be damaged, old or a stranger's, so each text and each path of it is judged again here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from wanbatch.batch.advice import in_folder
from wanbatch.batch.attempts import Attempt
from wanbatch.batch.plan import ShotRow
from wanbatch.batch.take import Take
from wanbatch.folders import CLIPS, is_in

_USERINFO = re.compile(r"(?i)\b(https?://)[^\s/?#@]*@")
_QUERY = re.compile(r"(?i)\b(https?://[^\s?#\"'<>]*)[?#][^\s\"'<>]*")  # a signed link is a key to what it names
_BEARER = re.compile(r"(?i)\bbearer\s+[^\s,;\"']+")


def shown_text(text: str, output: Path) -> str:
    """Return a text without passwords and queries of links, without keys, the output folder by its name alone."""
    if not text:  # of a hundred thousand takes nearly all
        return text
    text = _BEARER.sub("Bearer ***", _QUERY.sub(r"\1?…", _USERINFO.sub(r"\1", text)))
    for folder in (output.resolve(), output.absolute()):
        if folder.name:
            text = text.replace(str(folder), folder.name)
    return text


def shown_folder(output: Path) -> str:
    """Return how a page names its output folder in commands: as it is reached from where batches are run."""
    home = output.resolve()
    return f"outputs/{home.name}" if home.parent.name == "outputs" else home.name


def shown_take(take: Take, output: Path) -> Take:
    """Return a take as reports may show it; its file is None if it is no clip of this folder."""
    file = take.file if take.file is not None and is_in(output, CLIPS, take.file) else None
    return replace(
        take,
        file=file,
        error=in_folder(shown_text(take.error, output), shown_folder(output)) if take.error else "",
        warning=in_folder(shown_text(take.warning, output), shown_folder(output)) if take.warning else "",
        note=shown_text(take.note, output),
    )


def shown_shots(shots: Sequence[ShotRow], takes: Sequence[Take]) -> list[ShotRow]:
    """Return the shots, and one for each take whose own is missing: no take is left out of a sum."""
    known = {shot.shot_id for shot in shots}
    strays = dict.fromkeys(take.shot_id for take in takes if take.shot_id not in known)
    return [
        *shots,
        *(ShotRow(each, len(shots), "", "", (), "", "", "", 1, omit=False, removed=True) for each in strays),
    ]


def shown_attempts(attempts: Sequence[Attempt], output: Path) -> list[Attempt]:
    """Return attempts as reports may show them."""
    return [replace(attempt, error=shown_text(attempt.error, output)) for attempt in attempts]
