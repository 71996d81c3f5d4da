"""What takes order: their recipes as columns, with the documented defaults of their models."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pandas as pd

from wanbatch.batch.models import Order, order_of, priced_names
from wanbatch.batch.shots import Recipe
from wanbatch.reporting.record import series

_LINES = re.compile(r"[0-9]+[PpKk]")
ORDER_COLUMNS: dict[str, str] = {
    "model": "string",
    "resolution": "string",
    "aspect_ratio": "string",
    "duration_ordered_s": "Int64",
    "seed": "Int64",
    "prompt": "string",
    "recipe_sha256": "string",
    "provider": "string",
    "price_class": "string",
}


def orders_frame(recipes: Iterable[str]) -> pd.DataFrame:
    """One row per recipe, which is canonical JSON: the columns of ORDER_COLUMNS. Raises StateInvalid."""
    known: dict[Any, tuple[Any, ...]] = {}
    columns: list[list[Any]] = [[] for _ in ORDER_COLUMNS]
    names = (*priced_names(), "aspect_ratio", "ratio")  # all that an order's columns are made of
    for text in recipes:
        recipe = Recipe(text)
        body = recipe.body
        asked = tuple(repr(body.get(name)) for name in names)
        if asked not in known:
            known[asked] = _ordered(order_of(recipe))
        *ordered, machine, price_class = known[asked]
        row = (*ordered, body.get("seed"), str(body.get("prompt", "")), recipe.sha256, machine, price_class)
        for column, value in zip(columns, row, strict=True):
            column.append(value)
    named = zip(ORDER_COLUMNS.items(), columns, strict=True)
    return pd.DataFrame({name: series(values, kind) for (name, kind), values in named}, copy=False)


def plain_resolution(resolution: str | None) -> str | None:
    """Return a resolution in one spelling, whatever models have: 1080P is 1080p; `fhd` stays what it is."""
    return resolution.lower() if resolution is not None and _LINES.fullmatch(resolution) else resolution


def _ordered(order: Order) -> tuple[Any, ...]:
    return (
        order.model,
        plain_resolution(order.resolution),
        order.aspect_ratio,
        order.duration_s,
        order.machine,
        str(order.price_class),
    )
