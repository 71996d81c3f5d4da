"""The order to send: which planned takes a run sends, in which order, and which have to wait for others. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
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
    clips: Collection[str | tuple[str, int]],
    first: First = First.LONGEST,
    limit: int | None = None,
) -> OrderToSend:
    """Choose and order planned takes; at most `limit` of them.

    `clips` are the shots that have a clip, or soon will, and their single takes that do, as shots and numbers.
    """
    selected = submit_order(filter(is_selected, due), first)
    if not any(each.predecessors for each in selected):
        return OrderToSend(selected[:limit])
    ready: set[str | tuple[str, int]] = {*clips}
    sent, roots, missing = set[str](), dict[str, str](), dict[tuple[str, int], str]()
    for each in submit_order(selected):  # what others continue from comes first
        lacks = [other for other in each.predecessors if not ready.issuperset(_needs(each, other))]
        if each.awaits and sent.isdisjoint(each.awaits):
            lacks += each.awaits
        if lacks:
            missing[each.shot_id, each.number] = roots.setdefault(each.shot_id, roots.get(lacks[0], lacks[0]))
        else:
            sent.add(each.shot_id)
            ready |= {each.shot_id, (each.shot_id, each.number)}
    return OrderToSend(
        [each for each in selected if (each.shot_id, each.number) not in missing][:limit],
        [(each, name) for each in selected if (name := missing.get((each.shot_id, each.number)))],
    )


def called_now(due: Iterable[Due], names: Mapping[str, str]) -> Sequence[Due]:
    """Return planned takes with the ids that their predecessors have now; `names` are these by earlier ids."""
    if not names:
        return list(due)
    return [
        each._replace(
            predecessors=tuple(names.get(other, other) for other in each.predecessors),
            pins=tuple((names.get(other, other), number) for other, number in each.pins),
        )
        for each in due
    ]


def is_ready(take: Due, clips: Collection[str | tuple[str, int]]) -> bool:
    """Say whether all that a take continues from has a clip, or soon will."""
    return all(need in clips for other in take.predecessors for need in _needs(take, other))


def _needs(take: Due, other: str) -> list[str | tuple[str, int]]:
    """Return what a take needs of a shot: the takes that it pins, else any."""
    return [pin for pin in take.pins if pin[0] == other] or [other]
