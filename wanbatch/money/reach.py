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
class CapReach:
    """How far one cap reaches on its own: `takes` of `of` fit, and all of them would need a cap of `needed` credits.

    `scene` is the scene whose cap it is, empty for that of the batch. `left` is what the cap has left once those that
    fit are sent, None while it is unknown how much is committed: then nothing more fits. `unpriced` of the takes have
    no price. `waiting` are the takes that do not fit, in order; `price` is that of the first of them, None if unknown.
    """

    scene: str
    cap: int
    takes: int
    of: int
    needed: int
    left: int | None = 0
    unpriced: int = 0
    waiting: tuple[str, ...] = ()
    price: int | None = None

    @property
    def is_short(self) -> bool:
        """Say whether the cap does not hold all takes."""
        return self.takes < self.of


@dataclass(frozen=True)
class Reach:
    """How far a run comes: `takes` of `of` fit, for `credits` as expected and `worst` at most, as far as is known.

    `is_known` if all that is committed under the cap of the batch is known: else nothing says how much of it is left.
    `whole` is what that cap covers on its own, None without one; `scenes` are the caps of scenes that have takes here.
    """

    takes: int = 0
    of: int = 0
    credits: int = 0
    worst: int = 0
    scenes: tuple[CapReach, ...] = ()
    is_known: bool = True
    whole: CapReach | None = None

    @property
    def short_scenes(self) -> list[CapReach]:
        """The scenes whose own caps do not hold all of their takes."""
        return [each for each in self.scenes if each.is_short]


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
    whole = None if caps.credits is None else _Room(caps.credits, caps.committed)
    sent, expected, worst, is_full = 0, 0, more, False
    for each in takes:
        quote = quotes.get(each.price_class, UNKNOWN_QUOTE)
        price, room = quote.credits or 0, rooms.get(each.scene)
        if whole is not None:
            whole.take(each, quote.credits)
        is_paused = room is not None and not room.take(each, quote.credits)
        if is_full or (left is not None and not _fits(price, left)):
            is_full = True
            continue
        if is_paused:
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
        whole=None if whole is None else whole.reach(""),
    )


def _fits(price: int, left: int) -> bool:
    return left > 0 if price == 0 else left >= price


class _Room:
    """What is left of one cap, and what the takes under it want of it."""

    def __init__(self, cap: int, committed: int | None) -> None:
        self.cap, self.of = cap, 0
        self._committed = committed
        self._left = 0 if committed is None else cap - committed  # an unknown part: nothing more fits
        self._wanted, self._unpriced = 0, 0
        self._price: int | None = None
        self._waiting: list[str] = []

    def take(self, due: Due, price: int | None) -> bool:
        """Reserve the price of a take; False if it does not fit, and then nothing later does."""
        self.of, self._wanted = self.of + 1, self._wanted + (price or 0)
        self._unpriced += price is None
        if not self._waiting and _fits(price or 0, self._left):
            self._left -= price or 0
            return True
        self._price = self._price if self._waiting else price
        self._waiting.append(due.label)
        return False

    def reach(self, scene: str) -> CapReach:
        """Say how far the cap reaches."""
        return CapReach(
            scene=scene,
            cap=self.cap,
            takes=self.of - len(self._waiting),
            of=self.of,
            needed=(self._committed or 0) + self._wanted,
            left=None if self._committed is None else max(0, self._left),
            unpriced=self._unpriced,
            waiting=tuple(self._waiting),
            price=self._price,
        )
