"""A batch of 100,000 takes, half of them done: how long each command takes, and how much memory.

The resumed run goes through the command line to a sandbox on this machine, past a listener that notes when the first
request and the first submit arrive. What a user would do instead is beside it: `yaml.safe_load` of the same manifest.
Usage: python benchmarks/scale.py [--takes N]    (Linux; a few minutes)
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from wanbatch.batch.lifecycle import Fact  # noqa: E402
from wanbatch.batch.take import Take, advance  # noqa: E402
from wanbatch.clock import system_now  # noqa: E402
from wanbatch.state.file import StateFile  # noqa: E402
from wanbatch.state.reader import StateReader, entry  # noqa: E402

BEGIN = "import wanbatch, sys; from wanbatch.session.options import RunOptions; from pathlib import Path; wanbatch.run("
BEGIN += "sys.argv[1], RunOptions(output=Path(sys.argv[2]), limit=1, makes_report=False), confirm=lambda _: True)"
PLAIN = "import sys, yaml; yaml.safe_load(open(sys.argv[1]))"
LIMIT_S = 120.0
PRICE = 1_050_000


@dataclass
class Listener:
    """Hands every connection on to a port, and notes when the first request and the first submit came."""

    port: int
    first: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            client, _ = self._server.accept()
            upstream = socket.create_connection(("127.0.0.1", self.port))
            for source, sink in ((client, upstream), (upstream, client)):
                threading.Thread(target=self._hand_on, args=(source, sink, source is client), daemon=True).start()

    def _hand_on(self, source: socket.socket, sink: socket.socket, is_request: bool) -> None:
        try:
            while data := source.recv(65536):
                if is_request:
                    now = time.perf_counter()
                    self.first.setdefault("request", now)
                    if data.startswith(b"POST "):
                        self.first.setdefault("submit", now)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def write_manifest(path: Path, takes: int) -> None:
    rows = [
        f"  - {{id: sh{n:06d}, scene: sc{n // 1000:03d}, duration: {(5, 10, 15)[n % 3]},"
        f' prompt: "A dragon, number {n}, lands on the mountain"}}'
        for n in range(takes)
    ]
    path.write_text("\n".join(["version: 1", "name: scale", "shots:", *rows, ""]))


def timed(*command: str, environment: dict[str, str] | None = None) -> tuple[float, float, float]:
    """Return wall seconds, CPU seconds and peak MB of a command."""
    begun = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return time.perf_counter() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def resumed(environment: dict[str, str], listener: Listener, *command: str) -> dict[str, float]:
    """Return seconds to the first request and to the first submit, and the peak MB at each."""
    listener.first.clear()
    begun = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    found: dict[str, float] = {}
    try:
        while len(found) < 4 and time.perf_counter() - begun < LIMIT_S and child.poll() is None:
            for what, at in dict(listener.first).items():
                if what not in found:
                    status = Path(f"/proc/{child.pid}/status").read_text()
                    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
                    found |= {what: at - begun, f"{what} MB": int(peak.split()[1]) / 1024}
            time.sleep(0.002)
    finally:
        child.kill()  # as a power cut would: the next one resumes
        child.wait()
    return found


def play(output: Path, share: float = 0.5) -> None:
    """Let this share of the takes, from the first on, come to their ends, as a run records it."""
    with StateReader.open(output) as reader:
        identity = reader.identity()
    with closing(StateFile.create_or_open(output, identity)) as state:
        at, planned = system_now() - timedelta(hours=9), state.takes()
        with state._transaction():
            for take in planned[: int(len(planned) * share)]:
                if take.attempts:
                    continue
                now, moved = at, take
                for fact, data in life_of(take, identity.nonce):
                    now += timedelta(seconds=20)
                    each = entry(fact, now, data)
                    before, moved = moved, advance(moved, each)
                    state._append(take.take_id, each)
                    state._follow_attempts(before, moved, each)
                state._store("takes", moved)


def life_of(take: Take, nonce: str) -> list[tuple[Fact, dict[str, Any]]]:
    """Return what is recorded of a take to which nothing unusual happens."""
    generation = {"generation_id": f"g{take.take_id}"}
    request = f"wb1:{nonce}:{take.recipe.short_hash}:{take.take_id}.1"
    sent = {"attempt": 1, "request_id": request, "body_sha256": "b", "key_fingerprint": "k"}
    clip = {"width": 1920, "height": 1080, "has_audio": True, "clip_duration_s": 5.0, "download_s": 1.0}
    return [
        (Fact.SUBMIT_STARTED, {**sent, "credits_estimated": PRICE}),
        (Fact.ACCEPTED, generation),
        (Fact.PRICED, {"credits_held": PRICE, "is_echoed": True}),
        (Fact.GENERATION_STARTED, {"seen_change": True}),
        (Fact.COMPLETED, {"last_running_at": None}),
        (Fact.DOWNLOADED, {"sha256": "c" * 64, "size_bytes": 5, **clip}),
        (Fact.VERIFIED, {"file": f"clips/{take.label}.mp4"}),
        (Fact.CHARGED, {**generation, "credits_charged": PRICE}),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--takes", type=int, default=100_000)
    parser.add_argument("--play-half", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.play_half is not None:
        play(asked.play_half)
        return 0
    python = sys.executable
    wanbatch = (python, "-m", "wanbatch")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manifest, output = folder / "scale.yaml", folder / "out"
        write_manifest(manifest, asked.takes)
        sandbox = subprocess.Popen(
            [*wanbatch, "--json", "sandbox", "--speed", "60", "--data", str(folder / "account"), "--stop-with-parent"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            port = int(json.loads(sandbox.stdout.readline())["base_url"].rsplit(":", 1)[1].strip("/"))
            listener = Listener(port)
            home = {**os.environ, "AIMLAPI_BASE_URL": listener.url, "XDG_CACHE_HOME": str(folder / "cache")}
            run = (*wanbatch, "run", str(manifest), "--output", str(output), "--yes", "--speed", "60")
            run += ("--limit", "1000")  # room on the disk is asked for all that is sent
            rows: list[tuple[str, float, float | None, float]] = []
            rows.append(("yaml.safe_load of the manifest (plain Python)", *timed(python, "-c", PLAIN, str(manifest))))
            rows.append(("validate", *timed(*wanbatch, "validate", str(manifest))))
            rows.append(("plan, first, offline", *timed(*wanbatch, "plan", str(manifest), "--offline")))
            begin = (python, "-c", BEGIN, str(manifest), str(output))
            rows.append(("first run, one take", *timed(*begin, environment=home)))
            # In a process of its own: the peak of a child is told as no less than what its parent held.
            subprocess.run([python, __file__, "--play-half", str(output)], check=True)
            for told in ("resume", "resume, an edited manifest"):
                found = resumed(home, listener, *run)
                rows += [
                    (f"{told}: to the first {what}", found[what], None, found[f"{what} MB"])
                    for what in ("request", "submit")
                ]
                manifest.write_text(manifest.read_text() + "# a remark\n")
            rows.append(("status", *timed(*wanbatch, "status", str(output), environment=home)))
            rows.append(("report", *timed(*wanbatch, "report", str(output), environment=home)))
        finally:
            sandbox.stdin.close()
            sandbox.wait(10)
            sandbox.stdout.close()
    print_rows(asked.takes, rows)
    return 0


def print_rows(takes: int, rows: list[tuple[str, float, float | None, float]]) -> None:
    print(f"{takes:,} takes, half of them done")
    for label, seconds, cpu_s, peak in rows:
        cpu = "" if cpu_s is None else f"{cpu_s:.2f} s"
        print(f"  {label:46} {seconds:8.2f} s {cpu:>10} of CPU {peak:8.0f} MB")


if __name__ == "__main__":
    sys.exit(main())
