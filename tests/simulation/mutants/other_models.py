"""Breaks of the rule by which a take goes on with its fallback."""

from __future__ import annotations

from collections.abc import Sequence

from tests.simulation.mutants.registry import Patches, mutant
from tests.simulation.mutants.rewriting import slip
from wanbatch.batch import fallbacks, shot_plan, takeover
from wanbatch.batch.attempts import Attempt
from wanbatch.batch.take import Take
from wanbatch.state.facts import FactRecords


def _is_free(_: Take, attempts: Sequence[Attempt]) -> bool:
    return bool(attempts)


@mutant
def a_fallback_follows_what_may_have_been_made() -> Patches:
    yield fallbacks, "is_free", _is_free


slip("a refused prompt goes to the fallback", fallbacks.next_recipe, "cause not in fallback.on or ", "")

# --- shots that are renamed

slip(
    "what a fallback made is known by its own recipe alone",
    takeover.asked_texts,
    "(take.recipe_json, first.get(take.take_id))",
    "(take.recipe_json,)",
)
slip(
    "nobody remembers what was asked before a fallback",
    FactRecords.first_recipes,
    "return {take_id: self._first_recipe(take_id) for take_id in changed}",
    "return {}",
)
slip(
    "a fallback of another id is none of this shot",
    shot_plan._on_fallback,
    "if shot.seed is None and take.take_id in moved:",
    "if False:",
)
