"""Changes: what a plan writes into the state file, and what earlier plans did to the names of takes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from wanbatch.batch.names import twin_key
from wanbatch.batch.shots import Recipe
from wanbatch.batch.take import Take


@dataclass(frozen=True)
class Create:
    """A new take of a shot. `note` is None for a take of the manifest, and a text, or empty, for a retake.

    `follows` is the label of the take for whose frame a plan adds it; empty for what the user asked for.
    """

    shot_id: str
    number: int
    recipe: Recipe
    note: str | None = None
    follows: str = ""

    @property
    def data(self) -> dict[str, Any]:
        """What its PLANNED fact records."""
        reported = {} if self.note is None else {"note": self.note}
        reported |= {"follows": self.follows} if self.follows else {}
        return {"number": self.number, "recipe_json": self.recipe.canonical, **reported}


@dataclass(frozen=True)
class Replan:
    """A take that was never sent follows the edited manifest."""

    take_id: int
    recipe: Recipe


@dataclass(frozen=True)
class Supersede:
    """The manifest no longer asks for this take's recipe. What is paid is kept and still downloaded."""

    take_id: int


@dataclass(frozen=True)
class Reinstate:
    """The manifest asks for this take's recipe again."""

    take_id: int


@dataclass(frozen=True)
class Rename:
    """Another shot adopts a take, as the user decided. The take gets a number that no take of that name ever had.

    `was` is its earlier name: shot id and number. Its clip keeps its file name.
    """

    take_id: int
    shot_id: str
    number: int
    was: tuple[str, int]

    @property
    def data(self) -> dict[str, Any]:
        """What its RENAMED fact records."""
        return {"shot_id": self.shot_id, "number": self.number, "was_shot_id": self.was[0], "was_number": self.was[1]}

    @classmethod
    def of(cls, take_id: int, told: Mapping[str, Any]) -> Rename:
        """Read it from such a fact. Raises KeyError, TypeError or ValueError for others."""
        was = (str(told["was_shot_id"]), int(told["was_number"]))
        return cls(take_id, str(told["shot_id"]), int(told["number"]), was)


Change = Create | Replan | Supersede | Reinstate | Rename


@dataclass(frozen=True)
class Past:
    """The earlier names of takes, and what those that went on with a fallback were asked for.

    `renames` are in the order in which they happened. A name that a take once had is not used again: its files may
    still have it. `first_recipes` are canonical recipes by take id. `followers` are the takes, by id, that a plan added
    for a new frame and that were not sent yet.
    """

    renames: tuple[Rename, ...] = ()
    first_recipes: Mapping[int, str] = field(default_factory=dict)
    followers: frozenset[int] = frozenset()

    @cached_property
    def moved(self) -> frozenset[int]:
        """The takes that another shot adopted, by id."""
        return frozenset(each.take_id for each in self.renames)

    @cached_property
    def retired(self) -> Mapping[str, int]:
        """The highest number that takes of each name (by its `twin_key`) had when they were adopted."""
        highest: dict[str, int] = {}
        for each in self.renames:
            key = twin_key(each.was[0])
            highest[key] = max(highest.get(key, 0), each.was[1])
        return highest

    def names_of_gone(self, listed: Collection[str]) -> dict[str, str]:
        """Return what shots are called now that are not `listed` under their earlier ids: by these ids.

        One whose takes went to several shots is not among them.
        """
        found: dict[str, set[str]] = {}
        for each in self.renames:
            for names in found.values():
                if each.was[0] in names and each.was[0] not in listed:
                    names.symmetric_difference_update((each.was[0], each.shot_id))
            found.setdefault(each.was[0], set()).add(each.shot_id)
        return {old: next(iter(new)) for old, new in found.items() if old not in listed and len(new) == 1}

    def highest(self, takes: Iterable[Take]) -> dict[str, int]:
        """Return the highest number that was ever used with each name, by its `twin_key`."""
        highest = dict(self.retired)
        for take in takes:
            key = twin_key(take.shot_id)
            highest[key] = max(highest.get(key, 0), take.number)
        return highest
