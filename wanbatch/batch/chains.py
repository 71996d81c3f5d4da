"""Chains: shots of which one continues from another, as a graph. Pure.

A predecessor gives a frame of its clip to its successors. A shot may have several of both; no shot comes before itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from wanbatch.batch.frames import FRAME_MARK, frames_in, may_hold_frames
from wanbatch.batch.shots import Recipe, Shot

_OF_SHOT = re.compile(  # a whole value, not a part of a text
    rf'(?<!\\")(?<![^"]){FRAME_MARK}([^":\\]+):(?=(?:first|last|[0-9]+ms)(?:[":]|\Z))'
)


@dataclass(frozen=True)
class Chains:
    """Which shots each shot continues from, by id; of shots that are part of a chain.

    `before` keeps the order in which a shot names its predecessors. What is asked of a graph with a circle in it is
    answered as if the circle were cut; `circle` names it.
    """

    before: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, links: Iterable[tuple[str, Iterable[str]]]) -> Chains:
        """Make them of shots, each with those that it continues from."""
        found: dict[str, dict[str, None]] = {}
        for shot_id, predecessors in links:
            found.setdefault(shot_id, {}).update(dict.fromkeys(predecessors))
        return cls({shot_id: tuple(each) for shot_id, each in found.items() if each})

    @classmethod
    def of_shots(cls, shots: Iterable[Shot]) -> Chains:
        """Make them of the shots of a manifest, as any of their models would make them; omitted shots are left out."""
        return cls.of((each.id, predecessors_of(each)) for each in shots if not each.omit)

    @cached_property
    def after(self) -> Mapping[str, tuple[str, ...]]:
        """Which shots continue from each shot, by id."""
        found: dict[str, list[str]] = {}
        for shot_id, predecessors in self.before.items():
            for each in predecessors:
                found.setdefault(each, []).append(shot_id)
        return {shot_id: tuple(each) for shot_id, each in found.items()}

    @cached_property
    def shots(self) -> frozenset[str]:
        """Every shot that is part of a chain."""
        return frozenset({*self.before, *self.after})

    def upstream(self, shot_id: str) -> tuple[str, ...]:
        """Return all shots that a shot continues from, also through others, nearest first."""
        return _reached(shot_id, self.before)

    def downstream(self, shot_id: str) -> tuple[str, ...]:
        """Return all shots that continue from a shot, also through others, nearest first."""
        return _reached(shot_id, self.after)

    def circles(self) -> list[tuple[str, ...]]:
        """Return circles that share no shot: shots of which each continues from the next, and the last from the first.

        Every circle that there is has a shot in one of them, or is reached from its shots and leads back to them.
        """
        found: list[tuple[str, ...]] = []
        told: set[str] = set()
        settled: set[str] = set()
        for start in self.before:
            path: list[str] = []
            ahead: list[Iterator[str]] = []
            _enter(start, path, ahead, self.before, settled)
            while ahead:
                following = next(ahead[-1], None)
                if following is None:
                    ahead.pop()
                    settled.add(path.pop())
                elif following in path:
                    circle = tuple(path[path.index(following) :])
                    if told.isdisjoint(circle):
                        found.append(circle)
                        told.update(circle)
                else:
                    _enter(following, path, ahead, self.before, settled)
        return found

    @cached_property
    def order(self) -> tuple[str, ...]:
        """All shots of chains, each behind those that it continues from."""
        placed: dict[str, None] = {}
        for shot_id, others in self.before.items():
            for each in (*others, shot_id):
                self._place(each, placed)
        return tuple(placed)

    def _place(self, shot_id: str, placed: dict[str, None]) -> None:
        left, entered = [shot_id], set[str]()
        while left:
            now = left[-1]
            missing = [each for each in self.before.get(now, ()) if each not in placed and each not in entered]
            entered.add(now)
            if missing:
                left += missing
            else:
                placed[left.pop()] = None

    def lengths(self, weight: Callable[[str], float]) -> Mapping[str, float]:
        """Return how long it takes from the beginning of each shot to the end of the longest chain behind it.

        `weight` is how long one shot takes.
        """
        found: dict[str, float] = {}
        for shot_id in reversed(self.order):
            behind = (found.get(each, 0.0) for each in self.after.get(shot_id, ()))
            found[shot_id] = weight(shot_id) + max(behind, default=0.0)
        return found

    def longest_path(self, weight: Callable[[str], float]) -> tuple[str, ...]:
        """Return the shots of the chain that takes longest, in the order in which they are made."""
        lengths = self.lengths(weight)
        heads = [each for each in self.order if each not in self.before]
        if not heads:
            return ()
        path = [max(heads, key=lambda each: lengths[each])]
        while path[-1] in self.after:
            path.append(max(self.after[path[-1]], key=lambda each: lengths[each]))
        return tuple(path)

    @cached_property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """The shots that hang together, each group in order; the groups by their first shots."""
        home: dict[str, str] = {}
        for shot_id in self.order:
            if shot_id not in home:
                for each in self._joined(shot_id):
                    home[each] = shot_id
        found: dict[str, list[str]] = {}
        for shot_id in self.order:
            found.setdefault(home[shot_id], []).append(shot_id)
        return tuple(tuple(each) for each in found.values())

    def _joined(self, shot_id: str) -> Collection[str]:
        both = {each: (*self.before.get(each, ()), *self.after.get(each, ())) for each in self.shots}
        return (shot_id, *_reached(shot_id, both))


def predecessors_of(shot: Shot) -> tuple[str, ...]:
    """Return the shots that a shot continues from, as any of its models would make it, or its fallback."""
    versions = [*shot.versions, *([] if shot.fallback is None else [shot.fallback.version])]
    return tuple(dict.fromkeys(each.shot_id for version in versions for each in frames_in(version.request)))


def shots_before(canonical: str) -> tuple[str, ...]:
    """Return the shots that a take continues from, by the text of its recipe. Raises StateInvalid for a damaged one."""
    if not may_hold_frames(canonical):
        return ()
    return tuple(dict.fromkeys(each.shot_id for each in frames_in(Recipe(canonical).body)))


def pins_in(canonical: str) -> tuple[tuple[str, int], ...]:
    """Return the single takes that a take continues from, as shots and numbers, by the text of its recipe."""
    if not may_hold_frames(canonical):
        return ()
    pinned = ((each.shot_id, each.take) for each in frames_in(Recipe(canonical).body) if each.take is not None)
    return tuple(dict.fromkeys(pinned))


def with_new_ids(canonical: str, names: Mapping[str, str]) -> str:
    """Return a recipe, or the text of one frame, with the ids that shots have now; `names` are these by earlier ids."""
    if not names or FRAME_MARK not in canonical:
        return canonical
    return _OF_SHOT.sub(lambda found: f"{FRAME_MARK}{names.get(found[1], found[1])}:", canonical)


def _reached(start: str, ways: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    left = [start]
    for now in left:  # which grows
        for each in ways.get(now, ()):
            if each not in found and each != start:
                found[each] = None
                left.append(each)
    return tuple(found)


def _enter(
    shot_id: str,
    path: list[str],
    ahead: list[Iterator[str]],
    before: Mapping[str, tuple[str, ...]],
    settled: Collection[str],
) -> None:
    if shot_id not in settled:
        path.append(shot_id)
        ahead.append(iter(before.get(shot_id, ())))
