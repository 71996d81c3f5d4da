"""The line to the provider: requests as ASGI calls, lost or cut at seeded points."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from random import Random
from typing import TYPE_CHECKING, Any

import httpx

from tests.simulation.disk import Disk
from tests.simulation.wrongness import RIGHT_CLOCKS, Clocks
from wanbatch.sandbox.app import ConnectionDropped, Sandbox

if TYPE_CHECKING:
    from tests.simulation.joins import Joins
    from tests.simulation.supplier import Supplier

API, CLIP_BASE = "http://127.0.0.1", "http://127.0.0.2"
ROUTES = ("submit", "poll", "logs", "ledger", "clip")
CUTS = {
    "refused": ROUTES,  # no connection
    "bad_tls": ROUTES,  # no safe one
    "lost": ROUTES,  # sent, and never arrived
    "timeout": ROUTES,  # worked on, and no answer
    "reset": ROUTES,
    "broken_body": ROUTES,  # the headers, and half of the body
    "twin": ("submit",),  # the answer names the first generation of all
    "another": ("poll",),  # the answer tells of somebody else's generation, which failed
    "expired": ("poll",),  # the answer says that a generation expired, which may have been charged
    "cancelled": ("poll",),  # ... that it was cancelled, in the provider's two spellings
    "canceled": ("poll",),
}
"""What goes wrong between us and the provider's work, and on which routes."""
CANCELS = ("cancelled", "canceled")


Answer = tuple[int, list[tuple[bytes, bytes]], bytes]


@dataclass(frozen=True)
class Cut:
    """Do this to the n-th request of a route, counted from 1 over all runs."""

    on: str
    nth: int
    do: str


