"""How near a run comes to what the provider's limits allow: 1,000 takes, 50 places, 60 submits a minute, virtual time.

wanbatch is the real runner, with its state file, over a provider in memory; time jumps from event to event. The others
are played out by their rules: an ideal runner (the same durations and limits, every end seen at once), one that gathers
over a semaphore and polls each 15 s, one that backs off (x1.5 up to 60 s), and the provider's own sample in a loop.
Usage: python benchmarks/pacing.py [--takes N]
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import math
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.simulation import loop as virtual  # noqa: E402
from tests.simulation.clip import Blank, clip_bytes  # noqa: E402
from wanbatch.batch.plan import First, make_plan  # noqa: E402
from wanbatch.batch.shots import DEFAULT_MODEL, Batch, Shot  # noqa: E402
from wanbatch.clock import LoopClock  # noqa: E402
from wanbatch.money.charge import Charge  # noqa: E402
from wanbatch.pace.schedule import Rates  # noqa: E402
from wanbatch.provider.protocol import Accepted, Fetched, NotSent, Progress, Secret, Status, TurnedAway  # noqa: E402
from wanbatch.runner.context import RunContext  # noqa: E402
from wanbatch.runner.loop import Runner  # noqa: E402
from wanbatch.runner.settings import RunSettings  # noqa: E402
from wanbatch.state.file import StateFile  # noqa: E402
from wanbatch.state.tables import new_identity  # noqa: E402

PLACES, PER_MIN = 50, 60.0
LATENCY_S = 0.3
EPOCH = datetime(2026, 11, 1, 20, tzinfo=UTC)
CREDITS = 1_050_000


def lognormal(rng: Random, mean_s: float, cv: float = 0.25) -> float:
    sigma = math.sqrt(math.log(1 + cv * cv))
    return rng.lognormvariate(math.log(mean_s) - sigma * sigma / 2, sigma)


@dataclass
class Score:
    makespan_s: float = 0.0
    requests: int = 0
    refused: int = 0
    refused_late: int = 0  # once a tenth of the takes was sent
    polls: int = 0
    lag_s: float = 0.0
    cpu_s: float | None = None
    memory_mb: float | None = None


class InMemory:
    """A provider with so many places; a generation lasts what the seed of its take says."""

    def __init__(self, clock: LoopClock, lasts_s: Callable[[int], float], places: int, score: Score) -> None:
        self._clock, self._lasts_s, self._places, self.score = clock, lasts_s, places, score
        self._ends: dict[str, float] = {}
        self._running: list[float] = []
        self._polled: set[str] = set()
        self.charged: list[Charge] = []
        self.sent = 0
        self._fetched = 0

    async def submit(self, recipe: Any, _: str, on_accepted: Callable[[str], None], __: Any = None) -> Any:
        await self._clock.sleep(LATENCY_S)
        now = self._clock.monotonic()
        self.score.requests += 1
        while self._running and self._running[0] <= now:
            heapq.heappop(self._running)
        if len(self._running) >= self._places:
            self.score.refused += 1
            self.score.refused_late += self.sent >= 100
            return TurnedAway(429, None, "too many at once")
        self.sent += 1
        generation_id = f"g{self.sent}"
        end = now + self._lasts_s(recipe.body["seed"])
        heapq.heappush(self._running, end)
        self._ends[generation_id] = end
        self.charged.append(Charge(generation_id, CREDITS, self._clock.now()))
        on_accepted(generation_id)
        return Accepted(generation_id, credits_held=CREDITS, is_echoed=True)

    async def poll(self, generation_id: str) -> Progress:
        await self._clock.sleep(LATENCY_S)
        now = self._clock.monotonic()
        self.score.requests += 1
        self.score.polls += 1
        if now < self._ends[generation_id]:
            return Progress(generation_id, Status.GENERATING, None, None)
        if generation_id not in self._polled:
            self._polled.add(generation_id)
            self.score.lag_s += now - self._ends[generation_id]
        return Progress(generation_id, Status.COMPLETED, Secret("https://clips.example.com/a.mp4"), None)

    async def fetch(self, _: Secret, sink: Callable[[bytes], object]) -> Fetched:
        await self._clock.sleep(2.0)
        self._fetched += 1
        clip = clip_bytes(f"g{self._fetched}")
        sink(clip)
        return Fetched(len(clip))

    async def charges(self, _: datetime) -> Sequence[Charge]:
        return self.charged

    async def refunds(self, _: datetime) -> Sequence[Charge]:
        return ()

    async def scan_log(self, _: datetime) -> Any:
        return NotSent("not asked for")

    async def ahead(self) -> None:
        return None

    async def quotes(self, _: Any) -> dict[Any, Any]:
        return {}

    async def account(self) -> None:
        return None


def wanbatch(
    lasts_s: Callable[[int], float], shots: Sequence[Shot], rates: Rates, first: First = First.LONGEST
) -> Score:
    """Let the real runner make these shots; the provider has as many places as it is told, or `PLACES`."""
    score, places = Score(), PLACES if rates == Rates() else rates.in_flight
    virtual.ROUND_LIMIT = 10**9
    loop = virtual.SimLoop()

    async def run(folder: Path) -> None:
        clock = LoopClock(EPOCH)
        provider = InMemory(clock, lasts_s, places, score)
        identity = new_identity("pacing", "memory", "k", EPOCH, sandbox=True)
        state = StateFile.create_or_open(folder / "out", identity)
        state.adopt(make_plan(Batch("pacing", tuple(shots)), [], []), EPOCH)
        began = time.process_time()
        context = RunContext(
            state, provider, clock, RunSettings(rates=rates, first=first, inspection=Blank()), Random(1)
        )
        end = await Runner(context).run()
        score.cpu_s = (time.process_time() - began) * 1000 / len(shots)
        takes = state.takes()
        assert int(end.exit_code) == 0, end
        ends = [take.completed_at for take in takes if take.completed_at is not None]
        score.makespan_s = (max(ends) - EPOCH) / timedelta(seconds=1)
        state.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(run(Path(folder)))
        loop.close()
    score.memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return score


def played(
    lasts: Sequence[float], waits_s: Callable[[int], float] | None, places: int = PLACES, per_min: float = PER_MIN
) -> Score:
    """Play a runner out that knows the limits and polls after these waits; None sees every end at once."""
    score, free, ready, ends = Score(), [0.0] * places, 0.0, []
    for lasts_s in lasts:
        begin = max(heapq.heappop(free), ready)
        ready = begin + 60 / per_min
        age, polls = lasts_s, 0
        if waits_s is not None:
            age = 0.0
            while age < lasts_s:
                age += waits_s(polls) + LATENCY_S
                polls += 1
        score.polls += polls
        score.lag_s += age - lasts_s
        ends.append(begin + LATENCY_S + age)
        heapq.heappush(free, ends[-1])
    score.makespan_s, score.requests = max(ends), len(lasts) + score.polls
    return score


def optimum(draw: Callable[[Random], float]) -> float:
    """Return the least lag times polls that any schedule has, (integral sqrt(f S) dt)^2 / 2, from many draws."""
    rng, width_s, count = Random(99), 2.0, 200_000
    ends = Counter(int(draw(rng) / width_s) for _ in range(count))
    alive, area = count, 0.0
    for _, died in sorted(ends.items()):
        area += math.sqrt((alive - died / 2) / count * died / count / width_s) * width_s
        alive -= died
    return area * area / 2


def shots_of(count: int, durations: Sequence[int]) -> list[Shot]:
    return [
        Shot(
            f"sh{n:04}",
            n,
            {"model": DEFAULT_MODEL, "prompt": "p", "resolution": "720p", "duration": durations[n % len(durations)]},
            seed=n,
        )
        for n in range(count)
    ]


def show(name: str, score: Score, ideal: Score, takes: int) -> None:
    cpu = "" if score.cpu_s is None else f"{score.cpu_s:9.1f}"
    memory = "" if score.memory_mb is None else f"{score.memory_mb:9.0f}"
    late = f"{100 * score.refused_late / takes:.1f}%"
    print(
        f"{name:42}{score.makespan_s / ideal.makespan_s:9.3f}{score.requests:10}{score.refused:6}{late:>7}"
        f"{score.lag_s / takes:8.1f}{score.polls / takes:8.1f}{cpu:>9}{memory:>9}"
    )


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--takes", type=int, default=1000)
    takes = parser.parse_args().takes
    rng = Random(7)
    lasts = [lognormal(rng, 205) for _ in range(takes)]
    ideal = played(lasts, None)
    print(f"{takes} takes of 205 s (cv 0.25), {PLACES} places; the ideal ends after {ideal.makespan_s / 60:.1f} min")
    print(
        f"{'':42}{'over the':>9}{'':>10}{'':>6}{'late':>7}{'lag':>8}{'polls':>8}{'CPU s /':>9}{'peak':>9}\n"
        f"{'':42}{'ideal':>9}{'requests':>10}{'429s':>6}{'429s':>7}{'s':>8}{'a take':>8}{'1,000':>9}{'MB':>9}"
    )
    shots, told = shots_of(takes, [5]), Rates(in_flight=PLACES)
    show("wanbatch, limits told", wanbatch(lasts.__getitem__, shots, told), ideal, takes)
    few = Rates(in_flight=PLACES, polls_per_take=8.0)
    show("wanbatch, limits told, fewer polls", wanbatch(lasts.__getitem__, shots, few), ideal, takes)
    best_product = optimum(lambda rng: lognormal(rng, 205))
    for per_take in (5, 8):
        capped = Rates(in_flight=PLACES, poll_per_min=60 * PLACES / 205 * per_take)
        score = wanbatch(lasts.__getitem__, shots, capped)
        over = score.lag_s / takes * (score.polls / takes) / best_product
        show(f"wanbatch, {capped.poll_per_min:.0f} polls/min: {over:.3f} of the bound", score, ideal, takes)
    show("wanbatch, limits not told", wanbatch(lasts.__getitem__, shots, Rates()), ideal, takes)
    show("gather, semaphore, fixed 15 s", played(lasts, lambda _: 15.0), ideal, takes)
    show("gather, semaphore, back-off x1.5 to 60 s", played(lasts, lambda n: min(60.0, 5 * 1.5**n)), ideal, takes)
    show("the provider's sample in a loop", played(lasts, lambda _: 15.0, places=1), ideal, takes)

    means = {5: 90.0, 10: 205.0, 15: 420.0}
    mixed = shots_of(takes, list(means))
    lasts = [lognormal(rng, means[(5, 10, 15)[n % 3]]) for n in range(takes)]
    best = played([lasts[n] for n in sorted(range(takes), key=lambda n: -(n % 3))], None)
    bound_s = max(sum(lasts) / PLACES, *lasts)
    print(
        f"\nmixed (90, 205, 420 s): the bound is {bound_s / 60:.1f} min, {bound_s / best.makespan_s:.3f} of the ideal"
    )
    for first in First:
        score = wanbatch(lasts.__getitem__, mixed, told, first)
        show(f"wanbatch, --order {first.value}: {score.makespan_s / bound_s:.3f} of the bound", score, best, takes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
