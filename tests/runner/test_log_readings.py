"""The provider's log is read page by page, whole or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.runner.shared import rows_of, scan
from wanbatch.provider.protocol import LogScan, NoAnswer, Trouble

pytestmark = pytest.mark.usefixtures("quick_clips")


def test_a_log_is_read_page_by_page_in_a_window_that_ends_in_the_past() -> None:
    found, requests = scan(lambda _, offset: (rows_of(min(100, 250 - offset), offset), 250))
    assert isinstance(found, LogScan)
    assert (len(found.rows), len(found.other_ids)) == (125, 125)
    assert [request.url.params["offset"] for request in requests] == ["0", "100", "200"]
    begin, end = (datetime.fromisoformat(requests[0].url.params[name]) for name in ("start", "end"))
    told = datetime(2026, 11, 1, 23, tzinfo=UTC) + timedelta(seconds=0.5)  # a date leaves out what is left of a second
    assert end == told - timedelta(seconds=2)  # by the provider's clock, not by ours
    assert timedelta(days=91) <= end - begin <= timedelta(days=92)
    assert (found.taken_at, found.ahead) == (told, timedelta(hours=3, seconds=0.5))


@pytest.mark.parametrize(
    "pages",
    [
        lambda reading, offset: (rows_of(min(100, 150 - offset), offset), 150 + (offset > 0) * (reading == 1)),
        lambda reading, offset: (rows_of(100, 0 if reading == 1 else offset)[: 150 - offset], 150),
        lambda reading, offset: (rows_of(3), 3) if reading == 2 else (rows_of(2), 3),
        lambda reading, offset: (rows_of(3), 3) if reading == 2 else (rows_of(2) + rows_of(1), 3),
        lambda reading, offset: (rows_of(60, offset and 59), 120) if reading == 1 else (rows_of(60, offset), 120),
    ],
    ids=["total moves", "a page twice", "too few", "a row twice, apart", "a row that moved to the next page"],
)
def test_a_log_that_moves_is_read_again(pages: Callable[[int, int], Any]) -> None:
    found, requests = scan(pages)
    assert isinstance(found, LogScan)
    assert sum(request.url.params["offset"] == "0" for request in requests) == 2


@pytest.mark.parametrize(
    ("pages", "trouble"),
    [
        (lambda reading, _: (rows_of(reading), 9), Trouble.TRANSIENT),
        (lambda *_: (rows_of(2), -1), Trouble.TRANSIENT),
        (lambda *_: (rows_of(2), True), Trouble.TRANSIENT),
        (lambda *_: ("rows", 1), Trouble.TRANSIENT),
        (lambda _, offset: (rows_of(60), 120), Trouble.TRANSIENT),
        (lambda *_: ([{**rows_of(2)[1], "created": "yesterday"}], 1), Trouble.TRANSIENT),
        (lambda *_: httpx.Response(200, text="<html>"), Trouble.TRANSIENT),
        (lambda *_: httpx.Response(503), Trouble.TRANSIENT),
        (lambda *_: httpx.Response(403, json={"message": "no", "statusCode": 403}), Trouble.KEY),
        (lambda *_: httpx.Response(400, json={"message": "no", "statusCode": 400}), Trouble.INVALID),
    ],
    ids=[
        "never adds up",
        "negative",
        "boolean",
        "no rows",
        "the same page for ever",
        "time",
        "html",
        "503",
        "403",
        "400",
    ],
)
def test_half_a_log_is_no_log(pages: Callable[[int, int], Any], trouble: Trouble) -> None:
    found, requests = scan(pages)
    assert isinstance(found, NoAnswer)
    assert (found.trouble, len(requests) <= 30) == (trouble, True)


def test_the_logs_own_limit_is_kept() -> None:
    times: list[float] = []

    def pages(_: int, offset: int) -> Any:
        times.append(asyncio.get_running_loop().time())
        return rows_of(1, offset), 300

    found, _ = scan(pages)
    assert isinstance(found, LogScan)
    busiest = max(sum(begin <= each < begin + 60 for each in times) for begin in times)
    assert (len(times), 150 <= busiest <= 180) == (300, True)
