"""The preview of a run: what it would send, in which order, at which price. Nothing here asks or writes anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from wanbatch.history import held_prices, seen_prices
from wanbatch.lifecycle import SETTLED_STATES, State, Take
from wanbatch.models import PriceClass, order_of
from wanbatch.piloting import Findings
from wanbatch.planning import First, Plan, ShotRow, submit_order
from wanbatch.pricing import NOTHING, Estimate, Quote, best_quote, credits_of_usd, estimate
from wanbatch.proofs import OnUnknown


class Why(StrEnum):
    """Why the user is asked."""

    START = "start"
    PILOT = "pilot"  # the pilot is done; the rest is to be sent
    PRICE = "price"  # an answer held another price than was expected


@dataclass(frozen=True)
class Preview:
    """What a run would do and cost, before it does. `balance_usd` is None where it is not known.

    `scenes` is the estimate by scene, in story order; `before` what this batch spent and committed already (None where
    a part of it is unknown); `tries` how often a take may be bought in the worst case; `pilot` how many takes go
    first, None without a pilot; `findings` what a pilot, or what ran before a new price, brought. `lost` counts the
    submits whose answers were lost, and `on_unknown` says what becomes of those that leave no trace.
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

    @property
    def is_known_within_cap(self) -> bool:
        """Say whether all that would be sent has a price, and fits under a cap that was given."""
        if self.cap_credits is None or self.before is None or self.estimate.unpriced:
            return False
        return self.before + self.estimate.credits <= self.cap_credits

    @property
    def balance_credits(self) -> int | None:
        """The balance in whole credits, rounded down; None where it is not known."""
        return None if self.balance_usd is None else credits_of_usd(self.balance_usd)


@dataclass(frozen=True)
class Ground:
    """What a preview is made from. `takes` are those of the state file, retried ones as they will be: planned.

    `ordinals` gives the place of each shot in the story; `limit` is how many takes may be sent, None for all; `tries`
    how often each may be bought; `shots` are those of the state file, for where there is no plan.
    """

    batch: str
    output: Path
    takes: Sequence[Take]
    ordinals: Mapping[str, int]
    plan: Plan | None
    cap_credits: int | None
    is_selected: Callable[[str], bool]
    limit: int | None
    scene_caps: Mapping[str, int] = field(default_factory=dict)
    tries: int = 1
    retried: int = 0
    shots: Sequence[ShotRow] = ()
    first: First = First.LONGEST

    @property
    def counts(self) -> dict[str, int]:
        """Takes by what the run would do with them."""
        if self.plan is not None:
            return self.plan.counts
        return {"retried": self.retried} if self.retried else {"new": len(self.orders_to_submit)}

    @property
    def lost(self) -> int:
        """How many submits have lost answers that a run looks up."""
        may_be = [take for take in self.takes if take.can_be_searched or take.state is State.SUBMITTING]
        return sum(self.is_selected(take.shot_id) for take in may_be)

    @property
    def orders_to_submit(self) -> list[tuple[str, PriceClass]]:
        """Shot id and price class of each take that the run would send, in the order in which it sends them."""
        if self.plan is not None:
            wanted = [each for each in self.plan.in_submit_order(self.first) if self.is_selected(each.shot.id)]
            return [(each.shot.id, order_of(each.recipe).price_class) for each in wanted][: self.limit]
        planned = [take for take in self.takes if take.state is State.PLANNED and not take.superseded]
        chosen = [take for take in planned if self.is_selected(take.shot_id)]
        return [(take.shot_id, take.order.price_class) for take in submit_order(chosen, self.ordinals, self.first)][
            : self.limit
        ]

    @property
    def classes_to_submit(self) -> list[PriceClass]:
        """The price class of each take that the run would send, in the order in which it sends them."""
        return [price_class for _, price_class in self.orders_to_submit]

    def scenes(self, quotes: Mapping[PriceClass, Quote]) -> dict[str, Estimate]:
        """Estimate by scene, in story order; takes without a scene under an empty name."""
        rows = self.plan.shots if self.plan is not None else self.shots
        scene_of = {row.shot_id: row.scene for row in rows}
        found: dict[str, Estimate] = dict.fromkeys((row.scene for row in rows), NOTHING)
        for shot_id, price_class in self.orders_to_submit:
            scene = scene_of.get(shot_id, "")
            found[scene] = found.get(scene, NOTHING) + estimate([price_class], quotes, self.tries)
        return {scene: each for scene, each in found.items() if each.takes}

    @property
    def before(self) -> int | None:
        """What the takes there are spent and committed already; None where a part of it is unknown."""
        parts = [take.credits_committed for take in self.takes]
        known = [part for part in parts if part is not None]
        return sum(known) if len(known) == len(parts) else None

    @property
    def classes_to_quote(self) -> list[PriceClass]:
        """Every price class that the run may come to pay for: also of takes under way, which may fail and go again."""
        open_takes = [take for take in self.takes if take.state not in SETTLED_STATES and not take.superseded]
        return sorted({*self.classes_to_submit, *(take.order.price_class for take in open_takes)}, key=str)

    def quote(self, listed: Mapping[PriceClass, Quote], earlier: Mapping[PriceClass, int]) -> dict[PriceClass, Quote]:
        """Choose the price of each class that the run may come to pay for.

        `listed` is what the provider's list says, `earlier` what other batches were charged.
        """
        seen, held = self.seen_prices, held_prices(self.takes)
        return {each: best_quote(each, seen, listed.get(each), earlier, held) for each in self.classes_to_quote}

    @property
    def seen_prices(self) -> dict[PriceClass, int]:
        """What the newest answer or charge of each class said; a hold never speaks for less than was expected."""
        return seen_prices(self.takes)
