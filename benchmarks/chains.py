"""How near chains come to what the limits allow: 1,000 shots in chains of 5, in two cases.

wanbatch is the real runner over a provider in memory, in virtual time. The bound is the largest of three that no runner
can beat: the longest chain, all generations over all places, and all submits at their rate. The ideal scheduler has
the same durations, places and submit rate, sees each end at once, needs no download, and sends the longest remaining
chain first. It is played out twice: once it counts each shot as 205 s until it has ended, as any runner must, and once
it knows all durations beforehand, which nobody does. Beside them stands what a user might do by hand: make all first
shots, wait for the last of them, then all second shots, and so on.

With 200 places the longest chain is the bound, and wanbatch is held against it. With 50 places it is the places: that
bound leaves out that they fill and empty one by one, so wanbatch is held against the ideal scheduler that is told as
little as wanbatch. Usage: python benchmarks/chains.py [--chains N] [--links N]. Exits 1 if wanbatch needs more than
1.05 in either case.
"""

from __future__ import annotations

import argparse
import heapq
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.pacing import LATENCY_S, lognormal, played, wanbatch  # noqa: E402
from wanbatch.batch.shots import Shot  # noqa: E402
from wanbatch.pace.schedule import Rates  # noqa: E402

MODEL = "alibaba/wan-2-7-i2v"
LIMIT, MEAN_S = 1.05, 205.0


@dataclass(frozen=True)
class Case:
    places: int
    per_min: float
    is_held_to_ideal: bool


CASES = (Case(200, 1200.0, is_held_to_ideal=False), Case(50, 60.0, is_held_to_ideal=True))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chains", type=int, default=200)
    parser.add_argument("--links", type=int, default=5)
    options = parser.parse_args()
    rng = Random(7)
    chains = [[lognormal(rng, MEAN_S) for _ in range(options.links)] for _ in range(options.chains)]
    print(f"{options.chains} chains of {options.links} shots of {MEAN_S:g} s (cv 0.25)")
    is_near_in = {case: is_near(chains, case) for case in CASES}  # all are printed
    return 0 if all(is_near_in.values()) else 1


def is_near(chains: Sequence[Sequence[float]], case: Case) -> bool:
    """Measure one case, print it, and say whether wanbatch is near enough to what it is held against."""
    lasts = [each for chain in chains for each in chain]
    count, links = len(lasts), len(chains[0])
    bounds = {
        "the longest chain": max(map(sum, chains)),
        "all generations over all places": sum(lasts) / case.places,
        "all submits at their rate": (count - 1) * 60 / case.per_min + min(lasts),
    }
    bound_s = max(bounds.values())
    ideal_s = ideal(chains, [[MEAN_S] * links] * len(chains), case)
    rates = Rates(in_flight=case.places, submit_per_min=case.per_min)
    score = wanbatch(lasts.__getitem__, shots_of(len(chains), links), rates)
    levels_s = sum(
        played([chain[link] for chain in chains], lambda _: 15.0, case.places, case.per_min).makespan_s
        for link in range(links)
    )
    print(f"\n{case.places} places, {case.per_min:g} submits a minute")
    for name, seconds in bounds.items():
        print(f"  {name:34}{seconds / 60:8.1f} min")
    print(f"  {'':46}of the bound  of the ideal")
    for name, seconds in (
        ("ideal, knows all durations", ideal(chains, chains, case)),
        ("ideal, told as little as wanbatch", ideal_s),
        ("wanbatch", score.makespan_s),
        ("level by level, polls each 15 s", levels_s),
    ):
        print(f"  {name:34}{seconds / 60:8.1f} min{seconds / bound_s:12.3f}{seconds / ideal_s:14.3f}")
    print(f"  wanbatch sees an end {score.lag_s / count:.1f} s late; {score.polls / count:.1f} polls a take")
    ratio = score.makespan_s / (ideal_s if case.is_held_to_ideal else bound_s)
    against = "the ideal that is told as little" if case.is_held_to_ideal else "the bound"
    print(f"  {'PASS' if ratio <= LIMIT else 'FAIL'}: {ratio:.3f} of {against}; at most {LIMIT} is wanted")
    return ratio <= LIMIT


def ideal(chains: Sequence[Sequence[float]], expected: Sequence[Sequence[float]], case: Case) -> float:
    """Play out a scheduler that sees each end at once, and sends first what it expects to have the longest rest."""
    ready = [(-sum(each), place, 0) for place, each in enumerate(expected)]
    heapq.heapify(ready)
    running: list[tuple[float, int, int]] = []
    now = send_at = 0.0
    while ready or running:
        while running and running[0][0] <= now:
            _, place, link = heapq.heappop(running)
            if link + 1 < len(chains[place]):
                heapq.heappush(ready, (-sum(expected[place][link + 1 :]), place, link + 1))
        is_free = bool(ready) and len(running) < case.places
        if is_free and send_at <= now:
            _, place, link = heapq.heappop(ready)
            heapq.heappush(running, (now + LATENCY_S + chains[place][link], place, link))
            send_at = now + 60 / case.per_min
        else:
            ends = [running[0][0]] if running else []
            now = min([*ends, send_at] if is_free else ends, default=now)
    return now


def shots_of(chains: int, links: int) -> list[Shot]:
    body = {"model": MODEL, "prompt": "p", "resolution": "720p", "duration": 5}
    first = Shot("", 0, {**body, "image_url": "https://example.com/still.png"})
    found = []
    for place in range(chains * links):
        chain, link = divmod(place, links)
        given = {} if link == 0 else {"image_url": f"frame:c{chain:04}_{link - 1}:last"}
        request = {**first.request, **given}
        found.append(replace(first, id=f"c{chain:04}_{link}", ordinal=place, request=request, seed=place))
    return found


if __name__ == "__main__":
    sys.exit(main())
