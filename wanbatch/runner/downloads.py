"""Downloads: a completed take's clip becomes a verified file. A dead link leads to a fresh poll, never to a submit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.take import Take
from wanbatch.clip.defects import shortfalls
from wanbatch.clip.download import CheckedPart, ForeignFile, Part, check_part, publish
from wanbatch.clip.inspection import Inspection
from wanbatch.errors import MediaInvalid
from wanbatch.folders import CLIPS
from wanbatch.pace.backoff import backoff_s
from wanbatch.provider.protocol import FetchAnswer, Fetched, LinkDead, NoAnswer, Secret
from wanbatch.runner.context import RunContext
from wanbatch.runner.drift import DriftMeasures
from wanbatch.runner.extra_clips import extras_of, extras_text, keep_extras

DEAD_LINK_LIMIT = 3
TRANSIENT_LIMIT = 20  # with a back-off of up to a minute: a quarter of an hour of one clip's bad luck
FRESH_LINK_S = 60.0
DURATION_SLACK_S = 0.5


class Downloads:
    """Downloads, checks, publishes."""

    def __init__(
        self, context: RunContext, take_links: Callable[[int], tuple[tuple[Secret, ...], float] | None]
    ) -> None:
        self._context = context
        self._take_links = take_links
        self._drift = DriftMeasures(context)
        self._failures: dict[int, int] = {}
        self._owner_of_hash: dict[str, str] | None = None

    def paths_of(self, take: Take) -> tuple[Path, Path]:
        """Return the part and the final path of a take's clip."""
        final = self._context.state.output / CLIPS / f"{take.label}.mp4"
        return final.with_name(f"{final.name}.part"), final

    async def fetch(self, take_id: int) -> None:
        """Take one download as far as it goes."""
        context = self._context
        take = context.takes[take_id]
        context.forecast.fetch_began(take_id, context.clock.now())
        if take.state is State.DOWNLOADED:
            await self._publish(take)
        else:
            await self._download(take)
        context.forecast.fetch_ended(context.takes[take_id], context.clock.now())

    async def _download(self, take: Take) -> None:
        context, handed = self._context, self._take_links(take.take_id)
        assert handed is not None, "a download follows the poll that returned its link"
        (link, *more_links), told_at = handed
        part, _ = self.paths_of(take)
        began = context.clock.monotonic()
        try:
            with Part(part) as sink:
                answer: FetchAnswer = await context.provider.fetch(link, sink.write)
            took_s = context.clock.monotonic() - began
            checked = (
                await asyncio.to_thread(check_part, part, context.settings.inspection)
                if isinstance(answer, Fetched)
                else None
            )
        except MediaInvalid as error:
            part.replace(part.with_name(f"{part.name.removesuffix('.part')}.bad"))
            answer, checked = LinkDead(f"the clip did not arrive complete: {error}"), None
        except ForeignFile as error:
            context.hold(take.take_id, str(error))
            return
        except OSError:
            part.unlink(missing_ok=True)  # a full disk needs the room; the take stays completed
            raise
        if checked is None:
            if isinstance(answer, LinkDead) and began - told_at > FRESH_LINK_S:
                context.urgent.add(take.take_id)  # it aged in our own queue: that says nothing about the clip
                context.schedule.add_poll(take.take_id, context.clock.monotonic())
            else:
                self._not_fetched(take, answer)
            return
        context.reached()
        self._failures.pop(take.take_id, None)
        part.with_name(f"{part.name.removesuffix('.part')}.bad").unlink(missing_ok=True)
        if isinstance(answer, Fetched):
            took_s = max(0.0, took_s - answer.drawn_s)
        await keep_extras(context, take, more_links)  # before the first counts as here: after a crash both are fetched
        await self._publish(self._downloaded(take, checked, took_s))

    def _downloaded(self, take: Take, checked: CheckedPart, took_s: float) -> Take:
        probe = checked.probe
        return self._context.record(
            take.take_id,
            Fact.DOWNLOADED,
            {
                "sha256": checked.sha256,
                "size_bytes": checked.size_bytes,
                "clip_duration_s": round(probe.duration_s, 3),
                "width": probe.width,
                "height": probe.height,
                "has_audio": probe.has_audio,
                "download_s": round(took_s, 3),
            },
        )

    def _not_fetched(self, take: Take, answer: FetchAnswer) -> None:
        context, take_id, now = self._context, take.take_id, self._context.clock.monotonic()
        failures = self._failures[take_id] = self._failures.get(take_id, 0) + 1
        if isinstance(answer, LinkDead):
            take = context.record(take_id, Fact.LINK_DEAD, {"error": answer.message})
            if take.dead_links >= DEAD_LINK_LIMIT:
                context.hold(
                    take_id,
                    f"paid for, but the provider does not deliver its clip ({answer.message}). The next run"
                    " checks it again",
                )
                return
        else:
            assert isinstance(answer, NoAnswer)
            context.note(f"the download was interrupted: {answer.message}", take.label)
            if failures >= TRANSIENT_LIMIT:
                context.hold(
                    take_id,
                    f"paid for, but its clip host does not deliver ({answer.message}). The next run checks it again",
                )
                return
        context.schedule.add_poll(take_id, now + backoff_s(failures, context.rng))

    async def _publish(self, take: Take) -> None:
        context = self._context
        assert take.sha256 is not None, "the hash is stored before the rename"
        part, final = self.paths_of(take)
        try:
            await asyncio.to_thread(publish, part, final, take.sha256)
        except FileNotFoundError:
            context.record(take.take_id, Fact.DOWNLOAD_DISCARDED)  # the file is gone or was changed: fetch it again
            context.schedule.add_poll(take.take_id, context.clock.monotonic())
            return
        except ForeignFile as error:
            context.hold(take.take_id, str(error))
            return
        warnings = self._warnings(take) + await asyncio.to_thread(_shortfalls, take, final, context.settings.inspection)
        warnings += await self._drift.doubts(take, final)
        for warning in warnings:  # before it is settled: a crash in between looks again, and tells nothing twice
            take = context.record(take.take_id, Fact.WARNED, {"warning": warning})
        take = context.record(take.take_id, Fact.VERIFIED, {"file": f"{CLIPS}/{final.name}"})
        try:
            await asyncio.to_thread(context.settings.after_verified, take)
        except (OSError, MediaInvalid) as error:
            context.note(f"no poster or sidecar: {error}", take.label)

    def _warnings(self, take: Take) -> list[str]:
        """Say where a whole clip is not what was ordered. It is paid for all the same, so it is kept."""
        order, found = take.order, []
        if order.frame_size is not None and (take.width, take.height) != order.frame_size:
            wanted = "{}x{}".format(*order.frame_size)
            found.append(f"not as ordered: {take.width}x{take.height} instead of {wanted}")
        if order.lines is not None and take.width and take.height and min(take.width, take.height) != order.lines:
            found.append(f"not as ordered: {min(take.width, take.height)} lines instead of {order.lines}")
        length_s, wanted_s = take.clip_duration_s, order.length_s
        if wanted_s is not None and length_s is not None and abs(length_s - wanted_s) > DURATION_SLACK_S:
            found.append(f"not as ordered: {length_s} s instead of {wanted_s} s")
        if order.has_audio is True and take.has_audio is False:
            found.append("not as ordered: no sound")
        if self._owner_of_hash is None:
            self._owner_of_hash = self._context.state.labels_by_hash()
        twin = self._owner_of_hash.setdefault(take.sha256 or "", take.label)
        if twin != take.label:
            found.append(f"this clip is identical to that of {twin}")
        more = extras_text(extras_of(self._context.state, take))
        return found if more is None else [*found, more]


def _shortfalls(take: Take, clip: Path, inspection: Inspection) -> list[str]:
    """Look at a whole clip and report probable defects. One that cannot be looked at is kept like any other."""
    try:
        look = inspection.look(clip)
    except (OSError, MediaInvalid) as error:
        return [f"wanbatch could not check it for defects: {error}"]
    return shortfalls(look, sound=take.order.has_audio)
