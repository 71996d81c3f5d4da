"""The command line: words, exit codes and files, as a script and a person meet them."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import RUN
from wanbatch.batch.lifecycle import State
from wanbatch.batch.plan import Plan
from wanbatch.cli import _COMMANDS, call
from wanbatch.clock import system_now
from wanbatch.errors import WanbatchError
from wanbatch.state.file import StateFile
from wanbatch.state.lock import holder_of
from wanbatch.state.reader import StateReader


def run(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run wanbatch in a process of its own."""
    command = [sys.executable, "-m", "wanbatch", *arguments]
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60, **more
    )


Inside = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def inside(capfd: pytest.CaptureFixture[str]) -> Inside:
    """The same as `run`, in this process."""

    def run_here(*arguments: str) -> subprocess.CompletedProcess[str]:
        capfd.readouterr()
        code = call(list(arguments))
        told = capfd.readouterr()
        return subprocess.CompletedProcess(arguments, code, told.out, told.err)

    return run_here


@pytest.mark.parametrize(
    "command", [(), *((name,) for name in _COMMANDS)], ids=lambda command: "-".join(command) or "top"
)
def test_every_command_has_help_with_an_example(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    code = call([*command, "--help"])
    told = capsys.readouterr().out
    assert (code, "Example" in told, "wanbatch" in told) == (0, True, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["run"],
        ["run", "small.yaml", "--limit", "0"],
        ["run", "small.yaml", "--max-usd", "lots"],
        ["run", "small.yaml", "--max-usd", "1", "--max-credits", "5"],
        ["run", "small.yaml", "--submit-rate", "fast"],
        ["run", "small.yaml", "--speed", "5"],
        ["run", "small.yaml", "--faults", "flaky"],
        ["run", "small.yaml", "--sandbox", "--speed", "0"],
        ["run", "small.yaml"],
        ["run", "missing.yaml", "--sandbox"],
        ["status"],
        ["status", "nowhere"],
        ["report", "nowhere"],
        ["open", "nowhere"],
        ["verify", "nowhere"],
        ["retry", "nowhere"],
        ["schema", "nonsense"],
        ["sandbox", "--host", "0.0.0.0"],
        ["sandbox", "--host", "example.org"],
        ["sandbox", "--faults", "nonsense"],
        ["run", "small.yaml", "--sandbox", "--yes", "--faults", "nonsense"],
        ["run", "small.yaml", "--sandbox", "--yes", "--faults", "small.yaml"],
        ["--env-file", "nowhere.env", "plan", "small.yaml"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_exit_2_and_never_a_traceback(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code = call(arguments)
    told = capsys.readouterr()
    assert (code, "Traceback" in told.err + told.out, bool(told.err + told.out)) == (2, False, True)


def test_validate_tells_every_problem_with_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.yaml").write_text("version: 1\nshots:\n  - id: a\n    prompt: x\n    duration: 7\n")
    code = call(["validate", "small.yaml", "bad.yaml"])
    told = capsys.readouterr().out.splitlines()
    assert (code, told) == (
        2,
        [
            "small.yaml: 2 shots, 2 takes, no problems",
            "bad.yaml:5:15 duration is 7; alibaba/wan-2-6-t2v accepts 5, 10 or 15",
        ],
    )


def test_validate_as_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    call(["--json", "validate", "small.yaml", "nowhere.yaml"])
    rows = json.loads(capsys.readouterr().out)
    assert [(row["valid"], len(row["problems"])) for row in rows] == [(True, 0), (False, 1)]


def test_a_plan_offline_says_what_is_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["--json", "plan", "small.yaml", "--offline"]) == 0
    plan = json.loads(capsys.readouterr().out)
    unknown = {"low": None, "credits": None, "worst": None, "takes": 2, "unpriced_takes": 2}
    known = {"low": 0, "credits": 0, "worst": 0}
    assert (plan["counts"], plan["estimate"]) == (
        {"new": 2},
        {**unknown, "known": known, "usd": dict.fromkeys(known)},
    )
    assert not Path("outputs").exists()


def test_a_run_without_a_key_says_how_to_set_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["run", "small.yaml", "--yes"]) == 2
    told = capsys.readouterr().err
    assert "AIMLAPI_API_KEY" in told
    assert "--sandbox" in told


def test_the_whole_way_on_the_embedded_sandbox(inside: Inside) -> None:
    first = run(*RUN)
    assert first.returncode == 0, first.stderr
    assert "2 verified" in first.stdout
    again = inside(*RUN)
    assert (again.returncode, "wanbatch sent no request" in again.stderr) == (0, True)
    status = json.loads(inside("--json", "status").stdout)
    assert (status["counts"], status["running"], status["problems"]) == ({"verified": 2}, False, [])
    whole = {"last_run_estimated": 756_000, "committed": 756_000, "charged": 756_000, "cap": None}
    assert status["credits"] == {**whole, "committed_known": 756_000, "charged_known": 756_000}
    out = Path("outputs/small")
    listed = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    wanted = {
        "state.sqlite", "run.log", "storyboard.html", "clips/a_t1.mp4", "clips/a_t1.json", "posters/a_t1.jpg",
        "reports/takes.csv", "reports/attempts.csv", "reports/summary.csv", "reports/summary.json", "reports/report.html",
    }  # fmt: skip
    assert wanted <= listed
    assert oct((out / "state.sqlite").stat().st_mode)[-3:] == "600"
    for line in (out / "run.log").read_text().splitlines():
        json.loads(line)
    clip = out / "clips" / "a_t1.mp4"
    clip.unlink()
    assert inside("verify").returncode == 1
    fetched = run("verify", "--fetch")
    assert (fetched.returncode, clip.exists()) == (0, True), fetched.stderr
    before = (out / "reports" / "takes.csv").read_bytes()
    assert inside("report").returncode == 0
    assert (out / "reports" / "takes.csv").read_bytes() == before
    opened = inside("--json", "open")
    assert Path(json.loads(opened.stdout)["page"]).name == "storyboard.html"


@pytest.mark.long
def test_json_of_a_run_is_json_lines_and_nothing_else(inside: Inside) -> None:
    done = inside("--json", *RUN)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert (events[0]["event"], events[-1]["event"], events[-1]["exit_code"]) == ("plan", "end", 0)
    assert {"submit_started", "accepted", "verified"} <= {event["event"] for event in events}


@pytest.mark.long
def test_a_clip_to_look_at_is_told_on_the_screen_and_in_every_file_about_it(inside: Inside) -> None:
    Path("faults.json").write_text('[{"on": "clip", "do": "black", "prompt_contains": "second"}]')
    done = inside(*RUN, "--faults", "faults.json")
    assert (done.returncode, "  look at b_t1: the picture is black\n" in done.stdout) == (0, True), done.stderr
    assert "look at a_t1" not in done.stdout
    out = Path("outputs/small")
    for file in ("clips/b_t1.json", "reports/takes.csv", "reports/report.html", "storyboard.html"):
        assert "the picture is black" in (out / file).read_text(), file


@pytest.mark.long
def test_failed_takes_are_run_again_by_retry(inside: Inside) -> None:
    Path("faults.json").write_text('[{"on": "submit", "do": "fail", "nth": [1], "message": "policy violation"}]')
    first = inside(*RUN, "--faults", "faults.json")
    assert (first.returncode, "policy violation" in first.stdout) == (1, True), first.stderr
    same = inside(*RUN)
    assert same.returncode == 1
    other = inside("retry", "--reason", "something else")
    assert (other.returncode, "no failed take matches --only, --except and --reason" in other.stderr) == (1, True)
    again = inside("retry", "--speed", "300", "--yes")
    assert (again.returncode, "2 verified" in again.stdout) == (0, True), again.stderr


@pytest.mark.long
@pytest.mark.sampled(2)
@pytest.mark.parametrize("word", ["omitted", "removed"])
def test_retry_leaves_out_what_the_manifest_no_longer_asks_for(inside: Inside, word: str) -> None:
    Path("faults.json").write_text('[{"on": "submit", "do": "fail", "nth": [1, 2], "message": "policy violation"}]')
    first = inside(*RUN, "--faults", "faults.json")
    assert first.returncode == 1, first.stderr
    with StateReader.open(Path("outputs/small")) as reader:
        shots, identity = reader.shots(), reader.identity()
    with StateFile.create_or_open(Path("outputs/small"), identity) as state:
        gone = replace(shots[0], wanted=0, omit=word == "omitted", removed=word == "removed")
        state.adopt(Plan((gone, *shots[1:]), (), (), kept=(), omitted=0, removed=0), system_now())
    again = inside("retry", "--speed", "300", "--yes")
    told = " ".join(again.stderr.split())
    assert "not tried again, because the manifest no longer asks for them: a_t1" in told
    with StateReader.open(Path("outputs/small")) as reader:
        assert [(take.label, take.state.value) for take in reader.takes()] == [("a_t1", "failed"), ("b_t1", "verified")]


def test_a_retry_says_that_no_take_has_failed(inside: Inside, left_by: Callable[..., int]) -> None:
    assert left_by("a whole run") == 0
    again = inside("retry", "--yes", "--speed", "300")
    assert (again.returncode, "no take has failed: there is nothing to try again" in again.stderr) == (0, True)


def test_a_plan_says_once_that_an_earlier_cap_holds(inside: Inside, left_by: Callable[..., int]) -> None:
    assert left_by("a whole run with a cap", "--max-usd", "40") == 0
    plan = inside("plan", "small.yaml", "--sandbox")
    assert (plan.returncode, plan.stderr.count("the cap of an earlier run, ")) == (0, 1)


def test_a_sandbox_batch_cannot_go_on_with_the_paid_provider(
    inside: Inside, left_by: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert left_by("a whole run") == 0
    monkeypatch.setenv("AIMLAPI_API_KEY", "made-up")
    paid = inside("run", "small.yaml", "--yes")
    assert (paid.returncode, "sandbox" in paid.stderr) == (7, True)


def test_clips_without_a_state_file_are_not_bought_again(inside: Inside, left_by: Callable[..., int]) -> None:
    assert left_by("a whole run") == 0
    for path in Path("outputs/small").glob("state.sqlite*"):
        path.unlink()
    refused = inside(*RUN)
    assert (refused.returncode, "--fresh" in refused.stderr) == (7, True)


@pytest.mark.long
def test_a_damaged_state_file_is_refused_and_nothing_is_sent(inside: Inside, left_by: Callable[..., int]) -> None:
    assert left_by("a whole run") == 0
    path = Path("outputs/small/state.sqlite")
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 3 : len(raw) // 3 * 2] = bytes(len(raw) // 3)
    path.write_bytes(raw)
    for command in (("run", "small.yaml", "--sandbox"), ("status",), ("report",), ("verify",)):
        done = inside(*command)
        assert (done.returncode, "Traceback" in done.stderr) == (7, False), (command, done.stderr)


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run wanbatch beside the test; what it says is shown where it ends too early, and it never outlives the test."""
    command = [sys.executable, "-m", "wanbatch", "-q", *arguments]
    with Path("said.txt").open("w") as said:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, text=True)
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def until(child: subprocess.Popen[str], is_so: Callable[[], bool]) -> None:
    """Wait for something that a running wanbatch does; fails with its words where it ends first, or takes too long."""
    deadline = time.monotonic() + 30
    while not is_so():
        assert child.poll() is None, Path("said.txt").read_text()
        assert time.monotonic() < deadline, "nothing happened in 30 s"
        time.sleep(0.02)


@pytest.mark.long
def test_a_second_run_is_told_who_holds_the_folder(inside: Inside) -> None:
    with started("run", "small.yaml", "--sandbox", "--speed", "1") as first:
        until(first, lambda: holder_of(Path("outputs/small")) != "")  # its file is there before its text
        second = inside("run", "small.yaml", "--sandbox")
    assert (second.returncode, f"process {first.pid}" in second.stderr) == (6, True)


@pytest.mark.long
@pytest.mark.sampled(3)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_stopped_run_is_resumed_by_the_same_command(inside: Inside, number: int, code: int) -> None:
    with started("run", "small.yaml", "--sandbox", "--speed", "20", "--submit-rate", "6/min") as first:
        until(first, _accepted)
        first.send_signal(number)
        assert first.wait(60) == code
    done = inside(*RUN)
    with StateReader.open(Path("outputs/small")) as reader:
        states = [take.state for take in reader.takes()]
    assert (done.returncode, states) == (0, [State.VERIFIED, State.VERIFIED]), done.stderr


def _accepted() -> bool:
    try:
        with StateReader.open(Path("outputs/small")) as reader:
            return any(take.state not in (State.PLANNED, State.SUBMITTING) for take in reader.takes())
    except WanbatchError:  # not begun yet
        return False


HELD = ("--on-unknown", "hold")
LOST = {"on": "submit", "nth": [2]}


@pytest.mark.long
def test_a_held_take_is_resolved_by_the_users_word(inside: Inside, left_by: Callable[..., int]) -> None:
    assert left_by("a lost submit", *HELD, fault={**LOST, "do": "drop_before"}) == 3
    looked = inside("reconcile")
    assert (looked.returncode, "b_t1" in looked.stdout) == (3, True), looked.stderr
    wrong = [inside("resolve", "b_t1"), inside("resolve", "x_t1", "--abandon"), inside("resolve", "a_t1", "--abandon"),
             inside("resolve", "b_t1", "--resubmit"), inside("resolve", "b_t1", "--adopt", "nobody-knows-it"),
             inside("resolve", "1", "2", "3", "--abandon")]  # fmt: skip
    assert [each.returncode for each in wrong] == [2] * 6, [each.stderr for each in wrong]
    assert "--yes" in wrong[3].stderr
    unasked = inside("resolve", "b_t1", "--abandon")  # it may give up a clip that was paid for
    assert (unasked.returncode, "add --yes" in unasked.stderr) == (2, True)
    done = inside("--json", "resolve", "outputs/small", "b_t1", "--resubmit", "--yes")
    assert (done.returncode, json.loads(done.stdout)["state"]) == (0, "planned"), done.stderr
    assert inside(*RUN).returncode == 0
    assert inside("reconcile").returncode == 0


@pytest.mark.long
def test_a_generation_that_the_user_names_is_adopted_and_fetched(inside: Inside, left_by: Callable[..., int]) -> None:
    assert left_by("a lost answer", *HELD, fault={**LOST, "do": "drop_after"}) == 3
    with closing(sqlite3.connect("outputs/small/.sandbox/account.sqlite")) as books:
        ids = [row[0] for row in books.execute("SELECT inference_id FROM requests ORDER BY seq")]
    taken = inside("resolve", "b_t1", "--adopt", ids[0])
    assert (taken.returncode, "a_t1" in taken.stderr) == (2, True)
    done = inside("resolve", "b_t1", "--adopt", ids[1])
    assert (done.returncode, "queued" in done.stdout) == (0, True), done.stderr
    assert inside(*RUN).returncode == 0
    with StateReader.open(Path("outputs/small")) as reader:
        assert [take.generation_id for take in reader.takes()] == ids


@pytest.mark.long
def test_reconcile_finds_what_was_lost(inside: Inside, left_by: Callable[..., int]) -> None:
    assert left_by("a lost answer", *HELD, fault={**LOST, "do": "drop_after"}) == 3
    time.sleep(0.5)  # by then its row is in the sandbox's log: 150 s have passed there
    told = json.loads(inside("--json", "reconcile").stdout)
    assert (told["adopted"], told["open"]) == (["b_t1"], [])


@pytest.mark.long
def test_a_take_that_is_given_up_is_failed_and_its_cost_still_counts(
    inside: Inside, left_by: Callable[..., int]
) -> None:
    assert left_by("a lost submit", *HELD, fault={**LOST, "do": "drop_before"}) == 3
    done = inside("resolve", "b_t1", "--abandon", "--yes")
    assert (done.returncode, "b_t1 now counts as failed; run the manifest again" in done.stdout) == (0, True)
    told = json.loads(inside("--json", "status").stdout)
    credit_counts = told["credits"]
    assert (told["counts"], credit_counts["committed"] > credit_counts["charged_known"]) == (
        {"verified": 1, "failed": 1}, True,
    )  # fmt: skip
    assert (credit_counts["charged"], told["charges_not_seen"]) == (None, 1)  # what was given up may still be charged


def test_doctor_finds_this_machine_fit(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["--json", "doctor", "--offline"]) == 0
    findings = json.loads(capsys.readouterr().out)
    assert {finding["verdict"] for finding in findings} <= {"ok", "note"}


def test_a_key_is_never_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    canary = "canary-key-0123456789"
    monkeypatch.setenv("AIMLAPI_API_KEY", canary)
    monkeypatch.setenv("AIMLAPI_BASE_URL", "http://127.0.0.1:9")
    codes = [
        call(["doctor"]),
        call(["plan", "small.yaml", "--offline"]),
        call(["run", "small.yaml", "--yes", "--speed", "300"]),
    ]
    told = capsys.readouterr()
    files = [path.read_bytes() for path in Path().rglob("*") if path.is_file()]
    assert codes == [7, 0, 8]
    assert canary not in told.out + told.err
    assert not any(canary.encode() in data for data in files)


def test_a_closed_pipe_ends_quietly() -> None:
    code = f"{sys.executable} -m wanbatch schema | head -c 10; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
