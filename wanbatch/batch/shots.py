"""A batch: what was ordered. Shots, their takes, and the recipe of each."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from wanbatch.batch.given_files import Files
from wanbatch.batch.names import composed
from wanbatch.errors import Problem, StateInvalid

DEFAULT_MODEL = "alibaba/wan-2-6-t2v"
OWN = "x_"  # begins the name of a column that users keep for themselves
SEED_MAX = 2**31 - 1  # the largest seed that Alibaba documents for Wan
_SEED = re.compile(
    r'([,{])"seed":(-?[0-9]+)(,?)'
)  # in canonical JSON only a key looks like this: in a text quotes are escaped


@dataclass(frozen=True)
class Recipe:
    """The effective request body of a take, as canonical JSON: sorted keys, no spaces, UTF-8.

    Two recipes are equal when the provider would be asked for the same thing.
    """

    canonical: str

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Recipe:
        """Make the recipe of a request body. Raises ValueError for what JSON cannot say (NaN, sets)."""
        try:
            text = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        except TypeError as error:
            raise ValueError(str(error)) from error
        return cls(text)

    @cached_property
    def body(self) -> dict[str, Any]:
        """The request body. Treat it as read-only. Raises StateInvalid if a damaged state file gave it."""
        try:
            loaded = json.loads(self.canonical)
        except (ValueError, RecursionError) as error:
            raise StateInvalid(f"a recipe in the state file cannot be read: {type(error).__name__}") from error
        if not isinstance(loaded, dict) or not isinstance(loaded.get("prompt", ""), str):
            raise StateInvalid("a recipe in the state file is not a request: restore the file from a backup")
        return loaded

    @cached_property
    def sha256(self) -> str:
        """64 hex digits that identify the recipe."""
        return hashlib.sha256(self.canonical.encode()).hexdigest()

    @property
    def short_hash(self) -> str:
        """The first 20 hex digits, as in a request id."""
        return self.sha256[:20]

    @property
    def model(self) -> str:
        """The provider's name of the model."""
        return str(self.body.get("model", DEFAULT_MODEL))


def likeness(canonical: str) -> tuple[str, int | None]:
    """Return what a recipe asks for without its seed, in NFC, and its seed.

    `canonical` is the text of a recipe. Two takes whose likeness is equal differ in their seed alone.
    """
    text = composed(canonical)
    found = _SEED.search(text)
    if found is None:
        return text, None
    comma = "{" if found[1] == "{" else found[3]
    return f"{text[: found.start()]}{comma}{text[found.end() :]}", int(found[2])


def derived_seed(shot_id: str, slot: int) -> int:
    """Return the seed of a take whose shot has none: fixed by shot id and slot, so that a clip can be made again.

    The provider would choose one at random and never say which.
    """
    digest = hashlib.sha256(f"{shot_id}\n{slot}".encode()).digest()
    return int.from_bytes(digest[:4]) & SEED_MAX


def retake_seed(shot_id: str, number: int) -> int:
    """Return the seed of a retake: fixed by shot id and number, and none that a take of the manifest derives."""
    digest = hashlib.sha256(f"{shot_id}\nretake\n{number}".encode()).digest()
    return int.from_bytes(digest[:4]) & SEED_MAX


@dataclass(frozen=True)
class Version:
    """A shot as one model makes it: the request body without `seed`, and whether that model takes a seed.

    `cast` says, of each member of the cast with pictures or a voice, what of it the model is sent, in words.
    """

    request: Mapping[str, Any]
    has_seed: bool = True
    cast: tuple[str, ...] = field(default=(), compare=False)

    @property
    def model(self) -> str:
        """The provider's name of the model."""
        return str(self.request["model"])


FAILED, REFUSED = "failed", "refused"  # after what a fallback may be taken


@dataclass(frozen=True)
class Fallback:
    """Another model for a shot, where the first made nothing and that cost nothing.

    `on` says after what: a failure or a refusal of any kind but that of the prompt (`failed`), a refusal of the prompt
    (`refused`).
    """

    version: Version
    on: tuple[str, ...] = (FAILED,)

    @property
    def model(self) -> str:
        """The provider's name of the model."""
        return self.version.model

    def recipe_for(self, recipe: Recipe, seed: int | None = None) -> Recipe:
        """Return what is sent in place of a recipe of the shot: with its seed, if this model takes one.

        `seed` is that of a take whose own model takes none.
        """
        own = recipe.body.get("seed", seed) if self.version.has_seed else None
        return Recipe.of({**self.version.request, **({} if own is None else {"seed": own})})

    def recipes_for(self, recipe: Recipe, seeds: Iterable[int]) -> tuple[Recipe, ...]:
        """Return all that may have been sent in place of a recipe: with any of these seeds, or without one."""
        return tuple(dict.fromkeys(self.recipe_for(recipe, seed) for seed in (*seeds, None)))


