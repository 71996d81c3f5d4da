"""Shell completion: the scripts, and what is completed after them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from tests.manifest.test_own_columns import planned
from wanbatch.cli import call, cli
from wanbatch.manifest import load_manifest

TABLE = "id,scene,prompt,tags,takes\nsc1_a,one,Snow,hero,2\nsc1_b,one,Ice,,1\nsc2_a,two,Fog,night,1\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("film.csv").write_text(TABLE)
    planned(Path("outputs/film"), load_manifest("film.csv"))


def completed(*words: str) -> list[str]:
    """Return what is completed for the last word."""
    found = ShellComplete(cli, {}, "wanbatch", "_WANBATCH_COMPLETE").get_completions(list(words[:-1]), words[-1])
    return [each.value for each in found]


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (("sta",), ["status"]),
        (("retake", "sc1"), ["sc1_a", "sc1_b"]),
        (("retake", "outputs/film", "sc2"), ["sc2_a"]),
        (("circle", "sc1_a:"), ["sc1_a:1", "sc1_a:2"]),
        (("status", "out"), ["outputs/film"]),
        (("report", "outputs/f"), ["outputs/film"]),
        (("plan", "film.csv", "--only", "scene:"), ["scene:one", "scene:two"]),
        (("plan", "film.csv", "--except", "tag:"), ["tag:hero", "tag:night"]),
        (("retry", "--only", "sc2"), ["sc2_a"]),
        (("plan", "none.csv", "--only", "sc"), []),
        (("completion", "f"), ["fish"]),
        (("plan", "film.csv", "--explain", "sc1"), ["sc1_a", "sc1_b"]),
        (("run", "film.csv", "--rename", "sc2"), ["sc2_a="]),
        (("run", "film.csv", "--rename", "old=sc2"), ["old=sc2_a"]),
        (("schema", "ma"), ["manifest", "map"]),
    ],
)
def test_names_are_completed(words: tuple[str, ...], values: list[str]) -> None:
    assert completed(*words) == values


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_is_printed_for_each_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert ("_WANBATCH_COMPLETE" in script, f"{shell}_complete" in script) == (True, True)
    assert call(["--json", "completion", shell]) == 0
    assert json.loads(capsys.readouterr().out)["shell"] == shell


@pytest.mark.long
@pytest.mark.sampled(4)
@pytest.mark.skipif(shutil.which("bash") is None, reason="this machine has no bash")
@pytest.mark.parametrize(
    ("words", "breaks", "completed"),
    [
        ("retake sc2", ":=", "sc2_a"),
        ("plan film.csv --only scene : t", ":=", "two"),
        ("plan film.csv --only scene :", ":=", "one two"),
        ("plan film.csv --only scene:t", "=", "scene:two"),
        ("plan film.csv --only = scene : t", ":=", "two"),
        ("run film.csv --rename old = sc2", ":=", "sc2_a"),
    ],
)
def test_bash_completes_with_the_script(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str, breaks: str, completed: str
) -> None:
    assert call(["completion", "bash"]) == 0
    (tmp_path / "script.sh").write_text(capsys.readouterr().out)
    (tmp_path / "wanbatch").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m wanbatch "$@"\n')
    (tmp_path / "wanbatch").chmod(0o755)
    asks = f"PATH=.:$PATH; . ./script.sh; COMP_WORDBREAKS='{breaks}'; COMP_WORDS=(wanbatch {words}); "
    asks += f"COMP_CWORD={len(words.split())}; _wanbatch_completion wanbatch; "
    ran = subprocess.run(
        ["bash", "-c", asks + 'echo "${COMPREPLY[@]}"'], capture_output=True, text=True, check=False, timeout=60
    )
    assert (ran.stdout, ran.stderr) == (f"{completed}\n", "")
