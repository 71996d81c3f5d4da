"""The rounds of a run: a pilot and the rest, or what was sent before a price turned out to be another and after."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

from wanbatch.batch.plan import Due, First, submit_order
from wanbatch.batch.take import Take
from wanbatch.clock import Clock
from wanbatch.provider.protocol import Provider
from wanbatch.runner.settings import RunSettings
from wanbatch.session.options import Caps
from wanbatch.session.pilot import Findings, findings_of, pilot_of
from wanbatch.session.preview import Ground, Preview
from wanbatch.state.file import StateFile
from wanbatch.state.reader import StateReader
from wanbatch.state.tables import Run, quoted
from wanbatch.version import __version__


@dataclass(frozen=True)
class Line:
    """What a run works with: the state file, the provider and its time."""

    state: StateFile
    provider: Provider
    clock: Clock


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


def begin_run(line: Line, preview: Preview, caps: Caps) -> Run:
    """Record that a round begins: its estimate, its caps, and each price that it goes by."""
    run = Run(
        run_id=max((each.run_id for each in line.state.runs()), default=0) + 1,
        started_at=line.clock.now(),
        ended_at=None,
        exit_code=None,
        speed=preview.speed,
        version=__version__,
        estimate_credits=preview.estimate.credits,
        unpriced=preview.estimate.unpriced,
        cap_credits=caps.credits,
        message="",
        is_cap_given=caps.is_given,
        scene_caps=json.dumps(dict(caps.scenes), ensure_ascii=False),
        estimate_low=preview.estimate.low,
        estimate_worst=preview.estimate.worst,
    )
    line.state.store_run(run, [quoted(run, each, quote) for each, quote in preview.quotes.items()])
    return run
