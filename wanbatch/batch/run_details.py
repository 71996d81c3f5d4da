"""Run details: what a run was asked to send, and what kept it from sending more. Pure.

How a run ended is decided on these fields, never on the words of its messages.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from wanbatch.batch.selection import EVERY_SHOT, Choice, Selection


class Stop(StrEnum):
    """What of the money kept a run from sending more."""

    CAP = "cap"  # the cap of the batch
    SCENE_CAP = "scene_cap"  # that of one scene: the others went on
    NEW_PRICE = "new_price"  # a price turned out to be another, and the user is to be asked


@dataclass(frozen=True)
class RunDetails:
    """What a run was asked to send, and what kept it from sending more.

    `stops` are values of `Stop`, in no order. `left_out` are the shots that it was not asked to send, though others
    wait for their takes. `only` and `excepted` are the patterns of its selection, `takes_limit` how many takes it was
    to send at most, None for all.
    """

    stops: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    excepted: tuple[str, ...] = ()
    takes_limit: int | None = None

    @property
    def choice(self) -> Choice:
        """What of all that was left it was asked to send; patterns of scenes and tags need the places of the shots."""
        shots = Selection(self.only, self.excepted) if self.only or self.excepted else EVERY_SHOT
        return Choice(shots, self.takes_limit)


NO_DETAILS = RunDetails()
