"""The joins of a world: which frame each submit held, and which one the clip that was chosen then gives.

What is chosen is told here anew, from the takes alone: the circled take of the shot that is continued from, else its
newest verified one. The rules:

1. A frame is recorded of the take that is chosen at that moment, and what is recorded for a take stays so while that
   take is chosen: after a kill the same bytes are sent, even if the program would draw the frame differently by now.
2. A submit holds the frame that is recorded for it, byte for byte, in the field that its recipe says.
3. When a submit begins, the frame recorded for it is still that of the chosen take, and no newer take of its shot is
   under way.
4. A wait does not outlive its cause: a run that nothing stopped leaves no take behind that could be sent, and names each
   that waits. At the end of a world each take that waits has a predecessor without a clip.
5. A shot that the manifest wants made again with each new frame has been made again at the end.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tests.simulation.clip import Blank
from tests.simulation.measures import Measures
from wanbatch.batch.changes import Create
from wanbatch.batch.frames import FrameOf, frame_in, frames_in, may_hold_frames
from wanbatch.batch.lifecycle import State
from wanbatch.batch.shots import Recipe, Shot, retake_seed
from wanbatch.batch.take import Take
from wanbatch.errors import ExitCode
from wanbatch.runner.end_code import RunEnd
from wanbatch.runner.events import Event
from wanbatch.runner.resubmission import take_and_attempt
from wanbatch.state.file import StateFile

if TYPE_CHECKING:
    from tests.simulation.world import World

NO_NAMES: Mapping[str, str] = MappingProxyType({})
NAMED = 6  # takes that one message of a run names
UNDER_WAY = frozenset({State.SUBMITTING, State.QUEUED, State.GENERATING, State.COMPLETED, State.DOWNLOADED})
Recorded = dict[str, dict[str, Any]]


class Joins:
    """Notes what is recorded and sent in a world of chains, and judges it. Worlds without chains cost nothing."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.is_there = any(holds_frames(shot) for shot in world.scenario.shots)
        self.inspection = Blank()
        self.spoilt: set[str] = set()  # files of frames that something changed, relative to the folder
        self.retaken: set[str] = set()  # recipes that the user asked for beside the manifest
        self._seeds: set[tuple[str, int]] = set()  # shots by their first ids, with the seeds of their retakes
        self.seen: Counter[str] = Counter()
        self.measures = Measures(world)
        self._drawn: dict[str, tuple[str, str]] = {}
        self._state: StateFile | None = None
        self._recorded: dict[int, Recorded] = {}
        self._waited: set[str] = set()

    def look(self, state: StateFile) -> None:
        """Take home what is recorded, before the file is closed."""
        if self.is_there:
            self.seen["clips measured"] += self.measures.look(state)

    # --- what goes on

    def begin(self, state: StateFile) -> None:
        """A process opened the state file; it draws frames in its own way."""
        if not self.is_there:
            return
        self._state = state
        self.inspection = Blank(self._world.runs, measures=self._world.scenario.measures)
        self.inspection.drawn, self.inspection.pngs = self._drawn, self.measures.pngs
        self.seen["measured in a run, and verified in a later one"] += self.measures.begun(state)
        before, self._recorded = self._recorded, {}
        for take_id, facts in state.frame_facts().items():
            self._recorded[take_id] = {each["reference"]: each for each in facts[-1].data["frames"]}
        if not self._world.is_rolled_back and any(
            self._recorded.get(take_id, {}).keys() < known.keys() for take_id, known in before.items()
        ):
            self._world.wrongs.append("a frame that was recorded is not in the state file any more")
        if before:
            self.seen["a run with frames recorded before it"] += 1

    def follow(self, event: Event) -> None:
        """Judge what a run has just recorded."""
        if not self.is_there or event.kind not in ("frames_chosen", "submit_started", "adopted", "verified"):
            return
        take = self._take(event.take)
        if take is None:
            return
        if event.kind == "frames_chosen":
            self._chosen(take, event.data["frames"])
        elif event.kind == "submit_started":
            self._sent(take)
        else:
            self._came(take, event.kind)

    def arrived(self, request_id: str, body: bytes) -> None:
        """Compare a request that the provider got with what was recorded for it."""
        ids = take_and_attempt(request_id) if self.is_there and not self._world.disk.is_dead else None
        if ids is None or self._state is None:
            return
        self.judge(request_id, {ids[0]: self._state.take(ids[0])}, json.loads(body))

    def judge(self, request_id: str, takes: Mapping[int, Take], sent: Mapping[str, Any]) -> None:
        """Judge the fields of a request by the recipe of its take, and by what was recorded."""
        ids = take_and_attempt(request_id)
        assert ids is not None
        recipe, known = takes[ids[0]].recipe.body, self._recorded.get(ids[0], {})
        for name in {*recipe, *sent}:
            frame, value = frame_in(recipe.get(name)), str(sent.get(name, ""))
            if (frame is None) is value.startswith("data:"):
                self._wrong(f"{request_id} holds another {name} than its recipe says")
            elif frame is not None:
                png = base64.b64decode(value.partition(",")[2])
                if frame.text not in known or hashlib.sha256(png).hexdigest() != known[frame.text]["png_sha256"]:
                    self._wrong(f"{request_id} was sent with another frame than is recorded")
                self.seen["submits with a frame"] += 1

    def note_retakes(self, shot_id: str, created: Sequence[Create], *, with_successors: bool) -> None:
        """Note what the user orders beside the manifest, and judge whether it is all that the word means."""
        self.retaken |= {each.recipe.short_hash for each in created}
        first = self._world.renaming.first_id(shot_id)
        self._seeds |= {(first, int(each.recipe.body["seed"])) for each in created if "seed" in each.recipe.body}
        self.seen["retakes with successors" if with_successors else "retakes"] += bool(created)
        assert self._state is not None
        takes, meant = [take for take in self._state.takes() if not take.superseded], {shot_id}
        for _ in takes if with_successors else ():
            meant |= {
                take.shot_id
                for take in takes
                if meant & {each.shot_id for each in frames_in(take.recipe.body) if each.take is None}
            }
        made = {take.shot_id for take in takes if take.state is State.VERIFIED}
        made -= {take.shot_id for take in takes if take.state is State.PLANNED}  # is to be made in any case
        if created and (meant & made) - {each.shot_id for each in created} - {shot_id}:
            self._wrong(f"a retake of {shot_id} leaves out shots that continue from it")

    def forget(self) -> None:
        """An old copy was put back: what was recorded is what it says."""
        self._recorded = {}

    def _chosen(self, take: Take, frames: Sequence[dict[str, Any]]) -> None:
        before = self._recorded.get(take.take_id, {})
        for each in frames:
            frame = frame_in(each["reference"])
            assert frame is not None
            giver, known = self._giver(frame), before.get(frame.text)
            source = each["take_id"], each["clip_sha256"]
            if giver is None or source != (giver.take_id, giver.sha256):
                self._wrong(f"{take.label} was given a frame of {each['take']}, and {_name(giver)} is chosen")
            if self._drawn.get(each["png_sha256"]) != (each["clip_sha256"], frame.moment):
                self._wrong(f"{take.label} was given what is not {frame}")
            is_same = known is not None and source == (known["take_id"], known["clip_sha256"])
            if known is not None and is_same and each["png_sha256"] != known["png_sha256"]:
                if known["file"] not in self.spoilt:
                    self._wrong(f"{take.label} was given {frame} anew, though what was recorded is there")
                self.seen["frames drawn anew, for theirs was spoilt"] += 1
            elif known is not None and not is_same:
                self.seen["frames of another take than before"] += 1
            self._note_kind(frame, giver)
        self._recorded[take.take_id] = {each["reference"]: each for each in frames}

    def _note_kind(self, frame: FrameOf, giver: Take | None) -> None:
        kind = frame.edge.value if frame.at_ms is None else "a moment"
        self.seen[f"frames: {kind}"] += 1
        self.seen["frames of a pinned take"] += frame.take is not None
        self.seen["frames of a circled take"] += giver is not None and giver.circled

    def _sent(self, take: Take) -> None:
        if take.label in self._waited:
            self._waited.discard(take.label)
            self.seen["sent after it waited in an earlier run"] += 1
        for frame in frames_in(take.recipe.body):
            known, giver = self._recorded.get(take.take_id, {}).get(frame.text), self._giver(frame)
            if giver is None:
                self._wrong(f"{take.label} was sent though {frame.shot_id} has no clip that is chosen")
            elif known is None or (known["take_id"], known["clip_sha256"]) != (giver.take_id, giver.sha256):
                self._wrong(f"{take.label} was sent with a frame that is not of {giver.label}, which is chosen")
            elif frame.take is None and not giver.circled and self._newer(giver):
                self._wrong(f"{take.label} was sent though a newer take than {giver.label} is under way")

    def _came(self, take: Take, kind: str) -> None:
        assert self._state is not None
        planned = self._state.takes_in([State.PLANNED])
        if any(take.shot_id == frame.shot_id for each in planned for frame in frames_in(each.recipe.body)):
            self.seen[f"{kind} while another waits for it"] += 1

    # --- at the end of a run

    def assert_none_left(self, end: RunEnd) -> None:
        """What a run did not send that nothing kept it from sending, and what it does not name."""
        world = self._world
        takes = world.takes if self.is_there else []
        self._waited |= {each.label for each in takes if waits(each, takes, self._names)}
        if not takes or end.was_stopped or world.limit is not None or world.scene_caps:
            return  # a scene whose cap is reached leaves its takes, and those that wait for one of them
        told = "\n".join(end.messages)
        for take in takes:
            is_open = take.state is State.PLANNED and not take.superseded and not take.attempts
            if not is_open or not may_hold_frames(take.recipe_json) or f"{take.label} is not sent" in told:
                continue
            if not waits(take, takes, self._names):
                self._wrong(f"{take.label} was left, though all that it continues from is there")
            elif take.label not in told and sum(waits(each, takes, self._names) for each in takes) <= NAMED:
                self._wrong(f"{take.label} waits, and no message says so")

    # --- at the end of a world

    def problems(self) -> Iterator[str]:
        """Yield what was not made again, though its frame is another and the manifest wants it, and wrong measures."""
        world = self._world
        yield from self.measures.problems(self.spoilt) if self.is_there else ()
        takes, end = world.takes, world.ends[-1]
        if (
            not any(shot.following for shot in world.shots)
            or world.limit is not None
            or ExitCode.BUDGET_REACHED in end.codes
        ):
            return
        for shot in world.shots:
            mine = [take for take in takes if take.shot_id == shot.id and not take.superseded]
            last = max(mine, key=lambda take: take.number, default=None)
            if last is None or last.state is not State.VERIFIED or any(take.circled for take in mine):
                continue
            known = self._recorded.get(last.take_id, {})
            for text in shot.following:
                frame = frame_in(text)
                assert frame is not None
                giver = giver_of(self._now(frame), takes)
                if giver is not None and text in known and known[text]["clip_sha256"] != giver.sha256:
                    yield f"{last.label} follows {giver.label}, and was not made again"

    def found(self) -> Counter[str]:
        """Return what was met in this world, and how often."""
        return +self.seen

    def asked(self) -> set[str]:
        """Return the recipes that may be sent beside those of the manifest."""
        following = [shot for shot in self._world.shots if shot.following]
        again = {
            Recipe.of({**shot.request, "seed": retake_seed(shot.id, number)}).short_hash
            for shot in following
            for number in range(1, 16)
        }
        followed = {  # a retake that was not sent yet follows an edit of its shot
            Recipe.of({**shot.request, "seed": seed}).short_hash
            for shot in self._world.shots
            for shot_id, seed in self._seeds
            if shot_id == self._world.renaming.first_id(shot.id)
        }
        return again | followed | self.retaken

    def _giver(self, frame: FrameOf) -> Take | None:
        assert self._state is not None
        now = self._now(frame)
        return giver_of(now, self._state.takes_of_shots([now.shot_id]))

    @property
    def _names(self) -> Mapping[str, str]:
        return self._world.renaming.names

    def _now(self, frame: FrameOf) -> FrameOf:
        """Return a frame by the id that its shot has now."""
        return now_called(frame, self._names)

    def _newer(self, giver: Take) -> bool:
        assert self._state is not None
        is_limited = self._world.limit is not None
        states = UNDER_WAY if is_limited else UNDER_WAY | {State.PLANNED}
        mine = self._state.takes_of_shots([giver.shot_id])
        return any(each.number > giver.number and each.state in states and not each.superseded for each in mine)

    def _take(self, label: str) -> Take | None:
        assert self._state is not None
        mine = self._state.takes_of_shots([label.rpartition("_t")[0]])
        return next((take for take in mine if take.label == label), None)

    def _wrong(self, text: str) -> None:
        if text not in self._world.wrongs:
            self._world.wrongs.append(text)


