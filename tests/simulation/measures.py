"""The measures of a world: what is recorded of the clips of chains, whatever died meanwhile. The rules:

1. A verified clip that begins with a frame of another has its measures exactly once: those of its own bytes, and of the
   frame that its submit held. So has the clip that the frame is of.
2. The frame may be missing from them only if something spoilt its file.
3. Where nothing can be measured, nothing is recorded, and all else is as in any other world.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tests.simulation.clip import clip_bytes, ends_of
from wanbatch.batch.chosen_frames import ChosenFrame
from wanbatch.batch.frames import frame_in
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.take import Take
from wanbatch.state.file import StateFile

if TYPE_CHECKING:
    from tests.simulation.world import World

Told = Mapping[str, Any]


class Measures:
    """Takes home what a state file holds of measures, and judges it at the end."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.pngs: dict[str, bytes] = {}  # every frame that was drawn, by its hash
        self._told: dict[int, list[Told]] = {}
        self._frames: dict[int, tuple[ChosenFrame, ...]] = {}

    def begun(self, state: StateFile) -> int:
        """Return how many clips were measured by a process that died before they counted as verified."""
        return sum(state.measured_clip(each.take_id) is not None for each in state.takes_in([State.DOWNLOADED]))

    def look(self, state: StateFile) -> int:
        """Take home what is recorded; returns of how many clips."""
        self._told, self._frames = {}, {}
        for take_id, entry in state.entries(Fact.MEASURED):
            self._told.setdefault(take_id, []).append(entry.data)
        for take in self._world.takes:
            if take.state is State.VERIFIED:
                self._frames[take.take_id] = state.frames_of(take.take_id, take.attempt)
        return len(self._told)

    def problems(self, spoilt: Collection[str]) -> Iterator[str]:
        """Yield what is wrong; `spoilt` are the files of frames that something changed."""
        world = self._world
        if not world.scenario.measures:
            yield from (f"take {each} was measured in a world without pictures" for each in self._told)
            return
        if world.is_rolled_back:
            return  # clips may be gone with what an old copy replaced
        by_id = {take.take_id: take for take in world.takes}
        for take in world.takes:
            frame = self._opening(take)
            if frame is not None:
                yield from self._wrong_in(take, frame, spoilt)
                source = by_id.get(frame.take_id)
                if source is not None and self._opening(source) is None and source.sha256 == frame.clip_sha256:
                    yield from self._wrong_in(source, None, spoilt)

    def _opening(self, take: Take) -> ChosenFrame | None:
        """Return the frame that a verified clip begins with."""
        wanted = frame_in(take.recipe.body.get("image_url"))
        known = {each.reference: each for each in self._frames.get(take.take_id, ())}
        return None if wanted is None else known.get(wanted.text)

    def _wrong_in(self, take: Take, frame: ChosenFrame | None, spoilt: Collection[str]) -> Iterator[str]:
        told = [each for each in self._told.get(take.take_id, ()) if each["clip_sha256"] == take.sha256]
        if len(told) != 1:
            yield f"{take.label} is verified, and its clip is measured {len(told)} times"
            return
        clip = clip_bytes(str(take.generation_id))
        pngs = [None] if frame is None else [self.pngs.get(frame.png_sha256)]
        pngs += [None] if frame is not None and frame.file in spoilt else []
        found = {name: told[0][name] for name in ("first", "last", "given", "psnr_db")}
        may_be = [asdict(ends_of(clip, png)) for png in pngs]
        if found not in [{name: each[name] for name in found} for each in may_be]:
            yield f"{take.label} is measured as another clip, or against another frame, than it is"
        if told[0]["given"] is not None and frame is not None and told[0]["png_sha256"] != frame.png_sha256:
            yield f"{take.label} is measured against a frame that it was not given"
