"""The purse of a run: what is committed, what is charged, and whether the next take fits under the cap."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from wanbatch.lifecycle import Take
from wanbatch.models import PriceClass
from wanbatch.pricing import Quote

SURPRISE = 1.1  # a hold this many times the quote stops new submits until the user has seen it


class Fit(Enum):
    """Whether the next take may be sent."""

    YES = "yes"
    ALONE = "alone"  # its price is unknown under a cap: nothing else goes out before its answer tells
    NO = "no"


class Purse:
    """Sums over all takes of a batch, kept up to date as facts arrive. Credits are whole; unknown is never 0."""

    def __init__(self, cap_credits: int | None, quotes: Mapping[PriceClass, Quote]) -> None:
        self.cap_credits = cap_credits
        self.committed = 0
        self.charged = 0
        self.uncosted = 0  # takes that may have cost something, and nobody knows how much
        self._prices = {each: quote.credits for each, quote in quotes.items() if quote.credits is not None}

    def follow(self, before: Take | None, after: Take) -> None:
        """Replace a take's part in the sums."""
        for take, sign in ((before, -1), (after, 1)):
            if take is None:
                continue
            committed = take.credits_committed
            self.uncosted += sign * (committed is None)
            self.committed += sign * (committed or 0)
            self.charged += sign * (take.credits_charged or 0)

    def add_stray(self, credits_held: int | None) -> None:
        """Count a submit that belongs to no take: what it cost, or the highest price known where nobody tells."""
        self.committed += max(self._prices.values(), default=0) if credits_held is None else credits_held

    def price_of(self, take: Take) -> int | None:
        """Return what a take should cost, in credits; None where nothing tells."""
        return self._prices.get(take.order.price_class)

    def fit(self, take: Take) -> Fit:
        """Say whether this take may be sent: committed + actual + its price must stay within the cap."""
        if self.cap_credits is None:
            return Fit.YES
        if self.uncosted:
            return Fit.NO
        price = self.price_of(take)
        if price is None:
            return Fit.ALONE if self.committed < self.cap_credits else Fit.NO
        return Fit.YES if self.committed + price <= self.cap_credits else Fit.NO

    def learn(self, take: Take, credits_held: int) -> bool:
        """Note what an answer held; True where it is more than 1.1 times what was expected.

        A hold below the quote lowers nothing: only the ledger tells what a clip costs.
        """
        expected = self.price_of(take)
        self._prices[take.order.price_class] = max(credits_held, expected or 0)
        return expected is not None and credits_held > expected * SURPRISE
