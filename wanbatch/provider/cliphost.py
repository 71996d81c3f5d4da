"""The clip host: fetching from wherever a link points, without credentials and only as far as is safe."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from wanbatch.addresses import address_in, is_public
from wanbatch.provider.answers import Head, read_trouble
from wanbatch.provider.endpoint import is_loopback_host
from wanbatch.provider.protocol import FetchAnswer, Fetched, LinkDead, NoAnswer, Trouble
from wanbatch.provider.proxies import Route
from wanbatch.provider.wire import head_of, reason
from wanbatch.text import shown
from wanbatch.units import size_text

CLIP_DEADLINE_S = 900.0
CLIP_STALL_S = 60.0  # a clip must bring CLIP_FLOOR_BYTES in each such span
CLIP_FLOOR_BYTES = 8 * 1024 * 60
CLIP_CAP_BYTES = 512 * 1024 * 1024
REDIRECTS = 5
RESUMES = 3
RESUME_WAIT_S = 1.0
HTTP_OK, HTTP_PARTIAL = 200, 206
_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e]{1,200}"')
_DRAWN = re.compile(r"\bdraw;dur=([0-9]{1,10})")  # W3C Server-Timing: milliseconds
_DEAD_LINK = frozenset({401, 403, 404, 410})


Resolve = Callable[[str, int], Awaitable[list[str]]]
PRIVATE = "a link into a private network"


async def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host, in the order to try them. Raises OSError if it has none."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True)
class _Way:
    """How to reach the host of a link: the URL to ask, with the address in place of the name, and its extra headers."""

    url: str | httpx.URL
    headers: dict[str, str]
    extensions: dict[str, Any]


class ClipHost:
    """Fetches clips over a client that knows no key. `is_loopback` permits links to this machine.

    `resolve` looks a name up: connections go only to public addresses, the very ones that were checked, so that no name
    can lead into the user's network. Without it, or if a proxy looks names up, the text of the link is checked.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        is_loopback: bool,
        resolve: Resolve | None = None,
        route: Route | None = None,
        cap_bytes: int = CLIP_CAP_BYTES,
    ) -> None:
        self._client = client
        self._route = route
        self._cap_bytes = cap_bytes
        self._is_loopback = is_loopback
        self._resolve = resolve

    async def fetch(self, url: str, sink: Callable[[bytes], object]) -> FetchAnswer:
        """Fetch a clip, following at most five redirects, each checked again.

        A broken transfer resumes where it stopped, at most three times, if the host identifies the very bytes (a
        strong ETag and the length) and sends the rest of these; anything else starts again with a fresh link.
        """
        transfer = _Transfer(sink)
        try:
            async with asyncio.timeout(CLIP_DEADLINE_S):
                for _ in range(RESUMES):
                    before = transfer.received
                    answer = await self._once(url, transfer)
                    is_over = not isinstance(answer, NoAnswer) or answer.retry_after_s is not None
                    if is_over or not transfer.can_go_on or transfer.received == before:
                        return answer
                    await asyncio.sleep(RESUME_WAIT_S)
                return await self._once(url, transfer)
        except TimeoutError as error:
            return NoAnswer(Trouble.TRANSIENT, reason(error))

    async def _once(self, url: str, transfer: _Transfer) -> FetchAnswer:
        try:
            for _ in range(REDIRECTS + 1):
                refusal = refuse_link(url, is_loopback=self._is_loopback)
                if refusal is not None:
                    return LinkDead(refusal)
                ways = await self._ways(url)
                if not ways:
                    return LinkDead(PRIVATE)
                response = await self._open(ways, transfer)
                try:
                    if response.has_redirect_location:
                        url = urljoin(url, response.headers["location"])
                        continue
                    return await self._receive(response, transfer)
                finally:
                    await response.aclose()
            return LinkDead(f"more than {REDIRECTS} redirects")
        except socket.gaierror as error:
            return NoAnswer(Trouble.TRANSIENT, reason(error))
        except httpx.InvalidURL:
            return LinkDead("the link is not a URL")
        except httpx.HTTPError as error:
            return NoAnswer(Trouble.TRANSIENT, reason(error))

    def _is_proxied(self, host: str, port: int | None) -> bool:
        return self._route is not None and not self._route.is_direct(host, port)

    async def _ways(self, url: str) -> list[_Way]:
        """Return the ways to the host of a link, by public addresses only; none if all are private."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        is_here = self._is_loopback and is_loopback_host(host)
        if self._resolve is None or is_here or self._is_proxied(host, parts.port):
            return [_Way(url, {}, {})]
        addresses = await self._resolve(host, parts.port or 443)
        named = {"Host": parts.netloc}
        return [
            _Way(httpx.URL(url).copy_with(host=each), named, {"sni_hostname": host})
            for each in addresses
            if is_public(each)
        ]

    async def _open(self, ways: list[_Way], transfer: _Transfer) -> httpx.Response:
        """Ask the first address that accepts the connection. Raises httpx.HTTPError."""
        for number, way in enumerate(ways, start=1):
            headers, extensions = {**transfer.headers, **way.headers}, way.extensions
            request = self._client.build_request("GET", way.url, headers=headers, extensions=extensions)
            try:
                return await self._client.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if number == len(ways):
                    raise
        raise AssertionError("a link that cannot be fetched was refused before")

    async def _receive(self, response: httpx.Response, transfer: _Transfer) -> FetchAnswer:
        head = head_of(response)
        if head.status in _DEAD_LINK:
            return LinkDead(f"HTTP {head.status} from the clip host")
        if not transfer.begins_with(head):
            reported = f"HTTP {head.status} from the clip host"
            return NoAnswer(Trouble.TRANSIENT, reported, read_trouble(head, None).retry_after_s, head.status)
        now_s = asyncio.get_running_loop().time
        span_started, span_bytes = now_s(), 0
        async for piece in response.aiter_raw():
            span_bytes += len(piece)
            if transfer.received + len(piece) > self._cap_bytes:
                return LinkDead(f"the clip is larger than {size_text(self._cap_bytes)}")
            if now_s() - span_started > CLIP_STALL_S:
                if span_bytes < CLIP_FLOOR_BYTES:
                    return NoAnswer(Trouble.TRANSIENT, "the clip host sends too slowly")
                span_started, span_bytes = now_s(), 0
            transfer.take(piece)
        if transfer.total not in (None, transfer.received):
            return NoAnswer(Trouble.TRANSIENT, f"{transfer.received} bytes of {transfer.total} arrived")
        return Fetched(transfer.received, _drawn_s(head) if self._is_loopback else 0.0)


class _Transfer:
    """One clip on its way: how much arrived, and of which bytes. `total` is None if the host does not report it."""

    def __init__(self, sink: Callable[[bytes], object]) -> None:
        self._sink = sink
        self._etag = ""
        self.received = 0
        self.total: int | None = None

    def take(self, piece: bytes) -> None:
        """Pass a piece on."""
        self.received += len(piece)
        self._sink(piece)

    @property
    def can_go_on(self) -> bool:
        """Say whether a request for the rest can only return the rest of the same bytes."""
        return bool(self._etag) and self.total is not None and 0 < self.received < self.total

    @property
    def headers(self) -> dict[str, str]:
        """Ask for the rest, if a part is there."""
        return {"Range": f"bytes={self.received}-", "If-Range": self._etag} if self.received else {}

    def begins_with(self, head: Head) -> bool:
        """Say whether this answer is the clip, or the rest of it, byte for byte."""
        if "content-encoding" in head.headers:
            return False
        etag = head.headers.get("etag", "")
        if self.received:
            rest = f"bytes {self.received}-{(self.total or 0) - 1}/{self.total}"
            is_rest = head.status == HTTP_PARTIAL and head.headers.get("content-range") == rest and etag == self._etag
            self._etag = self._etag if is_rest else ""  # what is there is not a part of this
            return is_rest
        announced = head.headers.get("content-length", "")
        self.total = int(announced) if announced.isdigit() else None
        self._etag = etag if _STRONG_ETAG.fullmatch(etag) else ""
        return head.status == HTTP_OK


def _drawn_s(head: Head) -> float:
    """Return how long the sandbox says that it drew the clip; seconds, 0 where it says nothing that can be read."""
    said = _DRAWN.search(head.headers.get("server-timing", ""))
    return float(said[1]) / 1000 if said is not None else 0.0


def refuse_link(url: str, *, is_loopback: bool) -> str | None:
    """Return why a clip link must not be fetched, or None.

    https on the usual port to a public host; a provider on this machine may also link to this machine over http.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "the link is not a URL"
    if not host or parts.username is not None or parts.password is not None:
        return "the link names no host, or contains a user name or password"
    if is_loopback and is_loopback_host(host):
        return None if parts.scheme in ("http", "https") else f"a {shown(parts.scheme)}: link"
    if parts.scheme != "https":
        return f"a {shown(parts.scheme)}: link; only https is fetched"
    if port not in (None, 443):
        return f"a link to port {port}; only 443 is fetched"
    if is_loopback_host(host) or (address_in(host) is not None and not is_public(host)):
        return PRIVATE
    return None
