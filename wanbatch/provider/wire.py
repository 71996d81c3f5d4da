"""The wire: httpx clients with few connections, and what is known about an exchange."""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from urllib.request import getproxies

import httpx

from wanbatch.batch.given_files import Body
from wanbatch.provider.answers import Head
from wanbatch.provider.proxies import PROXY_NAMES, Route, route_of, unusable
from wanbatch.text import shown
from wanbatch.version import __version__

READ_DEADLINE_S = 60.0
CONNECTIONS = 8  # httpx's pool slows down with their number; the runner bounds concurrency


def exchange_errors() -> tuple[type[Exception], ...]:
    """The errors that an exchange may raise: httpx lets some errors of the libraries below it through unchanged.

    Observed: a connection that breaks during TLS (anyio's, with httpcore 1.0.0), and a SOCKS proxy that sends nonsense.
    """
    known: list[type[Exception]] = [httpx.HTTPError, httpx.InvalidURL, TimeoutError]
    for library, names in (
        ("anyio", ("EndOfStream", "BrokenResourceError", "ClosedResourceError")),
        ("socksio", ("ProtocolError",)),
    ):
        with suppress(ImportError):
            known += [getattr(import_module(library), name) for name in names]
    with suppress(ImportError):
        import_module("socksio")
        known.append(AssertionError)  # what httpcore raises for a SOCKS answer of the wrong kind
    return tuple(known)


@cache
def tls() -> ssl.SSLContext:
    """Return the one context of this process, which checks certificates. Those of the system take 30 ms to read."""
    return ssl.create_default_context()


def make_client(
    headers: Mapping[str, str],
    context: ssl.SSLContext,
    *,
    keepalive: int = CONNECTIONS,
    route: Route | None,
    transport: httpx.AsyncBaseTransport | None,
) -> httpx.AsyncClient:
    """Make a client that follows no redirect and asks for plain bytes, through `route` whatever the environment says.

    A given `transport` replaces the route.
    """
    # httpx logs whole URLs; a signed link in a log is a leaked clip.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=keepalive)
    if transport is None and route is not None:
        transport = _Fork(route, context, limits)
    return httpx.AsyncClient(
        headers={"User-Agent": f"wanbatch/{__version__}", "Accept-Encoding": "identity", **headers},
        verify=context,
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(READ_DEADLINE_S, connect=10.0, pool=None),
        limits=limits,
        transport=transport,
    )


def route_here() -> Route | None:
    """Read which proxy this process has to use. Raises UsageInvalid, naming the variable."""
    found: Mapping[str, str] = os.environ
    if not any(os.environ.get(name) for name in PROXY_NAMES):
        found = {f"{scheme}_proxy": url for scheme, url in getproxies().items()}  # the system setting on macOS
    return route_of(found, has_socks=find_spec("socksio") is not None)


class _Fork(httpx.AsyncBaseTransport):
    """Sends each request through the proxy or around it. No retries on either way."""

    def __init__(self, route: Route, context: ssl.SSLContext, limits: httpx.Limits) -> None:
        self._route = route
        self._past = httpx.AsyncHTTPTransport(verify=context, limits=limits, trust_env=False)
        try:
            proxy = httpx.Proxy(route.url)
        except (httpx.InvalidURL, ValueError) as error:
            raise unusable(route) from error
        self._through = httpx.AsyncHTTPTransport(verify=context, limits=limits, trust_env=False, proxy=proxy)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        # A request to an address that was looked up before carries its host name.
        host = request.extensions.get("sni_hostname") or request.url.host
        way = self._past if self._route.is_direct(host, request.url.port) else self._through
        return await way.handle_async_request(request)

    async def aclose(self) -> None:
        await self._past.aclose()
        await self._through.aclose()


class Wire:
    """Learns from httpx's trace whether a byte of the request left for the provider.

    Bytes for a proxy before it lets anything through (CONNECT, SOCKS) are not for the provider.
    """

    def __init__(self) -> None:
        self.has_sent = False
        self._has_begun = False
        self._is_at_proxy = False

    async def trace(self, event: str, reported: Mapping[str, Any]) -> None:
        """Note an event of httpcore: this is what a request takes as its extension `trace`."""
        self._has_begun = True
        self._is_at_proxy = self._is_at_proxy or event.endswith("setup_socks5_connection.started")
        if event.endswith("send_request_headers.started"):
            if getattr(reported.get("request"), "method", None) == b"CONNECT":
                self._is_at_proxy = True
            else:
                self.has_sent = True

    @property
    def is_unsent(self) -> bool:
        """The trace covers the first connection on, and shows no byte for the provider."""
        return self._has_begun and not self.has_sent

    def reason(self, error: Exception) -> str:
        """Say what kept the request from being sent."""
        is_of_proxy = self._is_at_proxy or isinstance(error, httpx.ProxyError)
        return f"the proxy made no connection: {reason(error)}" if is_of_proxy else reason(error)


def content_of(body: Body) -> bytes | AsyncIterator[bytes]:
    """Return a body as httpx sends it: whole if it is small, else in small parts, each copied on its own."""
    if len(body.pieces) == 1:
        return body.pieces[0]

    async def parts() -> AsyncIterator[bytes]:
        for part in body.chunks():
            yield part

    return parts()


def head_of(response: httpx.Response) -> Head:
    """Return the status and the headers, names in lower case."""
    return Head(response.status_code, {name.lower(): value for name, value in response.headers.items()})


async def capped(response: httpx.Response, cap_bytes: int) -> bytes | None:
    """Read a body up to a limit in bytes; None if it is longer, or encoded although we asked for plain bytes."""
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        return None
    pieces: list[bytes] = []
    size = 0
    async for piece in response.aiter_raw():
        size += len(piece)
        if size > cap_bytes:
            return None
        pieces.append(piece)
    return b"".join(pieces)


def is_tls(error: BaseException | None) -> bool:
    """Say whether an error came from TLS: waiting does not help then."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False


def reason(error: Exception) -> str:
    """Name a transport error without its request, whose headers hold the key."""
    reported = shown(error)
    return f"{type(error).__name__}: {reported}" if reported else type(error).__name__
