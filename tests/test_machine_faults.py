"""What this machine refuses: in every command one line that names the file and what to do, and exit code 7."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cut.test_film import film
from tests.films import Reel
from tests.output_folders import make_room
from wanbatch.cli import _COMMANDS, call
from wanbatch.disk import replacing
from wanbatch.errors import ExitCode, ProgramFault, fault_text
from wanbatch.runner.end_code import RunEnd, without_reports

KINDS = (
    errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EMFILE, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP,
)  # fmt: skip
STORY = "id,prompt,model,resolution\na,first,alibaba/wan2.1-t2v-turbo,480P\n"
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@pytest.fixture(autouse=True)
def room(near: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in ("AIMLAPI_API_KEY", "AIML_API_KEY", "AIMLAPI_KEY", "AIMLAPI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Path("small.csv").write_text(STORY)
    make_room(Path("o"), film(("a", "s"), ("b", "s")), {"a_t1": Reel(1)}, failed=["b_t1"]).state.close()
    return tmp_path


@contextmanager
def failing(number: int, *, reading: bool = False) -> Iterator[None]:
    """Let no file of the working folder be opened for writing (or at all)."""
    real_open, real_os_open = io.open, os.open

    def is_here(path: Any) -> bool:
        return isinstance(path, str | os.PathLike) and Path(path).absolute().is_relative_to(Path.cwd())

    def refuse(path: Any) -> None:
        raise OSError(number, os.strerror(number), os.fspath(path))

    def open_(path: Any, mode: str = "r", *rest: Any, **more: Any) -> Any:
        if is_here(path) and (reading or set(mode) & set("wxa+")):
            refuse(path)
        return real_open(path, mode, *rest, **more)

    def os_open(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if (is_here(path) or more.get("dir_fd") is not None) and (reading or flags & _WRITING):
            refuse(path)
        return real_os_open(path, flags, *rest, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(io, "open", open_)
        patch.setattr(os, "open", os_open)
        yield


WRITING = {
    "init": ["init", "film"],
    "run": ["run", "small.csv", "--sandbox", "-o", "new"],
    "retry": ["retry", "o", "--yes"],
    "retake": ["retake", "o", "a", "--later"],
    "circle": ["circle", "o", "a", "1"],
    "cut": ["cut", "o", "--reencode"],
    "extract": ["extract", "o", "a"],
    "export": ["export", "o", "--format", "otio"],
    "reconcile": ["reconcile", "o"],
    "resolve": ["resolve", "o", "b_t1", "--abandon"],
    "report": ["report", "o"],
    "preview": ["preview", "small.csv", "--once"],
    "convert": ["convert", "small.csv", "small.yaml"],
}
READING = {
    "plan": ["plan", "small.csv", "--sandbox", "--offline"],
    "verify": ["verify", "o"],
    "recover": ["recover", "small.csv", "-o", "o", "--yes"],
}


def one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, int, bool]:
    capsys.readouterr()
    code = call(arguments)
    lines = capsys.readouterr().err.splitlines()
    return code, len(lines), all(line.startswith("wanbatch: ") for line in lines)


@pytest.mark.sampled(5)
@pytest.mark.parametrize("number", KINDS, ids=errno.errorcode.get)
@pytest.mark.parametrize("command", WRITING)
def test_a_file_that_cannot_be_written_is_one_line(
    command: str, number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with failing(number):
        assert one_line(WRITING[command], capsys) == (7, 1, True)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EMFILE, errno.EIO, errno.ELOOP], ids=errno.errorcode.get)
@pytest.mark.parametrize("command", READING)
def test_a_file_that_cannot_be_read_is_one_line(command: str, number: int, capsys: pytest.CaptureFixture[str]) -> None:
    Path(".env").write_text("AIMLAPI_API_KEY=x\n")
    with failing(number, reading=True):
        code, lines, _ = one_line(READING[command], capsys)
    assert (code, lines) == (7, 1)


def test_every_command_that_writes_or_reads_is_tried() -> None:
    asks_or_serves = {"validate", "demo", "balance", "sandbox", "models", "schema", "doctor", "status", "open", "why"}
    asks_or_serves |= {"diff", "completion"}
    assert {*WRITING, *READING, *asks_or_serves} == {*_COMMANDS}


def in_the_way(path: str, make: Callable[[Path], Any]) -> None:
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    make(target)


@pytest.mark.parametrize(
    ("arguments", "path", "make"),
    [
        (["report", "o"], "o/reports", lambda path: path.write_text("")),
        (["report", "o"], "o/reports/summary.json", Path.mkdir),
        (["report", "o", "--combined"], "outputs", lambda path: path.write_text("")),
        (["circle", "o", "a", "1"], "o/.lock.holder", Path.mkdir),
        (["retake", "o", "a", "--later"], "o/.lock.holder", Path.mkdir),
        (["run", "small.csv", "--sandbox", "-o", "file/new"], "file", lambda path: path.write_text("")),
        (["export", "o", "--format", "otio"], "o/edit", lambda path: path.write_text("")),
        (["cut", "o", "--reencode", "-o", "file/x.mp4"], "file", lambda path: path.write_text("")),
        (["init", "file/film"], "file", lambda path: path.write_text("")),
        (["init", "x" * 300], "unused", lambda path: None),
        (["report", "o/loop/x"], "o/loop", lambda path: path.symlink_to("loop")),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_what_stands_in_the_way_is_one_line(
    arguments: list[str], path: str, make: Callable[[Path], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    in_the_way(path, make)
    code, lines, is_ours = one_line(arguments, capsys)
    assert (code in (2, 7), lines, is_ours) == (True, 1, True)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "o/reports/takes.csv"), "o/reports/takes.csv: No space left"),
        (TypeError("concat() got an unexpected\nkeyword"), "TypeError: concat() got an unexpected keyword"),
        (ImportError("no pandas here"), "ImportError: no pandas here"),
        (ProgramFault("reading a clip failed in PyAV"), "reading a clip failed in PyAV"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_a_run_whose_reports_cannot_be_written_still_tells_how_it_ended(
    error: Exception, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("wanbatch.reporting.files.write_reports", fail)
    code = call(["run", "small.csv", "--sandbox", "--speed", "600", "--yes", "-o", "new"])
    lines = capsys.readouterr().out.splitlines()
    assert (code, "1 verified" in lines, any("charged" in line for line in lines)) == (7, True, True)
    [line] = [line for line in lines if "could not write the reports" in line]
    assert f": {told}" in line
    assert "`wanbatch report new`" in line


@pytest.mark.parametrize("code", ExitCode)
def test_reports_that_fail_change_no_exit_code_that_tells_of_takes_or_money(code: ExitCode) -> None:
    end = without_reports(RunEnd(code, ("before",)), TypeError("x"))
    assert (end.exit_code, end.messages[0], len(end.messages)) == (code or ExitCode.LOCAL_FAULT, "before", 2)


@pytest.mark.parametrize("number", sorted({*KINDS, errno.EIO, errno.ENOENT, errno.EDQUOT}), ids=errno.errorcode.get)
def test_each_refusal_says_what_to_do(number: int) -> None:
    told = fault_text(OSError(number, os.strerror(number), "a/b.csv"))
    assert told.startswith(f"a/b.csv: {os.strerror(number)}. ")
    assert len(told) > len(f"a/b.csv: {os.strerror(number)}. ")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError("odd"), "odd"),
        (OSError(), "OSError"),
        (OSError(errno.EXDEV, "Invalid cross-device link", "a", None, "b"), "a and b: Invalid cross-device link"),
        (OSError(4711, "two\nlines"), "two lines"),
        (OSError(errno.EBADF, "Bad file descriptor", 7), "Bad file descriptor"),
    ],
)
def test_an_odd_refusal_is_one_line_too(error: OSError, told: str) -> None:
    assert fault_text(error) == told


def test_a_full_disk_is_told_with_the_file_that_was_written(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left") as caught, replacing(tmp_path / "x.csv"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert (caught.value.filename, list(tmp_path.glob(".*.part"))) == (str(tmp_path / "x.csv"), [])


# --- names that are not text


@pytest.mark.parametrize("command", ["run", "plan", "validate", "report", "status", "cut", "init"])
def test_a_name_that_is_not_utf_8_is_refused_before_anything_is_sent(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name = os.fsdecode(b"d\xe9cor")
    arguments = [command, "small.csv", "--sandbox", "-o", name] if command in ("run", "plan") else [command, name]
    code = call(arguments)
    told = capsys.readouterr()
    assert (code, told.out, told.err.count("\n"), "'d\\xe9cor' is not valid UTF-8" in told.err) == (2, "", 1, True)
    assert not Path(name).exists()


def test_an_output_folder_that_is_reached_by_another_name_is_refused_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / os.fsdecode(b"d\xe9cor")).mkdir()
    monkeypatch.chdir(tmp_path / os.fsdecode(b"d\xe9cor"))
    code = call(["run", str(tmp_path / "small.csv"), "--sandbox", "--yes", "-o", "."])
    told = capsys.readouterr().err
    assert (code, told.count("\n"), "Nothing was sent" in told, Path("state.sqlite").exists()) == (2, 1, True, False)
    make_room(tmp_path / "p", film(("a", "s")), {}).state.close()
    (tmp_path / "p").rename(tmp_path / os.fsdecode(b"d\xe9j\xe0"))
    monkeypatch.chdir(tmp_path / os.fsdecode(b"d\xe9j\xe0"))
    assert (call(["report", "."]), capsys.readouterr().err.count("\n")) == (2, 1)


# --- the .env file


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ("AIMLAPI_API_KEY=x\n".encode("utf-16"), "is encoded as UTF-16"),
        ("AIMLAPI_API_KEY=x\n".encode("utf-16-le"), "is encoded as UTF-16"),
        ("A=1\nAIMLAPI_API_KEY=schlüssel\n".encode("latin-1"), "not valid UTF-8 (line 2)"),
    ],
)
def test_the_encoding_of_an_env_file_is_named(raw: bytes, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(".env").write_bytes(raw)
    assert call(["run", "small.csv", "--yes"]) == 2
    err = capsys.readouterr().err
    assert (told in err, err.count("\n"), "schl" in err) == (True, 1, False)


def test_a_byte_order_mark_is_no_part_of_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    Path(".env").write_bytes(b"\xef\xbb\xbfAIMLAPI_API_KEY=x\n")
    call(["doctor", "--offline"])
    assert "a key from AIMLAPI_API_KEY in" in capsys.readouterr().out
