"""Real sockets: what never left, what was cut off, and what the paid POST carries."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from random import Random
from typing import Any

import httpx
import pytest

from wanbatch.batch.shots import Recipe
from wanbatch.clock import LoopClock
from wanbatch.provider.aimlapi import AimlApi
from wanbatch.provider.endpoint import Endpoint
from wanbatch.provider.protocol import (
    Accepted,
    NotSent,
    Secret,
    Unknown,
)

ID = "wb1:nonce:recipe:1.1"


async def served(answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], work: Any) -> Any:
    """Serve one behaviour on a real socket; return what `work` makes of the provider there, and what was sent."""
    heard = bytearray()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await reader.readuntil(b"\r\n\r\n"))
        await answer(reader, writer)
        await close(writer)

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    clock = LoopClock(datetime(2026, 1, 1, tzinfo=UTC), 1000)
    api = AimlApi(Endpoint(f"http://127.0.0.1:{port}", is_loopback=True), Secret("made-up-key"), clock, Random(1))
    try:
        return await work(api, f"http://127.0.0.1:{port}"), bytes(heard)
    finally:
        await api.aclose()
        server.close()
        await asyncio.sleep(0.01)


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


def post(raw: bytes, *, then_abort: bool = False) -> tuple[object, list[str], bytes]:
    accepted: list[str] = []

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()
        if then_abort:
            writer.transport.abort()

    async def work(api: AimlApi, _: str) -> object:
        return await api.submit(Recipe.of({"prompt": "p"}), ID, accepted.append)

    result, heard = asyncio.run(served(answer, work))
    return result, accepted, heard


def test_a_connection_refused_is_proof_that_nothing_left() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    async def work() -> object:
        clock = LoopClock(datetime(2026, 1, 1, tzinfo=UTC), 1000)
        api = AimlApi(Endpoint(f"http://127.0.0.1:{port}", is_loopback=True), Secret("k"), clock, Random(1))
        try:
            return await api.submit(Recipe.of({"prompt": "p"}), ID, lambda _: None)
        finally:
            await api.aclose()

    answer = asyncio.run(work())
    assert isinstance(answer, NotSent)
    assert not answer.is_final


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:1", "https://api.example.org", "HTTPS://api.example.org"])
def test_certificates_are_always_checked(base_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    real = httpx.AsyncClient

    def client(**options: object) -> httpx.AsyncClient:
        seen.append(options["verify"])
        return real(**options)  # type: ignore[arg-type]

    monkeypatch.setattr("httpx.AsyncClient", client)

    async def work() -> None:
        clock = LoopClock(datetime(2026, 1, 1, tzinfo=UTC))
        await AimlApi(Endpoint(base_url, is_loopback=True), None, clock, Random(1)).aclose()

    asyncio.run(work())
    assert [isinstance(each, ssl.SSLContext) and each.check_hostname for each in seen] == [True] * 3


def test_no_tls_where_tls_is_due_is_final_and_nothing_left() -> None:
    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad\r\n\r\n")
        await close(writer)

    async def work() -> object:
        server = await asyncio.start_server(refuse, "127.0.0.1", 0)
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        clock = LoopClock(datetime(2026, 1, 1, tzinfo=UTC), 1000)
        api = AimlApi(Endpoint(url, is_loopback=True), Secret("k"), clock, Random(1))
        try:
            return await api.submit(Recipe.of({"prompt": "p"}), ID, lambda _: None)
        finally:
            await api.aclose()
            server.close()
            await asyncio.sleep(0.01)

    result = asyncio.run(work())
    assert isinstance(result, NotSent)
    assert result.is_final


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{",
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"id"',
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 307 Elsewhere\r\nLocation: /v2/video/generations\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
    ],
    ids=["closed", "cut", "cut-chunks", "no-http", "redirect", "gzip"],
)
def test_whatever_happens_after_the_first_byte_is_unknown_and_sent_once(raw: bytes) -> None:
    answer, accepted, heard = post(raw)
    assert (isinstance(answer, Unknown), accepted, heard.count(b"POST ")) == (True, [], 1)


def test_a_body_cut_after_its_headers_still_gives_the_generation() -> None:
    raw = b"HTTP/1.1 200 OK\r\nx-inference-id: gen-1\r\nx-aimlapi-credits-used: 5\r\nContent-Length: 99\r\n\r\n{"
    answer, accepted, _ = post(raw, then_abort=True)
    assert (answer, accepted) == (Accepted("gen-1", 5, is_echoed=False), ["gen-1"])


def test_a_body_beyond_measure_is_not_read_to_its_end() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 4000000\r\n\r\n"
    answer, _, _ = post(head + b" " * 2_000_000)
    assert isinstance(answer, Unknown)


def test_the_post_carries_the_hashed_body_and_the_request_id() -> None:
    _, _, heard = post(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    lines = heard.decode().lower().split("\r\n")
    assert f"x-client-request-id: {ID}" in lines
    assert "authorization: bearer made-up-key" in lines
    assert "accept-encoding: identity" in lines


def test_a_connection_that_fails_once_bytes_have_left_proves_nothing() -> None:
    async def work() -> Any:
        async def answer(request: httpx.Request) -> httpx.Response:
            await request.extensions["trace"]("http11.send_request_headers.started", {})
            raise httpx.ConnectError("lost")

        clock = LoopClock(datetime(2026, 1, 1, tzinfo=UTC), 1000)
        transport = httpx.MockTransport(answer)
        api = AimlApi(Endpoint("http://127.0.0.1", is_loopback=True), None, clock, Random(1), transport)
        try:
            return await api.submit(Recipe.of({"prompt": "p"}), ID, lambda _: None)
        finally:
            await api.aclose()

    assert asyncio.run(work()) == Unknown("ConnectError: lost")
