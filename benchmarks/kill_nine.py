"""Kill runs with SIGKILL at random moments, start the same command each time, and check the end against the books.

    python benchmarks/kill_nine.py [--kills 20] [--seed 1] [--faults NAME] [--manifest manifests/storyboard.yaml]

Prints one line a kill and a verdict a batch; exits 1 where a take was charged twice or a charged clip is neither
verified nor held by name. A batch takes at most 25 kills, then another begins. Everything runs on this machine: a
sandbox in a process of its own, 30 times faster than real.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx

from wanbatch.batch.lifecycle import State
from wanbatch.state.reader import StateReader

KILLS_A_BATCH = 25
WANBATCH = (sys.executable, "-m", "wanbatch")


def main() -> int:
    options = _options()
    rng = random.Random(options.seed)
    left, is_good = options.kills, True
    while left > 0:
        with tempfile.TemporaryDirectory(prefix="wanbatch-kill-") as folder:
            sandbox, url = _sandbox(Path(folder), options)
            try:
                codes = _killed_runs(options, rng, Path(folder) / "out", url, min(left, KILLS_A_BATCH))
                left -= len(codes) - 1
                is_good = _verdict(Path(folder) / "out", url, codes) and is_good
            finally:
                sandbox.terminate()
                sandbox.wait()
    print("PASS" if is_good else "FAIL")
    return 0 if is_good else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", type=float, default=30.0)
    parser.add_argument("--faults", default="none")
    root = Path(__file__).resolve().parents[1]
    parser.add_argument("--manifest", type=Path, default=root / "manifests" / "storyboard.yaml")
    return parser.parse_args()


def _sandbox(folder: Path, options: argparse.Namespace) -> tuple[subprocess.Popen[str], str]:
    command = [*WANBATCH, "--json", "sandbox", "--speed", str(options.speed), "--data", str(folder / "account")]
    command += ["--faults", options.faults, "--seed", str(options.seed)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())["base_url"]


def _run(options: argparse.Namespace, output: Path, url: str) -> subprocess.Popen[bytes]:
    command = [*WANBATCH, "-q", "run", str(options.manifest), "-o", str(output), "--yes", "--speed", str(options.speed)]
    command += ["--submit-rate", "4/min"]  # two a second here: the kills fall between and into submits
    command += ["--unknown-grace", "6min"]  # its log is late by a minute
    environment = {**os.environ, "AIMLAPI_BASE_URL": url}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _killed_runs(options: argparse.Namespace, rng: random.Random, output: Path, url: str, kills: int) -> list[int]:
    codes = []
    for number in range(1, kills + 1):
        process = _run(options, output, url)
        # Start-up takes about 0.5 s; most kills shall fall into the submits and downloads after it.
        after_s = rng.uniform(0.4, 1.7)
        time.sleep(after_s)
        was_running = process.poll() is None
        process.send_signal(signal.SIGKILL)
        codes.append(process.wait())
        print(
            f"kill {number:2d} after {after_s:.2f} s: {'killed' if was_running else 'had ended'}, {states_of(output)}"
        )
    last = _run(options, output, url)
    codes.append(last.wait())
    return codes


def states_of(output: Path) -> str:
    """Say how the takes of a folder stand."""
    try:
        with StateReader.open(output) as reader:
            counts = Counter(take.state.value for take in reader.takes())
    except Exception as error:  # noqa: BLE001  before the first run has begun its state file
        return type(error).__name__
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))


def _verdict(output: Path, url: str, codes: list[int]) -> bool:
    rows = httpx.get(f"{url}/sandbox/ledger", trust_env=False, timeout=60).json()["requests"]
    charged = [row for row in rows if row["charged"]]
    with StateReader.open(output) as reader:
        reader.check()
        takes, attempts = reader.takes(), reader.attempts()
    owner = {attempt.request_id: attempt.take_id for attempt in attempts}
    by_id = {take.take_id: take for take in takes}
    per_take = Counter(owner[row["client_request_id"]] for row in charged)
    doubles = [by_id[take_id].label for take_id, count in per_take.items() if count > 1]
    held_ids = {take.take_id for take in takes if take.state is State.HELD}
    lost = [
        f"{by_id[owner[row['client_request_id']]].label}"
        for row in charged
        if by_id[owner[row["client_request_id"]]].state not in (State.VERIFIED, State.HELD)
    ]
    counts = Counter(take.state.value for take in takes)
    told = sum(take.credits_charged or 0 for take in takes if take.take_id not in held_ids)
    books = sum(row["charged"] for row in charged if owner[row["client_request_id"]] not in held_ids)
    expected = 3 if held_ids else 1 if counts["failed"] else 0
    print(f"exit codes: {dict(Counter(codes))}; the last one {codes[-1]}, expected {expected}")
    print(f"{len(rows)} submits, {len(charged)} charges, {dict(counts)}")
    print(f"held by name: {[by_id[take_id].label for take_id in held_ids]}")
    print(f"charged twice: {doubles}; charged and lost: {lost}; ledger {books} = report {told}: {books == told}")
    return not doubles and not lost and books == told and codes[-1] == expected


if __name__ == "__main__":
    sys.exit(main())
