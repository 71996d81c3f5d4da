"""The sandbox as a process: two ports, cut connections, kill -9, and when it refuses to start."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.sandbox.local import GENERATIONS, SMALL
from wanbatch.clock import LoopClock, system_now
from wanbatch.errors import LocalFault, UsageInvalid
from wanbatch.sandbox import SandboxOptions, create_app, serve
from wanbatch.sandbox.account import open_account
from wanbatch.sandbox.server import _listener

AUTH = {"Authorization": "Bearer made-up"}
PROGRAM = """
import json, sys
from pathlib import Path
from wanbatch.sandbox import SandboxOptions, serve
options = json.loads(sys.argv[1])
if "data" in options:
    options["data"] = Path(options["data"])
serve(SandboxOptions(**options), on_ready=lambda url: print(url, flush=True), stop_on_stdin_eof=True)
"""


@contextmanager
def served(**options: Any) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Serve a sandbox in a process of its own; it must end by itself, without a word on standard error."""
    child = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PROGRAM, json.dumps(options)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    try:
        yield child.stdout.readline().strip(), child
        child.stdin.close()
        assert child.wait(10) in (0, -signal.SIGKILL)
        assert child.stderr.read() == ""
    finally:
        child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout, child.stderr):
            stream.close()


def submit(client: httpx.Client, prompt: str = "a lighthouse") -> httpx.Response:
    return client.post(GENERATIONS, json={**SMALL, "prompt": prompt}, headers=AUTH)


def completed(client: httpx.Client, generation_id: str) -> dict[str, Any]:
    for _ in range(500):
        told: dict[str, Any] = client.get(GENERATIONS, params={"generation_id": generation_id}, headers=AUTH).json()
        if told["status"] == "completed":
            return told
        time.sleep(0.02)
    raise AssertionError("never completed")


@pytest.mark.long
def test_a_generation_from_submit_to_clip_over_two_ports(tmp_path: Path) -> None:
    with served(speed=1000) as (base, _), httpx.Client(base_url=base) as client:
        url = completed(client, submit(client).json()["id"])["video"]["url"]
        clip = httpx.get(url)
        stats = client.get("/sandbox/stats").json()["counts"]
        here, there = httpx.URL(base), httpx.URL(url)
        told = (clip.content[4:8], here.host == there.host, here.port == there.port, stats["leaks"])
        leaking = httpx.get(url, headers=AUTH).status_code
    assert (told, leaking) == ((b"ftyp", True, False, 0), 400)


@pytest.mark.long
def test_cut_connections_and_half_bodies_reach_the_client_as_such(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    rules = [
        {"on": "submit", "do": "drop_before", "nth": [1]},
        {"on": "submit", "do": "drop_after", "nth": [2]},
        {"on": "submit", "do": "truncate", "nth": [3]},
        {"on": "balance", "do": "empty", "nth": [1]},
        {"on": "clip", "do": "truncate", "nth": [1]},
    ]
    plan.write_text(json.dumps(rules))
    with served(speed=1000, faults=str(plan), log_lag_s=0) as (base, _), httpx.Client(base_url=base) as client:
        seen = []
        for _ in range(3):
            with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)) as caught:
                submit(client)
            seen.append("without sending a response" in str(caught.value))
        url = completed(client, submit(client).json()["id"])["video"]["url"]
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(url)
        whole = httpx.get(url).status_code
        rows = client.get("/sandbox/ledger").json()["requests"]
    billed = [row["http_status"] for row in rows]
    assert (seen, whole, billed) == ([True, True, False], 200, [0, 200, 200, 200])


@pytest.mark.long
def test_a_killed_sandbox_goes_on_as_though_it_had_run_all_along(tmp_path: Path) -> None:
    data = str(tmp_path / "account")
    with served(speed=50, data=data, mean_s=100, cv=0) as (base, child), httpx.Client(base_url=base) as client:
        generation_id = submit(client).json()["id"]
        began = client.get("/sandbox/stats").json()["now"]
        child.kill()
        child.wait()
    time.sleep(1.2)  # a minute of the sandbox's time
    with served(speed=50, data=data) as (base, _), httpx.Client(base_url=base) as client:
        stats = client.get("/sandbox/stats").json()
        told = client.get(GENERATIONS, params={"generation_id": generation_id}, headers=AUTH).json()
    assert (told["status"], stats["running"], stats["now"] > began) == ("completed", 0, True)


def test_clients_that_hang_up_leave_no_trace(tmp_path: Path) -> None:
    with served(speed=1000) as (base, _), httpx.Client(base_url=base) as client:
        address = httpx.URL(base)
        for sent in (
            b"",
            b"GET /v2/bil",
            b"POST /v2/video/generations HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n{",
        ):
            with socket.create_connection((address.host, address.port or 0)) as connection:
                connection.sendall(sent)
        url = httpx.URL(completed(client, submit(client).json()["id"])["video"]["url"])
        with socket.create_connection((url.host, url.port or 0)) as connection:
            connection.sendall(b"GET " + url.raw_path + b" HTTP/1.1\r\nhost: x\r\n\r\n")
        status = client.get("/v2/billing", headers=AUTH).status_code
    assert status == 200


