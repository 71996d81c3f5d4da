"""A charge: one entry of the provider's ledger. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import MAXYEAR, datetime

from wanbatch.money.credits import usd_text


@dataclass(frozen=True)
class Charge:
    """One entry of the provider's ledger for a generation.

    An entry that cannot be read in full is not legible: no total includes it, and no proof ignores it. Its
    `generation_id` is empty if that cannot be read, and its time is then, or without one, later than any other.
    """

    generation_id: str
    credits: int
    at: datetime
    model: str = ""
    is_legible: bool = True

    @property
    def name(self) -> str:
        """What a person calls it by: its generation, or its time where it names none."""
        return self.generation_id or f"an entry of {self.at:%Y-%m-%d %H:%M:%S} UTC without a reference"

    @property
    def has_time(self) -> bool:
        """Say whether its time could be read."""
        return self.at.year < MAXYEAR

    @property
    def is_amount_known(self) -> bool:
        """Say whether its amount could be read."""
        return self.is_legible or self.credits != 0


def sum_text(charges: Collection[Charge]) -> str:
    """Write what charges sum up to, as far as their amounts are known."""
    known = [each for each in charges if each.is_amount_known]
    if not known:
        return "an unknown amount"
    total = usd_text(sum(each.credits for each in known))
    return total if len(known) == len(charges) else f"{total} and an unknown amount"