@dataclass
class Line(httpx.AsyncBaseTransport):
    """Hands requests to the sandbox. What the provider has begun it ends, whether or not anyone waits for it."""

    disk: Disk
    tell: Callable[[str], None]
    cuts: dict[tuple[str, int], str]
    rng: Random
    is_slow: bool
    seen: Counter[str] = field(default_factory=Counter)
    hit: set[tuple[str, str]] = field(default_factory=set)
    sandbox: Sandbox | None = None
    served: set[asyncio.Task[None]] = field(default_factory=set)
    ledger_read_at: float = -1.0  # seconds of the world
    now_s: Callable[[], float] = lambda: 0.0
    epoch_s: float = 0.0
    ledger_reads: list[float] = field(default_factory=list)  # Unix seconds
    first_id: str = ""  # the first that this run was told of
    wrongs: list[str] = field(default_factory=list)
    supplier: Supplier | None = None
    joins: Joins | None = None
    bodies: dict[str, bytes] = field(default_factory=dict)  # of all submits that arrived, by request id
    clocks: Clocks = RIGHT_CLOCKS
    _answers: int = 0
    _posts: int = 0
    _is_first_answered: bool = False

    def begin(self) -> None:
        """A new run starts."""
        self.first_id, self._posts, self._is_first_answered = "", 0, False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Carry one request there and its answer back."""
        on = route_of(request)
        if on != "submit":
            return await self._carry(request, on)
        if self._posts and not self._is_first_answered:
            self.wrongs.append("the first POST of a run does not go alone")
        self._posts += 1
        try:
            return await self._carry(request, on)
        finally:
            self._posts -= 1
            self._is_first_answered = True

    async def _carry(self, request: httpx.Request, on: str) -> httpx.Response:
        self.seen[on] += 1
        do = self.cuts.get((on, self.seen[on]), "")
        if do:
            self.hit.add((on, do))
        told = request.headers.get("x-client-request-id", "") or request.url.params.get("generation_id", "")
        if do in ("refused", "bad_tls"):
            self.tell(f"{on} {told} -> {do}")
            raise _no_connection(do)
        if self.is_slow and self.rng.random() < 0.3:
            await asyncio.sleep(self.rng.choice((0.05, 0.4, 3.0)))
        self.disk.step(f"{on}: not arrived")
        trace = request.extensions.get("trace")
        if trace is not None:
            await trace("http11.send_request_headers.started", {})
        if do == "lost":
            self.tell(f"{on} {told} -> lost on its way")
            raise httpx.WriteError("Broken pipe")
        answer = await self._ask(request, on, told)
        if on == "ledger" and answer[0] == 200 and do not in ("timeout", "reset", "broken_body"):
            self.ledger_read_at = self.now_s()
            self.ledger_reads.append(self.epoch_s + self.now_s())
        self.disk.step(f"{on}: answer not seen")
        if self.is_slow and self.rng.random() < 0.2:
            await asyncio.sleep(self.rng.choice((0.05, 0.4, 3.0)))
        if do == "timeout":
            raise httpx.ReadTimeout("")
        if do == "reset":
            raise httpx.ReadError("Connection reset by peer")
        status, headers, body = self._dated(self._twisted(self._lied(answer, on, told), on, do), on)
        announced = next((int(value) for name, value in headers if name == b"content-length"), len(body))
        is_broken = len(body) < announced or do == "broken_body"
        return httpx.Response(status, headers=headers, stream=Body(body, is_broken=is_broken))

    def _lied(self, answer: Answer, on: str, told: str) -> Answer:
        """Break a promise: refuse what was made, answer in its place, or call a generation failed that is not."""
        status, headers, _ = answer
        assert self.supplier is not None
        if status != 200 or on not in ("submit", "poll"):
            return answer
        date = [each for each in headers if each[0] == b"date"]
        if on == "poll":
            if not self.supplier.calls_failed(told):
                return answer
            self.tell(f"poll {told}: the provider says that it failed, and it does not")
            error = {"name": "GenerationError", "message": "the generation failed"}
            return status, headers_of(headers), json.dumps({"id": told, "status": "error", "error": error}).encode()
        refusal = self.supplier.refusal_of(told)
        if refusal is not None:
            self.tell(f"submit {told}: refused with {refusal}, and made all the same")
            said = {"message": "Too many requests" if refusal == 429 else "Body validation error"}
            made = {
                **said,
                "path": "/v2/video/generations",
                "requestId": "req-1",
                "statusCode": refusal,
                "timestamp": "",
            }
            return refusal, [(b"content-type", b"application/json"), *date], json.dumps(made).encode()
        if self.supplier.gateway_hides(told):
            self.tell(f"submit {told}: a gateway answers 502, and it is made all the same")
            return 502, [(b"content-type", b"text/html"), *date], b"<html><body>Bad gateway</body></html>"
        return self._cheaper(answer)

    def _cheaper(self, answer: Answer) -> Answer:
        """Hold half of what is charged, where the provider does that."""
        status, headers, body = answer
        assert self.supplier is not None
        made = next((value.decode() for name, value in headers if name == b"x-inference-id"), "")
        said = next((value for name, value in headers if name == b"x-aimlapi-credits-used"), b"")
        if not said or not self.supplier.holds_half(made):
            return answer
        half = str(int(said) // 2).encode()
        kept = [(name, half if name == b"x-aimlapi-credits-used" else value) for name, value in headers]
        body = body.replace(b'"credits_used":' + said, b'"credits_used":' + half)
        return status, [each for each in kept if each[0] != b"content-length"], body

    def _dated(self, answer: Answer, on: str) -> Answer:
        """Date an answer by the provider's own clock, or by that of one node that is wrong."""
        status, headers, body = answer
        if on == "clip":
            return answer
        self._answers += 1
        now_s = self.now_s()
        off_s = dict(self.clocks.strays).get(self._answers, self.clocks.date.off_s(now_s))
        if not off_s:
            return answer
        at = format_datetime(datetime.fromtimestamp(self.epoch_s + now_s + off_s, UTC), usegmt=True).encode()
        return status, [(name, at if name == b"date" else value) for name, value in headers], body

    def _twisted(self, answer: Answer, on: str, do: str) -> Answer:
        """Let an answer lie about whose generation it is, or how it ended."""
        status, headers, body = answer
        if status != 200 or on not in ("submit", "poll"):
            return answer
        own_id = next((value.decode() for name, value in headers if name == b"x-inference-id"), "")
        if on == "submit" and not do:
            self.first_id = self.first_id or own_id
        if do == "twin" and self.first_id and own_id:
            made = body.replace(own_id.encode(), self.first_id.encode())
            return (
                status,
                [(name, self.first_id.encode() if name == b"x-inference-id" else value) for name, value in headers],
                made,
            )
        if do in ("another", "expired", "cancelled", "canceled"):
            made_id, word = ("somebody-elses-0001", "error") if do == "another" else (own_id, do)
            made = json.dumps({"id": made_id, "status": word, "error": {"name": "Gone", "message": word}}).encode()
            return status, headers_of(headers), made
        return answer

    async def _ask(self, request: httpx.Request, on: str, told: str) -> Answer:
        assert self.sandbox is not None
        app = self.sandbox.clips if on == "clip" else self.sandbox.api
        answer: list[Any] = [0, [], b""]
        pieces: list[bytes] = []
        sent = await request.aread() if on == "submit" else b""
        if on == "submit":
            self.bodies[told] = sent
            assert self.joins is not None
            self.joins.arrived(told, sent)

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": sent, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                answer[0], answer[1] = message["status"], list(message["headers"])
            else:
                pieces.append(message.get("body", b""))

        async def serve() -> None:
            try:
                await app(_scope(request), receive, send)
            except ConnectionDropped:
                answer[0] = -1

        work = asyncio.ensure_future(serve())
        self.served.add(work)
        work.add_done_callback(self.served.discard)
        await asyncio.shield(work)
        self.tell(f"{on} {told} -> {answer[0] if answer[0] > 0 else 'dropped'}")
        if answer[0] < 0:
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
        return answer[0], answer[1], b"".join(pieces)


class Body(httpx.AsyncByteStream):
    """The body of an answer, which may break off in the middle."""

    def __init__(self, data: bytes, *, is_broken: bool) -> None:
        self._data, self._is_broken = data, is_broken

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield it."""
        data = self._data[: len(self._data) // 2 + 1] if self._is_broken else self._data
        if data:
            yield data
        if self._is_broken:
            raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")


def headers_of(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the headers of an answer whose body is another now."""
    return [each for each in headers if each[0] != b"content-length"]


def route_of(request: httpx.Request) -> str:
    """Name the route of a request as fault plans do."""
    if request.url.host == "127.0.0.2":
        return "clip"
    if request.method == "POST":
        return "submit"
    return {"/v2/video/generations": "poll", "/v2/logs": "logs", "/v2/billing/transactions": "ledger"}.get(
        request.url.path, "balance"
    )


def _scope(request: httpx.Request) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": "http",
        "path": request.url.path,
        "raw_path": request.url.raw_path.split(b"?")[0],
        "query_string": request.url.query,
        "server": (request.url.host, 80),
        "client": ("127.0.0.1", 1),
        "root_path": "",
    }


def _no_connection(do: str) -> httpx.ConnectError:
    error = httpx.ConnectError("certificate verify failed" if do == "bad_tls" else "Connection refused")
    if do == "bad_tls":
        error.__cause__ = ssl.SSLError("certificate verify failed")
    return error
