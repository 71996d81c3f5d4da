"""The screen: closed, broken, narrow, coloured, or in another encoding, it never costs a clip or a digit."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.cut.test_film import film
from tests.films import Reel
from tests.output_folders import make_room
from wanbatch import interrupts
from wanbatch.cli import Global, call
from wanbatch.cli.account import print_balance
from wanbatch.cli.grid import Grid, say
from wanbatch.cli.screen import Follower, can_redraw, console_of, print_counts
from wanbatch.cli.streams import Stream, ascii_json, encodable, json_text
from wanbatch.errors import fault_text
from wanbatch.state.reader import StateReader

STORY = "id,prompt,duration,resolution,scene\na,Tür → x,5,720p,one\nb,second,15,1080p,two\n"
QUICK = "id,prompt,model,resolution\na,Tür → x,alibaba/wan2.1-t2v-turbo,480P\nb,second,alibaba/wan2.1-t2v-turbo,480P\n"
QUIET = Global(is_json=False, verbosity=0, color="auto", env_file=None)


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    outside = (
        "FORCE_COLOR",
        "NO_COLOR",
        "COLUMNS",
        "AIMLAPI_API_KEY",
        "AIML_API_KEY",
        "AIMLAPI_KEY",
        "AIMLAPI_BASE_URL",
    )
    for name in outside:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    Path("small.csv").write_text(STORY, encoding="utf-8")
    Path("quick.csv").write_text(QUICK, encoding="utf-8")


# --- a stream that cannot be written to


class _Below(io.StringIO):
    """A stream that fails so after some letters."""

    encoding = "latin-1"

    def __init__(self, error: Exception, after: int = 0) -> None:
        super().__init__()
        self._error, self._left = error, after

    def write(self, text: str) -> int:
        self._left -= len(text)
        if self._left < 0:
            raise self._error
        return super().write(text)

    def fileno(self) -> int:
        raise io.UnsupportedOperation


@pytest.mark.parametrize(
    ("error", "is_gone"),
    [
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), True),
        (OSError(errno.EIO, "Input/output error"), True),
        (ValueError("I/O operation on closed file"), True),
        (OSError(errno.ENOSPC, "No space left on device"), False),
    ],
)
def test_a_stream_that_fails_is_silent_from_then_on(error: Exception, is_gone: bool) -> None:
    below = _Below(error, after=3)
    stream = Stream(below)
    told = [stream.write("abc"), stream.write("def"), stream.write("")]
    stream.flush()
    assert (told, below.getvalue(), stream.is_gone, stream.trouble is not None) == ([3, 3, 0], "abc", is_gone, True)


@pytest.mark.parametrize(
    ("text", "encoding", "wanted"),
    [
        ("a → b…", "latin-1", "a -> b..."),
        ("Tür", "latin-1", "Tür"),
        ("Tür – “x”", "ascii", 'Tur - "x"'),
        ("灯 🐈", "cp1252", "? ?"),
        ("━━", "ascii", "--"),
        ("d\udce9cor", "utf-8", "d?cor"),
        ("Tür", "no-such-encoding", "T?r"),
        ("→", "utf-8", "→"),
    ],
)
def test_letters_that_an_encoding_lacks_get_stand_ins(text: str, encoding: str, wanted: str) -> None:
    assert encodable(text, encoding) == wanted


@pytest.mark.parametrize(
    ("encoding", "wanted"), [("utf-8", '{"a": "Tür 🐈"}'), ("ascii", '{"a": "T\\u00fcr \\ud83d\\udc08"}')]
)
def test_json_stays_the_same_document_in_any_encoding(
    monkeypatch: pytest.MonkeyPatch, encoding: str, wanted: str
) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    text = json_text({"a": "Tür 🐈"})
    assert (text, json.loads(text), ascii_json(text)) == (wanted, {"a": "Tür 🐈"}, wanted)


# --- whole commands, with streams as supervisors, pipes and old servers leave them


def run(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script in which `wanbatch` is this program."""
    program = f'wanbatch() {{ "{sys.executable}" -m wanbatch "$@"; }}\n'
    around = {**os.environ, **environment}
    return subprocess.run(["bash", "-c", program + script], capture_output=True, text=True, check=False, timeout=90, env=around)  # fmt: skip


