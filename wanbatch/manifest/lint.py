"""Lint: what a batch that can be run probably does not mean, shot by shot, scene by scene and as a whole. Pure.

Each rule has a name. A shot, a scene or `defaults` that lists it under `allow` means it so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from wanbatch.batch.models import order_of
from wanbatch.batch.names import twin_key
from wanbatch.batch.registry import registry
from wanbatch.batch.shots import Shot, Version
from wanbatch.manifest.leftovers import MARKUP, PLACEHOLDER, SYNTAX
from wanbatch.manifest.tree import HIDDEN, STRUCK, Listing, Node, Place, Problems, Scalar, Table
from wanbatch.manifest.values import head_value, is_null
from wanbatch.manifest.words import meant, one_of, rows_text, shown
from wanbatch.units import agreeing, count_text, duration_text, parse_duration_s

DUPLICATE = "duplicate"
CASE, ORDER, EMPTY_SCENE, TARGET = "case", "order", "empty_scene", "target"
SHOT_TYPE, AUDIO = "shot_type", "audio"
NO_SCENE, CAST_NAME = "no_scene", "cast_name"
RULES = (
    *(DUPLICATE, PLACEHOLDER, SYNTAX, MARKUP, CASE, ORDER, EMPTY_SCENE, TARGET, SHOT_TYPE, AUDIO),
    *(NO_SCENE, HIDDEN, STRUCK, CAST_NAME),
)
OFF_TARGET = 0.1  # a share: a film is cut to length in the edit
_NUMBERED = re.compile(r"(.*?)(\d{1,9})")
_GROUPING = ("sequence", "scene", "cost_code")


@dataclass(frozen=True, slots=True)
class Group:
    """A sequence or a scene as the manifest has it: its name, its table, and where its shots begin."""

    kind: str
    name: str
    table: Table


class Listed(NamedTuple):
    """A shot, its place, and the rules that it means to break."""

    shot: Shot
    at: Place
    allowed: frozenset[str] = frozenset()


def _rules_in(node: Node | None, problems: Problems) -> frozenset[str]:
    """Return the rules that a list names; a name of none is a problem."""
    if node is None or is_null(node):
        return frozenset()
    found = set()
    for each in node.items if isinstance(node, Listing) else [node]:
        name = each.text.strip() if isinstance(each, Scalar) else ""
        if name in RULES:
            found.add(name)
            continue
        told = shown(head_value(each, "allow"))
        problems.add(each.at, f"allow names {told}; expected {one_of(RULES)}{meant(name, RULES)}")
    return frozenset(found)


def lint(listed: Sequence[Listed], groups: Sequence[Group], problems: Problems) -> None:
    """Warn of what the shots and scenes of a batch probably do not mean."""
    for each in listed:
        for rule, words in _of_requests(each.shot):
            if rule not in each.allowed:
                problems.warn(each.at, words, rule)
    _tell_case(listed, problems)
    _tell_order(listed, problems)
    _tell_no_scene(listed, problems)
    _tell_marked(listed, problems)
    by_group: dict[tuple[str, str], list[Shot]] = {}
    for each in listed if groups else ():
        for kind in ("sequence", "scene"):
            by_group.setdefault((kind, getattr(each.shot, kind)), []).append(each.shot)
    for group in groups:
        _tell_group(group, by_group.get((group.kind, group.name), []), problems)


def _of_requests(shot: Shot) -> Iterator[tuple[str, str]]:
    """Yield what the parameters of a shot say against each other, with the rule."""
    for version in shot.versions:
        request = version.request
        if request.get("shot_type") == "multi" and not _is_enhanced(version):
            yield SHOT_TYPE, f"shot_type multi has no effect: {version.model} cuts only with enhance_prompt on"
        if request.get("audio_url") is not None and request.get("generate_audio") is not None:
            yield AUDIO, "this shot has both audio_url and generate_audio; the sound of audio_url is used"


def _is_enhanced(version: Version) -> bool:
    model = registry().get(version.model)
    default = None if model is None else model.default_of("enhance_prompt")
    return version.request.get("enhance_prompt", default) is not False


def _tell_case(listed: Iterable[Listed], problems: Problems) -> None:
    """Warn of scenes, sequences and cost codes that differ in upper and lower case alone."""
    spelt: dict[tuple[str, str], str] = {}
    before: dict[str, str] = {}
    for each in listed:
        for field in _GROUPING:
            name = str(getattr(each.shot, field))
            if not name or name == before.get(field):
                continue
            first = spelt.setdefault((field, twin_key(name)), name)
            if name == first:
                before[field] = name
            elif CASE not in each.allowed:
                words = (
                    f"{field} {shown(name)} and {shown(first)} differ only in case, and count as two in every report"
                )
                problems.warn(each.at, words, CASE)


def _tell_order(listed: Iterable[Listed], problems: Problems) -> None:
    """Warn of a scene whose ids count up and then down again: the first such shot, and how many more."""
    last: dict[tuple[str, str, str], tuple[int, str]] = {}
    found: dict[tuple[str, str], list[tuple[Listed, str]]] = {}
    for each in listed:
        match = _NUMBERED.fullmatch(each.shot.id)
        if match is None or ORDER in each.allowed:
            continue
        key = (each.shot.sequence, each.shot.scene, match[1])
        number, before = last.get(key, (-1, ""))
        if int(match[2]) < number:
            found.setdefault(key[:2], []).append((each, before))
        last[key] = max((number, before), (int(match[2]), each.shot.id))
    for shots in found.values():
        first, before = shots[0]
        count = len(shots) - 1
        more = f" ({count_text(count, 'more shot')} in this scene {agreeing(count, 'are|is')} out of order, too)"
        words = f"shot {shown(first.shot.id)} comes after {shown(before)}, although its number is lower"
        words = f"{words}{more if count else ''}: story order is the order of the file"
        problems.warn(first.at, words, ORDER)


def _tell_no_scene(listed: Iterable[Listed], problems: Problems) -> None:
    """Warn of rows without a scene below one that has it, as in tables that name a scene only in its first row."""
    found: list[Listed] = []
    has_scene = False
    for each in listed:
        has_scene = has_scene or bool(each.shot.scene)
        if has_scene and not each.shot.scene and NO_SCENE not in each.allowed and problems.is_in_table(each.at):
            found.append(each)
    if found:
        which = _rows_text([each.at.line for each in found])
        words = f"{which} no scene, but rows above name one: write the scene into each row, or map its column with"
        problems.warn(found[0].at, f"{words} `scene, fill down`", NO_SCENE)


def _rows_text(lines: Sequence[int]) -> str:
    return f"{rows_text(lines)} {'has' if len(lines) == 1 else 'have'}"


def _tell_marked(listed: Iterable[Listed], problems: Problems) -> None:
    """Warn of rows that a workbook hides or has struck out: they are shots all the same."""
    found: dict[tuple[str, str, str], list[Place]] = {}
    for each in listed:
        for rule in (HIDDEN, STRUCK):
            if problems.is_marked(rule, each.at) and rule not in each.allowed and not each.shot.omit:
                found.setdefault((rule, each.at.file, each.at.sheet), []).append(each.at)
    for (rule, _, _), places in found.items():
        which, one = rows_text([at.line for at in places]), len(places) == 1
        is_what = {HIDDEN: ("is hidden", "are hidden"), STRUCK: ("has struck-out text", "have struck-out text")}[rule]
        words = (
            f"{which} {is_what[not one]}, but still {('counts', 'count')[not one]}: delete {('it', 'them')[not one]},"
        )
        words += " or write true in an `omit` column"
        problems.warn(places[0], words, rule)


def _tell_group(group: Group, mine: Sequence[Shot], problems: Problems) -> None:
    allowed = _rules_in(group.table.items.get("allow"), problems)
    if not mine and EMPTY_SCENE not in allowed:
        words = f"{group.kind} {shown(group.name)} has no shots"
        problems.warn(group.table.at, words, EMPTY_SCENE)
    target_s = _target_s(group, problems)
    if target_s is None or TARGET in allowed or not mine:
        return
    lengths = [order_of(shot.recipes[0]).duration_s for shot in mine if not shot.omit]
    known_s = sum(length for length in lengths if length is not None)
    if None not in lengths and abs(known_s - target_s) > OFF_TARGET * target_s:
        words = f"the shots of {group.kind} {group.name} last {duration_text(known_s)} in all, but its target is"
        at = group.table.items["target"].at
        problems.warn(at, f"{words} {duration_text(target_s)}", TARGET)


def _target_s(group: Group, problems: Problems) -> float | None:
    node = group.table.items.get("target")
    if node is None or is_null(node):
        return None
    try:
        if isinstance(node, Scalar):
            return parse_duration_s(node.text)
    except ValueError:
        pass
    found = shown(head_value(node, "target"))
    problems.add(node.at, f"target of a {group.kind} is {found}; expected a length such as 90s or 2min")
    return None
