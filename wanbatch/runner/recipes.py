"""The recipes that a take has had: its own, and its fallback's. What any of them made is its clip."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from wanbatch.batch.attempts import Attempt
from wanbatch.batch.fallbacks import recipes_of, seed_of
from wanbatch.batch.shots import Recipe
from wanbatch.batch.take import Take
from wanbatch.runner.context import RunContext
from wanbatch.runner.resubmission import recipe_in
from wanbatch.state.reader import StateReader


def recipe_of_request(context: RunContext, take: Take, request_id: str) -> Recipe | None:
    """Return the recipe that a submit was sent with, if it is one that its take has had, or its fallback's."""
    fallback = context.state.fallback_of(take.shot_id)
    known = recipes_of(context.state.facts_of(take.take_id))
    known.setdefault(take.recipe.short_hash, take.recipe_json)
    if fallback is not None:
        for next_one in fallback.recipes_for(take.recipe, [own_seed(context.state, take)]):
            known.setdefault(next_one.short_hash, next_one.canonical)
    canonical = known.get(recipe_in(request_id) or "")
    return None if canonical is None else Recipe(canonical)


def own_seed(state: StateReader, take: Take) -> int:
    """Return the seed of a take with a model that takes one, where its own takes none."""
    return seed_of(take, 1 if take.is_retake else state.slot_of(take))


def recipe_made(context: RunContext, take: Take, maker: Attempt) -> dict[str, Any]:
    """Return what a fact says of the recipe, if a take is given what it made with an earlier one; else nothing."""
    known = recipes_of(context.state.facts_of(take.take_id))
    canonical = known.get(recipe_in(maker.request_id) or "")
    return {} if canonical is None or canonical == take.recipe_json else {"recipe_json": canonical}


def as_made(context: RunContext, take: Take, maker: Attempt) -> Take:
    """Return a take as it was when a submit of it was sent, if that was with another recipe that it has had since."""
    told = recipe_made(context, take, maker)
    return replace(take, recipe_json=told["recipe_json"]) if told else take


def models_of(context: RunContext, take_id: int) -> str:
    """Return the names of all models that a take may have been sent to, in one text: any of them may be charged."""
    take = context.takes[take_id]
    others = {Recipe(each).model for each in recipes_of(context.state.facts_of(take_id)).values()}
    return " ".join(sorted({take.order.model, *others}))
