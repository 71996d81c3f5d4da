"""The pages of the ledger: a charge counts as often as it was made, however the pages overlap."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wanbatch.clock import LoopClock
from wanbatch.money.charge import Charge
from wanbatch.money.ledger import entries_in
from wanbatch.provider.aimlapi import AimlApi
from wanbatch.provider.endpoint import Endpoint
from wanbatch.provider.protocol import NoAnswer, Secret

AT = datetime(2026, 11, 1, tzinfo=UTC)


def row(number: int, at: datetime = AT) -> dict[str, Any]:
    return {
        "created_at": (at + timedelta(seconds=number)).isoformat(), "direction": "CHARGE", "type": "MODEL_USAGE",
        "amount": {"usd": 1, "credits": 2_000_000}, "model": "m", "reference_id": f"g{number}",
    }  # fmt: skip


class Stream(httpx.AsyncByteStream):
    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._body


class Ledger(httpx.AsyncBaseTransport):
    """A ledger, newest first. `pushed` entries arrive after each page; with `slides` they move the pages on. A page holds
    `at_most` so many, whatever is asked for.
    """

    def __init__(
        self, rows: list[dict[str, Any]], pushed: int = 0, *, slides: bool = False, at_most: int = 100
    ) -> None:
        self.rows = rows
        self.pushed = pushed
        self.slides = slides
        self.at_most = at_most
        self.readings = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        query = request.url.params
        limit, place = min(self.at_most, int(query["limit"])), int(query.get("cursor", 0))
        self.readings += "cursor" not in query
        page = self.rows[place : place + limit]
        has_more = place + limit < len(self.rows)
        new = [row(10_000 + len(self.rows) + n) for n in range(self.pushed)][::-1]
        self.rows = new + self.rows
        following = place + limit + (0 if self.slides else len(new))
        body = {"data": page, "pagination": {"has_more": has_more, "next_cursor": str(following)}}
        return httpx.Response(200, stream=Stream(json.dumps(body).encode()))


def read(ledger: Ledger) -> Counter[str]:
    async def once() -> Counter[str]:
        clock = LoopClock(AT)
        api = AimlApi(Endpoint("http://127.0.0.1", is_loopback=True), Secret("k"), clock, Random(1), ledger)
        found = await api.charges(AT)
        await api.aclose()
        assert not isinstance(found, NoAnswer)
        return Counter(each.generation_id for each in found if int(each.generation_id[1:]) < 10_000)

    return asyncio.run(once())


def test_two_equal_entries_of_one_page_are_two_charges() -> None:
    ledger = Ledger([row(2), row(1), row(1), row(0)])
    assert (read(ledger), ledger.readings) == (Counter(g0=1, g1=2, g2=1), 1)


@pytest.mark.parametrize("doubled", [250, 151, 150, 149, 50])
@pytest.mark.parametrize("copies", [2, 3])
def test_equal_entries_at_a_seam_are_as_many_charges(doubled: int, copies: int) -> None:
    numbers = sorted([*range(251), *[doubled] * (copies - 1)], reverse=True)
    counts = Counter(f"g{number}" for number in range(251))
    counts[f"g{doubled}"] = copies
    assert read(Ledger([row(number) for number in numbers])) == counts


@pytest.mark.parametrize("at_most", [50, 20, 4])
@pytest.mark.parametrize("doubled", [201, 231, 247])
def test_equal_entries_at_a_seam_are_as_many_charges_where_pages_are_shorter_than_asked_for(
    doubled: int, at_most: int
) -> None:
    numbers = sorted([*range(251), doubled], reverse=True)
    counts = Counter(f"g{number}" for number in numbers)
    assert read(Ledger([row(number) for number in numbers], at_most=at_most)) == counts


@pytest.mark.parametrize("apart", [101, 150, 251, 600])
def test_equal_entries_more_than_a_page_apart_are_two_charges(apart: int) -> None:
    numbers = [1, *range(700, 700 - apart, -1), 1, 0]
    ledger = Ledger([row(number, AT + timedelta(days=number == 1)) for number in numbers])
    assert read(ledger) == Counter(f"g{number}" for number in numbers)


def test_a_page_that_slides_back_by_more_than_a_page_counts_nothing_twice() -> None:
    rows = [Charge(f"g{number}", 1, AT) for number in range(9, -1, -1)]
    assert entries_in([rows[:4], rows[4:8], rows[2:6], rows[6:]]) == (Counter(rows), True)


@pytest.mark.parametrize("pushed", [1, 3, 40])
def test_pages_that_slide_onto_each_other_count_nothing_twice(pushed: int) -> None:
    ledger = Ledger([row(number) for number in range(250, -1, -1)], pushed, slides=True)
    assert read(ledger) == Counter(f"g{number}" for number in range(251))


def test_new_entries_behind_a_steady_cursor_cost_no_second_reading() -> None:
    ledger = Ledger([row(number) for number in range(250, -1, -1)], 3)
    assert (read(ledger), ledger.readings) == (Counter(f"g{number}" for number in range(251)), 1)


@given(
    numbers=st.lists(st.integers(0, 9), max_size=40),
    limit=st.integers(1, 8),
    slides=st.lists(st.integers(0, 3), max_size=40),
)
def test_no_reading_counts_a_charge_that_was_not_made(numbers: list[int], limit: int, slides: list[int]) -> None:
    rows = [Charge(f"g{number}", 1, AT) for number in sorted(numbers, reverse=True)]
    pages, place = [], 0
    for slide in [*slides, *[0] * 50]:
        pages.append(rows[place : place + limit])
        place = max(0, place + limit - min(slide, limit - 1))
    counts, has_seam = entries_in(pages)
    assert set(counts) == set(rows)
    assert not counts - Counter(rows)
    assert has_seam or counts == Counter(rows)
