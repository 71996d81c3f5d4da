"""How long a download took, and what does not count as one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.worlds import Hosts, World, batch_of
from wanbatch.runner.events import Event
from wanbatch.runner.loop import Runner

DRAWN_S = 90


@dataclass
class DrawnFirst(httpx.AsyncBaseTransport):
    """A clip host that draws each clip for a while before it sends it, and says so."""

    host: httpx.AsyncBaseTransport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(DRAWN_S)
        answer = await self.host.handle_async_request(request)
        answer.headers["server-timing"] = f"draw;dur={1000 * DRAWN_S}"
        return answer


def test_a_download_is_no_longer_for_the_drawing_of_its_clip(tmp_path: Path) -> None:
    def observe(_: Runner, __: Event) -> None:
        hosts = world.hosts
        assert isinstance(hosts, Hosts)
        if not isinstance(hosts._clips, DrawnFirst):
            hosts._clips = DrawnFirst(hosts._clips)  # type: ignore[assignment]

    world = World(tmp_path / "out", observe=observe)
    world.run(batch_of(3))
    takes = world.takes()
    waits_s = [(take.verified_at - take.completed_at).total_seconds() for take in takes]  # type: ignore[operator]
    assert min(waits_s) >= DRAWN_S
    assert [take.download_s for take in takes] == [0.0, 0.0, 0.0]
