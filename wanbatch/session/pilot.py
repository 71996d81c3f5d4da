"""The pilot: a few representative takes that are sent first, and what they show about the rest. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wanbatch.batch.chains import Chains
from wanbatch.batch.forecast import START_OF_TIME, Sending
from wanbatch.batch.guarded_forecast import GuardedForecast
from wanbatch.batch.lifecycle import State
from wanbatch.batch.models import PriceClass
from wanbatch.batch.plan import Due
from wanbatch.batch.take import Take
from wanbatch.pace.schedule import Rates


def pilot_of(planned: Sequence[Due], count: int) -> list[Due]:
    """Choose takes that represent the rest: each model first, then each price class, each scene, what comes first.

    `planned` are in the order in which they would be sent. Of two price classes that have no take yet, the one with
    more takes comes first. A shot that one model was chosen for is the first choice for the others, to compare them.
    Of a chain whole takes are part, also if they are more then: its shots show only together how they fit.
    """
    sizes = Counter(each.price_class for each in planned)
    models: Counter[str] = Counter()
    made_by: dict[str, set[str]] = {}
    classes: Counter[PriceClass] = Counter()
    places: Counter[str] = Counter()
    left = list(enumerate(planned))
    chosen: list[Due] = []
    while left and len(chosen) < count:
        best = min(
            left,
            key=lambda each: (
                models[each[1].price_class.model],
                classes[each[1].price_class],
                not made_by.get(each[1].shot_id, set()) - {each[1].price_class.model},
                places[each[1].scene],
                -sizes[each[1].price_class],
                each[0],
            ),
        )
        left.remove(best)
        models[best[1].price_class.model] += 1
        made_by.setdefault(best[1].shot_id, set()).add(best[1].price_class.model)
        classes[best[1].price_class] += 1
        places[best[1].scene] += 1
        chosen.append(best[1])
    return _with_chains(chosen, planned)


def _with_chains(chosen: Sequence[Due], planned: Sequence[Due]) -> list[Due]:
    """Return what was chosen with all that hangs together with it."""
    named = {each.shot_id for each in chosen}
    chains = Chains.of((each.shot_id, each.predecessors) for each in planned)
    whole = {shot_id for group in chains.groups if named & {*group} for shot_id in group}
    return [*chosen, *(each for each in planned if each.shot_id in whole and each not in chosen)]


@dataclass(frozen=True)
class Measured:
    """What takes of one price class cost and took. Credits are of one take; None if unknown."""

    price_class: PriceClass
    takes: int
    verified: int
    failed: int
    expected: int | None
    held: int | None
    charged: int | None
    mean_s: float | None


@dataclass(frozen=True)
class Findings:
    """What was measured before the rest is sent. `rest_s` is how long the rest may take, None if nothing ended."""

    classes: tuple[Measured, ...]
    charges_not_seen: int
    rest_s: float | None


def findings_of(sent: Iterable[Take], rest: Sequence[Due], rates: Rates) -> Findings:
    """Measure takes that were sent. `rest` are those to come, in order, and `rates` the limits for them."""
    takes = [take for take in sent if take.submitted_at is not None]
    by_class: dict[PriceClass, list[Take]] = {}
    for take in takes:
        by_class.setdefault(take.order.price_class, []).append(take)
    return Findings(
        classes=tuple(_measure(each, by_class[each]) for each in sorted(by_class, key=str)),
        charges_not_seen=sum(take.state is State.VERIFIED and not take.is_charge_seen for take in takes),
        rest_s=_rest_s(takes, rest, rates),
    )


def _rest_s(takes: Sequence[Take], rest: Sequence[Due], rates: Rates) -> float | None:
    """Return how long the rest may take by what was measured; None if nothing ended."""
    made = [take for take in takes if take.completed_at is not None]
    if not made:
        return None
    forecast = GuardedForecast(START_OF_TIME, {})
    forecast.take_up(rest)
    forecast.learn(made)
    sending = Sending([due.take_id for due in rest], rates.submit_per_min, rates.downloads, rates.in_flight)
    return forecast.eta_s((), START_OF_TIME, sending)


def _measure(price_class: PriceClass, takes: Sequence[Take]) -> Measured:
    charged = [take.credits_charged for take in takes if take.is_charge_seen and take.tries <= 1]
    return Measured(
        price_class=price_class,
        takes=len(takes),
        verified=sum(take.state is State.VERIFIED for take in takes),
        failed=sum(take.state is State.FAILED for take in takes),
        expected=_highest(take.credits_estimated for take in takes),
        held=_highest(take.credits_held for take in takes),
        charged=_highest(charged),
        mean_s=_mean_s(takes),
    )


def _highest(values: Iterable[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)


def _mean_s(takes: Sequence[Take]) -> float | None:
    spans_s = [
        (take.completed_at - take.submitted_at).total_seconds()
        for take in takes
        if take.completed_at is not None and take.submitted_at is not None
    ]
    return sum(spans_s) / len(spans_s) if spans_s else None
