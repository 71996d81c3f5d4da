"""How a batch stands: its takes by state, what they cost as far as that is known, and the time left. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from wanbatch.batch.spend import Spend

NO_PLAN = "no plan yet"
NO_PLAN_WHY = "no run has recorded its plan here: run the manifest, which plans its takes before it sends any"


@dataclass(frozen=True)
class BatchProgress:
    """Takes by shown state; credits are whole, and sum what is known.

    `uncosted` takes (and submits of no take) may have cost an unknown amount; of `charges_not_seen` of them
    the ledger may still show a charge. `eta_s` is how long it will take yet, None if unknown.
    """

    counts: Mapping[str, int]
    credits_committed: int
    credits_charged: int
    uncosted: int
    eta_s: float | None = None
    charges_not_seen: int = 0

    @classmethod
    def of(cls, tallies: Iterable[tuple[Spend, int]], strays: Iterable[int | None] = ()) -> BatchProgress:
        """Sum up takes that are counted, and what submits of no take hold: credits, None if unknown."""
        every, held = list(tallies), list(strays)
        counts: Counter[str] = Counter()
        for take, count in every:
            counts[take.shown_state] += count
        return cls(
            counts=counts,
            credits_committed=sum(take.credits_committed_known * count for take, count in every)
            + sum(each or 0 for each in held),
            credits_charged=sum((take.credits_charged or 0) * count for take, count in every),
            uncosted=sum(count for take, count in every if take.credits_committed is None)
            + sum(each is None for each in held),
            charges_not_seen=sum(count for take, count in every if take.may_be_charged_more) + len(held),
        )