@dataclass(frozen=True)
class Shot:
    """The unit of planning.

    `request` is the provider's request body without `seed`: model and prompt always, other parameters where the
    manifest or its defaults give them. `has_seed` is false where the model takes none: then all takes of the shot have
    one recipe, and the provider makes a different clip for each. `ordinal` counts from 0 in story order. `line` is
    where the manifest names it.
    `beside` is the same shot as further models make it, in the order of the manifest: each makes `takes` of it, too.
    `fallback` is the model that makes a take of it where the take's own made nothing.
    `seeds` has the seed of each take where the manifest gives one to each; then `seed` is the first of them.
    `own` are the cells of the user's own columns, by name, in the order of the manifest: never sent, only reported.
    `following` are the frames of other shots, as recipes say them, with which the shot is made again when they change.
    `origins` says of each field where in the manifest it comes from, in words: of a prompt, each of its parts. It is
    empty for a manifest whose shots contain all their values.
    """

    id: str
    ordinal: int
    request: Mapping[str, Any]
    sequence: str = ""
    scene: str = ""
    takes: int = 1
    seed: int | None = None
    tags: tuple[str, ...] = ()
    cost_code: str = ""
    notes: str = ""
    omit: bool = False
    own: Mapping[str, str] = field(default_factory=dict)
    has_seed: bool = True
    beside: tuple[Version, ...] = ()
    fallback: Fallback | None = None
    seeds: tuple[int, ...] = ()
    following: tuple[str, ...] = ()
    line: int = field(default=0, compare=False)
    origins: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False)

    @property
    def prompt(self) -> str:
        """The prompt, as it is sent; empty if the model goes without one."""
        return str(self.request.get("prompt", ""))

    @property
    def model(self) -> str:
        """The provider's name of the model."""
        return str(self.request["model"])

    @property
    def versions(self) -> tuple[Version, ...]:
        """The shot as each of its models makes it."""
        return (Version(self.request, self.has_seed), *self.beside)

    def version_of(self, model: str) -> Version:
        """Return the shot as a model makes it; as its first model does where it is none of them."""
        return next((each for each in self.versions if each.model == model), self.versions[0])

    @cached_property
    def recipes(self) -> tuple[Recipe, ...]:
        """One recipe for each wanted take, slot 1 first, and those of each further model after them.

        `seeds` are those of the slots; without them a given seed is that of slot 1, and each further slot adds 1. Slots
        of all models have the same seeds.
        """
        return tuple(recipe for version in self.versions for recipe in self._recipes_of(version))

    def _recipes_of(self, version: Version) -> tuple[Recipe, ...]:
        if not version.has_seed:
            return (Recipe.of(version.request),) * self.takes
        return tuple(Recipe.of({**version.request, "seed": self._seed_of(slot)}) for slot in range(1, self.takes + 1))

    def _seed_of(self, slot: int) -> int:
        if self.seeds:
            return self.seeds[slot - 1]
        if self.seed is None:
            return derived_seed(self.id, slot)
        return (self.seed + slot - 1) & SEED_MAX


@dataclass(frozen=True)
class Limits:
    """What a manifest sets for the runner; None if it sets nothing. Rates are per minute."""

    submit_per_min: float | None = None
    in_flight: int | None = None
    poll_per_min: float | None = None
    downloads: int | None = None
    max_attempts: int | None = None


@dataclass(frozen=True)
class Head:
    """What a manifest says of the whole batch: its name, and what it asks of limits and budget."""

    name: str
    limits: Limits = Limits()
    max_credits: int | None = None
    scene_caps: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Batch:
    """One manifest: its name, its shots in story order, its limits and its budget (in credits; for scenes, by name).

    `warnings` lists probable mistakes in the manifest, each with its place; the batch can still be run. `parts` are the
    further files that the manifest took in, `files` the pictures and audio that it gives to shots, by hash. `names` is
    the pattern of the names that clips get beside their own. `repeats` are the ids of shots that are meant to have the
    request and seed of others.
    """

    name: str
    shots: tuple[Shot, ...]
    limits: Limits = Limits()
    max_credits: int | None = None
    scene_caps: Mapping[str, int] = field(default_factory=dict)
    source: str = ""
    names: str = ""
    warnings: tuple[Problem, ...] = field(default=(), compare=False)
    parts: tuple[str, ...] = field(default=(), compare=False)
    files: Files = field(default_factory=dict, compare=False)
    repeats: frozenset[str] = field(default=frozenset(), compare=False)

    @property
    def head(self) -> Head:
        """What is said of the whole."""
        return Head(self.name, self.limits, self.max_credits, self.scene_caps)

    def wanted(self) -> Iterator[tuple[Shot, int, Recipe]]:
        """Yield shot, slot (from 1) and recipe of every take wanted, story order, omitted shots left out."""
        for shot in self.shots:
            if not shot.omit:
                for slot, recipe in enumerate(shot.recipes, start=1):
                    yield shot, slot, recipe
