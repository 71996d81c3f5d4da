"""The costing of a batch, take by take: estimated, held, charged, at risk, still to come, and what for. Pure.

Credits are whole; None means unknown. Charges are counted by distinct generation id: a generation that two attempts
name counts once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from wanbatch.batch.attempts import NO_POST, Attempt, Outcome
from wanbatch.batch.lifecycle import State
from wanbatch.batch.models import PriceClass
from wanbatch.batch.take import Take


@dataclass(frozen=True)
class TakeCost:
    """The money of one take.

    `estimated` is what its first submit was expected to cost, or its price now if nothing was sent; `held` what
    answers held for generations that did not fail; `at_risk` what may still be charged; `to_complete` what it will
    cost to send it, 0 if that is done. What was charged is split by what it went into: a clip `in_use`, or one that
    is `superseded`, what `failed`, a take that has no clip yet (`waiting`), and `extra` generations beside its own.
    """

    estimated: int | None
    held: int | None
    at_risk: int | None
    to_complete: int | None
    in_use: int = 0
    failed: int = 0
    superseded: int = 0
    waiting: int = 0
    extra: int = 0

    @property
    def charged(self) -> int:
        """Everything that the ledger showed for this take."""
        return self.in_use + self.failed + self.superseded + self.waiting + self.extra


def cost_of(take: Take, attempts: Sequence[Attempt], prices: Mapping[PriceClass, int]) -> TakeCost:
    """Cost one take. `attempts` are its own; `prices` what a take of each class costs now, if known."""
    is_to_come = take.state is State.PLANNED and not take.superseded
    price = prices.get(take.order.price_class)
    sent = sorted((each for each in attempts if each.number > 0), key=lambda each: each.number)
    unsent = price if is_to_come else 0
    spent = take.credits_charged or 0
    return TakeCost(
        estimated=_expected(take, sent, unsent),
        held=_held(attempts),
        at_risk=None if take.credits_committed is None else take.credits_committed - spent,
        to_complete=unsent,
        **_went_into(take, attempts, spent),
    )


def _expected(take: Take, sent: Sequence[Attempt], unsent: int | None) -> int | None:
    """Return what a take was expected to cost; nothing for a try that an edit replaced and that cost nothing."""
    if take.superseded and take.state is State.FAILED and take.credits_committed == 0:
        return 0
    return sent[0].credits_estimated if sent else unsent


_NO_GENERATION = NO_POST | {Outcome.FAILED}


def _held(attempts: Iterable[Attempt]) -> int | None:
    """Sum the holds of generations that did not fail; None if one of them is unknown."""
    holds: dict[str, int | None] = {}
    for each in attempts:
        if each.outcome not in _NO_GENERATION:
            key = each.generation_id or each.request_id
            known = [value for value in (holds.get(key), each.credits_held) if value is not None]
            holds[key] = max(known, default=None)
    parts = [value for value in holds.values() if value is not None]
    return sum(parts) if len(parts) == len(holds) else None


def _went_into(take: Take, attempts: Iterable[Attempt], spent: int) -> dict[str, int]:
    """Split what was charged. A charge that no attempt names counts as the take's own: no credit is left out."""
    if take.superseded:
        own = "superseded"
    elif take.state is State.FAILED:
        own = "failed"
    else:
        own = "in_use" if take.state is State.VERIFIED else "waiting"
    by_generation = {each.generation_id: each for each in attempts if each.credits_charged is not None}
    parts = dict.fromkeys(("in_use", "failed", "superseded", "waiting", "extra"), 0)
    left = spent
    has_clip = take.generation_id is not None or take.state is not State.FAILED  # else nothing is beside its own
    for generation_id, each in by_generation.items():
        if generation_id != take.generation_id and each.credits_charged is not None and has_clip:
            parts["failed" if each.has_failed else "extra"] += each.credits_charged
            left -= each.credits_charged
    parts[own] += left
    return parts


@dataclass(frozen=True)
class Figure:
    """One of the figures of a batch: its known part, and how many takes, and submits of no take, are not in it."""

    known: int
    unknown: int

    def __add__(self, other: Figure) -> Figure:
        """Add the known parts, and what is unknown."""
        return Figure(self.known + other.known, self.unknown + other.unknown)

    @property
    def credits(self) -> int | None:
        """The figure; None while a part of it is unknown."""
        return None if self.unknown else self.known

    @property
    def seen(self) -> int | None:
        """The known part; None if there is nothing but what is unknown."""
        return self.known if self.known or not self.unknown else None


@dataclass(frozen=True)
class Figures:
    """The three figures of a batch side by side: what was expected, what answers held, what was charged."""

    estimated: Figure
    held: Figure
    charged: Figure

    def with_strays(self, holds: Iterable[int | None]) -> Figures:
        """Add submits of no take: what each of them holds, None if unknown; no charge of theirs was seen."""
        every = list(holds)
        return replace(
            self,
            held=self.held + _figure(every),
            charged=replace(self.charged, unknown=self.charged.unknown + len(every)),
        )

    def with_charges_seen(self, charges: Sequence[int]) -> Figures:
        """Add what was charged for generations of no take, each of which had no charge yet."""
        unseen = max(0, self.charged.unknown - len(charges))
        return replace(self, charged=Figure(self.charged.known + sum(charges), unseen))


def figures_of(takes: Sequence[Take], attempts: Iterable[Attempt], prices: Mapping[PriceClass, int]) -> Figures:
    """Sum the three figures over all takes of a batch."""
    by_take = attempts_by_take(attempts)
    costs = [cost_of(take, by_take.get(take.take_id, []), prices) for take in takes]
    return Figures(
        estimated=_figure(cost.estimated for cost in costs),
        held=_figure(cost.held for cost in costs),
        charged=Figure(sum(cost.charged for cost in costs), sum(take.may_be_charged_more for take in takes)),
    )


def _figure(values: Iterable[int | None]) -> Figure:
    every = list(values)
    known = [value for value in every if value is not None]
    return Figure(sum(known), len(every) - len(known))


def attempts_by_take(attempts: Iterable[Attempt]) -> dict[int, list[Attempt]]:
    """Group attempts by the take they belong to."""
    found: dict[int, list[Attempt]] = {}
    for each in attempts:
        found.setdefault(each.take_id, []).append(each)
    return found
