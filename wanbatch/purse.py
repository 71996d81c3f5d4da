"""The purse of a run: what is committed, what is charged, and whether the next take fits under the caps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from wanbatch.lifecycle import Take
from wanbatch.models import PriceClass
from wanbatch.pricing import Quote

SURPRISE_PERCENT = 10  # a first hold that lies further than this from the quote stops new submits until someone looks


class Fit(Enum):
    """Whether the next take may be sent."""

    YES = "yes"
    ALONE = "alone"  # no answer has told its price under this cap: nothing else goes out before one does
    SCENE = "scene"  # its scene's own cap is reached; takes of other scenes may go
    NO = "no"


class Surprise(Enum):
    """How a hold differs from what was expected."""

    DEARER = "dearer"
    CHEAPER = "cheaper"


@dataclass
class Pocket:
    """Sums over some takes. Credits are whole; `committed` includes what is charged; unknown is counted, never 0."""

    cap_credits: int | None = None
    committed: int = 0
    charged: int = 0
    uncosted: int = 0  # takes that may have cost something, and nobody knows how much

    def add(self, take: Take, count: int) -> None:
        """Put the parts of so many takes like this one in, or take them out where `count` is negative."""
        committed = take.credits_committed
        self.uncosted += count * (committed is None)
        self.committed += count * (committed or 0)
        self.charged += count * (take.credits_charged or 0)

    def fits(self, price: int | None) -> bool:
        """Say whether committed + charged + this price stays within the cap; an unknown price needs room at all."""
        if self.cap_credits is None:
            return True
        if self.uncosted:
            return False
        return self.committed < self.cap_credits if price is None else self.committed + price <= self.cap_credits


class Purse:
    """Sums over all takes of a batch, kept up to date as facts arrive.

    `scene_caps` are the caps of single scenes, `scenes` tells the scene of each shot.
    """

    def __init__(
        self,
        cap_credits: int | None,
        quotes: Mapping[PriceClass, Quote],
        scene_caps: Mapping[str, int] = MappingProxyType({}),
        scenes: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._all = Pocket(cap_credits)
        self._scenes = {scene: Pocket(cap) for scene, cap in scene_caps.items()}
        self._scene_of = scenes
        self._prices = {each: quote.credits for each, quote in quotes.items() if quote.credits is not None}
        self._proven = {each for each, quote in quotes.items() if quote.is_proven}

    @property
    def cap_credits(self) -> int | None:
        """The cap of the batch."""
        return self._all.cap_credits

    @property
    def committed(self) -> int:
        """What is charged, held or expected of takes sent; without those of unknown cost."""
        return self._all.committed

    @property
    def charged(self) -> int:
        """What the ledger showed."""
        return self._all.charged

    @property
    def uncosted(self) -> int:
        """How many takes may have cost something, and nobody knows how much."""
        return self._all.uncosted

    def scene_of(self, take: Take) -> str:
        """Return the name of a take's scene."""
        return self._scene_of.get(take.shot_id, "")

    def pocket_of(self, take: Take) -> Pocket | None:
        """Return the sums of a take's scene; None where that scene has no cap of its own."""
        return self._scenes.get(self.scene_of(take))

    @property
    def has_scene_caps(self) -> bool:
        """Say whether single scenes have caps of their own."""
        return bool(self._scenes)

    def begin(self, kinds: Iterable[tuple[Take, int]]) -> None:
        """Start from takes that are there: one of each kind, and how many."""
        for take, count in kinds:
            self._all.add(take, count)

    def begin_scene(self, scene: str, take: Take, count: int) -> None:
        """Start from so many takes like this one in a scene."""
        pocket = self._scenes.get(scene)
        if pocket is not None:
            pocket.add(take, count)

    def follow(self, before: Take, after: Take) -> None:
        """Replace a take's part in the sums."""
        for take, sign in ((before, -1), (after, 1)):
            self._all.add(take, sign)
            scene = self.pocket_of(take)
            if scene is not None:
                scene.add(take, sign)

    def add_stray(self, credits_held: int | None) -> None:
        """Count a submit that belongs to no take: what it cost, or the highest price known where nobody tells."""
        known = max(self._prices.values(), default=0) if credits_held is None else credits_held
        self._all.committed += known

    def price_of(self, take: Take) -> int | None:
        """Return what a take should cost, in credits; None where nothing tells."""
        return self._prices.get(take.order.price_class)

    def fit(self, take: Take) -> Fit:
        """Say whether this take may be sent: committed + actual + its price must stay within every cap on it."""
        price, scene = self.price_of(take), self.pocket_of(take)
        if not self._all.fits(price):
            return Fit.NO
        if scene is not None and not scene.fits(price):
            return Fit.SCENE
        is_capped = self.cap_credits is not None or scene is not None
        return Fit.ALONE if is_capped and not self._is_told(take) else Fit.YES

    def _is_told(self, take: Take) -> bool:
        """Say whether an answer, or the ledger, has told the price of takes like this one."""
        return self.price_of(take) is not None and take.order.price_class in self._proven

    def may_learn(self, take: Take) -> bool:
        """Say whether an answer that is still out may tell the cost that keeps this take from being sent."""
        scene = self.pocket_of(take)
        return self.uncosted > 0 or (scene is not None and scene.uncosted > 0)

    def learn(self, take: Take, credits_held: int) -> Surprise | None:
        """Note what an answer held, and say whether that is more than 10% off what was expected.

        A hold below the quote lowers nothing, and is told only of the first take of its class: only the ledger tells
        what a clip costs.
        """
        price_class, expected = take.order.price_class, self.price_of(take)
        is_first = price_class not in self._proven
        self._proven.add(price_class)
        self._prices[price_class] = max(credits_held, expected or 0)
        if expected is None:
            return None
        if credits_held * 100 > expected * (100 + SURPRISE_PERCENT):
            return Surprise.DEARER
        is_low = credits_held * 100 < expected * (100 - SURPRISE_PERCENT)
        return Surprise.CHEAPER if is_first and is_low else None
