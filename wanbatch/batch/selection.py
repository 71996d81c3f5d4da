"""The selection: which shots a command is meant for, by id, scene or tag. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import NamedTuple

from wanbatch.batch.names import composed
from wanbatch.batch.plan import ShotRow
from wanbatch.batch.shots import Shot

SCENE, TAG = "scene:", "tag:"


class Place(NamedTuple):
    """Where a shot belongs."""

    scene: str = ""
    tags: tuple[str, ...] = ()


NOWHERE = Place()


@dataclass(frozen=True)
class Selection:
    """Patterns of the shots to include and of those to leave out; without any, every shot is selected.

    A pattern is a glob of ids, or after `scene:` or `tag:` a glob of scenes or tags. `places` are those of the shots,
    by id; needed if a pattern is of a scene or a tag.
    """

    only: Sequence[str] = ()
    excepted: Sequence[str] = ()
    places: Mapping[str, Place] = field(default_factory=dict)

    @property
    def needs_places(self) -> bool:
        """Say whether ids alone are not enough."""
        return any(each.startswith((SCENE, TAG)) for each in (*self.only, *self.excepted))

    @property
    def words(self) -> str:
        """The patterns as flags of a command."""
        flags = [*(f"--only {each}" for each in self.only), *(f"--except {each}" for each in self.excepted)]
        return " ".join(flags)

    def has(self, shot_id: str) -> bool:
        """Say whether a shot is meant."""
        place = self.places.get(shot_id, NOWHERE)
        is_meant = not self.only or any(_matches(each, shot_id, place) for each in self.only)
        return is_meant and not any(_matches(each, shot_id, place) for each in self.excepted)


EVERY_SHOT = Selection()


@dataclass(frozen=True)
class Choice:
    """What a run sends of all that is left: which shots, and how many takes at most."""

    shots: Selection = EVERY_SHOT
    limit: int | None = None


EVERYTHING = Choice()


def places_of(shots: Iterable[Shot | ShotRow]) -> dict[str, Place]:
    """Return where shots belong, by id."""
    return {each.id if isinstance(each, Shot) else each.shot_id: Place(each.scene, each.tags) for each in shots}


def _matches(pattern: str, shot_id: str, place: Place) -> bool:
    pattern = composed(pattern)
    if pattern.startswith(SCENE):
        return fnmatchcase(composed(place.scene), pattern.removeprefix(SCENE))
    if pattern.startswith(TAG):
        return any(fnmatchcase(composed(tag), pattern.removeprefix(TAG)) for tag in place.tags)
    return fnmatchcase(shot_id, pattern)
