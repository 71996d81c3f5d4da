"""How near chains come to what the limits allow: 1,000 shots in chains of 5, 50 places, 60 submits a minute.

wanbatch is the real runner over a provider in memory, in virtual time. The bound is the largest of three that no runner
can beat: the longest chain, all generations over all places, and all submits at the allowed rate. Beside it stands what
a user might do by hand: make all first shots, wait for the last of them, then all second shots, and so on.
Usage: python benchmarks/chains.py [--chains N] [--links N]. Exits 1 if wanbatch needs more than 1.05 of the bound.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.pacing import PER_MIN, PLACES, lognormal, played, wanbatch  # noqa: E402
from wanbatch.batch.shots import Shot  # noqa: E402
from wanbatch.pace.schedule import Rates  # noqa: E402

MODEL = "alibaba/wan-2-7-i2v"
LIMIT = 1.05


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chains", type=int, default=200)
    parser.add_argument("--links", type=int, default=5)
    options = parser.parse_args()
    chains, links = options.chains, options.links
    rng = Random(7)
    lasts = [lognormal(rng, 205) for _ in range(chains * links)]
    bounds = {
        "the longest chain": max(sum(lasts[each * links : (each + 1) * links]) for each in range(chains)),
        "all generations over all places": sum(lasts) / PLACES,
        "all submits at their rate": (len(lasts) - 1) * 60 / PER_MIN + min(lasts),
    }
    bound_s = max(bounds.values())
    print(f"{chains} chains of {links} shots of 205 s (cv 0.25), {PLACES} places, {PER_MIN:.0f} submits a minute")
    for name, seconds in bounds.items():
        print(f"{name:34}{seconds / 60:8.1f} min")
    levels = sum(played(lasts[each::links], lambda _: 15.0).makespan_s for each in range(links))
    score = wanbatch(lasts.__getitem__, shots_of(chains, links), Rates(in_flight=PLACES))
    ratio = score.makespan_s / bound_s
    print(f"{'wanbatch':34}{score.makespan_s / 60:8.1f} min {ratio:7.3f} of the bound, {score.refused} 429s")
    print(f"{'level by level, polls each 15 s':34}{levels / 60:8.1f} min {levels / bound_s:7.3f} of the bound")
    print("PASS" if ratio <= LIMIT else f"FAIL: more than {LIMIT} of the bound")
    return 0 if ratio <= LIMIT else 1


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
