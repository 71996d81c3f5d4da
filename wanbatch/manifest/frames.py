"""The frames that a manifest gives to shots: `{from: SHOT}`, or in one text `from: SHOT, at: 2.5s`. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from wanbatch.batch.frames import SECONDS_MAX, Edge, FrameOf
from wanbatch.batch.names import composed
from wanbatch.manifest.tree import Node, Place, Problems, Scalar, Table
from wanbatch.manifest.values import head_value
from wanbatch.manifest.words import meant, shown

FROM, AT, FRAME, TAKE, FOLLOW = "from", "at", "frame", "take", "follow"
FIELDS = (FROM, FRAME, AT, TAKE, FOLLOW)
ALWAYS = "always"
_TEXT = re.compile(r"\s*from\s*:")
_NEAR_TEXT = re.compile(r"\s*(?:form|frm|at|take|follow)\s*:")
_PART = re.compile(r"\s*([A-Za-z_]+)\s*:\s*(.*?)\s*")
_SECONDS = re.compile(r"([0-9]{1,4}(?:\.[0-9]{1,3})?)\s*(ms|s|sec)?")
_WHOLE = re.compile(r"[1-9][0-9]{0,5}")


@dataclass(frozen=True)
class Link:
    """A frame as a manifest gives it to a shot.

    `written` is the field as the manifest calls it; `places` are those of what is said of the frame, by name, of which
    `from` is always one. `is_followed` if the shot is to be made again whenever the frame is another.
    """

    frame: FrameOf
    written: str
    places: Mapping[str, Place] = field(default_factory=dict)
    is_followed: bool = False

    def place_of(self, name: str) -> Place:
        """Return the place of one of the fields, else that of the shot's name."""
        return self.places.get(name, self.places[FROM])


def is_frame(value: object) -> bool:
    """Say whether a value of a field that holds pictures stands for a frame of another shot."""
    return (isinstance(value, Mapping) and FROM in value) or (isinstance(value, str) and _TEXT.match(value) is not None)


def is_meant_as_frame(value: object) -> bool:
    """Say whether a value is a frame of another shot, or has a field of one: `from` may be missing or misspelt."""
    if isinstance(value, Mapping):
        is_flat = not any(isinstance(each, Mapping | list) for each in value.values())  # else it is a vendor's object
        return FROM in value or (is_flat and any(name in FIELDS or meant(str(name), (FROM,)) for name in value))
    return is_frame(value) or (isinstance(value, str) and _NEAR_TEXT.match(value) is not None)


def cell_text(value: Mapping[str, Any]) -> str:
    """Return a frame in one text, as a cell of a table holds it."""
    return ",".join(f"{name}:{each}" for name, each in value.items() if each is not None)


def link_in(node: Node, written: str, problems: Problems) -> Link | None:
    """Read a frame; None, and the problems with their places, if it cannot be one."""
    before = len(problems.found)
    nodes, places = _parts(node, written, problems)
    unknown = [name for name in nodes if name not in FIELDS]
    for name in unknown:
        hint = meant(name, FIELDS) or f"; its fields are {', '.join(FIELDS)}"
        problems.add(places[name], f"{shown(name)} is not a field of a frame{hint}")
    is_misspelt = FROM not in nodes and any(meant(name, (FROM,)) for name in unknown)
    shot_id = None if is_misspelt else _shot_id(nodes, written, places.get(FROM, node.at), problems)
    at_ms = _milliseconds(nodes.get(AT), written, problems)
    edge = _edge(nodes.get(FRAME), written, problems)
    if at_ms is not None and FRAME in nodes:
        problems.add(places[FRAME], f"{written} has both at and frame; keep one of them")
    take = _take(nodes.get(TAKE), written, problems)
    is_followed = _is_followed(nodes.get(FOLLOW), written, problems)
    if is_followed and take is not None:
        words = f"{written} has both take and follow; a pinned take never changes, so keep one of them"
        problems.add(places[FOLLOW], words)
    if len(problems.found) > before or shot_id is None:
        return None
    return Link(FrameOf(shot_id, edge, at_ms, take), written, places, is_followed)


def _parts(node: Node, written: str, problems: Problems) -> tuple[dict[str, Scalar], dict[str, Place]]:
    """Return what is said of a frame, by name, and where."""
    if isinstance(node, Table):
        found = {}
        for name, each in node.items.items():
            if isinstance(each, Scalar):
                found[name] = each
            elif name in FIELDS:
                problems.add(each.at, f"{written}.{name} is {shown(head_value(each, name))}; expected one value")
        places = {**node.keys, **{name: each.at for name, each in found.items() if name in FIELDS}}
        return found, places
    assert isinstance(node, Scalar)
    found, places = {}, {}
    for part in node.text.split(","):
        told = _PART.fullmatch(part)
        if told is None:
            words = f"{written} is {shown(node.text)}; write from: SHOT, then the other fields after commas"
            problems.add(node.at, f"{words}, such as at: 2.5s")
            continue
        if told[1] in found:
            problems.add(node.at, f"{written} has {told[1]} twice; keep one of them")
        found[told[1]] = Scalar(told[2], told[2] or None, node.at)
        places[told[1]] = node.at
    return found, places


def _shot_id(nodes: Mapping[str, Scalar], written: str, at: Place, problems: Problems) -> str | None:
    node = nodes.get(FROM)
    if node is None:
        words = "does not say which shot its frame is from; add from and the shot's id, such as from: sc010_sh010"
        problems.add(at, f"{written} {words}")
        return None
    if not node.text.strip() or node.value is None:
        problems.add(at, f"{written} has from but names no shot; write the shot's id, such as from: sc010_sh010")
        return None
    return composed(node.text.strip())


def _milliseconds(node: Scalar | None, written: str, problems: Problems) -> int | None:
    """Return how far into the clip a frame is."""
    if node is None or node.value is None:
        return None
    at_ms = milliseconds_in(node.text)
    if at_ms is None:
        problems.add(node.at, f"{written}.at is {shown(node.text)}; expected seconds into the clip, such as 2.5s")
    return at_ms


def milliseconds_in(text: str) -> int | None:
    """Read a time in a clip such as `2.5s` or `40ms` as milliseconds; None for anything else."""
    found = _SECONDS.fullmatch(text.strip())
    if found is None:
        return None
    at = Decimal(found[1]) * (1 if found[2] == "ms" else 1000)
    return int(at) if at == int(at) and at <= SECONDS_MAX * 1000 else None


def _edge(node: Scalar | None, written: str, problems: Problems) -> Edge:
    if node is None or node.value is None:
        return Edge.LAST
    if node.text in (Edge.FIRST.value, Edge.LAST.value):
        return Edge(node.text)
    hint = meant(node.text, [each.value for each in Edge])
    problems.add(node.at, f"{written}.frame is {shown(node.text)}; expected first or last{hint}")
    return Edge.LAST


def _take(node: Scalar | None, written: str, problems: Problems) -> int | None:
    if node is None or node.value is None:
        return None
    if _WHOLE.fullmatch(node.text.strip()):
        return int(node.text)
    problems.add(node.at, f"{written}.take is {shown(node.text)}; expected the number of a take, such as 2")
    return None


def _is_followed(node: Scalar | None, written: str, problems: Problems) -> bool:
    if node is None or node.value is None:
        return False
    if node.text != ALWAYS:
        words = f"expected {ALWAYS}; without follow the shot keeps its clip until you decide"
        problems.add(node.at, f"{written}.follow is {shown(node.text)}; {words}")
    return node.text == ALWAYS
