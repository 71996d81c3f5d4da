"""The plan of one shot: which of its takes answer what the manifest asks for, and what is sent beside them. Pure.

It decides what is paid for: a take that is created here, or follows an edit, is bought by the next run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from wanbatch.batch.changes import Change, Create, Reinstate, Replan, Supersede
from wanbatch.batch.edits import (
    WITHOUT_CLIP,
    follow_retake,
    is_asked,
    is_left_behind,
    is_retake_of,
    may_follow_edit,
)
from wanbatch.batch.lifecycle import State
from wanbatch.batch.names import composed
from wanbatch.batch.shots import Fallback, Recipe, Shot, likeness
from wanbatch.batch.take import Take

_PREFERENCE = (
    State.VERIFIED,
    State.DOWNLOADED,
    State.COMPLETED,
    State.GENERATING,
    State.QUEUED,
    State.SUBMITTING,
    State.UNKNOWN,
    State.HELD,
    State.PLANNED,
    State.FAILED,
)

NONE_FIRST: Mapping[int, str] = MappingProxyType({})


@dataclass(frozen=True)
class Wanted:
    """One take that the manifest asks for, beside the take that answers it, if there is one."""

    shot: Shot
    recipe: Recipe
    take: Take | None


@dataclass(frozen=True)
class ShotPlan:
    """What a run would do with one shot.

    `wanted` are the takes asked for, by slot and then retakes; `changes` is what to write, in order; `left` are the
    takes that nothing asks for any more, the most useful first.
    """

    wanted: tuple[Wanted, ...]
    changes: tuple[Change, ...]
    left: tuple[Take, ...]


def plan_shot(
    shot: Shot, takes: Sequence[Take], moved: frozenset[int], next_number: int, first: Mapping[int, str] = NONE_FIRST
) -> ShotPlan:
    """Match the wanted recipes of one shot with its takes.

    `moved` are the takes, by id, that came from other shots; `next_number` is that of the next new take; `first` are
    the recipes, by take id, of which fallbacks were used.
    """
    free = sorted(takes, key=lambda take: (*_preference(shot, take), -take.number))
    slots = fill_slots(shot, free, moved, next_number, first)
    asked = {composed(each.recipe.canonical) for each in slots.wanted}
    made = {composed(each.recipe_json) for each in takes if each.state not in WITHOUT_CLIP}
    newest = max((each.number for each in takes if each.is_retake), default=0)
    retakes = follow_retakes(shot, slots.left, asked, made, newest)
    behind = [each for each in retakes.left if not each.superseded and is_left_behind(each, shot, asked)]
    return ShotPlan(
        wanted=(*slots.wanted, *retakes.wanted),
        changes=(*slots.changes, *retakes.changes, *(Supersede(each.take_id) for each in behind)),
        left=retakes.left,
    )


def _preference(shot: Shot, take: Take) -> tuple[int, bool]:
    """Say which take a slot has first. Without seeds a retake has the recipe of the slots, and comes after theirs."""
    return _PREFERENCE.index(take.state), take.is_retake and not shot.version_of(take.recipe.model).has_seed


def fill_slots(
    shot: Shot, free: Sequence[Take], moved: frozenset[int], next_number: int, first: Mapping[int, str] = NONE_FIRST
) -> ShotPlan:
    """Give each slot of the manifest a take: one of its recipe, else one never sent, which follows the edit, else new.

    `free` are the takes of the shot, the most useful first.
    """
    recipes = () if shot.omit else shot.recipes
    # What came from another shot and was bought goes before a take that is still to be sent: that need not be bought.
    unsent = [take for take in free if moved and take.take_id not in moved and take.state is State.PLANNED]
    there = [take for take in free if take not in unsent]
    matched = _match(shot, recipes, there, moved)
    missing = {slot: each for slot, each in enumerate(recipes) if slot not in matched}
    rest = [each for each in there if each not in matched.values()]
    matched |= _on_fallback(shot, missing, rest, moved, first)
    failed = {slot: recipes[slot] for slot, take in matched.items() if take.state is State.FAILED}
    ids = {take.take_id for take in matched.values()}
    clips = [each for each in there if each.take_id not in ids and each.state not in WITHOUT_CLIP]
    matched |= _on_fallback(shot, failed, clips, moved, first)  # nothing is bought in its place
    missing = {slot: each for slot, each in missing.items() if slot not in matched}
    matched |= _most({slot: [take for take in unsent if is_asked(take, each)] for slot, each in missing.items()})
    ids = {take.take_id for take in matched.values()}
    left = [take for take in free if take.take_id not in ids]
    unsent = sorted((take for take in left if may_follow_edit(take)), key=lambda take: take.number)
    changes: list[Change] = [change for take in matched.values() for change in _reinstated(take)]
    wanted: list[Wanted] = []
    for slot, recipe in enumerate(recipes):
        take = matched.get(slot)
        if take is not None:  # one that came from another shot keeps its own seed, and one its fallback's recipe
            is_own = take.take_id not in moved and take.recipe.model == recipe.model
            wanted.append(Wanted(shot, recipe if is_own else take.recipe, take))
        elif unsent:
            take = unsent.pop(0)
            left.remove(take)
            changes += [*_reinstated(take), Replan(take.take_id, recipe)]
            wanted.append(Wanted(shot, recipe, take))
        else:
            changes.append(Create(shot.id, next_number, recipe))
            next_number += 1
            wanted.append(Wanted(shot, recipe, None))
    return ShotPlan(tuple(wanted), tuple(changes), tuple(left))


def follow_retakes(shot: Shot, free: Sequence[Take], slots: set[str], made: set[str], newest: int) -> ShotPlan:
    """Keep the retakes that are still asked for.

    `slots` are the recipes that slots ask for already, `made` those that there are clips of, or will be; `newest` is
    the number of the shot's last retake.
    """
    wanted: list[Wanted] = []
    changes: list[Change] = []
    left: list[Take] = []
    for take in free:
        followed = None
        if take.is_retake and not shot.omit and not _is_replaced(take, newest):
            followed = follow_retake(shot, take, slots | made if take.state is State.PLANNED else slots)
        if followed is None:
            left.append(take)
            continue
        changes += _reinstated(take)
        if not is_asked(take, followed):
            changes.append(Replan(take.take_id, followed))
        wanted.append(Wanted(shot, followed, take))
    return ShotPlan(tuple(wanted), tuple(changes), tuple(left))


def _is_replaced(take: Take, newest: int) -> bool:
    """Say whether a later retake stands in for one that failed."""
    return take.superseded and take.state is State.FAILED and take.number < newest


def _reinstated(take: Take) -> list[Change]:
    return [Reinstate(take.take_id)] if take.superseded else []


def _match(shot: Shot, recipes: Sequence[Recipe], takes: Sequence[Take], moved: frozenset[int]) -> dict[int, Take]:
    """Find the take of each recipe, by slot. `takes` are in the order in which they are preferred."""
    free, matched = list(takes), dict[int, Take]()
    for slot, recipe in enumerate(recipes):
        same = next((take for take in free if is_asked(take, recipe)), None)
        if same is not None:
            matched[slot] = same
            free.remove(same)
    for slot, take in matched.items():  # only now: a retake that another slot asks for by its seed stands in for none
        if take.superseded and take.state is State.FAILED:
            stand_in = next((each for each in free if each.is_retake and is_retake_of(shot, each)), None)
            if stand_in is not None:
                matched[slot] = stand_in
                free.remove(stand_in)
    if shot.seed is None and moved:
        # A derived seed depends on the id: a take that came from another id has another, and is as good. So is one
        # of this shot whose seed a take that came back has, too.
        others = [take for take in free if take.take_id in moved or _is_twin(take, recipes)]
        others.sort(key=_is_second_choice)
        left = [slot for slot in range(len(recipes)) if slot not in matched]
        texts = {slot: likeness(recipes[slot].canonical)[0] for slot in left}
        for text in dict.fromkeys(texts.values()):
            slots = [slot for slot in left if texts[slot] == text]
            alike = [take for take in others if likeness(take.recipe_json)[0] == text][: len(slots)]
            matched |= _by_number(slots, alike)
    return matched


def _is_twin(take: Take, recipes: Sequence[Recipe]) -> bool:
    is_made = take.state not in WITHOUT_CLIP
    return is_made and not take.is_retake and any(is_asked(take, recipe) for recipe in recipes)


def _on_fallback(
    shot: Shot,
    slots: Mapping[int, Recipe],
    takes: Sequence[Take],
    moved: frozenset[int],
    first: Mapping[int, str],
) -> dict[int, Take]:
    """Find the takes that answer these slots by a fallback: none is bought again by the first model.

    What was made, or is being made, answers its slot also if the manifest names another fallback by now, or none. One
    that came from another shot has the seed that was derived from the other id, and is as good.
    """

    def is_same(took: str, recipe: Recipe, take: Take) -> bool:
        if shot.seed is None and take.take_id in moved:
            return likeness(took)[0] == likeness(recipe.canonical)[0]
        return composed(took) == composed(recipe.canonical)

    def answers(take: Take, recipe: Recipe) -> bool:
        if shot.fallback is not None and _is_next_one(take, shot.fallback, recipe, is_moved=take.take_id in moved):
            return True
        was = first.get(take.take_id)
        return was is not None and take.state not in WITHOUT_CLIP and is_same(was, recipe, take)

    sent = [take for take in takes if take.attempts]
    return _most({slot: [take for take in sent if answers(take, recipe)] for slot, recipe in slots.items()})


def _most(fitting: Mapping[int, Sequence[Take]]) -> dict[int, Take]:
    """Give as many slots as possible a take of their own: no slot takes the only one that fits another."""
    taken: dict[int, int] = {}  # take id: slot

    def find(slot: int, tried: set[int]) -> bool:
        for take in fitting[slot]:
            if take.take_id not in tried:
                tried.add(take.take_id)
                if take.take_id not in taken or find(taken[take.take_id], tried):
                    taken[take.take_id] = slot
                    return True
        return False

    for slot in fitting:
        find(slot, set())
    by_id = {take.take_id: take for takes in fitting.values() for take in takes}
    return {slot: by_id[take_id] for take_id, slot in taken.items()}


def _is_next_one(take: Take, fallback: Fallback, recipe: Recipe, *, is_moved: bool = False) -> bool:
    """Say whether a take is what its fallback is sent in place of a recipe.

    A recipe without a seed is that of every slot, and each of its takes has a seed of its own with the fallback.
    """
    sent = fallback.recipe_for(recipe)
    if is_asked(take, sent):
        return True
    is_slot = ("seed" not in recipe.body or is_moved) and fallback.version.has_seed and not take.is_retake
    return is_slot and likeness(take.recipe_json)[0] == likeness(sent.canonical)[0]


def _by_number(slots: Sequence[int], takes: Sequence[Take]) -> dict[int, Take]:
    """Give slots their takes: take 1 to the first slot, take 2 to the second, and what is left in order."""
    own = {take.number - 1: take for take in takes if take.number - 1 in slots}
    rest = sorted((take for take in takes if take.number - 1 not in slots), key=lambda take: take.number)
    return own | dict(zip([slot for slot in slots if slot not in own], rest, strict=False))


def _is_second_choice(take: Take) -> tuple[bool, bool, int, int]:
    is_replaced = take.superseded and take.state is State.FAILED
    return is_replaced, take.is_retake, _PREFERENCE.index(take.state), take.number
