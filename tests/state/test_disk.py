"""The state file on its disk: one writer, its lock, what it refuses, and what becomes of a write that fails."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.state.opening import AT, opened, planned
from tests.worlds import World, batch_of
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.plan import make_plan
from wanbatch.batch.take import TransitionForbidden
from wanbatch.disk import make_folder, network_kind
from wanbatch.errors import ExitCode, LocalFault, OutputLocked, StateInvalid, UsageInvalid
from wanbatch.state import file as state_module
from wanbatch.state.file import StateFile
from wanbatch.state.lock import holder_of
from wanbatch.state.reader import StateReader, entry
from wanbatch.state.tables import new_identity

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
    with closing(opened(tmp_path)) as state:
        assert state.takes() == []


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
