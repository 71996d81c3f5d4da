"""The preview of a run: what it would send, in which order, at which price. Nothing here asks or writes anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from wanbatch.batch.chained_takes import NOTHING_CHAINED, ChainedTakes
from wanbatch.batch.chains import Chains
from wanbatch.batch.inventory import Inventory, clips_of
from wanbatch.batch.lifecycle import SETTLED_STATES, State
from wanbatch.batch.models import PriceClass, class_of, order_of
from wanbatch.batch.order_to_send import OrderToSend, called_now, order_to_send
from wanbatch.batch.plan import Due, Plan, due_group, in_table_order
from wanbatch.batch.shots import Fallback, Recipe
from wanbatch.batch.unwritten import unwritten_in
from wanbatch.errors import ExitCode, most_urgent
from wanbatch.money.credits import credits_of_usd
from wanbatch.money.defaulted import Defaulted, default_values, defaulted, smaller_classes
from wanbatch.money.prices import NOTHING, UNKNOWN_QUOTE, Estimate, Quote, best_quote, estimate
from wanbatch.money.reach import Caps, Reach, reach_of
from wanbatch.money.seen_prices import held_prices, seen_prices
from wanbatch.money.successions import Succession
from wanbatch.pace.measured import Measured
from wanbatch.provider.remarks import Remark, Weight
from wanbatch.runner.settings import OnUnknown, RunSettings
from wanbatch.session.folder_questions import Question
from wanbatch.session.pilot import Findings
from wanbatch.state.reader import StateReader


class Why(StrEnum):
    """Why the user is asked."""

    START = "start"
    PILOT = "pilot"  # the pilot is done; the rest is to be sent
    PRICE = "price"  # an answer held a price that was not expected


@dataclass(frozen=True)
class LongestChain:
    """The chain of a run that takes longest, of so many: its shots in order, and for how long they are made.

    `slow_seconds` is how long if each is as slow as one in 20. `behind` counts the takes that are not sent if the first
    shot fails.
    """

    chains: int
    shots: tuple[str, ...]
    seconds: float
    slow_seconds: float
    behind: int


@dataclass(frozen=True)
class Preview:
    """What a run would do and cost, before it does. `balance_usd` is None if it is not known.

    `scenes` is the estimate by scene, in story order; `before` what this batch has spent and committed (None if
    a part of it is unknown); `tries` how often a take may be bought in the worst case; `pilot` how many takes go
    first, None without a pilot; `findings` what a pilot, or what ran before a new price, brought. `lost` counts the
    submits whose answers were lost, and `on_unknown` says what becomes of those that leave no trace. `remarks` are
    what the provider said that matters for the run; `questions` are what the run asks first; `takes` is each take that
    would be sent, in that order; `defaulted` those whose price rests on defaults of the model. It
    `is_play_money` at any provider on this machine. `every_quote` has the prices of all takes of a batch that was
    never sent, including those that this run leaves out: its baseline. `fallbacks` are the models that takes may go on
    with, with what that may cost beside `estimate`. `unready` are takes that are not sent, each with the shot that it
    continues from and that has no clip; `successions` are shots with new takes that others continue from;
    `longest` is the chain that takes longest, None without chains.
    """

    batch: str
    output: Path
    plan: Plan | None
    counts: Mapping[str, int]
    to_submit: Mapping[PriceClass, int]
    quotes: Mapping[PriceClass, Quote]
    estimate: Estimate
    cap_credits: int | None
    balance_usd: Decimal | None
    host: str
    is_sandbox: bool
    speed: float
    scenes: Mapping[str, Estimate] = field(default_factory=dict)
    scene_caps: Mapping[str, int] = field(default_factory=dict)
    before: int | None = 0
    tries: int = 1
    pilot: int | None = None
    why: Why = Why.START
    findings: Findings | None = None
    lost: int = 0
    on_unknown: OnUnknown = OnUnknown.RECONCILE
    remarks: tuple[Remark, ...] = ()
    questions: tuple[Question, ...] = ()
    takes: tuple[Due, ...] = ()
    defaulted: tuple[Defaulted, ...] = ()
    committed_by_scene: Mapping[str, int | None] = field(default_factory=dict)
    is_play_money: bool = False
    every_quote: Mapping[PriceClass, Quote] = field(default_factory=dict)
    fallbacks: tuple[FallbackCost, ...] = ()
    unready: tuple[tuple[Due, str], ...] = ()
    successions: tuple[Succession, ...] = ()
    longest: LongestChain | None = None

    @cached_property
    def reach(self) -> Reach:
        """How many of the takes fit under the caps, at the prices that are expected."""
        caps = Caps(self.cap_credits, self.before, self.scene_caps, self.committed_by_scene)
        more = sum(each.worst for each in self.fallbacks if each.worst is not None)
        return reach_of(self.takes, self.quotes, caps, self.tries, more)

    @property
    def refusal(self) -> tuple[ExitCode, str] | None:
        """The exit code and the reason where nothing may be sent as it is; None if it may."""
        found = [each for each in self.remarks if each.weight is Weight.REFUSAL]
        if not found or not self.estimate.takes:
            return None
        return most_urgent(each.exit_code for each in found), "; ".join(each.text for each in found)

    @property
    def is_known_within_cap(self) -> bool:
        """Say whether all that would be sent has a price, and fits under a cap that was given."""
        if self.cap_credits is None or self.before is None or self.estimate.unpriced:
            return False
        return self.before + self.estimate.credits <= self.cap_credits

    @property
    def balance_credits(self) -> int | None:
        """The balance in whole credits, rounded down; None if it is not known."""
        return None if self.balance_usd is None else credits_of_usd(self.balance_usd)


def committed_by_scene(state: StateReader, settings: RunSettings) -> Mapping[str, int | None]:
    """Return what is committed by scene, where a scene has a cap of its own; else nothing."""
    return state.committed_by_scene() if settings.scene_caps else {}


@dataclass(frozen=True)
class FallbackCost:
    """What takes may cost that go on with their fallback, at the highest price, as often as each may be tried.

    `takes` may do so; `left` of them failed before, and do so now. `worst` is None if no price is known. `unwritten`
    names what its price depends on and neither the fallback nor its shot says: the defaults of that model.
    """

    price_class: PriceClass
    takes: int
    left: int
    worst: int | None
    unwritten: tuple[str, ...] = ()

    @property
    def defaults(self) -> str:
        """The defaults of the fallback's model that are used, such as `1080p, 10 s`; empty if there are none."""
        return default_values(self.price_class, self.unwritten)


