"""The sandbox as an ASGI application: the provider's API on one origin, its clip host on another."""

from __future__ import annotations

import re
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from wanbatch.clock import Clock
from wanbatch.sandbox.account import INTERCEPTS, Account, Arrival, Generation, key_name, open_account
from wanbatch.sandbox.bodies import faults_in
from wanbatch.sandbox.books import QueryInvalid, cursor_at, iso, ledger_page, log_page, usd
from wanbatch.sandbox.catalogue import Catalogue
from wanbatch.sandbox.clips import ClipHost, Render
from wanbatch.sandbox.data_urls import GivenBody, body_of, given_in
from wanbatch.sandbox.faults import Fault, FaultPlan
from wanbatch.sandbox.options import SandboxOptions
from wanbatch.sandbox.state import ConnectionDropped, Drop, SandboxState

CLIENT_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
REAL_KEY = re.compile(r"[0-9a-f]{32}|sk-.{20,}")
LOGS_PER_MIN = 200
KEY_PREFIX = 8  # this many characters of a key are not secret
CLIP_BASE = "http://clips.sandbox.test"

__all__ = ["ConnectionDropped", "Sandbox", "create_app"]

_GENERATIONS = "/v2/video/generations"
_LEGACY = "/v2/generate/video/alibaba/generation"


class Sandbox:
    """Both hosts over one account: `api` and `clips` are ASGI applications. `clip_base` is the origin of clip links.

    `render` makes a clip's bytes; None draws the slates. Clips are rendered in `executor`, if there is one, else in
    the caller's thread. `drop` closes a request's connection; in process it raises `ConnectionDropped`.
    """

    def __init__(
        self, options: SandboxOptions, account: Account, clock: Clock, clip_base: str, render: Render | None = None
    ) -> None:
        self.sandbox_state = SandboxState(options, account, clock)
        self.clip_host = ClipHost(self.sandbox_state, clip_base, render)
        api = Api(self.sandbox_state, self.clip_host)
        self.api = Starlette(routes=api.routes(), exception_handlers={HTTPException: api.http_error})
        self.api.router.redirect_slashes = False
        self.api.state.account = account
        self.clips = self.clip_host.app

    @property
    def drop(self) -> Drop:
        """What closes the connection of a request."""
        return self.sandbox_state.drop

    @drop.setter
    def drop(self, drop: Drop) -> None:
        self.sandbox_state.drop = drop

    @property
    def executor(self) -> Executor | None:
        """Where clips are rendered."""
        return self.clip_host.executor

    @executor.setter
    def executor(self, executor: Executor) -> None:
        self.clip_host.executor = executor

    @property
    def faults(self) -> FaultPlan:
        """What goes wrong; the plan keeps its counts, so it may be passed on to the next sandbox of an account."""
        return self.sandbox_state.faults

    @faults.setter
    def faults(self, plan: FaultPlan) -> None:
        self.sandbox_state.faults = plan

    def close(self) -> None:
        """Stop rendering."""
        if self.executor is not None:
            self.executor.shutdown(wait=False, cancel_futures=True)


