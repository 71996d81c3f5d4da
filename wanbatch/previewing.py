"""The preview of a run: what it would send, in which order, at which price. Nothing here asks or writes anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from wanbatch.lifecycle import SETTLED_STATES, State, Take
from wanbatch.models import PriceClass, order_of
from wanbatch.planning import Plan, submit_order
from wanbatch.pricing import Estimate, Quote


@dataclass(frozen=True)
class Preview:
    """What a run would do and cost, before it does. `balance_usd` is None where it is not known."""

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


@dataclass(frozen=True)
class Ground:
    """What a preview is made from. `takes` are those of the state file, retried ones as they will be: planned.

    `ordinals` gives the place of each shot in the story; `limit` is how many takes may be sent, None for all.
    """

    batch: str
    output: Path
    takes: Sequence[Take]
    ordinals: Mapping[str, int]
    plan: Plan | None
    cap_credits: int | None
    is_selected: Callable[[str], bool]
    limit: int | None
    retried: int = 0

    @property
    def classes_to_submit(self) -> list[PriceClass]:
        """The price class of each take that the run would send, in the order in which it sends them."""
        if self.plan is not None:
            wanted = [each for each in self.plan.in_submit_order if self.is_selected(each.shot.id)]
            return [order_of(each.recipe).price_class for each in wanted][: self.limit]
        planned = [take for take in self.takes if take.state is State.PLANNED and not take.superseded]
        chosen = [take for take in planned if self.is_selected(take.shot_id)]
        return [take.order.price_class for take in submit_order(chosen, self.ordinals)][: self.limit]

    @property
    def classes_to_quote(self) -> list[PriceClass]:
        """Every price class that the run may come to pay for: also of takes under way, which may fail and go again."""
        open_takes = [take for take in self.takes if take.state not in SETTLED_STATES and not take.superseded]
        return sorted({*self.classes_to_submit, *(take.order.price_class for take in open_takes)}, key=str)

    @property
    def seen_prices(self) -> dict[PriceClass, int]:
        """What the newest answer or charge of each class said; a hold never speaks for less than was expected."""
        seen: dict[PriceClass, int] = {}
        for take in sorted(self.takes, key=lambda take: take.submitted_at.timestamp() if take.submitted_at else 0.0):
            price = _price_seen(take)
            if price is not None:
                seen[take.order.price_class] = price
        return seen


def _price_seen(take: Take) -> int | None:
    if take.is_charge_seen and take.tries <= 1:  # the charges of several tries are one sum
        return take.credits_charged
    if take.credits_held is None:
        return None
    return max(take.credits_held, take.credits_estimated or 0)
