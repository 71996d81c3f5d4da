"""The labels of takes: which scene, shot and take an order is for, where whoever runs the sandbox has said it.

A request names none of them: the provider would have no use for it. But the id of a request ends in the number of its
take and of the try (`...:12.1`), and a file in the sandbox's folder says which take that is. A sandbox without one
knows no names.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from wanbatch.resources import SHOTS_NAME

_TAKE = re.compile(r".*:([0-9]{1,18})\.[0-9]{1,9}")


@dataclass(frozen=True)
class Label:
    """What a filmmaker calls a take; `scene` may be empty."""

    scene: str
    shot: str
    take: int


class Labels:
    """Looks labels up in `shots.json` of a folder: an object with `[scene, shot, take]` by the number of the take.

    The file is read again when it has changed. What cannot be read names nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._path = None if folder is None else folder / SHOTS_NAME
        self._read: tuple[tuple[int, int], dict[str, object]] = ((0, 0), {})

    def of(self, client_request_id: str | None) -> Label | None:
        """Return the label of the take that a request was for; None if it is not known."""
        match = _TAKE.fullmatch(client_request_id or "")
        said = self._said().get(match[1]) if match is not None else None
        match said:
            case [str(scene), str(shot), int(take)]:
                return Label(scene, shot, take)
        return None

    def _said(self) -> dict[str, object]:
        if self._path is None:
            return {}
        try:
            stat = self._path.stat()
            version = stat.st_mtime_ns, stat.st_size
            if version != self._read[0]:
                found = json.loads(self._path.read_text(encoding="utf-8"))
                self._read = version, found if isinstance(found, dict) else {}
        except (OSError, ValueError, RecursionError):
            return {}
        return self._read[1]
