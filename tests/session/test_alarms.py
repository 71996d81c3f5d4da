"""What was named about money is not hidden: the next run exits with code 3 where no run has."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from wanbatch.batch.lifecycle import Fact
from wanbatch.batch.progress import BatchProgress
from wanbatch.cli import call
from wanbatch.clock import system_now
from wanbatch.errors import ExitCode
from wanbatch.runner.unexplained import SHARED, SHARED_NOTE
from wanbatch.session import alarms
from wanbatch.session.options import RunResult
from wanbatch.state.file import StateFile
from wanbatch.state.reader import StateReader, entry
from wanbatch.state.tables import Run, Stray

OUTPUT = Path("outputs/one")
RUN = ["run", "one.csv", "--sandbox", "--yes", "--speed", "600", "--no-report", "--offline"]
DOUBLE = {"warning": "DOUBLE: the provider made G9 beside G1 for one submit", "doubles": ["G9"]}


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the first test fills with a finished batch; the others copy it."""
    return tmp_path_factory.mktemp("finished") / "batch"


@pytest.fixture(autouse=True)
def finished(near: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, made_once: Path) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    if not made_once.is_dir():
        monkeypatch.chdir(tmp_path)
        Path("one.csv").write_text("id,prompt\na,A heron waits in the reeds\n", encoding="utf-8")
        assert call(RUN[:-1]) == 0
        shutil.copytree(tmp_path, made_once)
    else:
        shutil.copytree(made_once, tmp_path, dirs_exist_ok=True)
        monkeypatch.chdir(tmp_path)


def opened() -> StateFile:
    with StateReader.open(OUTPUT) as reader:
        identity = reader.identity()
    return StateFile.create_or_open(OUTPUT, identity)


def warn(data: Mapping[str, Any] = DOUBLE) -> None:
    with opened() as state:
        state.record(1, entry(Fact.WARNED, system_now(), data))


def said(capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    capsys.readouterr()
    code = call(RUN)
    told = capsys.readouterr()
    return code, " ".join((told.out + told.err).split())


@pytest.mark.long
@pytest.mark.parametrize(
    ("data", "is_alarm"),
    [
        (DOUBLE, True),
        ({"warning": "the ledger shows a charge for G9, which belongs to no take", "unowned": ["G9"]}, True),
        (
            {
                "warning": "the log says that attempt 1 succeeded, but does not say what it made",
                "nameless": "wb1:n:r:1.1",
            },
            True,
        ),
        ({"warning": "the clip is silent"}, False),
    ],
)
def test_what_no_run_has_ended_with_3_for_ends_the_next_one_with_3_once(
    capsys: pytest.CaptureFixture[str], data: Mapping[str, Any], is_alarm: bool
) -> None:
    warn(data)
    code, told = said(capsys)
    assert (code, data["warning"] in told) == (3 if is_alarm else 0, True)
    assert said(capsys)[0] == 0


def test_a_submit_of_no_take_ends_a_run_with_3_once(capsys: pytest.CaptureFixture[str]) -> None:
    with opened() as state:
        state.note_stray(Stray("wb1:n:r:7.1", "G7", 378_000, system_now(), "the provider's log"))
    code, told = said(capsys)
    assert (code, "wb1:n:r:7.1, which belongs to no take: it made G7" in told) == (3, True)
    assert said(capsys)[0] == 0


RESULT = RunResult(ExitCode.OK, (), OUTPUT, BatchProgress.of([]), None)


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("code", "ends_with", "next_one"),
    [(0, 3, 0), (1, 3, 0), (3, 3, 0), (4, 3, 0), (5, 3, 0), (8, 3, 0), (7, 7, 3), (130, 130, 3), (143, 143, 3)],
)
def test_a_code_that_hides_a_double_leaves_it_for_the_next_run(code: int, ends_with: int, next_one: int) -> None:
    warn()
    with opened() as state:
        assert alarms.ended(state, replace(RESULT, exit_code=ExitCode(code))).exit_code == ends_with
        assert alarms.ended(state, RESULT).exit_code == next_one


def test_what_a_run_says_itself_is_not_said_twice() -> None:
    warn()
    with opened() as state:
        result = replace(RESULT, exit_code=ExitCode.DECISION_NEEDED, messages=(f"a_t1: {DOUBLE['warning']}; ask",))
        assert alarms.ended(state, result) == result


def test_in_an_older_file_what_a_run_ended_with_3_for_counts_as_told() -> None:
    warn()
    with opened() as state:
        first = state.runs()[0]
        state.note(alarms.NOTE, "of no use")
        state.store_run(replace(first, run_id=first.run_id + 1, ended_at=system_now(), exit_code=3))
        alarms.begin(state)
        assert alarms.not_reported(state) == []
        state.note(alarms.NOTE, "of no use")
        state.store_run(Run(**{**vars(first), "run_id": first.run_id + 1, "exit_code": 5}))
        alarms.begin(state)
        assert alarms.not_reported(state) == [f"a_t1: {DOUBLE['warning']}"]


def test_the_status_of_a_run_is_how_its_command_ended() -> None:
    warn()
    Path("one.csv").write_text("id,prompt\na,A heron waits in the reeds\nb,A heron flies\n", encoding="utf-8")
    assert call(RUN[:-1]) == 3
    with StateReader.open(OUTPUT) as reader:
        last = reader.runs()[-1]
    assert (len(last.message) > 0, last.exit_code) == (True, 3)


@pytest.mark.parametrize("is_first", [True, False])
def test_a_folder_remembers_that_its_account_is_shared(is_first: bool) -> None:
    output = "other" if is_first else str(OUTPUT)
    assert call([*RUN[:-1], "-o", output, "--shared-account"]) == 0
    with StateReader.open(Path(output)) as reader:
        assert reader.noted(SHARED_NOTE) == SHARED
