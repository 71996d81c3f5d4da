"""A charge: one entry of the provider's ledger. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Charge:
    """One entry of the provider's ledger for a generation.

    An entry that cannot be read in full is not legible: it is in no sum, and no proof ignores it. Its
    `generation_id` is empty if that cannot be read, and its time is then, or without one, later than any other.
    """

    generation_id: str
    credits: int
    at: datetime
    model: str = ""
    is_legible: bool = True
