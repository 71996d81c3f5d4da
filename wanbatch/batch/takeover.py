"""The takeover: new takes whose recipe already exists under another id, and the renaming that saves buying them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from wanbatch.batch.changes import Create, Past, Rename, Replan
from wanbatch.batch.frames import shots_of_frames, without_shots_of_frames
from wanbatch.batch.lifecycle import State
from wanbatch.batch.names import composed, twin_key
from wanbatch.batch.plan import Plan
from wanbatch.batch.shot_plan import NONE_FIRST, WITHOUT_CLIP, Wanted
from wanbatch.batch.shots import likeness
from wanbatch.batch.take import Take
from wanbatch.errors import UsageInvalid


@dataclass(frozen=True)
class Order:
    """A take that a plan would buy: its shot, its number, what it asks for. `seed` is None for a derived one.

    `since` is when an earlier plan made it, if one did: folders beside were looked into then.
    """

    shot_id: str
    number: int
    text: str
    seed: int | None
    since: datetime | None = None

    @property
    def label(self) -> str:
        """The name that the take would have."""
        return f"{self.shot_id}_t{self.number}"

    @property
    def digest(self) -> str:
        """The hash of what it asks for."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:20]


Named = TypeVar("Named", "Order", Take)


@dataclass(frozen=True)
class Match:
    """A new take, and the takes with its recipe that no shot asks for any more.

    `take` is the one that it can adopt; None if several shots could adopt it, or several takes fit.
    """

    order: Order
    take: Take | None
    candidates: tuple[Take, ...]


def new_orders(plan: Plan) -> list[Order]:
    """Return the takes that a plan would buy, in its order, also those of earlier plans that are still to be sent."""
    numbers = iter([change.number for change in plan.changes if isinstance(change, Create)])
    replanned = {change.take_id for change in plan.changes if isinstance(change, Replan)}
    orders = []
    for each in plan.wanted:
        if each.take is None:
            orders.append(_order_of(each, next(numbers)))
        elif each.take.take_id in replanned and not each.take.is_retake:
            orders.append(_order_of(each, each.take.number))
        elif each.take.state is State.PLANNED and not each.take.is_retake:
            orders.append(_order_of(each, each.take.number, each.take.planned_at))
    return orders


def orders_left(planned: Iterable[Take]) -> list[Order]:
    """Return the takes of an earlier plan that are still to be sent, without a manifest: any seed may be theirs."""
    return [
        Order(take.shot_id, take.number, likeness(take.recipe_json)[0], None, take.planned_at)
        for take in planned
        if not take.superseded and not take.is_retake
    ]


def _order_of(wanted: Wanted, number: int, since: datetime | None = None) -> Order:
    text, seed = likeness(wanted.recipe.canonical)
    return Order(wanted.shot.id, number, text, None if wanted.shot.seed is None else seed, since)


def asked_texts(take: Take, first: Mapping[int, str]) -> dict[str, int | None]:
    """Return what a take is a clip of, each with its seed: its recipe, and what it was asked for before its fallback.

    `first` are canonical recipes by take id.
    """
    return dict(likeness(each) for each in (take.recipe_json, first.get(take.take_id)) if each is not None)


def is_there(state: State) -> bool:
    """Say whether a take in this state was or may have been bought: not one that failed or was never sent."""
    return state not in WITHOUT_CLIP


Settled = frozenset[tuple[str, int, str]]
"""What the user said to buy all the same: labels of takes to be bought, each with the id of a take that is there, and
the hash of what was to be bought: another recipe under the same label is asked about again."""


def settled_in(text: str | None) -> Settled:
    """Read what was settled before; what is not readable settles nothing, so that it is asked again."""
    try:
        rows = json.loads(text) if text else []
        return frozenset((str(label), int(take_id), str(digest)) for label, take_id, digest in rows)
    except (ValueError, TypeError, RecursionError):
        return frozenset()


def settled_text(settled: Settled) -> str:
    """Write what is settled, for the state file."""
    return json.dumps(sorted(settled))


def settled_by(matches: Iterable[Match]) -> Settled:
    """Return what is settled once these takes are to be bought all the same."""
    return frozenset(
        (match.order.label, take.take_id, match.order.digest) for match in matches for take in match.candidates
    )


