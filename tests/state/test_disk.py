"""What is on disk: the state file and its lock, downloads that become clips, settings from files."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import wanbatch
from tests.worlds import World, batch_of
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.plan import make_plan
from wanbatch.batch.take import TransitionForbidden
from wanbatch.clip.download import ForeignFile, Part, publish, sha256_of
from wanbatch.disk import make_folder, network_kind
from wanbatch.errors import ExitCode, LocalFault, OutputLocked, StateInvalid, UsageInvalid
from wanbatch.provider.endpoint import fingerprint, load_settings, read_endpoint
from wanbatch.session.options import RunOptions
from wanbatch.state import file as state_module
from wanbatch.state.checks import CHECKED_AT_ONCE
from wanbatch.state.file import StateFile
from wanbatch.state.lock import holder_of
from wanbatch.state.reader import StateReader, entry
from wanbatch.state.tables import new_identity

AT = datetime(2026, 11, 1, 20, tzinfo=UTC)


def identity(batch: str = "world", *, sandbox: bool = True, url: str = "sandbox") -> object:
    return new_identity(batch, url, "k", AT, sandbox=sandbox)


_made: list[StateFile] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """Close what a test opened: Python 3.13 warns of every database that is left open."""
    yield
    while _made:
        _made.pop().close()


def opened(folder: Path, **how: object) -> StateFile:
    state = StateFile.create_or_open(folder, identity(**how))  # type: ignore[arg-type]
    _made.append(state)
    return state


def planned(folder: Path, count: int = 2) -> StateFile:
    state = opened(folder)
    state.adopt(make_plan(batch_of(count), state.takes(), state.shots()), AT)
    return state


def enlarge(output: Path) -> None:
    """Number the facts as if very many had come before them: then not all takes are checked at once."""
    with closing(sqlite3.connect(output / "state.sqlite")) as connection, connection:
        connection.execute(f"UPDATE facts SET seq = seq + {CHECKED_AT_ONCE}")


STARTED = {"attempt": 1, "request_id": "r1", "body_sha256": "b", "key_fingerprint": "k", "credits_estimated": 5}


def test_a_refused_move_records_nothing(tmp_path: Path) -> None:
    state = planned(tmp_path / "o")
    before = list(state.entries())
    with pytest.raises(TransitionForbidden):
        state.record(1, entry(Fact.SUBMIT_STARTED, AT, STARTED), entry(Fact.VERIFIED, AT, {"file": "x"}))
    after = (list(state.entries()), state.take(1).state, state.attempts())
    state.close()
    assert after == (before, State.PLANNED, [])


def test_a_take_has_one_open_attempt_at_most(tmp_path: Path) -> None:
    state = planned(tmp_path / "o")
    state.record(1, entry(Fact.SUBMIT_STARTED, AT, STARTED))
    second = replace(state.attempts()[0], number=2, request_id="r2")
    with pytest.raises(sqlite3.IntegrityError):
        state._store("attempts", second)
    state.close()


def test_a_generation_belongs_to_one_take(tmp_path: Path) -> None:
    state = planned(tmp_path / "o")
    state.record(1, entry(Fact.SUBMIT_STARTED, AT, STARTED), entry(Fact.ACCEPTED, AT, {"generation_id": "g"}))
    second = {**STARTED, "request_id": "r2"}
    with pytest.raises(LocalFault):
        state.record(2, entry(Fact.SUBMIT_STARTED, AT, second), entry(Fact.ACCEPTED, AT, {"generation_id": "g"}))
    state.close()


def test_after_a_failed_write_nothing_more_is_recorded(tmp_path: Path) -> None:
    state = planned(tmp_path / "o")
    state._db.execute("DROP TABLE facts")
    with pytest.raises(LocalFault, match="wanbatch sends nothing more"):
        state.record(1, entry(Fact.SUBMIT_STARTED, AT, STARTED))
    with pytest.raises(LocalFault, match=r"could not be written a moment ago .*no such table.*same command again"):
        state.record(2, entry(Fact.SUBMIT_STARTED, AT, {**STARTED, "request_id": "r2"}))
    state.close()


def test_a_lock_taken_away_stops_the_writer(tmp_path: Path) -> None:
    state = planned(tmp_path / "o")
    (tmp_path / "o" / ".lock").unlink()
    with pytest.raises(LocalFault, match="lock file"):
        state.record(1, entry(Fact.SUBMIT_STARTED, AT, STARTED))
    state.close()


def test_one_writer_at_a_time_and_readers_always(tmp_path: Path) -> None:
    state = planned(tmp_path / "o")
    with pytest.raises(OutputLocked, match=str(os.getpid())):
        opened(tmp_path / "o")
    with StateReader.open(tmp_path / "o") as reader:
        assert len(reader.takes()) == 2
    state.close()
    opened(tmp_path / "o").close()


@pytest.mark.parametrize(
    "trace",
    ["clips/a_t1.mp4", "clips/a_t1.mp4.part", "run.log", "state.sqlite-wal", "reports/takes.csv", "storyboard.html",
     ".sandbox/account.sqlite"],
)  # fmt: skip
@pytest.mark.parametrize("is_there", [False, True])
def test_a_lost_or_emptied_state_file_is_not_begun_anew(tmp_path: Path, trace: str, is_there: bool) -> None:
    (tmp_path / trace).parent.mkdir(exist_ok=True)
    (tmp_path / trace).write_bytes(b"x")
    if is_there:
        (tmp_path / "state.sqlite").touch(0o600)
    with pytest.raises(StateInvalid, match="--fresh"):
        opened(tmp_path)
    assert (tmp_path / trace).read_bytes() == b"x"


def test_a_state_file_without_tables_is_not_begun_anew_beside_clips(tmp_path: Path) -> None:
    opened(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "state.sqlite")) as connection, connection:
        for name in [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]:
            connection.execute(f"DROP TABLE {name}")
    connection.close()
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a_t1.mp4").write_bytes(b"x")
    with pytest.raises(StateInvalid, match="clips"):
        opened(tmp_path)


def test_a_run_that_was_cut_off_while_it_began_begins(tmp_path: Path) -> None:
    opened(tmp_path / "a").close()
    connection = sqlite3.connect(tmp_path / "state.sqlite", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    (tmp_path / "state.sqlite").chmod(0o600)
    (tmp_path / "state.sqlite-wal").write_bytes(bytes(4152))  # a commit that the power cut tore
    opened(tmp_path).close()


def test_a_run_that_was_cut_off_before_it_began_begins(tmp_path: Path) -> None:
    (tmp_path / "state.sqlite").touch(0o600)
    opened(tmp_path).close()
    assert opened(tmp_path).takes() == []


def test_new_folders_are_flushed_to_the_disk_with_the_ones_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[Path] = []
    monkeypatch.setattr("wanbatch.disk.fsync_directory", flushed.append)
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert sorted(flushed) == [tmp_path, tmp_path / "a"]


def test_a_state_file_that_is_only_just_begun_is_no_damage(tmp_path: Path) -> None:
    (tmp_path / "state.sqlite").touch()
    with pytest.raises(UsageInvalid, match="nothing has run yet"):
        StateReader.open(tmp_path)


@pytest.mark.parametrize("how", [{"sandbox": False, "url": "https://api.example.org"}, {"url": "this machine"}])
def test_a_folder_goes_on_only_as_what_it_began(tmp_path: Path, how: dict[str, object]) -> None:
    opened(tmp_path / "o").close()
    with pytest.raises(StateInvalid, match="--output"):
        opened(tmp_path / "o", **how)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("UPDATE takes SET state = 'verified' WHERE take_id = 1", "contradicts its facts"),
        ("UPDATE facts SET data = '{}' WHERE seq = 1", "checksum"),
        ("DELETE FROM facts WHERE take_id = 2", "do not match"),
        ("UPDATE takes SET state = 'dreaming' WHERE take_id = 1", "cannot be read"),
        ("UPDATE takes SET recipe_json = NULL WHERE take_id = 1", "cannot be read"),
        ("UPDATE identity SET value = '99' WHERE name = 'schema_version'", "version 99"),
        ("DELETE FROM identity", "identity"),
        ("DROP TABLE takes", "cannot be read"),
    ],
)
def test_a_state_file_that_was_tampered_with_is_refused(tmp_path: Path, damage: str, said: str) -> None:
    planned(tmp_path / "o").close()
    with closing(sqlite3.connect(tmp_path / "o" / "state.sqlite")) as connection, connection:
        connection.execute(damage)
    connection.close()
    with pytest.raises(StateInvalid, match=said):
        opened(tmp_path / "o")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("UPDATE takes SET attempts = 1 WHERE take_id = 1", "contradicts its facts"),
        ("UPDATE takes SET recipe_json = '{}' WHERE take_id = 1", "contradicts its facts"),
        ("UPDATE facts SET data = '{}' WHERE take_id = 1", "checksum"),
    ],
)
def test_in_a_large_state_file_a_take_is_believed_only_with_its_facts(tmp_path: Path, damage: str, said: str) -> None:
    planned(tmp_path / "o").close()
    enlarge(tmp_path / "o")
    with closing(sqlite3.connect(tmp_path / "o" / "state.sqlite")) as connection, connection:
        connection.execute(damage)
    connection.close()
    state = opened(tmp_path / "o")
    facts = len(list(state.entries())) if "facts" not in damage else 0
    with pytest.raises(StateInvalid, match=said):
        state.record(1, entry(Fact.WARNED, AT, {"warning": "x"}))
    with pytest.raises(StateInvalid, match=said):
        state.record_together([(1, entry(Fact.WARNED, AT, {"warning": "x"}))])
    state.record(2, entry(Fact.WARNED, AT, {"warning": "x"}))
    assert "facts" in damage or len(list(state.entries())) == facts + 1
    state.close()
    with pytest.raises(StateInvalid, match=said), StateReader.open(tmp_path / "o") as reader:
        reader.check()


def touch(output: Path) -> None:
    with closing(opened(output)) as state:
        state.record(1, entry(Fact.WARNED, AT, {"warning": "x"}))


def look(output: Path) -> None:
    with closing(opened(output)) as state:
        state.inventory()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("UPDATE takes SET state = 'queued' WHERE take_id = 1", "contradicts its facts"),
        ("DELETE FROM facts WHERE take_id = 2", "do not match"),
        ("DELETE FROM takes WHERE take_id = 2", "do not match"),
        ("UPDATE takes SET credits_at_risk = 5 WHERE take_id = 2", "contradicts its facts"),
    ],
)
def test_a_large_state_file_is_opened_only_where_no_take_is_lost_and_the_open_ones_are_whole(
    tmp_path: Path, damage: str, said: str
) -> None:
    planned(tmp_path / "o").close()
    enlarge(tmp_path / "o")
    with closing(sqlite3.connect(tmp_path / "o" / "state.sqlite")) as connection, connection:
        connection.execute(damage)
    connection.close()
    with pytest.raises(StateInvalid, match=said):
        touch(tmp_path / "o")
    with pytest.raises(StateInvalid, match=said):
        look(tmp_path / "o")


def test_before_a_new_plan_every_take_of_a_large_state_file_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(tmp_path / "o").close()
    enlarge(tmp_path / "o")
    with closing(opened(tmp_path / "o")) as state:
        state.check_rest()
        monkeypatch.setattr(StateReader, "check", lambda _: pytest.fail("checked twice"))
        state.check_rest()
    monkeypatch.undo()
    with closing(sqlite3.connect(tmp_path / "o" / "state.sqlite")) as connection, connection:
        connection.execute("UPDATE takes SET recipe_json = '{}' WHERE take_id = 1")
    connection.close()
    options = RunOptions(output=tmp_path / "o", sandbox=True, makes_report=False)
    with pytest.raises(StateInvalid, match="contradicts its facts"):
        wanbatch.run(batch_of(2), options, confirm=lambda _: pytest.fail("asked"))


def test_a_state_file_of_an_older_version_gets_its_indexes(tmp_path: Path) -> None:
    planned(tmp_path / "o").close()
    with closing(sqlite3.connect(tmp_path / "o" / "state.sqlite")) as connection, connection:
        connection.execute("DROP INDEX attempts_by_generation")
    connection.close()
    opened(tmp_path / "o").close()
    with closing(sqlite3.connect(tmp_path / "o" / "state.sqlite")) as connection, connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}
    connection.close()
    assert "attempts_by_generation" in names


@pytest.mark.parametrize("data", [b"not a database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_state_file_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "state.sqlite").write_bytes(data)
    with pytest.raises(StateInvalid):
        opened(tmp_path / "o")


def test_a_state_file_that_others_may_write_is_refused(tmp_path: Path) -> None:
    planned(tmp_path / "o").close()
    (tmp_path / "o" / "state.sqlite").chmod(0o666)
    with pytest.raises(StateInvalid, match="chmod 600"):
        opened(tmp_path / "o")


def test_a_link_in_the_state_files_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "state.sqlite").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateInvalid, match="not a regular file"):
        opened(tmp_path / "o")


def test_a_folder_that_cannot_be_made_is_a_local_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(LocalFault):
        opened(tmp_path / "file" / "o")


# --- downloads


def test_a_part_replaces_an_old_part_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "c" / "a.mp4.part"
    for text in (b"old and longer", b"new"):
        with Part(path) as part:
            part.write(text)
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("kind", ["link", "folder", "fifo"])
def test_a_part_is_never_written_through_something_else(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.mp4.part"
    {"link": lambda: path.symlink_to(tmp_path / "x"), "folder": path.mkdir, "fifo": lambda: os.mkfifo(path)}[kind]()
    with pytest.raises(ForeignFile), Part(path):
        pass


def test_publishing_twice_is_publishing_once(tmp_path: Path) -> None:
    part, final = tmp_path / "a.mp4.part", tmp_path / "a.mp4"
    part.write_bytes(b"clip")
    digest = sha256_of(part)
    publish(part, final, digest)
    publish(part, final, digest)
    assert (final.read_bytes(), part.exists()) == (b"clip", False)


def test_other_bytes_are_never_published_or_overwritten(tmp_path: Path) -> None:
    part, final = tmp_path / "a.mp4.part", tmp_path / "a.mp4"
    part.write_bytes(b"clip")
    with pytest.raises(FileNotFoundError):
        publish(part, final, "0" * 64)
    final.write_bytes(b"somebody's")
    with pytest.raises(ForeignFile):
        publish(part, final, sha256_of(part))
    assert final.read_bytes() == b"somebody's"


@pytest.mark.usefixtures("quick_clips")
@pytest.mark.parametrize("damage", ["part gone", "part altered"])
def test_a_crash_between_hash_and_rename_is_mended_without_a_submit(tmp_path: Path, damage: str) -> None:
    world = World(tmp_path / "o")
    world.run(batch_of(1))
    with StateReader.open(tmp_path / "o") as reader:
        takes = [each for _, each in reader.entries()]
    assert [each.fact for each in takes][-3:] == [Fact.DOWNLOADED, Fact.VERIFIED, Fact.CHARGED]
    world2 = World(tmp_path / "p")
    from tests.worlds import Killed

    with pytest.raises(Killed):
        world2.run(batch_of(1), kill_at=7)  # the hash is on disk, the rename is not recorded
    clips = tmp_path / "p" / "clips"
    for path in clips.iterdir():
        if damage == "part gone":
            path.unlink()
        else:
            path.write_bytes(b"other") if path.suffix == ".part" else path.unlink()
    world2.run(batch_of(1))
    assert (world2.takes()[0].state, world2.submits) == (State.VERIFIED, 1)


@pytest.mark.parametrize(
    ("kind", "told"),
    [("nfs4", "nfs4"), ("cifs", "cifs"), ("fuse.sshfs", "fuse.sshfs"), ("ext4", None), ("tmpfs", None)],
)
def test_a_network_share_is_known(tmp_path: Path, kind: str, told: str | None) -> None:
    share = tmp_path / "a share"
    (share / "out").mkdir(parents=True)
    place = str(share.resolve()).replace(" ", "\\040")
    lines = [
        "22 1 8:1 / / rw - ext4 /dev/sda1 rw",
        f"36 22 0:52 / {place} rw shared:1 - {kind} host:/x rw",
        "half a line",
    ]
    (tmp_path / "mounts").write_text("\n".join(lines))
    assert network_kind(share / "out", tmp_path / "mounts") == told
    assert network_kind(tmp_path, tmp_path / "mounts") is None
    assert network_kind(tmp_path, tmp_path / "none") is None


def test_a_first_write_that_fails_is_told_plainly_and_leaves_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(state_module, "fsync_directory", full)
        with pytest.raises(LocalFault, match="No space left"):
            World(tmp_path / "out").run(batch_of(1))
    world = World(tmp_path / "out")
    assert world.run(batch_of(1)).exit_code is ExitCode.OK


def test_a_state_file_on_a_network_share_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_module, "network_kind", lambda _: "nfs")
    with pytest.raises(LocalFault, match="network share"):
        World(tmp_path / "out").run(batch_of(1))


# --- settings


def test_the_environment_wins_over_the_file_and_the_file_is_told(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("AIMLAPI_KEY=from-file\nAIMLAPI_BASE_URL=https://api.example.org\n")
    from_file = load_settings({}, None, tmp_path)
    around = {"AIML_API_KEY": "from-environment", "AIMLAPI_BASE_URL": "https://other.example.org"}
    both = load_settings(around, None, tmp_path)
    assert from_file.key is not None
    assert both.key is not None
    assert (from_file.key.reveal(), both.key.reveal()) == ("from-file", "from-environment")
    assert any(".env" in notice for notice in from_file.notices)
    assert from_file.endpoint.base_url == "https://api.example.org"


@pytest.mark.parametrize(
    ("address", "is_refused"),
    [
        ("https://api.example.org", True),
        ("https://api.aimlapi.com.example.org", True),
        ("https://api.aimlapi.com:8443", True),
        ("https://api.aimlapi.com", False),
        ("HTTPS://API.aimlapi.com/", False),
        ("http://127.0.0.1:8000", False),
    ],
)
@pytest.mark.parametrize("is_named", [True, False])
def test_a_key_of_the_environment_does_not_go_where_a_file_says(
    tmp_path: Path, address: str, is_refused: bool, is_named: bool
) -> None:
    path = tmp_path / ".env"
    path.write_text(f"AIMLAPI_BASE_URL={address}\n")
    around = {"AIMLAPI_API_KEY": "from-environment"}
    named = path if is_named else None
    if is_refused:
        with pytest.raises(UsageInvalid, match="does not send it there") as caught:
            load_settings(around, named, tmp_path)
        assert "from-environment" not in str(caught.value)
    else:
        assert load_settings(around, named, tmp_path).key is not None
    agreed = load_settings({**around, "AIMLAPI_BASE_URL": address}, named, tmp_path)
    assert agreed.endpoint == read_endpoint(address)


def test_a_file_that_names_key_and_address_is_taken_whole_unless_the_environment_has_a_key(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("AIMLAPI_KEY=from-file\nAIMLAPI_BASE_URL=https://api.example.org\n")
    assert load_settings({}, None, tmp_path).endpoint.base_url == "https://api.example.org"
    with pytest.raises(UsageInvalid, match="does not send it there"):
        load_settings({"AIML_API_KEY": "from-environment"}, None, tmp_path)


def test_what_lies_between_here_and_the_provider_is_told_without_credentials(tmp_path: Path) -> None:
    around = {"https_proxy": "http://me:secret@proxy.example.org:3128", "SSL_CERT_FILE": "ca.pem"}
    assert load_settings(around, None, tmp_path).detours == (
        "requests go through the proxy proxy.example.org:3128",
        "certificates are checked against SSL_CERT_FILE",
    )
    assert load_settings({}, None, tmp_path).detours == ()
    here = {**around, "AIMLAPI_BASE_URL": "http://127.0.0.1:8000"}
    assert load_settings(here, None, tmp_path).detours == ()


def test_an_env_file_is_not_expanded(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=secret\nAIMLAPI_API_KEY=${A}x\n")
    settings = load_settings({}, None, tmp_path)
    assert settings.key is not None
    assert settings.key.reveal() == "${A}x"


@pytest.mark.parametrize("key", ["has space", "tail\r\nX-Evil: 1", "ünicode", "x" * 513, "tab\there"])
def test_a_key_that_is_no_header_value_is_refused_without_showing_it(tmp_path: Path, key: str) -> None:
    with pytest.raises(UsageInvalid) as caught:
        load_settings({"AIMLAPI_API_KEY": key}, None, tmp_path)
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["http://api.example.org", "ftp://api.example.org", "api.example.org", "https://u:p@example.org", "https://", "https://[x",
     "https://example.org/?key=1", "http://10.0.0.1", "https://@example.org", "https://api.aimlapi.com@example.org",
     "https://example.org\\.aimlapi.com", "https://example.org\\@api.aimlapi.com", "https://exa\tmple.org", "https://exa\nmple.org",
     "https://example.org\x00", "https://example.org/a b", "https://ex%61mple.org", "https://ex\u0430mple.org", "\u200bhttps://example.org"],
)  # fmt: skip
def test_an_unsafe_address_is_refused(url: str) -> None:
    with pytest.raises(UsageInvalid):
        read_endpoint(url)


@pytest.mark.parametrize(
    ("url", "is_loopback"),
    [
        ("https://api.aimlapi.com/", False),
        ("http://127.0.0.1:8765", True),
        ("http://localhost:1", True),
        ("http://[::1]:1", True),
        ("HTTPS://API.aimlapi.com", False),
    ],
)
def test_good_addresses_are_taken(url: str, is_loopback: bool) -> None:
    endpoint = read_endpoint(url)
    assert (endpoint.is_loopback, endpoint.base_url.endswith("/")) == (is_loopback, False)
    assert endpoint.base_url == endpoint.base_url.lower()


def test_a_fingerprint_tells_keys_apart_and_nothing_else() -> None:
    from wanbatch.provider.protocol import Secret

    first, second = fingerprint(Secret("a")), fingerprint(Secret("b"))
    assert (first != second, len(first), fingerprint(None)) == (True, 16, "")


# --- the state file, at its edges


def test_takes_and_shots_that_are_not_there_are_told(tmp_path: Path) -> None:
    state = planned(tmp_path)
    with pytest.raises(StateInvalid, match="no take 99"):
        state.take(99)
    with pytest.raises(StateInvalid, match="no shot zz"):
        state.shot("zz")
    shots = state.shots()
    assert state.shot(shots[0].shot_id) == shots[0]
    state.close()


def test_a_plan_that_changes_its_mind_is_written(tmp_path: Path) -> None:
    state = planned(tmp_path)
    batch = batch_of(2)
    for wanted in (
        replace(batch, shots=batch.shots[:1]),
        batch,
        replace(
            batch, shots=(batch.shots[0], replace(batch.shots[1], request={**batch.shots[1].request, "prompt": "x"}))
        ),
    ):
        state.adopt(make_plan(wanted, state.takes(), state.shots()), AT)
    state.check()
    assert [(take.superseded, "x" in take.recipe_json) for take in state.takes()][1] == (False, True)
    state.close()


def test_a_fresh_start_begins_anew_beside_what_a_lost_one_left(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a_t1.mp4").write_bytes(b"x")
    identity = new_identity("b", "sandbox", "k", AT, sandbox=True)
    StateFile.create_or_open(tmp_path, identity, fresh=True).close()
    assert (tmp_path / "clips" / "a_t1.mp4").read_bytes() == b"x"


def test_a_state_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(tmp_path).close()
    monkeypatch.setattr("os.getuid", lambda: 12345678)
    with pytest.raises(StateInvalid, match="another user"):
        opened(tmp_path)


def test_a_state_file_that_cannot_be_made_is_a_local_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def refuse(path: object, *arguments: int, **where: int) -> int:
        if str(path).endswith("state.sqlite"):
            raise OSError(28, "No space left on device")
        return real(path, *arguments, **where)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(LocalFault, match="No space"):
        opened(tmp_path)


def test_a_disk_that_keeps_no_log_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = sqlite3.connect

    class Plain(sqlite3.Connection):
        def execute(self, sql: str, *more: Any) -> sqlite3.Cursor:  # type: ignore[override]
            return super().execute(sql.replace("WAL", "DELETE"), *more)

    monkeypatch.setattr("sqlite3.connect", lambda *a, **k: real(*a, **k, factory=Plain))
    with pytest.raises(LocalFault, match="write-ahead log"):
        opened(tmp_path)


def test_a_page_that_was_overwritten_is_found(tmp_path: Path) -> None:
    state = planned(tmp_path)
    state.close()
    path = tmp_path / "state.sqlite"
    raw = bytearray(path.read_bytes())
    with closing(sqlite3.connect(path)) as connection, connection:
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'facts_by_take'").fetchone()[0]
    connection.close()
    raw[(root - 1) * 4096 + 8 : root * 4096] = bytes(4096 - 8)
    path.write_bytes(raw)
    with pytest.raises(StateInvalid, match=r"damaged|cannot be read"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("told", "is_named"),
    [
        ({"pid": os.getpid()}, True),
        ({"pid": 1}, True),
        ({"pid": 2**22 + 5}, False),  # beyond the largest that Linux gives
        ({"pid": 2**70}, False),
        ({"pid": "x"}, False),
        ({"pid": 2**22 + 5, "host": "another"}, True),
    ],
)
def test_a_run_that_was_killed_is_not_said_to_go_on(tmp_path: Path, told: dict[str, object], is_named: bool) -> None:
    holder = {"host": platform.node(), "since": "2026-11-01T20:00:00+00:00", **told}
    (tmp_path / ".lock.holder").write_text(json.dumps(holder))
    assert bool(holder_of(tmp_path)) is is_named
