"""Variants: one shot of the manifest as many, by the product of its axes (`matrix`) or by their rows (`zip`). Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from wanbatch.manifest.expansion.drafts import Draft
from wanbatch.manifest.names import close_name
from wanbatch.manifest.schemas import fields_of_shots
from wanbatch.manifest.synonyms import is_own
from wanbatch.manifest.tree import Listing, Node, Place, Problems, Scalar, Table
from wanbatch.manifest.values import head_value, is_null
from wanbatch.manifest.words import meant, one_of, shown

MATRIX, ZIP = "matrix", "zip"
LIMIT, EXCLUDE = "limit", "exclude"
LIMIT_DEFAULT, LIMIT_CAP = 100, 10_000  # variants of one shot
_LABEL_CAP = 24
_SHARED = frozenset({"id", "scene", "sequence", "matrix", "zip", "prompts_from", "style", "locations"})
_VARIABLE = re.compile(r"[^\W\d][\w-]{0,63}")


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of an axis, and what it is called in the ids of its variants."""

    axis: str
    label: str
    node: Node
    at: Place


Row = tuple[Choice, ...]


def variants_of(draft: Draft, problems: Problems) -> Iterator[Draft]:
    """Yield the variants of a shot, in the order of its axes; the shot itself where it has none."""
    matrix, rows_of = draft.items.get(MATRIX), draft.items.get(ZIP)
    if matrix is None and rows_of is None:
        yield draft
        return
    draft.drop(MATRIX)
    draft.drop(ZIP)
    before = len(problems.found)
    groups: list[list[Row]] = []
    limit, excluded = LIMIT_DEFAULT, list[dict[str, Choice]]()
    for name, node in ((MATRIX, matrix), (ZIP, rows_of)):
        if node is None or is_null(node):
            continue
        axes = _axes_of(name, node, problems)
        if isinstance(node, Table) and LIMIT in node.items:
            limit = _limit_of(name, node.items[LIMIT], problems)
        if isinstance(node, Table) and EXCLUDE in node.items:
            excluded += _excluded(name, node.items[EXCLUDE], axes, problems)
        groups += [[(each,) for each in axis] for axis in axes] if name == MATRIX else _zipped(node.at, axes, problems)
    at = (matrix or rows_of or Scalar("", None, draft.at)).at
    if len(problems.found) > before:
        return
    yield from _made(draft, groups, (limit, excluded), at, problems)


def _made(
    draft: Draft,
    groups: Sequence[Sequence[Row]],
    rules: tuple[int, list[dict[str, Choice]]],
    at: Place,
    problems: Problems,
) -> Iterator[Draft]:
    (limit, excluded), count = rules, 1
    for group in groups:
        count *= len(group)
    if count > LIMIT_CAP:
        problems.add(at, f"this shot has {count:,} variants; {LIMIT_CAP:,} at most")
        return
    rows = [tuple(each for row in combined for each in row) for combined in product(*groups)]
    kept = [row for row in rows if not any(_matches(row, each) for each in excluded)]
    if len(kept) > limit:
        words = f"this shot has {len(kept):,} variants, more than {limit:,}"
        words += f"; if you want them all, write limit: {len(kept)} beside its axes"
        problems.add(at, words)
        return
    if not kept:
        problems.add(at, "exclude leaves no variant of this shot; remove the shot, or exclude less")
    for row in kept:
        yield _variant(draft, row, groups)


def _variant(draft: Draft, row: Row, groups: Sequence[Sequence[Row]]) -> Draft:
    made = draft.copy()
    first = {group[0][0].axis for group in groups}
    given = draft.items.get("id")
    for each in row:
        if each.axis in fields_of_shots() or is_own(each.axis):
            made.put(each.axis, each.node, each.at, "variant")
        else:
            made.variables[each.axis] = each.node
    if isinstance(given, Scalar) and given.value is not None:
        name = "_".join([given.text, *(each.label for each in row if each.axis in first)])
        made.put("id", Scalar(name, name, given.at, is_quoted=True), given.at, "made of the shot's id and its variant")
    return made


