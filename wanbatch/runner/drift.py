"""The measures of chained clips, taken when a clip is there: its ends, and how it begins. They decide nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

from wanbatch.batch.chosen_frames import ChosenFrame
from wanbatch.batch.drift import Drift, FrameMeasures, MeasuredClip, Step, line_of
from wanbatch.batch.lifecycle import Fact
from wanbatch.batch.take import Take
from wanbatch.clip.download import sha256_of
from wanbatch.errors import WanbatchError
from wanbatch.folders import CLIPS, FRAMES, is_in
from wanbatch.runner.context import RunContext
from wanbatch.state.drifts import read_closing, read_opening, read_step


class DriftMeasures:
    """Measures the clips of chains, one at a time, and records it. A clip that cannot be measured has no measure."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._measuring = asyncio.Lock()

    async def doubts(self, take: Take, clip: Path) -> list[str]:
        """Measure a clip that was given a frame to begin or to end with, and what is not measured of its chain; say
        what is large.

        A clip that begins a chain is measured with the first that continues from it.
        """
        frame, closing = read_opening(self._context.state, take), read_closing(self._context.state, take)
        if frame is None and closing is None:
            return []
        async with self._measuring:
            await self._measure(take, clip, frame, closing)
            for step in () if frame is None else line_of(frame.take_id, self._step_of):
                if step.measured is None:
                    await self._measure_earlier(step)
            return Drift(line_of(take.take_id, self._step_of)).doubts

    def _step_of(self, take_id: int) -> Step | None:
        return read_step(self._context.state, take_id)

    async def _measure_earlier(self, step: Step) -> None:
        take, output = self._context.takes[step.take_id], self._context.state.output
        if take.file is not None and take.sha256 is not None and is_in(output, CLIPS, take.file):
            await self._measure(take, output / take.file, step.frame, step.closing)

    async def _measure(self, take: Take, clip: Path, frame: ChosenFrame | None, closing: ChosenFrame | None) -> None:
        """Measure a clip and record it, unless that was done; what fails leaves it unknown."""
        assert take.sha256 is not None, "a clip that is there has its hash"
        known = self._context.state.measured_clip(take.take_id)
        if known is not None and known.clip_sha256 == take.sha256:
            return
        try:
            told = await asyncio.to_thread(self._measured, clip, take.sha256, frame, closing)
        except (OSError, WanbatchError):
            return
        if told is not None:
            self._context.record(take.take_id, Fact.MEASURED, told.told)

    def _measured(
        self, clip: Path, clip_sha256: str, frame: ChosenFrame | None, closing: ChosenFrame | None
    ) -> MeasuredClip | None:
        if sha256_of(clip) != clip_sha256:
            return None
        given, end = (None if each is None else self._kept(each) for each in (frame, closing))
        ends = self._context.settings.inspection.ends(clip, given, end)
        return MeasuredClip(
            clip_sha256=clip_sha256,
            first=_of(ends.first),
            last=_of(ends.last),
            given=None if ends.given is None else _of(ends.given),
            psnr_db=ends.psnr_db,
            png_sha256=None if given is None or frame is None else frame.png_sha256,
            closing_psnr_db=ends.closing_psnr_db,
            closing_png_sha256=None if end is None or closing is None else closing.png_sha256,
        )

    def _kept(self, frame: ChosenFrame) -> Path | None:
        """Return the frame that was sent, if it is still what it was."""
        output = self._context.state.output
        path = output / frame.file
        is_whole = is_in(output, FRAMES, frame.file) and path.is_file() and sha256_of(path) == frame.png_sha256
        return path if is_whole else None


def _of(measures: object) -> FrameMeasures:
    return FrameMeasures.of(vars(measures))
