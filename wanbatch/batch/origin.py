"""The origin of a batch: the manifest that made an output folder, and whether a given manifest is the same."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum


@dataclass(frozen=True)
class Origin:
    """Where a manifest is, and what its batch is called.

    `relative` is the path from the output folder, so that a project that is moved as a whole stays the same; `absolute`
    the path from the root. Both are empty for a batch that a program made.
    """

    relative: str
    absolute: str
    name: str

    @property
    def text(self) -> str:
        """What a state file keeps of it: in ASCII, since a path may hold bytes that are not text."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, text: str | None) -> Origin | None:
        """Read what a state file kept; None if it kept nothing that can be read."""
        try:
            reported = json.loads(text or "null")
            return cls(str(reported["relative"]), str(reported["absolute"]), str(reported["name"]))
        except (ValueError, TypeError, KeyError):
            return None

    @property
    def is_file(self) -> bool:
        """Say whether it is a file at all."""
        return bool(self.absolute)

    def is_at(self, other: Origin) -> bool:
        """Say whether two manifests are one file, by either path."""
        is_beside = bool(self.relative) and self.relative == other.relative
        return is_beside or (self.is_file and self.absolute == other.absolute)


@dataclass(frozen=True)
class Likeness:
    """What a manifest and an output folder have in common.

    `shots` is the number of shots in the smaller of the two; `ids` how many ids they share, `prompts` how many shots
    share id and prompt, `recipes` how many new shots find their takes there, under whatever id. `sent` counts
    the takes that were ever sent; `is_unchanged` says that a run would add, supersede and change no take.
    """

    shots: int = 0
    ids: int = 0
    prompts: int = 0
    recipes: int = 0
    sent: int = 0
    is_unchanged: bool = True

    @property
    def is_small(self) -> bool:
        """Say whether most shots differ, by id and by recipe."""
        return 2 * max(self.ids, self.recipes) < self.shots

    @property
    def is_at_stake(self) -> bool:
        """Say whether an edit could mix two films: rewriting a single shot is an edit like any other."""
        return self.sent > 0 and self.shots > 1


class Difference(StrEnum):
    """What distinguishes two manifests."""

    PATH = "path"
    NAME = "name"
    SHOTS = "shots"


def differences(known: Origin | None, name: str, given: Origin, common: Likeness) -> tuple[Difference, ...]:
    """Say what tells the manifest that comes from the one that made the folder; nothing if they are the same.

    `known` is what the folder remembers, None for a folder of a version that kept nothing: then `name`, the name of its
    batch, is the evidence there is. The rows, the first that holds decides:

    - the folder holds no shot: the same;
    - one file, by either way to it: the same while most shots are there, nothing was sent, or it is about one shot,
      whatever it is called;
    - nothing known of a file, on either side: the name and the shots decide; the same ids with none of the prompts are
      another film;
    - another file: the same only under the same name and where nothing would change; else it is another one.
    """
    if not common.shots:
        return ()
    shots = (Difference.SHOTS,) if common.is_small else ()
    names = (Difference.NAME,) if name != given.name else ()
    if known is not None and known.is_at(given):
        return shots if common.is_at_stake else ()
    if known is None or not known.is_file or not given.is_file:
        is_other_film = common.sent > 0 and not (common.prompts or common.recipes)
        return (*names, *(shots or ((Difference.SHOTS,) if is_other_film else ())))
    if not names and common.is_unchanged:
        return ()
    return (Difference.PATH, *names, *shots)