def test_an_interrupted_sandbox_ends_quietly() -> None:
    with served() as (_, child):
        os.kill(child.pid, signal.SIGINT)
        assert child.wait(10) == 0


def test_one_account_serves_one_sandbox(tmp_path: Path) -> None:
    account, _ = open_account(SandboxOptions(data=tmp_path), 0.0)
    try:
        with pytest.raises(LocalFault, match="cannot keep its account"):
            open_account(SandboxOptions(data=tmp_path), 0.0)
    finally:
        account.close()


@pytest.mark.parametrize("name", ["a file", "no database"])
def test_a_folder_that_cannot_hold_the_account_is_a_local_fault(tmp_path: Path, name: str) -> None:
    data = tmp_path / "account"
    if name == "a file":
        data.write_text("x")
    else:
        data.mkdir()
        (data / "account.sqlite").write_text("this is no database" * 200)
    with pytest.raises(LocalFault, match="cannot keep its account"):
        open_account(SandboxOptions(data=data), 0.0)


def test_time_goes_on_at_the_old_speed_while_a_sandbox_is_down(tmp_path: Path) -> None:
    times = []
    for wall, speed in ((1000.0, 10.0), (1005.0, 2.0), (1010.0, 1.0), (900.0, 1.0)):
        account, now = open_account(SandboxOptions(data=tmp_path, speed=speed), wall)
        account.close()
        times.append(now)
    assert times == [1000.0, 1050.0, 1060.0, 1060.0]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.com", "", "127.0.0.1.example.com"])
def test_only_loopback_is_served(host: str) -> None:
    with pytest.raises(UsageInvalid, match="this machine only"):
        serve(SandboxOptions(host=host), on_ready=print)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_is_served(host: str) -> None:
    assert SandboxOptions(host=host).host == host


@pytest.mark.parametrize(
    "options",
    [
        {"speed": 0},
        {"speed": float("nan")},
        {"speed": float("inf")},
        {"rate_per_min": 0},
        {"concurrency": 0},
        {"mean_s": -1},
        {"cv": -0.1},
        {"log_lag_s": -1},
        {"link_ttl_s": 0},
        {"balance_usd": Decimal(-1)},
        {"balance_usd": Decimal("NaN")},
        {"port": 65_536},
        {"key_scopes": ("video",)},
        {"key_limit_usd": Decimal(-1)},
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageInvalid):
        SandboxOptions(**options)


def test_an_unknown_plan_is_refused_before_anything_is_served() -> None:
    with pytest.raises(UsageInvalid, match="flaky"):
        serve(SandboxOptions(faults="unheard-of"), on_ready=print)


def test_a_taken_port_is_a_local_fault() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LocalFault, match=f"127.0.0.1:{port}"):
            serve(SandboxOptions(port=port), on_ready=print)


def test_answers_are_not_held_back_by_nagle() -> None:
    with _listener("127.0.0.1", 0) as listener:  # asyncio sets TCP_NODELAY only where the protocol is named
        assert listener.proto == socket.IPPROTO_TCP


def test_the_sandbox_imports_nothing_of_the_client() -> None:
    folder = Path(sys.modules["wanbatch.sandbox"].__file__ or "").parent
    imported = set()
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("wanbatch"):
                imported.add(".".join((node.module or "").split(".")[:2]))
    reported = {"wanbatch.clip", "wanbatch.clock", "wanbatch.errors", "wanbatch.resources", "wanbatch.sandbox"}
    assert imported == reported  # of the resources: where the schemas lie


def test_the_sandbox_lives_in_a_loop_clock_too() -> None:
    async def night() -> str:
        app = create_app(SandboxOptions(), LoopClock(system_now(), speed=10_000))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api.sandbox.test") as client:
            made = await client.post(GENERATIONS, json=SMALL, headers=AUTH)
            await asyncio.sleep(0.1)
            told = await client.get(GENERATIONS, params={"generation_id": made.json()["id"]}, headers=AUTH)
        app.state.account.close()
        return str(told.json()["status"])

    assert asyncio.run(night()) == "completed"


@pytest.mark.long
def test_the_sandbox_answers_to_the_names_of_this_machine_alone() -> None:
    hosts = ["127.0.0.1", "127.0.0.1:{port}", "localhost:{port}", "LOCALHOST", "[::1]:{port}", "rebound.example.org", "rebound.example.org:{port}", "127.0.0.1.example.org", "10.0.0.1", ""]  # fmt: skip
    with served() as (url, _):
        port = url.rpartition(":")[2]
        asked = [httpx.get(f"{url}/v1/models", headers={"Host": host.format(port=port)}).status_code for host in hosts]
    assert asked == [200, 200, 200, 200, 200, 421, 421, 421, 421, 421]
