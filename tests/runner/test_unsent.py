"""A proxy between us and the provider: what it keeps from being sent was not sent, and is never 'may be charged'."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from types import ModuleType
from typing import Any

import httpx
import pytest

from wanbatch.batch.shots import Recipe
from wanbatch.clock import LoopClock
from wanbatch.provider.aimlapi import AimlApi
from wanbatch.provider.endpoint import Endpoint, Patience
from wanbatch.provider.protocol import NoAnswer, NotSent, Secret, SubmitAnswer, Trouble, Unknown
from wanbatch.provider.proxies import PROXY_NAMES

PROVIDER = Endpoint("https://provider.invalid", is_loopback=False)
Deed = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
NAMES = [*PROXY_NAMES, *map(str.lower, PROXY_NAMES), "NO_PROXY", "no_proxy"]


def api_of(endpoint: Endpoint = PROVIDER, transport: httpx.AsyncBaseTransport | None = None) -> AimlApi:
    clock = LoopClock(datetime(2026, 11, 1, tzinfo=UTC))
    return AimlApi(endpoint, Secret("made-up"), clock, Random(1), transport)


PROVIDER_IN_HASTE = replace(PROVIDER, patience=Patience(post_s=0.2))


async def submit(api: AimlApi) -> SubmitAnswer:
    try:
        return await api.submit(Recipe.of({"prompt": "x"}), "wb1:n:r:1.1", lambda _: None)
    finally:
        await api.aclose()


def answer(text: bytes) -> Deed:
    async def deed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(text)
        await writer.drain()

    return deed


async def hang_up(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    return


async def read_and_hang_up(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")


async def keep_silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


def status(code: int, words: str, more: str = "") -> Deed:
    return answer(f"HTTP/1.1 {code} {words}\r\n{more}Content-Length: 0\r\n\r\n".encode())


def through(deed: Deed | None, monkeypatch: pytest.MonkeyPatch, endpoint: Endpoint = PROVIDER) -> SubmitAnswer:
    """Submit once through a proxy on this machine that does this; None: nobody listens there."""

    async def once() -> SubmitAnswer:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                if deed is not None:
                    await deed(reader, writer)
            finally:
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        if deed is None:
            server.close()
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        try:
            return await submit(api_of(endpoint))
        finally:
            server.close()

    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    return asyncio.run(once())


@pytest.mark.parametrize(
    ("deed", "said"),
    [
        (status(403, "Forbidden"), "403 Forbidden"),
        (status(407, "Proxy Authentication Required", "Proxy-Authenticate: Basic\r\n"), "407 Proxy"),
        (status(429, "Too Many Requests"), "429 Too Many"),
        (status(502, "Bad Gateway"), "502 Bad Gateway"),
        (status(504, "Gateway Timeout"), "504 Gateway"),
        (status(301, "Moved", "Location: http://127.0.0.1/\r\n"), "301 Moved"),
        (answer(b"what?\r\n\r\n"), "the proxy made no connection"),
        (answer(b""), "the proxy made no connection"),
        (hang_up, "the proxy made no connection"),
        (read_and_hang_up, "the proxy made no connection"),
        (status(200, "Connection established"), ""),  # and hangs up before TLS is agreed
        (answer(b"HTTP/1.1 200 OK\r\n\r\nno TLS here, sorry: plain words"), ""),
    ],
)
def test_what_a_proxy_keeps_back_was_not_sent(deed: Deed, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = through(deed, monkeypatch)
    assert isinstance(told, NotSent)
    assert said in told.message


def test_a_proxy_that_is_not_there_is_no_send(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(through(None, monkeypatch), NotSent)


def test_a_proxy_that_never_answers_is_no_send(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(through(keep_silent, monkeypatch, PROVIDER_IN_HASTE), NotSent)


@pytest.mark.parametrize("deed", [hang_up, read_and_hang_up, answer(b"HTTP/1.1 403 no"), answer(b"nonsense\r\n\r\n")])
def test_without_a_proxy_the_same_may_have_been_charged(deed: Deed) -> None:
    async def once() -> SubmitAnswer:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await deed(reader, writer)
            finally:
                writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            return await submit(api_of(Endpoint(f"http://127.0.0.1:{port}", is_loopback=True)))

    assert isinstance(asyncio.run(once()), Unknown)


# --- what httpx tells on the way


def install_socks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it look as if the SOCKS library were installed: httpcore then meets its errors, and asserts on the rest."""
    library = ModuleType("socksio")
    library.ProtocolError = type("ProtocolError", (Exception,), {})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "socksio", library)


class TracedTransport(httpx.AsyncBaseTransport):
    """A line that tells httpx's trace so far, and then breaks."""

    def __init__(self, events: list[tuple[str, bytes]], error: Exception) -> None:
        self._events = events
        self._error = error

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        for name, method in self._events:
            told = {"request": type("Told", (), {"method": method})()} if method else {}
            await request.extensions["trace"](name, told)
        raise self._error


CONNECTED = ("connection.connect_tcp.complete", b"")
CONNECT = ("http11.send_request_headers.started", b"CONNECT")
POST = ("http11.send_request_headers.started", b"POST")
SOCKS = ("socks.setup_socks5_connection.started", b"")


@pytest.mark.parametrize(
    ("events", "error", "kind"),
    [
        ([CONNECTED, CONNECT], httpx.ReadError("x"), NotSent),
        ([CONNECTED, CONNECT], httpx.ReadTimeout("x"), NotSent),
        ([CONNECTED, CONNECT], httpx.RemoteProtocolError("x"), NotSent),
        ([CONNECTED, CONNECT, POST], httpx.ReadError("x"), Unknown),
        ([CONNECTED, CONNECT, POST], httpx.ProxyError("x"), Unknown),
        ([CONNECTED, CONNECT, ("http11.send_request_headers.started", b"")], httpx.ReadError("x"), Unknown),
        ([CONNECTED, SOCKS], httpx.ProxyError("x"), NotSent),
        ([CONNECTED, SOCKS], httpx.ReadError("x"), NotSent),
        ([CONNECTED, SOCKS], AssertionError("x"), NotSent),
        ([CONNECTED, SOCKS, POST], AssertionError("x"), Unknown),
        ([CONNECTED, CONNECT], LookupError("of some library"), NotSent),
        ([], httpx.ReadError("x"), Unknown),  # no trace was kept: nothing is known
        ([], httpx.ProxyError("x"), NotSent),
    ],
)
def test_only_what_the_trace_shows_is_proof(
    events: list[tuple[str, bytes]], error: Exception, kind: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    install_socks(monkeypatch)

    async def once() -> SubmitAnswer:
        return await submit(api_of(transport=TracedTransport(events, error)))

    assert type(asyncio.run(once())) is kind


def test_a_read_that_the_socks_library_breaks_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            raise AssertionError

    async def once() -> Any:
        api = api_of(transport=Broken())
        try:
            return await api._read_once("/v2/billing", {}, 1024)
        finally:
            await api.aclose()

    install_socks(monkeypatch)
    told = asyncio.run(once())
    assert (type(told), told.trouble) == (NoAnswer, Trouble.TRANSIENT)
