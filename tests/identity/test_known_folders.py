"""Output folders of one manifest that are not beside each other: they are listed, and asked about."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.identity.folders import RIDGE, SANDBOX, Tell, bought, provider_name, write
from tests.reporting.states import BEGIN
from wanbatch.batch.lifecycle import State
from wanbatch.session import embedded, known_folders
from wanbatch.session.execution import Job
from wanbatch.session.known_folders import FOLDERS_KEPT, LIST_NAME, MANIFESTS_KEPT, KnownFolders, with_folder
from wanbatch.state.file import StateFile
from wanbatch.state.reader import StateReader

pytestmark = pytest.mark.usefixtures("no_settings_from_outside")
ADDRESS = "https://api.example.com/v2"


@pytest.fixture(autouse=True)
def cache(no_settings_from_outside: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("AIMLAPI_API_KEY", "made-up")
    return tmp_path / "cache" / "wanbatch"


def run_before(manifest: Path, output: Path) -> None:
    """Make the folder that a run leaves, and list it as a run does."""
    bought(manifest, output, is_paid=True)
    with StateReader.open(output) as reader:
        identity = reader.identity()
    state = StateFile.create_or_open(output, identity)
    Job(source=str(manifest)).write(state, BEGIN)
    state.close()


@pytest.mark.parametrize("command", [("plan", "--offline"), ("run", "--yes")])
def test_a_manifest_that_is_run_in_another_working_folder_is_asked_about(
    command: tuple[str, str], say: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("ridge.csv", RIDGE)
    for name in ("x", "y"):
        Path(name).mkdir()
    monkeypatch.chdir("x")
    run_before(Path("../ridge.csv"), Path("outputs/ridge"))
    monkeypatch.chdir("../y")
    code, told = say(command[0], "../ridge.csv", command[1])
    assert (code, "3 of the takes to buy here already exist in ../x/outputs/ridge:" in told) == (2, True)
    assert "wanbatch run ../ridge.csv -o ../x/outputs/ridge --same-batch" in told
    assert "wanbatch run ../ridge.csv --buy-again" in told
    assert not Path("outputs").exists()
    assert say("plan", "../ridge.csv", "--offline", "--buy-again")[0] == 0
    assert say("plan", "../ridge.csv", "--offline", "-o", "../x/outputs/ridge")[0] == 0  # its own folder


def test_a_manifest_that_was_run_with_another_output_is_asked_about(say: Tell) -> None:
    run_before(write("ridge.csv", RIDGE), Path("out"))
    code, told = say("run", "ridge.csv", "--yes")
    assert (code, "3 of the takes to buy here already exist in out:" in told) == (2, True)
    assert "wanbatch run ridge.csv -o out --same-batch" in told


def test_a_run_lists_its_folder(say: Tell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write("film.csv", "id,prompt,model,resolution\na,Snow,alibaba/wan2.1-t2v-turbo,480P\n")
    Path("account").mkdir()
    with embedded.embedded_sandbox(tmp_path / "account", 600.0, ()) as url:
        monkeypatch.setenv("AIMLAPI_BASE_URL", url)
        run = ("run", "film.csv", "--yes", "--speed", "600", "--no-report")
        assert say(*run, "-o", "one/out")[0] == 0
        code, told = say(*run)
        assert (code, "1 of the takes to buy here already exists in one/out:" in told) == (2, True)
        assert say(*run, "--buy-again")[0] == 0
        assert [say(*run)[0], say(*run, "-o", "one/out")[0]] == [0, 0]  # nothing is left to be bought
    [folders] = json.loads((tmp_path / "cache/wanbatch" / LIST_NAME).read_text()).values()
    assert folders == [str(tmp_path / "one/out"), str(tmp_path / "outputs/film")]


def test_a_take_left_in_one_folder_that_was_bought_in_another_is_asked_about(
    say: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("ridge.csv", RIDGE)
    bought(path, Path("outputs/ridge"), is_paid=True, state=State.FAILED)
    with StateReader.open(Path("outputs/ridge")) as reader:
        identity = reader.identity()
    state = StateFile.create_or_open(Path("outputs/ridge"), identity)
    Job(source="ridge.csv", command="wanbatch run ridge.csv").write(state, BEGIN)
    state.close()
    run_before(path, Path("far/out"))
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")  # the command was given in another folder, which the state file remembers
    code, told = say("retry", "../outputs/ridge", "--yes")
    assert (code, "may buy already exist in ../far/out:" in told) == (2, True)


def test_what_was_run_on_the_sandbox_or_with_another_provider_tells_nothing(say: Tell, cache: Path) -> None:
    write("ridge.csv", "id,prompt,model,resolution\na,Snow,alibaba/wan2.1-t2v-turbo,480P\n")
    assert say("run", "ridge.csv", *SANDBOX, "-o", "far/out")[0] == 0
    assert not (cache / LIST_NAME).exists()
    KnownFolders().note("ridge.csv", ADDRESS, Path("out"))
    assert (KnownFolders().of("ridge.csv", provider_name()), len(KnownFolders().of("ridge.csv", ADDRESS))) == ([], 1)


def test_folders_that_are_gone_or_cannot_be_read_do_not_stop_a_plan(say: Tell) -> None:
    path = write("ridge.csv", RIDGE)
    run_before(path, Path("out"))
    Path("out").rename("moved")
    assert say("plan", "ridge.csv", "--offline")[0] == 0
    Path("out").mkdir()
    Path("out/state.sqlite").write_bytes(b"no database at all, but long enough to look at")
    code, told = say("plan", "ridge.csv", "--offline")
    assert (code, "wanbatch could not look into 1 other output folder for takes" in told) == (0, True)


def test_the_list_is_private_and_has_real_paths_the_newest_first(tmp_path: Path, cache: Path) -> None:
    path = write("ridge.csv", RIDGE)
    Path("link.csv").symlink_to(path)
    known = KnownFolders()
    for name in ("one", "two", "one"):
        known.note("link.csv", ADDRESS, Path(name))
    assert known.of(str(path), ADDRESS) == [tmp_path / "one", tmp_path / "two"]
    assert (cache / LIST_NAME).stat().st_mode & 0o777 == 0o600
    known.note("", ADDRESS, Path("three"))  # the batch of a program
    assert (known.of("", ADDRESS), len(json.loads((cache / LIST_NAME).read_text()))) == ([], 1)


def test_the_oldest_are_dropped() -> None:
    rows: dict[str, Any] = {}
    for number in range(MANIFESTS_KEPT + 5):
        rows = with_folder(rows, f"m{number}", "/a")
    for number in range(FOLDERS_KEPT + 5):
        rows = with_folder(rows, "m20", f"/{number}")
    assert (len(rows), "m4" in rows, "m5" in rows, next(iter(rows))) == (MANIFESTS_KEPT, False, True, "m20")
    assert (len(rows["m20"]), rows["m20"][0]) == (FOLDERS_KEPT, f"/{FOLDERS_KEPT + 4}")


@pytest.mark.parametrize(
    "make",
    [
        lambda path, key: path.write_bytes(b"\xff\xfe not json"),
        lambda path, key: path.write_text("[" * 100_000),
        lambda path, key: path.write_text("[1, 2]"),
        lambda path, key: path.write_text(json.dumps({key: {"a": 1}})),
        lambda path, key: path.write_text(json.dumps({key: "out", "other": None})),
        lambda path, key: path.write_text(
            json.dumps({key: [None, 7, "outputs/x", "/a\0b", "/a\udce9", "/" + "x" * 999]})
        ),
        lambda path, key: (
            path.with_name("loop").symlink_to("loop"),
            path.write_text(json.dumps({key: [str(path.with_name("loop"))]})),
        ),
        lambda path, key: path.mkdir(),
        lambda path, key: path.symlink_to(path),
    ],
)
def test_a_list_that_is_odd_is_as_none(make: Callable[[Path, str], Any], say: Tell, cache: Path) -> None:
    write("ridge.csv", RIDGE)
    cache.mkdir(parents=True)
    key = known_folders._key("ridge.csv", provider_name())
    make(cache / LIST_NAME, key)
    assert say("plan", "ridge.csv", "--offline")[0] == 0
    run_before(Path("ridge.csv"), Path("out"))
    listed = [] if (cache / LIST_NAME).is_dir() else [Path("out").resolve()]
    assert KnownFolders().of("ridge.csv", provider_name())[:1] == listed


def test_a_cache_that_cannot_be_written_stops_nothing(say: Tell, cache: Path) -> None:
    cache.parent.mkdir()
    cache.write_text("a file in its place")
    run_before(write("ridge.csv", RIDGE), Path("out"))
    assert (KnownFolders().of("ridge.csv", provider_name()), say("plan", "ridge.csv", "--offline")[0]) == ([], 0)


def test_a_list_that_cannot_be_locked_is_written_all_the_same(cache: Path) -> None:
    (cache / f"{LIST_NAME}.lock").mkdir(parents=True)
    KnownFolders().note("ridge.csv", ADDRESS, Path("out"))
    assert KnownFolders().of("ridge.csv", ADDRESS) == [Path("out").resolve()]


def test_a_list_that_cannot_be_kept_is_reported_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert KnownFolders(tmp_path / "new").fault() == ""
    assert KnownFolders(tmp_path / "file" / "wanbatch").fault().startswith(f"{tmp_path}/file/wanbatch: Not a directory")
