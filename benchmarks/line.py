"""The same over real HTTP on this machine: a sandbox with 50 places and 60 submits a minute, its time 30 times as fast.

Each runner is a process of its own against a fresh sandbox: wanbatch with its state file and clips, and what a user
would write instead: asyncio.gather over a semaphore with a poll each 15 s, the same with a back-off, and the provider's
own sample in a loop (a few takes, scaled up). The ideal has the same durations and limits and sees every end at once.
Then downloads from a host that gives each connection 12 MB/s, 8 at once, beside curl.
Usage: python benchmarks/line.py [--takes N]    (six minutes; Linux)
       BENCHMARK_SPEED=3 python benchmarks/line.py --takes 2000 --in-flight 2000    (no limit but our own)
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import struct
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.pacing import played  # noqa: E402

SPEED = float(os.environ.get("BENCHMARK_SPEED", "30"))
PLACES, PER_MIN, MANY_PER_MIN = 50, 60.0, 1200.0
TICK_S = 0.005
FILES, FILE_BYTES, LINE_BYTES_S, AT_ONCE = 24, 24_000_000, 12_000_000, 8
SAMPLE_TAKES = 4
GENERATIONS = "/v2/video/generations"
HEADERS = {"Authorization": "Bearer made-up"}


def body_of(number: int) -> dict[str, Any]:
    return {"model": "alibaba/wan-2-6-t2v", "prompt": f"dragon {number}", "resolution": "1080p", "duration": 10}


# --- the provider


def serve(places: int) -> None:
    from wanbatch.sandbox import server
    from wanbatch.sandbox.clips import draw
    from wanbatch.sandbox.options import SandboxOptions

    clip: list[bytes] = []

    def render(generation: Any) -> bytes:
        if not clip:
            clip.append(draw(generation))
        name = generation.generation_id.encode()
        return clip[0] + struct.pack(">I4s", 8 + len(name), b"free") + name  # no two clips are the same

    class Watched(server.Sandbox):
        """A sandbox that notes how late each end was seen."""

        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, render)
            inner, account, sandbox_state = self.api, arguments[1], self.sandbox_state
            seen: dict[str, float] = {}
            counts = {"requests": 0, "polls": 0, "refused": 0}

            async def api(scope: Any, receive: Any, send: Any) -> None:
                if scope["path"] == "/bench":
                    rows = account._db.execute("SELECT at, ends_at FROM requests WHERE http_status = 200").fetchall()
                    lags = [at - account.generation(name, None).ends_at for name, at in seen.items()]
                    told = {**counts, "rows": rows, "lag": sum(lags), "last": max(seen.values(), default=0.0)}
                    data = json.dumps(told).encode()
                    await send({"type": "http.response.start", "status": 200, "headers": []})
                    await send({"type": "http.response.body", "body": data})
                    return
                is_poll = scope["method"] == "GET" and scope["path"] == GENERATIONS
                counts["requests"] += 1
                counts["polls"] += is_poll

                async def watch(message: Any) -> None:
                    counts["refused"] += message.get("status") == 429
                    if is_poll and b'"completed"' in message.get("body", b""):
                        seen.setdefault(json.loads(message["body"])["id"], sandbox_state.now)
                    await send(message)

                await inner(scope, receive, watch)

            self.api = api  # type: ignore[assignment]

    server.Sandbox = Watched  # type: ignore[misc]
    rate = PER_MIN if places == PLACES else None
    options = SandboxOptions(speed=SPEED, concurrency=places, rate_per_min=rate, balance_usd=Decimal(10**6))
    server.serve(options, on_ready=lambda url: print(url, flush=True), stop_on_stdin_eof=True)


# --- the runners


async def with_ticks(work: Any) -> list[float]:
    """Return how late each tick came while the work was done, in seconds."""
    late: list[float] = []

    async def tick() -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + TICK_S
            await asyncio.sleep(TICK_S)
            late.append(loop.time() - due)

    ticking = asyncio.ensure_future(tick())
    try:
        await work
    finally:
        ticking.cancel()
    return sorted(late)


def skip_decoding() -> None:
    """Leave out what decodes clips: it takes its own time, in threads, and two cores are soon full of it."""
    from wanbatch.clip import download
    from wanbatch.clip.check import Probe
    from wanbatch.clip.defects import Look
    from wanbatch.runner import downloads as fetching
    from wanbatch.session import companion_files

    download.check_clip = lambda _: Probe(10.0, 1920, 1080, 30.0, 300, True)
    fetching.look_at = lambda _: Look(10.0)
    companion_files.CompanionFiles.__call__ = lambda _self, _take: None


async def with_wanbatch(takes: int, folder: Path, limits: dict[str, Any]) -> None:
    from wanbatch.batch.shots import Batch, Limits, Shot
    from wanbatch.manifest.cache import Manifest
    from wanbatch.session.options import RunOptions, Watch
    from wanbatch.session.session import session_of

    batch = Batch("line", tuple(Shot(f"s{n:05}", n, body_of(n)) for n in range(takes)))
    options = RunOptions(output=folder / "out", speed=SPEED, makes_report=False, limits=Limits(**limits))
    result = await session_of(options, Watch()).run(Manifest(Path(), batch))
    assert result.counts == {"verified": takes}, result


async def with_gather(takes: int, folder: Path, url: str, wait_s: Any, places: int = PLACES) -> None:
    """What a user would write: no state file, no checks."""
    places_left, pace = asyncio.Semaphore(places), asyncio.Lock()
    async with httpx.AsyncClient(base_url=url, headers=HEADERS, timeout=60) as api, httpx.AsyncClient() as clips:

        async def one(number: int) -> None:
            async with places_left:
                while True:
                    async with pace:
                        await asyncio.sleep(60 / PER_MIN / SPEED)
                    answer = await api.post(GENERATIONS, json=body_of(number))
                    if answer.status_code != 429:
                        break
                    await asyncio.sleep(5 / SPEED)
                generation_id = answer.json()["id"]
                for polls in range(10_000):
                    await asyncio.sleep(wait_s(polls) / SPEED)
                    told = (await api.get(GENERATIONS, params={"generation_id": generation_id})).json()
                    if told["status"] == "completed":
                        break
            async with clips.stream("GET", told["video"]["url"]) as response:
                with (folder / f"{number}.mp4").open("wb") as stream:
                    async for piece in response.aiter_raw():
                        stream.write(piece)

        await asyncio.gather(*(one(number) for number in range(takes)))


RUNNERS = {
    "gather, semaphore, fixed 15 s": lambda takes, folder, url: with_gather(takes, folder, url, lambda _: 15.0),
    "gather, semaphore, back-off x1.5 to 60 s": lambda takes, folder, url: with_gather(
        takes, folder, url, lambda n: min(60.0, 5 * 1.5**n)
    ),
    "the provider's sample in a loop": lambda takes, folder, url: with_gather(takes, folder, url, lambda _: 15.0, 1),
}
WANBATCH = {
    "wanbatch, limits told": {"in_flight": PLACES, "submit_per_min": PER_MIN},
    "wanbatch, limits not told": {},
    "wanbatch, limits told, nothing decoded": {"in_flight": PLACES, "submit_per_min": PER_MIN},
}


def contest(name: str, takes: int, url: str, in_flight: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        if name in RUNNERS:
            work = RUNNERS[name](takes, Path(folder), url)
        else:
            os.environ["AIMLAPI_BASE_URL"] = url
            if name.endswith("nothing decoded"):
                skip_decoding()
            many = {"in_flight": in_flight, "submit_per_min": MANY_PER_MIN, "poll_per_min": 2400, "downloads": 8}
            work = with_wanbatch(takes, Path(folder), WANBATCH.get(name, many))
        late = asyncio.run(with_ticks(work))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "loop_cpu_s": time.thread_time(),
                "cpu_s": usage.ru_utime + usage.ru_stime,
                "peak_mb": usage.ru_maxrss / 1024,
                "p99_ms": 1000 * late[int(len(late) * 0.99)],
                "max_ms": 1000 * late[-1],
            }
        )
    )


def play(name: str, takes: int, in_flight: int = PLACES) -> None:
    mine = (sys.executable, __file__)
    with subprocess.Popen(
        [*mine, "--serve", "--in-flight", str(in_flight)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as provider:
        url = provider.stdout.readline().strip()
        command = [*mine, "--contest", name, "--takes", str(takes), "--url", url, "--in-flight", str(in_flight)]
        begun = time.perf_counter()
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        wall_s = time.perf_counter() - begun
        own = json.loads(done.stdout.splitlines()[-1])
        told = httpx.get(f"{url}/bench").json()
        provider.stdin.close()
        provider.wait(20)
    rows = sorted(told["rows"])
    assert len(rows) == takes, (len(rows), takes)
    scale = 1000 / takes
    lasts = [end - at for at, end in rows]
    per_min = PER_MIN if in_flight == PLACES else MANY_PER_MIN
    best_s = sum(lasts) / PLACES if "sample" in name else played(lasts, None, in_flight, per_min).makespan_s
    over = (told["last"] - rows[0][0]) / best_s
    print(
        f"{name:42}{over:9.3f}{told['requests']:10}{told['refused']:6}{told['lag'] / takes:8.1f}"
        f"{told['polls'] / takes:8.1f}{own['loop_cpu_s'] * scale:9.1f}{own['cpu_s'] * scale:9.1f}{own['peak_mb']:8.0f}"
        f"{own['p99_ms']:8.1f}{own['max_ms']:8.1f}{wall_s:8.1f}",
        flush=True,
    )


# --- downloads


async def _give(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a file over each request of a connection, no faster than the line."""
    piece, piece_s = bytes(65_536), 65_536 / LINE_BYTES_S
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % FILE_BYTES)
            left, begun, sent = FILE_BYTES, time.perf_counter(), 0
            while left:
                writer.write(piece[: min(left, len(piece))])
                await writer.drain()
                left, sent = left - min(left, len(piece)), sent + 1
                ahead_s = sent * piece_s - (time.perf_counter() - begun)
                if ahead_s > 0.005:
                    await asyncio.sleep(ahead_s)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()


