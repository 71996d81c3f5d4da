"""A state file, a log and a cache from somebody else: no hang, no traceback, nothing that moves a terminal."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.cut.test_film import ABC
from tests.films import Reel
from tests.output_folders import make_room
from wanbatch.batch.lifecycle import Fact
from wanbatch.cli import call
from wanbatch.state.tables import row_crc

pytestmark = pytest.mark.usefixtures("near")

COMMANDS = (
    ["status", "out"],
    ["report", "out"],
    ["verify", "out"],
    ["cut", "out"],
    ["export", "out", "--format", "otio"],
    ["export", "out", "--format", "edl"],
    ["export", "out", "--format", "mp4"],
    ["circle", "out", "a", "1"],
    ["retake", "out", "a", "--later"],
)
ASKING = (  # these start the sandbox, where they come so far
    ["retry", "out", "--yes"],
    ["reconcile", "out"],
    ["resolve", "out", "b_t1", "--abandon"],
    ["balance", "out"],
)
MOVES = set("\x1b\x07\x08\x7f\x9b\x9d\u202e\u2066\u200b") | {chr(code) for code in range(0x80, 0xA0)}
HOSTILE = "a\x1b]0;owned\x07\x1b[2J\x9b31m\u202egpj\u2066\x08\x7f"
DEEP = "[" * 200_000


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("made")
    pen = make_room(home / "out", ABC, {"a_t1": Reel(1)}, failed=["b_t1"])
    pen.tell(1, Fact.CHARGED, generation_id="g", credits_charged=1_050_000)
    pen.state.close()
    return home / "out"


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("AIMLAPI_API_KEY", "AIML_API_KEY", "AIMLAPI_KEY", "AIMLAPI_BASE_URL", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shutil.copytree(made, tmp_path / "out")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "out"


def changed(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / "state.sqlite")) as db, db:
        for statement in statements:
            db.execute(statement)


def refolded(folder: Path, change: Callable[[str], str]) -> None:
    """Change every fact, checksum and all, as somebody would who knows the file."""
    with closing(sqlite3.connect(folder / "state.sqlite")) as db, db:
        for seq, take_id, fact, at, data in db.execute("SELECT seq, take_id, fact, at, data FROM facts").fetchall():
            new = change(data)
            db.execute("UPDATE facts SET data = ?, crc = ? WHERE seq = ?", (new, row_crc(take_id, fact, at, new), seq))


def said(command: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    capsys.readouterr()
    code = call(command)
    told = capsys.readouterr()
    return int(code), told.out + told.err


ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)"
SCHEMAS = {
    "a view that never ends": [
        "ALTER TABLE strays RENAME TO old",
        f"CREATE VIEW strays AS {ENDLESS} SELECT x AS request_id, x AS generation_id, x AS credits_held, x AS at, x AS source FROM n",
    ],
    "a trigger": ["CREATE TRIGGER t AFTER INSERT ON facts BEGIN UPDATE takes SET state = 'planned'; END"],
    "a virtual table": ["CREATE VIRTUAL TABLE extra USING fts5(x)"],
    "a table with other rules": [
        "ALTER TABLE strays RENAME TO old",
        "CREATE TABLE strays (request_id, generation_id, credits_held, at, source)",
    ],
    "a view of another name": ["CREATE VIEW more AS SELECT 1"],
    "an index of its own": ["CREATE INDEX mine ON takes (state)"],
    "a name that moves the terminal": ['CREATE VIEW "\x1b[2J" AS SELECT 1'],
}


@pytest.mark.parametrize("command", [*COMMANDS, *ASKING], ids=" ".join)
@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_of_somebody_else_is_refused(
    name: str, command: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed(folder, *SCHEMAS[name])
    code, text = said(command, capsys)
    assert (code, "was changed by another program" in text, set(text) & MOVES) == (7, True, set())


def test_a_table_of_a_newer_version_is_left_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed(folder, "CREATE TABLE of_a_newer_version (x INTEGER) STRICT")
    assert said(["status", "out"], capsys)[0] in (0, 1)


TEXTS = {
    "words": [
        "UPDATE takes SET error = {0}, warning = {0}, note = {0}",
        "UPDATE shots SET scene = {0}, sequence = {0}, prompt = {0}, notes = {0}, cost_code = {0}",
    ],
    "ids": ["UPDATE takes SET shot_id = {0} WHERE shot_id = 'b'", "UPDATE shots SET shot_id = {0} WHERE shot_id = 'b'"],
    "the batch": ["UPDATE identity SET value = {0} WHERE name = 'batch'"],
    "the provider": ["UPDATE identity SET value = {0} WHERE name = 'base_url'"],
    "generations": [
        "UPDATE takes SET generation_id = {0} WHERE shot_id = 'b'",
        "UPDATE attempts SET generation_id = {0}, request_id = {0} WHERE take_id = 2",
    ],
    "files": ["UPDATE takes SET file = {0} WHERE shot_id = 'a'"],
    "runs": [
        "INSERT INTO runs VALUES (1, '2026-01-01T00:00:00+00:00', NULL, 0, 1.0, {0}, 1, 0, NULL, {0}, 0, '{{}}', NULL, NULL)"
    ],
    "strays": ["INSERT INTO strays VALUES ({0}, {0}, NULL, '2026-01-01T00:00:00+00:00', {0})"],
}


@pytest.mark.sampled(6)
@pytest.mark.parametrize(
    ("name", "command"),
    [
        *((name, command) for name in TEXTS for command in COMMANDS),
        *((name, command) for name in ("ids", "the batch", "the provider") for command in ASKING),
    ],
    ids=str,
)
def test_no_text_of_a_state_file_moves_the_terminal(
    name: str, command: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quoted = "'" + HOSTILE.replace("'", "''") + "'"
    changed(folder, *(each.format(quoted) for each in TEXTS[name]))
    _, text = said(command, capsys)
    assert set(text) & MOVES == set()


BROKEN = {
    "a recipe that is no JSON": ["UPDATE takes SET recipe_json = '{'"],
    "a recipe that is a list": ["UPDATE takes SET recipe_json = '[]'"],
    "a recipe without a prompt": ["UPDATE takes SET recipe_json = '{\"model\": 7}'"],
    "a recipe nested very deep": [f"UPDATE takes SET recipe_json = '{DEEP}'"],
    "tags nested very deep": [f"UPDATE shots SET tags = '{DEEP}'"],
    "tags that are a number": ["UPDATE shots SET tags = '7'"],
    "a time that is none": ["UPDATE takes SET submitted_at = 'yesterday'"],
    "a time without a zone": ["UPDATE takes SET submitted_at = '2026-01-01T00:00:00'"],
    "a state that is none": ["UPDATE takes SET state = 'bought'"],
    "credits beyond measure": [
        "UPDATE takes SET credits_held = 9223372036854775807, credits_charged = 9223372036854775807"
    ],
    "negative credits": ["UPDATE takes SET credits_held = -5"],
    "a size beyond measure": ["UPDATE takes SET width = 2147483647, height = 2147483647, clip_duration_s = 1e308"],
    "no shots": ["DELETE FROM shots"],
    "no identity": ["DELETE FROM identity"],
    "a version that is none": ["UPDATE identity SET value = 'x' WHERE name = 'schema_version'"],
    "caps nested very deep": [
        f"INSERT INTO runs VALUES (1, '2026-01-01T00:00:00+00:00', NULL, 0, 1.0, '', 1, 0, NULL, '', 0, '{DEEP}', NULL, NULL)"
    ],
    "caps that are a list": [
        "INSERT INTO runs VALUES (1, '2026-01-01T00:00:00+00:00', NULL, 0, 1.0, '', 1, 0, NULL, '', 0, '[1]', NULL, NULL)"
    ],
    "a file outside": ["UPDATE takes SET file = '../../etc/passwd' WHERE shot_id = 'a'"],
    "a file with a NUL": ["UPDATE takes SET file = 'clips/a' || char(0) || '.mp4' WHERE shot_id = 'a'"],
}


@pytest.mark.sampled(5)
@pytest.mark.parametrize(
    ("name", "command"),
    [
        *((name, command) for name in BROKEN for command in COMMANDS),
        *((name, command) for name in ("a recipe nested very deep", "a time without a zone") for command in ASKING),
    ],
    ids=str,
)
def test_no_row_of_a_state_file_ends_a_command_in_a_traceback(name: str, command: list[str], folder: Path) -> None:
    changed(folder, *BROKEN[name])
    assert call(command) in (0, 1, 2, 3, 7)


FACTS: dict[str, Callable[[str], str]] = {
    "nested very deep": lambda _: DEEP,
    "a list": lambda _: "[]",
    "no JSON": lambda _: "{",
    "other kinds": lambda data: json.dumps({name: ["x"] for name in json.loads(data)}),
    "numbers beyond measure": lambda data: json.dumps(dict.fromkeys(json.loads(data), 10**400)),
}


@pytest.mark.sampled(5)
@pytest.mark.parametrize("command", [*COMMANDS, *ASKING[:3]], ids=" ".join)
@pytest.mark.parametrize("name", FACTS)
def test_no_fact_of_a_state_file_ends_a_command_in_a_traceback(name: str, command: list[str], folder: Path) -> None:
    refolded(folder, FACTS[name])
    assert call(command) in (0, 1, 2, 3, 7)


LINES = {
    "nested very deep": '{"kind": "submit_started", "at": ' + DEEP,
    "not UTF-8": b'{"kind": "submit_started\xff\xfe"}\n',
    "other kinds": '{"kind": "submit_started", "at": 5, "take": [], "request_id": {}, "generation_id": 7}\n"accepted"\n["accepted"]\n',
    "a time beyond measure": '{"kind": "submit_started", "at": "999999-01-01", "take": "a_t1", "request_id": "wb1:x:y:1.1"}\n',
    "one endless line": '"accepted"' + "x" * 3_000_000,
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", LINES)
def test_a_log_of_somebody_else_is_read_as_far_as_it_makes_sense(name: str, folder: Path) -> None:
    text = LINES[name]
    (folder / "run.log").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert [call(["status", "out"]), call(["retry", "out", "--yes"])] == [0, 1]


@pytest.mark.long
@pytest.mark.sampled(8)
@pytest.mark.parametrize(
    "text",
    [DEEP, "[]", "{", '{"sandbox": {"x": ' + DEEP, '{"pid": 7}', "\x1b[2J", "7", "null"],
    ids=lambda text: text[:12],
)
def test_files_beside_the_state_file_are_read_as_far_as_they_make_sense(
    text: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (
        folder / ".lock.holder",
        tmp_path / "cache" / "wanbatch" / "prices.json",
        tmp_path / "cache" / "wanbatch" / "manifests.json",
        folder / "clips" / "a_t1.json",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    told = [said(command, capsys) for command in (["status", "out"], ["report", "out"], ["retry", "out", "--yes"])]
    assert ([code for code, _ in told], set("".join(text for _, text in told)) & MOVES) == ([0, 0, 1], set())
