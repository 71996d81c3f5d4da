"""Spend: what a take, or takes that are alike, cost by all that is known, and what the ledger may still show. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from wanbatch.batch.lifecycle import State
from wanbatch.batch.models import PriceClass


class Spend:
    """What state and credits say of the cost; for a take, and for a kind of takes."""

    state: State
    superseded: bool
    credits_estimated: int | None
    credits_held: int | None
    credits_charged: int | None
    is_charge_seen: bool
    credits_at_risk: int | None

    @property
    def shown_state(self) -> str:
        """The state for tables: `superseded` if an older recipe has come to rest."""
        if self.superseded and self.state in (State.PLANNED, State.VERIFIED, State.FAILED):
            return "superseded"
        return self.state.value

    @property
    def credits_committed(self) -> int | None:
        """Credits that count as spent already: what was charged, and what the last attempt may still be charged.

        The latter is the larger of what was held and what was expected, until the ledger tells. None if something
        may be spent and the amount is unknown.
        """
        open_credits = 0 if self.state in (State.PLANNED, State.FAILED) else self.credits_open
        if open_credits is None or self.credits_at_risk is None:
            return None
        return (self.credits_charged or 0) + self.credits_at_risk + open_credits

    @property
    def credits_committed_known(self) -> int:
        """The known part of what is committed: what was charged is in it, whatever else is unknown."""
        if self.credits_committed is not None:
            return self.credits_committed
        open_credits = 0 if self.state in (State.PLANNED, State.FAILED) else self.credits_open
        return sum(each or 0 for each in (self.credits_charged, self.credits_at_risk, open_credits))

    @property
    def may_be_charged_more(self) -> bool:
        """Say whether the ledger may still show a charge of it."""
        is_free = self.state in (State.PLANNED, State.FAILED)  # not sent, or proven to cost nothing
        return (not is_free and not self.is_charge_seen) or self.credits_at_risk != 0

    @property
    def awaits_charge(self) -> bool:
        """Say whether its charge should be in the ledger and was not seen yet."""
        return self.state is State.VERIFIED and not self.is_charge_seen

    @property
    def credits_open(self) -> int | None:
        """What the last attempt may still be charged: the larger of hold and estimate; None if neither is known."""
        if self.is_charge_seen:
            return 0
        return max((each for each in (self.credits_held, self.credits_estimated) if each is not None), default=None)


@dataclass(frozen=True)
class Tally(Spend):
    """What takes have in common that are alike in state and money: a hundred thousand are of a few dozen kinds."""

    state: State
    superseded: bool
    credits_estimated: int | None
    credits_held: int | None
    credits_charged: int | None
    is_charge_seen: bool
    credits_at_risk: int | None


@dataclass(frozen=True)
class Kind(Tally):
    """A tally of takes of one price class.

    `attempts` counts their request ids, up to 2; `submitted_at` is when the last of them was sent.
    """

    attempts: int
    price_class: PriceClass
    submitted_at: datetime | None = None
