"""The causes of other prices: what failures, extra clips, fallbacks and more takes of a shot add, take by take. Pure.

They are parts of the variance: see `money/baseline.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wanbatch.batch.attempts import Attempt, Outcome
from wanbatch.batch.lifecycle import State
from wanbatch.batch.models import PriceClass
from wanbatch.batch.remedies import is_refused_prompt
from wanbatch.batch.take import Take
from wanbatch.money.baseline import Cause, Reason
from wanbatch.money.costs import cost_of


@dataclass(frozen=True)
class Ordered:
    """What the baseline says of a take: its shot, as it is called now, and what each take of that was to cost.

    `is_more` where the shot has more takes now than it had then; `on_fallback` where it goes on with its fallback;
    `is_edited` where an edit of its shot replaced it; `is_in_edit` where that edit replaced clips as well, so that all
    that the takes of the shot add counts as edit already.
    """

    shot_id: str
    credits_each: int
    is_more: bool = False
    on_fallback: bool = False
    is_edited: bool = False
    is_in_edit: bool = False


def causes_of(
    take: Take, attempts: Sequence[Attempt], ordered: Ordered, prices: Mapping[PriceClass, int]
) -> list[Cause]:
    """Say why the known cost of one take of the baseline is another; what has no cause here is another price.

    `attempts` are its own; `prices` what a take of each class costs now, if known.
    """
    cost = cost_of(take, attempts, prices)
    total = take.credits_committed_known + (cost.to_complete or 0)
    if ordered.is_more:
        return [Cause(ordered.shot_id, Reason.MORE, 1, total)]
    expected = cost.estimated if take.attempts and cost.estimated is not None else ordered.credits_each
    found = {Reason.EXTRA: cost.extra}
    at_risk = take.credits_at_risk or 0
    if ordered.is_in_edit:
        return _moved_from_edit(take, attempts, ordered, total)
    failed = Reason.REFUSED if _is_refused(take, attempts) else Reason.FAILED
    if take.state is State.FAILED and take.superseded and ordered.is_edited:
        # Its price was saved, and its successor costs what it was to cost: two reasons, which may add up to nothing.
        found |= {failed: total - cost.extra - ordered.credits_each, Reason.EDIT: ordered.credits_each}
    elif take.state is State.FAILED and take.superseded:
        found |= {Reason.TRY: total - cost.extra - at_risk, Reason.UNANSWERED: at_risk}
    elif take.state is State.FAILED:
        found[failed] = total - cost.extra - expected
    else:
        found |= {Reason.TRY: cost.failed, Reason.UNANSWERED: at_risk}
        if ordered.on_fallback:
            found[Reason.FALLBACK] = total - expected - sum(found.values())
    return [Cause(ordered.shot_id, reason, 1, amount) for reason, amount in found.items() if amount]


def _moved_from_edit(take: Take, attempts: Sequence[Attempt], ordered: Ordered, total: int) -> list[Cause]:
    """Name what a failed take saved beside the edit that replaced it: together the two add nothing."""
    saved = ordered.credits_each - total
    failed = Reason.REFUSED if _is_refused(take, attempts) else Reason.FAILED
    if not saved:
        return []
    of_edit = Cause(ordered.shot_id, Reason.EDIT, int(take.credits_committed == 0), saved)
    return [Cause(ordered.shot_id, failed, 1, -saved), of_edit]


def _is_refused(take: Take, attempts: Sequence[Attempt]) -> bool:
    """Say whether the provider refused what a failed take asks for: its prompt, or the request."""
    last = max(attempts, key=lambda each: each.number, default=None)
    return is_refused_prompt(take.error) or (last is not None and last.outcome is Outcome.REFUSED)
