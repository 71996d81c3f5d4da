"""The prices that are known on this machine without asking: the provider's last list, else its documentation."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from wanbatch.batch.models import PriceClass, class_of
from wanbatch.batch.shots import Recipe
from wanbatch.clock import system_now
from wanbatch.money.prices import best_quote
from wanbatch.provider.endpoint import load_settings
from wanbatch.provider.pricecache import PriceCache
from wanbatch.provider.tariff import listed_quote

PriceOf = Callable[[Recipe], int | None]
SOURCE = "the provider's last list or its documentation"


@dataclass(frozen=True)
class Cost:
    """What takes cost: the known sum in credits, and how many have no known price."""

    takes: int
    credits: int
    unpriced: int


def kept_prices(env_file: Path | None = None) -> PriceOf:
    """Return what says the price of a take, in credits; None if it is not known here. Asks no provider."""
    now, lists = system_now(), PriceCache(load_settings(os.environ, env_file, Path.cwd()).endpoint.base_url)

    @cache
    def of_class(price_class: PriceClass) -> int | None:
        kept = lists.get(price_class.model, now)
        listed = None if kept is None else listed_quote(kept.pricing, price_class)
        return best_quote(price_class, {}, listed).credits

    return lambda recipe: of_class(class_of({**recipe.body, "model": recipe.model}))


def cost_of(recipes: Iterable[Recipe], price_of: PriceOf) -> Cost:
    """Return what takes with these recipes cost, as far as their prices are known."""
    prices = [price_of(recipe) for recipe in recipes]
    known = [price for price in prices if price is not None]
    return Cost(len(prices), sum(known), len(prices) - len(known))
