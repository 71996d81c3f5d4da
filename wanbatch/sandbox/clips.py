"""The clip host: signed links, and the clips behind them, rendered when they are first fetched."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
import tempfile
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from urllib.parse import quote, urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from wanbatch.clock import Clock
from wanbatch.sandbox.account import Generation
from wanbatch.sandbox.faults import Fault
from wanbatch.sandbox.labels import Label, Labels
from wanbatch.sandbox.state import SandboxState

Render = Callable[[Generation], bytes]

CACHE_BYTES = 64 * 1024 * 1024
LEAKS = ("authorization", "cookie", "x-client-request-id")  # credentials of the API, which must not be sent here
DRIPS = 20
DRIFT = "drift"
SPOILT = frozenset({"black", "frozen", "silent", DRIFT})  # faults in a clip itself, not in its transfer
EMPTY_BOX = b"\x00\x00\x00\x08free"
_MP4 = "video/mp4"


def draw(generation: Generation, label: Label | None = None) -> bytes:
    """Render a generation's slate. Slow; the same generation and label give the same bytes."""
    from wanbatch.sandbox.given_pictures import Shown
    from wanbatch.sandbox.slate import render

    with tempfile.TemporaryDirectory(prefix="wanbatch-sandbox-") as folder:
        path = Path(folder) / "clip.mp4"
        shown = Shown(label, generation.pictures)
        render(generation.generation_id, generation.body, generation.made, path, shown)
        return path.read_bytes()


def draw_spoilt(generation: Generation, do: str, label: Label | None = None) -> bytes:
    """Render a generation's clip with one of the `SPOILT` faults. Slow; the same arguments give the same bytes."""
    from wanbatch.sandbox.slate import draw_slate, render_spoilt

    with tempfile.TemporaryDirectory(prefix="wanbatch-sandbox-") as folder:
        path = Path(folder) / "clip.mp4"
        picture = draw_slate(generation.generation_id, generation.body, generation.made, label)
        render_spoilt(do, generation.generation_id, picture, generation.made, path)
        return path.read_bytes()


def draw_drifting(generation: Generation, label: Label | None = None) -> bytes:
    """Render a clip that drifts away from the picture it was given; else it is as ever. Slow; repeatable."""
    from wanbatch.sandbox.drift import render_drifting
    from wanbatch.sandbox.given_pictures import Shown

    made = generation.made
    first, _ = Shown(label, generation.pictures).ends(generation.body, (made.width, made.height))
    if first is None:
        return draw(generation, label)
    with tempfile.TemporaryDirectory(prefix="wanbatch-sandbox-") as folder:
        path = Path(folder) / "clip.mp4"
        render_drifting(generation.generation_id, first, made, path)
        return path.read_bytes()


