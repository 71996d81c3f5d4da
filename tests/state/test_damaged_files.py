"""State files that are damaged, large or of an older version: what is checked at once, and what is refused."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import wanbatch
from tests.state.opening import AT, opened, planned
from tests.worlds import batch_of
from wanbatch.batch.lifecycle import Fact
from wanbatch.errors import StateInvalid
from wanbatch.session.options import RunOptions
from wanbatch.state.checks import CHECKED_AT_ONCE
from wanbatch.state.reader import StateReader, entry


def enlarge(output: Path) -> None:
    """Number the facts as if very many had come before them: then not all takes are checked at once."""
    with closing(sqlite3.connect(output / "state.sqlite")) as connection, connection:
        connection.execute(f"UPDATE facts SET seq = seq + {CHECKED_AT_ONCE}")


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
