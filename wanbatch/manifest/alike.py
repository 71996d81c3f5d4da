"""Rows of a table that differ only in their texts and seeds: what they share was checked with the first of them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from wanbatch.batch.shots import Shot
from wanbatch.errors import Problem
from wanbatch.manifest.fields import LOOSE_FIELDS, is_seed
from wanbatch.manifest.synonyms import is_own
from wanbatch.manifest.tree import Scalar, Table

_KEPT = 10_000  # different rows that are remembered
_OF_EACH = LOOSE_FIELDS | {"ordinal", "request", "line", "own"}
_TEXTS = tuple(LOOSE_FIELDS - {"seed"})
_SHARED = tuple(each.name for each in fields(Shot) if each.name not in _OF_EACH)


@dataclass(frozen=True, slots=True)
class First:
    """The first of rows that are alike: its shot, and up to what length a prompt needs no further check."""

    shot: Shot
    short: int
    shared: Mapping[str, Any]

    def shot_of(self, table: Table, texts: Mapping[str, str], own: Mapping[str, str], ordinal: int) -> Shot:
        """Return the shot of another such row."""
        seed = table.items.get("seed")
        return Shot(
            id=texts["id"],
            ordinal=ordinal,
            request={**self.shot.request, "prompt": texts["prompt"]},
            sequence=texts.get("sequence", ""),
            scene=texts.get("scene", ""),
            cost_code=texts.get("cost_code", ""),
            notes=texts.get("notes", ""),
            own=self.shot.own if own == self.shot.own else own,
            seed=seed.value if isinstance(seed, Scalar) else None,
            line=table.at.line,
            **self.shared,
        )


class FirstRows:
    """The first row of each kind, of those in which nothing was found wrong or doubtful."""

    def __init__(self) -> None:
        self._firsts: dict[Hashable, First] = {}

    def of(self, table: Table) -> First | None:
        """Return the first row that is like this one; None for a row that has to be checked as a whole."""
        first = None if table.alike is None else self._firsts.get(table.alike)
        prompt, seed = table.items.get("prompt"), table.items.get("seed")
        if seed is not None and not (isinstance(seed, Scalar) and is_seed(seed.value)):
            return None
        if first is None or not isinstance(prompt, Scalar) or not 0 < len(prompt.text.strip()) <= first.short:
            return None
        return first

    def keep(self, table: Table, shot: Shot, short: int, warnings: Sequence[Problem]) -> None:
        """Keep the first row of its kind, unless more of its shot than its texts may depend on them.

        `warnings` are those of this row: one about what is shared would have to be given for each row.
        """
        prompt = table.items.get("prompt")
        is_plain = isinstance(prompt, Scalar) and prompt.text.strip() == shot.request.get("prompt")
        is_one = shot.has_seed and not (shot.seeds or shot.beside or shot.omit) and shot.fallback is None
        if table.alike is None or not is_plain or not is_one:
            return
        places = {(node.at.line, node.at.column) for name, node in table.items.items() if name in LOOSE_FIELDS}
        if any((each.line, each.column) not in places for each in warnings):
            return
        if len(self._firsts) >= _KEPT:
            self._firsts.clear()
        self._firsts[table.alike] = First(shot, short, {name: getattr(shot, name) for name in _SHARED})


def has_loose(defaults: Table | None) -> bool:
    """Say whether defaults hold what rows that are alike may leave out."""
    return defaults is not None and any(name in LOOSE_FIELDS or is_own(name) for name in defaults.items)


def texts_of(table: Table) -> dict[str, str]:
    """Return the texts of a row in which rows that are alike may differ, without spaces around them."""
    items = table.items
    return {name: node.text.strip() for name in _TEXTS if isinstance(node := items.get(name), Scalar)}