FULL = fault_text(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
PLAY = "run quick.csv --sandbox --speed 600 --yes -o o"


@pytest.mark.long
@pytest.mark.sampled(3)
@pytest.mark.parametrize("closed", ["<&- >&- 2>&-", "| true; exit ${PIPESTATUS[0]}", ">/dev/full"])
def test_a_run_goes_on_to_its_end_and_exit_code_whoever_listens(closed: str) -> None:
    done = run(f"wanbatch -v {PLAY} {closed}")
    with StateReader.open(Path("o")) as reader:
        reader.check()
        states = [take.state.value for take in reader.takes()]
    assert (done.returncode, states, Path("o/reports/takes.csv").is_file()) == (0, ["verified"] * 2, True), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.long
@pytest.mark.sampled(2)
@pytest.mark.parametrize("json", ["", "--json"])
def test_a_reader_that_leaves_early_does_not_change_the_exit_code_of_a_run(json: str) -> None:
    Path("faults.json").write_text('[{"on": "submit", "do": "fail", "prompt_contains": "second"}]')
    play = f"{PLAY} --no-report --max-attempts 1 --faults faults.json"
    done = run(f"set -o pipefail; wanbatch -v {json} {play} 2>&1 | head -n 1")
    assert (done.returncode, len(done.stdout.splitlines())) == (1, 1), done.stderr


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        ("schema | head -c 1 >/dev/null; exit ${PIPESTATUS[0]}", 0, ""),
        ("schema >&-", 0, ""),
        ("schema >/dev/full", 7, f"wanbatch: standard output: {FULL}\n"),
        ("nonsense 2>&-", 2, ""),
    ],
)  # fmt: skip
def test_a_short_command_ends_in_order_too(command: str, code: int, told: str) -> None:
    done = run(f"wanbatch {command}")
    assert (done.returncode, done.stderr) == (code, told)


@pytest.mark.long
@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252"])
def test_a_plan_is_told_in_the_encoding_of_the_terminal(encoding: str) -> None:
    done = run("wanbatch plan small.csv --sandbox --offline; wanbatch --json plan small.csv --sandbox --offline", PYTHONIOENCODING=encoding)  # fmt: skip
    lines = done.stdout.splitlines()
    assert (done.returncode, lines[0].startswith("small -> outputs/small"), json.loads(lines[-1])["batch"]) == (
        0, True, "small",
    ), done.stderr  # fmt: skip


@pytest.mark.long
def test_a_working_folder_whose_name_is_not_utf_8_works_wholly() -> None:
    Path(os.fsdecode(b"d\xe9cor")).mkdir()
    done = run(
        "cd d*; cp ../quick.csv .; wanbatch -q " + PLAY + " --no-report && wanbatch report o && wanbatch verify o"
    )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr


# --- signals


@pytest.mark.long
@pytest.mark.parametrize(
    ("ignored", "sent", "code", "verified"),
    [("HUP", signal.SIGHUP, 0, 2), ("INT", signal.SIGINT, 0, 2), ("", signal.SIGHUP, 130, 1)],
)
def test_a_signal_that_the_parent_ignores_stays_ignored(ignored: str, sent: int, code: int, verified: int) -> None:
    trap = f"trap '' {ignored};" if ignored else ""
    play = "run quick.csv --sandbox --speed 60 --yes -o o --in-flight 1 --no-report"
    command = ["bash", "-c", f'{trap} exec "{sys.executable}" -m wanbatch -q {play}']
    with Path("said").open("w") as said, subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said) as child:  # fmt: skip
        try:
            _until_one_is_out(child)
            child.send_signal(sent)
            child.send_signal(sent)
            done = child.wait(60)
        finally:
            child.kill()
    with StateReader.open(Path("o")) as reader:
        states = [take.state.value for take in reader.takes()]
    assert (done, states.count("verified")) == (code, verified), Path("said").read_text()


