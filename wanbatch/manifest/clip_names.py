"""Names of a user's own for clips: a pattern such as `{scene}_{id}_t{take}`, and the file names that it makes. Pure.

The clips themselves keep the names that the state file knows; these are names beside them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from wanbatch.batch.names import composed, is_reserved, twin_key
from wanbatch.batch.shots import Recipe, Shot
from wanbatch.manifest.expansion.sources import Sources
from wanbatch.manifest.expansion.templates import Fault, Literal, Reference, pieces_of
from wanbatch.manifest.lint import CASE, Listed
from wanbatch.manifest.synonyms import is_own
from wanbatch.manifest.tree import Node, Problems, Scalar
from wanbatch.manifest.values import head_value, is_null
from wanbatch.manifest.words import meant, one_of, shown

FIELDS = ("id", "scene", "sequence", "take", "take0", "prompt", "seed", "model")
STEM_BYTES = 240  # with `.mp4` within the 255 that a file name may have
PATTERN_CAP = 200
NO_VALUE = "unnamed"  # in place of an empty column of one's own
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]')


@dataclass(frozen=True)
class NamedTake:
    """What a take may be named by. `number` is that of the take, `own` the cells of the shot's own columns."""

    id: str
    scene: str
    sequence: str
    number: int
    recipe: Recipe
    own: Mapping[str, str]


def pattern_in(node: Node | None, sources: Sources, problems: Problems) -> str:
    """Return the pattern that a manifest gives; empty if it gives none. What cannot name a file is a problem."""
    if node is None or is_null(node):
        return ""
    if not isinstance(node, Scalar) or not node.text.strip() or len(node.text) > PATTERN_CAP:
        found = shown(head_value(node, "names"))
        problems.add(
            node.at,
            f"names is {found}; expected text such as {{scene}}_{{id}}_t{{take}}, at most {PATTERN_CAP} characters",
        )
        return ""
    before = len(problems.found)
    for piece in pieces_of(node.text):
        at = sources.place_in(node, piece.offset, piece.text)
        if isinstance(piece, Fault):
            problems.add(at, piece.words)
        elif isinstance(piece, Literal):
            odd = _FORBIDDEN.search(piece.text)
            if odd is not None:
                problems.add(node.at, f"names contains {shown(odd[0])}, which some systems do not allow in a file name")
        elif not (len(piece.path) == 1 and (piece.path[0] in FIELDS or is_own(piece.path[0]))):
            hint = (
                meant(piece.path[-1], FIELDS)
                or f"; expected {one_of(FIELDS)}, or a column of your own such as x_camera"
            )
            problems.add(at, f"{piece.text} cannot name a clip{hint}")
    return node.text.strip() if len(problems.found) == before else ""


def stem_of(pattern: str, take: NamedTake) -> str:
    """Return the name of a clip without its ending: safe on every system, and short enough.

    Of a name that is too long the longest value is cut, and ends in a hash of the whole of it: two that begin alike
    stay two, and what follows, such as the number of the take, is still there.
    """
    parts = [piece.text if isinstance(piece, Literal) else _value(piece, take) for piece in pieces_of(pattern)]
    stem = _safe("".join(parts))
    if len(stem.encode()) <= STEM_BYTES:
        return stem
    longest = max(parts, key=lambda part: len(part.encode()))
    at, rest = parts.index(longest), len("".join(parts).encode()) - len(longest.encode())
    parts[at] = _cut(_safe(longest), STEM_BYTES - rest)
    shorter = _safe("".join(parts))
    return shorter if len(shorter.encode()) <= STEM_BYTES else _cut(stem, STEM_BYTES)


def _safe(text: str) -> str:
    """Return a text without what some system does not allow in a file name."""
    whole = _FORBIDDEN.sub("-", composed(" ".join(text.split())))
    stem = whole.lstrip(". ").rstrip(". ") or "clip"
    return f"_{stem}" if is_reserved(stem) else stem


def _cut(text: str, size_bytes: int) -> str:
    """Return the beginning of a text and a hash of the whole, in this number of bytes, or only the hash."""
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    kept = text.encode()[: max(0, size_bytes - 9)].decode("utf-8", "ignore").rstrip(". ")
    return f"{kept}_{digest}" if kept else digest


def _value(piece: Reference | Fault, take: NamedTake) -> str:
    name = piece.path[0] if isinstance(piece, Reference) else ""
    body = take.recipe.body
    values = {
        "id": take.id,
        "scene": take.scene,
        "sequence": take.sequence,
        "take": str(take.number),
        "take0": str(take.number - 1),
        "prompt": str(body.get("prompt", "")),
        "seed": str(body.get("seed", "")),
        "model": take.recipe.model.rpartition("/")[2],
    }
    return values[name] if name in values else take.own.get(name) or NO_VALUE


def check_names(pattern: str, node: Node, listed: list[Listed], problems: Problems) -> None:
    """Refuse a pattern that gives two takes of a batch one name; warn of names that differ in case alone."""
    taken: dict[str, tuple[str, str]] = {}
    columns = {name for each in listed for name in each.shot.own}
    for piece in pieces_of(pattern):
        if isinstance(piece, Reference) and is_own(piece.path[0]) and piece.path[0] not in columns:
            problems.add(node.at, f"names has {piece.text}, but no shot has this column{meant(piece.path[0], columns)}")
    for each in listed:
        for take in () if each.shot.omit else _takes_of(each.shot):
            stem, label = stem_of(pattern, take), f"{take.id}_t{take.number}"
            other, first = taken.setdefault(twin_key(stem), (stem, label))
            if label == first:
                continue
            if other == stem:
                cure = "add {take}" if first.rpartition("_t")[0] == take.id else "add {id}, or make the shots differ"
                problems.add(each.at, f"names gives {label} and {first} the same name, {shown(stem)}; {cure}")
                break
            if CASE not in each.allowed:
                words = f"the clips of {label} and {first} have names that differ only in case, {shown(stem)}"
                problems.warn(each.at, f"{words}: some disks can hold only one of them", CASE)
                break


def _takes_of(shot: Shot) -> Iterator[NamedTake]:
    for number, recipe in enumerate(shot.recipes, start=1):
        yield NamedTake(shot.id, shot.scene, shot.sequence, number, recipe, shot.own)
