"""A key that a server gives back is hidden, whole and in parts, however it is spelled."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode, urlsafe_b64encode
from random import Random
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worlds import EPOCH
from wanbatch.clock import LoopClock
from wanbatch.provider.aimlapi import AimlApi
from wanbatch.provider.endpoint import Endpoint
from wanbatch.provider.protocol import Progress, Secret, Status
from wanbatch.redaction import PART_LETTERS, STARS, Redaction

KEY = 'sk-9f8e7d6c5b4a"39281706/f5e4+d3c2'


def basic(user: str) -> str:
    return b64encode(f"{user}:{KEY}".encode()).decode()


@pytest.mark.parametrize(
    "spelling",
    [KEY, KEY.upper(), KEY[:12], KEY[-12:], KEY[5:25], json.dumps(KEY)[1:-1], quote(KEY, safe=""), KEY.encode().hex(), KEY.encode().hex().upper()],
)  # fmt: skip
def test_each_spelling_is_hidden_whole(spelling: str) -> None:
    assert Redaction(KEY)(f"refused: {spelling}!") == f"refused: {STARS}!"


@pytest.mark.parametrize("user", ["", "u", "me", "abc", "user"])
@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
def test_base64_is_hidden_but_for_the_letters_that_others_share(user: str, encode: object) -> None:
    text = encode(f"{user}:{KEY}?".encode()).decode()  # type: ignore[operator]
    left = Redaction(KEY)(text).replace(STARS, "")
    assert len(left) <= len(text) - len(b64encode(KEY.encode()).decode().rstrip("=")) + 4


@pytest.mark.parametrize("text", ["", "a short text", KEY[:11], f"{KEY[:11]} {KEY[12:23]}", "İstanbul" * 3])
def test_what_the_key_does_not_have_is_left_alone(text: str) -> None:
    assert Redaction(KEY)(text) == text


def test_a_short_key_is_hidden_where_it_stands_whole() -> None:
    assert Redaction("abc123")("key abc123, not abc12") == f"key {STARS}, not abc12"


@pytest.mark.parametrize(
    ("key", "text", "left"),
    [
        ("e", "the provider refused e", "the provider refused e"),
        ("1", '{"attempt": 1, "request_id": "wb1:n:abc:1.1"}', '{"attempt": 1, "request_id": "wb1:n:abc:1.1"}'),
        ("made", "it made unmade made-up: made, MADE.", f"it {STARS} unmade made-up: {STARS}, {STARS}."),
        ("abcd", "wb1:abcd:abcd.1:2 abcd.mp4 Bearer abcd", f"wb1:abcd:abcd.1:2 abcd.mp4 Bearer {STARS}"),
    ],
)
def test_a_short_key_takes_no_letters_out_of_words_and_ids(key: str, text: str, left: str) -> None:
    assert Redaction(key)(text) == left


def test_no_key_hides_nothing() -> None:
    assert Redaction("")("any text at all") == "any text at all"


@given(
    st.text(max_size=40),
    st.text(max_size=40),
    st.integers(0, len(KEY) - PART_LETTERS),
    st.integers(PART_LETTERS, len(KEY)),
)
def test_no_long_part_of_the_key_is_left_in_any_text(before: str, after: str, begin: int, size: int) -> None:
    left = Redaction(KEY)(before + KEY[begin : begin + size] + after)
    parts = [KEY[at : at + PART_LETTERS] for at in range(len(KEY) - PART_LETTERS + 1)]
    assert [part for part in parts if part in left] == []


async def made_api(key: str) -> AimlApi:
    return AimlApi(Endpoint("http://127.0.0.1", is_loopback=True), Secret(key), LoopClock(EPOCH), Random(1))


def test_ids_and_kinds_of_an_answer_are_never_changed_by_the_key() -> None:
    key = Status.COMPLETED.value
    api = asyncio.run(made_api(key))
    status, text = Status.COMPLETED, f"bad key {key}"
    masked = api._masked(Progress(key, status, None, text))
    assert (masked.status is status, masked.generation_id, masked.error) == (True, key, f"bad key {STARS}")
