"""Columns of the user's own: kept from the manifest to takes.csv, never sent."""

from __future__ import annotations

import csv
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

import wanbatch
from wanbatch.batch.plan import make_plan
from wanbatch.batch.retakes import Retake, plan_retakes
from wanbatch.batch.shots import Batch
from wanbatch.errors import ManifestInvalid, StateInvalid
from wanbatch.manifest import load_manifest
from wanbatch.reporting.csv_tables import TAKE_COLUMNS
from wanbatch.reporting.files import write_reports
from wanbatch.state.file import StateFile
from wanbatch.state.reader import StateReader
from wanbatch.state.tables import new_identity

AT = datetime(2026, 11, 25, tzinfo=UTC)
CSV = "id,x_camera,prompt,X_Lens Size\na,dolly,Snow,\nb,,Ice,=1+2\n"


def load(folder: Path, text: str, name: str = "x.csv") -> Batch:
    (folder / name).write_text(text, encoding="utf-8")
    return load_manifest(folder / name)


def planned(output: Path, batch: Batch) -> None:
    identity = new_identity("x", "sandbox", "", AT, sandbox=True)
    with closing(StateFile.create_or_open(output, identity)) as state:
        state.adopt(make_plan(batch, state.takes(), state.shots()), AT)


def rows_of(output: Path) -> tuple[list[str], list[list[str]]]:
    """Return the names of the user's own columns in takes.csv, and their cells."""
    with StateReader.open(output) as reader:
        path = write_reports(reader, made_at=AT).takes
    names, *rows = csv.reader(path.read_text(encoding="utf-8-sig").splitlines())
    return names[len(TAKE_COLUMNS) :], [row[len(TAKE_COLUMNS) :] for row in rows]


def test_they_are_kept_with_the_shot_and_never_sent(tmp_path: Path) -> None:
    first, second = load(tmp_path, CSV).shots
    assert (dict(first.own), dict(second.own), "x_camera" in first.request) == (
        {"x_camera": "dolly", "x_Lens Size": ""},
        {"x_camera": "", "x_Lens Size": "=1+2"},
        False,
    )


@pytest.mark.parametrize("ending", [".yaml", ".json"])
def test_they_are_read_from_every_format(tmp_path: Path, ending: str) -> None:
    text = '{"version": 1, "defaults": {"x_a": "all"}, "shots": [{"id": "a", "prompt": "x", "x_b": 035, "x_c": true, "x_d": null}]}'
    text = text.replace("035", "35") if ending == ".json" else text
    own = dict(load(tmp_path, text, f"x{ending}").shots[0].own)
    assert own == {"x_a": "all", "x_b": "35" if ending == ".json" else "035", "x_c": "true"}


@pytest.mark.parametrize(
    ("field", "problem"),
    [
        ("x_: 1", "'x_' cannot name a column of your own; expected x_ and 1 to 62 characters"),
        ("x_a: [1]", "x_a is a list; expected text"),
        ("x_a: {b: 1}", "x_a is a group of fields; expected text"),
        ('x_a: "\\a"', "x_a contains the control character U+0007; write it as plain text"),
        (f"x_{'a' * 63}: 1", f"'x_{'a' * 38}…' cannot name a column of your own; expected x_ and 1 to 62 characters"),
        ("X_a: 1", "'X_a' is not a field of a shot; to keep it as a column of your own, call it x_a"),
    ],
)
def test_what_cannot_be_kept_is_a_problem(tmp_path: Path, field: str, problem: str) -> None:
    with pytest.raises(ManifestInvalid) as caught:
        load(tmp_path, f"version: 1\nshots:\n  - id: a\n    prompt: x\n    {field}\n", "x.yaml")
    assert [each.message for each in caught.value.problems] == [problem]


def test_they_stand_at_the_end_of_takes_csv_in_the_order_of_the_manifest(tmp_path: Path) -> None:
    planned(tmp_path / "out", load(tmp_path, CSV))
    assert rows_of(tmp_path / "out") == (["x_camera", "x_Lens Size"], [["dolly", ""], ["", "'=1+2"]])


def test_the_sheet_names_those_that_are_filled(tmp_path: Path) -> None:
    planned(tmp_path / "out", load(tmp_path, "id,x_camera,prompt\na,dolly <in>,Snow\nb,,Ice\n"))
    rows_of(tmp_path / "out")
    cards = (tmp_path / "out" / "storyboard.html").read_text(encoding="utf-8").split("<article ")[1:]
    assert ['<p class="slate own"><span>camera: dolly &lt;in&gt;</span></p>' in each for each in cards] == [True, False]
    assert "slate own" not in cards[1]


def test_an_edit_of_them_alone_is_kept_and_buys_nothing(tmp_path: Path) -> None:
    planned(tmp_path / "out", load(tmp_path, CSV))
    planned(tmp_path / "out", load(tmp_path, "id,prompt,x_crew,x_camera\na,Snow,two,crane\n"))
    planned(tmp_path / "out", load(tmp_path, "id,prompt,x_crew,x_camera\na,Snow,two,crane\nb,Ice,,\n"))
    with StateReader.open(tmp_path / "out") as reader:
        takes = len(reader.takes())
    assert (takes, rows_of(tmp_path / "out")) == (2, (["x_crew", "x_camera"], [["two", "crane"], ["", ""]]))


def test_they_go_with_their_columns_and_stay_with_a_removed_shot(tmp_path: Path) -> None:
    planned(tmp_path / "out", load(tmp_path, CSV))
    planned(tmp_path / "out", load(tmp_path, "id,prompt\na,Snow\n"))
    with StateReader.open(tmp_path / "out") as reader:
        assert reader.own_cells() == {"b": {"x_camera": "", "x_Lens Size": "=1+2"}}


def test_a_retake_leaves_them_as_they_are(tmp_path: Path) -> None:
    planned(tmp_path / "out", load(tmp_path, CSV))
    identity = new_identity("x", "sandbox", "", AT, sandbox=True)
    with closing(StateFile.create_or_open(tmp_path / "out", identity)) as state:
        before = state.own_cells()
        state.adopt(plan_retakes(state.shots(), state.takes(), Retake(("a",))), AT)
        assert state.own_cells() == before != {}


def test_a_state_file_of_an_older_version_has_none_and_takes_them_up(tmp_path: Path) -> None:
    planned(tmp_path / "out", load(tmp_path, CSV))
    with closing(sqlite3.connect(tmp_path / "out" / "state.sqlite")) as older:
        older.execute("DROP TABLE own_cells")
    with StateReader.open(tmp_path / "out") as reader:
        none = reader.own_cells()
    planned(tmp_path / "out", load(tmp_path, CSV))
    assert (none, list(wanbatch.frames(tmp_path / "out").takes.columns)[-2:]) == ({}, ["x_camera", "x_Lens Size"])


@pytest.mark.parametrize("cells", ["[1]", "not JSON", "5"])
def test_a_damaged_row_of_them_is_named(tmp_path: Path, cells: str) -> None:
    planned(tmp_path / "out", load(tmp_path, CSV))
    with closing(sqlite3.connect(tmp_path / "out" / "state.sqlite")) as damaged, damaged:
        damaged.execute("UPDATE own_cells SET cells = ?", (cells,))
    with StateReader.open(tmp_path / "out") as reader, pytest.raises(StateInvalid):
        reader.own_cells()
