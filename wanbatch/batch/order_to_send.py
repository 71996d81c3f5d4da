"""The order to send: which planned takes a run sends, in which order, and which have to wait for others. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from wanbatch.batch.plan import Due, First, submit_order


@dataclass(frozen=True)
class OrderToSend:
    """The takes that a run sends, in order, and those that it cannot: each with the shot that is the cause."""

    takes: Sequence[Due]
    unready: Sequence[tuple[Due, str]] = ()


def order_to_send(
    due: Iterable[Due],
    is_selected: Callable[[Due], bool],
    clips: Collection[str],
    first: First = First.LONGEST,
    limit: int | None = None,
) -> OrderToSend:
    """Choose and order planned takes; at most `limit` of them. `clips` are the shots that have a clip, or soon will."""
    selected = submit_order(filter(is_selected, due), first)
    if not any(each.predecessors for each in selected):
        return OrderToSend(selected[:limit])
    chosen, missing = {each.shot_id for each in selected}, dict[str, str]()
    for each in submit_order(selected):  # what others continue from comes first
        for other in each.predecessors:
            if other not in clips and (other not in chosen or other in missing):
                missing.setdefault(each.shot_id, missing.get(other, other))
    return OrderToSend(
        [each for each in selected if each.shot_id not in missing][:limit],
        [(each, missing[each.shot_id]) for each in selected if each.shot_id in missing],
    )
