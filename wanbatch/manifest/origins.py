"""Where the values of a shot come from: of each field, whose it is, and the line of the file. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

from wanbatch.manifest.tree import Filled, Node, Place, Table
from wanbatch.manifest.values import is_null


def origins_of(shot: Table, nodes: Mapping[str, Node], source: str) -> dict[str, tuple[str, ...]]:
    """Return, for each field that a shot or its defaults give, where it comes from: of a text, each of its parts."""
    told = {}
    for name, node in nodes.items():
        if is_null(node):
            continue
        owner = (shot.owners or {}).get(name, "shot" if name in shot.items else "defaults")
        if isinstance(node, Filled):
            parts = [_words(owner if part.owner == "shot" else part.owner, part.at, source) for part in node.parts]
            told[name] = tuple(dict.fromkeys(parts))
        else:
            told[name] = (_words(owner, node.at, source),)
    return told


def _words(owner: str, at: Place, source: str) -> str:
    return f"{owner}, {PurePath(at.file or source).name}:{at.line}"
