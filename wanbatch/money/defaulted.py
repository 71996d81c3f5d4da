"""What takes cost whose resolution or length no manifest says, and what smaller ones would cost. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from wanbatch.batch.models import PriceClass
from wanbatch.batch.plan import Due
from wanbatch.batch.unwritten import DURATION, RESOLUTION, smaller
from wanbatch.money.prices import UNKNOWN_QUOTE, Quote


@dataclass(frozen=True)
class Defaulted:
    """Takes of one class that leave `names` to their model. Credits are for one take; None if unknown.

    `smaller` is the class with 720p and 5 s in place of larger defaults; None if there is none.
    """

    price_class: PriceClass
    names: tuple[str, ...]
    takes: int
    credits: int | None
    smaller: PriceClass | None = None
    smaller_credits: int | None = None

    @property
    def values(self) -> str:
        """The defaults that are used, such as `1080p, 10 s`."""
        return default_values(self.price_class, self.names)

    @property
    def smaller_values(self) -> str:
        """What could be written instead; empty if nothing is smaller."""
        return "" if self.smaller is None else default_values(self.smaller, self.names)


def default_values(price_class: PriceClass, names: Iterable[str]) -> str:
    """Return what a class has for these names, such as `1080p, 10 s`."""
    values = {DURATION: f"{price_class.duration_s} s", RESOLUTION: str(price_class.resolution)}
    return ", ".join(values[name] for name in names)


def smaller_classes(due: Iterable[Due]) -> set[PriceClass]:
    """Return the classes that could be asked for in place of those with defaults in them."""
    found = {(each.price_class, each.unwritten) for each in due if each.unwritten}
    return {less for price_class, names in found if (less := smaller(price_class, names)) is not None}


def defaulted(due: Iterable[Due], quotes: Mapping[PriceClass, Quote]) -> tuple[Defaulted, ...]:
    """Return the takes with defaults in their price, by class, the most first; `quotes` has smaller classes, too."""
    counts = Counter((each.price_class, each.unwritten) for each in due if each.unwritten)
    rows = []
    for (price_class, names), takes in counts.most_common():
        less = smaller(price_class, names)
        price = quotes.get(price_class, UNKNOWN_QUOTE).credits
        smaller_price = None if less is None else quotes.get(less, UNKNOWN_QUOTE).credits
        rows.append(Defaulted(price_class, names, takes, price, less, smaller_price))
    return tuple(rows)