def give() -> None:
    async def run() -> None:
        server = await asyncio.start_server(_give, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)
        server.close()

    asyncio.run(run())


async def fetch_all(url: str, folder: Path) -> None:
    from random import Random

    from wanbatch.clip.download import Part, sha256_of
    from wanbatch.clock import LoopClock, system_now
    from wanbatch.provider.aimlapi import AimlApi
    from wanbatch.provider.endpoint import read_endpoint
    from wanbatch.provider.protocol import Fetched, Secret

    api = AimlApi(read_endpoint(url), Secret("made-up"), LoopClock(system_now()), Random(1))
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with slots:
            with Part(folder / f"{number}.part") as sink:
                assert await api.fetch(Secret(f"{url}/{number}.mp4"), sink.write) == Fetched(FILE_BYTES)
            await asyncio.to_thread(sha256_of, folder / f"{number}.part")

    late = await with_ticks(asyncio.gather(*(one(number) for number in range(FILES))))
    await api.aclose()
    print(f"  event loop: p99 {1000 * late[int(len(late) * 0.99)]:.1f} ms late, at most {1000 * late[-1]:.1f} ms")


def downloads() -> None:
    size = FILES * FILE_BYTES
    with subprocess.Popen(
        [sys.executable, __file__, "--give"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as host:
        url = f"http://127.0.0.1:{host.stdout.readline().strip()}"
        print(f"\n{FILES} files of {FILE_BYTES / 1e6:.0f} MB, {AT_ONCE} at once, {LINE_BYTES_S / 1e6:.0f} MB/s each")
        rates = {}
        for name in ("curl", "wanbatch", "curl again", "wanbatch again"):
            with tempfile.TemporaryDirectory() as folder:
                begun = time.perf_counter()
                if name.startswith("curl"):
                    names = f"{url}/[1-{FILES}].mp4"
                    options = ("--no-progress-meter", "--parallel", "--parallel-immediate", "--parallel-max")
                    subprocess.run(["curl", *options, str(AT_ONCE), names, "-o", f"{folder}/#1"], check=True)
                else:
                    asyncio.run(fetch_all(url, Path(folder)))
                rates[name] = size / (time.perf_counter() - begun) / 1e6
            print(f"  {name:20}{rates[name]:8.1f} MB/s", flush=True)
        host.stdin.close()
        host.wait(20)
    mine, theirs = (sum(rate for name, rate in rates.items() if each in name) for each in ("wanbatch", "curl"))
    print(f"  wanbatch over curl {mine / theirs:.3f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--takes", type=int, default=300)
    parser.add_argument("--in-flight", type=int, default=PLACES)
    for hidden in ("--contest", "--url"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    for hidden in ("--serve", "--give"):
        parser.add_argument(hidden, action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        serve(asked.in_flight)
    elif asked.give:
        give()
    elif asked.contest is not None:
        contest(asked.contest, asked.takes, asked.url, asked.in_flight)
    else:
        print(f"{asked.takes} takes of 205 s (cv 0.25), {asked.in_flight} places, over HTTP, {SPEED:.0f} times as fast")
        print(
            f"{'':42}{'over the':>9}{'':>10}{'':>6}{'lag':>8}{'polls':>8}{'CPU s / 1,000':>18}{'peak':>8}"
            f"{'loop late, ms':>16}{'wall':>8}\n"
            f"{'':42}{'ideal':>9}{'requests':>10}{'429s':>6}{'s':>8}{'a take':>8}{'loop':>9}{'all':>9}{'MB':>8}"
            f"{'p99':>8}{'max':>8}{'s':>8}"
        )
        if asked.in_flight != PLACES:
            play("wanbatch, many in flight, nothing decoded", asked.takes, asked.in_flight)
            return 0
        for name in (*WANBATCH, *RUNNERS):
            play(name, SAMPLE_TAKES if "sample" in name else asked.takes)
        downloads()
    return 0


if __name__ == "__main__":
    sys.exit(main())
