"""What a run was asked to send and what stopped it are kept as fields: no message decides about either."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.reporting.states import BEGIN, begin, shot
from wanbatch.batch.lifecycle import State
from wanbatch.batch.run_details import NO_DETAILS, RunDetails
from wanbatch.batch.selection import EVERYTHING, Choice, Selection
from wanbatch.batch.shots import Batch
from wanbatch.errors import StateInvalid
from wanbatch.state.progress_reader import read_early_end
from wanbatch.state.reader import StateReader
from wanbatch.state.tables import Run

DETAILS = RunDetails(("cap", "new_price"), ("sh1",), ("a*", "tag:hero"), ("b",), 3)
RUN = Run(1, BEGIN, BEGIN + timedelta(hours=1), 5, 1.0, "0.1.0", None, 0, None, "why")
LATER = Run(2, BEGIN, BEGIN + timedelta(hours=2), 0, 1.0, "0.1.0", None, 0, None, "")


def folder(output: Path, *runs: Run) -> StateReader:
    """A batch of which `a` is made, and `b` of scene `s` waits."""
    pen = begin(
        output, Batch("film", (shot("a", 0), replace(shot("b", 1), scene="s"))), base_url="sandbox", sandbox=True
    )
    pen.lead(pen.state.takes()[0].take_id, State.VERIFIED, label="a_t1")
    for run in runs:
        pen.state.store_run(run)
    return pen.state


@pytest.mark.parametrize("details", [NO_DETAILS, DETAILS, RunDetails(takes_limit=1)])
def test_details_are_read_as_they_were_stored(details: RunDetails, tmp_path: Path) -> None:
    with folder(tmp_path, replace(RUN, details=DETAILS), LATER, replace(RUN, details=details)) as state:
        assert [run.details for run in state.runs()] == [details, NO_DETAILS]


@pytest.mark.parametrize("text", ["", "{", "3", "null", '{"a": 1}', "[" * 100_000])
def test_a_damaged_row_is_reported(text: str, tmp_path: Path) -> None:
    with folder(tmp_path, replace(RUN, details=DETAILS)) as state:
        state._db.execute("UPDATE run_details SET stops = ?", (text,))
        with pytest.raises(StateInvalid, match="a row of run_details"):
            state.runs()


@pytest.mark.parametrize(
    ("details", "choice"),
    [
        (NO_DETAILS, EVERYTHING),
        (RunDetails(takes_limit=2), Choice(limit=2)),
        (DETAILS, Choice(Selection(("a*", "tag:hero"), ("b",)), 3)),
    ],
)
def test_details_tell_what_a_run_was_asked_to_send(details: RunDetails, choice: Choice) -> None:
    assert details.choice == choice


@pytest.mark.parametrize(
    ("details", "is_told"),
    [
        (NO_DETAILS, True),
        (RunDetails(only=("b",)), True),
        (RunDetails(only=("scene:s",)), True),
        (RunDetails(only=("a",)), False),  # it was not asked to send what waits
        (RunDetails(excepted=("b",)), False),
        (RunDetails(excepted=("scene:s",)), False),
    ],
)
def test_a_run_that_was_not_asked_for_what_waits_does_not_tell_why_it_waits(
    details: RunDetails, tmp_path: Path, *, is_told: bool
) -> None:
    with folder(tmp_path, replace(RUN, details=details), LATER) as state:
        found = read_early_end(state, state.runs())
    assert (found is not None, found is None or found.run_id == 1) == (is_told, True)
