"""A sandbox in this process, a clock that is set by hand, and requests to it from plain test functions."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from wanbatch.sandbox import SandboxOptions, create_app
from wanbatch.sandbox.clips import Render
from wanbatch.sandbox.faults import FaultPlan, Rule

EPOCH = datetime(2026, 11, 1, 20, 0, tzinfo=UTC)
GENERATIONS = "/v2/video/generations"
LEGACY = "/v2/generate/video/alibaba/generation"
BODY = {"model": "alibaba/wan-2-6-t2v", "prompt": "a lighthouse at dusk", "resolution": "720p", "duration": 5}
SMALL = {"model": "alibaba/wan2.1-t2v-turbo", "prompt": "a lighthouse at dusk", "resolution": "480P"}


class SetClock:
    """A clock that stands still until it is told otherwise; sleeping moves it."""

    def __init__(self, start: datetime = EPOCH) -> None:
        self.start = start
        self.passed_s = 0.0

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.passed_s)

    def monotonic(self) -> float:
        return self.passed_s

    async def sleep(self, delay_s: float) -> None:
        self.passed_s += delay_s


class LocalSandbox:
    """One sandbox and a key to it."""

    def __init__(
        self,
        options: SandboxOptions | None = None,
        rules: tuple[Rule, ...] = (),
        render: Render | None = None,
        clock: SetClock | None = None,
    ) -> None:
        self.clock = clock if clock is not None else SetClock()
        self.options = options if options is not None else SandboxOptions()
        self.app = create_app(self.options, self.clock, render=render)
        self.account = self.app.state.account
        if rules:
            self.app.state.sandbox.faults = FaultPlan(rules, self.options.seed)
        self.key = "made-up"

    def close(self) -> None:
        self.account.close()

    def request(self, method: str, url: str, **more: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://api.sandbox.test") as client:
                return await client.request(method, url, **more)

        return asyncio.run(send())

    def get(self, url: str, **params: Any) -> httpx.Response:
        return self.request("GET", url, params=params, headers={"Authorization": f"Bearer {self.key}"})

    def submit(self, body: Any = None, request_id: str | None = None, url: str = GENERATIONS) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.key}"}
        if request_id is not None:
            headers["X-Client-Request-Id"] = request_id
        return self.request("POST", url, json=BODY if body is None else body, headers=headers)

    def made(self, body: Any = None, request_id: str | None = None) -> str:
        """Submit, and return the generation's id."""
        return str(self.submit(body, request_id).json()["id"])

    def poll(self, generation_id: str) -> httpx.Response:
        return self.get(GENERATIONS, generation_id=generation_id)

    def link(self, generation_id: str) -> str:
        """Return the link of a completed generation."""
        return str(self.poll(generation_id).json()["video"]["url"])

    def wait(self, seconds: float) -> None:
        self.clock.passed_s += seconds
