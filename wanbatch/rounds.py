"""The rounds of a run: a pilot and the rest, or what was sent before a price turned out to be another and after."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from wanbatch import __version__
from wanbatch.clock import Clock
from wanbatch.desk import RunSettings
from wanbatch.lifecycle import State, Take
from wanbatch.options import Caps
from wanbatch.piloting import Findings, findings_of, pilot_of
from wanbatch.planning import First, submit_order
from wanbatch.previewing import Ground, Preview
from wanbatch.provider import Provider
from wanbatch.state import StateFile
from wanbatch.tables import Run, quoted


@dataclass(frozen=True)
class Line:
    """What a run works with: the state file, the provider and its time."""

    state: StateFile
    provider: Provider
    clock: Clock


@dataclass(frozen=True)
class Progress:
    """What one invocation has done so far: attempts by take before it began, and how many takes it may send."""

    before: Mapping[int, int]
    limit: int | None

    @classmethod
    def of(cls, takes: Sequence[Take], limit: int | None) -> Progress:
        """Begin with these takes."""
        return cls({take.take_id: take.attempts for take in takes}, limit)

    def sent(self, takes: Sequence[Take]) -> list[Take]:
        """Return the takes that were sent since."""
        return [take for take in takes if take.attempts > self.before.get(take.take_id, 0)]

    def ground(self, ground: Ground, takes: Sequence[Take]) -> Ground:
        """Return what the next round starts from."""
        left = None if self.limit is None else max(0, self.limit - len(self.sent(takes)))
        return replace(ground, takes=takes, limit=left)

    def findings(self, ground: Ground, settings: RunSettings) -> Findings:
        """Measure what was sent, for the question whether to send the rest."""
        pace = (settings.rates.in_flight, settings.rates.submit_per_min)
        return findings_of(self.sent(ground.takes), len(ground.orders_to_submit), pace)


def choose_pilot(
    state: StateFile, count: int | None, limit: int | None, is_wanted: Callable[[Take], bool], first: First
) -> frozenset[int] | None:
    """Choose the takes of a pilot, by id; None where there is none to run, or it would be all there is."""
    planned = [take for take in state.takes() if take.state is State.PLANNED and not take.superseded]
    shots = state.shots()
    order = submit_order(filter(is_wanted, planned), {row.shot_id: row.ordinal for row in shots}, first)[:limit]
    if count is None or count >= len(order):
        return None
    return frozenset(take.take_id for take in pilot_of(order, {row.shot_id: row.scene for row in shots}, count))


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
