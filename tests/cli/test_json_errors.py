"""With --json an error is one JSON document of one shape, whatever went wrong."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from wanbatch.cli import call
from wanbatch.cli.failures import failure_of

KEYS = ["event", "exit_code", "kind", "message", "problems", "warnings", "warning_count"]


def told_by(words: Sequence[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, object], str]:
    capsys.readouterr()
    code = call(["--json", *words])
    out, err = capsys.readouterr()
    return code, json.loads(out), err


@pytest.mark.parametrize(
    ("words", "code", "kind"),
    [
        (["status"], 2, "usage"),
        (["status", "nowhere"], 2, "usage"),
        (["status", "broken"], 7, "local_fault"),
        (["nonsense"], 2, "usage"),
        (["run"], 2, "usage"),
        (["run", "small.yaml", "--no-such-flag"], 2, "usage"),
        (["run", "small.yaml", "--max-usd", "much"], 2, "usage"),
        (["run", "missing.yaml"], 2, "usage"),
        (["plan", "bad.yaml"], 2, "usage"),
        (["--color", "pink", "status"], 2, "usage"),
        (["run", "small.yaml"], 2, "usage"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_an_error_is_one_document_of_one_shape(
    words: list[str], code: int, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("broken").mkdir()
    Path("broken/state.sqlite").write_text("no database " * 100)
    Path("bad.yaml").write_text("version: 1\nname: x\nshots:\n  - {id: a, prompt: x, duration: soon}\n")
    given, document, err = told_by(words, capsys)
    assert (given, list(document), document["event"], document["exit_code"], document["kind"], err) == (
        code, KEYS, "error", code, kind, "",
    ), document  # fmt: skip


def test_problems_of_a_manifest_stand_in_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert told_by(["diff", "missing.yaml"], capsys)[1]["message"] == "1 problem"
    _, document, _ = told_by(["run", "missing.yaml"], capsys)
    problem = {
        "file": "missing.yaml",
        "line": 0,
        "column": 0,
        "message": "there is no such file: check the name",
        "sheet": "",
    }
    assert (document["message"], document["problems"]) == ("1 problem; nothing was sent", [problem])


@pytest.mark.parametrize(
    ("error", "code"), [(KeyboardInterrupt(), 130), (OSError(28, "No space left on device", "/x"), 7)]
)
def test_an_interruption_and_a_refusal_of_the_machine_are_documents_too(error: BaseException, code: int) -> None:
    failure = failure_of(error, [])
    assert failure is not None
    assert (list(failure.document), failure.document["exit_code"]) == (KEYS, code)


def test_a_bug_in_wanbatch_is_no_failure_of_a_command() -> None:
    assert failure_of(RuntimeError("a bug"), []) is None


def test_json_after_the_command_says_where_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    code = call(["status", "--json"])
    document = json.loads(capsys.readouterr().out)
    assert (code, document["message"]) == (2, "write --json before the command: wanbatch --json status")
