"""USD as people read it: whole cents, half a cent away from 0, by one function."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wanbatch
from wanbatch.money.credits import CREDITS_PER_USD, amount_text, cents_text, shared_cents, usd, usd_text

PACKAGE = Path(wanbatch.__file__).parent


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "0.00"),
        ("0.004", "0.00"),
        ("0.005", "0.01"),
        ("0.015", "0.02"),
        ("0.025", "0.03"),
        ("1.575", "1.58"),
        ("0.625", "0.63"),
        ("-0.004", "0.00"),
        ("-0.005", "-0.01"),
        ("-0.025", "-0.03"),
        ("999999.995", "1,000,000.00"),
        ("1e30", "1,000,000,000,000,000,000,000,000,000,000.00"),
    ],
)
def test_half_a_cent_is_rounded_away_from_zero(amount: str, text: str) -> None:
    assert amount_text(Decimal(amount)) == text


@pytest.mark.parametrize(("cents", "text"), [("0.005", "0.01 USD"), ("0.025", "0.03 USD"), ("-0.025", "-0.03 USD")])
def test_credits_are_shown_by_the_same_rule(cents: str, text: str) -> None:
    assert usd_text(int(Decimal(cents) * CREDITS_PER_USD)) == text


@given(st.lists(st.integers(-(10**12), 10**12), max_size=9))
def test_cents_add_up_to_the_cents_of_the_sum(parts: list[int]) -> None:
    cents = shared_cents(parts)
    assert cents_text(sum(cents)) == amount_text(usd(sum(parts)))
    assert all(abs(Decimal(each) / 100 - usd(part)) < Decimal("0.01") for each, part in zip(cents, parts, strict=True))


def test_the_largest_remainder_gets_the_cent() -> None:
    assert shared_cents([3_150_000, 1_050_000]) == [158, 52]  # 1.575 and 0.525 are 2.10
    assert shared_cents([0, 1_050_000, 1_050_000]) == [0, 53, 52]


def test_no_other_code_writes_an_amount_in_cents() -> None:
    found = [
        path.name
        for path in sorted(PACKAGE.rglob("*.py"))
        if re.search(r":z?,?\.2f\}", path.read_text(encoding="utf-8"))
    ]
    assert found == ["credits.py"]
