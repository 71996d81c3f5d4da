"""How true the time left is: ten runs against the sandbox, each asked at a quarter of its takes.

The limits and faults are those of the row. By default the sandbox is in this process and time jumps from event to
event, so that the figures are the same on every machine: a clip host that sends slowly stands for downloads and checks.
With `--embedded` it is the one that `run --sandbox` uses: its clips are drawn, fetched and decoded on this machine, and
its clock is 60 times as fast, so that the figures are good only where nothing else runs. Beside what wanbatch says is
what a user would work out from a progress bar: elapsed time over the share that is done. Errors are of the time left.
Usage: python benchmarks/eta.py [--embedded] [--only N]... [--trace]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.near import draw_once  # noqa: E402
from tests.worlds import World  # noqa: E402
from wanbatch.batch.progress import BatchProgress  # noqa: E402
from wanbatch.batch.shots import Batch, Limits, Shot  # noqa: E402
from wanbatch.manifest.cache import Manifest  # noqa: E402
from wanbatch.pace.schedule import Rates  # noqa: E402
from wanbatch.runner.events import Event  # noqa: E402
from wanbatch.runner.loop import Runner  # noqa: E402
from wanbatch.runner.settings import RunSettings  # noqa: E402
from wanbatch.sandbox.faults import PLANS, Rule  # noqa: E402
from wanbatch.sandbox.options import SandboxOptions  # noqa: E402
from wanbatch.session.options import RunOptions, Watch  # noqa: E402
from wanbatch.session.session import session_of  # noqa: E402

SHARE = 0.25
FETCH_S = (
    60.0  # for 10 s at 1080p: four at a time, much as drawing and decoding take on two cores at 60 times the speed
)
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
        return ", ".join([*parts, *([f"sandbox {' '.join(self.flags)}"] if self.flags else [])]) or "as by default"

    @property
    def faults_text(self) -> str:
        return self.faults if isinstance(self.faults, str) else "1 of 8 fails"


MIXED = (
    {"model": "alibaba/wan-2-6-t2v", "resolution": "720p", "duration": 5},
    {"model": "alibaba/wan-2-6-t2v", "resolution": "1080p", "duration": 10},
    {"model": "alibaba/wan2.2-t2v-plus", "resolution": "480P"},
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
    """What was told at a quarter of the way, and when the last clip was verified. Seconds of the clock of the run."""

    takes: int
    began_s: float | None = None
    progress: Callable[[], BatchProgress] | None = None
    quarter: tuple[float, float, float] | None = None
    last_s: float = 0.0
    trace: list[tuple[float, int, float | None]] = field(default_factory=list)

    def start(self, progress: Callable[[], BatchProgress]) -> None:
        self.progress, self.began_s = progress, time.perf_counter()

    def event(self, event: Event) -> None:
        if self.progress is not None:
            self.note(event, time.perf_counter(), self.progress)

    def observe(self, runner: Runner, event: Event) -> None:
        now_s = event.at.timestamp()
        self.began_s = now_s if self.began_s is None else self.began_s
        self.note(event, now_s, runner.progress)

    def note(self, event: Event, now_s: float, progress: Callable[[], BatchProgress]) -> None:
        if event.kind not in ("verified", "generation_failed", "held"):
            return
        told = progress()
        assert self.began_s is not None
        self.last_s, done = now_s, told.counts.get("verified", 0)
        self.trace.append((now_s - self.began_s, done, told.eta_s))
        if self.quarter is None and done >= SHARE * self.takes:
            assert told.eta_s is not None
            elapsed_s = now_s - self.began_s
            self.quarter = now_s, told.eta_s, elapsed_s * (self.takes / done - 1)


def manifest_of(case: Case) -> str:
    shots = [{"id": f"sh{number:03}", **request_of(case, number)} for number in range(case.takes)]
    return json.dumps({"version": 1, "name": "eta", "shots": shots})


def play(case: Case) -> Told:
    """Play a case in virtual time."""
    told = Told(case.takes)
    rules = PLANS[case.faults] if isinstance(case.faults, str) else tuple(Rule(**each) for each in case.faults)
    fetches = tuple(
        Rule("clip", "slow", prompt_contains=f"{number}:", delay_s=FETCH_S * size_of(order) ** 0.8)
        for number, order in enumerate(case.orders)
    )
    limits, default = case.limits, Rates()
    rates = Rates(
        submit_per_min=limits.submit_per_min or default.submit_per_min,
        in_flight=limits.in_flight or default.in_flight,
        downloads=limits.downloads or default.downloads,
    )
    options = SandboxOptions(concurrency=int(case.flags[1]) if case.flags else None, balance_usd=Decimal(10_000))
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        draw_once(patch)
        settings = RunSettings(rates=rates)
        world = World(Path(name) / "out", options, rules + fetches, settings, observe=told.observe)
        batch = Batch("eta", tuple(Shot(f"sh{n:03}", n, request_of(case, n)) for n in range(case.takes)))
        world.run(batch)
    return told


def request_of(case: Case, number: int) -> dict[str, Any]:
    turn = number % len(case.orders)
    prompt = f"{turn}: a dragon, number {number}, lands on the mountain"
    return {"model": "alibaba/wan-2-6-t2v", "prompt": prompt, **case.orders[turn]}


def size_of(order: Mapping[str, Any]) -> float:
    """Return what a clip holds, as a share of 10 s at 1080p."""
    return (float(order["resolution"].lower().removesuffix("p")) / 1080) ** 2 * order.get("duration", 5) / 10


def play_embedded(case: Case) -> Told:
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
    parser.add_argument("--embedded", action="store_true", help="run the embedded sandbox, in real time")
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
            told = play_embedded(case) if asked.embedded else play(case)
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