class ClipHost:
    """The host that the links of completed generations name. It must never see a key.

    Rendering happens in `executor`; None renders in the caller's own thread. The latest clips are kept, up to
    `cache_bytes`.
    """

    executor: Executor | None = None
    cache_bytes = CACHE_BYTES

    def __init__(self, sandbox_state: SandboxState, base: str, render: Render | None = None) -> None:
        self._sandbox_state = sandbox_state
        self._base = base
        self._labels = Labels(sandbox_state.options.data)
        self._render = render
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._pending: dict[str, asyncio.Future[bytes]] = {}
        self.app = Starlette(routes=[Route("/{name:path}", self._clip, methods=["GET", "HEAD"])])

    def link(self, generation_id: str, lifetime_s: float, nth: int = 1) -> str:
        """Sign a link to a generation's nth clip that expires after this many of the sandbox's seconds."""
        expires = int(self._sandbox_state.now + lifetime_s)
        digest = hashlib.sha256(generation_id.encode()).hexdigest()
        signature = self._signature(generation_id, expires, nth)
        query = {"Expires": str(expires), "OSSAccessKeyId": "LTAIsandbox", "Signature": signature, "id": generation_id}
        query |= {"nth": str(nth)} if nth > 1 else {}
        return (
            f"{self._base}/{digest[:2]}/{digest[2:4]}/{digest[4:28]}.mp4?{urlencode(query, quote_via=quote, safe='')}"
        )

    def _signature(self, generation_id: str, expires: int, nth: int) -> str:
        text = f"{generation_id}\n{expires}\n{nth}".encode("utf-8", "replace")
        digest = hmac.new(self._sandbox_state.account.signing_key.encode(), text, hashlib.sha256).digest()
        return base64.b64encode(digest).decode()

    async def _clip(self, request: Request) -> Response:
        sandbox_state = self._sandbox_state
        sandbox_state.counts["clip"] += 1
        if any(name in request.headers for name in LEAKS):
            sandbox_state.counts["leaks"] += 1
            return sandbox_state.dated(
                _reported(400, "InvalidArgument", "Credentials of the API do not belong on the clip host.")
            )
        found = self._signed_for(request)
        if isinstance(found, Response):
            return sandbox_state.dated(found)
        fault = sandbox_state.faults.pick("clip", str(found.body.get("prompt", "")))
        instead = await sandbox_state.befall(request, fault)
        if instead is not None:
            return instead
        answer = await self._answer(request, found, fault)
        return await sandbox_state.spoilt(request, fault, sandbox_state.dated(answer))

    def _signed_for(self, request: Request) -> Generation | Response:
        """Return the generation that a link is for, or the refusal of the link."""
        query = request.query_params
        expires, generation_id = query.get("Expires", ""), query.get("id", "")
        if not re.fullmatch(r"[0-9]{1,12}", expires):
            return _reported(403, "AccessDenied", "The link is not signed.")
        signature = self._signature(generation_id, int(expires), _nth_in(request))
        if not hmac.compare_digest(query.get("Signature", "").encode("utf-8", "replace"), signature.encode()):
            return _reported(403, "SignatureDoesNotMatch", "The signature does not match the link.")
        if int(expires) < self._sandbox_state.now:
            return _reported(403, "AccessDenied", "Request has expired.")
        generation = self._sandbox_state.account.generation(generation_id, None)
        if generation is None or generation.status(self._sandbox_state.now) != "completed":
            return _reported(404, "NoSuchKey", "The specified key does not exist.")
        return generation

    async def _answer(self, request: Request, generation: Generation, fault: Fault | None) -> Response:
        do = fault.do if fault is not None else ""
        if do == "garbage":
            return Response(b"\x89PNG\r\n\x1a\n not a clip" * 64, media_type=_MP4)
        if do == "zero":
            return Response(b"", media_type=_MP4)
        if do == "expired":
            return _reported(403, "AccessDenied", "Request has expired.")
        clock = self._sandbox_state.clock
        begun = clock.monotonic()
        data = await self._rendered(generation, do if do in SPOILT else "")
        drawn_ms = round(1000 * (clock.monotonic() - begun))
        if _nth_in(request) > 1:
            data += EMPTY_BOX  # the same picture, but another clip
        if do == "short":
            return Response(data[: len(data) // 2], media_type=_MP4)
        answer = _ranged(request, data)
        answer.headers["server-timing"] = f"draw;dur={drawn_ms}"  # else it would count as the transfer
        if do == "slow" and fault is not None:
            return Dripped(answer, self._sandbox_state.clock, fault.rule.delay_s)
        return answer

    async def _rendered(self, generation: Generation, spoilt: str) -> bytes:
        """Return a clip, made on first use; the latest are kept."""
        name = f"{generation.generation_id} {spoilt}"
        if name not in self._kept:
            if name not in self._pending:
                self._pending[name] = asyncio.ensure_future(self._make(name, self._drawing(generation, spoilt)))
            await asyncio.shield(self._pending[name])
        self._kept.move_to_end(name)
        return self._kept[name]

    def _drawing(self, generation: Generation, spoilt: str) -> Callable[[], bytes]:
        label = self._labels.of(generation.client_request_id)
        if spoilt == DRIFT:
            return partial(draw_drifting, generation, label)
        if spoilt:
            return partial(draw_spoilt, generation, spoilt, label)
        return partial(draw, generation, label) if self._render is None else partial(self._render, generation)

    async def _make(self, name: str, render: Callable[[], bytes]) -> bytes:
        try:
            if self.executor is None:
                data = render()
            else:
                data = await asyncio.get_running_loop().run_in_executor(self.executor, render)
            self._kept[name] = data
        finally:
            del self._pending[name]
        size_bytes = sum(map(len, self._kept.values()))
        while size_bytes > self.cache_bytes and len(self._kept) > 1:
            size_bytes -= len(self._kept.popitem(last=False)[1])
        return data


class Dripped(Response):
    """An answer whose body comes slowly, in small pieces."""

    def __init__(self, whole: Response, clock: Clock, delay_s: float) -> None:
        super().__init__(None, whole.status_code)
        self.body = bytes(whole.body)
        self.raw_headers = whole.raw_headers
        self._clock, self._delay_s = clock, delay_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  ASGI's signature
        """Send it."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        step = len(self.body) // DRIPS + 1
        for at in range(0, len(self.body), step):
            drop = self.body[at : at + step]
            await self._clock.sleep(self._delay_s * len(drop) / len(self.body))
            await send({"type": "http.response.body", "body": drop, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def _ranged(request: Request, data: bytes) -> Response:
    """Answer with the whole, or with the one range that was asked for; several at once are answered with the whole."""
    etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {"etag": etag, "accept-ranges": "bytes"}
    match = re.fullmatch(r"bytes=([0-9]{0,15})-([0-9]{0,15})", request.headers.get("range", ""))
    if match is None or not any(match.groups()) or request.headers.get("if-range", etag) != etag:
        return Response(data, 200, headers, _MP4)
    first, last = match.groups()
    begin = int(first) if first else max(0, len(data) - int(last))
    end = min(len(data), int(last) + 1) if first and last else len(data)
    if begin >= end:
        refusal = _reported(416, "InvalidRange", "The requested range cannot be satisfied.")
        refusal.headers["content-range"] = f"bytes */{len(data)}"
        return refusal
    headers["content-range"] = f"bytes {begin}-{end - 1}/{len(data)}"
    return Response(data[begin:end], 206, headers, _MP4)


def _reported(status: int, code: str, message: str) -> Response:
    """Refuse as object stores do."""
    page = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>\n'
    return Response(page, status, media_type="application/xml")


def _nth_in(request: Request) -> int:
    return 2 if request.query_params.get("nth") == "2" else 1
