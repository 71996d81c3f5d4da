"""Prices: what is read from a list, from answers and from earlier batches, and what is not taken for money."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import httpx
import pytest

from tests.reporting.states import begin, shot, write_run
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.models import PriceClass
from wanbatch.batch.shots import Batch, Recipe
from wanbatch.clock import LoopClock
from wanbatch.money.credits import read_credits
from wanbatch.money.prices import UNKNOWN_QUOTE, Estimate, Quote, best_quote, estimate, unknown_quote
from wanbatch.money.seen_prices import held_prices, prices_now, seen_prices
from wanbatch.provider.aimlapi import AimlApi
from wanbatch.provider.answers import Head, read_balance, read_submit
from wanbatch.provider.catalogue import pricing_in
from wanbatch.provider.endpoint import Endpoint
from wanbatch.provider.pricecache import KEPT_FOR, Listed, PriceCache, read_etag
from wanbatch.provider.protocol import Accepted, NoAnswer
from wanbatch.state.history import earlier_prices
from wanbatch.state.tables import quoted

CLASS = PriceClass("alibaba/wan-2-6-t2v", "1080p", 10)
SMALL = PriceClass("alibaba/wan-2-6-t2v", "720p", 5)
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ROW = {"when": {"resolution": "1080p", "duration": 10}, "price": 0.1575, "unit": "second", "per": 1}
LIST = {"kind": "variants", "currency": "USD", "dimensions": ["resolution", "duration"], "variants": [ROW]}

BAD_CREDITS = [
    None, -1, -3_150_000, 1.5, 3_150_000.25, math.nan, math.inf, -math.inf, 1e30, 10**16, True, False, "3150000", "3,150,000",
    "", "free", [], [3_150_000], {}, {"credits": 3_150_000}, b"3150000", Decimal(5),
]  # fmt: skip


@pytest.mark.parametrize("value", BAD_CREDITS, ids=repr)
def test_credits_that_are_none_are_unknown_and_never_0(value: object) -> None:
    assert read_credits(value) is None


@pytest.mark.parametrize(
    "value", [each for each in [*BAD_CREDITS, 0, 0.0] if not isinstance(each, bytes | Decimal)], ids=repr
)
def test_a_hold_that_is_none_is_unknown(value: object) -> None:
    body = json.dumps({"id": "g", "status": "queued", "meta": {"usage": {"credits_used": value}}}).encode()
    answer = read_submit(Head(200, {"x-inference-id": "g"}), body, "r")
    held = answer.credits_held if isinstance(answer, Accepted) else "no answer"
    assert held in (None, "no answer")  # NaN is no JSON: then the header alone tells the id


@pytest.mark.parametrize(
    "meta", [None, [], "x", 5, {"usage": None}, {"usage": []}, {"usage": "3150000"}, {"usage": {}}]
)
def test_a_hold_in_another_shape_is_unknown(meta: object) -> None:
    body = json.dumps({"id": "g", "status": "queued", "meta": meta}).encode()
    answer = read_submit(Head(200, {"x-inference-id": "g"}), body, "r")
    assert isinstance(answer, Accepted)
    assert answer.credits_held is None


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"null", b'{"current_balance": "5", "currency": "USD"}',
    b'{"current_balance": true}', b'{"current_balance": null}', b'{"current_balance": [5]}', b'{"current_balance": 1e999}',
    b'{"current_balance": 5, "currency": "EUR"}', b"{", b"\xff"])  # fmt: skip
def test_a_balance_that_is_none_is_no_answer(body: bytes) -> None:
    assert isinstance(read_balance(body), NoAnswer)


def test_a_balance_is_exact_and_may_be_below_0() -> None:
    assert [read_balance(b'{"current_balance": 0.1}'), read_balance(b'{"current_balance": -3}')] == [
        Decimal("0.1"),
        Decimal(-3),
    ]


# --- which source is believed


def live(credit_count: int | None) -> Quote:
    return Quote(credit_count, "price list", is_live=True)


@pytest.mark.parametrize(
    ("seen", "listed", "earlier", "told"),
    [
        ({CLASS: 7}, live(5), {CLASS: 6}, (7, "this batch", 5, 7)),
        ({}, live(5), {CLASS: 6}, (5, "price list", 5, 6)),
        ({}, Quote(5, "list from 3 h ago"), {CLASS: 6}, (6, "earlier batches", 5, 6)),
        ({}, Quote(5, "list from 3 h ago"), {}, (5, "list from 3 h ago", 5, 5)),
        ({}, live(None), {}, (3_150_000, "documentation", 3_150_000, 3_150_000)),
        ({}, None, {}, (3_150_000, "documentation", 3_150_000, 3_150_000)),
    ],
)
def test_the_nearest_source_is_believed_and_the_others_widen_the_range(
    seen: dict[PriceClass, int],
    listed: Quote | None,
    earlier: dict[PriceClass, int],
    told: tuple[int, str, int, int],
) -> None:
    quote = best_quote(CLASS, seen, listed, earlier)
    assert (quote.credits, quote.source, quote.low, quote.high) == told


def test_a_class_that_no_source_names_is_unknown() -> None:
    assert best_quote(PriceClass("m", None, None), {}, live(None)) == UNKNOWN_QUOTE
    assert (UNKNOWN_QUOTE.low, UNKNOWN_QUOTE.high) == (None, None)


def test_a_hold_below_the_price_lowers_the_range_and_not_the_expectation() -> None:
    quote = best_quote(CLASS, {CLASS: 10}, None, {}, {CLASS: 4})
    assert (quote.credits, quote.low, quote.high, quote.is_proven) == (10, 4, 10, True)


def test_an_estimate_is_a_range_and_counts_what_it_cannot_price() -> None:
    quotes = {CLASS: Quote(10, "x", (8, 12)), SMALL: Quote(5, "x")}
    found = estimate([CLASS, CLASS, SMALL, PriceClass("m", None, None)], quotes, tries=2)
    assert found == Estimate(credits=25, takes=4, unpriced=1, low=21, worst=58)


# --- what this project paid before


def sent(
    folder: Path, charged: int | None, *, base_url: str = "https://api.example.com/v2", estimated: int = 10
) -> Path:
    pen = begin(folder, Batch(folder.name, (shot("a", 0), shot("b", 1))), base_url=base_url)
    pen.lead(1, State.VERIFIED, held=12, estimated=estimated, charged=charged, label="a_t1")
    write_run(pen)
    pen.state.close()
    return folder


def test_earlier_batches_of_the_same_provider_tell_what_was_charged(tmp_path: Path) -> None:
    sent(tmp_path / "one", 11)
    sent(tmp_path / "elsewhere", 99, base_url="https://other.example.com")
    sent(tmp_path / "unpaid", None)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "state.sqlite").write_bytes(b"no database")
    found = earlier_prices(tmp_path / "now", "https://api.example.com/v2")
    assert found == {SMALL: 11}
    assert earlier_prices(tmp_path / "one", "https://api.example.com/v2") == {}
    assert earlier_prices(tmp_path / "nowhere" / "deep", "https://api.example.com/v2") == {}


def test_a_charge_of_0_names_no_price(tmp_path: Path) -> None:
    pen = begin(tmp_path, Batch("b", (shot("a", 0),)))
    pen.lead(1, State.VERIFIED, held=12, estimated=10, label="a_t1")
    pen.tell(1, Fact.CHARGED, generation_id="gen-1", credits_charged=0)
    takes = pen.state.takes()
    assert (seen_prices(takes), held_prices(takes)) == ({}, {SMALL: 12})
    pen.state.close()


def test_what_a_take_costs_now_is_what_was_seen_else_the_newest_quote(tmp_path: Path) -> None:
    pen = begin(tmp_path, Batch("b", (shot("a", 0),)))
    write_run(pen)
    run = pen.state.runs()[0]
    quotes = [
        quoted(run, SMALL, Quote(5, "x")),
        quoted(run, CLASS, Quote(9, "x")),
        quoted(run, PriceClass("m", None, None), UNKNOWN_QUOTE),
    ]
    pen.state.store_run(run, quotes)
    pen.lead(1, State.VERIFIED, held=12, estimated=10, charged=12, label="a_t1")
    takes, quotes = pen.state.takes(), pen.state.quotes()
    waiting = replace(takes[0], state=State.PLANNED, credits_held=None, credits_charged=None, is_charge_seen=False)
    unsent = replace(waiting, recipe_json=Recipe.of({"model": CLASS.model, "prompt": "p"}).canonical)
    assert prices_now([*takes, unsent], quotes) == {takes[0].price_class: 12, CLASS: 9}
    pen.state.close()


# --- the price_cache of price lists


class Lister:
    """A provider's price list with an ETag; counts what it answered."""

    def __init__(self) -> None:
        self.pricing: object = LIST
        self.etag: str | None = '"one"'
        self.down = False
        self.body: bytes | None = None
        self.answered: list[int] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            self.answered.append(503)
            return httpx.Response(503, stream=httpx.ByteStream(b"later"))
        headers = {"etag": self.etag} if self.etag else {}
        if self.etag and request.headers.get("if-none-match") == self.etag:
            self.answered.append(304)
            return httpx.Response(304, headers=headers, stream=httpx.ByteStream(b""))
        self.answered.append(200)
        if self.body is not None:
            return httpx.Response(200, stream=httpx.ByteStream(self.body))
        body = {"object": "list", "data": [{"id": CLASS.model, "pricing": self.pricing}]}
        return httpx.Response(200, stream=httpx.ByteStream(json.dumps(body).encode()), headers=headers)


