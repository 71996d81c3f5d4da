"""How true the time left is: ten runs on the embedded sandbox, each told at a quarter of its takes.

The sandbox's clock runs faster than the one on the wall, its limits and faults are those of the row, and its clips are
drawn, fetched and decoded on this machine. Beside what wanbatch says is what a user would work out from a progress bar:
elapsed time over the share that is done. Errors are of the time that was left.
Usage: python benchmarks/eta.py [--only N]... [--trace]    (some ten minutes)
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from wanbatch.batch.progress import BatchProgress  # noqa: E402
from wanbatch.batch.shots import Limits  # noqa: E402
from wanbatch.manifest.cache import Manifest  # noqa: E402
from wanbatch.runner.events import Event  # noqa: E402
from wanbatch.session.options import RunOptions, Watch  # noqa: E402
from wanbatch.session.session import session_of  # noqa: E402

SHARE = 0.25
FAILING = [{"on": "submit", "do": "fail", "every": 8, "message": "Internal model error"}]


@dataclass(frozen=True)
class Case:
    """One run: takes, their settings by turns, our limits, the sandbox's flags, and the fault plan."""

    takes: int
    limits: Limits = field(default_factory=Limits)
    orders: Sequence[dict[str, Any]] = ({"resolution": "720p", "duration": 5},)
    faults: str | list[dict[str, Any]] = "none"
    flags: tuple[str, ...] = ()
    speed: float = 60.0

    @property
    def limits_text(self) -> str:
        told = {"in flight": self.limits.in_flight, "a minute": self.limits.submit_per_min}
        told |= {"downloads": self.limits.downloads}
        parts = [f"{value:g} {name}" for name, value in told.items() if value is not None]
        return ", ".join([*parts, *([f"sandbox {' '.join(self.flags)}"] if self.flags else []), f"x{self.speed:g}"])

    @property
    def faults_text(self) -> str:
        return self.faults if isinstance(self.faults, str) else "1 of 8 fails"


MIXED = (
    {"model": "alibaba/wan-2-6-t2v", "resolution": "720p", "duration": 5},
    {"model": "alibaba/wan-2-6-t2v", "resolution": "1080p", "duration": 10},
    {"model": "alibaba/wan2.2-t2v-plus", "resolution": "480p"},
)
CASES = (
    Case(16, Limits(in_flight=4)),
    Case(20),
    Case(40, Limits(in_flight=5), faults="flaky"),
    Case(60, Limits(in_flight=8)),
    Case(60, Limits(in_flight=10), faults=FAILING),
    Case(80, Limits(submit_per_min=10), speed=120),
    Case(48, Limits(in_flight=8), MIXED),
    Case(60, Limits(in_flight=12), faults="lost-answers"),
    Case(24, Limits(in_flight=6, downloads=2), ({"resolution": "1080p", "duration": 10},)),
    Case(100, flags=("--concurrency", "12")),
)


@dataclass
class Told:
    """What was told at a quarter of the way, and when the last clip was verified. Seconds on the wall."""

    takes: int
    began_s: float | None = None
    progress: Callable[[], BatchProgress] | None = None
    quarter: tuple[float, float, float] | None = None
    last_s: float = 0.0
    trace: list[tuple[float, int, float | None]] = field(default_factory=list)

    def start(self, progress: Callable[[], BatchProgress]) -> None:
        self.progress, self.began_s = progress, time.perf_counter()

    def event(self, event: Event) -> None:
        if event.kind not in ("verified", "generation_failed", "held") or self.progress is None:
            return
        now, told = time.perf_counter(), self.progress()
        assert self.began_s is not None
        self.last_s, done = now, told.counts.get("verified", 0)
        self.trace.append((now - self.began_s, done, told.eta_s))
        if self.quarter is None and done >= SHARE * self.takes:
            assert told.eta_s is not None
            elapsed_s = now - self.began_s
            self.quarter = now, told.eta_s, elapsed_s * (self.takes / done - 1)


def manifest_of(case: Case) -> str:
    shots = [
        {
            "id": f"sh{number:03}",
            "prompt": f"A dragon, number {number}, lands on the mountain",
            "model": "alibaba/wan-2-6-t2v",
            **case.orders[number % len(case.orders)],
        }
        for number in range(case.takes)
    ]
    return json.dumps({"version": 1, "name": "eta", "shots": shots})


def play(case: Case) -> Told:
    told = Told(case.takes)
    with tempfile.TemporaryDirectory() as name:
        folder, flags = Path(name), case.flags
        (folder / "eta.json").write_text(manifest_of(case))
        if isinstance(case.faults, str):
            flags += () if case.faults == "none" else ("--faults", case.faults)
        else:
            (folder / "faults.json").write_text(json.dumps(case.faults))
            flags += ("--faults", str(folder / "faults.json"))
        options = RunOptions(
            output=folder / "out", sandbox=True, speed=case.speed, limits=case.limits, sandbox_flags=flags,
            is_agreed=True, makes_report=False,
        )  # fmt: skip
        watch = Watch(on_event=told.event, on_start=told.start)
        asyncio.run(session_of(options, watch).run(Manifest(folder / "eta.json")))
    return told


def show(number: int, case: Case, told: Told) -> tuple[float, float]:
    assert told.quarter is not None
    at_s, eta_s, naive_s = told.quarter
    true_s = told.last_s - at_s
    errors = eta_s / true_s - 1, naive_s / true_s - 1
    row = f"{number:3}{case.takes:6}  {case.limits_text:44}{case.faults_text:14}{eta_s:8.1f}{true_s:8.1f}"
    print(f"{row}{errors[0]:+8.0%}{naive_s:8.1f}{errors[1]:+8.0%}", flush=True)
    return errors


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", type=int, action="append", help="a row's number")
    parser.add_argument("--trace", action="store_true", help="show what was told with each clip, too")
    asked = parser.parse_args()
    print(f"{'':69}{'wanbatch':>8}{'':8}{'':8}{'naive':>8}")
    print(
        f"{'':3}{'takes':>6}  {'limits':44}{'faults':14}{'left s':>8}{'true s':>8}{'error':>8}{'left s':>8}{'error':>8}"
    )
    errors = []
    for number, case in enumerate(CASES, start=1):
        if asked.only is None or number in asked.only:
            told = play(case)
            errors.append(show(number, case, told))
            for elapsed_s, done, eta_s in told.trace if asked.trace else ():
                left_s = told.last_s - (told.began_s or 0.0) - elapsed_s
                print(f"{'':9}{elapsed_s:8.1f} s {done:4} done, told {eta_s or math.nan:8.1f}, true {left_s:8.1f}")
    mine, naive = ([abs(each[n]) for each in errors] for n in (0, 1))
    for what, value_of in (("worst", max), ("mean", mean)):
        print(f"{what:69}{'':16}{value_of(mine):8.0%}{'':8}{value_of(naive):8.0%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