def find_matches(plan: Plan, first: Mapping[int, str] = NONE_FIRST, settled: Settled = frozenset()) -> list[Match]:
    """Find the new takes of a plan whose recipe exists under another id, among takes that nothing asks for.

    If as many shots gain a recipe as have lost it, they are paired in the order of the story; any other number
    leaves the decision to the user. `first` are the recipes, by take id, of which fallbacks were used; what is
    `settled` is not found again.
    """
    free: dict[str, list[tuple[int | None, Take]]] = {}
    for take in plan.kept:
        if is_there(take.state):
            for text, seed in asked_texts(take, first).items():
                free.setdefault(text, []).append((seed, take))
    if not free:
        return []
    places = {row.shot_id: (row.ordinal, row.shot_id) for row in plan.shots}
    known_by: dict[tuple[str, str], set[int]] = {}
    for label, take_id, digest in settled:
        known_by.setdefault((label, digest), set()).add(take_id)
    groups: dict[tuple[str, int | None, frozenset[int]], list[Order]] = {}
    for order in new_orders(plan):
        if order.text in free:
            known = frozenset(known_by.get((order.label, order.digest), ()))
            groups.setdefault((order.text, order.seed, known), []).append(order)
    matches: list[Match] = []
    used: set[int] = set()
    for (text, seed, known), orders in sorted(groups.items(), key=lambda group: group[0][1] is None):  # seeds first
        takes = [take for own, take in free[text] if (seed is None or own == seed) and take.take_id not in used | known]
        found = _pair(orders, takes, places)
        used |= {match.take.take_id for match in found if match.take is not None}
        matches += found
    story = {order.label: place for place, order in enumerate(new_orders(plan))}
    return sorted(matches, key=lambda match: story[match.order.label])


def find_reframed(plan: Plan, past: Past, settled: Settled = frozenset()) -> list[Match]:
    """Find new takes that differ from a bought one that nothing asks for in the id of the shot of a frame alone.

    Only where an id of such a frame was renamed once: the same frame may be meant by both.
    """
    ids = {name for each in past.renames for name in (each.was[0], each.shot_id)}
    there: dict[str, list[Take]] = {}
    for take in plan.kept if ids else ():
        if is_there(take.state):
            for text in asked_texts(take, past.first_recipes):
                if shots_of_frames(text):
                    there.setdefault(without_shots_of_frames(text), []).append(take)
    matches = []
    for order in new_orders(plan) if there else ():
        alike = there.get(without_shots_of_frames(order.text), [])
        fit = [each for each in alike if (order.label, each.take_id, order.digest) not in settled]
        named = {*shots_of_frames(order.text), *(name for each in fit for name in shots_of_frames(each.recipe_json))}
        if fit and ids & named:
            matches.append(Match(order, None, tuple(fit)))
    return matches


def was_sent_after(submitted_at: datetime | None, since: datetime) -> bool:
    """Say whether a take was sent after an order was planned; one of which that is not known counts."""
    return submitted_at is None or submitted_at > since


def _pair(orders: Sequence[Order], takes: Sequence[Take], places: Mapping[str, tuple[int, str]]) -> list[Match]:
    """Pair the new takes of one recipe with those there, shot by shot."""
    coming = _by_shot(orders)
    going = _by_shot(take for take in takes if take.shot_id not in coming)
    going = {shot_id: going[shot_id] for shot_id in sorted(going, key=lambda each: places.get(each, (0, each)))}
    if len(coming) != len(going):
        every = tuple(take for mine in going.values() for take in mine)
        return [Match(order, None, every) for order in orders] if every else []
    matches = []
    for mine, theirs in zip(coming.values(), going.values(), strict=True):
        best = sorted(theirs, key=lambda take: (take.state is not State.VERIFIED, take.is_retake, take.number))
        matches += [Match(order, take, (take,)) for order, take in _by_number(mine, best[: len(mine)])]
    return matches


