"""The comparison of two manifests, or of one with its output folder: what differs, and which takes are new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wanbatch.batch.differences import Known, ShotDifference, differences, sides_of, sides_of_takes
from wanbatch.batch.given_files import Files
from wanbatch.batch.lifecycle import State
from wanbatch.batch.shots import Batch, Recipe
from wanbatch.batch.take import Take
from wanbatch.errors import UsageInvalid
from wanbatch.state.reader import STATE_NAME, StateReader


@dataclass(frozen=True)
class Comparison:
    """What differs, how many shots are the same, the files of both sides by hash, and how many takes of an output
    folder were not sent yet.
    """

    shots: Sequence[ShotDifference]
    same: int
    files: Files = field(default_factory=dict)
    unsent: int = 0

    @property
    def recipes(self) -> tuple[Recipe, ...]:
        """The recipes of all new takes."""
        return tuple(recipe for each in self.shots for recipe in each.recipes)


def compare(before: Batch | Path, after: Batch) -> Comparison:
    """Compare a manifest with an earlier one, or with what an output folder has.

    Raises UsageInvalid for a folder without a state file.
    """
    takes: tuple[Take, ...]
    if isinstance(before, Batch):
        takes, files, old = (), before.files, sides_of(before.shots)
    else:
        takes, files, old = _in_folder(before)
    new = sides_of(after.shots)
    found = differences(old, new)
    differing = {each.shot_id for each in found}
    same = sum(shot_id in old and shot_id not in differing for shot_id in new)
    unsent = sum(not take.superseded and take.state is State.PLANNED for take in takes)
    return Comparison(found, same, {**files, **after.files}, unsent)


def _in_folder(output: Path) -> tuple[tuple[Take, ...], Files, dict[str, Known]]:
    if not (output / STATE_NAME).is_file():
        raise UsageInvalid(
            f"{output} has no state file, so there is nothing to compare with yet: name the earlier manifest, or the"
            " output folder with -o"
        )
    with StateReader.open(output) as reader:
        takes = tuple(reader.takes())
        return takes, reader.files(), sides_of_takes(takes, reader.shots(), reader.own_cells())
