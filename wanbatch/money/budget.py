"""The budget of a run: what is committed, what is charged, and whether the next take fits under the caps.

A price is known once an answer has shown it, and may still rise with the next. So under a cap a take whose answer is
out counts at the worst price seen: the highest of its class, or the first of its class times the largest rise of any.
A cap is then never exceeded by prices that rise no further than one has risen before. A new rise can only pass it by
what is out, and more than one take is out only where the cap bears all of them at `RISE_BORNE` times their price: a
rise up to that passes it by one take at most. Takes whose answers were lost before any answer told the price of their
class are out, too, until something tells what they cost; beside one of them another may go out alone, to learn it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from math import ceil
from types import MappingProxyType

from wanbatch.batch.attempts import Attempt, given_up
from wanbatch.batch.inventory import Counted
from wanbatch.batch.lifecycle import State
from wanbatch.batch.models import PriceClass
from wanbatch.batch.spend import Kind, Spend
from wanbatch.batch.take import Take
from wanbatch.money.prices import Quote

SURPRISE_PERCENT = 10  # a first hold further than this from the quote stops new submits until somebody checks it
RISE_BORNE = 10  # a list that was out of date by a factor of ten has been seen; a larger factor is a misprint

LOST_BORNE = 1  # the next answer shows the price most of the time: a single lost one holds up nothing

Worst = Callable[[PriceClass], int | None]


_BEING_MADE = (State.SUBMITTING, State.QUEUED, State.GENERATING)


class Fit(Enum):
    """Whether the next take may be sent."""

    YES = "yes"
    ALONE = "alone"  # its price is not known yet, or the cap has no room for a rise: it waits for all that is out
    UNTOLD = "untold"  # the cap bears no rise of what was sent, and lost its answer, before any told its price
    SCENE = "scene"  # its scene's own cap is reached; takes of other scenes may be sent
    NO = "no"


class Surprise(Enum):
    """How a hold differs from what was expected."""

    DEARER = "dearer"
    CHEAPER = "cheaper"


@dataclass
class Allowance:
    """Sums over some takes. Credits are whole; `committed` includes what is charged, and is the known part
    of it; unknown is counted, never 0.

    `untold` counts takes that may be charged and whose hold no answer reported, by class and expected cost, and
    so does `given_up` the attempts that takes went on without; `releasable` is what is committed for takes that are
    being made, which costs nothing if they fail; `out` counts takes whose answer is still out, `lost`
    those of the untold ones whose answer will not come.
    """

    cap_credits: int | None = None
    committed: int = 0
    charged: int = 0
    releasable: int = 0
    uncosted: int = 0  # takes that may have cost an unknown amount
    untold: Counter[tuple[PriceClass, int]] = field(default_factory=Counter)
    given_up: Counter[tuple[PriceClass, int]] = field(default_factory=Counter)
    out: Counter[PriceClass] = field(default_factory=Counter)
    lost: Counter[PriceClass] = field(default_factory=Counter)

    def add(self, take: Take | Kind, count: int) -> None:
        """Add the parts of `count` takes like this one, or subtract them if it is negative."""
        self.uncosted += count * (take.credits_committed is None)
        self.committed += count * take.credits_committed_known
        self.charged += count * (take.credits_charged or 0)
        if take.state in _BEING_MADE:
            self.releasable += count * take.credits_committed_known
        if _is_untold(take) and take.credits_estimated is not None:
            self.untold[take.price_class, take.credits_estimated] += count
            if take.state in (State.UNKNOWN, State.HELD):
                self.lost[take.price_class] += count
        if take.state is State.SUBMITTING:
            self.out[take.price_class] += count

    def reserve(self, worst: Worst) -> int:
        """Return by how much untold takes may cost more than is committed for them, at the worst prices seen."""
        untold = (*self.untold.items(), *self.given_up.items())
        parts = ((count, worst(each), expected) for (each, expected), count in untold if count)
        return sum(count * max(0, price - expected) for count, price, expected in parts if price is not None)

    def fits(self, price: int | None, reserve: int = 0, released: int = 0) -> bool:
        """Say whether committed + reserve + this price stays within the cap; an unknown price needs room at all.

        `released` is what of the committed is taken not to be charged after all.
        """
        if self.cap_credits is None:
            return True
        if self.uncosted:
            return False
        left = self.cap_credits - self.committed + released - reserve
        return left > 0 if price is None else left >= price

    def bears_rise(self, price: int, prices: Worst, reported: Container[PriceClass]) -> bool:
        """Say whether a take may join those that are out: the cap holds even if the price of all rises.

        A take that goes out alone may: its cost can only be learnt from its own answer. `reported` are the classes
        whose price an answer has told.
        """
        if self.cap_credits is None or not +self.out:
            return True
        more = self._rise_of(self.out, prices) + self._rise_of(self.lost_untold(reported), prices)
        return self.committed + more + RISE_BORNE * price <= self.cap_credits

    def bears_lost(self, price: int | None, prices: Worst, reported: Container[PriceClass]) -> bool:
        """Say whether the cap bears a take beside those whose answers were lost before any showed what one costs.

        Beside one of them it may go out, alone: an unseen rise passes the cap by these two.
        """
        lost = self.lost_untold(reported)
        if self.cap_credits is None or lost.total() <= LOST_BORNE:
            return True
        return self.committed + self._rise_of(lost, prices) + (price or 0) <= self.cap_credits

    def lost_untold(self, reported: Container[PriceClass]) -> Counter[PriceClass]:
        """Count the takes whose answer was lost before one showed the price of their class, by class."""
        return Counter({each: count for each, count in self.lost.items() if count and each not in reported})

    @staticmethod
    def _rise_of(takes: Counter[PriceClass], prices: Worst) -> int:
        return sum(count * (RISE_BORNE - 1) * (prices(each) or 0) for each, count in takes.items())


class Budget:
    """Sums over all takes of a batch, kept up to date as facts arrive.

    `scene_caps` are the caps of single scenes, `scenes` maps each shot to its scene.
    """

    def __init__(
        self,
        cap_credits: int | None,
        quotes: Mapping[PriceClass, Quote],
        scene_caps: Mapping[str, int] = MappingProxyType({}),
        scenes: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._all = Allowance(cap_credits)
        self._scenes = {scene: Allowance(cap) for scene, cap in scene_caps.items()}
        self._scene_of = scenes
        self._prices = {each: quote.credits for each, quote in quotes.items() if quote.credits is not None}
        self._proven = {each for each, quote in quotes.items() if quote.is_proven}
        self._strays: dict[str, int | None] = {}  # what is counted for each, by its request id
        self._logged: set[PriceClass] = set()  # whose price the log has told, of an answer that was lost or never seen
        self._first_told = {each: price for each, price in self._prices.items() if each in self._proven and price > 0}
        self._rise = Fraction(1)  # the largest rise of a price that an answer had reported before
        self._given_up: dict[int, Counter[tuple[PriceClass, int]]] = {}  # by take, as its allowances count it

    @property
    def cap_credits(self) -> int | None:
        """The cap of the batch."""
        return self._all.cap_credits

    @property
    def committed(self) -> int:
        """What is charged, held or expected of takes sent: its known part where some may have cost more."""
        return self._all.committed

    @property
    def charged(self) -> int:
        """What the ledger showed."""
        return self._all.charged

    @property
    def uncosted(self) -> int:
        """How many takes may have cost an unknown amount."""
        return self._all.uncosted

    def scene_of(self, take: Take) -> str:
        """Return the name of a take's scene."""
        return self._scene_of.get(take.shot_id, "")

    def scene_allowance(self, take: Take) -> Allowance | None:
        """Return the sums of a take's scene; None if that scene has no cap of its own."""
        return self._scenes.get(self.scene_of(take))

    @property
    def has_caps(self) -> bool:
        """Say whether the batch or one of its scenes has a cap."""
        return self._all.cap_credits is not None or self.has_scene_caps

    @property
    def has_scene_caps(self) -> bool:
        """Say whether single scenes have caps of their own."""
        return bool(self._scenes)

    def begin(self, kinds: Iterable[Counted]) -> None:
        """Start from existing takes: one of each kind, and how many. Their holds show prices, too."""
        for take, count in kinds:
            self._all.add(take, count)
            if take.credits_held is not None:
                known = self._prices.get(take.price_class, 0)
                self._prices[take.price_class] = max(known, take.credits_held)

    def begin_scene(self, scene: str, take: Take | Kind, count: int) -> None:
        """Start from a number of takes like this one in a scene."""
        allowance = self._scenes.get(scene)
        if allowance is not None:
            allowance.add(take, count)

    def follow(self, before: Take, after: Take) -> None:
        """Replace a take's part in the sums."""
        for take, sign in ((before, -1), (after, 1)):
            self._all.add(take, sign)
            scene = self.scene_allowance(take)
            if scene is not None:
                scene.add(take, sign)

    def give_up(self, take: Take, attempts: Iterable[Attempt]) -> None:
        """Count the possible cost of attempts that a take went on without: no answer reported it, and prices may have
        risen.

        `attempts` are all of the take; what is committed for them is in `Take.credits_at_risk`.
        """
        parts = Counter(
            (take.price_class, each.credits_at_risk)
            for each in given_up(take, attempts)
            if each.credits_held is None and each.credits_at_risk
        )
        before = self._given_up.pop(take.take_id, Counter())
        self._given_up |= {take.take_id: parts} if parts else {}
        scene = self.scene_allowance(take)
        for allowance in [self._all] if scene is None else [self._all, scene]:
            allowance.given_up.subtract(before)
            allowance.given_up.update(parts)

    def see_price(self, take: Take, credits_held: int | None) -> None:
        """Note the hold that the log shows for a submit of a take's class: no answer of this run reported it."""
        if credits_held:
            price_class = take.price_class
            self._prices[price_class] = max(self._prices.get(price_class, 0), credits_held)
            self._logged.add(price_class)

    def add_stray(self, request_id: str, credits_held: int | None) -> None:
        """Count a submit that belongs to no take: its cost, or the highest known price if that is unknown.

        If no price is known either, its cost is unknown: then nothing more fits under a cap.
        """
        known = max(self._prices.values(), default=None) if credits_held is None else credits_held
        self._strays[request_id] = known
        self._all.committed += known or 0
        self._all.uncosted += known is None

    def keep_strays(self, request_ids: Container[str]) -> None:
        """Count no other submits of no take than these any more: a take counts what was given to it since."""
        for request_id in [each for each in self._strays if each not in request_ids]:
            known = self._strays.pop(request_id)
            self._all.committed -= known or 0
            self._all.uncosted -= known is None

    def price_of(self, take: Take) -> int | None:
        """Return what a take should cost, in credits; None if unknown."""
        return self._prices.get(take.price_class)

    def worst_of(self, take: Take) -> int | None:
        """Return the worst price that a take may have by all that was seen; None if unknown."""
        return self._worst(take.price_class)

    @property
    def reserve(self) -> int:
        """By how much takes without a reported hold may cost more than is committed for them."""
        return self._all.reserve(self._worst)

    def fit(self, take: Take) -> Fit:
        """Say whether this take may be sent: committed + actual + its price must stay within every cap on it."""
        worst, scene = self.worst_of(take), self.scene_allowance(take)
        if not self._all.fits(worst, self.reserve):
            return Fit.NO
        if scene is not None and not scene.fits(worst, scene.reserve(self._worst)):
            return Fit.SCENE
        allowances = [self._all] if scene is None else [self._all, scene]
        price, prices, reported = self.price_of(take), self._prices.get, self._proven | self._logged
        if not self._all.bears_lost(worst, prices, reported):
            return Fit.UNTOLD
        if scene is not None and not scene.bears_lost(worst, prices, reported):
            return Fit.SCENE
        if price is None or not self._is_reported(take):
            return Fit.ALONE if any(each.cap_credits is not None for each in allowances) else Fit.YES
        bears_rise = all(each.bears_rise(price, prices, reported) for each in allowances)
        return Fit.YES if bears_rise else Fit.ALONE

    def may_fit_later(self, take: Take) -> bool:
        """Say whether a take that does not fit now would fit if every take that is being made failed, for nothing."""
        worst, scene = self.worst_of(take), self.scene_allowance(take)
        allowances = [self._all] if scene is None else [self._all, scene]
        return all(each.fits(worst, each.reserve(self._worst), each.releasable) for each in allowances)

    def _worst(self, price_class: PriceClass) -> int | None:
        """Return the worst price of a class by all that was seen; None if no price of it is known."""
        price = self._prices.get(price_class)
        if price is None:
            return None
        return max(price, ceil(self._first_told.get(price_class, price) * self._rise))

    def _is_reported(self, take: Take) -> bool:
        """Say whether an answer or the ledger has shown the price of takes like this one."""
        return self.price_of(take) is not None and take.price_class in self._proven

    @property
    def lost(self) -> int:
        """How many takes lost their answer before any showed the price of their class."""
        return self._all.lost_untold(self._proven | self._logged).total()

    def may_learn(self, take: Take) -> bool:
        """Say whether an answer that is still out may show the cost that keeps this take from being sent."""
        scene = self.scene_allowance(take)
        allowances = [self._all] if scene is None else [self._all, scene]
        return any(each.uncosted > 0 or each.reserve(self._worst) > 0 for each in allowances)

    def learn(self, take: Take, credits_held: int) -> Surprise | None:
        """Note what an answer held, and say whether that is more than 10% off what was expected.

        A hold below the quote lowers nothing, and is reported only for the first take of its class: only the ledger
        says what a clip costs.
        """
        price_class, expected = take.price_class, self.price_of(take)
        is_first = price_class not in self._proven
        self._proven.add(price_class)
        first = self._first_told.setdefault(price_class, credits_held)
        self._rise = max(self._rise, Fraction(credits_held, first))
        self._prices[price_class] = max(credits_held, expected or 0)
        if expected is None:
            return None
        if credits_held * 100 > expected * (100 + SURPRISE_PERCENT):
            return Surprise.DEARER
        is_low = credits_held * 100 < expected * (100 - SURPRISE_PERCENT)
        return Surprise.CHEAPER if is_first and is_low else None


def _is_untold(take: Spend) -> bool:
    """Say whether a take may still be charged, and no answer said what is held for it."""
    is_free = take.state in (State.PLANNED, State.FAILED)
    return not is_free and take.credits_held is None and not take.is_charge_seen
