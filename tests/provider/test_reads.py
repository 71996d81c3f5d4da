"""The reads beside polls: balance, key, prices and the ledger, each known or unknown."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any

import httpx
import pytest

from wanbatch.batch.models import PriceClass
from wanbatch.clock import LoopClock
from wanbatch.provider.aimlapi import AimlApi
from wanbatch.provider.endpoint import Endpoint, Patience
from wanbatch.provider.listed import ListedModel
from wanbatch.provider.protocol import (
    NoAnswer,
    Secret,
    Trouble,
)


def told(path: str, body: object, work: Callable[[AimlApi], Coroutine[Any, Any, Any]], status: int = 200) -> Any:
    """Ask an API whose answer to `path` is `body`; bytes are sent as they are."""

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == path
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return httpx.Response(status, stream=httpx.ByteStream(content))

    async def ask() -> Any:
        clock = LoopClock(datetime(2026, 1, 1, tzinfo=UTC), 1000)
        transport = httpx.MockTransport(answer)
        api = AimlApi(Endpoint("http://127.0.0.1", is_loopback=True), Secret("k"), clock, Random(1), transport)
        try:
            return await work(api)
        finally:
            await api.aclose()

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("body", "amount"),
    [
        ({"current_balance": 12.5, "currency": "USD"}, Decimal("12.5")),
        ({"current_balance": -3}, Decimal(-3)),
        ({"current_balance": "12.5"}, None),
        ({"current_balance": True}, None),
        ({"current_balance": None}, None),
        ({}, None),
        ([], None),
        (b"{", None),
        (b'{"current_balance": 1e999}', None),
        (b'{"current_balance": NaN}', None),
    ],
)
def test_a_balance_is_known_or_unknown_and_never_a_guess(body: object, amount: Decimal | None) -> None:
    answer = told("/v2/billing", body, lambda api: api.account())
    assert (None if isinstance(answer, NoAnswer) else answer) == amount


@pytest.mark.parametrize(("status", "trouble"), [(200, Trouble.TRANSIENT), (401, Trouble.KEY), (403, Trouble.KEY)])
def test_a_key_is_checked_by_a_free_read(status: int, trouble: Trouble) -> None:
    answer = told("/v2/billing", {"message": "no", "statusCode": status}, lambda api: api.account(), status)
    assert answer.trouble is trouble


@pytest.mark.parametrize(
    "pagination", [{"has_more": True}, {"has_more": True, "next_cursor": ""}, {"has_more": True, "next_cursor": 5}]
)
def test_a_page_that_does_not_say_where_the_next_is_makes_no_ledger(pagination: dict[str, Any]) -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    body = {"data": [], "pagination": pagination}
    assert isinstance(told("/v2/billing/transactions", body, lambda api: api.charges(since)), NoAnswer)


PRICED = PriceClass("alibaba/wan-2-6-t2v", "1080p", 10)
FIXED = {"kind": "fixed", "currency": "USD", "units": [{"name": "video", "measure": "output", "price": 1.5, "per": 1}]}


@pytest.mark.parametrize(
    ("body", "status", "price"),
    [
        ({"data": [{"id": PRICED.model, "pricing": FIXED}]}, 200, 3_000_000),
        ({"data": [{"id": "x", "aliases": [PRICED.model], "pricing": FIXED}]}, 200, 3_000_000),
        ({"data": [{"id": "x", "pricing": FIXED}]}, 200, None),
        ({"data": ["x", None, {"id": PRICED.model}]}, 200, None),
        ({"data": {"id": PRICED.model}}, 200, None),
        ({"data": [{"id": PRICED.model, "pricing": [FIXED]}]}, 200, None),
        (b"<html>", 200, None),
        ({"message": "no", "statusCode": 404}, 404, None),
    ],
)
def test_a_listed_price_is_read_or_unknown_with_its_reason(body: object, status: int, price: int | None) -> None:
    quote = told("/v1/models", body, lambda api: api.quotes([PRICED]), status)[PRICED]
    assert (quote.credits, quote.why != "") == (price, price is None)


@pytest.mark.parametrize(
    "body",
    [b"<html>", {"data": {}, "pagination": {}}, {"data": []}, {"data": [], "pagination": []}],
)
def test_half_a_ledger_is_no_ledger(body: object) -> None:
    found = told("/v2/billing/transactions", body, lambda api: api.charges(datetime(2026, 1, 1, tzinfo=UTC)))
    assert isinstance(found, NoAnswer)


def test_a_ledger_that_goes_round_in_circles_ends() -> None:
    row = {
        "created_at": "2026-01-01T00:00:00Z", "direction": "CHARGE", "type": "MODEL_USAGE", "model": None,
        "amount": {"usd": 1, "credits": 5}, "reference_id": "g",
    }  # fmt: skip
    body = {"data": [row], "pagination": {"has_more": True, "next_cursor": "again"}}
    found = told("/v2/billing/transactions", body, lambda api: api.charges(datetime(2026, 1, 1, tzinfo=UTC)))
    assert isinstance(found, NoAnswer)  # half a ledger would show charges as missing


def test_a_ledger_without_end_is_read_to_a_bound() -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        body = {"data": [], "pagination": {"has_more": True, "next_cursor": f"{len(asked)}"}}
        return httpx.Response(200, stream=httpx.ByteStream(json.dumps(body).encode()))

    async def read() -> Any:
        endpoint = Endpoint("http://127.0.0.1", is_loopback=True, patience=Patience(ledger_pages=3))
        clock = LoopClock(datetime(2026, 1, 1, tzinfo=UTC), 1000)
        api = AimlApi(endpoint, Secret("k"), clock, Random(1), httpx.MockTransport(answer))
        try:
            return await api.charges(datetime(2026, 1, 1, tzinfo=UTC))
        finally:
            await api.aclose()

    found = asyncio.run(read())
    assert (found, len(asked)) == (NoAnswer(Trouble.TRANSIENT, "the ledger has more than 3 pages"), 3)


def document(size_bytes: int) -> bytes:
    """An OpenAPI file of exactly this size that describes the requests of one model."""
    request = {"type": "object", "properties": {"model": {"enum": ["a/one"]}, "prompt": {"type": "string"}}}
    body = {"requestBody": {"content": {"application/json": {"schema": request}}}}
    bare = json.dumps({"paths": {"/v2/video/generations": {"post": body}}, "info": ""})
    return bare.replace('"info": ""', f'"info": "{"x" * (size_bytes - len(bare))}"').encode()


@pytest.mark.parametrize(("more", "is_read"), [(0, True), (1, False)])
def test_the_file_of_a_model_is_read_up_to_2_mib(more: int, is_read: bool) -> None:
    model = ListedModel("a/one", (), "http://127.0.0.1/docs-json?model=a%2Fone", None)
    body = document(2 * 1024 * 1024 + more)
    answer = told("/docs-json", body, lambda api: api.published_schema(model, "a/one"))
    if is_read:
        assert list(answer.schema["properties"]) == ["model", "prompt"]
    else:
        words = "its file is encoded, or larger than 2,097,152 bytes, the most that wanbatch reads of one"
        assert answer == NoAnswer(Trouble.INVALID, words)
