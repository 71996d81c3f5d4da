"""What a take was given beside its text: the files of its recipe, and what its model was sent of the cast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wanbatch.batch.chosen_frames import frames_recorded
from wanbatch.batch.drift import Drift
from wanbatch.batch.given_files import Files, hashes_in
from wanbatch.batch.take import Entry, Take
from wanbatch.money.successions import Succession
from wanbatch.state.chained_takes import read_successions
from wanbatch.state.drifts import read_drift, read_drifts
from wanbatch.state.reader import StateReader


@dataclass(frozen=True)
class Given:
    """The files of a batch by hash, and of each shot what the models are sent of its cast, as its plan said last.

    `frames` are the facts about frames of other clips, and `drifts` what is measured of chains, by take id.
    `are_slates` if the clips are those of the sandbox. `successions` are the shots with new takes that others continue
    from the earlier ones of.
    """

    files: Files = field(default_factory=dict)
    cast: Mapping[str, Sequence[str]] = field(default_factory=dict)
    frames: Mapping[int, Sequence[Entry]] = field(default_factory=dict)
    drifts: Mapping[int, Drift] = field(default_factory=dict)
    are_slates: bool = False
    successions: Sequence[Succession] = ()

    @classmethod
    def of(cls, reader: StateReader, take: Take | None = None) -> Given:
        """Read it from what a state file keeps of files, origins and frames; the drift of one take alone, if given."""
        cast = {shot_id: told["cast"] for shot_id, told in reader.origins().items() if "cast" in told}
        if take is None:
            known = (reader.files(), cast, reader.frame_facts(), read_drifts(reader))
            return cls(*known, reader.identity().sandbox, read_successions(reader))
        drift = read_drift(reader, take.take_id)
        drifts = {} if drift is None else {take.take_id: drift}
        return cls(reader.files(), cast, reader.frame_facts(), drifts)

    def news_of(self, shot_id: str, folder: str) -> list[str]:
        """Say which shots before this one have other takes than those that its clip was made from, as `status` does."""
        return [each.text(folder) for each in self.successions if shot_id in each.news.touched - {each.news.shot_id}]

    def told(self, take: Take) -> dict[str, Any]:
        """Return what a take was given, as JSON values; nothing for one that was given words alone.

        A file has its hash, and the name that it had when a plan was made with it last: a note, which decides nothing.
        A frame has the hashes of its clip and of its PNG. `drift` compares the measures of the whole chain, `measured`
        are those of the clip itself, as the state file has them.
        """
        files = [{"sha256": each, "name": self._name_of(each)} for each in hashes_in(take.recipe.body)]
        cast = [] if take.superseded else [each for each in self._cast_of(take.shot_id) if _is_to(each, take)]
        frames = [each.told for each in frames_recorded(self.frames.get(take.take_id, ()), take.attempt)]
        drift = self.drifts.get(take.take_id)
        measured = None if drift is None else drift.line[-1].measured
        told = {"files": files, "cast": cast, "frames": frames, "drift": None if drift is None else drift.told}
        told |= {"measured": None if measured is None else measured.told}
        return {name: each for name, each in told.items() if each}

    def _name_of(self, sha256: str) -> str | None:
        known = self.files.get(sha256)
        return None if known is None else known.name

    def _cast_of(self, shot_id: str) -> Sequence[str]:
        return self.cast.get(shot_id, ())


NOTHING_GIVEN = Given()


def _is_to(told: str, take: Take) -> bool:
    """Say whether a text about the cast is about the model of a take."""
    return f" to {take.recipe.model}:" in told
