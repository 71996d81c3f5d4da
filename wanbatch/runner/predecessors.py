"""Predecessors: which takes wait for the clips of other shots, and which frames of these they are given.

A frame is a file beside the clips. Which clip it is of, and the hashes of both, are recorded before the submit that
holds it: after a kill the same frame is sent again, and where the chosen take is another by then, its frame is.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from wanbatch.batch.chains import with_new_ids
from wanbatch.batch.chosen_frames import ChosenFrame, Source, fact_data, missing_newest, source_of
from wanbatch.batch.frames import FrameOf, frames_in, may_hold_frames
from wanbatch.batch.given_files import Body
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.take import Take
from wanbatch.clip.download import sha256_of
from wanbatch.disk import own_folder, replacing
from wanbatch.errors import ExitCode, LocalFault, MediaInvalid, ProgramFault
from wanbatch.folders import CLIPS, FRAMES, is_in
from wanbatch.runner.context import RunContext
from wanbatch.state.findings import read_findings
from wanbatch.state.needs import WAITS, decision_about
from wanbatch.units import agreeing, count_text

AT_ONCE = 2  # frames drawn at once: each decodes a clip
NAMED = 6  # takes that a message names


class FrameMissing(Exception):
    """A clip that gives a frame is not what was verified, or gives none."""


@dataclass(frozen=True)
class Blocked:
    """A take that waits for another shot: what it continues from, and what is known of that."""

    take: Take
    frame: FrameOf
    source: Source

    @property
    def why(self) -> str:
        """Why it waits, in words."""
        cause = self.source.cause
        return f"{self.frame.shot_id if cause is None else cause.label}, which {self.source.why}"


class Predecessors:
    """Keeps takes back until what they continue from is there, and gives them their frames."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._followed: dict[str, set[int]] = {}  # waiting takes, by the shots that they continue from
        self._recorded: dict[str, dict[ChosenFrame, None]] | None = None  # by file; read when the first is needed
        self._drawing = asyncio.Semaphore(AT_ONCE)
        context.on_change = self.follow

    # --- waiting

    def keeps_back(self, take_id: int) -> bool:
        """Say whether a take waits for another shot; then it is kept back, and queued once that shot has its clip."""
        take = self._context.takes[take_id]
        if not may_hold_frames(take.recipe_json):
            return False
        if self._waits_for(take) is None and take_id not in self._context.unready:
            return False
        for frame in frames_in(take.recipe.body):
            self._followed.setdefault(self._now(frame).shot_id, set()).add(take_id)
        self._context.schedule.wait(take_id)
        return True

    def follow(self, changed: Take) -> None:
        """Something was recorded about a take: queue what waited for its shot, and need not wait any longer."""
        for take_id in sorted(self._followed.get(changed.shot_id, ())):
            if take_id not in self._context.unready and self._waits_for(self._context.takes[take_id]) is None:
                for waiting in self._followed.values():
                    waiting.discard(take_id)
                self._context.schedule.release(take_id)
                self._context.wake.set()

    def blocked(self) -> list[Blocked]:
        """Return the takes that wait, and for what, in the order in which they would be sent."""
        waiting = (self._context.takes[take_id] for take_id in self._context.schedule.waiting)
        found = ((take, self._waits_for(take)) for take in waiting)
        return [Blocked(take, *why) for take, why in found if why is not None]

    def name_blocked(self, why_kept: Callable[[Take], tuple[str, ExitCode] | None]) -> None:
        """Name the takes that were not sent for want of a clip to continue from, by what is the cause of it.

        `why_kept` says of a take that is planned why this run did not send it, in words, with the exit code of that.
        """
        context = self._context
        if context.is_halted or not context.schedule.is_submitting:
            return  # what stopped the run kept all that was planned from being sent
        blocked = {each.take.take_id: each for each in self.blocked()}
        by_cause: dict[tuple[str, ExitCode, str], list[Take]] = {}
        for each in blocked.values():
            root = each
            for _ in blocked:  # which has no circle in it
                cause = root.source.cause
                root = root if cause is None else blocked.get(cause.take_id, root)
            by_cause.setdefault(self._why(root, why_kept), []).append(each.take)
            if root.source.cause is not None and root.source.is_left_out:
                context.left_out[root.source.cause.shot_id] = None
        for (why, code, todo), waiting in by_cause.items():
            named = _named([take.label for take in waiting])
            words = agreeing(len(waiting), f"wait|waits for {why}. They|It {WAITS}")
            text = f"{count_text(len(waiting), 'take')} ({named}) {words}{f'. {todo}' if todo else ''}"
            context.trouble(code, text, is_at_end=True)
        kept = context.unready.intersection(context.schedule.waiting) - blocked.keys()
        ready = [context.takes[each].label for each in sorted(kept)]
        if ready:
            them = agreeing(len(ready), "them|it")
            context.trouble(
                ExitCode.TAKES_FAILED,
                f"{_named(ready)} {agreeing(len(ready), 'are|is')} not sent in this run: the clip to continue from came"
                f" only after the plan was shown. Run the same command again to send {them}",
                is_at_end=True,
            )

    def _why(
        self, blocked: Blocked, why_kept: Callable[[Take], tuple[str, ExitCode] | None]
    ) -> tuple[str, ExitCode, str]:
        """Return what keeps a take from being sent, in words, the exit code of that, and what the user decides."""
        cause = blocked.source.cause
        if cause is None:
            return blocked.why, ExitCode.TAKES_FAILED, ""
        kept = why_kept(cause) if cause.state is State.PLANNED and blocked.source.is_coming else None
        if kept is not None:
            return f"{cause.label}, {kept[0]}", kept[1], ""
        if cause.state not in (State.HELD, State.UNKNOWN):
            return blocked.why, ExitCode.TAKES_FAILED, ""
        return blocked.why, ExitCode.DECISION_NEEDED, decision_about(cause, read_findings(self._context.state))

    def _waits_for(self, take: Take) -> tuple[FrameOf, Source] | None:
        for frame in frames_in(take.recipe.body):
            source = self._source_of(frame)
            if source.take is None:
                return self._now(frame), source
        return self._waits_for_another(take) if self._context.state.is_follower(take) else None

    def _waits_for_another(self, take: Take) -> tuple[FrameOf, Source] | None:
        """Return the frame of which a follower waits for a new one: there is a clip of its shot from what gives it now.

        Made from the same frame again, it would be bought for nothing.
        """
        sources = {self._now(each).text: self._source_of(each).take for each in frames_in(take.recipe.body)}
        for other in self._context.state.takes_of_shots([take.shot_id]):
            if other.state is State.VERIFIED and not other.superseded and other.take_id != take.take_id:
                given = self._context.state.frames_of(other.take_id, other.attempt)
                names = self._context.names_now
                known = {with_new_ids(each.reference, names): each for each in given}
                if all(_is_of(known.get(text), source) for text, source in sources.items()):
                    frame = self._now(frames_in(take.recipe.body)[0])
                    newest = self._context.state.takes_of_shots([frame.shot_id])
                    return frame, missing_newest(newest, f"has no new frame: {other.label} was made from this one")
        return None

    def _now(self, frame: FrameOf) -> FrameOf:
        """Return a frame by the id that its shot has now; what is sent and recorded keeps the id of the recipe."""
        return replace(frame, shot_id=self._context.names_now.get(frame.shot_id, frame.shot_id))

    def _source_of(self, frame: FrameOf) -> Source:
        now = self._now(frame)
        return source_of(now, self._context.state.takes_of_shots([now.shot_id]), self._context.may_send)

    # --- frames

    async def given_to(self, take: Take) -> tuple[ChosenFrame, ...] | None:
        """Choose the frames of a take, and record them; None if it has to wait after all. Raises FrameMissing.

        What was recorded before, and is so still, stays as it is.
        """
        state, attempt = self._context.state, take.attempts + 1
        before = {each.reference: each for each in state.frames_of(take.take_id, attempt)}
        chosen: list[ChosenFrame] = []
        for frame in frames_in(take.recipe.body):
            source = self._source_of(frame).take
            if source is None:
                return None
            known = before.get(frame.text)
            if known is None or not known.is_of(source) or not await asyncio.to_thread(self._is_whole, known):
                known = await self._kept_for_another(frame, source) or await self._drawn(frame, source)
            chosen.append(known)
        frames = tuple(chosen)
        now = self._context.takes[take.take_id]
        sources = {each.text: self._source_of(each).take for each in frames_in(take.recipe.body)}
        if self._waits_for(now) is not None:
            return None
        is_same = (now.attempts, now.state, now.recipe_json) == (take.attempts, take.state, take.recipe_json)
        if not is_same or not all(_is_of(each, sources[each.reference]) for each in frames):
            return None
        if frames != tuple(before.values()):
            self._context.record(take.take_id, Fact.FRAMES_CHOSEN, fact_data(attempt, frames))
            self._note(frames)
        return frames

    def is_current(self, take: Take) -> bool:
        """Say whether the frames that are recorded for the next submit of a take are those that are chosen now."""
        if not may_hold_frames(take.recipe_json):
            return True
        known = {each.reference: each for each in self._context.state.frames_of(take.take_id, take.attempts + 1)}
        return all(_is_of(known.get(each.text), self._source_of(each).take) for each in frames_in(take.recipe.body))

    async def url_of(self, frame: ChosenFrame) -> tuple[bytes, bytes]:
        """Return a recorded frame as a `data:` URL, in two pieces. Raises FrameMissing if its bytes are others."""
        try:
            png = await asyncio.to_thread(self._path_of(frame).read_bytes)
        except OSError as error:
            raise FrameMissing(f"{frame.file} cannot be read ({error.strerror or error})") from error
        if hashlib.sha256(png).hexdigest() != frame.png_sha256:
            raise FrameMissing(f"{frame.file} was changed a moment ago")
        return b"data:image/png;base64,", await asyncio.to_thread(base64.b64encode, png)

    def _path_of(self, frame: ChosenFrame) -> Path:
        if not is_in(self._context.state.output, FRAMES, frame.file):
            raise FrameMissing(f"{frame.file} is a link, or outside of the folder of frames")
        return self._context.state.output / frame.file

    def _is_whole(self, frame: ChosenFrame) -> bool:
        try:
            return sha256_of(self._path_of(frame)) == frame.png_sha256
        except (OSError, FrameMissing):
            return False

    async def _kept_for_another(self, frame: FrameOf, source: Take) -> ChosenFrame | None:
        """Return the frame as it was recorded for another take, if it is there and whole.

        Drawn again, perhaps by another version of a library, its file might hold bytes other than those recorded.
        """
        if self._recorded is None:
            facts = self._context.state.frame_facts().values()
            self._recorded = {}
            self._note(ChosenFrame.of(each) for told in facts for entry in told for each in entry.data["frames"])
        for each in tuple(self._recorded.get(_file_of(frame, source), ())):
            if each.is_of(source) and await asyncio.to_thread(self._is_whole, each):
                return replace(each, reference=frame.text, take=source.label)
        return None

    def _note(self, frames: Iterable[ChosenFrame]) -> None:
        if self._recorded is not None:
            for each in frames:
                self._recorded.setdefault(each.file, {})[each] = None

    async def _drawn(self, frame: FrameOf, source: Take) -> ChosenFrame:
        """Take a frame of a verified clip, and keep it beside the clips."""
        clip_sha256 = source.sha256
        assert clip_sha256 is not None, "a verified clip has its hash"
        try:
            async with self._drawing:
                png = await asyncio.to_thread(self._png_of, frame, source, clip_sha256)
                file = _file_of(frame, source)
                await asyncio.to_thread(self._keep, file, png)
        except MediaInvalid as error:
            raise FrameMissing(f"the frame of {source.label} cannot be sent: {error}") from error
        return ChosenFrame(
            reference=frame.text,
            take_id=source.take_id,
            take=source.label,
            generation_id=source.generation_id,
            clip_sha256=clip_sha256,
            png_sha256=hashlib.sha256(png).hexdigest(),
            file=file,
        )

    def _png_of(self, frame: FrameOf, source: Take, clip_sha256: str) -> bytes:
        output = self._context.state.output
        if source.file is None or not is_in(output, CLIPS, source.file):
            raise FrameMissing(f"{source.label} has no clip in the folder of the clips")
        clip = output / source.file
        try:
            is_same = sha256_of(clip) == clip_sha256
        except OSError as error:
            raise FrameMissing(f"the clip of {source.label} cannot be read ({error.strerror or error})") from error
        if not is_same:
            raise FrameMissing(f"the clip of {source.label} is not the one that was verified")
        return self._context.settings.inspection.frame(clip, frame.moment)

    def _keep(self, file: str, png: bytes) -> None:
        path = own_folder(self._context.state.output, FRAMES) / Path(file).name
        try:
            with replacing(path) as part:
                part.write_bytes(png)
        except OSError as error:
            raise LocalFault(f"cannot write {path}: {error.strerror or error}") from error


def _named(labels: Sequence[str]) -> str:
    return ", ".join(labels[:NAMED]) + (", ..." if len(labels) > NAMED else "")


def _file_of(frame: FrameOf, source: Take) -> str:
    return f"{FRAMES}/{source.stem}_{frame.moment}.png"


def _is_of(frame: ChosenFrame | None, source: Take | None) -> bool:
    return frame is not None and source is not None and frame.is_of(source)


def assert_recorded(context: RunContext, take: Take, body: Body | None) -> None:
    """Raise ProgramFault unless each frame that a submit holds is recorded for it, by the hash of what is sent."""
    if not may_hold_frames(take.recipe_json):
        return
    recorded = {each.reference: each.png_sha256 for each in context.state.frames_of(take.take_id, take.attempts + 1)}
    wanted = {each.text for each in frames_in(take.recipe.body)}
    if wanted and (body is None or body.frames != recorded or wanted != recorded.keys()):
        raise ProgramFault(f"{take.label} was about to be sent with a frame that is not recorded; nothing was sent")