@pytest.fixture
def lister() -> Lister:
    return Lister()


@pytest.fixture
def ask(lister: Lister, tmp_path: Path) -> Callable[[], dict[PriceClass, Quote]]:
    def work() -> dict[PriceClass, Quote]:
        async def quotes() -> dict[PriceClass, Quote]:
            api = AimlApi(
                Endpoint("http://127.0.0.1", is_loopback=True),
                None,
                LoopClock(NOW, 10_000),
                Random(1),
                httpx.MockTransport(lister),
            )
            api.price_cache = PriceCache("https://api.example.com", tmp_path / "cache" / "prices.json")
            try:
                return await api.quotes([CLASS])
            finally:
                await api.aclose()

        return asyncio.run(quotes())

    return work


def test_a_list_that_did_not_change_is_confirmed_and_not_sent_again(
    lister: Lister, ask: Callable[[], dict[PriceClass, Quote]]
) -> None:
    first, second = ask(), ask()
    assert (first, lister.answered) == (second, [200, 304])
    assert first == {CLASS: Quote(3_150_000, "price list", is_live=True)}


def test_a_live_list_wins_over_the_kept_one_also_without_a_price(
    lister: Lister, ask: Callable[[], dict[PriceClass, Quote]]
) -> None:
    ask()
    lister.pricing, lister.etag = {**LIST, "variants": [{**ROW, "price": 0.2}]}, '"two"'
    dearer = ask()
    lister.pricing, lister.etag = {"kind": "variable"}, '"three"'
    why = "the provider sets the price of this model only after the request (its list says 'variable')"
    assert (dearer[CLASS].credits, ask()) == (4_000_000, {CLASS: unknown_quote(why)})
    lister.down = True
    assert ask() == {CLASS: unknown_quote(f"{why} (list from just now)")}  # the newest that was heard had no price


