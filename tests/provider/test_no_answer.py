"""What a read that brought nothing says of the provider: whether it is down, and whether it is asked too often."""

from __future__ import annotations

import json

import pytest

from wanbatch.provider.aimlapi import _is_worth_retrying
from wanbatch.provider.answers import Head, read_progress, read_trouble
from wanbatch.provider.protocol import NoAnswer, Trouble


def refused(status: int, said: str = "no") -> NoAnswer:
    return read_trouble(Head(status, {}), json.dumps({"message": said, "statusCode": status}).encode())


def unreadable() -> NoAnswer:
    answer = read_progress(b"<html>")
    assert isinstance(answer, NoAnswer)
    return answer


@pytest.mark.parametrize(
    ("answer", "is_outage", "is_too_fast", "is_tried_again"),
    [
        (NoAnswer(Trouble.TRANSIENT, "no answer within 30 s"), True, False, True),
        (NoAnswer(Trouble.TRANSIENT, "HTTP/2 stream was reset"), True, False, True),
        (unreadable(), True, False, True),
        (refused(429), False, True, False),
        (refused(503), False, False, True),
        (refused(503, "the host above answered HTTP 429"), False, False, True),
        (refused(401), False, False, False),
        (refused(404), False, False, False),
        (NoAnswer(Trouble.CLOCKS, "its dates contradict each other"), False, False, False),
    ],
    ids=[
        "silence", "silence that begins with HTTP", "no JSON", "429", "503", "503 that tells of a 429", "key",
        "not found", "clocks",
    ],
)  # fmt: skip
def test_an_outage_and_a_429_are_known_by_their_status(
    answer: NoAnswer, is_outage: bool, is_too_fast: bool, is_tried_again: bool
) -> None:
    assert (answer.is_outage, answer.is_too_fast, _is_worth_retrying(answer)) == (
        is_outage,
        is_too_fast,
        is_tried_again,
    )
