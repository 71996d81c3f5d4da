"""How the runs of a batch ended is said on every page and in the workbook, in the words of `status`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.reporting.states import BEGIN, CREDITS, MADE_AT, begin, shot
from tests.reporting.test_pages import read, reported
from wanbatch.batch.lifecycle import State
from wanbatch.batch.shots import Batch
from wanbatch.cli import call
from wanbatch.reporting.cost_files import write_combined
from wanbatch.reporting.run_ends import end_lines
from wanbatch.reporting.workbook_summary import how_to_go_on
from wanbatch.state.next_step import end_text
from wanbatch.state.tables import Run

RUN = Run(1, BEGIN, BEGIN, 0, 60.0, "0.1.0", None, 0, None, "")
KILLED = replace(RUN, ended_at=None, exit_code=None)
DONE = "with exit code 0 (everything that this command asked for is done)"


def ended(folder: Path, *runs: Run, made: int = 1) -> Path:
    """A batch of two shots of which so many are made, with these runs."""
    pen = begin(folder, Batch("film", (shot("a", 0), shot("b", 1))), base_url="sandbox", sandbox=True)
    for take in list(pen.state.takes())[:made]:
        pen.lead(take.take_id, State.VERIFIED, charged=CREDITS, label=take.label)
    for run in runs:
        pen.state.store_run(run)
    pen.state.close()
    return folder


def places(folder: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Return what each place says of a batch: the screen, the page, the page of several batches, the workbook."""
    capsys.readouterr()
    assert call(["status", str(folder)]) == 0
    status = " ".join(capsys.readouterr().out.split())
    report = read(reported(folder).report).words
    combined, _ = write_combined([folder], folder.parent / "all", MADE_AT)
    (progress,) = json.loads((folder / "reports" / "costs.json").read_text(encoding="utf-8"))["progress"]
    sheet = " | ".join(how_to_go_on(progress))
    return {"status": status, "report": report, "of several": read(combined).words, "workbook": sheet}


@pytest.mark.parametrize("made", [1, 2])
@pytest.mark.parametrize(
    ("run", "words"),
    [
        (RUN, DONE),
        (replace(RUN, exit_code=3), "with exit code 3 (something needs your decision)"),
        (replace(RUN, exit_code=130), "with exit code 130 (you interrupted it (Ctrl-C))"),
        (replace(RUN, exit_code=5, message="the cap is reached <b>."), "with exit code 5: the cap is reached <b>"),
        (
            KILLED,
            "on the sandbox's clock, which is ahead of yours, was cut off: it was killed, or this machine stopped",
        ),
    ],
    ids=["done", "decision", "interrupted", "capped", "killed"],
)
def test_each_place_says_how_the_last_run_ended_and_why(
    run: Run, words: str, made: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = places(ended(tmp_path / "film", run, made=made), capsys)
    line = end_text(run).removesuffix(".").removeprefix("the last run")
    assert words in line
    assert [where for where, text in found.items() if line not in text] == []
    assert ("nothing is left to do" in found["workbook"]) == (run == RUN and made == 2)


def test_each_place_says_how_an_earlier_run_ended_that_left_takes_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = places(ended(tmp_path / "film", KILLED, replace(RUN, run_id=2)), capsys)
    lines = [end_text(KILLED, "n earlier run"), DONE]
    assert [(where, line) for where, text in found.items() for line in lines if line not in text] == []


def test_a_run_that_goes_on_is_not_said_to_have_ended() -> None:
    times = {"started_at": "2026-03-01T20:00:00.000Z", "ended_at": None, "speed": 1.0}
    end = times | {"exit_code": None, "message": "", "stops": [], "is_last": True}
    progress = {"running": True, "last_run": end, "stopped": None}
    assert [(line[:17], line[-21:]) for line in end_lines(progress)] == [("a run started at ", " is still in progress")]


def test_before_the_first_run_nothing_is_said_of_an_end() -> None:
    assert end_lines({"running": False, "last_run": None, "stopped": None}) == []
