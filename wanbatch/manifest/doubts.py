"""Doubts about a batch that could be run: what in a shot was hardly meant so, and shots that are the same twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from wanbatch.batch import Shot
from wanbatch.manifest.characters import character_name, unseen
from wanbatch.manifest.leftovers import leftovers
from wanbatch.manifest.tree import Place, Problems
from wanbatch.manifest.words import shown

_SENT_TEXTS = ("prompt", "negative_prompt")
_READ_TEXTS = (*_SENT_TEXTS, "scene", "sequence", "cost_code", "tags")
_ROUND = 12  # characters shown before one that nobody sees


class Doubt(NamedTuple):
    """One doubt about a field of a shot; `at` is its position in the text."""

    field: str
    words: str
    at: int


def doubts_of(given: Mapping[str, Any]) -> Iterator[Doubt]:
    """Find doubts about the texts of a shot, by field."""
    for field in _SENT_TEXTS:
        text = given.get(field)
        if isinstance(text, str):
            for each in leftovers(text):
                yield Doubt(field, f"{field} holds {each.words}", each.at)
    for field in _READ_TEXTS:
        value = given.get(field)
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and not text.isascii():
                yield from _unseen(field, text)


def _unseen(field: str, text: str) -> Iterator[Doubt]:
    """Tell characters that nobody sees: each kind once, where the first stands."""
    told: dict[str, list[int]] = {}
    for at in unseen(text):
        told.setdefault(text[at], []).append(at)
    for char, places in told.items():
        at = places[0]
        where = f"after {shown(text[max(0, at - _ROUND) : at])}" if at else "at its beginning"
        more = f" and in {len(places) - 1} more places" if len(places) > 1 else ""
        yield Doubt(field, f"{field} holds {character_name(char)} {where}{more}; take it out", at)


def tell_twins(shots: Iterable[Shot], places: Mapping[str, Place], problems: Problems) -> None:
    """Warn of two shots with the same recipe, seed and all: the same clip would be bought twice.

    `places` says where each shot stands, by its id.
    """
    by_take: dict[tuple[str, int], list[Shot]] = {}
    for shot in shots:
        if shot.seed is None or shot.omit:
            continue
        seeds = range(shot.seed, shot.seed + shot.takes)
        twins = ((other, seed) for seed in seeds for other in by_take.get((shot.prompt, seed), ()))
        same = next(((other, seed) for other, seed in twins if other.request == shot.request), None)
        if same is not None:
            other, seed = same
            words = f"shots {shown(shot.id)} and {shown(other.id)} (line {other.line}) have the same recipe"
            problems.warn(places[shot.id], f"{words}, seed {seed} too: the same clip would be bought twice")
        for seed in seeds:
            by_take.setdefault((shot.prompt, seed), []).append(shot)
