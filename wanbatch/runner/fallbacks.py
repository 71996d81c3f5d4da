"""Fallbacks: a take whose model made nothing, and that cost nothing, goes on with the other model that its shot names.

Whether it may is the rule of `batch/fallbacks.py`; here it is recorded, with a warning that every report shows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime

from wanbatch.batch.fallback_words import changed_text
from wanbatch.batch.fallbacks import next_recipe
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.orders import digest_of
from wanbatch.batch.shots import Fallback, Recipe
from wanbatch.batch.take import Take
from wanbatch.batch.takeover import settled_in
from wanbatch.money.charge import Charge
from wanbatch.runner.context import RunContext
from wanbatch.runner.evidence import Beside, is_legible_for, look_beside
from wanbatch.runner.recipes import own_seed
from wanbatch.runner.resubmission import take_and_attempt
from wanbatch.state.reader import SETTLED_NOTE, StateReader


def fallback_for(context: RunContext, take_id: int) -> Recipe | None:
    """Return what a failed take would be sent with next by its fallback; None if that may not be."""
    take = context.takes[take_id]
    fallback = context.state.fallback_of(take.shot_id)
    return None if fallback is None else _next_recipe(context.state, take, fallback)


def fall_back(context: RunContext, take_id: int) -> bool:
    """Plan a failed take again with its fallback, and say so; False if that may not be."""
    recipe, take = fallback_for(context, take_id), context.takes[take_id]
    if recipe is None:
        return False
    text = changed_text(take.recipe.model, recipe.model, take.error)
    data = {"recipe_json": recipe.canonical, "model": recipe.model, "warning": text}
    context.record(take_id, Fact.MODEL_CHANGED, data, Fact.WARNED)
    context.plan_again(take_id)
    return True


def left_to_fall_back(
    state: StateReader, is_selected: Callable[[Take], bool], planned: Mapping[str, Fallback] | None = None
) -> dict[int, Recipe]:
    """Return the failed takes whose fallbacks were not used, with what they would be sent with, by take id.

    The last run ended before, could not read the ledger, or the manifest names the fallback since: `planned` are the
    fallbacks that it names now, by shot; None for those of the state file.
    """
    fallbacks = state.fallbacks() if planned is None else planned
    failed = [take for take in state.takes_in([State.FAILED]) if take.shot_id in fallbacks] if fallbacks else []
    found = {take.take_id: _next_recipe(state, take, fallbacks[take.shot_id]) for take in failed if is_selected(take)}
    return {take_id: recipe for take_id, recipe in found.items() if recipe is not None}


def shots_of(state: StateReader, take_ids: Collection[int]) -> frozenset[str]:
    """Return the shots that failed takes with these ids belong to."""
    failed = state.takes_in([State.FAILED]) if take_ids else ()
    return frozenset(take.shot_id for take in failed if take.take_id in take_ids)


def first_sent_at(context: RunContext, take_ids: Iterable[int]) -> datetime | None:
    """Return when the first submit of these takes was sent; None without one."""
    sent = [each.started_at for take_id in take_ids for each in context.state.attempts_of(take_id)]
    return min(sent, default=None)


async def take_up(context: RunContext, take_ids: Iterable[int], charges: Sequence[Charge]) -> None:
    """Plan these failed takes again with their fallbacks where the ledger shows nothing of what failed.

    `charges` are those since the first of them was sent.
    """
    for take_id in take_ids:
        is_legible = is_legible_for(context.state.attempts_of(take_id), charges)
        if is_legible and await look_beside(context, take_id, charges) is Beside.NOTHING:
            fall_back(context, take_id)


def _next_recipe(state: StateReader, take: Take, fallback: Fallback) -> Recipe | None:
    if not state.is_asked_for(take) or _has_stray(state, take):
        return None
    seed = None if "seed" in take.recipe.body else own_seed(state, take)
    recipe = next_recipe(take, state.attempts_of(take.take_id), state.facts_of(take.take_id), fallback, seed)
    return None if recipe is None or _is_ordered(state, take, recipe) else recipe


def _is_ordered(state: StateReader, take: Take, recipe: Recipe) -> bool:
    """Say whether the same is there already, or asked for: with its seed in any shot, without one as an unasked clip of
    the shot, which the next plan uses. What the user said to buy all the same does not count.
    """
    if "seed" not in recipe.body:
        return any(each.superseded for each in state.takes_there(recipe.canonical) if each.shot_id == take.shot_id)
    if state.has_recipe(recipe.canonical):
        return True
    settled = settled_in(state.noted(SETTLED_NOTE))
    digest = digest_of(recipe.canonical)
    there = (each for each in state.takes_there(recipe.canonical) if each.take_id != take.take_id)
    return any((take.label, each.take_id, digest) not in settled for each in there)


def _has_stray(state: StateReader, take: Take) -> bool:
    """Say whether a submit of this take is known that its facts lack: then its fallback may have been bought."""
    ids = [take_and_attempt(each.request_id.partition("#")[0]) for each in state.strays()]
    return any(each is not None and each[0] == take.take_id for each in ids)
