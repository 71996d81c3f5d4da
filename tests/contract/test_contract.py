"""What the client asks and the sandbox answers, held against the provider's contract.

The contract in our own words (`tests/sandbox/shapes.py`, `schemas/models`) is always held to. To hold client, sandbox
and our own words against the provider's published OpenAPI files as well, put these into a folder and name it:

    WANBATCH_OPENAPI=FOLDER python -m pytest tests/contract

Files of calls that wanbatch does not make are passed over; a call that has no file there is listed as a problem, except
the latency metrics, which only some collections hold.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from tests.contract.published import (
    GENERATIONS,
    Exchange,
    Operation,
    choices_of,
    fields_of,
    own_words,
    problems,
    read_folder,
)
from tests.sandbox.local import EPOCH, LocalSandbox, SetClock
from wanbatch.batch.models import PriceClass
from wanbatch.batch.shots import Recipe
from wanbatch.provider.aimlapi import AimlApi
from wanbatch.provider.endpoint import Endpoint
from wanbatch.provider.protocol import Secret
from wanbatch.sandbox import SandboxOptions
from wanbatch.sandbox.account import Arrival, key_name
from wanbatch.sandbox.faults import Rule
from wanbatch.sandbox.models import models_served

MODELS = models_served()
# Their files are newer than those of the calls, and lie with the models: `test_published_models.py` holds them.
NEWER = frozenset({"alibaba/wan-3-0-video", "alibaba/wan3.0-video"})
ADDRESSES: dict[str, Any] = {"image_url": "https://example.com/a.png", "video_urls": ["https://example.com/a.mp4"]}
OWN = own_words()
FOLDER = os.environ.get("WANBATCH_OPENAPI")
CONTRACTS = {"own words": OWN} | ({"published": read_folder(Path(FOLDER))} if FOLDER else {})
over_contracts = pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS)


class Recorder(httpx.AsyncBaseTransport):
    """Hands requests to the sandbox and keeps each exchange."""

    def __init__(self, app: Any) -> None:
        self._transport = httpx.ASGITransport(app)
        self.exchanges: list[Exchange] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._transport.handle_async_request(request)
        body = b"".join([piece async for piece in response.stream])  # type: ignore[union-attr]
        sent = await request.aread()
        self.exchanges.append(
            Exchange(
                request.method,
                request.url.path,
                tuple(request.url.params.multi_items()),
                json.loads(sent) if sent else None,
                response.status_code,
                json.loads(body) if body else None,
            )
        )
        return httpx.Response(response.status_code, headers=response.headers, stream=httpx.ByteStream(body))


async def _talk(context: LocalSandbox, clock: SetClock, recorder: Recorder) -> None:
    """Make every call that the client makes, in each state that an answer may tell of."""
    key = Secret("made-up-key")
    api = AimlApi(Endpoint("http://127.0.0.1", is_loopback=True), key, clock, Random(1), recorder)
    for number, model in enumerate(model for model in MODELS.values() if model.is_served):
        body = {name: ADDRESSES.get(name, "a lighthouse") for name in model.schema["required"]} | {"model": model.name}
        await api.submit(Recipe.of(body), f"r-{number}", lambda _: None)
    full = {
        "model": "alibaba/wan-2-6-t2v", "prompt": "a lighthouse", "negative_prompt": "fog", "aspect_ratio": "9:16", "resolution": "720p", "duration": 5, "seed": 7,
        "enhance_prompt": False, "shot_type": "multi", "generate_audio": False, "audio_url": "https://example.com/a.mp3",
    }  # fmt: skip
    await api.submit(Recipe.of(full), "r-full", lambda _: None)
    for number in range(101):  # so that the log and the ledger have a second page
        context.account.accept(
            Arrival(clock.now().timestamp(), key_name(key.reveal()), f"b-{number}"), {**full, "seed": number}
        )
    ids = [each.answer["id"] for each in recorder.exchanges]
    for wait_s in (0, 20, 2000, 1):
        await clock.sleep(wait_s)
        for generation_id in ids:
            await api.poll(generation_id)
    since = EPOCH - timedelta(days=1)
    assert await api.scan_log(since)
    assert await api.charges(since)
    await api.refunds(since)
    await api.quotes([PriceClass(model, None, None) for model in MODELS])
    for call in (api.endings, api.key_facts, api.top_up, api.account):
        await call()
    await api.aclose()


@pytest.fixture
def exchanges(sandbox_of: Callable[..., LocalSandbox]) -> list[Exchange]:
    clock = SetClock()
    options = SandboxOptions(key_scopes=("model:video",), key_limit_usd=None, auto_top_up=True)
    rules = (
        Rule("submit", "fail", nth=(2,)),
        Rule("poll", "listed", nth=(55,)),
        Rule("poll", "two_clips", nth=(56,)),
    )
    context = sandbox_of(options, rules, clock=clock)
    recorder = Recorder(context.app)
    asyncio.run(_talk(context, clock, recorder))
    return recorder.exchanges


def _is_listed(exchange: Exchange) -> bool:
    return isinstance(exchange.answer, dict) and isinstance(exchange.answer.get("video"), list)


@over_contracts
def test_every_call_of_the_client_and_every_answer_of_the_sandbox_fit(
    contract: list[Operation], exchanges: list[Exchange]
) -> None:
    # A list of clips is what newer models answer, in files of their own.
    held = [each for each in exchanges if contract is OWN or not (_is_listed(each) or _is_newer(each))]
    found = {each for exchange in held for each in problems(exchange, contract)}
    assert sorted(found) == []


def _is_newer(exchange: Exchange) -> bool:
    return isinstance(exchange.request, dict) and exchange.request.get("model") in NEWER


def test_every_kind_of_call_and_answer_was_looked_at(exchanges: list[Exchange]) -> None:
    calls = {(each.method, each.path) for each in exchanges}
    assert calls == {(each.method, each.path) for each in OWN} - {("GET", "/models/metrics")}
    polls = [each.answer for each in exchanges if (each.method, each.path) == ("GET", GENERATIONS)]
    assert {(each["status"], type(each.get("video")).__name__) for each in polls} == {
        ("queued", "NoneType"),
        ("generating", "NoneType"),
        ("completed", "dict"),
        ("completed", "list"),
        ("error", "NoneType"),
    }
    asked = {name for each in exchanges for name, _ in each.query}
    assert {"cursor", "offset", "start", "end", "from", "direction", "include", "id"} <= asked
    kinds = {row["pricing"]["kind"] for each in exchanges if each.path == "/v1/models" for row in each.answer["data"]}
    assert kinds == {"fixed", "variants", "variable"}


@over_contracts
def test_what_the_sandbox_tells_without_being_asked_fits(
    contract: list[Operation], sandbox_of: Callable[..., LocalSandbox]
) -> None:
    context = sandbox_of()
    context.made()
    context.wait(300)
    known = {each.path for each in contract}
    told = []
    for path in ("/models/metrics", "/v1/models", "/v1/models/deprecations", "/v1/key"):
        if path in known:
            exchange = Exchange("GET", path, (), None, 200, context.get(path).json())
            told += problems(exchange, contract)
    assert told == []


# --- our own words against theirs

# Fields that we allow or demand although the files do not name them, each with the place that does.
OURS_ALONE = {
    ".video[].url": "newer models give a list of clips",
    ".meta.usage.usd_spent": "shown with some models only",
    ".data[].pricing.variants[].when": "rows are described on the page on reading prices",
    ".data[].pricing.variants[].price": "the same",
    ".data[].pricing.variants[].unit": "the same",
    ".data[].pricing.variants[].per": "the same",
    ".data[].pricing.units[].name": "the same",
    ".data[].pricing.units[].measure": "the same",
    ".data[].pricing.units[].price": "the same",
    ".data[].pricing.units[].per": "the same",
}
# Fields that we demand of the sandbox although the files leave them open: it always tells them.
DEMANDED = {
    ".user_id", ".email", ".current_balance", ".currency", ".autotopup_settings", ".autotopup_settings.is_enabled",
    ".autotopup_settings.threshold", ".autotopup_settings.amount", ".autotopup_settings.currency",
    ".data[].pricing.kind", ".data[].pricing.currency", ".data[].pricing.dimensions", ".data[].pricing.variants",
    ".data[].pricing.units", ".data[].modalities.input", ".data[].modalities.output", ".data.limit.retention", ".data.limit.threshold", ".meta.usage",
}  # fmt: skip


def _parent(place: str) -> str:
    return place.rpartition(".")[0].removesuffix("[]")


def differences(ours: Operation, theirs: Operation) -> list[str]:
    """Say where our words demand, allow or lack what theirs do not: a field, a closed list, a parameter."""
    mine, other = fields_of(ours.answer), fields_of(theirs.answer)
    found = [f"{place} is not published" for place in mine if place not in other and place not in OURS_ALONE]
    due = [place for place, is_due in other.items() if is_due and _parent(place) in {"", *mine}]
    found += [f"{place} must be there" for place in due if not mine.get(place)]
    found += [
        f"{place} may be missing"
        for place, is_due in mine.items()
        if is_due and not other.get(place, True) and place not in DEMANDED
    ]
    my_choices, their_choices = choices_of(ours.answer), choices_of(theirs.answer)
    found += [
        f"{place} is one of {sorted(their_choices[place])}"
        for place, values in my_choices.items()
        if place in their_choices and values != their_choices[place]
    ]
    return found + [f"{name} is no parameter" for name in ours.parameters if name not in theirs.parameters]


@over_contracts
def test_our_own_words_are_theirs(contract: list[Operation]) -> None:
    found = []
    for ours in OWN:
        same = [
            each for each in contract if (each.method, each.path, each.model) == (ours.method, ours.path, ours.model)
        ]
        if not same and ours.path != "/models/metrics" and ours.model not in NEWER:
            found.append(f"{ours.method} {ours.path} {ours.model or ''} is not in the contract")
        found += [f"{each.source}: {text}" for each in same for text in differences(ours, each)]
    assert found == []


@over_contracts
def test_our_models_take_what_theirs_take(contract: list[Operation]) -> None:
    theirs = {each.model: each.request for each in contract if each.method == "POST" and each.path == GENERATIONS}
    found = []
    for ours in (each for each in OWN if each.method == "POST"):
        assert ours.request is not None
        request = theirs.get(ours.model)
        if request is None:
            found += [f"{ours.model} is not in the contract"] if ours.model not in NEWER else []
            continue
        mine, other = fields_of(ours.request), fields_of(request)
        found += [f"{ours.model}: {place}" for place in set(mine) ^ set(other)]
        found += [f"{ours.model}: {place} is required" for place in other if other[place] and not mine.get(place)]
        allowed, published = choices_of(ours.request), choices_of(request)
        found += [f"{ours.model}: {place}" for place in published if allowed.get(place) != published[place]]
    assert sorted(found) == []


@over_contracts
def test_the_sandboxs_models_take_what_theirs_take(contract: list[Operation]) -> None:
    theirs = {each.model: each.request for each in contract if each.method == "POST" and each.path == GENERATIONS}
    found = []
    for name, model in MODELS.items():
        if name not in theirs:  # its file is of another day
            continue
        request = theirs[name] or {}
        fields = request.get("properties", {})
        found += [f"{name}: {each}" for each in set(model.parameters) ^ set(fields)]
        closed = {each: tuple(told["enum"]) for each, told in fields.items() if "enum" in told and each != "model"}
        mine = {each: tuple(told["enum"]) for each, told in model.parameters.items() if "enum" in told}
        found += [f"{name}: {each}" for each in {*closed, *mine} if closed.get(each) != mine.get(each)]
    assert sorted(found) == []


# --- the holding itself


def written(folder: Path, answer: dict[str, Any], **call: Any) -> list[Operation]:
    document = {
        "openapi": "3.0.0",
        "paths": {
            "/v2/things": {"get": {**call, "responses": {"200": {"content": {"application/json": {"schema": answer}}}}}}
        },
    }
    (folder / "things.json").write_text(json.dumps(document), encoding="utf-8")
    return read_folder(folder)


THING = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "string"},
        "end": {"type": "string", "nullable": True},
        "kind": {"type": "string", "enum": ["a", "b"]},
        "video": {"anyOf": [{"type": "object", "properties": {}}, {"type": "array", "items": {}}, {"nullable": True}]},
        "last": {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["id", "x"]},
    },
}
LIMITED = [
    {"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 9}},
    {"name": "id", "in": "query", "required": True, "schema": {"type": "string"}},
]
NO_BODY = {"content": {"application/json": {"schema": {"type": "\u2013", "title": "\u2013"}}}}


@pytest.mark.parametrize(
    ("query", "answer", "found"),
    [
        ({"id": "x"}, {"id": "x", "end": None, "video": None, "last": {"x": 1}}, []),
        ({"id": "x", "limit": "9"}, {"id": "x", "video": [1]}, []),
        ({"limit": "10"}, {"id": "x"}, ["id is missing", "query limit:  10 is greater than the maximum of 9"]),
        ({"id": "x", "page": "1"}, {"id": "x"}, ["page is no parameter"]),
        ({"id": "x"}, {"end": 5}, ["answer:  'id' is a required property", "answer: end 5 is not valid under any of the given schemas"]),
        ({"id": "x"}, {"id": None}, ["answer: id None is not of type 'string'"]),
        ({"id": "x"}, {"id": "x", "kind": "c"}, ["answer: kind 'c' is not one of ['a', 'b']"]),
        ({"id": "x"}, {"id": "x", "last": {}}, ["answer: last 'x' is a required property"]),
    ],
)  # fmt: skip
def test_a_published_file_is_held_to(tmp_path: Path, query: dict[str, str], answer: Any, found: list[str]) -> None:
    contract = written(tmp_path, THING, parameters=LIMITED, requestBody=NO_BODY)
    exchange = Exchange("GET", "/v2/things", tuple(query.items()), None, 200, answer)
    assert sorted(problems(exchange, contract)) == found
    assert problems(Exchange("GET", "/v2/other", (), None, 200, {}), contract) == [
        "GET /v2/other is not in the contract"
    ]


def test_words_that_differ_are_found(tmp_path: Path) -> None:
    (theirs,) = written(tmp_path, THING, parameters=LIMITED)
    answer = {"type": "object", "properties": {"kind": {"enum": ["a"]}, "more": {}}, "required": ["kind"]}
    ours = Operation("GET", "/v2/things", "own words", {"limit": {}, "page": {}}, answer=answer)
    assert differences(ours, theirs) == [
        ".more is not published",
        ".id must be there",
        ".kind may be missing",
        ".kind is one of ['a', 'b']",
        "page is no parameter",
    ]
