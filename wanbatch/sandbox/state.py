"""What the sandbox's two hosts share: account, clock, fault plan, counts, and the making and breaking of answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from wanbatch.clock import Clock
from wanbatch.sandbox.account import Account
from wanbatch.sandbox.books import iso
from wanbatch.sandbox.faults import Fault, FaultPlan, read_faults
from wanbatch.sandbox.options import SandboxOptions

Drop = Callable[[Request], Awaitable[None]]


class ConnectionDropped(Exception):
    """In process: the connection was closed, before an answer or in the middle of one.

    A test transport turns it into what a client sees, such as `httpx.RemoteProtocolError`.
    """


async def raise_dropped(_: Request) -> None:
    """Do nothing: in process there is no connection to close."""
    raise ConnectionDropped


class SandboxState:
    """The state of one sandbox. `drop` closes the connection of a request; the server brings its own."""

    def __init__(self, options: SandboxOptions, account: Account, clock: Clock, drop: Drop = raise_dropped) -> None:
        self.options = options
        self.account = account
        self.clock = clock
        self.drop = drop
        self.counts: Counter[str] = Counter()
        self.faults: FaultPlan = read_faults(options.faults, options.seed)
        self.faults.resume("submit", account.arrived())

    @property
    def now(self) -> float:
        """The sandbox's time, Unix seconds."""
        return self.clock.now().timestamp()

    def dated(self, answer: Response) -> Response:
        """Set the answer's date on the sandbox's clock."""
        answer.headers["date"] = format_datetime(datetime.fromtimestamp(self.now, UTC), usegmt=True)
        return answer

    def json(self, body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        """Answer with JSON."""
        return self.dated(JSONResponse(body, status, headers))

    def error(self, request: Request, status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
        """Answer with the provider's error envelope."""
        self.counts["errors"] += 1
        body = {
            "message": message,
            "path": request.url.path,
            "requestId": f"sandbox-{self.counts['errors']}",
            "statusCode": status,
            "timestamp": iso(self.now),
        }
        return self.json(body, status, headers)

    async def befall(self, request: Request, fault: Fault | None) -> Response | None:
        """Do what a fault does instead of the work; None if the work goes on."""
        if fault is None:
            return None
        rule = fault.rule
        if fault.do == "drop_before":
            await self.drop(request)
            return Response(status_code=500)
        if fault.do == "delay":
            await self.clock.sleep(rule.delay_s)
        if fault.do == "status":
            headers = {} if rule.retry_after is None else {"retry-after": rule.retry_after}
            if rule.has_envelope:
                return self.error(request, rule.code, rule.message, headers)
            page = "" if rule.code in (204, 304) else "<html><body><h1>Bad gateway</h1></body></html>"
            return self.dated(Response(page, rule.code, headers, "text/html"))
        return None

    async def spoilt(self, request: Request, fault: Fault | None, answer: Response) -> Response:
        """Do what a fault does to a finished answer."""
        do = fault.do if fault is not None else ""
        if do == "drop_after":
            await self.drop(request)
        if do == "status_after" and fault is not None:
            if fault.rule.has_envelope:
                return self.error(request, fault.rule.code, fault.rule.message)
            return self.dated(Response("upstream timed out", fault.rule.code, media_type="text/plain"))
        if do == "html":
            return self.dated(Response("<html><body>Sign in to the network</body></html>", media_type="text/html"))
        if do == "bad_json":
            return self.dated(Response('{"id": "abc", "status": ', media_type="application/json"))
        if do == "empty":
            return self.dated(Response(b""))
        if do == "truncate":
            return Halved(answer, self.drop)
        return answer


class Halved(Response):
    """An answer that announces the whole body, sends half of it and closes the connection."""

    def __init__(self, whole: Response, drop: Drop) -> None:
        super().__init__(None, whole.status_code)
        self.body = bytes(whole.body)
        self.raw_headers = whole.raw_headers
        self._drop = drop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body[: len(self.body) // 2], "more_body": True})
        try:
            await self._drop(Request(scope, receive))
        except ConnectionDropped:  # in process the headers would be lost with it: the body just ends early
            await send({"type": "http.response.body", "body": b""})
