"""A clip from its host: whole, cut off, redirected, too large, too slow, or gone on with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.provider.test_sockets import served
from tests.worlds import jump
from wanbatch.provider.aimlapi import AimlApi
from wanbatch.provider.cliphost import CLIP_CAP_BYTES, CLIP_FLOOR_BYTES, ClipHost, refuse_link
from wanbatch.provider.protocol import (
    Fetched,
    LinkDead,
    NoAnswer,
    Secret,
    Trouble,
)


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


def test_the_time_that_a_sandbox_drew_a_clip_is_kept_apart() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nServer-Timing: %s\r\n\r\nabc"
    assert [fetch(head % said) for said in (b"cache;dur=2, draw;dur=1500", b"draw;dur=soon", b"draw")] == [
        Fetched(3, drawn_s=1.5),
        Fetched(3),
        Fetched(3),
    ]


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
