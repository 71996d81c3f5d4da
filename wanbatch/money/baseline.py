"""The baseline: what the first confirmed plan was to cost, and why the final cost is another. Pure.

The baseline has one line a shot, and no later plan changes it. Whatever differs from it has a reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from wanbatch.batch.lifecycle import State
from wanbatch.batch.models import PriceClass
from wanbatch.batch.plan import Due
from wanbatch.batch.spend import Kind
from wanbatch.money.credits import cents_text, shared_cents
from wanbatch.money.prices import UNKNOWN_QUOTE, Quote
from wanbatch.units import count_text


class Reason(StrEnum):
    """Why the final cost differs from the baseline, in the order in which screens show it."""

    RETAKE = "retake"  # a take that was asked for beside those of the manifest
    EDIT = "edit"  # a clip that a newer recipe replaced, and what its successor costs more or less
    NEW_SHOT = "new shot"  # a shot that the first plan did not have
    LEFT_OUT = "shot left out"  # a shot that the manifest no longer asks for
    UNPRICED = "unpriced take"  # a take whose price was unknown when the baseline was kept
    NO_TAKE = "submit of no take"
    OTHER = "other prices, failures and doubles"


@dataclass(frozen=True)
class Line:
    """What the baseline holds for one shot: how many takes, and their credits together; None if unknown."""

    shot_id: str
    takes: int
    credits: int | None


@dataclass(frozen=True)
class Planned:
    """What the baseline holds for shots of which the same became: the known credits, and takes without a price."""

    reason: Reason
    takes: int
    credits: int
    unpriced: int


@dataclass(frozen=True)
class Part:
    """One reason: how many takes it is about, and what they add to the baseline, as far as it is known."""

    reason: Reason
    count: int
    credits: int
    unknown: int = 0

    @property
    def words(self) -> str:
        """`2 retakes`, or the reason alone where no takes are counted."""
        match self.reason:
            case Reason.OTHER:
                return self.reason.value
            case Reason.LEFT_OUT | Reason.NO_TAKE:
                noun, _, rest = self.reason.value.partition(" ")
                return f"{count_text(self.count, noun)} {rest}"
        return count_text(self.count, self.reason.value)


@dataclass(frozen=True)
class Baseline:
    """The first confirmed plan in credits, known parts, and what was added to it since."""

    at: datetime
    takes: int
    credits: int
    unpriced: int
    parts: tuple[Part, ...]

    @property
    def variance(self) -> int:
        """What was added, less what was saved."""
        return sum(part.credits for part in self.parts)

    @property
    def final(self) -> int:
        """The final cost: the baseline and all that was added."""
        return self.credits + self.variance

    @property
    def unknown(self) -> int:
        """How many takes, and submits of no take, are not in the final cost."""
        return sum(part.unknown for part in self.parts)


def variance_text(baseline: Baseline) -> str:
    """Say what was added and why, `2 retakes 1.05, 1 edit 0.53`: cents that add up; empty if nothing was."""
    cents = shared_cents([baseline.credits, *(part.credits for part in baseline.parts)])[1:]
    told = zip(baseline.parts, cents, strict=True)
    return ", ".join(f"{part.words} {cents_text(each)}{'+?' if part.unknown else ''}" for part, each in told)


def lines_of(due: Iterable[Due], quotes: Mapping[PriceClass, Quote]) -> list[Line]:
    """Return the baseline of takes that are planned: one line a shot, at the prices that are expected."""
    takes: dict[str, int] = {}
    sums: dict[str, int | None] = {}
    for each in due:
        price, before = quotes.get(each.price_class, UNKNOWN_QUOTE).credits, sums.get(each.shot_id, 0)
        takes[each.shot_id] = takes.get(each.shot_id, 0) + 1
        sums[each.shot_id] = None if price is None or before is None else before + price
    return [Line(shot_id, count, sums[shot_id]) for shot_id, count in takes.items()]


def baseline_of(
    at: datetime,
    planned: Iterable[Planned],
    spent: Iterable[tuple[Reason, Kind, int]],
    prices: Mapping[PriceClass, int],
    strays: Iterable[int | None],
) -> Baseline:
    """Compare the final cost of takes with the baseline, reason by reason. `prices` are what a take costs now."""
    lines = list(planned)
    sums = {reason: Part(reason, 0, 0) for reason in Reason}
    for reason, kind, count in spent:
        is_to_come = kind.state is State.PLANNED and not kind.superseded
        price = prices.get(kind.price_class) if is_to_come else 0
        is_counted = is_to_come or kind.state is not State.PLANNED
        if reason is Reason.EDIT:
            is_counted = kind.superseded and kind.state is not State.PLANNED
        if reason is Reason.LEFT_OUT:
            is_counted = False  # those of the baseline count
        unknown = count * ((kind.credits_committed is None) or price is None)
        added = count * (kind.credits_committed_known + (price or 0))
        sums[reason] = _plus(sums[reason], count * is_counted, added, unknown)
    for line in lines:
        is_gone = line.reason is Reason.LEFT_OUT
        sums[line.reason] = _plus(sums[line.reason], line.takes * is_gone, -line.credits)
    for held in strays:
        sums[Reason.NO_TAKE] = _plus(sums[Reason.NO_TAKE], 1, held or 0, int(held is None))
    return Baseline(
        at=at,
        takes=sum(line.takes for line in lines),
        credits=sum(line.credits for line in lines),
        unpriced=sum(line.unpriced for line in lines),
        parts=tuple(part for part in sums.values() if part.credits or part.unknown),
    )


def _plus(part: Part, count: int, credit_count: int, unknown: int = 0) -> Part:
    return Part(part.reason, part.count + count, part.credits + credit_count, part.unknown + unknown)
