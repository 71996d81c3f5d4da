"""Excel workbooks as manifests: values alone are read, each problem names its cell, and what is unsafe is refused."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.manifest.books import Rows, openpyxl, rewrite, write_book
from wanbatch.errors import ManifestInvalid, UsageInvalid, cell_text
from wanbatch.manifest import load_manifest
from wanbatch.manifest.column_map import NO_MAP
from wanbatch.manifest.file_text import Located
from wanbatch.manifest.tree import Problems, ReadingStopped
from wanbatch.manifest.workbook import read_workbook

SHEET = "xl/worksheets/sheet1.xml"
HEAD = ["id", "prompt", "duration"]


def told(path: Path | str) -> list[str]:
    """Return the problems of a workbook, each as a user sees it, without the folder."""
    with pytest.raises(ManifestInvalid) as caught:
        load_manifest(path)
    folder = f"{Path(path).parent}/"
    return [str(each).replace(folder, "") for each in caught.value.problems]


def warned(path: Path) -> list[str]:
    return [str(each).replace(f"{path.parent}/", "") for each in load_manifest(path).warnings]


def test_a_sheet_is_read_as_the_csv_file_that_excel_would_save(tmp_path: Path) -> None:
    rows: Rows = [
        ["Winter film", None],
        [],
        ["ID", "Prompt", "Duration", "Takes", "Generate audio", "Tags", "x_note", "scene", None],
        [1, "  A fox,\r\nasleep_x000D_\nnow ", 5.0, "2", True, "a; b", 0.5, "007"],
        [],
        ["b", 12, None, None, False, None, None, 7],
    ]
    path = write_book(tmp_path / "film.xlsx", Shots=rows)
    batch = load_manifest(path)
    first, second = batch.shots
    assert (batch.name, first.id, first.prompt, first.request["duration"], first.takes, first.tags, dict(first.own)) == (
        "film", "1", "A fox,\nasleep\nnow", 5, 2, ("a", "b"), {"x_note": "0.5"},
    )  # fmt: skip
    assert (first.request["generate_audio"], first.scene, second.prompt, second.scene, second.line) == (
        True, "007", "12", "7", 6,
    )  # fmt: skip


def test_a_number_has_the_zeros_that_its_cell_shows(tmp_path: Path) -> None:
    def format_ids(book: Any) -> None:
        book["S"]["A2"].number_format = "000"

    path = write_book(tmp_path / "x.xlsx", format_ids, S=[HEAD, [7, "Snow", 5]])
    assert load_manifest(path).shots[0].id == "007"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (date(2026, 3, 1), "'2026-03-01' looks like a date"),
        (
            datetime(2026, 3, 1, 4, 5),  # noqa: DTZ001 - a cell has no zone
            "'2026-03-01 04:05:00' looks like a date",
        ),
        (1.2345678901234567e18, "'1.234567890123457e+18' looks like a large number"),
    ],
)
def test_what_excel_made_of_a_scene_is_told_at_its_cell(tmp_path: Path, value: object, said: str) -> None:
    path = write_book(tmp_path / "x.xlsx", S=[["id", "prompt", "scene"], ["a", "Snow", value]])
    [warning] = warned(path)
    assert warning.startswith(f"x.xlsx#S:C2 scene {said}")


CASES: list[tuple[str, Rows, list[str]]] = [
    ("wrong value", [HEAD, ["a", "Snow", 7]], ["C2 duration is 7; alibaba/wan-2-6-t2v accepts 5, 10 or 15"]),
    ("an error", [HEAD, ["a", "#REF!", 5]], ["B2 prompt is #REF!, a spreadsheet error: fix the formula and save again"]),
    ("two ids", [HEAD, ["a", "Snow", 5], ["a", "Ice", 5]], ["A3 id 'a' is already used in row 2; choose another"]),
    (
        "a time that was a ratio",
        [["id", "prompt", "aspect_ratio"], ["a", "Snow", time(16, 9)]],
        ["C2 aspect_ratio is '16:09:00'; alibaba/wan-2-6-t2v accepts 16:9, 9:16, 1:1, 4:3 or 3:4; did you mean 16:9?"],
    ),
    (
        "text beside the table",
        [HEAD, ["a", "Snow", 5, None, "Ann: ok?"]],
        ["E2 text in a column without a name; name the column in row 1, or remove the text"],
    ),
    (
        "a column twice",
        [["id", "prompt", "prompt"], ["a", "Snow", "x"]],
        ["C1 prompt names a second column; the first begins at column B"],
    ),
    (
        "no header",
        [["a", "Snow"], ["b", "Ice"]],
        ["A1 no header row: add a first row with the names of the columns, such as id,prompt,duration"],
    ),
    ("no prompts", [["id", "duration"], ["a", 5]], ["A1 no prompt column; every shot needs one"]),
    ("a sum", [HEAD, ["a", "Snow", 5], ["Total", None, 5]], ["A3 this row looks like a total, not a shot; remove it"]),
    ("a control character", [HEAD, ["a", "Sn_x0007_ow", 5]], ["B2 prompt contains the control character U+0007; write it as plain text"]),
    ("empty", [[]], ["this workbook is empty"]),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "problems"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_problem_names_its_cell(tmp_path: Path, rows: Rows, problems: list[str]) -> None:
    path = write_book(tmp_path / "x.xlsx", Shots=rows)
    begin = "x.xlsx: " if problems[0].startswith("this") and "row" not in problems[0] else "x.xlsx#Shots:"
    assert told(path) == [begin + each for each in problems]


def test_cells_far_to_the_right_have_letters() -> None:
    assert [cell_text(7, column) for column in (1, 26, 27, 52, 703)] == ["A7", "Z7", "AA7", "AZ7", "AAA7"]


# --- formulas and merged cells


def test_a_formula_counts_with_the_value_that_was_saved_and_one_without_is_named(tmp_path: Path) -> None:
    path = write_book(tmp_path / "x.xlsx", S=[HEAD, ["a", '="Snow"', "=2+3"]])
    assert told(path) == [
        f"x.xlsx#S:{cell} a formula without a value: open the workbook in Excel, which calculates it, and save it there"
        for cell in ("B2", "C2")
    ]
    rewrite(
        path,
        {
            SHEET: lambda xml: (
                xml.replace(b"<v />", b"<v>5</v>").replace(b"<v></v>", b"<v>5</v>").replace(b"<v/>", b"<v>5</v>")
            )
        },
    )
    assert (load_manifest(path).shots[0].prompt, load_manifest(path).shots[0].request["duration"]) == ("5", 5)


def test_a_formula_may_give_an_empty_text(tmp_path: Path) -> None:
    def as_text(xml: bytes) -> bytes:
        begin = xml.index(b'<c r="C2"')
        end = xml.index(b"</c>", begin) + 4
        return xml[:begin] + b'<c r="C2" t="str"><f>IF(A9=1,5,A8)</f><v></v></c>' + xml[end:]

    path = write_book(tmp_path / "x.xlsx", S=[HEAD, ["a", "Snow", "=A1"]])
    rewrite(path, {SHEET: as_text})
    assert "duration" not in load_manifest(path).shots[0].request


def merging(*ranges: str) -> Callable[[Any], None]:
    def merge(book: Any) -> None:
        for each in ranges:
            book["S"].merge_cells(each)

    return merge


def test_merged_cells_are_named_from_the_header_on(tmp_path: Path) -> None:
    rows: Rows = [["My film"], [], ["scene", *HEAD], ["1", "a", "Snow", 5], [None, "b", "Ice", 5], ["2", "c", "Fog", 5]]
    path = write_book(tmp_path / "x.xlsx", merging("A1:D2", "A4:A5"), S=rows)
    words = "the cells A4 to A5 are merged, so only the first has a value: unmerge them, and write the value into each"
    assert told(path) == [f"x.xlsx#S:A4 {words}"]


def test_a_heading_across_a_row_is_told_as_a_heading(tmp_path: Path) -> None:
    rows: Rows = [HEAD, ["Scene one"], ["a", "Snow", 5]]
    [problem] = told(write_book(tmp_path / "x.xlsx", merging("A2:C2"), S=rows))
    assert problem.startswith("x.xlsx#S:A2 this row contains only 'Scene one': if it is a heading, remove it")


# --- sheets


def test_cells_that_are_merged_downwards_in_a_column_that_is_filled_down_are_no_problem(tmp_path: Path) -> None:
    rows: Rows = [["Scene", "id", "prompt"], ["s1", "a", "Snow"], [None, "b", "Ice"], ["s2", "c", "Fog"]]
    path = write_book(tmp_path / "x.xlsx", lambda book: book["S"].merge_cells("A2:A3"), S=rows)
    (tmp_path / "x.map.yaml").write_text("columns: {Scene: 'scene, fill down'}\n")
    assert [shot.scene for shot in load_manifest(path).shots] == ["s1", "s1", "s2"]
    (tmp_path / "x.map.yaml").write_text("columns: {Scene: scene}\n")
    assert told(path)[0].startswith("x.xlsx#S:A2 the cells A2 to A3 are merged")


def test_a_sheet_is_named_behind_the_file_and_is_a_batch_of_its_own(tmp_path: Path) -> None:
    path = write_book(tmp_path / "film.xlsx", **{"Act 1": [HEAD, ["a", "Snow", 5]], "Act 2.1": [HEAD, ["b", "Ice", 5]]})
    second = load_manifest(f"{path}#act 2.1")
    assert (second.name, second.shots[0].id) == ("film-act-2.1", "b")
    words = "this workbook has several sheets, 'Act 1' and 'Act 2.1'; name the one with the shots"
    assert told(path) == [f"film.xlsx: {words}: 'film.xlsx#Act 1', or sheet: in film.map.yaml"]
    assert told(f"{path}#Act 3") == [
        "film.xlsx: this workbook has no sheet 'Act 3'; it has 'Act 1' and 'Act 2.1'; did you mean Act 1?"
    ]
    (tmp_path / "film.map.yaml").write_text("version: 1\nsheet: Act 3\n")
    assert told(path) == [
        "film.map.yaml:2:8 film.xlsx has no sheet 'Act 3'; it has 'Act 1' and 'Act 2.1'; did you mean Act 1?"
    ]
    (tmp_path / "whole.yaml").write_text("version: 1\ntable: {file: film.xlsx, sheet: Act 3}\n")
    assert told(tmp_path / "whole.yaml")[0].startswith("whole.yaml:2:33 film.xlsx has no sheet 'Act 3'")
    (tmp_path / "film.map.yaml").write_text("sheet: Act 2.1\n")
    assert load_manifest(path).shots[0].id == "b"


def test_hidden_and_empty_sheets_do_not_count(tmp_path: Path) -> None:
    def hide(book: Any) -> None:
        book["Old"].sheet_state = "hidden"

    path = write_book(tmp_path / "x.xlsx", hide, Old=[HEAD, ["z", "Old", 5]], Empty=[], Shots=[HEAD, ["a", "Snow", 5]])
    assert [shot.id for shot in load_manifest(path).shots] == ["a"]


# --- what is refused


def bomb(path: Path) -> None:
    rewrite(path, more={"xl/media/x.xml": b"\0" * (8 * 1024 * 1024)})


def external_link(path: Path) -> None:
    rewrite(path, more={"xl/externalLinks/externalLink1.xml": b"<x/>"})


def macros(path: Path) -> None:
    rewrite(path, more={"xl/vbaProject.bin": b"x"})


def entity(path: Path) -> None:
    declared = b'<?xml version="1.0"?><!DOCTYPE w [<!ENTITY a "b">]>'
    rewrite(path, {SHEET: lambda xml: declared + xml[xml.index(b"<worksheet") :]})


def wide_entity(path: Path) -> None:
    text = '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE w [<!ENTITY a "b">]><w/>'
    rewrite(path, {SHEET: lambda _: text.encode("utf-16")})


def password(path: Path) -> None:
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600)


def text(path: Path) -> None:
    path.write_text("id,prompt\na,Snow\n")


def archive(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("shots.csv", "id,prompt\n")


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def no_sheet(path: Path) -> None:
    rewrite(path, {"xl/_rels/workbook.xml.rels": lambda xml: xml.replace(b"sheet1.xml", b"sheet9.xml")})


def broken_xml(path: Path) -> None:
    rewrite(path, {SHEET: lambda xml: xml[:-30]})


REFUSED = {
    bomb: "this workbook would unpack to 8 MiB, as a zip bomb does, so it was not opened",
    external_link: "this workbook takes values from other workbooks, which could be out of date",
    macros: "this workbook contains macros, so it was not opened: save it as .xlsx, which has none",
    entity: f"{SHEET} in this workbook contains a DOCTYPE declaration, which Excel never writes",
    wide_entity: f"{SHEET} in this workbook contains a DOCTYPE declaration, which Excel never writes",
    password: "this workbook has a password, or was saved by an old version of Excel: save it as .xlsx without a password",
    text: "this is not a workbook; if it is text with commas or tabs, give it a name that ends in .csv",
    archive: "this is a zip archive, but not a workbook: save the sheet as .xlsx or as CSV",
    cut_off: "this workbook is damaged: open it in Excel and save it again",
    no_sheet: "this workbook is empty",
    broken_xml: "this workbook is damaged, or of a kind that cannot be read: open it in Excel and save it again",
}


@pytest.mark.parametrize("spoil", REFUSED, ids=lambda spoil: spoil.__name__)
def test_what_is_not_safe_or_not_whole_is_refused_with_one_sentence(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    path = write_book(tmp_path / "x.xlsx", Shots=[HEAD, ["a", "Snow", 5]])
    spoil(path)
    [problem] = told(path)
    assert problem.split(": ", 1)[1].startswith(REFUSED[spoil]) or problem.split(" ", 1)[1].startswith(REFUSED[spoil])


@pytest.mark.parametrize(
    ("ending", "cure"), [(".xlsm", "it may run macros"), (".ods", "save the sheet as .xlsx or as CSV")]
)
def test_other_workbooks_are_refused_by_their_ending(tmp_path: Path, ending: str, cure: str) -> None:
    (tmp_path / f"x{ending}").write_bytes(b"PK")
    [problem] = told(tmp_path / f"x{ending}")
    assert cure in problem


def test_a_part_that_lies_about_its_size_is_read_no_further(tmp_path: Path) -> None:
    path = write_book(tmp_path / "x.xlsx", Shots=[HEAD, ["a", "Snow", 5]])
    rewrite(path, more={"xl/media/x.xml": b"\0" * (8 * 1024 * 1024)})
    raw = bytearray(path.read_bytes())
    at = raw.rindex(b"PK\x01\x02")  # the entry of the last part in the list of the archive
    raw[at + 24 : at + 28] = struct.pack("<I", 1000)
    path.write_bytes(raw)
    assert told(path) == ["x.xlsx: this workbook is damaged: open it in Excel and save it again"]


@pytest.mark.long
@pytest.mark.parametrize("cell", ["A1048576", "XFD2"])
def test_a_stray_cell_at_the_end_of_the_sheet_is_told_soon(tmp_path: Path, cell: str) -> None:
    def put(book: Any) -> None:
        book["S"][cell] = "x"

    path = write_book(tmp_path / "x.xlsx", put, S=[HEAD, ["a", "Snow", 5]])
    assert told(path)


def test_a_sheet_with_too_many_rows_is_refused(tmp_path: Path) -> None:
    path = write_book(tmp_path / "x.xlsx", S=[HEAD, *[[f"s{n}", "Snow", 5] for n in range(20)]])
    problems = Problems("x.xlsx")
    with pytest.raises(ReadingStopped):
        read_workbook(Located(path), NO_MAP, problems, rows_cap=10)
    assert list(map(str, problems.found)) == ["x.xlsx#S:A12 this sheet has more than 10 rows: save it as CSV"]


def test_an_archive_of_many_parts_is_refused(tmp_path: Path) -> None:
    path = write_book(tmp_path / "x.xlsx", S=[HEAD, ["a", "Snow", 5]])
    rewrite(path, more={f"xl/media/{number}.xml": b"" for number in range(2001)})
    assert told(path) == [
        "x.xlsx: this workbook has parts that Excel does not write: open it in Excel and save it again"
    ]


def test_without_the_library_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_book(tmp_path / "x.xlsx", S=[HEAD, ["a", "Snow", 5]])
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    with pytest.raises(UsageInvalid, match=r"pip install 'wanbatch\[xlsx\]'"):
        load_manifest(path)


def test_a_workbook_keeps_its_columns_beyond_what_it_declares(tmp_path: Path) -> None:
    path = write_book(tmp_path / "x.xlsx", S=[HEAD, ["a", "Snow", 5], ["b", "Ice", 10]])
    rewrite(path, {SHEET: lambda xml: xml.replace(b'ref="A1:C3"', b'ref="A1:A1"')})
    assert [shot.request["duration"] for shot in load_manifest(path).shots] == [5, 10]


@pytest.mark.long
@settings(max_examples=40, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.data())
def test_no_damage_to_a_workbook_gives_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = write_book(tmp_path_factory.mktemp("x") / "x.xlsx", S=[HEAD, ["a", "Snow", 5], ["b", "=A1", 10]])
    with zipfile.ZipFile(path) as held:
        name = data.draw(st.sampled_from([each for each in held.namelist() if each.endswith((".xml", ".rels"))]))
        part = bytearray(held.read(name))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(part) - 1))
        part[at : at + data.draw(st.integers(0, 6))] = data.draw(
            st.sampled_from([b"", b"9", b"<", b"-1", b'"', b"x", b"\xff"])
        )
    rewrite(path, {name: lambda _: bytes(part)})
    with suppress(ManifestInvalid):
        assert load_manifest(path).shots


def test_openpyxl_is_the_version_that_the_bounds_name() -> None:
    assert tuple(map(int, openpyxl.__version__.split(".")[:2])) >= (3, 1)
