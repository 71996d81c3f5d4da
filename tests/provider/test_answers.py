"""What the provider answers and what it means: every row of the tables, and real sockets for what never leaves or returns."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worlds import jump
from wanbatch.batch.models import PriceClass
from wanbatch.batch.shots import Recipe
from wanbatch.clock import LoopClock
from wanbatch.provider.aimlapi import AimlApi
from wanbatch.provider.answers import (
    Head,
    read_charges,
    read_generation_id,
    read_progress,
    read_retry_after,
    read_submit,
    read_trouble,
)
from wanbatch.provider.bodies import read_object
from wanbatch.provider.cliphost import CLIP_CAP_BYTES, CLIP_FLOOR_BYTES, ClipHost, refuse_link
from wanbatch.provider.endpoint import Endpoint, Patience
from wanbatch.provider.protocol import (
    Accepted,
    Fetched,
    LinkDead,
    NoAnswer,
    NotSent,
    Progress,
    RefusalKind,
    Refused,
    Secret,
    Status,
    Trouble,
    TurnedAway,
    Unknown,
)
from wanbatch.text import shown

ID = "wb1:nonce:recipe:1.1"
ENVELOPE = {"message": "no", "path": "/v2", "requestId": "r", "statusCode": 0, "timestamp": "t"}


def submit(status: int, body: object, **headers: str) -> object:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_submit(Head(status, {name.replace("_", "-"): value for name, value in headers.items()}), raw, ID)


# --- submit


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RefusalKind.REQUEST), (401, RefusalKind.KEY), (403, RefusalKind.CREDITS), (404, RefusalKind.ROUTE),
        (405, RefusalKind.ROUTE), (413, RefusalKind.REQUEST), (415, RefusalKind.REQUEST), (422, RefusalKind.REQUEST),
    ],
)  # fmt: skip
def test_a_listed_4xx_in_the_providers_envelope_proves_that_nothing_was_made(status: int, kind: RefusalKind) -> None:
    assert submit(status, {**ENVELOPE, "statusCode": str(status)}) == Refused(kind, status, "no")


@pytest.mark.parametrize("status", [425, 429])
def test_a_turn_away_is_no_refusal(status: int) -> None:
    assert submit(status, ENVELOPE, retry_after="7") == TurnedAway(status, 7.0, "no")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 425, 429])
@pytest.mark.parametrize("body", [b"", b"<html>no</html>", {"error": "no"}, {"message": "no"}, ["no"], b"\xff"])
def test_without_the_envelope_a_4xx_proves_nothing(status: int, body: object) -> None:
    assert isinstance(submit(status, body), Unknown)


@pytest.mark.parametrize(
    "status", [100, 301, 302, 303, 307, 308, 402, 406, 408, 409, 410, 418, 451, 500, 501, 502, 503, 504, 520, 524, 599]
)
@pytest.mark.parametrize("body", [ENVELOPE, b"", b"<html></html>"], ids=["envelope", "empty", "html"])
def test_every_other_answer_is_unknown(status: int, body: object) -> None:
    assert isinstance(submit(status, body), Unknown)


@pytest.mark.parametrize("status", [200, 201, 202])
def test_an_id_in_the_body_is_an_acceptance(status: int) -> None:
    body = {"id": "g", "status": "queued", "meta": {"usage": {"credits_used": 3150000}}}
    assert submit(status, body, x_client_request_id=ID) == Accepted("g", 3150000, is_echoed=True)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"null", b"[]", b'"g"', b"<html></html>", b"[" * 20000, b'{"a": NaN}', b'{"id":1,"id":2}', {}]
)
def test_an_unreadable_2xx_is_unknown_unless_its_header_names_the_generation(body: object) -> None:
    assert isinstance(submit(200, body), Unknown)
    assert submit(200, body, x_inference_id="g", x_aimlapi_credits_used="5") == Accepted("g", 5, is_echoed=False)


@pytest.mark.parametrize("value", ["", " ", 7, None, "a" * 513, "a\nb", "a\x00", "a\u202eb", ["g"], True, "\u00a0"])
def test_an_odd_id_is_no_id(value: object) -> None:
    assert (read_generation_id(value), isinstance(submit(200, {"id": value, "status": "queued"}), Unknown)) == (
        None,
        True,
    )


@pytest.mark.parametrize("value", ["-a", "a:b/c", "ü", "a" * 512])
def test_an_awkward_id_is_taken_as_it_is(value: str) -> None:
    assert read_generation_id(value) == value


def test_two_ids_and_two_prices_are_both_told() -> None:
    body = {"id": "other", "status": "queued", "meta": {"usage": {"credits_used": 5}}}
    answer = submit(200, body, x_inference_id="g", x_aimlapi_credits_used="6")
    assert isinstance(answer, Accepted)
    assert (answer.generation_id, answer.conflict, answer.credits_held) == ("g", "other", 6)
    assert "5" in (answer.credits_note or "")


@pytest.mark.parametrize("credit_count", ["3150000", -1, 0, 0.0, 1e30, True, None, 1.5, {}, []])
def test_odd_credits_are_unknown_and_never_0(credit_count: object) -> None:
    answer = submit(200, {"id": "g", "status": "queued", "meta": {"usage": {"credits_used": credit_count}}})
    assert answer == Accepted("g", None, is_echoed=False)


def test_a_submit_that_answers_error_is_accepted_and_failed() -> None:
    answer = submit(200, {"id": "g", "status": "error", "error": {"name": "E", "message": "m"}})
    assert answer == Accepted("g", None, is_echoed=False, failed_message="E: m")


# --- poll


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("queued", Status.QUEUED), ("generating", Status.GENERATING), ("in_progress", Status.GENERATING),
        ("processing", Status.GENERATING), ("completed", Status.COMPLETED), ("complete", Status.COMPLETED),
        ("succeeded", Status.COMPLETED), ("error", Status.FAILED), ("failed", Status.FAILED),
        ("cancelled", Status.EXPIRED), ("canceled", Status.EXPIRED), ("expired", Status.EXPIRED),
        (" Completed ", Status.COMPLETED), ("In Progress", Status.GENERATING),
    ],
)  # fmt: skip
def test_every_word_of_the_provider_has_one_meaning(word: str, status: Status) -> None:
    answer = read_progress(json.dumps({"id": "g", "status": word}).encode())
    assert isinstance(answer, Progress)
    assert (answer.status, answer.unknown_word) == (status, None)


def test_an_unknown_word_is_taken_for_running_and_told() -> None:
    assert read_progress(b'{"id": "g", "status": "dreaming"}') == Progress(
        "g", Status.GENERATING, None, None, "dreaming"
    )


def test_a_completed_answer_with_an_error_object_is_completed() -> None:
    body = {"id": "g", "status": "completed", "video": {"url": "https://x/y"}, "error": {"name": "", "message": ""}}
    assert read_progress(json.dumps(body).encode()) == Progress("g", Status.COMPLETED, Secret("https://x/y"), None)


@pytest.mark.parametrize("video", [None, {}, {"url": None}, {"url": ""}, {"url": 7}, "https://x/y", []])
def test_a_link_that_is_none_is_none(video: object) -> None:
    answer = read_progress(json.dumps({"id": "g", "status": "completed", "video": video}).encode())
    assert isinstance(answer, Progress)
    assert answer.link is None


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"id": "g"}', b'{"status": "queued"}', b'{"id": "g", "status": 7}', b"[]"]
)
def test_a_poll_without_id_or_status_is_asked_again(body: bytes) -> None:
    answer = read_progress(body)
    assert isinstance(answer, NoAnswer)
    assert answer.trouble is Trouble.TRANSIENT


@pytest.mark.parametrize(
    ("status", "trouble"),
    [
        (400, Trouble.INVALID), (401, Trouble.KEY), (403, Trouble.KEY), (404, Trouble.NOT_FOUND), (405, Trouble.INVALID),
        (408, Trouble.TRANSIENT), (409, Trouble.TRANSIENT), (422, Trouble.INVALID), (425, Trouble.TRANSIENT),
        (429, Trouble.TRANSIENT), (500, Trouble.TRANSIENT), (503, Trouble.TRANSIENT), (524, Trouble.TRANSIENT),
        (302, Trouble.TRANSIENT),
    ],
)  # fmt: skip
def test_a_read_that_fails_has_one_meaning(status: int, trouble: Trouble) -> None:
    assert read_trouble(Head(status, {}), b"").trouble is trouble


# --- headers and text


@pytest.mark.parametrize(
    ("raw", "date", "seconds"),
    [
        ("7", "", 7.0), ("0.5", "", 0.5), ("1000000000", "", 900.0), ("-3", "", None), ("NaN", "", None), ("", "", None),
        ("soon", "", None), ("1e9", "", None), ("Mon, 23 Nov 2026 20:00:30 GMT", "Mon, 23 Nov 2026 20:00:00 GMT", 30.0),
        ("Mon, 23 Nov 2026 19:00:30 GMT", "Mon, 23 Nov 2026 20:00:00 GMT", 0.0),
        ("Mon, 23 Nov 2037 19:00:30 GMT", "Mon, 23 Nov 2026 20:00:00 GMT", 900.0),
        ("Mon, 23 Nov 2026 20:00:30 GMT", "", None), ("Mon, 99 Nov", "Mon, 23 Nov 2026 20:00:00 GMT", None),
    ],
)  # fmt: skip
def test_retry_after_is_read_with_distrust(raw: str, date: str, seconds: float | None) -> None:
    assert read_retry_after(Head(429, {"retry-after": raw, "date": date})) == seconds


@given(st.text(max_size=2000))
@settings(max_examples=80)
def test_a_servers_text_is_one_printable_line(text: str) -> None:
    line = shown(text)
    assert len(line) <= 300
    assert not any(char in line for char in "\n\r\x1b\x00\x9b\u202e")


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_no_body_breaks_the_readers(body: bytes) -> None:
    for status in (200, 400, 500):
        read_submit(Head(status, {}), body, ID)
        read_trouble(Head(status, {}), body)
    read_progress(body)


def test_a_ledger_page_is_read_entry_by_entry() -> None:
    good = {
        "created_at": "2026-08-17T10:00:00.000Z", "direction": "CHARGE", "type": "MODEL_USAGE",
        "amount": {"usd": 1.5, "credits": 3000000}, "model": "m", "reference_id": "g",
    }  # fmt: skip
    odd = [{**good, "amount": {"credits": "3"}}, {**good, "reference_id": None}, {**good, "direction": "TOPUP"}, 7,
           {**good, "created_at": "yesterday"}, {**good, "type": "REFUND"}]  # fmt: skip
    charges, cursor = read_charges({"data": [good, *odd], "pagination": {"next_cursor": "c", "has_more": True}})
    legible = [(each.generation_id, each.credits) for each in charges if each.is_legible]
    assert (legible, len(charges), cursor) == ([("g", 3000000)], 4, "c")
    assert read_charges({"data": [], "pagination": {"next_cursor": "c", "has_more": False}}) == ([], None)
    for broken in ({}, {"data": {}, "pagination": {}}, {"data": [], "pagination": None}):
        with pytest.raises(ValueError):
            read_charges(broken)


def test_objects_are_strict() -> None:
    for body in (b"\xef\xbb\xbf{}", b"{} {}", b"[]", b'{"a": Infinity}', b"\xff"):
        with pytest.raises(ValueError):
            read_object(body)


def test_a_secret_never_shows() -> None:
    key = Secret("topsecret")
    assert (repr(key), str(key), f"{key}", key.reveal(), key == Secret("topsecret")) == (
        "***",
        "***",
        "***",
        "topsecret",
        True,
    )
    assert hash(key) == hash(Secret("topsecret"))


# --- links


@pytest.mark.parametrize(
    "url",
    [
        "http://cdn.example.org/a.mp4", "ftp://example.org/a", "file:///etc/passwd", "data:video/mp4,x", "//example.org/a",
        "https://user:pw@example.org/a", "https://example.org:8443/a", "https://127.0.0.1/a", "https://[::1]/a",
        "https://10.0.0.8/a", "https://192.168.1.1/a", "https://169.254.169.254/latest", "https://100.64.0.1/a",
        "https://[::ffff:10.0.0.1]/a", "https://0.0.0.0/a", "https://localhost/a", "https://x.localhost/a", "https://", "",
        "https://[bad", "https://example.org:99999/a", "https://224.0.0.1/a",
    ],
)  # fmt: skip
def test_a_link_into_somewhere_else_is_refused(url: str) -> None:
    assert refuse_link(url, is_loopback=False)


def test_links_to_public_hosts_are_fetched_and_local_ones_only_from_a_local_provider() -> None:
    assert [
        refuse_link("https://cdn.aimlapi.com/a.mp4?Expires=1&Signature=x%3D", is_loopback=False),
        refuse_link("https://cdn.example.org:443/a", is_loopback=False),
        refuse_link("http://127.0.0.1:8080/a", is_loopback=True),
    ] == [None, None, None]


# --- real sockets


async def served(answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], work: Any) -> Any:
    """Serve one behaviour on a real socket; return what `work` makes of the provider there, and what was sent."""
    heard = bytearray()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await reader.readuntil(b"\r\n\r\n"))
        await answer(reader, writer)
        await close(writer)

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    clock = LoopClock(datetime(2026, 1, 1, tzinfo=UTC), 1000)
    api = AimlApi(Endpoint(f"http://127.0.0.1:{port}", is_loopback=True), Secret("made-up-key"), clock, Random(1))
    try:
        return await work(api, f"http://127.0.0.1:{port}"), bytes(heard)
    finally:
        await api.aclose()
        server.close()
        await asyncio.sleep(0.01)


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


def post(raw: bytes, *, then_abort: bool = False) -> tuple[object, list[str], bytes]:
    accepted: list[str] = []

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()
        if then_abort:
            writer.transport.abort()

    async def work(api: AimlApi, _: str) -> object:
        return await api.submit(Recipe.of({"prompt": "p"}), ID, accepted.append)

    result, heard = asyncio.run(served(answer, work))
    return result, accepted, heard


def test_a_connection_refused_is_proof_that_nothing_left() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    async def work() -> object:
        clock = LoopClock(datetime(2026, 1, 1, tzinfo=UTC), 1000)
        api = AimlApi(Endpoint(f"http://127.0.0.1:{port}", is_loopback=True), Secret("k"), clock, Random(1))
        try:
            return await api.submit(Recipe.of({"prompt": "p"}), ID, lambda _: None)
        finally:
            await api.aclose()

    answer = asyncio.run(work())
    assert isinstance(answer, NotSent)
    assert not answer.is_final


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:1", "https://api.example.org", "HTTPS://api.example.org"])
def test_certificates_are_always_checked(base_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    real = httpx.AsyncClient

    def client(**options: object) -> httpx.AsyncClient:
        seen.append(options["verify"])
        return real(**options)  # type: ignore[arg-type]

    monkeypatch.setattr("httpx.AsyncClient", client)

    async def work() -> None:
        clock = LoopClock(datetime(2026, 1, 1, tzinfo=UTC))
        await AimlApi(Endpoint(base_url, is_loopback=True), None, clock, Random(1)).aclose()

    asyncio.run(work())
    assert [isinstance(each, ssl.SSLContext) and each.check_hostname for each in seen] == [True] * 3


def test_no_tls_where_tls_is_due_is_final_and_nothing_left() -> None:
    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad\r\n\r\n")
        await close(writer)

    async def work() -> object:
        server = await asyncio.start_server(refuse, "127.0.0.1", 0)
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        clock = LoopClock(datetime(2026, 1, 1, tzinfo=UTC), 1000)
        api = AimlApi(Endpoint(url, is_loopback=True), Secret("k"), clock, Random(1))
        try:
            return await api.submit(Recipe.of({"prompt": "p"}), ID, lambda _: None)
        finally:
            await api.aclose()
            server.close()
            await asyncio.sleep(0.01)

    result = asyncio.run(work())
    assert isinstance(result, NotSent)
    assert result.is_final


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{",
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"id"',
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 307 Elsewhere\r\nLocation: /v2/video/generations\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
    ],
    ids=["closed", "cut", "cut-chunks", "no-http", "redirect", "gzip"],
)
def test_whatever_happens_after_the_first_byte_is_unknown_and_sent_once(raw: bytes) -> None:
    answer, accepted, heard = post(raw)
    assert (isinstance(answer, Unknown), accepted, heard.count(b"POST ")) == (True, [], 1)


def test_a_body_cut_after_its_headers_still_gives_the_generation() -> None:
    raw = b"HTTP/1.1 200 OK\r\nx-inference-id: gen-1\r\nx-aimlapi-credits-used: 5\r\nContent-Length: 99\r\n\r\n{"
    answer, accepted, _ = post(raw, then_abort=True)
    assert (answer, accepted) == (Accepted("gen-1", 5, is_echoed=False), ["gen-1"])


def test_a_body_beyond_measure_is_not_read_to_its_end() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 4000000\r\n\r\n"
    answer, _, _ = post(head + b" " * 2_000_000)
    assert isinstance(answer, Unknown)


def test_the_post_carries_the_hashed_body_and_the_request_id() -> None:
    _, _, heard = post(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    lines = heard.decode().lower().split("\r\n")
    assert f"x-client-request-id: {ID}" in lines
    assert "authorization: bearer made-up-key" in lines
    assert "accept-encoding: identity" in lines


def fetch(raw: bytes) -> object:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()

    got = bytearray()

    async def work(api: AimlApi, url: str) -> object:
        return await api.fetch(Secret(f"{url}/clip.mp4?Signature=s"), got.extend)

    result, heard = asyncio.run(served(answer, work))
    assert b"authorization" not in heard.lower()
    assert b"made-up-key" not in heard
    return result


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_dead_link_is_told_as_such(status: int) -> None:
    assert isinstance(fetch(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode()), LinkDead)


def test_a_whole_clip_is_counted() -> None:
    assert fetch(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc") == Fetched(3)


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 206 Partial\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
        b"",
    ],
    ids=["cut", "503", "206", "gzip", "closed"],
)
def test_a_fetch_that_brings_no_whole_clip_is_tried_again(raw: bytes) -> None:
    assert isinstance(fetch(raw), NoAnswer)


@pytest.mark.parametrize("where", ["file:///etc/passwd", "https://10.0.0.1/x", "http://example.org/x"])
def test_a_redirect_is_checked_like_the_link_itself(where: str) -> None:
    assert isinstance(fetch(f"HTTP/1.1 302 F\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n".encode()), LinkDead)


def test_a_loop_of_redirects_ends() -> None:
    answer = fetch(b"HTTP/1.1 302 F\r\nLocation: /clip.mp4\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    assert answer == LinkDead("more than 5 redirects")


# --- the other reads


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


def test_a_connection_that_fails_once_bytes_have_left_proves_nothing() -> None:
    async def work() -> Any:
        async def answer(request: httpx.Request) -> httpx.Response:
            await request.extensions["trace"]("http11.send_request_headers.started", {})
            raise httpx.ConnectError("lost")

        clock = LoopClock(datetime(2026, 1, 1, tzinfo=UTC), 1000)
        transport = httpx.MockTransport(answer)
        api = AimlApi(Endpoint("http://127.0.0.1", is_loopback=True), None, clock, Random(1), transport)
        try:
            return await api.submit(Recipe.of({"prompt": "p"}), ID, lambda _: None)
        finally:
            await api.aclose()

    assert asyncio.run(work()) == Unknown("ConnectError: lost")


def test_an_error_without_words_is_told_as_such() -> None:
    answer = submit(200, {"id": "g", "status": "error", "error": {"name": "", "code": 7}})
    assert isinstance(answer, Accepted)
    assert "code" in (answer.failed_message or "")


def test_a_date_without_a_zone_is_no_retry_after() -> None:
    headers = {"retry-after": "Sun, 01 Nov 2026 23:00:00 -0000", "date": "Sun, 01 Nov 2026 23:00:00 GMT"}
    assert read_retry_after(Head(429, headers)) is None


# --- the clip host, at its limits


def fetched(pieces: list[bytes], *, step_s: float = 0.0, cap_bytes: int = CLIP_CAP_BYTES) -> Any:
    """Fetch a clip that comes in these pieces, each `step_s` after the last, in time that jumps."""

    class Stream(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            for piece in pieces:
                await asyncio.sleep(step_s)
                yield piece

    async def work() -> Any:
        transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Stream()))
        async with httpx.AsyncClient(transport=transport) as client:
            host = ClipHost(client, is_loopback=True, cap_bytes=cap_bytes)
            return await host.fetch("http://127.0.0.1/clip", lambda _: None)

    return jump(work)


def test_a_clip_beyond_measure_is_not_taken() -> None:
    assert isinstance(fetched([b"x" * 6] * 3, cap_bytes=12), LinkDead)
    assert fetched([b"x" * 6] * 2, cap_bytes=12) == Fetched(12)


def test_a_clip_that_drips_is_given_up() -> None:
    enough = CLIP_FLOOR_BYTES // 3 + 1  # three pieces come in each span of a minute and a quarter
    assert fetched([b"x" * (enough // 2)] * 9, step_s=25.0) == NoAnswer(
        Trouble.TRANSIENT, "the clip host sends too slowly"
    )
    assert fetched([b"x" * enough] * 9, step_s=25.0) == Fetched(9 * enough)


def test_a_link_that_is_no_url_is_dead() -> None:
    async def work() -> Any:
        async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200))) as client:
            return await ClipHost(client, is_loopback=True).fetch("http://127.0.0.1/a\x00b", lambda _: None)

    assert isinstance(asyncio.run(work()), LinkDead)


# --- a clip that breaks off

WHOLE = b"abcdefghi"
TAG = {"etag": '"v1"'}


def broken(*answers: tuple[int, dict[str, str], bytes]) -> tuple[object, bytes, list[str | None]]:
    """Fetch a clip from a host that gives these answers in turn; a body shorter than its length breaks off."""
    asked: list[str | None] = []
    got = bytearray()

    def answer(request: httpx.Request) -> httpx.Response:
        status, headers, body = answers[len(asked)]
        asked.append(request.headers.get("range"))
        assert request.headers.get("if-range") == (TAG["etag"] if asked[-1] else None)

        async def pieces() -> AsyncIterator[bytes]:
            yield body
            if int(headers.get("content-length", len(body))) > len(body):
                raise httpx.ReadError("connection reset")

        return httpx.Response(status, headers=headers, content=pieces())

    async def work() -> object:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            return await ClipHost(client, is_loopback=True).fetch("http://127.0.0.1/clip", got.extend)

    return jump(work), bytes(got), asked


def cut(size: int, **headers: str) -> tuple[int, dict[str, str], bytes]:
    return 200, {"content-length": "9", **TAG, **headers}, WHOLE[:size]


def rest(begin: int, end: int = 9, **headers: str) -> tuple[int, dict[str, str], bytes]:
    told = {"content-length": str(9 - begin), "content-range": f"bytes {begin}-8/9", **TAG}
    return 206, told | {name.replace("_", "-"): value for name, value in headers.items()}, WHOLE[begin:end]


def test_a_clip_that_breaks_off_goes_on_where_it_broke_off() -> None:
    assert broken(cut(3), rest(3)) == (Fetched(9), WHOLE, [None, "bytes=3-"])
    in_parts = broken(cut(1), rest(1, 4), rest(4, 5), rest(5))
    assert in_parts == (Fetched(9), WHOLE, [None, "bytes=1-", "bytes=4-", "bytes=5-"])


@pytest.mark.parametrize(
    "second",
    [
        rest(3, etag='"v2"'),
        rest(3, etag=""),
        rest(3, content_range="bytes 2-8/9"),
        rest(3, content_range="bytes 3-8/10"),
        rest(3, content_range="bytes 3-8/*"),
        rest(3, content_range=""),
        rest(3, content_encoding="gzip"),
        (200, {"content-length": "9", **TAG}, WHOLE),
        (416, {"content-length": "0"}, b""),
        (503, {"content-length": "0"}, b""),
    ],
)
def test_nothing_but_the_rest_of_the_same_bytes_is_put_behind_a_part(second: tuple[int, dict[str, str], bytes]) -> None:
    answer, got, asked = broken(cut(3), second)
    assert (isinstance(answer, NoAnswer), got, len(asked)) == (True, WHOLE[:3], 2)


@pytest.mark.parametrize(
    "first",
    [cut(3, etag='W/"v1"'), cut(3, etag="v1"), cut(3, etag=""), cut(0), (503, {"content-length": "9", **TAG}, b"xxx")],
)
def test_what_cannot_be_proven_the_same_begins_anew(first: tuple[int, dict[str, str], bytes]) -> None:
    answer, _, asked = broken(first)
    assert (isinstance(answer, NoAnswer), asked) == (True, [None])


def test_a_clip_goes_on_three_times_at_most_and_not_without_progress() -> None:
    answer, got, asked = broken(cut(1), rest(1, 2), rest(2, 3), rest(3, 4), rest(4))
    assert (isinstance(answer, NoAnswer), got, len(asked)) == (True, WHOLE[:4], 4)
    answer, got, asked = broken(cut(3), rest(3, 3), rest(3))
    assert (isinstance(answer, NoAnswer), got, len(asked)) == (True, WHOLE[:3], 2)


def test_a_link_that_dies_while_a_clip_is_fetched_is_dead() -> None:
    assert isinstance(broken(cut(3), (403, {"content-length": "0"}, b""))[0], LinkDead)


def test_a_host_that_asks_for_patience_is_not_asked_again_at_once() -> None:
    busy = (503, {"content-length": "0", "retry-after": "30"}, b"")
    answer, _, asked = broken(cut(3), busy, rest(3))
    assert isinstance(answer, NoAnswer)
    assert (answer.retry_after_s, len(asked)) == (30.0, 2)
