"""The rounds of a run: a pilot and the rest, or what was sent before a price turned out to be another and after."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from wanbatch.batch.plan import Due, First, submit_order
from wanbatch.batch.take import Take
from wanbatch.clock import Clock
from wanbatch.errors import ExitCode
from wanbatch.interrupts import HANG_UP, handled, once
from wanbatch.provider.protocol import Provider
from wanbatch.runner.context import RunContext
from wanbatch.runner.log import LOG_NAME, RunLog
from wanbatch.runner.loop import RunEnd, Runner, Standing
from wanbatch.runner.settings import RunSettings
from wanbatch.session.invocation import Invocation
from wanbatch.session.options import Caps
from wanbatch.session.pilot import Findings, findings_of, pilot_of
from wanbatch.session.preview import Ground, Preview, Why
from wanbatch.session.quotation import preview_of
from wanbatch.state.file import StateFile
from wanbatch.state.reader import StateReader
from wanbatch.state.tables import Run, quoted
from wanbatch.version import __version__

TERMINATE_GRACE_S = 10.0


@dataclass(frozen=True)
class Progress:
    """What one invocation has done so far: where the sending stood before it began, and how many takes it may send."""

    state: StateReader
    mark: int
    limit: int | None

    @classmethod
    def of(cls, state: StateReader, limit: int | None) -> Progress:
        """Begin where the sending stands now."""
        return cls(state, state.sends(), limit)

    def sent(self) -> list[Take]:
        """Return the takes that were sent since."""
        return self.state.takes_sent_since(self.mark)

    def ground(self, ground: Ground) -> Ground:
        """Return what the next round starts from."""
        left = None if self.limit is None else max(0, self.limit - len(self.sent()))
        return replace(ground, inventory=self.state.inventory(), limit=left)

    def findings(self, ground: Ground, settings: RunSettings) -> Findings:
        """Measure what was sent, for the question whether to send the rest."""
        pace = (settings.rates.in_flight, settings.rates.submit_per_min)
        return findings_of(self.sent(), len(ground.to_send), pace)


def choose_pilot(
    state: StateReader, count: int | None, limit: int | None, is_wanted: Callable[[Due | Take], bool], first: First
) -> frozenset[int] | None:
    """Choose the takes of a pilot, by id; None where there is none to run, or it would be all there is."""
    if count is None:
        return None
    order = submit_order(filter(is_wanted, state.inventory().due), first)[:limit]
    return None if count >= len(order) else frozenset(each.take_id for each in pilot_of(order, count))


def _in(chosen: frozenset[int]) -> Callable[[Due | Take], bool]:
    return lambda take: take.take_id in chosen


@dataclass(frozen=True)
class Rounds:
    """One run, in as many rounds as it takes: what it works with, and until when it may send.

    `deadline` is a time of the loop, for all rounds together; None without one.
    """

    invocation: Invocation
    state: StateFile
    provider: Provider
    clock: Clock
    caps: Caps
    deadline: float | None = None

    async def run(self, ground: Ground, preview: Preview, settings: RunSettings) -> RunEnd:
        """Run; after a pilot, or where a price is new, ask again with what was learnt, and run the rest."""
        options, is_wanted = self.invocation.options, self.invocation.is_wanted
        limit, count = options.limit, options.pilot
        progress = Progress.of(self.state, limit)
        while True:
            pilot = choose_pilot(self.state, count, limit, is_wanted, options.first)
            is_selected = is_wanted if pilot is None else _in(pilot)
            end = await self._round(preview, replace(settings, is_selected=is_selected))
            is_pilot_done, count = pilot is not None and not end.was_stopped, None
            if not (end.has_new_price or is_pilot_done):
                return end
            ground = progress.ground(ground)
            if not ground.to_send:
                return end
            why = Why.PRICE if end.has_new_price else Why.PILOT
            findings = progress.findings(ground, settings)
            preview = await preview_of(self.invocation, ground, self.provider)
            preview = replace(preview, why=why, findings=findings, pilot=None)
            if preview.refusal is not None:
                return RunEnd(preview.refusal[0], (preview.refusal[1],))
            if not self.invocation.watch.confirm(preview):
                rest = f"the pilot is done; {preview.estimate.takes} more takes were not sent: the same command goes on"
                return end if end.has_new_price else RunEnd(ExitCode.INTERRUPTED, (rest,))
            settings = replace(settings, quotes=preview.quotes, limit=ground.limit, logged=(), is_begun_anew=False)

    async def _round(self, preview: Preview, settings: RunSettings) -> RunEnd:
        run = self._begin(preview)
        context = RunContext(self.state, self.provider, self.clock, settings, Random())  # noqa: S311  jitter, no secret
        end = await self._drive(context)
        self.state.store_run(
            replace(run, ended_at=self.clock.now(), exit_code=int(end.exit_code), message="; ".join(end.messages))
        )
        return end

    def _begin(self, preview: Preview) -> Run:
        """Record that a round begins: its estimate, its caps, and each price that it goes by."""
        run = Run(
            run_id=max((each.run_id for each in self.state.runs()), default=0) + 1,
            started_at=self.clock.now(),
            ended_at=None,
            exit_code=None,
            speed=preview.speed,
            version=__version__,
            estimate_credits=preview.estimate.credits,
            unpriced=preview.estimate.unpriced,
            cap_credits=self.caps.credits,
            message="",
            is_cap_given=self.caps.is_given,
            scene_caps=json.dumps(dict(self.caps.scenes), ensure_ascii=False),
            estimate_low=preview.estimate.low,
            estimate_worst=preview.estimate.worst,
        )
        self.state.store_run(run, [quoted(run, each, quote) for each, quote in preview.quotes.items()])
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
            self.invocation.watch.on_start(lambda: self._in_real_time(runner.standing()))
            try:
                return await runner.run()
            finally:
                if deadline is not None:
                    deadline.cancel()

    def _in_real_time(self, standing: Standing) -> Standing:
        """A user waits by the clock on the wall, however fast a sandbox's time runs."""
        return (
            standing
            if standing.eta_s is None
            else replace(standing, eta_s=standing.eta_s / self.invocation.access.speed)
        )
