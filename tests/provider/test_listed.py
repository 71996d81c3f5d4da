"""The provider's list of models, and where their files may lie."""

from __future__ import annotations

from typing import Any

import pytest

from wanbatch.provider.bodies import AnswerInvalid
from wanbatch.provider.listed import path_of, price_text, read_listed

BASE = "https://api.aimlapi.com"


def test_rows_without_a_name_are_passed_over() -> None:
    rows: list[Any] = [
        {"id": "b/two", "aliases": ["two", "../x", 7], "info": {"docsJson": f"{BASE}/docs-json?model=b%2Ftwo"}},
        {"id": "../up"},
        {"id": 7},
        "x",
        {"id": "a/one", "aliases": None, "info": None},
    ]
    found = read_listed({"data": rows})
    assert [(each.name, each.aliases, bool(each.docs)) for each in found] == [
        ("a/one", (), False),
        ("b/two", ("two",), True),
    ]


@pytest.mark.parametrize(
    ("modalities", "inputs"),
    [
        ({"input": ["text", "image", "text"], "output": ["video"]}, ("text", "image")),
        ({"input": ["text", 7, None, "", "\x1b[31mred"]}, ("text", "[31mred")),
        ({"input": [f"kind {number}" for number in range(99)]}, tuple(f"kind {number}" for number in range(8))),
        ({"input": "text"}, ()),
        ({}, ()),
        ([], ()),
        (None, ()),
    ],
)
def test_what_a_model_takes_is_what_the_list_says(modalities: object, inputs: tuple[str, ...]) -> None:
    assert [each.inputs for each in read_listed({"data": [{"id": "a/one", "modalities": modalities}]})] == [inputs]


@pytest.mark.parametrize("fields", [{}, {"data": None}, {"data": {}}])
def test_anything_but_a_list_is_refused(fields: Any) -> None:
    with pytest.raises(AnswerInvalid):
        read_listed(fields)


def test_a_file_on_the_providers_host_is_asked_for_by_path() -> None:
    assert path_of(f"{BASE}/docs-json?model=a%2Fb&endpoint=x%2Fy", BASE) == (
        "/docs-json",
        {"model": "a/b", "endpoint": "x/y"},
    )


@pytest.mark.parametrize(
    ("address", "base"),
    [
        ("https://example.com/docs-json", BASE),
        ("http://api.aimlapi.com/docs-json", BASE),
        ("https://api.aimlapi.com:8443/docs-json", BASE),
        ("https://key@api.aimlapi.com/docs-json", BASE),
        ("https://api.aimlapi.com.example.com/docs-json", BASE),
        ("http://example.com/docs-json", "http://example.com"),
        ("file:///etc/passwd", BASE),
        ("https://[broken", BASE),
        ("", BASE),
    ],
)
def test_a_file_anywhere_else_is_not_fetched(address: str, base: str) -> None:
    with pytest.raises(AnswerInvalid):
        path_of(address, base)


@pytest.mark.parametrize(
    ("pricing", "text"),
    [
        ({"kind": "fixed", "units": [{"name": "video", "price": 0.5, "per": 1}]}, "0.5 USD a video"),
        (
            {"kind": "variants", "variants": [{"unit": "second", "price": p, "per": 1} for p in (0.1, 0.3)]},
            "0.1 to 0.3 USD a second",
        ),
        ({"kind": "variants", "variants": [{"unit": "second", "price": 1, "per": 1000}]}, "unknown"),
        ({"kind": "fixed", "currency": "EUR", "units": [{"name": "video", "price": 0.5, "per": 1}]}, "unknown"),
        ({"kind": "variable"}, "unknown"),
        ({"kind": "fixed", "units": [{"name": "video", "price": 0, "per": 1}]}, "unknown"),
        (None, "unknown"),
    ],
)
def test_a_price_is_said_only_where_the_list_is_clear(pricing: Any, text: str) -> None:
    assert price_text(pricing) == text
