"""A command that pays, cuts or exports says which run it means, and asks where two may be meant."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from tests.films import Reel
from tests.output_folders import make_room
from tests.worlds import batch_of
from wanbatch.cli import call
from wanbatch.clock import system_now
from wanbatch.state.progress_reader import RUN_AT_NOTE
from wanbatch.state.reader import StateReader

COMMANDS = [
    ["cut"],
    ["export", "--format", "edl"],
    ["retake", "sh000", "--later"],
    ["circle", "sh000", "1"],
    ["retry"],
    ["resolve", "sh000_t1", "--abandon"],
]


def films(**hours_ago: float) -> None:
    """Output folders of one clip each, run so many hours ago."""
    for name, hours in hours_ago.items():
        output = Path("outputs") / name
        pen = make_room(output, batch_of(1), {"sh000_t1": Reel(1)})
        pen.state.note(RUN_AT_NOTE, (system_now() - timedelta(hours=hours)).isoformat())
        pen.state.close()


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_without_a_terminal_an_error_names_both_and_how_to_choose(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    films(one=3, two=5, old=30)
    code, told = call(command), capsys.readouterr().err
    assert (code, told.splitlines()[0]) == (
        2,
        "wanbatch: the batches in 2 output folders were run in the last 24 hours, but the command does not say which one. Nothing was done:",
    )
    assert [name in told for name in ("outputs/one", "outputs/two", "outputs/old", f"wanbatch {command[0]} outputs/one")] == [
        True, True, False, True,
    ]  # fmt: skip


def test_one_run_of_the_last_day_is_meant_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    films(one=30, two=3)
    code, told = call(["retake", "sh000", "--later"]), capsys.readouterr().err
    assert (code, told.startswith("in outputs/two, batch world, SANDBOX, last run at ")) == (0, True), told


def test_a_folder_that_is_named_is_meant_and_nothing_more_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    films(one=3, two=5)
    assert (call(["retake", "outputs/two", "sh000", "--later"]), capsys.readouterr().err) == (0, "")


@pytest.mark.long
def test_at_a_terminal_it_asks() -> None:
    films(one=3, two=5)
    ours, theirs = os.openpty()
    with os.fdopen(ours, "r+b", buffering=0) as person, os.fdopen(theirs, "r+b", buffering=0) as terminal:
        person.write(b"2\n")
        command = [sys.executable, "-m", "wanbatch", "retake", "sh000", "--later"]
        done = subprocess.run(command, stdin=terminal, stdout=subprocess.PIPE, stderr=terminal, check=False, timeout=60)
        told = person.read(4096).decode()
    with StateReader.open(Path("outputs/two")) as reader:
        labels = [take.label for take in reader.takes()]
    assert (done.returncode, labels) == (0, ["sh000_t1", "sh000_t2"]), told
    assert ["Which one do you mean?" in told, "  1  outputs/one" in told] == [True, True]


def test_a_command_that_only_looks_takes_the_one_that_was_run_last(capsys: pytest.CaptureFixture[str]) -> None:
    films(one=3, two=5)
    assert (call(["status"]), "outputs/one" in capsys.readouterr().out) == (0, True)


@pytest.mark.long
def test_a_run_is_remembered(capsys: pytest.CaptureFixture[str]) -> None:
    films(other=0)
    before = system_now()
    assert call(["-q", "run", "small.yaml", "--sandbox", "--speed", "600"]) == 0
    with StateReader.open(Path("outputs/small")) as reader:
        noted = reader.noted(RUN_AT_NOTE)
    assert noted is not None
    assert noted >= before.isoformat(timespec="milliseconds")
