"""The orders: the takes that a run would buy, and may buy by a fallback, as what they are compared by. Pure.

Every command that sends compares them with the clips that exist, here and in the folders beside, before it sends one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from wanbatch.batch.changes import Create, Replan
from wanbatch.batch.frames import shots_of_frames
from wanbatch.batch.lifecycle import State
from wanbatch.batch.plan import Plan
from wanbatch.batch.shot_plan import Wanted
from wanbatch.batch.shots import Fallback, Recipe, derived_seed, likeness
from wanbatch.batch.take import Take

SLOTS_TRIED = 8


class OrderKind(StrEnum):
    """What asks for a take."""

    SLOT = "slot"  # the manifest
    RETAKE = "retake"  # the user, beside the manifest
    FALLBACK = "fallback"  # a failure of its own model, which has not happened yet


@dataclass(frozen=True)
class Order:
    """A take that a run would buy: its shot, its number, and what it asks for without the seed.

    `seed` is the one that a clip must have to be the same; None for a derived one: any other is as good. `sent_seed` is
    the one that it would be sent with; None without one, or where it is not known yet. It `is_new` if no earlier plan
    made it. `grounds` are what the shots that it continues from ask for, also through others: with another frame it is
    another clip.
    """

    shot_id: str
    number: int
    text: str
    seed: int | None
    sent_seed: int | None = None
    kind: OrderKind = OrderKind.SLOT
    is_new: bool = True
    grounds: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The name that the take would have."""
        return f"{self.shot_id}_t{self.number}"

    @property
    def title(self) -> str:
        """Its name, and the model where that is its fallback."""
        if self.kind is not OrderKind.FALLBACK:
            return self.label
        return f"{self.label}, if it is made by its fallback {Recipe(self.text).model},"

    @property
    def digest(self) -> str:
        """The hash of what it asks for."""
        return _hash(self.text)


def digest_of(canonical: str) -> str:
    """Return the digest of an order of this recipe."""
    return _hash(likeness(canonical)[0])


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def orders_of(plan: Plan, fallbacks: Mapping[str, Fallback] | None = None) -> list[Order]:
    """Return all that a plan would buy or may buy, in its order; also what earlier plans left to be sent.

    `fallbacks` are those of its shots, by id; None for those that it has itself.
    A retake of a model that takes no seed is meant to be another clip of the same request: it is left out.
    """
    by_shot = (plan.fallbacks or {}) if fallbacks is None else fallbacks
    created = iter([(change.number, change.note) for change in plan.changes if isinstance(change, Create)])
    replanned = {change.take_id for change in plan.changes if isinstance(change, Replan)}
    orders: list[Order] = []
    for each in plan.wanted:
        take, fallback = each.take, by_shot.get(each.shot.id)
        number, note = next(created) if take is None else (take.number, None)
        is_retake = note is not None if take is None else take.is_retake
        is_new = take is None or take.take_id in replanned
        order = _order_of(each, number, is_retake=is_retake, is_new=is_new)
        if is_new or (take is not None and take.state is State.PLANNED):
            orders += [order] if not is_retake or order.seed is not None else []
            orders += _by_fallback(order, each.recipe, fallback)
        elif take is not None and take.state is State.FAILED:
            orders += _by_fallback(order, each.recipe, fallback)
    return grounded(orders, {each.shot.id: likeness(each.recipe.canonical)[0] for each in reversed(plan.wanted)})


def grounded(orders: Sequence[Order], texts: Mapping[str, str]) -> list[Order]:
    """Return the orders with what the shots that they continue from ask for; `texts` says that of each shot."""
    return [replace(each, grounds=_before(each.text, texts)) if shots_of_frames(each.text) else each for each in orders]


def _before(text: str, texts: Mapping[str, str]) -> tuple[str, ...]:
    found: dict[str, str] = {}
    left = list(shots_of_frames(text))
    while left:
        shot_id = left.pop()
        if shot_id not in found:
            found[shot_id] = texts.get(shot_id, "")
            left += shots_of_frames(found[shot_id])
    return tuple(found.values())


def new_orders(plan: Plan) -> list[Order]:
    """Return the orders of a plan that the manifest asks for."""
    return [order for order in orders_of(plan) if order.kind is OrderKind.SLOT]


def orders_left(takes: Iterable[Take], fallbacks: Mapping[str, Fallback]) -> Iterator[Order]:
    """Return what is left to be bought of takes that are planned, or failed, without a manifest.

    Of a take that failed, only the fallback is one.
    """
    for take in takes:
        if take.superseded:
            continue
        text, seed = likeness(take.recipe_json)
        kind = OrderKind.RETAKE if take.is_retake else OrderKind.SLOT
        must_have = None if kind is OrderKind.SLOT and _is_derived(seed, take) else seed
        order = Order(take.shot_id, take.number, text, must_have, seed, kind, is_new=False)
        if take.state is State.PLANNED and (not take.is_retake or seed is not None):
            yield order
        yield from _by_fallback(order, take.recipe, fallbacks.get(take.shot_id))


def is_same_order(take: Take, other: Take) -> bool:
    """Say whether a take asks for the clip that another was sent for: of its seed, or both of derived ones.

    Shots that are asked for together may have one text: a derived seed is as good as another only where nothing asks
    for the other take any more.
    """
    (text, seed), (text_there, seed_there) = likeness(take.recipe_json), likeness(other.recipe_json)
    if text != text_there:
        return False
    is_free = other.superseded and _is_derived(seed, take) and _is_derived(seed_there, other)
    return seed is not None and (seed == seed_there or is_free)


def _is_derived(seed: int | None, take: Take) -> bool:
    """Say whether a take's seed is one that its shot's id gives, so that the manifest gave none."""
    slots = (take.number, *range(1, SLOTS_TRIED + 1))
    return seed is None or any(seed == derived_seed(take.shot_id, slot) for slot in slots)


def _order_of(wanted: Wanted, number: int, *, is_retake: bool, is_new: bool) -> Order:
    text, seed = likeness(wanted.recipe.canonical)
    must_have = seed if is_retake or wanted.shot.seed is not None else None
    kind = OrderKind.RETAKE if is_retake else OrderKind.SLOT
    return Order(wanted.shot.id, number, text, must_have, seed, kind, is_new)


def _by_fallback(order: Order, recipe: Recipe, fallback: Fallback | None) -> list[Order]:
    """Return the order of a fallback for a take of this recipe, if it has one that it did not use yet."""
    if fallback is None or recipe.model == fallback.model:
        return []
    text, seed = likeness(fallback.recipe_for(recipe).canonical)
    if seed is None:  # the provider makes another clip each time
        return []
    return [Order(order.shot_id, order.number, text, seed, seed, OrderKind.FALLBACK, order.is_new)]