@dataclass(frozen=True)
class NextOnes:
    """What fallbacks would order: by shot, and for each failed take whose fallback was not used yet.

    `unwritten` names by class what a fallback leaves to the defaults of its model.
    """

    by_shot: Mapping[str, PriceClass] = field(default_factory=dict)
    left: tuple[PriceClass, ...] = ()
    unwritten: Mapping[PriceClass, tuple[str, ...]] = field(default_factory=dict)

    def after(self, shot_id: str, now: PriceClass) -> PriceClass | None:
        """Return what a take of a shot would go on with; None without a fallback, and for a take that is of it."""
        found = self.by_shot.get(shot_id)
        return None if found is None or found.model == now.model else found


NO_NEXT_ONES = NextOnes()


def next_ones_of(fallbacks: Mapping[str, Fallback], left: Iterable[Recipe] = ()) -> NextOnes:
    """Return what these fallbacks would order."""
    classes = {shot_id: class_of(each.version.request) for shot_id, each in fallbacks.items()}
    requests = [each.version.request for each in fallbacks.values()]
    names = {class_of(each): unwritten_in(Recipe.of(each)) for each in requests}
    return NextOnes(classes, tuple(order_of(each).price_class for each in left), names)


@dataclass(frozen=True)
class Basis:
    """What a preview is made from: the inventory of the state file, and the plan where a manifest brings news.

    `is_as_planned` where the manifest is the one planned before. `committed_by_scene` is needed for scenes that have
    caps of their own; `next_ones` is what fallbacks would order. `chained` are the takes that continue from each other,
    `falling_back` the shots of failed takes that go on with their fallbacks. `names` are what shots are called now, by
    earlier ids.
    """

    batch: str
    output: Path
    inventory: Inventory
    plan: Plan | None
    settings: RunSettings
    is_as_planned: bool = False
    committed_by_scene: Mapping[str, int | None] = field(default_factory=dict)
    next_ones: NextOnes = NO_NEXT_ONES
    chained: ChainedTakes = NOTHING_CHAINED
    falling_back: frozenset[str] = frozenset()
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """Takes by what the run would do with them."""
        if self.plan is not None:
            return self.plan.counts
        if self.is_as_planned:
            return self.inventory.counts
        return in_table_order(Counter(due_group(each.cause) for each in self.to_send))

    @property
    def lost(self) -> int:
        """How many submits have lost answers that a run looks up."""
        may_be = [take for take in self.inventory.open_takes if take.can_be_searched or take.state is State.SUBMITTING]
        return sum(map(self.settings.is_selected, may_be))

    @cached_property
    def order(self) -> OrderToSend:
        """What the run would send, and what it cannot, as it continues from a shot without a clip."""
        due = called_now(self.inventory.due if self.plan is None else self.plan.due, self.names)
        clips = self.inventory.clips if self.plan is None else clips_of(self.plan.takes_after)
        clips |= self.falling_back
        settings = self.settings
        return order_to_send(due, settings.is_selected, clips, settings.first, settings.limit)

    @property
    def to_send(self) -> Sequence[Due]:
        """Each take that the run would send, in the order in which it sends them."""
        return self.order.takes

    @property
    def longest_chain(self) -> LongestChain | None:
        """The chain of takes to be sent that takes longest, by what is known of how long generations last."""
        chains = Chains.of((each.shot_id, each.predecessors) for each in self.to_send)
        kinds = {each.shot_id: each.price_class for each in self.to_send}
        before = self.settings.times_before
        measured = Measured(lambda kind: kind.size, {kind: times.mean_s for kind, times in before.items()})

        def lasts_s(shot_id: str) -> float:
            return measured.life(kinds[shot_id]).mean_s if shot_id in kinds else 0.0

        shots = tuple(each for each in chains.longest_path(lasts_s) if each in kinds)
        groups = sum(any(each in kinds for each in group) for group in chains.groups)
        if len(shots) < 2:
            return None
        slow_s = sum(measured.life(kinds[each]).lasts_s(0.95) for each in shots)
        behind = sum(each.shot_id in chains.downstream(shots[0]) for each in self.to_send)
        return LongestChain(groups, shots, sum(map(lasts_s, shots)), slow_s, behind)

    def successions(
        self, listed: Mapping[PriceClass, Quote], earlier: Mapping[PriceClass, int]
    ) -> tuple[Succession, ...]:
        """Return the shots with new takes, or takes to come, that others continue from, with what these would cost."""
        chained = self.chained if self.plan is None else self.chained.as_planned(self.plan.takes_after)
        news = chained.news({each.shot_id for each in self.to_send})
        quotes = self._quoted({each for one in news for each in one.classes}, listed, earlier)
        return tuple(Succession.of(each, {name: quote.credits for name, quote in quotes.items()}) for each in news)

    @property
    def classes_to_submit(self) -> list[PriceClass]:
        """The price class of each take that the run would send, in the order in which it sends them."""
        return [each.price_class for each in self.to_send]

    def scenes(self, quotes: Mapping[PriceClass, Quote]) -> dict[str, Estimate]:
        """Estimate by scene, in story order; takes without a scene under an empty name."""
        names = self.inventory.scenes if self.plan is None else (row.scene for row in self.plan.shots)
        by_scene: dict[str, list[Due]] = {scene: [] for scene in names}
        for each in self.to_send:
            by_scene.setdefault(each.scene, []).append(each)
        return {scene: self.estimate_of(takes, quotes) for scene, takes in by_scene.items() if takes}

    def estimate_of(self, takes: Sequence[Due], quotes: Mapping[PriceClass, Quote]) -> Estimate:
        """Estimate what takes will cost; at worst each is paid by its model and by its fallback, as far as priced."""
        tries = self.settings.rates.max_attempts
        each_of_them = (estimate([each.price_class], quotes, each.tries_left(tries)) for each in takes)
        total = sum(each_of_them, NOTHING)
        asked = [self.next_ones.after(each.shot_id, each.price_class) for each in takes]
        more = [quotes.get(each, UNKNOWN_QUOTE).high for each in asked if each is not None]
        return replace(
            total,
            worst=total.worst + tries * sum(each for each in more if each is not None),
            is_worst_known=None not in more,
        )

    @property
    def may_fall_back(self) -> Counter[PriceClass]:
        """Count the takes that may go on with a fallback, by what that would be: those to send, under way or left."""
        asked = [self.next_ones.after(each.shot_id, each.price_class) for each in self.to_send]
        under_way = [take for take in self.inventory.open_takes if not take.superseded]
        asked += [self.next_ones.after(take.shot_id, take.price_class) for take in under_way]
        found = Counter(each for each in asked if each is not None)
        found.update(self.next_ones.left)
        return found

    @property
    def before(self) -> int | None:
        """What the takes there are spent and committed already; None if a part of it is unknown."""
        return self.inventory.committed

    @property
    def classes_to_quote(self) -> list[PriceClass]:
        """Every price class that the run may come to pay for: also of takes under way, which may fail and go again, and
        of every fallback: a take that failed before may be asked for again.
        """
        under_way = {
            take.price_class
            for take, _ in self.inventory.kinds
            if take.state not in SETTLED_STATES and not take.superseded
        }
        fallbacks = {*self.next_ones.by_shot.values(), *self.next_ones.left}
        return sorted({*self.classes_to_submit, *under_way, *fallbacks}, key=str)

    def quote(self, listed: Mapping[PriceClass, Quote], earlier: Mapping[PriceClass, int]) -> dict[PriceClass, Quote]:
        """Choose the price of each class that the run may come to pay for.

        `listed` is what the provider's list says, `earlier` what other batches were charged.
        """
        return self._quoted(self.classes_to_quote, listed, earlier)

    def defaulted(
        self, listed: Mapping[PriceClass, Quote], earlier: Mapping[PriceClass, int], quotes: Mapping[PriceClass, Quote]
    ) -> tuple[Defaulted, ...]:
        """Say which takes have defaults in their price, and what smaller ones would cost by the same sources."""
        less = self._quoted(self.smaller_classes, listed, earlier)
        return defaulted(self.to_send, {**less, **quotes})

    @cached_property
    def smaller_classes(self) -> list[PriceClass]:
        """What could be asked for in place of classes with defaults in them: only named, never sent."""
        return sorted(smaller_classes(self.to_send), key=str)

    @cached_property
    def every_class(self) -> list[PriceClass]:
        """The class of every take of a batch that was never sent, whatever this run is meant for."""
        due = self.inventory.due if self.plan is None else self.plan.due
        return [] if self.inventory.was_sent else sorted({each.price_class for each in due}, key=str)

    def every_quote(
        self, listed: Mapping[PriceClass, Quote], earlier: Mapping[PriceClass, int]
    ) -> dict[PriceClass, Quote]:
        """Choose the price of each of these classes, as for those that are sent."""
        return self._quoted(self.every_class, listed, earlier)

    def _quoted(
        self, classes: Iterable[PriceClass], listed: Mapping[PriceClass, Quote], earlier: Mapping[PriceClass, int]
    ) -> dict[PriceClass, Quote]:
        seen, held = self.seen_prices, held_prices(take for take, _ in self.inventory.kinds)
        return {each: best_quote(each, seen, listed.get(each), earlier, held) for each in classes}

    @property
    def seen_prices(self) -> dict[PriceClass, int]:
        """What the newest answer or charge of each class said; a hold never speaks for less than was expected."""
        return seen_prices(take for take, _ in self.inventory.kinds)

    def fallback_costs(self, quotes: Mapping[PriceClass, Quote]) -> tuple[FallbackCost, ...]:
        """Return what the takes that may go on with a fallback may cost then, class by class."""
        left, tries = Counter(self.next_ones.left), self.settings.rates.max_attempts
        names = self.next_ones.unwritten
        return tuple(
            FallbackCost(each, takes, left[each], None if high is None else high * takes * tries, names.get(each, ()))
            for each, takes in sorted(self.may_fall_back.items(), key=lambda item: str(item[0]))
            for high in [quotes.get(each, UNKNOWN_QUOTE).high]
        )
