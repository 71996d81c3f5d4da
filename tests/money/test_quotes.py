"""Quotes: which price is believed, and what a batch is estimated to cost."""

from __future__ import annotations

from wanbatch.batch.models import PriceClass
from wanbatch.batch.shots import DEFAULT_MODEL
from wanbatch.money.prices import Quote, best_quote, estimate

CLASS = PriceClass(DEFAULT_MODEL, "1080p", 10)


def test_the_most_trustworthy_price_wins() -> None:
    listed = Quote(5, "list")
    nowhere = PriceClass("m", "720p", 5)
    assert [
        best_quote(CLASS, {CLASS: 7}, listed).credits,
        best_quote(CLASS, {}, listed).credits,
        best_quote(CLASS, {}, None).credits,
        best_quote(nowhere, {}, Quote(None, "list")).credits,
        best_quote(PriceClass("m", None, None), {}, None).credits,
    ] == [7, 5, 3_150_000, None, None]


def test_an_estimate_counts_what_it_cannot_price() -> None:
    total = estimate([CLASS, CLASS, PriceClass("m", None, None)], {CLASS: Quote(5, "list")})
    assert (total.credits, total.takes, total.unpriced) == (10, 3, 1)
