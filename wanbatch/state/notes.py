"""Notes of a state file that list names: which charges the user answered for."""

from __future__ import annotations

import json

from wanbatch.state.reader import StateReader

ANSWERED_NOTE = "charges of others"  # the note that lists the generations that the user said were not this batch's


def read_names(text: str | None) -> list[str]:
    """Read the names that a note lists; none if it cannot be read."""
    try:
        told = json.loads(text or "[]")
    except (ValueError, RecursionError):
        return []
    return [each for each in told if isinstance(each, str)] if isinstance(told, list) else []


def answered_charges(state: StateReader) -> set[str]:
    """Return the generations of charges that do not belong to this batch, as the user said."""
    return set(read_names(state.noted(ANSWERED_NOTE)))