def holds_frames(shot: Shot) -> bool:
    """Say whether a shot continues from others."""
    return bool(frames_in(shot.request))


def giver_of(frame: FrameOf, takes: Iterable[Take]) -> Take | None:
    """Return the take whose clip gives a frame: the pinned one, the circled one, else the newest verified one; None if none."""
    mine = sorted((take for take in takes if take.shot_id == frame.shot_id), key=lambda take: take.number)
    good = [take for take in mine if take.state is State.VERIFIED]
    if frame.take is not None:
        return next((take for take in good if take.number == frame.take), None)
    current = [take for take in good if not take.superseded]
    return next(reversed([take for take in good if take.circled] or current), None)


def now_called(frame: FrameOf, names: Mapping[str, str]) -> FrameOf:
    """Return a frame by the id that its shot has now; `names` are these by earlier ids."""
    return replace(frame, shot_id=names.get(frame.shot_id, frame.shot_id))


def waits(take: Take, takes: Sequence[Take], names: Mapping[str, str] = NO_NAMES) -> bool:
    """Say whether a take is planned, and continues from what has no clip, or will have a newer one.

    `names` are what shots are called now, by earlier ids.
    """
    if take.state is not State.PLANNED or take.superseded or not may_hold_frames(take.recipe_json):
        return False
    return any(_is_missing(now_called(frame, names), takes, names) for frame in frames_in(take.recipe.body))


def _is_missing(frame: FrameOf, takes: Sequence[Take], names: Mapping[str, str]) -> bool:
    giver = giver_of(frame, takes)
    if giver is None:
        return True
    mine = [each for each in takes if each.shot_id == frame.shot_id and each.number > giver.number]
    is_fixed = frame.take is not None or giver.circled
    return not is_fixed and any(waits(each, takes, names) for each in mine)


def _name(take: Take | None) -> str:
    return "none" if take is None else take.label
