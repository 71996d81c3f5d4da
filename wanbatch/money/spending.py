"""Where the money of a batch went: into the cut and outside it, and by scene. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from wanbatch.batch.spend import Kind

OUTSIDE_WORDS: Mapping[str, str] = {
    "unchosen": "verified, not chosen",
    "left_out": "verified, shot left out",
    "superseded": "superseded",
    "failed": "failed",
    "waiting": "no clip yet",
    "extra": "extra",
}


@dataclass(frozen=True)
class SceneSpend:
    """What is committed for the takes of a scene: known credits, and how many takes are not in it."""

    name: str
    known: int
    unknown: int


@dataclass(frozen=True)
class Spending:
    """What was charged for the cut and outside it, in credits, and what each scene cost, in story order.

    `outside` is by the names of OUTSIDE_WORDS. A scene of which nothing was sent is there with 0. `left_out_takes` are
    the verified takes of shots that the manifest leaves out, `replaced` the superseded ones that failed.
    """

    in_cut: int
    outside: Mapping[str, int]
    scenes: tuple[SceneSpend, ...]
    left_out_takes: int = 0
    replaced: int = 0

    @property
    def outside_cut(self) -> int:
        """What was charged for anything that is not in the cut."""
        return sum(self.outside.values())

    @property
    def charged(self) -> int:
        """All that was charged for takes."""
        return self.in_cut + self.outside_cut

    @property
    def left_out_words(self) -> str:
        """Say how many of the verified takes belong to shots that are left out; empty if none does."""
        return left_out_words(self.left_out_takes)

    @property
    def replaced_words(self) -> str:
        """Say how many of the superseded takes failed; empty if none did."""
        return replaced_words(self.replaced)

    @property
    def parts_outside(self) -> list[tuple[str, int]]:
        """What it was charged for, in the words of the pages."""
        return [(words, self.outside.get(name, 0)) for name, words in OUTSIDE_WORDS.items()]


def left_out_words(takes: int) -> str:
    """Say that so many of the verified takes belong to shots that are left out; empty for none."""
    if not takes:
        return ""
    are = "belongs to a shot that is" if takes == 1 else "belong to shots that are"
    return f"{takes} of the verified takes {are} left out: omitted, or no longer in the manifest"


def replaced_words(takes: int) -> str:
    """Say that so many of the superseded takes failed, which troubles no run any more; empty for none."""
    if not takes:
        return ""
    other, them = ("another take", "it") if takes == 1 else ("other takes", "them")
    why = f"{other} replaced {them}, or the manifest no longer asks for {them}"
    return f"{takes} of the superseded takes failed: {why}"


NOTHING_SPENT = Spending(0, MappingProxyType({}), ())


def scenes_of(tallies: Iterable[tuple[str, Kind, int]], order: Iterable[str]) -> tuple[SceneSpend, ...]:
    """Sum what is committed by scene; `order` has the scenes in story order, takes without one under an empty name."""
    known: dict[str, list[int]] = {name: [0, 0] for name in order}
    for name, kind, count in tallies:
        sums = known.setdefault(name, [0, 0])
        sums[0] += kind.credits_committed_known * count
        sums[1] += count * (kind.credits_committed is None)
    return tuple(SceneSpend(name, money, unknown) for name, (money, unknown) in known.items())
