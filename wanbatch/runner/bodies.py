"""The bodies of requests that hold files: read, checked and made ready just before their POST, a few at a time.

A file is read once, in a process of its own, and its hash is that of the bytes that were read: what is sent is what
the recipe names, whatever happens to the file meanwhile. A body is there from then until its answer, and no longer.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace

from wanbatch.batch.chosen_frames import ChosenFrame
from wanbatch.batch.frames import frames_in, may_hold_frames
from wanbatch.batch.given_files import MARK, Body, GivenFile, body_with, hashes_in, reference_to
from wanbatch.batch.input_fields import bounds_of
from wanbatch.batch.lifecycle import State
from wanbatch.batch.picture_bounds import doubt_about_png
from wanbatch.batch.registry import registry
from wanbatch.batch.take import Take
from wanbatch.errors import ExitCode, MediaInvalid
from wanbatch.runner.context import RunContext
from wanbatch.runner.predecessors import FrameMissing, Predecessors
from wanbatch.runner.submits import Submits

AT_ONCE = 2  # files opened at once: each costs three times its size for a moment


class Bodies:
    """Makes bodies ready, and sends them. `predecessors` gives the frames of other shots."""

    def __init__(self, context: RunContext, submits: Submits, predecessors: Predecessors) -> None:
        self._context = context
        self._submits = submits
        self._predecessors = predecessors
        self._opening = asyncio.Semaphore(AT_ONCE)
        self._files: Mapping[str, GivenFile] | None = None
        self._stopped: dict[int, str] = {}  # why takes are left for the next run, by id
        self.held = 0  # bodies that are in memory now, or soon will be

    def is_needed(self, take_id: int) -> bool:
        """Say whether the request of a take holds files."""
        take = self._context.takes[take_id]
        is_likely = MARK in take.recipe_json or may_hold_frames(take.recipe_json)
        return is_likely and bool(hashes_in(take.recipe.body) or frames_in(take.recipe.body))

    def begin(self) -> None:
        """Keep a place for a POST whose body is made ready now."""
        self._context.schedule.body_began(self._context.clock.monotonic())

    async def send(self, take_id: int) -> None:
        """Make the body of a take ready, and send it; a take whose files are not as planned is left for the next run.

        Nothing of it was recorded or sent then, and the others go on.
        """
        context, schedule = self._context, self._context.schedule
        planned = context.takes[take_id]
        self.held += 1
        try:
            try:
                body = await self._made(planned)
            finally:
                schedule.body_ended()
            if body is None or not _is_as_planned(context.takes[take_id], planned):
                return
            if context.is_halted or not schedule.is_submitting:
                schedule.add_planned(take_id, first=True)
            elif not self._predecessors.is_current(planned):
                self._queue_again(planned)
            elif self._submits.begin(take_id, body):
                await self._submits.send(take_id, body)
        finally:
            self.held -= 1

    async def _made(self, take: Take) -> Body | None:
        """Return the body of a take; None, and say why, where a file is not the one that was planned."""
        found = await self._frames_of(take)
        if found is None:
            return None
        chosen, urls = found
        for sha256 in hashes_in(take.recipe.body):
            url = await self._url_of(sha256, take)
            if url is None:
                return None
            urls[reference_to(sha256)] = url
        frames = {each.reference: each.png_sha256 for each in chosen}
        body = replace(body_with(take.recipe_json, urls), frames=frames)
        await asyncio.to_thread(lambda: body.sha256)  # many megabytes: not on the loop
        return body

    async def _frames_of(self, take: Take) -> tuple[tuple[ChosenFrame, ...], dict[str, tuple[bytes, ...]]] | None:
        """Return the frames that a take is given, and their bytes; None if it is queued again, or cannot be sent."""
        if not may_hold_frames(take.recipe_json):
            return (), {}
        try:
            frames = await self._predecessors.given_to(take)
            if frames is not None:
                urls: dict[str, tuple[bytes, ...]] = {
                    each.reference: await self._predecessors.url_of(each) for each in frames
                }
                self._warn_of(take, frames, urls)
                return frames, urls
        except FrameMissing as error:
            self._stopped[take.take_id] = str(error)
            self._context.trouble(
                ExitCode.LOCAL_FAULT,
                f"{take.label} is not sent, and costs nothing: {error}. The other takes go on; `wanbatch verify"
                " --fetch` looks at all clips, and fetches what is missing",
            )
            return None
        if _is_as_planned(self._context.takes[take.take_id], take):
            self._queue_again(take)
        return None

    def _warn_of(self, take: Take, frames: Sequence[ChosenFrame], urls: Mapping[str, tuple[bytes, ...]]) -> None:
        """Record before the submit which of its frames is outside of what is documented for its model."""
        model = registry().get(take.recipe.model)
        if model is None:
            return
        for each in frames:
            text = urls[each.reference][1]
            size_bytes = len(text) // 4 * 3 - text[-2:].count(b"=")
            doubt = doubt_about_png(base64.b64decode(text[:32]), size_bytes, bounds_of(model))
            if doubt:
                self._context.warn(take, f"its frame of {each.take} {doubt}; {model.name} may refuse it")

    def _queue_again(self, take: Take) -> None:
        """Queue a take whose frames are others by now, or that has to wait for one after all."""
        if not self._predecessors.keeps_back(take.take_id):
            self._context.schedule.add_planned(take.take_id, first=True)

    def why_kept(self, take: Take) -> tuple[str, ExitCode] | None:
        """Return why the body of a take could not be made in this run, in words, and the exit code of that."""
        why = self._stopped.get(take.take_id)
        return None if why is None else (f"which was not sent, because {why}", ExitCode.LOCAL_FAULT)

    async def _url_of(self, sha256: str, take: Take) -> tuple[bytes, bytes] | None:
        context = self._context
        if self._files is None:
            self._files = context.state.files()
        known, opener = self._files.get(sha256), context.settings.open_given
        if known is None or opener is None:
            self._stop(take, "wanbatch does not know where its picture or sound is")
            return None
        try:
            async with self._opening:
                opened = await asyncio.to_thread(opener, known)
        except MediaInvalid as error:
            self._stop(take, f"{known.name} {error}")
            return None
        except OSError as error:
            self._stop(take, f"{known.name} cannot be read ({error.strerror or error})")
            return None
        if opened.sha256 != sha256:
            self._stop(take, f"{known.name} was changed after it was planned")
            return None
        return opened.url

    def _stop(self, take: Take, why: str) -> None:
        self._stopped[take.take_id] = why
        self._context.trouble(
            ExitCode.LOCAL_FAULT,
            f"{take.label} is not sent, and costs nothing: {why}. The other takes go on; run the manifest again: it"
            " will use the files as they are then",
        )


def _is_as_planned(now: Take, before: Take) -> bool:
    """Say whether a take is still to be sent as it was: nothing came to light about it while its body was made."""
    is_same = (now.recipe_json, now.attempts, now.attempt) == (before.recipe_json, before.attempts, before.attempt)
    return is_same and now.state is State.PLANNED
