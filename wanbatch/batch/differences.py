"""Differences: what an edit of a manifest changes, shot by shot, and which takes it asks for again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from wanbatch.batch.plan import ShotRow
from wanbatch.batch.shots import Recipe, Shot
from wanbatch.batch.take import Take

_KEPT = ("scene", "sequence", "tags", "cost_code", "notes", "omit", "own")  # what a state file has of them
_PLANNED = ("scene", "sequence", "takes", "seed", "tags", "cost_code", "notes", "omit", "own", "fallback")


class Kind(StrEnum):
    """What became of a shot."""

    NEW = "new"
    GONE = "gone"
    CHANGED = "changed"
    RENAMED = "renamed"


@dataclass(frozen=True)
class Known:
    """A shot on one side: what it asks for (without seed), what is planned with it, and the recipes of its takes."""

    request: Mapping[str, Any]
    planned: Mapping[str, Any] = field(default_factory=dict)
    recipes: tuple[Recipe, ...] = ()


@dataclass(frozen=True)
class ShotDifference:
    """What differs of a shot: each field with its value before and after, None if it had none.

    `was` is its earlier id, if it was renamed. `recipes` are those of the takes that it asks for again.
    """

    shot_id: str
    kind: Kind
    fields: tuple[tuple[str, Any, Any], ...] = ()
    recipes: tuple[Recipe, ...] = ()
    was: str = ""


def sides_of(shots: Iterable[Shot]) -> dict[str, Known]:
    """Return what a manifest knows of each shot, by its id; an omitted shot asks for no take."""
    return {
        shot.id: Known(
            {**shot.request, **({"models": [each.model for each in shot.versions]} if shot.beside else {})},
            {name: _plain(getattr(shot, name)) for name in _PLANNED},
            () if shot.omit else shot.recipes,
        )
        for shot in shots
    }


def sides_of_takes(
    takes: Iterable[Take], rows: Iterable[ShotRow] = (), own: Mapping[str, Mapping[str, str]] = MappingProxyType({})
) -> dict[str, Known]:
    """Return what an output folder knows of each shot: its newest take that the last plan asked for, and its row.

    Of a shot that was omitted before any take was made, no request is known. `own` has the cells of the user's columns.
    """
    planned = {
        row.shot_id: {name: _plain(own.get(row.shot_id, {}) if name == "own" else getattr(row, name)) for name in _KEPT}
        for row in rows
        if not row.removed
    }
    found: dict[str, list[Take]] = {}
    for take in takes:
        if not take.superseded:
            found.setdefault(take.shot_id, []).append(take)
    sides = {shot_id: Known({}, told) for shot_id, told in planned.items()}
    for shot_id, mine in found.items():
        body = max(mine, key=lambda take: take.number).recipe.body
        request = {name: value for name, value in body.items() if name != "seed"}
        sides[shot_id] = Known(request, planned.get(shot_id, {}), tuple(take.recipe for take in mine))
    return sides


def differences(before: Mapping[str, Known], after: Mapping[str, Known]) -> list[ShotDifference]:
    """Return the shots that differ, in the order of `after`; those that are gone last.

    Fields of planning are compared where both sides know them.
    """
    gone = [shot_id for shot_id in before if shot_id not in after]
    by_request = {_key(before[shot_id]): shot_id for shot_id in reversed(gone)}
    found = []
    for shot_id, known in after.items():
        old = before.get(shot_id)
        if old is not None:
            fields = tuple(_fields(old, known))
            recipes = _new(old.recipes, known.recipes)
            if fields or recipes:
                found.append(ShotDifference(shot_id, Kind.CHANGED, fields, recipes))
            continue
        was = by_request.pop(_key(known), "")
        if was:
            gone.remove(was)
            recipes = _new(before[was].recipes, known.recipes)
            found.append(ShotDifference(shot_id, Kind.RENAMED, tuple(_fields(before[was], known)), recipes, was))
        else:
            found.append(ShotDifference(shot_id, Kind.NEW, (), known.recipes))
    return [*found, *(ShotDifference(shot_id, Kind.GONE) for shot_id in gone)]


def _fields(old: Known, new: Known) -> Iterator[tuple[str, Any, Any]]:
    for one, two in ((old.request, new.request), (old.planned, new.planned)):
        if not (one and two):
            continue
        names = dict.fromkeys([*one, *two]) if one is old.request else [name for name in one if name in two]
        for name in names:
            if one.get(name) != two.get(name):
                yield name, one.get(name), two.get(name)


def _new(old: Sequence[Recipe], new: Sequence[Recipe]) -> tuple[Recipe, ...]:
    """Return the recipes of new takes: each counts as often as it is asked for beyond what was there."""
    left, made = Counter(old), []
    for recipe in new:
        if left[recipe]:
            left[recipe] -= 1
        else:
            made.append(recipe)
    return tuple(made)


def _key(known: Known) -> str:
    return json.dumps(known.request, sort_keys=True, ensure_ascii=False, default=str)


def _plain(value: Any) -> Any:
    """Return a value of planning as JSON would hold it; None for one that says nothing."""
    if isinstance(value, tuple):
        return list(value) or None
    if isinstance(value, Mapping):
        return {name: cell for name, cell in value.items() if cell} or None
    model = getattr(value, "model", None)
    return model if model is not None else (None if value in ("", False) else value)