def test_what_is_no_list_replaces_none(lister: Lister, ask: Callable[[], dict[PriceClass, Quote]]) -> None:
    ask()
    lister.body, lister.etag = b"<html>Sign in to the network</html>", None
    assert ask() == {CLASS: Quote(3_150_000, "list from just now")}


def test_a_model_is_found_by_its_id_first_and_by_any_of_its_names() -> None:
    older = {"id": "x/older", "aliases": [CLASS.model], "pricing": 1}
    exact = {"id": CLASS.model, "aliases": ["wan"], "pricing": 2}
    broken = {"id": 5, "aliases": CLASS.model}
    rows = [[older, exact], [older], [broken, "x"], [exact]]
    found = [pricing_in({"data": each}, CLASS.model) for each in rows] + [pricing_in({"data": [exact]}, "wan")]
    assert found == [2, 1, None, 2, 2]


def test_where_nothing_answers_the_kept_list_stands_in_with_its_age(
    lister: Lister, ask: Callable[[], dict[PriceClass, Quote]], tmp_path: Path
) -> None:
    ask()
    path = tmp_path / "cache" / "prices.json"
    kept = json.loads(path.read_text())
    row = kept["https://api.example.com"][CLASS.model]
    row["at"] = (datetime.fromisoformat(row["at"]) - timedelta(hours=3, minutes=5)).isoformat()
    path.write_text(json.dumps(kept))
    lister.down = True
    assert ask() == {CLASS: Quote(3_150_000, "list from 3 h ago")}
    row["at"] = (datetime.fromisoformat(row["at"]) - KEPT_FOR).isoformat()
    path.write_text(json.dumps(kept))
    why = "wanbatch could not ask the provider: HTTP 503, server said: no readable reason"
    assert ask() == {CLASS: unknown_quote(why)}


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '"x"', '{"https://api.example.com": []}', '{"https://api.example.com": {"alibaba/wan-2-6-t2v": []}}',
     '{"https://api.example.com": {"alibaba/wan-2-6-t2v": {"pricing": {}, "etag": 5, "at": "2026-03-01T11:00:00+00:00"}}}',
     '{"https://api.example.com": {"alibaba/wan-2-6-t2v": {"pricing": {}, "etag": "", "at": "yesterday"}}}',
     '{"https://api.example.com": {"alibaba/wan-2-6-t2v": {"pricing": {}, "etag": "", "at": "2026-03-01T11:00:00"}}}'],
)  # fmt: skip
def test_a_price_cache_that_cannot_be_read_is_empty_and_is_written_anew(tmp_path: Path, text: str) -> None:
    path = tmp_path / "prices.json"
    path.write_text(text)
    price_cache = PriceCache("https://api.example.com", path)
    assert price_cache.get(CLASS.model, NOW) is None
    price_cache.keep(CLASS.model, Listed(LIST, '"e"', NOW))
    assert price_cache.get(CLASS.model, NOW) == Listed(LIST, '"e"', NOW)


def test_a_cache_that_cannot_be_written_stays_empty(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    cache = PriceCache("p", tmp_path / "file" / "prices.json")
    cache.keep("m", Listed(LIST, "", NOW))
    assert (cache.get("m", NOW), (tmp_path / "file").read_text()) == (None, "x")


@pytest.mark.parametrize(
    ("text", "etag"),
    [
        ('"abc"', '"abc"'),
        ('W/"abc"', 'W/"abc"'),
        (None, ""),
        ("abc", ""),
        ('"a\r\nb"', ""),
        ('"a"b"', ""),
        ('"' + "x" * 300 + '"', ""),
    ],
)
def test_only_an_etag_is_sent_back(text: str | None, etag: str) -> None:
    assert read_etag(text) == etag


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "just now"), (-5, "just now"), (90, "1 min ago"), (7_300, "2 h ago"), (200_000, "2 d ago")],
)
def test_the_age_of_a_list_is_told(seconds: int, text: str) -> None:
    listed = Listed(None, "", NOW - timedelta(seconds=seconds))
    assert listed.age_text(NOW) == f"list from {text}"
