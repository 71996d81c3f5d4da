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
    sent, roots, missing = set[str](), dict[str, str](), dict[tuple[str, int], str]()
    for each in submit_order(selected):  # what others continue from comes first
        lacks = [other for other in each.predecessors if other not in clips and other not in sent]
        if each.awaits and sent.isdisjoint(each.awaits):
            lacks += each.awaits
        if lacks:
            missing[each.shot_id, each.number] = roots.setdefault(each.shot_id, roots.get(lacks[0], lacks[0]))
        else:
            sent.add(each.shot_id)
    return OrderToSend(
        [each for each in selected if (each.shot_id, each.number) not in missing][:limit],
        [(each, name) for each in selected if (name := missing.get((each.shot_id, each.number)))],
    )
