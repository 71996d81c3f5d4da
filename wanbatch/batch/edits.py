"""Edits: what an edit of the manifest makes of takes. One that is of another recipe by now is superseded. Pure."""

from __future__ import annotations

from wanbatch.batch.lifecycle import State
from wanbatch.batch.names import composed
from wanbatch.batch.shots import Recipe, Shot
from wanbatch.batch.take import Take

WITHOUT_CLIP = (State.PLANNED, State.FAILED)
"""States of takes that no clip comes of unless they are sent again: not asked for, there is nothing left to do."""


def may_follow_edit(take: Take) -> bool:
    """Say whether a take was never sent, so that it may become one of another recipe."""
    return take.state is State.PLANNED and not take.is_retake


def is_asked(take: Take, recipe: Recipe) -> bool:
    """Say whether a take is of this recipe. Text that was recorded in another Unicode form is the same text."""
    return take.recipe_json == recipe.canonical or composed(take.recipe_json) == composed(recipe.canonical)


def is_retake_of(shot: Shot, retake: Take) -> bool:
    """Say whether a retake is of this request, whatever its seed, and may come to a clip."""
    is_open = not (retake.superseded and retake.state is State.FAILED)
    return is_open and is_asked(retake, _retake_of(shot, retake))


def _retake_of(shot: Shot, retake: Take) -> Recipe:
    version, fallback = shot.version_of(retake.recipe.model), shot.fallback
    if fallback is not None and retake.recipe.model == fallback.model:  # also one of what the fallback made
        version = fallback.version
    seeded = {name: value for name, value in retake.recipe.body.items() if name == "seed" and version.has_seed}
    return Recipe.of({**version.request, **seeded})


def follow_retake(shot: Shot, take: Take, others: set[str]) -> Recipe | None:
    """Return the recipe that a retake has under this manifest; None if it is stale, or one of the `others`.

    A retake is the shot's request with a seed of its own, where the model takes one. One that was never sent follows
    an edited shot.
    """
    recipe = _retake_of(shot, take)
    is_current = is_asked(take, recipe) or take.state is State.PLANNED
    is_twin = shot.version_of(recipe.model).has_seed and composed(recipe.canonical) in others
    return recipe if is_current and not is_twin else None


def is_left_behind(take: Take, shot: Shot, wanted: set[str]) -> bool:
    """Say whether a take that no slot wants is stale. The clips that an omitted shot already has stay current."""
    if shot.omit:
        return take.state in WITHOUT_CLIP
    return take.state is State.PLANNED or composed(take.recipe_json) not in wanted
