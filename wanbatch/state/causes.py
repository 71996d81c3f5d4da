"""The causes of other prices in a state file: the few takes that cost more or less than the baseline for a reason."""

from __future__ import annotations

from collections.abc import Mapping

from wanbatch.batch.fallbacks import recipes_of
from wanbatch.batch.models import PriceClass
from wanbatch.batch.shots import Recipe
from wanbatch.money.baseline import Cause, Reason
from wanbatch.money.causes import Ordered, causes_of
from wanbatch.state.reader import StateReader


def read_causes(reader: StateReader, renamed: Mapping[str, str], prices: Mapping[PriceClass, int]) -> list[Cause]:
    """Read why takes of the baseline do not cost what their prices make; `renamed` is `renamed_since_baseline`.

    Only takes are looked at that failed, were sent more than once, or are more or fewer than the baseline has.
    """
    causes = [
        Cause(shot_id, Reason.FEWER, takes, -credit_count)
        for shot_id, takes, credit_count in reader.fewer_than_baseline(renamed)
    ]
    for take_id, shot_id, each, (is_more, is_edited, is_in_edit) in reader.of_other_cost(renamed):
        models = {Recipe(told).model for told in recipes_of(reader.facts_of(take_id)).values()}
        ordered = Ordered(
            shot_id, each, is_more, on_fallback=len(models) > 1, is_edited=is_edited, is_in_edit=is_in_edit
        )
        causes += causes_of(reader.take(take_id), reader.attempts_of(take_id), ordered, prices)
    return causes
