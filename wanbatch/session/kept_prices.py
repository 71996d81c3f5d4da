"""The prices that are known here without asking: what was paid, the provider's last list, its documentation."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from wanbatch.batch.models import PriceClass, class_of
from wanbatch.batch.shots import Recipe
from wanbatch.clock import system_now
from wanbatch.errors import WanbatchError
from wanbatch.folders import OUTPUTS
from wanbatch.money.credits import partly_known
from wanbatch.money.prices import best_quote
from wanbatch.money.seen_prices import prices_now, seen_prices
from wanbatch.provider.endpoint import load_settings
from wanbatch.provider.pricecache import PriceCache
from wanbatch.provider.tariff import listed_quote
from wanbatch.session.access import Access
from wanbatch.state.history import earlier_prices
from wanbatch.state.reader import STATE_NAME, StateReader

PriceOf = Callable[[Recipe], int | None]
SOURCE = "what was paid before, the provider's last list or its documentation"


@dataclass(frozen=True)
class Cost:
    """What takes cost: the known sum in credits, and how many have no known price."""

    takes: int
    credits: int
    unpriced: int

    def __sub__(self, part: Cost) -> Cost:
        """Return what is left without a part."""
        return Cost(self.takes - part.takes, self.credits - part.credits, self.unpriced - part.unpriced)

    @property
    def text(self) -> str:
        """What it comes to, such as `1.05 USD`; an unknown price is never 0."""
        return partly_known(self.credits, self.unpriced)

    @property
    def for_about(self) -> str:
        """The same after what is bought: `for about 1.05 USD`."""
        return "at a price that is not known here" if 0 < self.takes == self.unpriced else f"for about {self.text}"


def kept_prices(env_file: Path | None = None, output: Path | None = None) -> PriceOf:
    """Return what says the price of a take, in credits; None if it is not known here. Asks no provider.

    `output` is the folder of the batch: what was paid there goes first, and tells which provider it is about.
    """
    paid = _paid_in(output)
    address = paid.base_url or load_settings(os.environ, env_file, Path.cwd()).endpoint.base_url
    return _kept(paid, address, output if output is not None else Path(OUTPUTS) / "-")


def prices_at(access: Access, output: Path) -> PriceOf:
    """Return what says the price of a take for a folder at this provider, as `kept_prices` does. Asks no provider.

    It reads nothing before the first price is needed.
    """

    @cache
    def known() -> PriceOf:
        return sandbox_prices() if access.is_embedded else _kept(_paid_in(output), access.address, output)

    def of(recipe: Recipe) -> int | None:
        return known()(recipe)

    return of


def _kept(paid: _Paid, base_url: str, beside: Path) -> PriceOf:
    """Return what says the price of a take at a provider; `beside` is the folder whose neighbours are read."""
    now, lists = system_now(), PriceCache(base_url)

    @cache
    def earlier() -> Mapping[PriceClass, int]:
        return earlier_prices(beside, base_url)

    @cache
    def of_class(price_class: PriceClass) -> int | None:
        kept = lists.get(price_class.model, now)
        listed = None if kept is None else listed_quote(kept.pricing, price_class)
        is_told = price_class in paid.seen or (listed is not None and listed.credits is not None)
        found = best_quote(price_class, paid.seen, listed, {} if is_told else earlier()).credits
        return found if found is not None else paid.quoted.get(price_class)

    return lambda recipe: of_class(class_of({**recipe.body, "model": recipe.model}))


def sandbox_prices() -> PriceOf:
    """Return what says the price of a take at the embedded sandbox, in credits of play money."""
    from wanbatch.sandbox.models import models_served
    from wanbatch.sandbox.prices import pricing_of

    served = models_served()

    def of(recipe: Recipe) -> int | None:
        model = served.get(recipe.model)
        told = class_of({**recipe.body, "model": recipe.model})
        return None if model is None else listed_quote(pricing_of(model), told).credits

    return of


@dataclass(frozen=True)
class _Paid:
    """What a batch paid for takes of each class, and what was quoted to its newest run, at one provider."""

    base_url: str = ""
    seen: Mapping[PriceClass, int] = field(default_factory=dict)
    quoted: Mapping[PriceClass, int] = field(default_factory=dict)


def _paid_in(output: Path | None) -> _Paid:
    """Return what is known of prices in an output folder; nothing if it has no state file that can be read."""
    if output is None or not (output / STATE_NAME).is_file():
        return _Paid()
    with suppress(WanbatchError), StateReader.open(output) as reader:
        kinds = [kind for kind, _ in reader.kinds()]
        return _Paid(reader.identity().base_url, seen_prices(kinds), prices_now(kinds, reader.quotes()))
    return _Paid()


def cost_of(recipes: Iterable[Recipe], price_of: PriceOf) -> Cost:
    """Return what takes with these recipes cost, as far as their prices are known."""
    prices = [price_of(recipe) for recipe in recipes]
    known = [price for price in prices if price is not None]
    return Cost(len(prices), sum(known), len(prices) - len(known))
