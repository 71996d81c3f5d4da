"""Pages of the log and of the ledger that contradict themselves: what may be missing counts as unread."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any

import httpx
import pytest

from wanbatch.clock import LoopClock
from wanbatch.money.charge import Charge, sum_text
from wanbatch.provider.aimlapi import AimlApi
from wanbatch.provider.endpoint import Endpoint
from wanbatch.provider.protocol import LogScan, NoAnswer, Secret

NOW = datetime(2026, 11, 1, 20, 0, tzinfo=UTC)
SINCE = datetime(2026, 11, 1, tzinfo=UTC)
Page = Callable[[Mapping[str, str]], Mapping[str, Any]]


def asked(page: Page, work: Callable[[AimlApi], Coroutine[Any, Any, Any]]) -> tuple[Any, int]:
    """Ask an API whose pages are made by `page` from the query; returns the answer and how many pages were read."""
    count = 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal count
        count += request.url.path != "/v2/billing"  # what tells the provider's clock
        body = page(dict(request.url.params)) if request.url.path != "/v2/billing" else {"current_balance": 1}
        headers = {"date": "Sun, 01 Nov 2026 20:00:00 GMT"}
        return httpx.Response(200, headers=headers, stream=httpx.ByteStream(json.dumps(body).encode()))

    async def ask() -> Any:
        clock = LoopClock(NOW, 1000)
        api = AimlApi(
            Endpoint("http://127.0.0.1", is_loopback=True), Secret("k"), clock, Random(1), httpx.MockTransport(answer)
        )
        try:
            return await work(api)
        finally:
            await api.aclose()

    return asyncio.run(ask()), count


def log_row(number: int, request_id: str | None, made: str | None) -> dict[str, Any]:
    at = f"2026-11-01T10:{number // 60 % 60:02d}:{number % 60:02d}.{number:06d}Z"
    return {"created": at, "client_request_id": request_id, "inference_id": made, "status": "succeeded", "cost": None}


def scanned(*rows: dict[str, Any], total: int | None = None, has_more: bool = False) -> tuple[Any, int]:
    """Read a log of these rows, page by page."""

    def page(query: Mapping[str, str]) -> Mapping[str, Any]:
        offset, limit = int(query["offset"]), int(query["limit"])
        counted = len(rows) if total is None else total
        pagination = {"limit": limit, "offset": offset, "total": counted, "has_more": has_more}
        return {"data": rows[offset : offset + limit], "pagination": pagination}

    return asked(page, lambda api: api.scan_log(SINCE))


def test_a_log_that_says_more_follows_than_it_counts_is_unread() -> None:
    rows = [log_row(number, None, f"g{number}") for number in range(230)]
    whole, _ = scanned(*rows)
    assert isinstance(whole, LogScan)
    assert len(whole.other_ids) == 230
    short, _ = scanned(*rows[:100], total=100, has_more=True)
    assert isinstance(short, NoAnswer)
    assert "says that more follow" in short.message


def test_a_log_that_would_take_days_to_read_is_unread_at_once() -> None:
    def page(query: Mapping[str, str]) -> Mapping[str, Any]:
        row = log_row(int(query["offset"]), None, f"g{query['offset']}")
        return {"data": [row], "pagination": {"limit": 1, "offset": 0, "total": 10**9, "has_more": True}}

    found, count = asked(page, lambda api: api.scan_log(SINCE))
    assert isinstance(found, NoAnswer)
    assert "more than 20,000 pages" in found.message
    assert count <= 3  # each try reads one page


@pytest.mark.parametrize(
    ("request_id", "is_nameless"),
    [
        (None, True),
        ("", True),
        ("WB1:NONCE:RECIPE:2.1", True),
        ("x-wb1:nonce:recipe:2.1", True),
        ("wb1%3Anonce%3Arecipe%3A2.1", True),
        ("wb1_nonce_recipe_2_1", True),
        ("wb1:nonc", True),  # cut on the way
        ("wb1:nonce:recipe", True),
        ("wb1:nonce:recipe:2", True),
        ("wb1:nonce:recipe:2.1.1", True),
        ("job 7", False),
    ],
)
def test_a_row_whose_id_may_be_one_of_ours_that_was_changed_explains_no_charge(
    request_id: str | None, is_nameless: bool
) -> None:
    found, _ = scanned(log_row(1, request_id, "made"))
    assert (found.other_ids, found.nameless_ids) == ({"made"}, {"made"} if is_nameless else set())


def test_a_row_without_a_generation_explains_no_charge_without_a_reference() -> None:
    found, _ = scanned(log_row(1, "job 7", None), log_row(2, None, None))
    assert (found.other_ids, found.nameless_ids) == (set(), set())


def charge_row(made: str) -> dict[str, Any]:
    return {
        "created_at": "2026-11-01T10:00:00Z", "direction": "CHARGE", "type": "MODEL_USAGE", "model": "m",
        "amount": {"usd": 1, "credits": 5}, "reference_id": made,
    }  # fmt: skip


def test_the_ledger_is_read_on_where_a_cursor_follows_though_nothing_more_should() -> None:
    pages = {"": ([charge_row("one")], "b"), "b": ([charge_row("two")], "c"), "c": ([], None)}

    def page(query: Mapping[str, str]) -> Mapping[str, Any]:
        rows, cursor = pages[query.get("cursor", "")]
        return {"data": rows, "pagination": {"next_cursor": cursor, "has_more": False}}

    found, _ = asked(page, lambda api: api.charges(SINCE))
    assert {each.generation_id for each in found} == {"one", "two"}


@pytest.mark.parametrize(
    ("charge", "name", "amount"),
    [
        (Charge("g", 2_000_000, SINCE), "g", "1.00 USD"),
        (
            Charge("", 2_000_000, SINCE, is_legible=False),
            "an entry of 2026-11-01 00:00:00 UTC without a reference",
            "1.00 USD",
        ),
        (Charge("g", 0, SINCE, is_legible=False), "g", "an unknown amount"),
    ],
)
def test_a_charge_has_a_name_and_an_amount_that_is_never_zero_where_it_is_unknown(
    charge: Charge, name: str, amount: str
) -> None:
    assert (charge.name, sum_text([charge])) == (name, amount)
    assert sum_text([charge, Charge("h", 0, SINCE, is_legible=False)]) in (amount, f"{amount} and an unknown amount")
