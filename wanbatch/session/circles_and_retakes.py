"""Circles, retakes: what the user decides about takes between runs, written into the state file. Asks no provider."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from wanbatch.batch.changes import Create
from wanbatch.batch.choice import Pick, circle, uncircle
from wanbatch.batch.lifecycle import Fact
from wanbatch.batch.retakes import Retake, plan_retakes
from wanbatch.batch.take import Take
from wanbatch.clock import system_now
from wanbatch.session.access import start_of_time
from wanbatch.state.chained_takes import read_chained
from wanbatch.state.file import StateFile
from wanbatch.state.reader import StateReader, entry


def mark(output: Path, picks: Sequence[Pick] = (), cleared: Sequence[str] = ()) -> list[tuple[Take, Fact]]:
    """Circle takes and clear the circles of shots; returns the takes whose circle changed, as they were, and how.

    The reports are rebuilt where anything changed. Raises UsageInvalid, and changes nothing, where one of them cannot
    be; OutputLocked while a run holds the folder.
    """
    with closing(_open(output)) as state:
        takes = state.takes()
        facts = [*circle(takes, picks), *uncircle(takes, cleared)]
        at = start_of_time(state)
        if facts:
            state.record_together([(take.take_id, entry(fact, at)) for take, fact in facts])
            _report(state)
    return facts


def plan_for_later(output: Path, asked: Retake) -> list[str]:
    """Plan retakes that the next run buys; returns their labels. Raises UsageInvalid, OutputLocked."""
    with closing(_open(output)) as state:
        plan = plan_retakes(state.shots(), state.takes(), asked.completed(read_chained(state)), state.past())
        state.adopt(plan, start_of_time(state))
        _report(state)
    return [f"{each.shot_id}_t{each.number}" for each in plan.changes if isinstance(each, Create)]


def _open(output: Path) -> StateFile:
    with StateReader.open(output) as reader:
        identity = reader.identity()
    return StateFile.create_or_open(output, identity)


def _report(state: StateFile) -> None:
    from wanbatch.reporting.files import write_reports

    write_reports(state, made_at=system_now())
