"""The sandbox's two hosts as ASGI applications: the API, and the host that its clip links name."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
import tempfile
from collections import Counter, OrderedDict, deque
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from wanbatch.clock import Clock
from wanbatch.sandbox.account import Account, Generation, cursor_at, iso, key_name, read_cursor, usd
from wanbatch.sandbox.faults import Fault, FaultPlan, read_faults
from wanbatch.sandbox.models import MODELS, faults_in, pricing_of
from wanbatch.sandbox.options import SandboxOptions

CLIENT_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
BODY_CAP_BYTES = 1024 * 1024
CLIPS_KEPT = 64
RENDERERS = 2
LOGS_PER_MIN = 200
WINDOW_CAP_S = 92 * 86_400.0


class ConnectionDropped(Exception):
    """Under a test transport: the connection was closed without an answer."""


async def _raise_dropped(_: Request) -> None:
    raise ConnectionDropped


class Sandbox:
    """Both hosts, one account, one clock. `clip_base` is the origin of the clip links; `drop` closes a connection."""

    def __init__(self, options: SandboxOptions, account: Account, clock: Clock, clip_base: str) -> None:
        self.options = options
        self.account = account
        self.clip_base = clip_base
        self.drop: Callable[[Request], Awaitable[None]] = _raise_dropped
        self.counts: Counter[str] = Counter()
        self._clock = clock
        self._faults: FaultPlan = read_faults(options.faults, options.seed)
        self._log_reads: deque[float] = deque()
        self._folder = tempfile.TemporaryDirectory(prefix="wanbatch-sandbox-")
        self._clips: OrderedDict[str, asyncio.Task[Path]] = OrderedDict()
        self._renderers = asyncio.Semaphore(RENDERERS)
        generations = "/v2/video/generations"
        legacy = "/v2/generate/video/alibaba/generation"
        self.api = Starlette(
            routes=[
                Route(generations, self._submit, methods=["POST"]),
                Route(generations, self._poll, methods=["GET"]),
                Route(legacy, self._submit, methods=["POST"]),
                Route(legacy, self._poll, methods=["GET"]),
                Route("/v2/logs", self._logs, methods=["GET"]),
                Route("/v2/billing", self._balance, methods=["GET"]),
                Route("/v2/billing/transactions", self._ledger, methods=["GET"]),
                Route("/v1/models", self._models, methods=["GET"]),
                Route("/models/metrics", self._metrics, methods=["GET"]),
                Route("/sandbox/ledger", self._truth, methods=["GET"]),
                Route("/sandbox/stats", self._stats, methods=["GET"]),
            ],
            exception_handlers={HTTPException: self._http_error},
        )
        self.clips = Starlette(routes=[Route("/{name:path}", self._clip, methods=["GET", "HEAD"])])

    @property
    def now(self) -> float:
        """The sandbox's time, Unix seconds."""
        return self._clock.now().timestamp()

    def close(self) -> None:
        """Remove the rendered clips."""
        self._folder.cleanup()

    # --- answers

    def _headers(self) -> dict[str, str]:
        return {"date": format_datetime(datetime.fromtimestamp(self.now, UTC), usegmt=True)}

    def _json(self, body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        return JSONResponse(body, status, {**self._headers(), **(headers or {})})

    def _error(self, request: Request, status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
        number = self.counts["errors"] = self.counts["errors"] + 1
        body = {
            "message": message,
            "path": request.url.path,
            "requestId": f"sandbox-{number}",
            "statusCode": status,
            "timestamp": iso(self.now),
        }
        return self._json(body, status, headers)

    async def _http_error(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        words = {404: f"Cannot {request.method} {request.url.path}", 405: "Method not allowed"}
        return self._error(request, error.status_code, words.get(error.status_code, error.detail))

    async def _befall(self, request: Request, fault: Fault | None) -> Response | None:
        """Do what a fault does instead of the work; None where the work goes on."""
        if fault is None:
            return None
        rule = fault.rule
        if fault.do == "drop_before":
            await self.drop(request)
            return Response(status_code=500)
        if fault.do == "delay":
            await self._clock.sleep(rule.delay_s)
        if fault.do == "status":
            headers = {} if rule.retry_after is None else {"retry-after": rule.retry_after}
            if rule.has_envelope:
                return self._error(request, rule.code, rule.message, headers)
            page = "<html><body><h1>Bad gateway</h1></body></html>"
            return Response(page, rule.code, {**self._headers(), **headers}, "text/html")
        return None

    async def _spoilt(self, request: Request, fault: Fault | None, answer: Response) -> Response:
        """Do what a fault does to a finished answer."""
        do = fault.do if fault is not None else ""
        if do == "drop_after":
            await self.drop(request)
        if do == "status_after" and fault is not None:
            return Response("upstream timed out", fault.rule.code, self._headers(), "text/plain")
        if do == "html":
            return Response("<html><body>Sign in to the network</body></html>", 200, self._headers(), "text/html")
        if do == "bad_json":
            return Response('{"id": "abc", "status": ', 200, self._headers(), "application/json")
        if do == "empty":
            return Response(b"", 200, self._headers())
        if do == "truncate":
            return _halved(answer)
        return answer

    def _key(self, request: Request) -> str | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return key_name(token.strip()) if scheme.lower() == "bearer" and token.strip() else None

    def _unauthorized(self, request: Request) -> Response:
        return self._error(request, 401, "Unauthorized: the API key is missing or invalid")

    # --- submit and poll

    async def _submit(self, request: Request) -> Response:
        self.counts["submit"] += 1
        key = self._key(request)
        if key is None:
            return self._unauthorized(request)
        raw = await request.body()
        body, refusal = self._read_body(request, raw)
        prompt = str(body.get("prompt", "")) if body is not None else ""
        fault = self._faults.pick("submit", prompt)
        instead = await self._befall(request, fault)
        if instead is not None:
            return instead
        client_id = request.headers.get("x-client-request-id", "")
        client_request_id = client_id if CLIENT_ID.fullmatch(client_id) else None  # outside of it: dropped silently
        if body is not None and refusal is None:
            refusal = self._limits(request, body)
        if refusal is not None:
            text = raw.decode("utf-8", "replace")[:4096]
            inference_id = self.account.refuse(key, client_request_id, text, refusal.status_code, self.now)
            refusal.headers["x-inference-id"] = inference_id
            if client_request_id is not None:
                refusal.headers["x-client-request-id"] = client_request_id
            return refusal
        assert body is not None
        generation = self.account.accept(key, client_request_id, body, self.now)
        if fault is not None and fault.do == "fail":
            self.account.fail(generation.generation_id, fault.rule.message)
        if fault is not None and fault.do == "stall":
            self.account.stall(generation.generation_id)
        return await self._spoilt(request, fault, self._submitted(generation, fault.do if fault else ""))

    def _submitted(self, generation: Generation, do: str) -> Response:
        told = generation.credits * (2 if do == "dearer" else 1)
        body: dict[str, Any] = {"id": generation.generation_id, "status": "queued"}
        if do == "wrong_id":
            body["id"] = generation.generation_id[::-1]
        if do == "no_body_id":
            del body["id"]
        headers = {"x-inference-id": generation.generation_id}
        if do != "no_credits":
            body["meta"] = {"usage": {"credits_used": told}}
            headers |= {"x-aimlapi-credits-used": str(told), "x-aimlapi-usd-spent": str(usd(told))}
        if do == "no_header_id":
            del headers["x-inference-id"]
        if generation.client_request_id is not None and do != "no_echo":
            headers["x-client-request-id"] = generation.client_request_id
        return self._json(body, 200, headers)

    def _read_body(self, request: Request, raw: bytes) -> tuple[dict[str, Any] | None, Response | None]:
        if len(raw) > BODY_CAP_BYTES:
            return None, self._error(request, 413, "request entity too large")
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
            return None, self._error(request, 415, "Unsupported Media Type: send application/json")
        try:
            body = json.loads(raw)
        except (ValueError, RecursionError):
            return None, self._error(request, 400, "Body validation error: the body is no JSON")
        if not isinstance(body, dict):
            return None, self._error(request, 400, "Body validation error: Expected object")
        model = body.get("model")
        if not isinstance(model, str):
            return None, self._error(request, 400, "Body validation error: model: Required")
        if model not in MODELS:
            return None, self._error(request, 404, f"Model {model[:80]} is not served here")
        wrong = faults_in(body)
        if wrong:
            return None, self._error(request, 400, "Body validation error: " + "; ".join(wrong))
        return body, None

    def _limits(self, request: Request, body: Mapping[str, Any]) -> Response | None:
        options, now = self.options, self.now
        if options.concurrency is not None and self.account.running(now) >= options.concurrency:
            return self._error(request, 429, "Too many concurrent generations")
        if options.rate_per_min is not None and self.account.submits_since(now - 60) >= options.rate_per_min:
            return self._error(request, 429, "Too many requests")
        if self.account.available_credits(now) < MODELS[str(body["model"])].made_of(body).credits:
            return self._error(
                request, 403, "You've run out of credits. Please top up your balance or update your plan"
            )
        return None

    async def _poll(self, request: Request) -> Response:
        self.counts["poll"] += 1
        key = self._key(request)
        if key is None:
            return self._unauthorized(request)
        fault = self._faults.pick("poll")
        instead = await self._befall(request, fault)
        if instead is not None:
            return instead
        asked = request.query_params.get("generation_id", "")
        if not asked:
            return self._error(request, 400, "Query validation error: generation_id: Required")
        generation = self.account.generation(asked, key)
        if generation is None:
            return self._error(request, 404, "Generation is not found")
        status, do = generation.status(self.now), fault.do if fault else ""
        body: dict[str, Any] = {"id": generation.generation_id, "status": status}
        if do == "wrong_id":
            body["id"] = generation.generation_id[::-1]
        if status == "completed" and do != "no_link":
            lifetime_s = -1.0 if do == "dead_link" else self.options.link_ttl_s
            body["video"] = {"url": self._link(generation.generation_id, lifetime_s)}
        if status == "error":
            body["error"] = {"name": "GenerationError", "message": generation.failure}
        return await self._spoilt(request, fault, self._json(body, 200, {"x-inference-id": generation.generation_id}))

    # --- books

    async def _logs(self, request: Request) -> Response:
        self.counts["logs"] += 1
        key = self._key(request)
        if key is None:
            return self._unauthorized(request)
        now = self.now
        while self._log_reads and self._log_reads[0] <= now - 60:
            self._log_reads.popleft()
        if len(self._log_reads) >= LOGS_PER_MIN:
            return self._error(request, 429, "Too many requests")
        self._log_reads.append(now)
        fault = self._faults.pick("logs")
        instead = await self._befall(request, fault)
        if instead is not None:
            return instead
        query = request.query_params
        window, limit, offset = (
            _window(query, now),
            _number(query.get("limit", "50")),
            _number(query.get("offset", "0")),
        )
        statuses = set(query.getlist("status"))
        if window is None or limit is None or not 1 <= limit <= 100 or offset is None or offset < 0:
            return self._error(request, 400, "Query validation error: give period, or start and end; limit 1 to 100")
        if not statuses <= {"succeeded", "failed"}:
            return self._error(request, 400, "Query validation error: status: Expected 'succeeded' | 'failed'")
        models = set(query.getlist("model"))
        rows = [
            row
            for row in self.account.log(key, window, now)
            if (not statuses or row["status"] in statuses)
            and (not models or row["model"] in models or str(row["model"]).split("/")[-1] in models)
        ]
        page = {"limit": limit, "offset": offset, "total": len(rows), "has_more": offset + limit < len(rows)}
        return await self._spoilt(
            request, fault, self._json({"data": rows[offset : offset + limit], "pagination": page})
        )

    async def _ledger(self, request: Request) -> Response:
        self.counts["ledger"] += 1
        if self._key(request) is None:
            return self._unauthorized(request)
        fault = self._faults.pick("ledger")
        instead = await self._befall(request, fault)
        if instead is not None:
            return instead
        query = request.query_params
        limit = _number(query.get("limit", "50"))
        offset = read_cursor(query["cursor"]) if "cursor" in query else 0
        begin, end = _moment(query.get("from"), 0.0), _moment(query.get("to"), 1e15)
        if limit is None or not 1 <= limit <= 100 or offset is None or begin is None or end is None:
            return self._error(
                request, 400, "Query validation error: limit 1 to 100, cursor as given, from and to ISO 8601"
            )
        entries = [
            entry
            for entry in self.account.ledger(self.now)
            if begin <= datetime.fromisoformat(entry["created_at"]).timestamp() <= end
            and query.get("direction", entry["direction"]) == entry["direction"]
            and query.get("type", entry["type"]) == entry["type"]
        ]
        has_more = offset + limit < len(entries)
        page = {"next_cursor": cursor_at(offset + limit) if has_more else None, "has_more": has_more}
        answer = self._json({"data": entries[offset : offset + limit], "pagination": page})
        return await self._spoilt(request, fault, answer)

    async def _balance(self, request: Request) -> Response:
        self.counts["balance"] += 1
        if self._key(request) is None:
            return self._unauthorized(request)
        fault = self._faults.pick("balance")
        instead = await self._befall(request, fault)
        if instead is not None:
            return instead
        left = usd(self.account.available_credits(self.now))
        return await self._spoilt(request, fault, self._json({"current_balance": left, "currency": "USD"}))

    async def _models(self, request: Request) -> Response:
        self.counts["models"] += 1
        query = request.query_params
        with_pricing = any(word in ("pricing", "all") for word in ",".join(query.getlist("include")).split(","))
        rows = []
        for model in MODELS.values():
            short = model.name.split("/")[-1]
            if "id" in query and query["id"] not in (model.name, short):
                continue
            info = {"name": short, "developer": "Alibaba Cloud"}
            row: dict[str, Any] = {"id": model.name, "aliases": [short], "type": "video", "info": info, "tags": []}
            rows.append({**row, "pricing": pricing_of(model)} if with_pricing else row)
        etag = '"' + hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:32] + '"'
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={**self._headers(), "etag": etag})
        return self._json({"object": "list", "data": rows}, 200, {"etag": etag})

    async def _metrics(self, request: Request) -> Response:
        self.counts["metrics"] += 1
        asked = request.query_params.get("aliases", "")
        rows = []
        for name in asked.split(","):
            if name in MODELS:
                mean_ms = self.options.mean_s * MODELS[name].pace * 1000
                spread = {"p50": mean_ms * 0.97, "p75": mean_ms * 1.15, "p90": mean_ms * 1.33, "p99": mean_ms * 1.7}
                rows.append({"alias": name, "endpoint": "/v2/video/generations", "metrics": {"duration_ms": spread}})
        return self._json({"window_seconds": 300, "generated_at": iso(self.now), "models": rows})

    async def _truth(self, _: Request) -> Response:
        return self._json({"requests": self.account.everything(self.now), "now": iso(self.now)})

    async def _stats(self, _: Request) -> Response:
        return self._json(
            {"counts": dict(self.counts), "running": self.account.running(self.now), "now": iso(self.now)}
        )

    # --- clips

    def _link(self, generation_id: str, lifetime_s: float) -> str:
        path = f"/wan/{hashlib.sha256(generation_id.encode()).hexdigest()[:24]}.mp4"
        expires = int(self.now + lifetime_s)
        query = {"id": generation_id, "Expires": str(expires), "OSSAccessKeyId": "sandbox"}
        signed = {**query, "Signature": self._signature(generation_id, expires)}
        return f"{self.clip_base}{path}?{urlencode(signed, quote_via=quote)}"

    def _signature(self, generation_id: str, expires: int) -> str:
        text = f"{generation_id}\n{expires}".encode()
        return hmac.new(self.account.signing_key.encode(), text, hashlib.sha256).hexdigest()

    async def _clip(self, request: Request) -> Response:
        self.counts["clip"] += 1
        if any(name in request.headers for name in ("authorization", "cookie", "x-client-request-id")):
            self.counts["leaks"] += 1
            return Response("credentials do not belong on the clip host", 400)
        query = request.query_params
        expires, generation_id = _number(query.get("Expires", "")), query.get("id", "")
        signature = self._signature(generation_id, expires or 0)
        if expires is None or not hmac.compare_digest(query.get("Signature", ""), signature):
            return _denied("SignatureDoesNotMatch")
        if expires < self.now:
            return _denied("AccessDenied: Request has expired.")
        generation = self.account.generation(generation_id, None)
        if generation is None or generation.status(self.now) != "completed":
            return Response("NoSuchKey", 404)
        fault = self._faults.pick("clip")
        instead = await self._befall(request, fault)
        if instead is not None:
            return instead
        do = fault.do if fault is not None else ""
        if do in ("garbage", "zero"):
            return Response(
                b"\x89PNG\r\n\x1a\n not a clip" * 64 if do == "garbage" else b"", 200, media_type="video/mp4"
            )
        path = await self._rendered(generation)
        if do in ("short", "truncate"):
            data = path.read_bytes()
            whole = Response(data[: len(data) // 2] if do == "short" else data, 200, media_type="video/mp4")
            return whole if do == "short" else _halved(whole)
        return FileResponse(path, media_type="video/mp4", headers={"etag": f'"{path.stem}"'})

    async def _rendered(self, generation: Generation) -> Path:
        """Return the file of a generation's clip, made on first use; the last 64 are kept."""
        task = self._clips.get(generation.generation_id)
        if task is None:
            task = asyncio.create_task(self._render(generation))
            self._clips[generation.generation_id] = task
        self._clips.move_to_end(generation.generation_id)
        path = await asyncio.shield(task)
        while len(self._clips) > CLIPS_KEPT:
            _, oldest = self._clips.popitem(last=False)
            if oldest.done() and not oldest.cancelled() and oldest.exception() is None:
                oldest.result().unlink(missing_ok=True)
        return path

    async def _render(self, generation: Generation) -> Path:
        from wanbatch.sandbox.slate import render

        digest = hashlib.sha256(f"{generation.generation_id}\n{dict(generation.body)}".encode()).hexdigest()[:32]
        path = Path(self._folder.name) / f"{digest}.mp4"
        async with self._renderers:
            await asyncio.to_thread(render, generation.generation_id, generation.body, generation.made, path)
        return path


def _halved(answer: Response) -> Response:
    """Announce the whole body and send half of it."""
    body = bytes(answer.body)

    async def half() -> Any:
        yield body[: len(body) // 2]

    headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
    return StreamingResponse(half(), answer.status_code, {**headers, "content-length": str(len(body))})


def _denied(code: str) -> Response:
    return Response(f'<?xml version="1.0"?><Error><Code>{code}</Code></Error>', 403, media_type="application/xml")


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\d{1,12}", text) else None


def _moment(text: str | None, otherwise: float) -> float | None:
    if text is None:
        return otherwise
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _window(query: Mapping[str, str], now: float) -> tuple[float, float] | None:
    """Read the log's window: `period`, or both `start` and `end`, never both ways; at most 92 days."""
    if "period" in query:
        match = re.fullmatch(r"([1-9]\d{0,4})([hd])", query["period"])
        if match is None or "start" in query or "end" in query:
            return None
        length_s = int(match[1]) * {"h": 3600.0, "d": 86_400.0}[match[2]]
        return (now - length_s, now) if length_s <= WINDOW_CAP_S else None
    begin, end = _moment(query.get("start"), -1.0), _moment(query.get("end"), -1.0)
    if begin is None or end is None or begin < 0 or end < begin or end - begin > WINDOW_CAP_S:
        return None
    return begin, end
