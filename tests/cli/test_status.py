"""What `status` says of how the last run ended, and which command goes on."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.worlds import EPOCH, World, batch_of
from wanbatch.batch.run_details import RunDetails
from wanbatch.cli import call
from wanbatch.errors import ExitCode
from wanbatch.pace.schedule import Rates
from wanbatch.runner.settings import RunSettings
from wanbatch.sandbox.faults import Rule
from wanbatch.session.admission import command_of
from wanbatch.session.options import RunOptions
from wanbatch.state.file import StateFile
from wanbatch.state.kept_command import COMMAND_NOTE
from wanbatch.state.tables import Run, new_identity

pytestmark = pytest.mark.usefixtures("quick_clips")
RUN = Run(1, EPOCH, None, None, 1.0, "0.1.0", None, 0, None, "")
COMMAND = "wanbatch run film.yaml --max-usd 40"


def folder(tmp_path: Path, run: Run | None, *, limit: int | None = 1, name: str = "out") -> Path:
    """An output folder with one clip of two (or all), whose last run ended like this."""
    world = World(tmp_path / name, settings=RunSettings(limit=limit))
    world.run(batch_of(2))
    with StateFile.create_or_open(world.output, new_identity("world", "sandbox", "", EPOCH, sandbox=True)) as state:
        state.note(COMMAND_NOTE, COMMAND)
        if run is not None:
            state.store_run(run)
    return world.output


def told(capsys: pytest.CaptureFixture[str], *outputs: Path) -> tuple[str, Any]:
    capsys.readouterr()
    assert call(["status", *map(str, outputs)]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert call(["--json", "status", *map(str, outputs)]) == 0
    return text, json.loads(capsys.readouterr().out)


def test_status_says_why_the_last_run_ended_with_which_code_and_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    ended = replace(RUN, ended_at=EPOCH + timedelta(hours=3), exit_code=5, message="the budget is reached")
    text, found = told(capsys, folder(tmp_path, ended))
    assert "the last run ended at 2026-11-01 23:00 UTC with exit code 5: the budget is reached" in text
    assert f"to continue, with a higher --max-usd: `{COMMAND}" in text  # as it is, it would stop there again
    assert (found["last_run"]["exit_code"], found["last_run"]["message"]) == (5, "the budget is reached")
    assert (found["last_run"]["ended_at"], found["next"]) == ("2026-11-01T23:00:00+00:00", COMMAND)


@pytest.mark.parametrize(
    ("cap", "is_told"),
    [
        ("--max-usd 0.1", True),
        ("--max-usd=0.1", True),
        ("--max-credits 378000", True),  # of one clip, which was made
        ("--max-usd 40", False),
        ("--max-usd x", False),
        ("--max-usd NaN", False),
        ("--max-credits Infinity", False),
        ("--max-usd 'x", False),
        ("", False),
    ],
)
def test_status_says_that_the_cap_of_the_command_is_spent_though_another_run_came_after(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], cap: str, *, is_told: bool
) -> None:
    output = folder(tmp_path, replace(RUN, ended_at=EPOCH, exit_code=0))
    with StateFile.create_or_open(output, new_identity("world", "sandbox", "", EPOCH, sandbox=True)) as state:
        state.note(COMMAND_NOTE, f"wanbatch run film.yaml {cap}".strip())
    text, _ = told(capsys, output)
    assert ("to continue, with a higher --max-" in text, "to continue" in text) == (is_told, True)


@pytest.mark.parametrize(
    ("code", "stops", "is_told"),
    [
        (3, ["cap"], True),
        (3, ["scene_cap"], True),
        (3, ["new_price"], False),
        (3, [], False),
        (5, ["cap"], False),  # its message says so
    ],
)
def test_status_says_where_a_decision_hides_that_a_cap_is_reached(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], code: int, stops: list[str], *, is_told: bool
) -> None:
    ended = replace(RUN, ended_at=EPOCH, exit_code=code, message="why", details=RunDetails(tuple(stops)))
    text, _ = told(capsys, folder(tmp_path, ended))
    assert ("; the cap has been reached, too)" in text) is is_told


def test_status_says_that_a_time_is_by_the_clock_of_a_sandbox(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    text, _ = told(capsys, folder(tmp_path, replace(RUN, ended_at=EPOCH, exit_code=0, speed=60.0)))
    assert "at 2026-11-01 20:00 UTC on the sandbox's clock, which is ahead of yours, with exit code 0" in text


def test_status_says_that_the_last_run_was_cut_off(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, found = told(capsys, folder(tmp_path, RUN))
    assert "was cut off: it was killed, or this machine stopped" in text
    assert (found["last_run"]["ended_at"], found["last_run"]["exit_code"]) == (None, None)


@pytest.mark.parametrize(
    ("run", "limit", "expected"),
    [
        (None, 1, None),  # made by nothing that is known
        (replace(RUN, ended_at=EPOCH, exit_code=0), None, None),
        (replace(RUN, ended_at=EPOCH, exit_code=int(ExitCode.TAKES_FAILED)), None, None),  # nothing failed
        (replace(RUN, ended_at=EPOCH, exit_code=int(ExitCode.TAKES_FAILED)), 1, COMMAND),
        (replace(RUN, ended_at=EPOCH, exit_code=int(ExitCode.INTERRUPTED)), 1, COMMAND),
    ],
)
def test_the_next_command_is_one_that_has_something_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], run: Run | None, limit: int | None, expected: str | None
) -> None:
    output = folder(tmp_path, run, limit=limit)
    _, found = told(capsys, output)
    assert found["next"] == (None if expected is None else expected.replace("OUT", str(output)))


def test_several_folders_are_shown_one_after_the_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = [folder(tmp_path, RUN, name=name) for name in ("one", "two")]
    text, found = told(capsys, *outputs)
    assert text.index(str(outputs[0])) < text.index(str(outputs[1]))
    assert [each["output"] for each in found] == [str(each) for each in outputs]


@pytest.mark.parametrize(
    ("source", "options", "command"),
    [
        ("film.yaml", RunOptions(), "wanbatch run film.yaml"),
        ("", RunOptions(), ""),
        (
            "my film.yaml",
            RunOptions(sandbox=True, output=Path("out"), flags=("--max-usd", "40", "--yes")),
            "wanbatch run 'my film.yaml' --sandbox -o out --max-usd 40 --yes",
        ),
        (
            "film.yaml",
            RunOptions(flags=("--new-key", "--limit", "5", "--trust-state")),
            "wanbatch run film.yaml --limit 5",
        ),
    ],
)
def test_a_command_is_kept_without_what_was_said_once(source: str, options: RunOptions, command: str) -> None:
    assert command_of(source, options) == command


def test_commands_in_what_a_run_said_name_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = "a_t1 failed: `wanbatch retry` tries again"
    output = folder(tmp_path, replace(RUN, ended_at=EPOCH, exit_code=1, message=message))
    text, found = told(capsys, output)
    command = f"`wanbatch retry {output}` tries again"
    assert (command in text, command in found["last_run"]["message"]) == (True, True)


MODERATED = Rule("submit", "fail", nth=(1,), message="Content policy violation")
BROKEN = Rule("submit", "fail", nth=(2, 3))
CHANGE = (
    "to send what the provider refused (1 take): change the shot in the manifest,"
    f" then `{COMMAND}`. To leave the shot out, write `omit: true` there"
)


@pytest.mark.parametrize(
    ("rules", "said", "command"),
    [
        ((MODERATED,), CHANGE, COMMAND),
        (
            (MODERATED, BROKEN),
            f"to continue: `wanbatch retry OUT --except sh000` {CHANGE}",
            "wanbatch retry OUT --except sh000",
        ),
        ((BROKEN,), "to continue: `wanbatch retry OUT`", "wanbatch retry OUT"),
    ],
    ids=["refused", "both", "failed"],
)
def test_a_refused_prompt_is_to_be_changed_and_not_tried_again(
    rules: tuple[Rule, ...], said: str, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(tmp_path / "out", rules=rules, settings=RunSettings(rates=Rates(max_attempts=1)))
    world.run(batch_of(3))
    with StateFile.create_or_open(world.output, new_identity("world", "sandbox", "", EPOCH, sandbox=True)) as state:
        state.note(COMMAND_NOTE, COMMAND)
        state.store_run(replace(RUN, ended_at=EPOCH, exit_code=int(ExitCode.TAKES_FAILED)))
    text, found = told(capsys, world.output)
    shown, expected = text.replace(str(world.output), "OUT"), found["next"].replace(str(world.output), "OUT")
    assert (shown.endswith(said), expected) == (True, command)


def test_status_of_a_folder_without_a_command_names_no_cap(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = folder(tmp_path, replace(RUN, ended_at=EPOCH, exit_code=0))
    with StateFile.create_or_open(output, new_identity("world", "sandbox", "", EPOCH, sandbox=True)) as state:
        state.note(COMMAND_NOTE, "")
    assert "to continue: run the manifest again" in told(capsys, output)[0]