def _axes_of(name: str, node: Node, problems: Problems) -> list[list[Choice]]:
    """Return the choices of each axis of a matrix or a zip."""
    if not isinstance(node, Table):
        words = f"{name} is {shown(head_value(node, name))}; expected"
        words += " an axis and a list of its values in each line"
        problems.add(node.at, words)
        return []
    axes = []
    for axis, each in node.items.items():
        at = node.keys.get(axis, each.at)
        if axis in (LIMIT, EXCLUDE):
            continue
        if axis in _SHARED or not _VARIABLE.fullmatch(axis):
            problems.add(at, f"{shown(axis)} cannot be an axis: name a field of a shot, or a word for its prompt")
            continue
        choices = list(_choices(axis, each, problems))
        if choices:
            axes.append(choices)
    if not axes and not problems.found:
        problems.add(node.at, f"{name} is empty; write an axis and a list of its values, such as light: [dawn, dusk]")
    return axes


def _choices(axis: str, node: Node, problems: Problems) -> Iterator[Choice]:
    if isinstance(node, Table) and node.items:
        for label, each in node.items.items():
            yield Choice(axis, label, each, node.keys.get(label, each.at))
        return
    if not isinstance(node, Listing) or not node.items:
        found = "an empty list" if isinstance(node, Listing) else shown(head_value(node, axis))
        problems.add(node.at, f"{axis} is {found}; expected a list of values, or labels with a value each")
        return
    seen: dict[str, int] = {}
    is_field = axis in fields_of_shots() or is_own(axis)
    for each in node.items:
        if not is_field and (not isinstance(each, Scalar) or each.value is None):
            problems.add(each.at, f"{axis} contains {shown(head_value(each, axis))}; expected text")
            continue
        label = _slug(each)
        seen[label] = seen.get(label, 0) + 1
        yield Choice(axis, label if seen[label] == 1 else f"{label}-{seen[label]}", each, each.at)


def _slug(node: Node) -> str:
    text = (
        node.text if isinstance(node, Scalar) else "-".join(map(_slug, node.items)) if isinstance(node, Listing) else ""
    )
    plain = unicodedata.normalize("NFKD", text.rpartition("/")[2]).encode("ascii", "ignore").decode().lower()
    return re.sub("[^a-z0-9]+", "-", plain).strip("-")[:_LABEL_CAP].rstrip("-") or "v"


def _zipped(at: Place, axes: Sequence[Sequence[Choice]], problems: Problems) -> list[list[Row]]:
    lengths = {axis[0].axis: len(axis) for axis in axes}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{axis} has {count}" for axis, count in lengths.items())
        problems.add(at, f"the lists of zip differ in length: {told}; give them all the same number of values")
        return []
    return [list(zip(*axes, strict=True))] if axes else []


def _limit_of(name: str, node: Node, problems: Problems) -> int:
    if (
        isinstance(node, Scalar)
        and isinstance(node.value, int)
        and 1 <= node.value <= LIMIT_CAP
        and node.value is not True
    ):
        return node.value
    problems.add(
        node.at, f"{name}.limit is {shown(head_value(node, LIMIT))}; expected a whole number, 1 to {LIMIT_CAP:,}"
    )
    return LIMIT_CAP


def _excluded(
    name: str, node: Node, axes: Sequence[Sequence[Choice]], problems: Problems
) -> Iterator[dict[str, Choice]]:
    """Yield which choices together are left out, by axis."""
    by_axis = {axis[0].axis: {_key(each): each for each in axis} for axis in axes}
    for each in node.items if isinstance(node, Listing) else [node]:
        if not isinstance(each, Table) or not each.items:
            what = shown(head_value(each, EXCLUDE))
            words = f"{name}.exclude contains {what}; expected combinations such as {{light: dawn}}"
            problems.add(each.at, words)
            continue
        found: dict[str, Choice] = {}
        for axis, value in each.items.items():
            choices = by_axis.get(axis)
            label = value.text if isinstance(value, Scalar) else ""
            match = (
                None if choices is None else next((one for one in choices.values() if label in _names_of(one)), None)
            )
            if choices is None:
                hint = close_name(axis, list(by_axis)) or meant(axis, by_axis)
                problems.add(each.keys[axis], f"{shown(axis)} is not an axis of this {name}{hint}")
            elif match is None:
                known = one_of([one.label for one in choices.values()])
                problems.add(value.at, f"{axis} has no value {shown(label)} to exclude; expected {known}")
            else:
                found[axis] = match
        if len(found) == len(each.items):
            yield found


def _names_of(choice: Choice) -> tuple[str, ...]:
    return (choice.label, choice.node.text) if isinstance(choice.node, Scalar) else (choice.label,)


def _key(choice: Choice) -> str:
    return choice.label


def _matches(row: Row, excluded: Mapping[str, Choice]) -> bool:
    mine = {each.axis: each for each in row}
    return all(mine.get(axis) is choice for axis, choice in excluded.items())
