"""The clip host: fetching from wherever a link points to, without credentials, and no further than is safe."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import time
from collections.abc import Callable
from urllib.parse import urljoin, urlsplit

import httpx

from wanbatch.answers import Head, read_trouble, shown
from wanbatch.provider import FetchAnswer, Fetched, LinkDead, NoAnswer, Trouble
from wanbatch.settings import is_loopback_host
from wanbatch.wire import head_of, reason

CLIP_DEADLINE_S = 900.0
CLIP_STALL_S = 60.0  # a clip must bring CLIP_FLOOR_BYTES in each such span
CLIP_FLOOR_BYTES = 8 * 1024 * 60
CLIP_CAP_BYTES = 512 * 1024 * 1024
REDIRECTS = 5
RESUMES = 3
RESUME_WAIT_S = 1.0
HTTP_OK, HTTP_PARTIAL = 200, 206
_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e]{1,200}"')
_DEAD_LINK = frozenset({401, 403, 404, 410})


class ClipHost:
    """Fetches clips over a client that knows no key. `is_loopback` permits links to this machine."""

    def __init__(self, client: httpx.AsyncClient, *, is_loopback: bool) -> None:
        self._client = client
        self._is_loopback = is_loopback

    async def fetch(self, url: str, sink: Callable[[bytes], object]) -> FetchAnswer:
        """Fetch a clip, following at most five redirects, each checked again.

        One that breaks off goes on where it broke off, at most three times, where the host names the very bytes (a
        strong ETag and the length) and sends the rest of these; all else begins anew with a fresh link.
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
                async with self._client.stream("GET", url, headers=transfer.headers) as response:
                    if response.has_redirect_location:
                        url = urljoin(url, response.headers["location"])
                        continue
                    return await self._receive(response, transfer)
            return LinkDead(f"more than {REDIRECTS} redirects")
        except httpx.InvalidURL:
            return LinkDead("the link is no URL")
        except httpx.HTTPError as error:
            return NoAnswer(Trouble.TRANSIENT, reason(error))

    async def _receive(self, response: httpx.Response, transfer: _Transfer) -> FetchAnswer:
        head = head_of(response)
        if head.status in _DEAD_LINK:
            return LinkDead(f"HTTP {head.status} from the clip host")
        if not transfer.begins_with(head):
            return NoAnswer(
                Trouble.TRANSIENT, f"HTTP {head.status} from the clip host", read_trouble(head, None).retry_after_s
            )
        span_started, span_bytes = time.monotonic(), 0
        async for piece in response.aiter_raw():
            span_bytes += len(piece)
            if transfer.received + len(piece) > CLIP_CAP_BYTES:
                return LinkDead(f"the clip is larger than {CLIP_CAP_BYTES // 2**20} MiB")
            if time.monotonic() - span_started > CLIP_STALL_S:
                if span_bytes < CLIP_FLOOR_BYTES:
                    return NoAnswer(Trouble.TRANSIENT, "the clip host sends too slowly")
                span_started, span_bytes = time.monotonic(), 0
            transfer.take(piece)
        if transfer.total not in (None, transfer.received):
            return NoAnswer(Trouble.TRANSIENT, f"{transfer.received} bytes of {transfer.total} arrived")
        return Fetched(transfer.received)


class _Transfer:
    """One clip on its way: how much of it came, and of what. `total` is None where the host does not tell."""

    def __init__(self, sink: Callable[[bytes], object]) -> None:
        self._sink = sink
        self._etag = ""
        self.received = 0
        self.total: int | None = None

    def take(self, piece: bytes) -> None:
        """Hand a piece on."""
        self.received += len(piece)
        self._sink(piece)

    @property
    def can_go_on(self) -> bool:
        """Say whether the rest can be asked for, and nothing but the rest of the very same bytes be got."""
        return bool(self._etag) and self.total is not None and 0 < self.received < self.total

    @property
    def headers(self) -> dict[str, str]:
        """Ask for the rest, where a part is there."""
        return {"Range": f"bytes={self.received}-", "If-Range": self._etag} if self.received else {}

    def begins_with(self, head: Head) -> bool:
        """Say whether this answer is the clip, or the rest of it, byte for byte."""
        if "content-encoding" in head.headers:
            return False
        etag = head.headers.get("etag", "")
        if self.received:
            rest = f"bytes {self.received}-{(self.total or 0) - 1}/{self.total}"
            is_rest = head.status == HTTP_PARTIAL and head.headers.get("content-range") == rest and etag == self._etag
            self._etag = self._etag if is_rest else ""  # what is there is no part of this
            return is_rest
        announced = head.headers.get("content-length", "")
        self.total = int(announced) if announced.isdigit() else None
        self._etag = etag if _STRONG_ETAG.fullmatch(etag) else ""
        return head.status == HTTP_OK


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
