"""The rule of fallbacks: when a take goes on with another model, and which recipes it has had. Pure.

A fallback is one more purchase after a first that made nothing. So nothing less than proof that the first cost nothing
leads to it, and it is used once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from wanbatch.batch.attempts import NO_POST, Attempt, Outcome
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.remedies import is_refused_prompt
from wanbatch.batch.shots import FAILED, REFUSED, Fallback, Recipe, derived_seed, retake_seed
from wanbatch.batch.take import Entry, Take


def next_recipe(
    take: Take, attempts: Sequence[Attempt], facts: Iterable[Entry], fallback: Fallback | None, seed: int | None = None
) -> Recipe | None:
    """Return what its fallback would be sent for a take; None if the fallback may not be taken.

    `attempts` and `facts` are all of the take; `seed`, as `seed_of` gives it, is for one whose own model takes none.
    What the ledger and the log show by now is for the caller to look at.
    """
    if fallback is None or take.superseded or take.state is not State.FAILED:
        return None
    facts = list(facts)
    if _is_in_doubt(facts):
        return None
    cause = REFUSED if is_refused_prompt(take.error) else FAILED
    is_taken = take.recipe.model == fallback.model or len(recipes_of(facts)) > 1
    if cause not in fallback.on or is_taken or not is_free(take, attempts):
        return None
    return fallback.recipe_for(take.recipe, seed)


def why_not_taken(
    take: Take, attempts: Sequence[Attempt], facts: Iterable[Entry], fallback: Fallback, same: str = ""
) -> str:
    """Say why a failed take did not go on with its fallback, by what is recorded; empty if it did.

    `attempts` and `facts` are all of the take; `same` is the label of a take that has the same request and seed as its
    fallback, empty without one.
    """
    facts = list(facts)
    if take.state is not State.FAILED or take.recipe.model == fallback.model or len(recipes_of(facts)) > 1:
        return ""
    if REFUSED not in fallback.on and is_refused_prompt(take.error):
        why = "because the provider refused the prompt: change it, or write `on: [refused, failed]` into the fallback"
    elif FAILED not in fallback.on and not is_refused_prompt(take.error):
        why = "because it is only for refused prompts: write `on: [refused, failed]` into it to use it here, too"
    elif take.credits_charged is not None:
        why = "because the first model's failed try was charged"
    elif _is_in_doubt(facts) or take.credits_at_risk != 0:
        why = "because an earlier try may have been charged"
    elif not is_free(take, attempts):
        why = "because it is not proven that the first model made nothing"
    elif same:
        why = f"because {same} has the same request and seed: give the shot another seed, or use that clip"
    else:
        return f"its fallback {fallback.model} is next: run the same command again to use it"
    return f"its fallback {fallback.model} was not used, {why}"


def seed_of(take: Take, slot: int) -> int:
    """Return the seed that a take has with a model that takes one, as if that model alone made its shot.

    Its own model takes none, so the manifest cannot give one. `slot` is its place among the takes of its recipe.
    """
    return retake_seed(take.shot_id, take.number) if take.is_retake else derived_seed(take.shot_id, slot)


def is_free(take: Take, attempts: Sequence[Attempt]) -> bool:
    """Say whether it is proven of each submit of a take that it made nothing, and nothing was charged for one."""
    if take.credits_charged is not None or take.credits_at_risk != 0:
        return False
    proven = [_is_proven(each) and each.credits_charged is None for each in attempts]
    last = next((each for each in attempts if each.number == take.attempt), None)
    return bool(proven) and all(proven) and last is not None and last.outcome in (Outcome.REFUSED, Outcome.FAILED)


def _is_proven(attempt: Attempt) -> bool:
    """Say whether the provider said that a submit made nothing: refused (P1), or failed by log or polls (P2, P3)."""
    return attempt.outcome in NO_POST or attempt.has_failed


def _is_in_doubt(facts: Sequence[Entry]) -> bool:
    """Say whether the last decision about a take's next submit was that an earlier one may have been charged."""
    told = [each.fact for each in facts if each.fact in (Fact.REPLANNED, Fact.RETRY_PLANNED, Fact.RETRY_WITHDRAWN)]
    return bool(told) and told[-1] is Fact.RETRY_WITHDRAWN


def recipes_of(facts: Iterable[Entry]) -> dict[str, str]:
    """Return the recipes that a take may have been sent with, since the manifest last gave it one: by short hash.

    A clip of any of them is its clip.
    """
    found: dict[str, str] = {}
    for each in facts:
        if each.fact in (Fact.PLANNED, Fact.REPLANNED):
            found = {}
        if each.fact in (Fact.PLANNED, Fact.REPLANNED, Fact.MODEL_CHANGED):
            canonical = str(each.data["recipe_json"])
            found[Recipe(canonical).short_hash] = canonical
    return found
