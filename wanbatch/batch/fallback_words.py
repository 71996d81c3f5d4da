"""What a warning says of a take that went on with its fallback: sent there, made there, or failed there, too. Pure.

The words are part of the take's warning, and follow what becomes of it: nothing counts as made before it is.
"""

from __future__ import annotations

import re

from wanbatch.batch.lifecycle import State

MARK = "which made nothing"
_CLAUSE = f"{MARK} and cost nothing"
_AS_FAR_AS_KNOWN = " as far as was known then"
# Earlier versions wrote "charged nothing". That stays as it is: a state file is checked against its facts.
_TOLD = re.compile(
    rf"(goes on with|sent to|made by|failed with) (\S+)( in place of|, too, after) (\S+),"
    rf" ({MARK} and (?:cost|charged) nothing)({_AS_FAR_AS_KNOWN})?"
)
_MADE = frozenset({State.COMPLETED, State.DOWNLOADED, State.VERIFIED})


def changed_text(first: str, second: str, error: str) -> str:
    """Say that a take goes on with a model other than the one that its shot asks for, and why."""
    return f"goes on with {second} in place of {first}, {_CLAUSE} ({error})"


def retold(warning: str, state: State, model: str) -> str:
    """Return a warning with what it says of a fallback true for this state of its take, and its model now."""

    def told(found: re.Match[str]) -> str:
        second, first, clause = found[2], found[4], found[5]
        if model != second:  # the first model turned out to have made it, or an edit came after
            return f"sent to {second}, too, after {first}, {clause}{_AS_FAR_AS_KNOWN}"
        if state is State.FAILED:
            return f"failed with {second}, too, after {first}, {clause}"
        lead = "made by" if state in _MADE else "goes on with" if state is State.PLANNED else "sent to"
        return f"{lead} {second} in place of {first}, {clause}"

    return _TOLD.sub(told, warning)


def told_of_fallback(warning: str) -> str:
    """Return what a warning says of a fallback; empty if it says nothing of one."""
    return next((each for each in warning.split("; ") if MARK in each), "")
