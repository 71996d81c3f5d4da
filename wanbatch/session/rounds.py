"""The rounds of a run: a pilot and the rest, or what was sent before a price turned out to be another and after."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from random import Random
from typing import Any, TypeVar

from wanbatch.batch.order_to_send import order_to_send
from wanbatch.batch.plan import Due
from wanbatch.batch.progress import BatchProgress
from wanbatch.batch.run_details import RunDetails
from wanbatch.batch.take import Take
from wanbatch.clock import Clock
from wanbatch.errors import ExitCode
from wanbatch.interrupts import HANG_UP, handled, once
from wanbatch.provider.protocol import Provider
from wanbatch.runner.context import RunContext
from wanbatch.runner.end_code import RunEnd
from wanbatch.runner.log import LOG_NAME, RunLog
from wanbatch.runner.loop import Runner
from wanbatch.runner.settings import RunSettings
from wanbatch.session.invocation import Invocation
from wanbatch.session.pilot import Findings, findings_of, pilot_of
from wanbatch.session.preview import Basis, Preview, Why, committed_by_scene
from wanbatch.session.quotation import preview_of
from wanbatch.state.chained_takes import read_chained
from wanbatch.state.file import StateFile
from wanbatch.state.reader import StateReader
from wanbatch.state.tables import Run, quoted, scene_caps_text
from wanbatch.units import count_text
from wanbatch.version import __version__

T = TypeVar("T")
TERMINATE_GRACE_S = 10.0


@dataclass(frozen=True)
class Progress:
    """What one invocation has done so far: where the sending stood before it began, and how many takes it may send."""

    state: StateReader
    mark: int
    limit: int | None

    @classmethod
    def of(cls, state: StateReader, limit: int | None) -> Progress:
        """Begin with what is sent by now."""
        return cls(state, state.sends(), limit)

    def sent(self) -> list[Take]:
        """Return the takes that were sent since."""
        return self.state.takes_sent_since(self.mark)

    def basis(self, basis: Basis) -> Basis:
        """Return what the next round starts from."""
        left = None if self.limit is None else max(0, self.limit - len(self.sent()))
        return replace(
            basis,
            inventory=self.state.inventory(),
            settings=replace(basis.settings, limit=left),
            committed_by_scene=committed_by_scene(self.state, basis.settings),
            chained=read_chained(self.state),
        )

    def findings(self, basis: Basis) -> Findings:
        """Measure what was sent, for the question whether to send the rest."""
        return findings_of(self.sent(), basis.to_send, basis.settings.rates)


def choose_pilot(state: StateReader, count: int | None, settings: RunSettings) -> frozenset[int] | None:
    """Choose the takes of a pilot, by id; None if there is none to run, or it would be all there is."""
    if count is None:
        return None
    inventory = state.inventory()
    due, clips = inventory.due, inventory.clips
    order = order_to_send(due, settings.is_selected, clips, settings.first, settings.limit).takes
    chosen = [] if count >= len(order) else pilot_of(order, count)
    return frozenset(each.take_id for each in chosen) if 0 < len(chosen) < len(order) else None


def _in(chosen: frozenset[int]) -> Callable[[Due | Take], bool]:
    return lambda take: take.take_id in chosen


async def drained(work: Coroutine[Any, Any, T], drain: Callable[[], None]) -> T:
    """Wait for some work to its end. A task that is cancelled meanwhile drains it, as Ctrl-C does, and gets its result:
    what is paid for is fetched first. A second time stops it.
    """
    going_on = asyncio.ensure_future(work)
    while True:
        try:
            return await asyncio.shield(going_on)
        except asyncio.CancelledError:
            if going_on.done():
                raise
            drain()


@dataclass(frozen=True)
class Rounds:
    """One run, in as many rounds as it takes: what it works with, and until when it may send.

    `deadline` is a time of the loop, for all rounds together; None without one.
    """

    invocation: Invocation
    state: StateFile
    provider: Provider
    clock: Clock
    deadline: float | None = None

    async def run(self, basis: Basis, preview: Preview) -> RunEnd:
        """Run; after a pilot, or where a price is new, ask again with what was learnt, and run the rest."""
        count = self.invocation.options.pilot
        progress = Progress.of(self.state, basis.settings.limit)
        while True:
            settings = basis.settings
            pilot = choose_pilot(self.state, count, settings)
            end = await self._round(preview, settings if pilot is None else replace(settings, is_selected=_in(pilot)))
            is_pilot_done, count = pilot is not None and not end.was_stopped, None
            if not (end.has_new_price or is_pilot_done):
                return end
            basis = progress.basis(basis)
            if not basis.to_send:
                return end
            why = Why.PRICE if end.has_new_price else Why.PILOT
            findings = progress.findings(basis)
            preview = await preview_of(self.invocation, basis, self.provider)
            preview = replace(preview, why=why, findings=findings, pilot=None)
            if preview.refusal is not None:
                return RunEnd(preview.refusal[0], (preview.refusal[1],))
            if not self.invocation.watch.confirm(preview):
                left = preview.estimate.takes
                were, them = ("was", "it") if left == 1 else ("were", "them")
                rest = (
                    f"the pilot is done; {count_text(left, 'more take')} {were} not sent: run the same command again to"
                    f" send {them}"
                )
                return end if end.has_new_price else RunEnd(ExitCode.INTERRUPTED, (rest,))
            again = replace(basis.settings, quotes=preview.quotes, logged=(), is_begun_anew=False)
            basis = replace(basis, settings=again)

    async def _round(self, preview: Preview, settings: RunSettings) -> RunEnd:
        run = self._begin(preview, settings)
        context = RunContext(self.state, self.provider, self.clock, settings, Random())  # noqa: S311  jitter, no secret
        end = await self._drive(context)
        details = replace(run.details, stops=tuple(sorted(end.stops)), left_out=end.left_out)
        ended = replace(run, ended_at=self.clock.now(), exit_code=int(end.exit_code), details=details)
        self.state.store_run(replace(ended, message="; ".join(end.messages)))
        return end

    def _begin(self, preview: Preview, settings: RunSettings) -> Run:
        """Record that a round begins: its estimate, its caps, what it may send, and each price that it goes by."""
        options = self.invocation.options
        run = Run(
            run_id=max((each.run_id for each in self.state.runs()), default=0) + 1,
            started_at=self.clock.now(),
            ended_at=None,
            exit_code=None,
            speed=preview.speed,
            version=__version__,
            estimate_credits=preview.estimate.credits,
            unpriced=preview.estimate.unpriced,
            cap_credits=settings.cap_credits,
            message="",
            is_cap_given=settings.is_cap_given,
            scene_caps=scene_caps_text(settings.scene_caps),
            details=RunDetails(only=options.only, excepted=options.excepted, takes_limit=options.limit),
        )
        quotes = {**preview.every_quote, **preview.quotes}  # also of what this run leaves out: the rest has a price
        self.state.store_run(run, [quoted(run, each, quote) for each, quote in quotes.items()])
        return run

    async def _drive(self, context: RunContext) -> RunEnd:
        runner = Runner(context)
        loop = asyncio.get_running_loop()
        handlers: dict[int, Callable[[], None]] = {
            signal.SIGINT: runner.drain,
            signal.SIGTERM: lambda: runner.terminate(TERMINATE_GRACE_S),
        }
        if HANG_UP is not None:
            handlers[HANG_UP] = once(runner.drain)
        deadline = None
        with RunLog(context.state.output / LOG_NAME, self.invocation.access.key()) as log, handled(handlers):
            context.observer = self.invocation.observer(log)
            if self.deadline is not None:
                deadline = loop.call_at(self.deadline, runner.reach_deadline)
            self.invocation.watch.on_start(lambda: self._in_real_time(runner.progress()))
            try:
                return await drained(runner.run(), runner.drain)
            finally:
                if deadline is not None:
                    deadline.cancel()

    def _in_real_time(self, progress: BatchProgress) -> BatchProgress:
        """A user waits by the clock on the wall, however fast a sandbox's time runs."""
        return (
            progress
            if progress.eta_s is None
            else replace(progress, eta_s=progress.eta_s / self.invocation.access.speed)
        )
