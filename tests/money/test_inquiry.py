"""What the provider is asked before a run: endings, keys, top-ups; what is told of it, what stops, what does not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

import wanbatch
from tests.money.test_screens import preview
from tests.worlds import World, batch_of, jump
from wanbatch.batch.lifecycle import Fact
from wanbatch.batch.models import PriceClass
from wanbatch.cli.money import preview_json
from wanbatch.clock import LoopClock
from wanbatch.errors import ExitCode, UsageInvalid
from wanbatch.money.prices import Estimate, Quote, unknown_quote
from wanbatch.provider.account import KeyFacts, TopUp, read_key, read_top_up
from wanbatch.provider.aimlapi import AimlApi
from wanbatch.provider.bodies import AnswerInvalid
from wanbatch.provider.endings import Ending, Stage, ending_of, read_endings
from wanbatch.provider.endpoint import Endpoint
from wanbatch.provider.inquiry import Inquiry, inquire, not_asked
from wanbatch.provider.pricecache import PriceCache
from wanbatch.provider.protocol import NoAnswer, Secret, Trouble
from wanbatch.provider.remarks import Intent, Remark, Weight, remarks_of
from wanbatch.runner.settings import RunSettings
from wanbatch.session.safeguards import refused
from wanbatch.state.reader import StateReader

NOW = datetime(2026, 9, 15, 12, 0, tzinfo=UTC)
CLASS = PriceClass("alibaba/wan-2-6-t2v", "720p", 5)


def row(**facts: Any) -> dict[str, Any]:
    told = {
        "id": "alibaba/wan-old", "aliases": ["wan-old"], "status": "deprecated", "deprecated_at": "2026-08-24",
        "shutdown_at": "2026-10-01", "replaced_by": "alibaba/wan-new", "reason": None,
    }  # fmt: skip
    return {**told, **facts}


def ending(**facts: Any) -> Ending:
    return read_endings({"data": [row(**facts)]})[0]


# --- models that are retired


@pytest.mark.parametrize(
    ("facts", "stage", "text"),
    [
        ({}, Stage.ANNOUNCED, "m will be retired on 2026-10-01; the provider names alibaba/wan-new as its replacement"),
        ({"shutdown_at": "2026-10-01T08:00:00.000Z"}, Stage.ANNOUNCED, "m will be retired on 2026-10-01; the provider names alibaba/wan-new as its replacement"),
        ({"shutdown_at": None, "replaced_by": None}, Stage.ANNOUNCED, "m will be retired, but the provider has not named the date"),
        ({"shutdown_at": "soon", "replaced_by": None}, Stage.ANNOUNCED, "m will be retired on soon"),
        ({"shutdown_at": 1790000000, "replaced_by": ["x"]}, Stage.ANNOUNCED, "m will be retired, but the provider has not named the date"),
        ({"shutdown_at": "2026-09-15"}, Stage.ANNOUNCED, "m will be retired on 2026-09-15; the provider names alibaba/wan-new as its replacement"),
        ({"shutdown_at": "2026-09-14"}, Stage.GONE, "m is gone: the provider withdrew it on 2026-09-14; the provider names alibaba/wan-new as its replacement"),
        ({"shutdown_at": "2026-09-15T14:00:00+02:00"}, Stage.GONE, "m is gone: the provider withdrew it on 2026-09-15; the provider names alibaba/wan-new as its replacement"),
        ({"status": "withdrawn", "shutdown_at": None, "replaced_by": None}, Stage.GONE, "m is gone: the provider withdrew it"),
        ({"status": "Withdrawn", "replaced_by": None, "reason": "upstream\nclosed it"}, Stage.GONE, "m is gone: the provider withdrew it on 2026-10-01 (upstream closed it)"),
        ({"status": "superseded", "shutdown_at": "2026-01-01", "replaced_by": None}, Stage.FOLDED, "the provider now serves another model under the name m"),
        ({"status": "paused", "shutdown_at": "2026-01-01", "replaced_by": None}, Stage.GONE, "m is gone: the provider withdrew it on 2026-01-01"),
        ({"status": "superseded", "shutdown_at": None}, Stage.FOLDED, "the provider now serves another model under the name m; the provider names alibaba/wan-new as its replacement"),
        ({"status": "paused", "replaced_by": None}, Stage.UNCLEAR, "the provider lists m among the models that are retired, with the status 'paused'"),
        ({"status": None, "replaced_by": None}, Stage.UNCLEAR, "the provider lists m among the models that are retired, with the status 'unknown'"),
    ],
    ids=repr,
)  # fmt: skip
def test_each_row_has_one_meaning(facts: dict[str, Any], stage: Stage, text: str) -> None:
    found = ending(**facts)
    assert (found.stage(NOW), found.text("m", NOW)) == (stage, text)


def test_a_model_is_named_by_its_id_or_any_alias_and_the_furthest_row_counts() -> None:
    rows = [
        row(),
        row(status="withdrawn", id="other", aliases=["wan-old"]),
        row(id="x", aliases="wan-old"),
        5,
        {"id": 7},
    ]
    found = read_endings({"data": rows})
    told = [ending_of(found, name, NOW) for name in ("alibaba/wan-old", "wan-old", "other", "WAN-OLD", "x")]
    assert [each and each.status for each in told] == ["deprecated", "withdrawn", "withdrawn", None, "deprecated"]


@pytest.mark.parametrize("fields", [{}, {"data": None}, {"data": {"id": "m"}}, {"data": "m"}])
def test_what_is_no_list_tells_of_no_end(fields: dict[str, Any]) -> None:
    with pytest.raises(AnswerInvalid):
        read_endings(fields)


# --- the key and the account


@pytest.mark.parametrize(
    ("data", "facts"),
    [
        ({"prefix": "made-up-", "disabled": False}, KeyFacts(True, False, None, None)),
        (
            {"prefix": "made-up-", "disabled": True, "scopes": ["model:video"], "limit": {"retention": "week", "threshold": 25.5}},
            KeyFacts(True, True, ("model:video",), Decimal("25.5"), "a week"),
        ),
        ({"prefix": "another1", "disabled": True}, KeyFacts(False, True, None, None)),
        ({"prefix": "", "disabled": "yes", "scopes": "all", "limit": 5}, KeyFacts(False, None, None, None)),
        ({"limit": {"threshold": -1}}, KeyFacts(False, None, None, None)),
        ({"limit": {"threshold": True}}, KeyFacts(False, None, None, None)),
        ({"limit": {"threshold": 0, "retention": "no_reset"}}, KeyFacts(False, None, None, Decimal(0), "for ever")),
        ({"limit": {"threshold": 1, "retention": "year"}}, KeyFacts(False, None, None, Decimal(1), "for an unknown period")),
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_told_of_a_key_is_read_or_unknown(data: dict[str, Any], facts: KeyFacts) -> None:
    assert read_key({"data": data}, "made-up-key".startswith) == facts


@pytest.mark.parametrize("fields", [{}, {"data": None}, {"data": []}, {"disabled": False}])
def test_an_answer_without_a_key_tells_nothing(fields: dict[str, Any]) -> None:
    with pytest.raises(AnswerInvalid):
        read_key(fields, lambda _: True)


@pytest.mark.parametrize(
    ("settings", "facts"),
    [
        ({"is_enabled": True, "threshold": 50, "amount": 100}, TopUp(True, Decimal(50), Decimal(100))),
        ({"is_enabled": False, "threshold": None, "amount": "100"}, TopUp(False, None, None)),
    ],
)
def test_top_ups_are_on_or_off(settings: dict[str, Any], facts: TopUp) -> None:
    assert read_top_up({"autotopup_settings": settings}) == facts


@pytest.mark.parametrize("settings", [None, [], {}, {"is_enabled": "yes"}, {"is_enabled": 1}, {"is_enabled": None}])
def test_what_does_not_say_whether_there_are_top_ups_is_no_answer(settings: object) -> None:
    with pytest.raises(AnswerInvalid):
        read_top_up({"autotopup_settings": settings})


# --- what is told


OURS = KeyFacts(True, False, None, None)
MODELS = ("alibaba/wan-old", "alibaba/wan-new")
INTENT = Intent(MODELS, Estimate(6_300_000, 6, 0), is_capped=False)
DOWN = NoAnswer(Trouble.TRANSIENT, "HTTP 503")
ON = TopUp(True, Decimal(50), None)
TOPPED_UP = (
    "the account is topped up automatically (by an unknown amount whenever the balance falls below 50.00 USD):"
    " running out of credits will not stop a run, and this run has no cap. Set one with --max-usd"
)


@pytest.mark.parametrize(
    ("told", "intent", "remarks"),
    [
        (Inquiry(key=OURS, top_up=TopUp(False, None, None), endings=()), INTENT, []),
        (Inquiry(), INTENT, []),
        (Inquiry(endings=[ending()]), INTENT, [("warning", "alibaba/wan-old will be retired on 2026-10-01; the provider names alibaba/wan-new as its replacement")]),
        (Inquiry(endings=[ending()]), replace(INTENT, models=MODELS[1:]), []),
        (Inquiry(endings=[ending(status="superseded", shutdown_at=None, replaced_by=None)]), INTENT, [("note", "the provider now serves another model under the name alibaba/wan-old")]),
        (Inquiry(endings=[ending(status="withdrawn", shutdown_at=None, replaced_by=None)]), INTENT, [("refusal", "alibaba/wan-old is gone: the provider withdrew it. Use another model in the manifest")]),
        (Inquiry(top_up=ON), INTENT, [("warning", TOPPED_UP)]),
        (Inquiry(top_up=ON), replace(INTENT, is_capped=True), []),
        (Inquiry(key=replace(OURS, limit_usd=Decimal("3.14"), period="a month")), INTENT, [("warning", "the key has a limit of its own: 3.14 USD a month, less than the 3.15 USD expected here: the provider may refuse the rest")]),
        (Inquiry(key=replace(OURS, limit_usd=Decimal("3.15"), period="a month")), INTENT, []),
        (Inquiry(key=replace(OURS, scopes=("model:chat", "model:video"))), INTENT, []),
        (Inquiry(key=replace(OURS, scopes=())), INTENT, []),
        (Inquiry(key=replace(OURS, scopes=("model:chat",))), INTENT, [("refusal", "this key is not allowed to make videos: its scopes are model:chat. Add model:video on the Keys page, or use another key")]),
        (Inquiry(key=replace(OURS, is_disabled=True)), INTENT, [("refusal", "the provider says that this key is disabled: enable it on the Keys page of your account, or use another")]),
        (Inquiry(key=KeyFacts(False, True, ("model:chat",), Decimal(0))), INTENT, []),
        (Inquiry({}, DOWN, DOWN, DOWN, DOWN), INTENT, [("note", "the provider gave no answer about the balance, the key's limits, automatic top-ups and models that are retired: HTTP 503")]),
        (
            Inquiry(balance_usd=NoAnswer(Trouble.KEY, "HTTP 401"), top_up=ON, endings=DOWN),
            INTENT,
            [
                ("warning", TOPPED_UP),
                ("note", "the provider gave no answer about the balance: HTTP 401"),
                ("note", "the provider gave no answer about models that are retired: HTTP 503"),
            ],
        ),
    ],
)  # fmt: skip
def test_what_bears_on_a_run_is_told(told: Inquiry, intent: Intent, remarks: list[tuple[str, str]]) -> None:
    assert [(each.weight.value, each.text) for each in remarks_of(told, intent, NOW)] == remarks


def test_a_refusal_ends_as_the_one_who_can_act_is_told_and_stands_in_the_json() -> None:
    remarks = (
        Remark(Weight.REFUSAL, "m is gone", ExitCode.USAGE),
        Remark(Weight.REFUSAL, "disabled", ExitCode.ACCOUNT_STOPPED),
        Remark(Weight.NOTE, "x"),
    )
    made = preview(remarks=remarks)
    assert made.refusal == (ExitCode.USAGE, "m is gone; disabled")
    assert preview_json(made)["remarks"][1:] == [
        {"weight": "refusal", "text": "disabled"},
        {"weight": "note", "text": "x"},
    ]
    assert preview(remarks=remarks, estimate=Estimate(0, 0, 0)).refusal is None
    codes = [refused(code, "m").exit_code for code in (ExitCode.USAGE, ExitCode.ACCOUNT_STOPPED)]
    assert (codes, str(refused(ExitCode.USAGE, "m"))) == ([2, 4], "m. Nothing was sent")


# --- asking


class Asked:
    """A provider of which each part answers, or takes for ever where it is named as slow."""

    def __init__(self, *slow: str) -> None:
        self._slow = slow
        self.asked: list[str] = []

    async def _told(self, name: str, answer: Any) -> Any:
        self.asked.append(name)
        if name in self._slow:
            await asyncio.Event().wait()
        return answer

    async def quotes(self, classes: Any) -> Any:
        return await self._told(classes[0].model, {each: Quote(5, "price list", is_live=True) for each in classes})

    async def account(self) -> Any:
        return await self._told("account", Decimal(7))

    async def key_facts(self) -> Any:
        return await self._told("key", OURS)

    async def top_up(self) -> Any:
        return await self._told("top_up", ON)

    async def endings(self) -> Any:
        return await self._told("endings", ())


def test_a_part_that_is_slow_costs_the_others_nothing() -> None:
    other = PriceClass("m", None, None)
    provider: Any = Asked("m", "key", "endings")
    told = jump(lambda: inquire(provider, [CLASS, other], has_key=True))
    late = NoAnswer(Trouble.TRANSIENT, "no answer within 10 s")
    why = unknown_quote("wanbatch could not ask the provider: no answer within 10 s")
    assert told == Inquiry({CLASS: Quote(5, "price list", is_live=True), other: why}, Decimal(7), late, ON, late)


def test_without_a_key_only_what_is_public_is_asked() -> None:
    provider: Any = Asked()
    told = asyncio.run(inquire(provider, [CLASS], has_key=False))
    assert (sorted(provider.asked), told.balance_usd, told.key, told.top_up) == (
        [CLASS.model, "endings"],
        None,
        None,
        None,
    )
    assert not_asked([CLASS], "offline") == Inquiry({CLASS: unknown_quote("offline")})


def told_by(
    answer: Callable[[httpx.Request], httpx.Response],
    work: Callable[[AimlApi], Coroutine[Any, Any, Any]],
    price_cache: PriceCache | None = None,
) -> Any:
    async def ask() -> Any:
        clock = LoopClock(NOW, 10_000)
        endpoint, transport = Endpoint("http://127.0.0.1", is_loopback=True), httpx.MockTransport(answer)
        api = AimlApi(endpoint, Secret("made-up-key"), clock, Random(1), transport)
        api.price_cache = price_cache
        try:
            return await work(api)
        finally:
            await api.aclose()

    return asyncio.run(ask())


def sent(status: int, body: object, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.Response(status, headers=headers, stream=httpx.ByteStream(content))


BROKEN = [(200, b"<html>"), (200, []), (200, {"data": 5}), (404, {"message": "no", "statusCode": 404}), (500, b"")]


@pytest.mark.parametrize(("status", "body"), BROKEN, ids=repr)
def test_what_cannot_be_read_is_no_answer_and_no_error(status: int, body: object) -> None:
    async def work(api: AimlApi) -> Any:
        return [await api.endings(), await api.key_facts(), await api.top_up()]

    answers = told_by(lambda _: sent(status, body), work)
    assert [type(each) for each in answers] == [NoAnswer] * 3


def test_the_list_of_endings_is_kept_and_confirmed_like_the_price_list(tmp_path: Path) -> None:
    price_cache = PriceCache("p", tmp_path / "prices.json")
    seen: list[tuple[str, str | None]] = []
    is_down = False

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((str(request.url).removeprefix("http://127.0.0.1"), request.headers.get("if-none-match")))
        if is_down:
            return sent(503, b"")
        return sent(304, b"") if seen[-1][1] else sent(200, {"object": "list", "data": [row()]}, etag='"e"')

    told = [told_by(answer, AimlApi.endings, price_cache) for _ in range(2)]
    is_down = True
    told.append(told_by(answer, AimlApi.endings, price_cache))
    assert told == [(ending(),)] * 3
    assert seen[:2] == [("/v1/models/deprecations", None), ("/v1/models/deprecations", '"e"')]
    assert isinstance(told_by(answer, AimlApi.endings, PriceCache("q", tmp_path / "prices.json")), NoAnswer)


def test_a_key_that_is_echoed_is_not_shown() -> None:
    body = {"message": "the key made-up-key is unknown", "statusCode": 401}
    answer = told_by(lambda _: sent(401, body), AimlApi.key_facts)
    assert "made-up-key" not in answer.message


# --- a run


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("AIMLAPI_API_KEY", "AIML_API_KEY", "AIMLAPI_KEY", "AIMLAPI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.long
@pytest.mark.usefixtures("in_folder")
def test_a_model_that_is_gone_stops_the_run_before_anybody_is_asked() -> None:
    options = wanbatch.RunOptions(sandbox=True, speed=600, makes_report=False)
    batch = batch_of(1, model="alibaba/wan2.2-i2v-plus", image_url="https://example.com/a.png")
    planned = wanbatch.plan(batch, options)
    assert planned.refusal is not None
    asked: list[Any] = []
    with pytest.raises(UsageInvalid, match=r"is gone: .* Use another model in the manifest\. Nothing was sent"):
        wanbatch.run(batch, options, confirm=lambda preview: bool(asked.append(preview)) or True)
    with StateReader.open(planned.output) as reader:
        assert (asked, reader.takes()) == ([], [])


def test_what_is_paid_for_is_fetched_although_nothing_may_be_sent(tmp_path: Path) -> None:
    world = World(tmp_path / "out")

    def stop(runner: Any, event: Any) -> None:
        if event.kind == Fact.ACCEPTED.value:
            runner.terminate(0.0)

    world.observe = stop
    world.run(batch_of(3))
    before = world.submits
    world.observe, world.settings = None, RunSettings(refusal=(ExitCode.USAGE, "m is gone"))
    end = world.run(batch_of(3))
    states = sorted(take.shown_state for take in world.takes())
    assert (before, world.submits, end.exit_code, end.messages, states) == (
        1, 1, ExitCode.USAGE, ("m is gone",), ["planned", "planned", "verified"],
    )  # fmt: skip


@pytest.mark.usefixtures("in_folder")
def test_a_provider_out_of_reach_leaves_a_plan_with_its_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIMLAPI_BASE_URL", "http://127.0.0.1:9")  # nothing listens on the discard port
    monkeypatch.setenv("AIMLAPI_API_KEY", "made-up")
    batch = batch_of(2, model="alibaba/wan-2-6-t2v", resolution="1080p", duration=5)
    planned = wanbatch.plan(batch, wanbatch.RunOptions(speed=10_000))  # so that it is asked again at once
    told = preview_json(planned)
    (each,) = told["to_submit"]
    assert (each["credits_each"], each["price_from"], each["price_not_listed_because"].split(":")[0]) == (
        None,
        "unknown",
        "wanbatch could not ask the provider",
    )
    assert [remark["text"].split(":")[0] for remark in told["remarks"]] == [
        "the provider gave no answer about the balance, the key's limits, automatic top-ups and models that are retired"
    ]
    assert planned.refusal is None
    offline = wanbatch.plan(batch_of(1, model="alibaba/wan-2-6-t2v"), offline=True)
    assert [quote.why for quote in offline.quotes.values()] == ["wanbatch did not ask the provider (--offline)"]