class _ByAddress(Starlette):
    """Both hosts in one application: a request to the clip host's address goes to the clip host."""

    clips: tuple[tuple[str | None, int], Starlette]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        address, clips = self.clips
        server = scope.get("server")
        if scope["type"] == "http" and server is not None and (server[0], server[1] or 80) == address:
            await clips(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def create_app(
    options: SandboxOptions, clock: Clock, *, clip_base: str = CLIP_BASE, render: Render | None = None
) -> Starlette:
    """Make a sandbox as one application, for `httpx.ASGITransport`: the API answers at any address but `clip_base`.

    `clock` is the sandbox's time. `app.state.account` holds its books and `app.state.sandbox` the rest. A fault that
    cuts the connection raises `ConnectionDropped`.
    """
    account, _ = open_account(options, clock.now().timestamp())
    sandbox = Sandbox(options, account, clock, clip_base, render)
    app = _ByAddress()
    app.router = sandbox.api.router
    app.exception_handlers = sandbox.api.exception_handlers
    app.state.account, app.state.sandbox = account, sandbox
    weakref.finalize(app, account.close)  # an application for a test has nothing to close
    base = urlsplit(clip_base)
    app.clips = ((base.hostname, base.port or 80), sandbox.clips)
    return app


class Api:
    """The provider's API."""

    def __init__(self, sandbox_state: SandboxState, clip_host: ClipHost) -> None:
        self._sandbox_state = sandbox_state
        self.clip_host = clip_host
        self._account: Account = sandbox_state.account
        self._log_reads: dict[str, deque[float]] = {}

    def routes(self) -> list[Route]:
        """Return the endpoints that need a key, and the clips: submits, polls, the account, its log and its ledger."""
        return [
            Route(_GENERATIONS, self._submit, methods=["POST"]),
            Route(_GENERATIONS, self._poll, methods=["GET"]),
            Route(_LEGACY, self._submit, methods=["POST"]),
            Route(_LEGACY, self._poll, methods=["GET"]),
            Route("/v2/logs", self._read("logs", self._logs), methods=["GET"]),
            Route("/v2/billing", self._read("balance", self._balance), methods=["GET"]),
            Route("/v2/billing/transactions", self._read("ledger", self._ledger), methods=["GET"]),
            Route("/v2/billing/detail", self._read("detail", self._detail), methods=["GET"]),
            Route("/v1/key", self._read("key", self._key), methods=["GET"]),
            *Catalogue(self._sandbox_state).routes(),
            Route("/sandbox", self._sign, methods=["GET"]),
            Route("/sandbox/ledger", self._truth, methods=["GET"]),
            Route("/sandbox/stats", self._stats, methods=["GET"]),
        ]

    async def _sign(self, _: Request) -> Response:
        """Say that this is a sandbox: what does not say so counts as a paid provider."""
        return self._sandbox_state.json({"service": "wanbatch sandbox"})

    async def http_error(self, request: Request, error: Exception) -> Response:
        """Answer in the provider's words if the router refuses a request."""
        assert isinstance(error, HTTPException)
        words = {404: f"Cannot {request.method} {request.url.path}", 405: "Method not allowed"}
        message = words.get(error.status_code, error.detail)
        return self._sandbox_state.error(request, error.status_code, message, error.headers)

    def _key_or_refusal(self, request: Request) -> str | Response:
        """Return the name of the request's key, or the refusal of it."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            return self._sandbox_state.error(request, 401, "Unauthorized: the API key is missing or invalid")
        if REAL_KEY.fullmatch(token):
            said = "Unauthorized: this looks like a real key; the sandbox takes any made-up one"
            return self._sandbox_state.error(request, 401, said)
        return key_name(token)

    # --- submit

    async def _submit(self, request: Request) -> Response:
        sandbox_state = self._sandbox_state
        sandbox_state.counts["submit"] += 1
        key = self._key_or_refusal(request)
        content = given_in(await body_of(request), self._account.models)
        given = request.headers.get("x-client-request-id", "")
        client_id = given if CLIENT_ID.fullmatch(given) else None  # outside of the alphabet: dropped silently
        text = content.text
        if isinstance(key, Response):
            self._account.turn_away(Arrival(sandbox_state.now, "", client_id), text, key.status_code)
            return key
        body = self._body_or_refusal(request, content)
        fault = sandbox_state.faults.pick("submit", text)
        arrival = Arrival(sandbox_state.now, key, client_id, fault.do if fault is not None else "")
        if fault is not None and fault.do in INTERCEPTS:
            status = fault.rule.code if fault.do == "status" and fault.rule.code != 200 else 0
            self._account.turn_away(arrival, text, status)
        instead = await sandbox_state.befall(request, fault)
        if instead is not None:
            return instead
        refusal = body if isinstance(body, Response) else self._limit(request, body)
        if refusal is not None:
            refusal.headers["x-inference-id"] = self._account.turn_away(arrival, text, refusal.status_code)
            if client_id is not None:
                refusal.headers["x-client-request-id"] = client_id
            return refusal
        assert not isinstance(body, Response)
        failure = fault.rule.message if fault is not None and fault.do in ("fail", "fail_charged") else None
        self._account.keep_pictures(content.pictures)
        generation = self._account.accept(arrival, body, failure=failure, never_ends=arrival.fault == "stall")
        return await sandbox_state.spoilt(request, fault, self._submitted(generation, arrival.fault))

    def _submitted(self, generation: Generation, do: str) -> Response:
        reported = generation.credits * {"dearer": 2, "free": 0}.get(do, 1)
        body: dict[str, Any] = {"id": generation.generation_id, "status": "queued"}
        if do == "wrong_id":
            body["id"] = generation.generation_id[::-1]
        if do == "no_body_id":
            del body["id"]
        headers = {"x-inference-id": generation.generation_id}
        if do != "no_credits":
            body["meta"] = {"usage": {"credits_used": reported}}
            if self._account.models[str(generation.body["model"])].own.get("shows_usd"):
                body["meta"]["usage"]["usd_spent"] = usd(reported)
            headers |= {"x-aimlapi-credits-used": str(reported), "x-aimlapi-usd-spent": str(usd(reported))}
        if do == "no_header_id":
            del headers["x-inference-id"]
        if generation.client_request_id is not None and do != "no_echo":
            headers["x-client-request-id"] = generation.client_request_id
        return self._sandbox_state.json(body, 200, headers)

    def _body_or_refusal(self, request: Request, content: GivenBody) -> dict[str, Any] | Response:
        error, body = self._sandbox_state.error, content.value
        if content.is_too_large:
            return error(request, 413, "request entity too large")
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
            return error(request, 415, "Unsupported Media Type: send application/json")
        if not content.is_json:
            return error(request, 400, "Body validation error: the body is not JSON")
        if not isinstance(body, dict):
            return error(request, 400, "Body validation error: Expected object")
        name = body.get("model")
        if not isinstance(name, str):
            return error(request, 400, "Body validation error: model: Required, Expected string")
        model = self._account.models.get(name)
        if model is None or not model.is_served:
            why = "does not exist" if model is None else "was withdrawn"
            return error(request, 404, f"Model {name[:80].encode('ascii', 'replace').decode()} {why}")
        wrong = [*content.faults, *faults_in(model.schema, body)]
        return error(request, 400, "Body validation error: " + "; ".join(wrong)) if wrong else body

    def _limit(self, request: Request, body: Mapping[str, Any]) -> Response | None:
        """Refuse what exceeds the rate, the concurrency or the balance."""
        options, now, error = self._sandbox_state.options, self._sandbox_state.now, self._sandbox_state.error
        if options.concurrency is not None and self._account.running(now) >= options.concurrency:
            return error(request, 429, "Too many concurrent generations")
        if options.rate_per_min is not None and self._account.accepted_since(now - 60) >= options.rate_per_min:
            return error(request, 429, "Too many requests")
        if self._account.available_credits(now) < self._account.models[str(body["model"])].made_of(body).credits:
            return error(request, 403, "You've run out of credits. Please top up your balance or update your plan")
        return None

    # --- poll

    async def _poll(self, request: Request) -> Response:
        sandbox_state = self._sandbox_state
        sandbox_state.counts["poll"] += 1
        key = self._key_or_refusal(request)
        if isinstance(key, Response):
            return key
        fault = sandbox_state.faults.pick("poll")
        instead = await sandbox_state.befall(request, fault)
        if instead is not None:
            return instead
        asked = request.query_params.get("generation_id", "")
        if not asked:
            return sandbox_state.error(request, 400, "Query validation error: generation_id: Required")
        generation = self._account.generation(asked, key) if asked.isprintable() else None
        if generation is None:
            return sandbox_state.error(request, 404, "Generation is not found")
        answer = sandbox_state.json(self._progress(generation, fault.do if fault is not None else ""))
        answer.headers["x-inference-id"] = generation.generation_id
        return await sandbox_state.spoilt(request, fault, answer)

    def _progress(self, generation: Generation, do: str) -> dict[str, Any]:
        status = generation.status(self._sandbox_state.now)
        body: dict[str, Any] = {"id": generation.generation_id, "status": status}
        if do == "wrong_id":
            body["id"] = generation.generation_id[::-1]
        if status == "completed" and do != "no_link":
            lifetime_s = -1.0 if do == "dead_link" else self._sandbox_state.options.link_ttl_s
            links = [self.clip_host.link(generation.generation_id, lifetime_s, nth) for nth in (1, 2)]
            videos = [{"url": link} for link in links[: 2 if do == "two_clips" else 1]]
            body["video"] = videos if do in ("listed", "two_clips") else videos[0]
        if status == "error":
            body["error"] = {"name": "GenerationError", "message": generation.failure}
        return body

    # --- books

    def _read(self, name: str, answer: Callable[[Request, str], Response]) -> Callable[[Request], Any]:
        """Make the endpoint of a read that needs a key; faults with its name apply to it."""

        async def endpoint(request: Request) -> Response:
            sandbox_state = self._sandbox_state
            sandbox_state.counts[name] += 1
            key = self._key_or_refusal(request)
            if isinstance(key, Response):
                return key
            fault: Fault | None = sandbox_state.faults.pick(name)
            instead = await sandbox_state.befall(request, fault)
            if instead is not None:
                return instead
            try:
                return await sandbox_state.spoilt(request, fault, answer(request, key))
            except QueryInvalid as error:
                return sandbox_state.error(request, 400, f"Query validation error: {error}")

        return endpoint

    def _logs(self, request: Request, key: str) -> Response:
        now, reads = self._sandbox_state.now, self._log_reads.setdefault(key, deque())
        while reads and reads[0] <= now - 60:
            reads.popleft()
        if len(reads) >= LOGS_PER_MIN:
            return self._sandbox_state.error(request, 429, "Too many requests")
        reads.append(now)
        page = log_page(request.query_params, key, now)
        token = request.headers["authorization"].partition(" ")[2].strip()
        if not token.startswith(request.query_params.get("key_prefix", "")):
            return self._sandbox_state.error(request, 403, "The requests of another key need a management key")
        rows, total = self._account.log(page, now)
        place = {"limit": page.limit, "offset": page.offset, "total": total}
        has_more = page.offset + len(rows) < total and len(rows) > 0
        return self._sandbox_state.json({"data": rows, "pagination": {**place, "has_more": has_more}})

    def _ledger(self, request: Request, _: str) -> Response:
        rows, place = self._account.ledger(ledger_page(request.query_params), self._sandbox_state.now)
        pagination = {"next_cursor": cursor_at(place), "has_more": place is not None}
        return self._sandbox_state.json({"data": rows, "pagination": pagination})

    def _balance(self, _request: Request, _: str) -> Response:
        return self._sandbox_state.json(self._left())

    def _left(self) -> dict[str, Any]:
        return {"current_balance": usd(self._account.available_credits(self._sandbox_state.now)), "currency": "USD"}

    def _detail(self, _request: Request, _: str) -> Response:
        settings = {
            "is_enabled": self._sandbox_state.options.auto_top_up,
            "threshold": 50,
            "amount": 100,
            "currency": "USD",
        }
        owner = {"user_id": 1, "email": "sandbox@example.com"}
        return self._sandbox_state.json({**owner, **self._left(), "autotopup_settings": settings})

    def _key(self, request: Request, name: str) -> Response:
        options, opened = self._sandbox_state.options, iso(self._account.opened_at)
        limit = options.key_limit_usd
        token = request.headers["authorization"].partition(" ")[2].strip()
        data = {
            "name": "sandbox",
            "disabled": options.key_disabled,
            "prefix": token[:KEY_PREFIX],
            "scopes": list(options.key_scopes) or None,
            "limit": None if limit is None else {"retention": "month", "threshold": float(limit)},
            "created_at": opened,
            "updated_at": opened,
            "monthly_usage": usd(self._account.spent_credits(name, self._sandbox_state.now)),
        }
        return self._sandbox_state.json({"data": data})

    # --- for tests and checks

    async def _truth(self, _: Request) -> Response:
        now = self._sandbox_state.now
        return self._sandbox_state.json(
            {"requests": self._account.everything(now, with_intercepted=True), "now": iso(now)}
        )

    async def _stats(self, _: Request) -> Response:
        now, counts = self._sandbox_state.now, self._sandbox_state.counts
        shown = {"counts": {"leaks": 0, **counts}, "running": self._account.running(now), "now": iso(now)}
        return self._sandbox_state.json(shown)
