"""On which machine a batch was run last, and who is asked where that was another."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.worlds import EPOCH, World, batch_of
from wanbatch.clock import system_now
from wanbatch.errors import UsageInvalid
from wanbatch.machine import Machine, read_machine, this_machine
from wanbatch.provider.endpoint import load_settings
from wanbatch.provider.sandbox_sign import Sign
from wanbatch.runner.log import LOG_NAME
from wanbatch.session import safeguards
from wanbatch.session.access import Access
from wanbatch.session.invocation import Invocation
from wanbatch.session.options import RunOptions, Watch
from wanbatch.session.recovery import LOG_NOTE
from wanbatch.session.safeguards import MACHINE_NOTE, held_back, is_at_home, note_missing_log
from wanbatch.state.file import StateFile
from wanbatch.state.tables import new_identity

ID, OTHER = "0123456789abcdef0123456789abcdef", "f" * 32


def root_with(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def mark(folder: Path, files: dict[str, str], host: str = "film", environment: dict[str, str] | None = None) -> str:
    found = this_machine(root_with(folder, files), environment or {}, host)
    return "" if found is None else found.mark


def test_a_machine_is_known_by_its_id_whatever_its_name(tmp_path: Path) -> None:
    one = mark(tmp_path / "1", {"etc/machine-id": ID + "\n"}, "film")
    assert one == mark(tmp_path / "2", {"var/lib/dbus/machine-id": ID}, "renamed")
    assert one != mark(tmp_path / "3", {"etc/machine-id": OTHER}, "film")
    assert (len(one), ID in one) == (16, False)


@pytest.mark.parametrize("text", ["", "uninitialized", "0" * 32, "not an id", ID[:-1]])
def test_without_an_id_its_host_name_is_what_there_is(tmp_path: Path, text: str) -> None:
    files = {"etc/machine-id": text}
    assert mark(tmp_path / "1", files, "Film.local") == mark(tmp_path / "2", files, "film.lan") != ""
    assert mark(tmp_path / "1", files, "film") != mark(tmp_path / "2", files, "other")


@pytest.mark.parametrize(
    ("files", "environment", "host"),
    [
        ({".dockerenv": "", "etc/machine-id": ID}, {}, "film"),
        ({"run/.containerenv": "", "etc/machine-id": ID}, {}, "film"),
        ({"etc/machine-id": ID}, {"container": "podman"}, "film"),
        ({"etc/machine-id": ID}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "film"),
        ({}, {}, "4f1c9a0be77d"),
        ({}, {}, "localhost"),
        ({}, {}, ""),
    ],
)
def test_of_a_container_nothing_lasting_is_known(
    tmp_path: Path, files: dict[str, str], environment: dict[str, str], host: str
) -> None:
    tmp_path.joinpath("empty").touch()
    assert mark(tmp_path, files, host, environment) == ""


@pytest.mark.parametrize("text", [None, "", "{", "[]", "7", '{"mark": 7, "host": "x"}', '{"mark": "", "host": "x"}'])
def test_a_note_that_cannot_be_read_is_none(text: str | None) -> None:
    assert read_machine(text) is None


def test_a_note_is_read_as_it_was_written_without_what_a_terminal_obeys() -> None:
    assert read_machine(Machine("m", "film").text()) == Machine("m", "film")
    assert read_machine(Machine("m", "a\x1b[31m\nb").text()) == Machine("m", "a[31mb")


# --- a run


def at_home(
    folder: Path,
    machines: list[Machine | None],
    monkeypatch: pytest.MonkeyPatch,
    *,
    sign: Sign = Sign.NONE,
    is_moved: bool = False,
    ask: Callable[[str], bool] | None = None,
) -> tuple[list[bool], list[str]]:
    """Begin a run on each machine in turn, at an address with this sign; returns whether it might, and the notices."""
    told: list[str] = []
    address = "https://api.provider.test"
    access = Access(load_settings({"AIMLAPI_API_KEY": "k", "AIMLAPI_BASE_URL": address}, None, folder))
    access.__dict__["_sign"] = sign  # as if it had been asked
    watch = Watch(notice=told.append, confirm_move=ask)
    invocation = Invocation(RunOptions(is_moved=is_moved), access, watch)
    identity = new_identity("film", address, "", system_now(), sandbox=False)
    found = []
    with StateFile.create_or_open(folder / "out", identity) as state:
        for machine in machines:
            monkeypatch.setattr(safeguards, "this_machine", lambda machine=machine: machine)
            found.append(is_at_home(invocation, state))
        noted = read_machine(state.noted(MACHINE_NOTE))
    last = next(each for each in reversed(machines) if each is not None)
    assert noted is not None
    assert (noted.mark == last.mark) is found[-1]
    return found, told


ONE, TWO = Machine("1", "one"), Machine("2", "two")


def test_the_same_machine_is_asked_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert at_home(tmp_path, [ONE, ONE, Machine("1", "renamed")], monkeypatch)[0][:2] == [True, True]


def test_another_machine_without_anybody_to_ask_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageInvalid, match=r"last run on another machine \(one\).*--moved"):
        at_home(tmp_path, [ONE, TWO], monkeypatch)


def test_moved_answers_once_and_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert at_home(tmp_path, [ONE, TWO], monkeypatch, is_moved=True) == ([True, True], [])
    assert at_home(tmp_path, [TWO], monkeypatch) == ([True], [])


@pytest.mark.parametrize("word", [True, False])
def test_a_person_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: bool) -> None:
    asked: list[str] = []

    def ask(text: str) -> bool:
        asked.append(text)
        return word

    assert at_home(tmp_path, [ONE, TWO], monkeypatch, ask=ask)[0] == [True, word]
    assert len(asked) == 1


def test_the_sandbox_is_told_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found, told = at_home(tmp_path, [ONE, TWO], monkeypatch, sign=Sign.SANDBOX)
    assert (found, len(told)) == ([True, True], 1)


def test_a_nightly_run_in_fresh_containers_is_not_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert at_home(tmp_path, [ONE, None, None], monkeypatch) == ([True, True, True], [])


@pytest.mark.parametrize(
    ("note", "trusts", "is_held"),
    [
        (None, False, False),
        ("2999-01-01T00:00:00+00:00", False, True),
        ("2999-01-01T00:00:00+00:00", True, False),
        ("2001-01-01T00:00:00+00:00", False, False),
        ("nonsense", False, False),
    ],
)
def test_after_a_recovery_without_run_log_nothing_is_sent_for_a_day(
    tmp_path: Path, note: str | None, trusts: bool, is_held: bool
) -> None:
    settings = load_settings({"AIMLAPI_API_KEY": "k"}, None, tmp_path)
    invocation = Invocation(RunOptions(trust_state=trusts), Access(settings), Watch())
    identity = new_identity("film", "api", "", system_now(), sandbox=False)
    with StateFile.create_or_open(tmp_path / "out", identity) as state:
        if note is not None:
            state.note(LOG_NOTE, note)
        assert (held_back(invocation, state, system_now()) is not None) is is_held


@pytest.mark.usefixtures("quick_clips")
@pytest.mark.parametrize(
    ("was_sent", "has_log", "access", "is_held"),
    [
        (True, False, {}, True),
        (True, True, {}, False),
        (False, False, {}, False),
        (True, False, {"is_embedded": True}, False),
    ],
)
def test_a_run_log_that_is_gone_beside_submits_holds_the_next_run_for_a_day(
    tmp_path: Path, was_sent: bool, has_log: bool, access: dict[str, bool], is_held: bool
) -> None:
    world = World(tmp_path / "out")
    if was_sent:
        world.run(batch_of(1))
    else:
        StateFile.create_or_open(tmp_path / "out", new_identity("world", "sandbox", "", EPOCH, sandbox=True)).close()
    if has_log:
        (tmp_path / "out" / LOG_NAME).touch()
    settings = load_settings({"AIMLAPI_API_KEY": "k"}, None, tmp_path)
    invocation = Invocation(RunOptions(), Access(settings, **access), Watch())
    identity = new_identity("world", "sandbox", "", EPOCH, sandbox=True)
    with StateFile.create_or_open(tmp_path / "out", identity) as state:
        for now in (EPOCH, EPOCH + timedelta(hours=20)):  # the second run has a run.log, and the day is not over
            note_missing_log(invocation, state, now)
            assert (held_back(invocation, state, now) is not None) is is_held
        assert held_back(invocation, state, EPOCH + timedelta(hours=25)) is None
