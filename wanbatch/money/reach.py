"""The reach of a run: how many of its takes fit under the caps, at the prices that are expected. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from wanbatch.batch.models import PriceClass
from wanbatch.batch.plan import Due
from wanbatch.money.prices import UNKNOWN_QUOTE, Quote


@dataclass(frozen=True)
class Caps:
    """The caps of a run in credits, and what is committed already; None if there is no cap, or an unknown part."""

    credits: int | None = None
    committed: int | None = 0
    scenes: Mapping[str, int] = field(default_factory=dict)
    committed_by_scene: Mapping[str, int | None] = field(default_factory=dict)


@dataclass(frozen=True)
class SceneReach:
    """How far a scene comes under its own cap: `takes` of `of` fit; all of them would make it `needed` credits."""

    scene: str
    cap: int
    takes: int
    of: int
    needed: int

    @property
    def is_short(self) -> bool:
        """Say whether the cap does not hold all takes."""
        return self.takes < self.of


@dataclass(frozen=True)
class Reach:
    """How far a run comes: `takes` of `of` fit, for `credits` as expected and `worst` at most, as far as is known.

    `is_known` if all that is committed under a cap is known: else nothing says how much of the cap is left.
    """

    takes: int = 0
    of: int = 0
    credits: int = 0
    worst: int = 0
    scenes: tuple[SceneReach, ...] = ()
    is_known: bool = True


def reach_of(
    due: Iterable[Due], quotes: Mapping[PriceClass, Quote], caps: Caps, tries: int = 1, more: int = 0
) -> Reach:
    """Say which takes, in the order in which they are sent, fit under the caps.

    `more` is what fallbacks may cost at worst, in credits.

    A take that does not fit under the cap of the batch ends the run; one that does not fit under the cap of its scene
    leaves the rest of that scene to a later run. A price that is unknown counts as nothing: the figures are the known
    parts.
    """
    takes = list(due)
    left = None if caps.credits is None or caps.committed is None else caps.credits - caps.committed
    rooms = {scene: _Room(cap, caps.committed_by_scene.get(scene, 0)) for scene, cap in caps.scenes.items()}
    sent, expected, worst, is_full = 0, 0, more, False
    for each in takes:
        quote = quotes.get(each.price_class, UNKNOWN_QUOTE)
        price, room = quote.credits or 0, rooms.get(each.scene)
        if room is not None:
            room.want(price)
        if is_full or (left is not None and not _fits(price, left)):
            is_full = True
            continue
        if room is not None and not room.take(price):
            continue
        left = None if left is None else left - price
        sent, expected = sent + 1, expected + price
        worst += (quote.high or 0) * each.tries_left(tries)
    bound = None if caps.credits is None or caps.committed is None else max(0, caps.credits - caps.committed)
    return Reach(
        takes=sent,
        of=len(takes),
        credits=expected,
        worst=worst if bound is None else min(worst, max(bound, expected)),
        scenes=tuple(room.reach(scene) for scene, room in rooms.items() if room.of),
        is_known=caps.credits is None or caps.committed is not None,
    )


def _fits(price: int, left: int) -> bool:
    return left > 0 if price == 0 else left >= price


class _Room:
    """What is left of the cap of a scene, and what its takes want of it."""

    def __init__(self, cap: int, committed: int | None) -> None:
        self.cap, self.of = cap, 0
        self._committed = committed or 0
        self._left = cap - self._committed if committed is not None else 0  # an unknown part: nothing more fits
        self._taken, self._needed, self._is_full = 0, 0, False

    def want(self, price: int) -> None:
        """Count a take that is to be sent, whether it fits or not."""
        self.of, self._needed = self.of + 1, self._needed + price

    def take(self, price: int) -> bool:
        """Reserve the price of a take; False if it does not fit, and then nothing later does."""
        self._is_full = self._is_full or not _fits(price, self._left)
        if not self._is_full:
            self._left, self._taken = self._left - price, self._taken + 1
        return not self._is_full

    def reach(self, scene: str) -> SceneReach:
        """Say how far the cap reaches."""
        return SceneReach(scene, self.cap, self._taken, self.of, self._committed + self._needed)
