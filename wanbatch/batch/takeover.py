"""The takeover: new takes whose recipe already exists under another id, and the renaming that saves buying them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from wanbatch.batch.changes import Past, Rename
from wanbatch.batch.edits import WITHOUT_CLIP
from wanbatch.batch.frames import shots_of_frames, without_pins, without_shots_of_frames
from wanbatch.batch.lifecycle import State
from wanbatch.batch.names import composed, twin_key
from wanbatch.batch.orders import Order, OrderKind, new_orders
from wanbatch.batch.plan import Plan
from wanbatch.batch.shot_plan import NONE_FIRST
from wanbatch.batch.shots import likeness
from wanbatch.batch.take import Take
from wanbatch.errors import UsageInvalid

Named = TypeVar("Named", "Order", Take)


@dataclass(frozen=True)
class Match:
    """A new take, and the takes with its recipe that no shot asks for any more.

    `take` is the one that it can adopt; None if several shots could adopt it, or several takes fit.
    """

    order: Order
    take: Take | None
    candidates: tuple[Take, ...]


def asked_texts(take: Take, first: Mapping[int, str]) -> dict[str, int | None]:
    """Return what a take is a clip of, each with its seed: its recipe, and what it was asked for before its fallback.

    `first` are canonical recipes by take id.
    """
    return dict(likeness(each) for each in (take.recipe_json, first.get(take.take_id)) if each is not None)


@dataclass(frozen=True)
class Twin:
    """An order that is the same, to the seed, as a take that is there, or as another order; `label` is that one's.

    `ref` is what it is called in what is settled.
    """

    order: Order
    label: str
    ref: int | str

    @property
    def settled(self) -> tuple[str, int | str, str]:
        """What is settled once the order is to be bought all the same."""
        return self.order.label, self.ref, self.order.digest


def is_there(state: State) -> bool:
    """Say whether a take in this state was or may have been bought: not one that failed or was never sent."""
    return state not in WITHOUT_CLIP


Settled = frozenset[tuple[str, int | str, str]]
"""What the user said to buy all the same: labels of takes to be bought, each with the id of a take that is there (of a
folder beside: the batch and the label), and the hash of what was to be bought: another recipe under the same label is
asked about again."""


def settled_in(text: str | None) -> Settled:
    """Read what was settled before; what is not readable settles nothing, so that it is asked again."""
    try:
        rows = json.loads(text) if text else []
        return frozenset(
            (str(label), ref if isinstance(ref, int) else str(ref), str(digest)) for label, ref, digest in rows
        )
    except (ValueError, TypeError, RecursionError):
        return frozenset()


def settled_text(settled: Settled) -> str:
    """Write what is settled, for the state file."""
    return json.dumps(sorted(settled, key=str))


def settled_by(matches: Iterable[Match]) -> Settled:
    """Return what is settled once these takes are to be bought all the same."""
    return frozenset(
        (match.order.label, take.take_id, match.order.digest) for match in matches for take in match.candidates
    )


def find_matches(plan: Plan, first: Mapping[int, str] = NONE_FIRST, settled: Settled = frozenset()) -> list[Match]:
    """Find the new takes of a plan whose recipe exists under another id, among takes that nothing asks for.

    `first` are the recipes, by take id, of which fallbacks were used; what is `settled` is not found again.
    """
    places = {row.shot_id: (row.ordinal, row.shot_id) for row in plan.shots}
    return match_orders(new_orders(plan), plan.kept, places, first, settled)


def match_orders(
    orders: Sequence[Order],
    kept: Iterable[Take],
    places: Mapping[str, tuple[int, str]],
    first: Mapping[int, str],
    settled: Settled,
) -> list[Match]:
    """Pair orders with takes of other shots that nothing asks for.

    If as many shots gain a recipe as have lost it, they are paired in the order of the story, which `places` say; any
    other number leaves the decision to the user.
    """
    free: dict[str, list[tuple[int | None, Take]]] = {}
    for take in kept:
        if is_there(take.state):
            for text, seed in asked_texts(take, first).items():
                free.setdefault(text, []).append((seed, take))
    if not free:
        return []
    known_by: dict[tuple[str, str], set[int | str]] = {}
    for label, ref, digest in settled:
        known_by.setdefault((label, digest), set()).add(ref)
    groups: dict[tuple[str, int | None, frozenset[int | str]], list[Order]] = {}
    for order in orders:
        if order.text in free:
            known = frozenset(known_by.get((order.label, order.digest), ()))
            groups.setdefault((order.text, order.seed, known), []).append(order)
    matches: list[Match] = []
    used: set[int] = set()
    for (text, seed, known), alike in sorted(groups.items(), key=lambda group: group[0][1] is None):  # seeds first
        takes = [take for own, take in free[text] if (seed is None or own == seed) and take.take_id not in used | known]
        found = _pair(alike, takes, places)
        used |= {match.take.take_id for match in found if match.take is not None}
        matches += found
    story = {order.label: place for place, order in enumerate(orders)}
    return sorted(matches, key=lambda match: story[match.order.label])


def find_reframed(plan: Plan, past: Past, settled: Settled = frozenset()) -> list[Match]:
    """Find new takes that differ from a bought one that nothing asks for only in how their frame is named.

    That is the id of its shot, where such an id was renamed once, or the number of its take, where the bought one is of
    another shot: the same frame may be meant by both.
    """
    ids = {name for each in past.renames for name in (each.was[0], each.shot_id)}
    orders = [each for each in new_orders(plan) if shots_of_frames(each.text)]
    there: dict[str, list[tuple[str, Take]]] = {}
    for take in plan.kept if orders else ():
        if is_there(take.state):
            for text in asked_texts(take, past.first_recipes):
                if shots_of_frames(text):
                    there.setdefault(without_shots_of_frames(text), []).append((text, take))
    matches = []
    for order in orders:
        alike = there.get(without_shots_of_frames(order.text), [])
        alike = [each for each in alike if (order.label, each[1].take_id, order.digest) not in settled]
        fit = [take for text, take in alike if _may_be_one(order, text, take, ids)]
        if fit:
            matches.append(Match(order, None, tuple(fit)))
    return matches


def _may_be_one(order: Order, text: str, take: Take, ids: set[str]) -> bool:
    """Say whether an order and a recipe, alike but for the names of their frames, may mean the same frames."""
    named = shots_of_frames(order.text) | shots_of_frames(text)
    return bool(ids & named) or (take.shot_id != order.shot_id and without_pins(text) == without_pins(order.text))


def find_twins(orders: Iterable[Order], takes: Iterable[Take], kept: Iterable[Take], settled: Settled) -> list[Twin]:
    """Find orders that are the same as takes that are there, or as one another, which `match_orders` does not compare.

    `takes` are all that are there, `kept` those of them that nothing asks for. Found are an order of the manifest with
    the request and seed of a take that is asked for, or of an unasked one of its own shot, and a retake with those of
    any take; what is `settled` is not found again. Of two orders with one request and seed, the later one is found.
    What holds a frame of another shot is compared when it is sent, and so is a fallback: it may never be.
    """
    unasked = {take.take_id for take in kept}
    exact: dict[tuple[str, int], list[Take]] = {}
    for take in takes:
        text, seed = likeness(take.recipe_json)
        if seed is not None and is_there(take.state):
            exact.setdefault((text, seed), []).append(take)
    found: list[Twin] = []
    before: dict[tuple[str, int], Order] = {}
    for order in orders:
        if order.sent_seed is None or order.kind is OrderKind.FALLBACK or shots_of_frames(order.text):
            continue
        key = order.text, order.sent_seed
        same = exact.get(key, [])
        if order.kind is OrderKind.SLOT:
            same = [take for take in same if take.shot_id == order.shot_id or take.take_id not in unasked]
        twins = [Twin(order, take.label, take.take_id) for take in same]
        first = before.setdefault(key, order)
        twins += [] if first is order else [Twin(order, first.label, first.label)]
        found += [twin for twin in twins if {twin.settled, (order.label, twin.label, order.digest)}.isdisjoint(settled)]
    return found


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

    A renaming that was done before is not done again, as the same command resumes; one that was undone since is.
    `wanted` are the ids of the manifest. Raises UsageInvalid, for all of them at once, if an old id has no take or a
    new one is not asked for.
    """
    by_shot = _by_shot(takes)
    newest = {each.take_id: (each.was[0], each.shot_id) for each in past.renames}
    ever = {(each.was[0], each.shot_id) for each in past.renames}
    done = {*newest.values(), *(pair for pair in ever if pair[0] not in by_shot)}
    todo = [pair for pair in dict.fromkeys((composed(old), composed(new)) for old, new in pairs) if pair not in done]
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
