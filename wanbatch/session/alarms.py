"""Alarms: what was named about money, and up to where a command has exited with code 3 for it.

A double, a charge of no take or a submit of no take troubles a run once, when it is found. If that run was interrupted,
killed or stopped by a fault of this machine, perhaps no one saw it: the next run exits with code 3 in its place.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from wanbatch.batch.alarms import ALARM_FACTS, alarm_in
from wanbatch.errors import ExitCode, most_urgent
from wanbatch.money.credits import usd_text
from wanbatch.session.options import RunResult
from wanbatch.state.file import StateFile
from wanbatch.state.reader import StateReader
from wanbatch.state.tables import Run, Stray

NOTE = "alarms told"
_UNSEEN = frozenset({ExitCode.INTERRUPTED, ExitCode.TERMINATED, ExitCode.LOCAL_FAULT})


@dataclass(frozen=True)
class AlarmsReported:
    """Up to which fact, and of which strays by request id, a command has exited with code 3."""

    facts: int = 0
    strays: frozenset[str] = frozenset()

    @classmethod
    def read(cls, text: str | None) -> AlarmsReported | None:
        """Read it from a note; None if there is none that can be read."""
        try:
            told = json.loads(text or "")
            return cls(int(told["facts"]), frozenset(map(str, told["strays"])))
        except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
            return None

    def text(self) -> str:
        """Write it as the text of a note."""
        return json.dumps({"facts": self.facts, "strays": sorted(self.strays)})


def stray_text(stray: Stray) -> str:
    """Say what is known of a submit that belongs to no take."""
    made = "what it made is unknown" if stray.generation_id is None else f"it made {stray.generation_id}"
    cost = "" if stray.credits_held is None else f" ({usd_text(stray.credits_held)})"
    return f"{stray.source} shows the submit {stray.request_id}, which belongs to no take: {made}{cost}"


def begin(state: StateFile) -> None:
    """Count what was recorded before a run that exited with code 3 as reported, once for a file of an older version."""
    if AlarmsReported.read(state.noted(NOTE)) is None:
        state.note(NOTE, _reported_by(state, state.runs()).text())


def _reported_by(state: StateReader, runs: Iterable[Run]) -> AlarmsReported:
    ends = [each.ended_at for each in runs if each.exit_code == ExitCode.DECISION_NEEDED and each.ended_at is not None]
    if not ends:
        return AlarmsReported()
    return AlarmsReported(state.facts_until(max(ends)), frozenset(each.request_id for each in state.strays()))


def not_reported(state: StateReader) -> list[str]:
    """Return what was named about money since a command exited with code 3 the last time, oldest first."""
    reported = AlarmsReported.read(state.noted(NOTE)) or AlarmsReported()
    labels: dict[int, str] = {}
    found = []
    for take_id, entry in state.entries_after(reported.facts, ALARM_FACTS):
        text = alarm_in(entry)
        if text:
            labels[take_id] = labels.get(take_id) or state.take(take_id).label
            found.append(f"{labels[take_id]}: {text}")
    strays = [each for each in state.strays() if each.request_id not in reported.strays]
    return list(dict.fromkeys([*found, *map(stray_text, strays)]))


def ended(state: StateFile, result: RunResult) -> RunResult:
    """Return how a command ends with what no earlier one has exited with code 3 for, and remember what this one tells.

    An interrupted one, and one that this machine stopped, may not have been seen: it remembers nothing.
    """
    if result.exit_code in _UNSEEN:
        return result
    found = not_reported(state)
    new = _unsaid(found, result.messages)
    reported = AlarmsReported(state.facts_recorded(), frozenset(each.request_id for each in state.strays()))
    if reported != AlarmsReported.read(state.noted(NOTE)):
        state.note(NOTE, reported.text())
    if not found:
        return result
    code = most_urgent([result.exit_code, ExitCode.DECISION_NEEDED])
    return replace(result, exit_code=code, messages=(*result.messages, *new))


def _unsaid(found: Sequence[str], messages: Sequence[str]) -> list[str]:
    """Return what no message of this command says yet."""
    said = "\n".join(messages)
    return [each for each in found if each.partition(": ")[2] not in said]
