"""What the commands tell of a manifest's warnings, before anything is paid for; `--strict` stops at them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wanbatch.cli import call
from wanbatch.cli.manifest import WARNINGS_SHOWN

SHOT = "  - {{id: s{0}, prompt: '{{{{bird}}}} {0}'}}\n"


def write(count: int, more: str = "") -> None:
    Path("x.yaml").write_text("version: 1\nshots:\n" + "".join(SHOT.format(n) for n in range(count)) + more)


@pytest.fixture(autouse=True)
def _alone(near: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("AIMLAPI_API_KEY", "AIML_API_KEY", "AIMLAPI_KEY", "AIMLAPI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


WARNED = "x.yaml:3:22 warning: prompt contains what looks like a placeholder, {{bird}}: fill it in"


def test_validate_prints_warnings_and_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    write(1)
    code = call(["validate", "x.yaml"])
    first, last = capsys.readouterr().out.splitlines()
    assert (code, first.split(",")[0], last) == (
        0,
        WARNED.split(",", maxsplit=1)[0],
        "x.yaml: 1 shot, 1 take, no problems, 1 warning",
    )


def test_validate_prints_problems_and_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    write(1, "  - {id: b, prompt: x, tempo: 1}\n")
    code = call(["validate", "x.yaml"])
    told = [line.split(" ")[0:2] for line in capsys.readouterr().out.splitlines()]
    assert (code, told) == (2, [["x.yaml:4:24", "'tempo'"], ["x.yaml:3:22", "warning:"]])


@pytest.mark.parametrize("command", [["validate"], ["plan", "--offline"], ["run", "--yes"]])
def test_strict_makes_warnings_problems(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    write(1)
    code = call([*command, "--strict", "x.yaml"])
    assert (code, capsys.readouterr().out.startswith("x.yaml:3:22 prompt contains")) == (2, True)


@pytest.mark.parametrize("command", [["plan", "--offline"], ["run", "--yes"]])
def test_plan_and_run_tell_the_first_warnings_before_all_else(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    write(WARNINGS_SHOWN + 3)
    call([*command, "x.yaml"])
    lines = capsys.readouterr().err.splitlines()
    assert all(line.startswith(f"x.yaml:{n + 3}:22 warning: ") for n, line in enumerate(lines[:WARNINGS_SHOWN]))
    assert lines[WARNINGS_SHOWN] == "... and 3 more warnings; list them with: wanbatch validate x.yaml"


def test_quiet_commands_tell_no_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    write(1)
    assert (call(["-q", "plan", "--offline", "x.yaml"]), "warning" in capsys.readouterr().err) == (0, False)


def test_json_carries_warnings_and_problems(capsys: pytest.CaptureFixture[str]) -> None:
    write(1)
    told = []
    for arguments in (["validate", "x.yaml"], ["plan", "--offline", "x.yaml"], ["plan", "--strict", "x.yaml"]):
        code = call(["--json", *arguments])
        document = json.loads(capsys.readouterr().out)
        row = document[0] if isinstance(document, list) else document
        told.append((code, [len(row.get(name, ())) for name in ("problems", "warnings")], row["warning_count"]))
    assert told == [(0, [0, 1], 1), (0, [0, 1], 1), (2, [1, 0], 0)]


@pytest.mark.long
def test_a_run_as_json_tells_warnings_with_its_plan(capsys: pytest.CaptureFixture[str]) -> None:
    write(1)
    call(["--json", "run", "x.yaml", "--sandbox", "--speed", "600", "--yes", "--no-report"])
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    plan = next(each for each in events if each["event"] == "plan")
    assert ([each["line"] for each in plan["warnings"]], events[-1]["counts"]) == ([3], {"verified": 1})
