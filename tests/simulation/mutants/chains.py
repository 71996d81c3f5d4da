"""Breaks of what joins shots: which frame a shot is given, how it is kept, and how long a shot waits for it."""

from __future__ import annotations

from typing import Any

from tests.simulation.mutants.registry import Patches, mutant
from tests.simulation.mutants.rewriting import slip
from wanbatch.batch import chosen_frames, followers
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.retakes import Retake
from wanbatch.batch.take import Take
from wanbatch.runner import submits as submitting
from wanbatch.runner.context import RunContext
from wanbatch.runner.drift import DriftMeasures
from wanbatch.runner.predecessors import Predecessors


@mutant
def the_newest_take_gives_the_frame_whichever_is_circled() -> Patches:
    def chosen(takes: Any) -> Take | None:
        good = [take for take in takes if take.state is State.VERIFIED and not take.superseded]
        return good[-1] if good else None

    yield chosen_frames, "chosen", chosen


@mutant
def a_clip_of_an_older_recipe_gives_the_frame() -> Patches:
    """A shot is sent after its predecessor failed, with what an earlier take made."""
    real = chosen_frames.chosen

    def chosen(takes: Any) -> Take | None:
        return real(takes) or next((take for take in reversed(takes) if take.state is State.VERIFIED), None)

    yield chosen_frames, "chosen", chosen


@mutant
def a_submit_goes_before_its_frame_is_recorded() -> Patches:
    real = RunContext.record

    def record(context: RunContext, take_id: int, fact: Fact, *more: Any) -> Take:
        return context.takes[take_id] if fact is Fact.FRAMES_CHOSEN else real(context, take_id, fact, *more)

    yield RunContext, "record", record
    yield Predecessors, "is_current", lambda *_: True
    yield submitting, "assert_recorded", lambda *_: None


@mutant
def the_hash_of_a_frame_is_not_compared() -> Patches:
    yield Predecessors, "_is_whole", lambda *_: True
    real = Predecessors._path_of

    async def url_of(self: Predecessors, frame: Any) -> tuple[bytes, bytes]:
        import base64

        return b"data:image/png;base64,", base64.b64encode(real(self, frame).read_bytes())

    yield Predecessors, "url_of", url_of


@mutant
def a_frame_that_was_recorded_is_drawn_anew_by_the_next_run() -> Patches:
    yield Predecessors, "_is_whole", lambda *_: False


@mutant
def a_frame_that_another_take_was_given_is_drawn_over() -> Patches:
    async def kept_for_another(*_: Any) -> None:
        return None

    yield Predecessors, "_kept_for_another", kept_for_another


@mutant
def a_wait_for_what_is_found_late_is_not_ended() -> Patches:
    real, follow, found = RunContext.record, Predecessors.follow, set[tuple[int, int]]()

    def record(context: RunContext, take_id: int, fact: Fact, *more: Any) -> Take:
        if fact is Fact.ADOPTED:
            found.add((id(context), take_id))
        return real(context, take_id, fact, *more)

    def followed(self: Predecessors, changed: Take) -> None:
        if (id(self._context), changed.take_id) not in found:
            follow(self, changed)

    yield RunContext, "record", record
    yield Predecessors, "follow", followed


@mutant
def a_retake_with_successors_forgets_the_second_generation() -> Patches:
    real = Retake.completed

    def completed(self: Retake, chained: Any) -> Retake:
        asked = real(self, chained)
        direct = {each for shot_id in self.shot_ids for each in chained.chains.after.get(shot_id, ())}
        kept = tuple(each for each in asked.shot_ids if each in {*self.shot_ids, *direct})
        return Retake(kept, asked.takes, asked.seed, asked.note)

    yield Retake, "completed", completed


@mutant
def a_shot_that_waits_is_not_named() -> Patches:
    yield Predecessors, "name_blocked", lambda *_: None


@mutant
def what_was_chosen_when_the_frame_was_read_is_sent() -> Patches:
    """A shot that gives a frame gets another take while the request is made ready."""
    yield Predecessors, "is_current", lambda *_: True


@mutant
def a_clip_is_measured_once_it_counts_as_verified() -> Patches:
    real, later = RunContext.record, dict[tuple[int, int], Any]()

    def record(context: RunContext, take_id: int, fact: Fact, *more: Any) -> Take:
        if fact is Fact.MEASURED and context.takes[take_id].state is State.DOWNLOADED:
            later[id(context), take_id] = more
            return context.takes[take_id]
        take = real(context, take_id, fact, *more)
        told = later.pop((id(context), take_id), None) if fact is Fact.VERIFIED else None
        return take if told is None else real(context, take_id, Fact.MEASURED, *told)

    yield RunContext, "record", record


slip(
    "a clip is measured anew by each process",
    DriftMeasures._measure,
    "if known is not None and known.clip_sha256 == take.sha256:",
    "if known is not None and known.clip_sha256 != take.sha256:",
)
slip(
    "the clip that begins a chain is not measured",
    DriftMeasures.doubts,
    "if step.measured is None:",
    "if step.measured is None and step.frame is not None:",
)
slip(
    "a clip is measured without the frame that it was given",
    DriftMeasures._measured,
    "given, end = (None if each is None else self._kept(each) for each in (frame, closing))",
    "given, end = None, None",
)
slip("every frame is the last one", Predecessors._png_of, "clip, frame.moment)", 'clip, "last")')
slip(
    "a newer take that is under way is not waited for",
    chosen_frames.source_of,
    "(best is None or coming[-1].number > best.number)",
    "best is None",
)
slip(
    "a new frame is no reason to make a follower again",
    followers._new_source,
    "if each.frame.text in shot.following",
    "if each.frame.text in shot.prompt",
)
