"""The clip host: fetching from wherever a link points to, without credentials, and no further than is safe."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Callable
from urllib.parse import urljoin, urlsplit

import httpx

from wanbatch.answers import read_trouble, shown
from wanbatch.provider import FetchAnswer, Fetched, LinkDead, NoAnswer, Trouble
from wanbatch.settings import is_loopback_host
from wanbatch.wire import head_of, reason

CLIP_DEADLINE_S = 900.0
CLIP_STALL_S = 60.0  # a clip must bring CLIP_FLOOR_BYTES in each such span
CLIP_FLOOR_BYTES = 8 * 1024 * 60
CLIP_CAP_BYTES = 512 * 1024 * 1024
REDIRECTS = 5
_DEAD_LINK = frozenset({401, 403, 404, 410})


class ClipHost:
    """Fetches clips over a client that knows no key. `is_loopback` permits links to this machine."""

    def __init__(self, client: httpx.AsyncClient, *, is_loopback: bool) -> None:
        self._client = client
        self._is_loopback = is_loopback

    async def fetch(self, url: str, sink: Callable[[bytes], object]) -> FetchAnswer:
        """Fetch a clip, following at most five redirects, each checked again."""
        try:
            async with asyncio.timeout(CLIP_DEADLINE_S):
                for _ in range(REDIRECTS + 1):
                    refusal = refuse_link(url, is_loopback=self._is_loopback)
                    if refusal is not None:
                        return LinkDead(refusal)
                    async with self._client.stream("GET", url) as response:
                        if response.has_redirect_location:
                            url = urljoin(url, response.headers["location"])
                            continue
                        return await self._receive(response, sink)
                return LinkDead(f"more than {REDIRECTS} redirects")
        except httpx.InvalidURL:
            return LinkDead("the link is no URL")
        except (httpx.HTTPError, TimeoutError) as error:
            return NoAnswer(Trouble.TRANSIENT, reason(error))

    async def _receive(self, response: httpx.Response, sink: Callable[[bytes], object]) -> FetchAnswer:
        head = head_of(response)
        if head.status in _DEAD_LINK:
            return LinkDead(f"HTTP {head.status} from the clip host")
        if head.status != 200 or "content-encoding" in head.headers:
            return NoAnswer(
                Trouble.TRANSIENT, f"HTTP {head.status} from the clip host", read_trouble(head, None).retry_after_s
            )
        announced = head.headers.get("content-length", "")
        received, span_started, span_bytes = 0, time.monotonic(), 0
        async for piece in response.aiter_raw():
            received += len(piece)
            span_bytes += len(piece)
            if received > CLIP_CAP_BYTES:
                return LinkDead(f"the clip is larger than {CLIP_CAP_BYTES // 2**20} MiB")
            if time.monotonic() - span_started > CLIP_STALL_S:
                if span_bytes < CLIP_FLOOR_BYTES:
                    return NoAnswer(Trouble.TRANSIENT, "the clip host sends too slowly")
                span_started, span_bytes = time.monotonic(), 0
            sink(piece)
        if announced.isdigit() and int(announced) != received:
            return NoAnswer(Trouble.TRANSIENT, f"{received} bytes of {announced} arrived")
        return Fetched(received)


def refuse_link(url: str, *, is_loopback: bool) -> str | None:
    """Return why a clip link must not be fetched, or None.

    https on the usual port to a public host; a provider on this machine may also link to this machine over http.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "the link is no URL"
    if not host or parts.username is not None or parts.password is not None:
        return "the link names no host, or carries a user"
    if is_loopback and is_loopback_host(host):
        return None if parts.scheme in ("http", "https") else f"a {shown(parts.scheme)}: link"
    if parts.scheme != "https":
        return f"a {shown(parts.scheme)}: link; only https is fetched"
    if port not in (None, 443):
        return f"a link to port {port}; only 443 is fetched"
    if is_loopback_host(host) or _is_private(host):
        return "a link into a private network"
    return None


def _is_private(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    real = mapped or address
    return not real.is_global or real.is_multicast
