"""The comparison of two manifests, or of one with its output folder: what differs, and which takes are new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wanbatch.batch.differences import Known, ShotDifference, differences, sides_of, sides_of_takes
from wanbatch.batch.given_files import Files
from wanbatch.batch.shots import Batch, Recipe
from wanbatch.errors import UsageInvalid
from wanbatch.state.reader import STATE_NAME, StateReader


@dataclass(frozen=True)
class Comparison:
    """What differs, how many shots are the same, and the files of both sides by hash."""

    shots: Sequence[ShotDifference]
    same: int
    files: Files = field(default_factory=dict)

    @property
    def recipes(self) -> tuple[Recipe, ...]:
        """The recipes of all new takes."""
        return tuple(recipe for each in self.shots for recipe in each.recipes)


def compare(before: Batch | Path, after: Batch) -> Comparison:
    """Compare a manifest with an earlier one, or with what an output folder has.

    Raises UsageInvalid for a folder without a state file.
    """
    old, files = (sides_of(before.shots), before.files) if isinstance(before, Batch) else _sides_in(before)
    new = sides_of(after.shots)
    found = differences(old, new)
    differing = {each.shot_id for each in found}
    same = sum(shot_id in old and shot_id not in differing for shot_id in new)
    return Comparison(found, same, {**files, **after.files})


def _sides_in(output: Path) -> tuple[dict[str, Known], Files]:
    if not (output / STATE_NAME).is_file():
        raise UsageInvalid(
            f"{output} has no state file, so there is nothing to compare with yet: name the earlier manifest, or the"
            " output folder with -o"
        )
    with StateReader.open(output) as reader:
        return sides_of_takes(reader.takes()), reader.files()
