"""A purchase: takes that a run would buy, at the prices of now and at the highest that were seen. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from wanbatch.batch.models import PriceClass
from wanbatch.batch.spend import Kind


@dataclass(frozen=True)
class Purchase:
    """Takes that a run would buy: what those with a price cost, how many have none, and what all cost at worst."""

    takes: int = 0
    known: int = 0
    unpriced: int = 0
    worst: int = 0

    def __add__(self, other: Purchase) -> Purchase:
        return Purchase(
            self.takes + other.takes,
            self.known + other.known,
            self.unpriced + other.unpriced,
            higher(self.known, self.worst) + higher(other.known, other.worst),
        )


NOTHING_BOUGHT = Purchase()


def higher(known: int, worst: int | None) -> int:
    """Return what takes cost by which a run holds its cap: at the highest prices seen, where these are known."""
    return known if worst is None else max(known, worst)


def priced(
    takes: Iterable[tuple[PriceClass, int]], prices: Mapping[PriceClass, int], highest: Mapping[PriceClass, int]
) -> Purchase:
    """Price some takes of each class, at their prices of now; `highest` are the highest that were seen."""
    every = [(each, prices.get(each), count) for each, count in takes]
    return Purchase(
        takes=sum(count for _, _, count in every),
        known=sum(count * price for _, price, count in every if price is not None),
        unpriced=sum(count for _, price, count in every if price is None),
        worst=sum(count * max(price or 0, highest.get(each, 0)) for each, price, count in every),
    )


def highest_of(kinds: Iterable[tuple[Kind, int]]) -> dict[PriceClass, int]:
    """Return the highest hold or charge seen of one submit of each class."""
    found: dict[PriceClass, int] = {}
    for kind, _ in kinds:
        seen = [kind.credits_held or 0, (kind.credits_charged or 0) if kind.attempts == 1 else 0]
        found[kind.price_class] = max(found.get(kind.price_class, 0), *seen)
    return found
