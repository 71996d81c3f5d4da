"""`recover` at the command line: it asks, it writes, and the next run has nothing to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wanbatch.cli import call
from wanbatch.errors import ExitCode

pytestmark = pytest.mark.usefixtures("quick_clips")


@pytest.mark.long
def test_the_command_asks_writes_and_the_next_run_has_nothing_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    Path("shots.yaml").write_text(
        "version: 1\nname: film\ndefaults: {model: alibaba/wan2.1-t2v-turbo, resolution: 480P}\n"
        "shots:\n  - {id: a, prompt: a quiet street}\n",
        encoding="utf-8",
    )
    run = ["-q", "run", "shots.yaml", "--sandbox", "--speed", "600", "--yes", "-o", "out"]
    assert call(run) == ExitCode.OK
    capsys.readouterr()
    before = [call(["status", "out"]), _baseline_in(capsys)]
    for path in Path("out").glob("state.sqlite*"):
        path.unlink()
    told = [call(run), call(["recover", "shots.yaml", "-o", "out"])]
    assert told == [ExitCode.LOCAL_FAULT, ExitCode.USAGE]
    assert "confirm it with --yes" in capsys.readouterr().err
    assert call(["--json", "recover", "shots.yaml", "-o", "out", "--yes"]) == ExitCode.OK
    found = json.loads(capsys.readouterr().out)["recovered"]
    assert (found["verified"], found["to_send"], found["is_witnessed"], found["strays"]) == (["a_t1"], 0, True, [])
    assert [call(["recover", "shots.yaml", "-o", "out"]), call(run)] == [ExitCode.OK, ExitCode.OK]
    assert "nothing was changed" in capsys.readouterr().out
    assert [call(["status", "out"]), _baseline_in(capsys)] == before
    assert found["baseline"] == "from the reports"


def _baseline_in(capsys: pytest.CaptureFixture[str]) -> str:
    (line,) = [line.strip() for line in capsys.readouterr().out.splitlines() if "baseline" in line]
    return line