def _until_one_is_out(child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 40
    while not (Path("o/run.log").is_file() and '"accepted"' in Path("o/run.log").read_text()):
        assert child.poll() is None, Path("said").read_text()
        assert time.monotonic() < deadline, "nothing was accepted in 40 s"
        time.sleep(0.02)


def test_a_hang_up_that_is_told_twice_is_one() -> None:
    told: list[int] = []
    deed = interrupts.once(lambda: told.append(1))
    deed()
    deed()
    assert told == [1]


@pytest.mark.parametrize(
    ("before", "after"),
    [(signal.SIG_DFL, signal.default_int_handler), (signal.SIG_IGN, signal.SIG_IGN)],
)
def test_a_closed_terminal_ends_a_command_as_ctrl_c_does(before: Any, after: Any) -> None:
    kept = signal.signal(signal.SIGHUP, before)
    try:
        interrupts.hang_up_like_ctrl_c()
        assert signal.getsignal(signal.SIGHUP) is after
    finally:
        signal.signal(signal.SIGHUP, kept)


# --- colour


@pytest.mark.long
def test_colour_that_is_forced_into_a_file_moves_no_cursor() -> None:
    done = run(f"wanbatch {PLAY} >log 2>&1; COLUMNS=300 wanbatch status o --watch >>log", FORCE_COLOR="1", TERM="xterm")
    text = Path("log").read_text(encoding="utf-8")
    codes = set(re.findall(r"\x1b(?:\[[0-9;?]*)?([A-Za-z])", text))
    assert (done.returncode, codes, "\r" in text) == (0, {"m"}, False)


class _Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "color", "is_terminal", "wanted"),
    [
        ({}, "auto", True, (True, True)),
        ({}, "auto", False, (False, False)),
        ({"FORCE_COLOR": "1"}, "auto", False, (True, False)),
        ({"FORCE_COLOR": "0"}, "auto", True, (False, False)),
        ({"FORCE_COLOR": ""}, "auto", False, (False, False)),
        ({}, "always", False, (True, False)),
        ({}, "never", True, (False, False)),
        ({"NO_COLOR": "1"}, "auto", True, (False, True)),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, "auto", False, (False, False)),
        ({"NO_COLOR": "1"}, "always", False, (True, False)),
        ({"TERM": "dumb"}, "auto", True, (False, False)),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, "auto", False, (False, False)),
    ],
    ids=str,
)
def test_colour_and_redrawing_are_decided_apart(
    environment: Mapping[str, str],
    color: str,
    is_terminal: bool,
    wanted: tuple[bool, bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {"TERM": "xterm-256color", **environment}.items():
        monkeypatch.setenv(name, value)
    stream = _Terminal() if is_terminal else io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    console = console_of(Global(is_json=False, verbosity=0, color=color, env_file=None))
    console.print("x", style="red")
    assert ("\x1b[31m" in stream.getvalue(), can_redraw(console)) == wanted


# --- narrow screens

NUMBER = re.compile(r"\d[\d,.:]*\d|\d")
WIDTHS = (20, 40, 60, 80)
ASKING = ("plan", "reconcile")  # each call of these begins a sandbox


@pytest.mark.parametrize("width", WIDTHS)
def test_a_balance_stands_whole(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    stream = io.StringIO()
    print_balance(Console(file=stream, width=width, no_color=True), Decimal("1234567.89"), "https://api.example.com")
    assert NUMBER.findall(stream.getvalue()) == ["1,234,567.89", "2,469,135,780,000"]


def numbers_of(command: list[str], width: int, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(width))
    capsys.readouterr()
    call(command)
    told = capsys.readouterr()
    return sorted(set(NUMBER.findall(told.out + told.err)))


@pytest.mark.long
@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    "command",
    [["plan", "small.csv", "--sandbox"], ["status", "o"], ["reconcile", "o"],  ["cut", "o", "--reencode"]],
    ids=lambda words: words[0],
)  # fmt: skip
def test_each_number_of_a_wide_screen_stands_whole_on_a_narrow_one(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_room(Path("o"), film(("a", "s"), ("b", "s")), {"a_t1": Reel(1)}, failed=["b_t1"]).state.close()
    numbers_of(command, 200, monkeypatch, capsys)  # what the first call alone tells
    wide = numbers_of(command, 200, monkeypatch, capsys)
    widths = WIDTHS[:2] if command[0] in ASKING else WIDTHS
    narrow = {width: numbers_of(command, width, monkeypatch, capsys) for width in widths}
    lost = {width: sorted(set(wide) - set(found)) for width, found in narrow.items()}
    assert (bool(wide), lost) == (True, {width: [] for width in widths})


@pytest.mark.parametrize("width", [*WIDTHS, 200])
def test_a_run_that_is_watched_tells_its_money_whole(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from wanbatch.batch.progress import BatchProgress

    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    stream = _Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    counts = {"verified": 1234, "generating": 56, "planned": 78901}
    with Follower(QUIET) as follower:
        follower._start(lambda: BatchProgress(counts, 1_264_200_000, 0, 17, 90_061.0))
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())
    wanted = ["1234", "56", "78901", "632.10", "17"]
    assert [each for each in wanted if each not in NUMBER.findall(shown)] == []


@pytest.mark.parametrize("width", [1, 10, 20, 33, 40, 60, 80, 200])
def test_no_figure_of_a_grid_is_cut_and_what_fits_stays_inside(width: int) -> None:
    grid = Grid(("shot of many words", "takes", "credits\nworst", "USD", "price from"), left=(0, 4))
    grid.add("a long name of a scene", "1,234", "123,456,789,012", "61,728.39", "the list of 2026-03-01")
    grid.add("total", "1,234", "9", "0.01", "", style="bold")
    stream = io.StringIO()
    grid.show(Console(file=stream, width=width, no_color=True, soft_wrap=True))
    lines = stream.getvalue().splitlines()
    figures = ["1,234", "123,456,789,012", "61,728.39", "9", "0.01"]
    assert [each for each in figures if each not in NUMBER.findall(stream.getvalue())] == []
    assert width < 40 or max(len(line.rstrip()) for line in lines) <= width


def test_counts_stand_whole_in_twenty_columns() -> None:
    stream = io.StringIO()
    print_counts(Console(file=stream, width=20, no_color=True), {"superseded": 123_456, "verified": 7})
    assert stream.getvalue().split() == ["superseded", "123456", "verified", "7"]


def test_a_line_is_broken_between_words_and_never_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []
    for stream in (_Terminal(), io.StringIO()):
        say(
            Console(file=stream, width=24, no_color=True, force_terminal=False),
            "  charged [bold]6,300,000[/] credits (3.15 USD)",
        )
        shown.append(stream.getvalue())
    assert shown == ["  charged 6,300,000\n    credits (3.15 USD)\n", "  charged 6,300,000 credits (3.15 USD)\n"]
