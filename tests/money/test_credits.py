"""Credits: whole numbers of the provider, and their dollars."""

from __future__ import annotations

from decimal import Decimal

import pytest

from wanbatch.money.credits import credits_of_usd, read_credits, usd, usd_text


@pytest.mark.parametrize(
    ("value", "credit_count"),
    [
        (3150000, 3150000), (3150000.0, 3150000), (0, 0), ("3150000", None), (-1, None), (1e30, None), (True, None),
        (float("nan"), None), (1.5, None), (None, None), (float("inf"), None), ([], None),
    ],
)  # fmt: skip
def test_only_whole_credits_are_money(value: object, credit_count: int | None) -> None:
    assert read_credits(value) == credit_count


def test_credits_and_usd_are_exact() -> None:
    assert (usd(3_150_000), credits_of_usd(Decimal("1.5750009")), usd_text(None)) == (
        Decimal("1.575"),
        3_150_001,
        "unknown",
    )
