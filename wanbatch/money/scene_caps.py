"""The caps of scenes: what is still to be sent in each scene that has a cap of its own, and which are too low. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from wanbatch.batch.models import PriceClass
from wanbatch.money.credits import partly_known, usd_text
from wanbatch.money.purchase import NOTHING_BOUGHT, Purchase, higher
from wanbatch.units import count_text

InScene = tuple[str, PriceClass]


@dataclass(frozen=True)
class SceneCap:
    """What takes of one scene want of its own cap, in credits.

    `committed` counts against it already, None while a part of it is unknown: then nothing more fits.
    """

    scene: str
    cap: int
    committed: int | None
    wanted: Purchase

    @property
    def is_short(self) -> bool:
        """Say whether the cap stops one of the takes, as far as prices are known."""
        if not self.wanted.takes:
            return False
        price = higher(self.wanted.known, self.wanted.worst)
        return self.room is None or price > self.room or self.room == 0

    @property
    def room(self) -> int | None:
        """What may still be committed under it; None while it is not known."""
        return None if self.committed is None else max(0, self.cap - self.committed)

    @property
    def needed(self) -> int | None:
        """The cap under which all of the takes are sent; None if a part of it is unknown."""
        if self.committed is None or self.wanted.unpriced:
            return None
        return self.committed + higher(self.wanted.known, self.wanted.worst)

    @property
    def words(self) -> str:
        """`the cap of scene 13, 2.00 USD, has 0.1625 USD left: its 3 takes for 1.575 USD need a cap of 3.4125 USD`."""
        cap = f"the cap of scene {self.scene}, {usd_text(self.cap)},"
        if self.room is None:
            return f"{cap} stops it, as it is not known how much of it is left"
        count, cost = self.wanted.takes, partly_known(self.wanted.known, self.wanted.unpriced)
        takes = f"its {'take' if count == 1 else count_text(count, 'take')} for {cost}"
        verb = "needs" if count == 1 else "need"
        need = "a higher cap" if self.needed is None else f"a cap of {usd_text(self.needed)}"
        return f"{cap} has {usd_text(self.room)} left: {takes} {verb} {need}"

    @property
    def once_words(self) -> str:
        """Say what a take of it waits for: `the cap of scene 13 is raised to 3.4125 USD`."""
        return f"the cap of scene {self.scene} is raised{'' if self.needed is None else f' to {usd_text(self.needed)}'}"

    @property
    def raised_words(self) -> str:
        """Say how high the cap has to be: `the cap of scene 13 raised to 3.4125 USD`."""
        if self.needed is None:
            return f"a higher cap of scene {self.scene}"
        return f"the cap of scene {self.scene} raised to {usd_text(self.needed)}"


@dataclass(frozen=True)
class SceneCaps:
    """The takes of scenes that have caps of their own: those still to be sent, and what is bought beside them.

    `chosen` are those of the first that the command which goes on sends, None for all; `again` is what a retry sends as
    well, `changed` are all takes of the shots that have to be changed.
    """

    caps: Mapping[str, int]
    committed: Mapping[str, int | None]
    left: Mapping[str, Purchase]
    chosen: Mapping[str, Purchase] | None
    again: Mapping[str, Purchase]
    changed: Mapping[str, Purchase]

    def short(self, *parts: Mapping[str, Purchase]) -> tuple[SceneCap, ...]:
        """Return the caps that are too low for all of these parts together."""
        found = [
            SceneCap(
                scene,
                cap,
                self.committed.get(scene, 0),
                sum((each.get(scene, NOTHING_BOUGHT) for each in parts), NOTHING_BOUGHT),
            )
            for scene, cap in self.caps.items()
        ]
        return tuple(each for each in found if each.is_short)


NO_SCENE_CAPS = SceneCaps({}, {}, {}, None, {}, {})


def by_scene(takes: Iterable[InScene], price_of: Callable[[Sequence[PriceClass]], Purchase]) -> dict[str, Purchase]:
    """Price takes, each scene's together."""
    found: dict[str, list[PriceClass]] = {}
    for scene, each in takes:
        found.setdefault(scene, []).append(each)
    return {scene: price_of(classes) for scene, classes in found.items()}
