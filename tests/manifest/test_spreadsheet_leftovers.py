"""What spreadsheets and programs leave in a table: empty cells written out, errors, ids that became dates or numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.manifest.findings import findings_in

NOTHING = "which people and programs write when there is no text"
CURE = "format the column as text there, write it again, and save the table"
DATE = f"looks like a date: a spreadsheet may have changed it; {CURE}"


@pytest.mark.parametrize(
    "cell", ["nan", "NaN", "NULL", "null", "None", "N/A", "NA", "n.a.", "-", "--", "—", "<NA>", "NaT", "k.A.", "undefined", "...", "(blank)", "Loading...", "\\N", "(null)", "?"]
)  # fmt: skip
def test_a_prompt_that_says_there_is_none_is_refused(tmp_path: Path, cell: str) -> None:
    words = f"prompt is '{cell}', {NOTHING}; write the prompt, or remove the shot"
    in_table = findings_in(tmp_path, f"id,prompt\na,Snow\nb,{cell}\n", "shots.csv")
    in_json = findings_in(tmp_path, json.dumps({"version": 1, "shots": [{"id": "b", "prompt": cell}]}), "x.json")
    assert (in_table, in_json[0]) == (([f"3:3 {words}"], []), [f"1:48 {words}"])


def test_a_prompt_that_says_nothing_may_stay_in_a_shot_that_is_left_out(tmp_path: Path) -> None:
    assert findings_in(tmp_path, "id,prompt,omit\na,Snow,\nb,nan,yes\n", "shots.csv") == ([], [])


@pytest.mark.parametrize("prompt", ["None of the birds fly", "Null island and a buoy", "A-", "Nan bakes bread", "x"])
def test_a_prompt_that_only_begins_so_is_read(tmp_path: Path, prompt: str) -> None:
    assert findings_in(tmp_path, f"id,prompt\na,{prompt}\n", "shots.csv") == ([], [])


def test_other_texts_that_say_nothing_are_told_by_what_they_cost(tmp_path: Path) -> None:
    assert findings_in(tmp_path, "id,prompt,negative_prompt,scene\na,Snow,nan,null\n", "shots.csv") == (
        [f"2:8 negative_prompt is 'nan', {NOTHING}, and it would be sent; leave it empty"],
        [f"2:12 scene is 'null', {NOTHING}; leave it empty"],
    )


@pytest.mark.parametrize("sign", ["#REF!", "#NAME?", "#N/A", "#VALUE!", "#WERT!"])
@pytest.mark.parametrize("field", ["id", "prompt", "duration", "scene"])
def test_an_error_of_a_spreadsheet_is_one_problem(tmp_path: Path, sign: str, field: str) -> None:
    cells = {"id": "a", "prompt": "Snow", "duration": "5", "scene": "sc1"} | {field: sign}
    problems, warnings = findings_in(tmp_path, f"{','.join(cells)}\n{','.join(cells.values())}\n", "shots.csv")
    message = f"{field} is {sign}, a spreadsheet error: fix the formula and save again"
    assert ([each.split(" ", 1)[1] for each in problems], warnings) == ([message], [])


@pytest.mark.parametrize(
    ("shot_id", "problems", "warnings"),
    [
        ("01-Jan", [], [f"2:1 id '01-Jan' {DATE}"]),
        ("Mrz-02", [], [f"2:1 id 'Mrz-02' {DATE}"]),
        ("1.2.2026", [], [f"2:1 id '1.2.2026' {DATE}"]),
        ("2026-01-01", [], [f"2:1 id '2026-01-01' {DATE}"]),
        ("2026-01-01 00:00:00", [f"2:1 id '2026-01-01 00:00:00' {DATE}"], []),
        ("1/2/2026", [f"2:1 id '1/2/2026' {DATE}"], []),
        ("02. Jan", [f"2:1 id '02. Jan' {DATE}"], []),
        ("1.0E+05", [f"2:1 id '1.0E+05' looks like a large number that a spreadsheet shortened; {CURE}"], []),
        ("1E5", [], [f"2:1 id '1E5' looks like a large number that a spreadsheet shortened; {CURE}"]),
        ("nan", [], ["2:1 id 'nan' is what programs write into an empty cell; give the shot an id, or remove the row"]),
        ("sc01-jan", [], []),
        ("v1.2.3", [], []),
    ],
)  # fmt: skip
def test_an_id_that_a_spreadsheet_changed_is_told_with_the_cause(
    tmp_path: Path, shot_id: str, problems: list[str], warnings: list[str]
) -> None:
    assert findings_in(tmp_path, f"id,prompt\n{shot_id},Snow\n", "shots.csv") == (problems, warnings)


@pytest.mark.parametrize("field", ["scene", "sequence", "cost_code"])
def test_another_name_that_a_spreadsheet_changed_is_warned_of(tmp_path: Path, field: str) -> None:
    assert findings_in(tmp_path, f"id,prompt,{field}\na,Snow,01-Jan\n", "shots.csv") == (
        [],
        [f"2:8 {field} '01-Jan' {DATE}"],
    )


def test_ids_that_are_one_number_are_warned_of(tmp_path: Path) -> None:
    words = "did a spreadsheet change one of them? They are different shots, and each would be bought"
    assert findings_in(tmp_path, "id,prompt\n001,Snow\n1,Ice\n2,Fog\n1.0,Rain\nsc1,Hail\n", "shots.csv") == (
        [],
        [f"2:1 id '001' is the same number as '1' on line 3 and '1.0' on line 5: {words}"],
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sep=,\nid;prompt\na;Snow\n", "commas separate the cells, but the header below it uses semicolons: write sep=; here, or remove this line"),
        ('"sep=;"\nid,prompt\na,Snow\n', "semicolons separate the cells, but the header below it uses commas: write sep=, here, or remove this line"),
        ("sep=,\n\nid\tprompt\na\tSnow\n", "commas separate the cells, but the header below it uses tabs: remove this line"),
        ("sep=:\nid;prompt\na;Snow\n", ": characters separate the cells, but the header below it uses semicolons: write sep=; here, or remove this line"),
    ],
)  # fmt: skip
def test_a_separator_line_that_the_header_contradicts_is_refused(tmp_path: Path, text: str, message: str) -> None:
    assert findings_in(tmp_path, text, "shots.csv") == ([f"1:1 this line says that {message}"], [])


@pytest.mark.parametrize(
    "text", ["sep=;\nid;prompt\na;Snow, ice\n", "sep=,\nprompt\nSnow; ice\n", "sep=;\nx;y\nid;prompt\na;Snow\n"]
)
def test_a_separator_line_that_agrees_is_obeyed(tmp_path: Path, text: str) -> None:
    assert findings_in(tmp_path, text, "shots.csv") == ([], [])


def test_the_index_of_pandas_is_named(tmp_path: Path) -> None:
    words = "text in a column without a name (also in 1 more rows); name the column in line 1, or remove the text"
    assert findings_in(tmp_path, ",id,prompt\n0,a,Snow\n1,b,Ice\n", "shots.csv")[0] == [
        f"2:1 {words}; pandas writes its index like this: save the table with index=False"
    ]


def test_an_id_in_quotation_marks_is_warned_of(tmp_path: Path) -> None:
    words = "has quotation marks, which would be in the names of its files; remove them"
    assert findings_in(tmp_path, "id,prompt\n“a”,Snow\n🐈,Ice\nb’s,Fog\n", "shots.csv") == (
        [],
        [f"2:1 id '“a”' {words}"],
    )