def _by_number(orders: Sequence[Order], takes: Sequence[Take]) -> list[tuple[Order, Take]]:
    """Pair take 1 with take 1 and take 2 with take 2 if both exist, and the rest in the order of numbers."""
    numbered = {take.number: take for take in takes}
    numbers = {order.number for order in orders}
    rest = iter(sorted((take for take in takes if take.number not in numbers), key=lambda take: take.number))
    pairs = [(order, numbered.get(order.number) or next(rest, None)) for order in orders]
    return [(order, take) for order, take in pairs if take is not None]


def _by_shot(each: Iterable[Named]) -> dict[str, list[Named]]:
    by_shot: dict[str, list[Named]] = {}
    for one in each:
        by_shot.setdefault(one.shot_id, []).append(one)
    return by_shot


def renames_of(matches: Iterable[Match], plan: Plan, takes: Sequence[Take], past: Past) -> tuple[Rename, ...]:
    """Return the renaming that adopts every certain match, and the takes that belong to it.

    Of the takes that nothing asks for, others of the same recipe go with the one that is matched, retakes too; and all
    that were sent go where their shot is no longer in the manifest, and went to one shot.
    """
    listed = {row.shot_id for row in plan.shots if not row.removed}
    target = {match.take.take_id: match.order.shot_id for match in matches if match.take is not None}
    by_shot = _by_shot(plan.kept)
    for shot_id, mine in by_shot.items():
        texts = {take.take_id: list(asked_texts(take, past.first_recipes)) for take in mine}
        by_text = {text: target[each] for each, its in texts.items() if each in target for text in its}
        alone = set(by_text.values()).pop() if shot_id not in listed and len(set(by_text.values())) == 1 else None
        for take in mine if by_text else ():
            follows = next((by_text[text] for text in texts[take.take_id] if text in by_text), alone)
            if follows is not None and (take.attempts or take.is_retake):
                target.setdefault(take.take_id, follows)
    return _renames([(take, target[take.take_id]) for take in takes if take.take_id in target], takes, past)


def _renames(pairs: Iterable[tuple[Take, str]], takes: Iterable[Take], past: Past) -> tuple[Rename, ...]:
    highest = past.highest(takes)
    renames = []
    for take, shot_id in sorted(pairs, key=lambda pair: pair[0].number):
        key = twin_key(shot_id)
        highest[key] = highest.get(key, 0) + 1
        renames.append(Rename(take.take_id, shot_id, highest[key], (take.shot_id, take.number)))
    return tuple(renames)


def renames_asked(
    pairs: Sequence[tuple[str, str]], takes: Sequence[Take], past: Past, wanted: frozenset[str]
) -> tuple[Rename, ...]:
    """Return the renaming that the user asks for, as old and new ids: all takes of a shot go with it, all at once.

    A renaming that was done before is not done again: the same command resumes. `wanted` are the ids of the
    manifest. Raises UsageInvalid, for all of them at once, if an old id has no take or a new one is not asked for.
    """
    done = {(each.was[0], each.shot_id) for each in past.renames}
    todo = [pair for pair in dict.fromkeys((composed(old), composed(new)) for old, new in pairs) if pair not in done]
    by_shot = _by_shot(takes)
    problems = []
    olds, news = [old for old, _ in todo], [new for _, new in todo]
    for old, new in todo:
        if old not in by_shot:
            problems.append(f"this folder has no take of a shot '{old}'")
        if new not in wanted:
            problems.append(f"the manifest has no shot '{new}'")
        if old == new:
            problems.append(f"'{old}' already has this name")
        if olds.count(old) > 1 or news.count(new) > 1:
            problems.append(f"{old}={new}: give each old and each new id only once")
    if problems:
        raise UsageInvalid("--rename: " + "; ".join(dict.fromkeys(problems)))
    return _renames([(take, new) for old, new in todo for take in by_shot[old]], takes, past)


def renamed(takes: Iterable[Take], renames: Iterable[Rename]) -> list[Take]:
    """Return the takes with their names after a renaming."""
    by_id = {each.take_id: each for each in renames}
    return [
        replace(take, shot_id=by_id[take.take_id].shot_id, number=by_id[take.take_id].number)
        if take.take_id in by_id
        else take
        for take in takes
    ]
