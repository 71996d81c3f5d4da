"""Machines: what is told where a model leaves it to the provider who makes a clip."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from wanbatch.batch.models import class_of
from wanbatch.batch.registry import model_from, reading, shipped
from wanbatch.money.prices import Estimate, Quote
from wanbatch.provider.inquiry import Inquiry
from wanbatch.provider.remarks import Intent, remarks_of

NOW = datetime(2026, 9, 15, 12, 0, tzinfo=UTC)
MACHINE_NOTE = (
    "studio/lens-1 lets the provider choose the machine (provider: auto): the provider may use another machine at"
    " another price{}. Name a `provider` in the manifest to prevent that"
)


@pytest.mark.parametrize(
    ("others", "provider", "notes"),
    [
        ((), "auto", [("note", MACHINE_NOTE.format(""))]),
        ((3_150_000,), "auto", [("note", MACHINE_NOTE.format(", up to 1.575 USD a clip"))]),
        ((), "fal", []),
    ],
)
def test_a_fallback_to_another_machine_is_told_before(
    others: tuple[int, ...], provider: str, notes: list[tuple[str, str]]
) -> None:
    lens = model_from({"properties": {"model": {"const": "studio/lens-1"}, "provider": {"type": "string"}}})
    with reading(shipped().with_added([lens])):
        price_class = class_of({"model": "studio/lens-1", "provider": provider})
        intent = Intent(
            (), Estimate(0, 0, 0), is_capped=True, quotes={price_class: Quote(2_000_000, "price list", others)}
        )
        assert [(each.weight.value, each.text) for each in remarks_of(Inquiry(), intent, NOW)] == notes
