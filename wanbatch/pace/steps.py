"""Steps: what a run does next, one at a time. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Submit:
    """Send the paid POST of a take."""

    take_id: int


@dataclass(frozen=True)
class Poll:
    """Ask how a take's generation stands."""

    take_id: int


@dataclass(frozen=True)
class Download:
    """Fetch a take's clip."""

    take_id: int


@dataclass(frozen=True)
class Search:
    """Look lost answers up in the provider's log."""


@dataclass(frozen=True)
class Wait:
    """Nothing to do before `until` (monotonic seconds), or before something under way ends if that is None."""

    until: float | None


@dataclass(frozen=True)
class Done:
    """Nothing left to do or to wait for."""


Step = Submit | Poll | Download | Search | Wait | Done
