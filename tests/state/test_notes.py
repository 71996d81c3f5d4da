"""What a state file keeps beside its facts: texts under names, also in a file that an older version began."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from wanbatch.state.file import StateFile
from wanbatch.state.reader import StateReader
from wanbatch.state.tables import Identity, new_identity

AT = datetime(2026, 11, 25, tzinfo=UTC)


def identity() -> Identity:
    return new_identity("film", "sandbox", "", AT, sandbox=True)


def test_a_note_replaces_the_one_before(tmp_path: Path) -> None:
    with StateFile.create_or_open(tmp_path, identity()) as state:
        before = state.noted("machine")
        state.note("machine", "one")
        state.note("machine", "two")
    with StateReader.open(tmp_path) as reader:
        assert (before, reader.noted("machine"), reader.noted("other")) == (None, "two", None)


def test_a_file_that_an_older_version_began_has_no_notes_until_it_is_opened_for_writing(tmp_path: Path) -> None:
    wanted = identity()
    StateFile.create_or_open(tmp_path, wanted).close()
    with closing(sqlite3.connect(tmp_path / "state.sqlite")) as older, older:
        older.execute("DROP TABLE notes")
    with StateReader.open(tmp_path) as reader:
        assert reader.noted("machine") is None
    with StateFile.create_or_open(tmp_path, wanted) as state:
        state.note("machine", "one")
        assert state.noted("machine") == "one"
