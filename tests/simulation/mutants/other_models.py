"""Breaks of the rule by which a take goes on with its fallback."""

from __future__ import annotations

from collections.abc import Sequence

from tests.simulation.mutants.registry import Patches, mutant
from tests.simulation.mutants.rewriting import slip
from wanbatch.batch import fallbacks
from wanbatch.batch.attempts import Attempt
from wanbatch.batch.take import Take


def _is_free(_: Take, attempts: Sequence[Attempt]) -> bool:
    return bool(attempts)


@mutant
def a_fallback_follows_what_may_have_been_made() -> Patches:
    yield fallbacks, "is_free", _is_free


slip("a refused prompt goes to the fallback", fallbacks.next_recipe, "cause not in fallback.on or ", "")
