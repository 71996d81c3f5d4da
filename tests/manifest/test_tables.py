"""Tables as spreadsheets, databases and people save them: read, or one problem with its cause and its cure."""

from __future__ import annotations

from pathlib import Path

import pytest

from wanbatch.batch.shots import Batch
from wanbatch.errors import ManifestInvalid
from wanbatch.manifest import load_manifest

T2V = "alibaba/wan-2-6-t2v"
TAKES = f"{T2V} accepts"


def load(folder: Path, text: str | bytes, name: str = "shots.csv") -> Batch:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_manifest(folder / name)


def told(folder: Path, text: str | bytes, name: str = "shots.csv") -> list[str]:
    """Return the problems of a table; of one that can be read its shots."""
    try:
        batch = load(folder, text, name)
    except ManifestInvalid as error:
        return [f"{each.line}:{each.column} {each.message}" for each in error.problems]
    return [f"{shot.id}: {shot.prompt}" for shot in batch.shots]


READ = ["a: A fox, asleep", "b: Snow"]


@pytest.mark.parametrize(
    "text",
    [
        'id,prompt,duration\na,"A fox, asleep",5\nb,Snow,10\n',
        'id, prompt, duration\na, "A fox, asleep", 5\nb, "Snow" , 10\n',
        "id;prompt;duration\na;A fox, asleep;5\nb;Snow;10\n",
        "id\tprompt\tduration\na\tA fox, asleep\t5\nb\tSnow\t10\n",
        "sep=;\nid;prompt;duration\na;A fox, asleep;5\nb;Snow;10\n",
        '"sep=;"\r\nid;prompt;duration\r\na;A fox, asleep;5\r\nb;Snow;10\r\n',
        "\ufeff\ufeffid;prompt;duration\na;A fox, asleep;5\nb;Snow;10\n",
        'id,prompt,duration,,\na,"A fox, asleep",5,,\nb,Snow,10,,\n,,,,\n',
        'id,prompt,duration\na,"A fox, asleep",5,,,\nb,Snow,10\n',
        'Winter film v2,,\n,,\nid,prompt,duration\na,"A fox, asleep",5\nb,Snow,10\n',
        '"Film, part 1"\nDirector:,nobody yet,\n\nid,prompt,duration\na,"A fox, asleep",5\nb,Snow,10\n',
        'ID,Prompt ,Aspect-Ratio\na,"A fox, asleep",16:9\nb,Snow,9:16\n',
        'id,prompt\na,"A fox, asleep"\nid,prompt\nb,Snow\n',
        '\u00a0id,prompt\u2003\n\u00a0a\u00a0,\u3000"A fox, asleep"\nb,\tSnow\t\n',
    ],
)
def test_the_same_table_however_it_was_saved(tmp_path: Path, text: str) -> None:
    assert told(tmp_path, text) == READ


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_unicode_text_of_a_spreadsheet_is_read(tmp_path: Path, encoding: str) -> None:
    text = "id\tprompt\tduration\r\na\tA fox, asleep\t5\r\nb\tSnow\t6\r\n"
    problem = [f"3:8 duration is 6; {TAKES} 5, 10 or 15"]
    assert (
        told(tmp_path, text.encode(encoding)),
        told(tmp_path, text.replace("6", "5").encode(encoding), "x.tsv"),
    ) == (
        problem,
        READ,
    )


def test_blanks_round_cells_are_taken_away_everywhere(tmp_path: Path) -> None:
    names = "id,prompt,scene,sequence,cost_code,resolution,aspect_ratio,tags,generate_audio,model,notes"
    cells = "a ,  Snow ,\u00a0sc1, one ,W-1\u2003, 720p,16:9 , x ; y ,\tTRUE ,alibaba/wan-2-6-t2v , ok "
    shot = load(tmp_path, f"{names}\n{cells}\n").shots[0]
    planning = (shot.id, shot.scene, shot.sequence, shot.cost_code, shot.tags, shot.notes)
    assert (planning, dict(shot.request)) == (
        ("a", "sc1", "one", "W-1", ("x", "y"), "ok"),
        {"model": T2V, "prompt": "Snow", "resolution": "720p", "aspect_ratio": "16:9", "generate_audio": True},
    )


@pytest.mark.parametrize("ending", [".yaml", ".json"])
def test_a_scene_has_no_blanks_in_any_format(tmp_path: Path, ending: str) -> None:
    text = '{"version": 1, "shots": [{"id": "a", "prompt": "x", "scene": " sc1 ", "cost_code": "W ", "tags": ["n "]}]}'
    shot = load(tmp_path, text, f"x{ending}").shots[0]
    assert (shot.scene, shot.cost_code, shot.tags) == ("sc1", "W", ("n",))


@pytest.mark.parametrize(
    ("delimiter", "cell", "value"),
    [(",", "5.0", 5), (",", "10.00", 10), (";", "5,0", 5), (";", "5.0", 5), ("\t", "15,00", 15), (",", " 5 ", 5)],
)
def test_a_whole_number_may_have_a_fraction_of_zero(tmp_path: Path, delimiter: str, cell: str, value: int) -> None:
    header, row = ["id", "prompt", "duration", "takes", "seed"], ["1.0", "Snow", cell, "2.0", "1101.0"]
    shot = load(tmp_path, "\n".join(map(delimiter.join, (header, row)))).shots[0]
    assert (shot.id, shot.request["duration"], shot.takes, shot.seed) == ("1.0", value, 2, 1101)


@pytest.mark.parametrize(
    ("field", "cell", "problem"),
    [
        ("duration", "5.5", f"duration is '5.5'; {TAKES} 5, 10 or 15"),
        ("duration", '"5,0"', f"duration is '5,0'; {TAKES} 5, 10 or 15; write 5"),
        ("duration", "10 s", f"duration is '10 s'; {TAKES} 5, 10 or 15; write 10"),
        ("duration", "5sec", f"duration is '5sec'; {TAKES} 5, 10 or 15; write 5"),
        (
            "seed",
            '"1,101"',
            "seed is '1,101'; expected a whole number; write it without separators between the digits: 1101",
        ),
        (
            "seed",
            "1 101",
            "seed is '1 101'; expected a whole number; write it without separators between the digits: 1101",
        ),
        (
            "seed",
            "1.1E+09",
            (
                "seed is '1.1E+09'; expected a whole number; a spreadsheet has shortened it: format the column as whole numbers"
                " there and save again"
            ),
        ),
        (
            "seed",
            "4.29E9",
            "seed is '4.29E9'; expected a whole number; a spreadsheet has shortened it: format the column as whole numbers there and save again",
        ),
        ("takes", "2x", "takes is '2x'; expected a whole number; write 2"),
        ("takes", "many", "takes is 'many'; expected a whole number"),
        ("omit", "x", "omit is 'x'; expected true or false; write true"),
        ("omit", "FALSCH", "omit is 'FALSCH'; expected true or false; write false"),
        ("resolution", "1280x720", f"resolution is '1280x720'; {TAKES} 720p or 1080p; did you mean 720p?"),
        ("resolution", "4k", f"resolution is '4k'; {TAKES} 720p or 1080p"),
        ("aspect_ratio", "16:09", f"aspect_ratio is '16:09'; {TAKES} 16:9, 9:16, 1:1, 4:3 or 3:4; did you mean 16:9?"),
        (
            "aspect_ratio",
            "04:03:00",
            f"aspect_ratio is '04:03:00'; {TAKES} 16:9, 9:16, 1:1, 4:3 or 3:4; did you mean 4:3?",
        ),
        ("aspect_ratio", "9x16", f"aspect_ratio is '9x16'; {TAKES} 16:9, 9:16, 1:1, 4:3 or 3:4; did you mean 9:16?"),
        ("aspect_ratio", "2:1", f"aspect_ratio is '2:1'; {TAKES} 16:9, 9:16, 1:1, 4:3 or 3:4"),
        ("aspect_ratio", "wide", f"aspect_ratio is 'wide'; {TAKES} 16:9, 9:16, 1:1, 4:3 or 3:4"),
        (
            "shot_type",
            "CU",
            f"shot_type is 'CU'; {TAKES} single or multi; for the framing of a shot, use a column of your own such as x_shot_type",
        ),
        ("notes", "#REF!", "notes is #REF!, a spreadsheet error: fix the formula and save again"),
        ("scene", "#N/A", "scene is #N/A, a spreadsheet error: fix the formula and save again"),
    ],
)
def test_a_cell_that_is_wrong_says_what_to_write(tmp_path: Path, field: str, cell: str, problem: str) -> None:
    assert told(tmp_path, f"id,prompt,{field}\na,Snow,{cell}\n") == [f"2:8 {problem}"]


_HEADING = "if it is a heading, remove it; name the scene in a scene column, in the row of each shot"
_NO_HEADER = "no header row: add a first row with the names of the columns, such as id,prompt,duration"
_NOT_BETWEEN = "this line names columns, but no commas, semicolons or tabs separate them; save the table as CSV again"
_PIPES = "the cells of this table are separated by | characters; write commas instead, remove any line of dashes, and put cells with"


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("id,prompt,takes\nScene 2,,\na,Snow,1\n", [f"2:1 this row contains only 'Scene 2': {_HEADING}"]),
        ("id,prompt,takes\nScene 2\na,Snow,1\n", [f"2:1 this row contains only 'Scene 2': {_HEADING}"]),
        ("scene,id,prompt\nStorm,,\n,a,Snow\n", [f"2:1 this row contains only 'Storm': {_HEADING}"]),
        ("id,prompt,takes\na,Snow,1\nTotal,,1\n", ["3:1 this row looks like a total, not a shot; remove it"]),
        ("prompt,takes\nSnow,1\nTotal,1\n", ["3:1 this row looks like a total, not a shot; remove it"]),
        (
            "id,prompt,takes\na,Snow,1\n,,1\n",
            ["3:3 a row with neither id nor prompt: if it is a total or a comment, remove it"],
        ),
        ("id,prompt,takes\na,,\n", ["2:1 prompt is missing; say what the clip shows"]),
        ("prompt,takes\n,2\n", ["2:1 prompt is missing; say what the clip shows, or remove the row"]),
        (
            "id,prompt,takes,\na,Snow,1,night\nb,Ice,1,\nc,Fog,1,day\n",
            [
                "2:10 text in a column without a name (also in 1 more rows); name the column in line 1, or remove the text"
            ],
        ),
        (
            "id,prompt,takes\na,Snow, slowly,1\nb,Ice\n",
            [
                "2:1 4 cells, but the header names 3 columns; put text that contains commas in double quotes",
                "3:1 2 cells, but the header names 3 columns; write the missing commas, even for an empty cell",
            ],
        ),
        (
            "prompt\nSnow, slowly\n",
            ["2:1 2 cells, but the header names 1 column; put text that contains commas in double quotes"],
        ),
        ("sh1,Snow,5\nsh2,Ice,5\n", [f"1:1 {_NO_HEADER}"]),
        ("sh1;Snow;5\nsh2;Ice;5\n", [f"1:1 {_NO_HEADER} (the cells are separated by semicolons here)"]),
        ("Snow\nIce\n", [f"1:1 {_NO_HEADER}; for a plain list of prompts, one per line, use a .txt file"]),
        ("id|prompt\na|Snow\n", [f"1:1 {_PIPES} a comma in double quotes"]),
        ("| id | prompt |\n|---|---|\n| a | Snow |\n", [f"1:1 {_PIPES} a comma in double quotes"]),
        ("id:prompt:takes\na:Snow:1\n", [f"1:1 {_NOT_BETWEEN}"]),
        ('"id,prompt,takes"\n"a,Snow,1"\n', [f"1:1 {_NOT_BETWEEN}"]),
        ("id  prompt\na   Snow\n", [f"1:1 {_NOT_BETWEEN}"]),
        ("version: 1\nshots:\n", ["1:1 this looks like YAML; rename the file to .yaml"]),
        (
            "id,prompt\na,“Snow, slowly”\n",
            [
                '2:1 3 cells, but the header names 2 columns; only straight double quotes (") keep text with commas together'
            ],
        ),
        ("id,prompt,x_a,X_A\na,Snow,1,2\n", ["1:15 x_a names a second column; the first begins at column 11"]),
        (
            "id,prompt,Duration (min)\na,Snow,1\n",
            [
                "1:11 'Duration (min)' is not a column of a manifest; to keep it as a column of your own, call it x_duration_min"
            ],
        ),
        ('[{"id": "a", "prompt": "Snow"}]', ["1:1 this looks like JSON; rename the file to .json"]),
        ('id, prompt\na, "Snow\nb, Ice\n', ["2:4 a quote that begins here is never closed"]),
        (
            'id;prompt\na;"Snow" falls\n',
            [
                (
                    '2:3 text after a closing quote; write a quote inside a quoted cell twice (""); the cells are separated'
                    " by semicolons"
                )
            ],
        ),
        ("id,ID,prompt\na,b,Snow\n", ["1:4 id names a second column; the first begins at column 1"]),
        (
            "id;prompt;notes, private\na;Snow;x\n",
            [
                (
                    "1:11 'notes, private' is not a column of a manifest; to keep it as a column of your own, call it"
                    " x_notes_private (the columns are separated by semicolons here)"
                )
            ],
        ),
    ],
)
def test_what_is_no_shot_is_one_problem_with_its_cause(tmp_path: Path, text: str, problems: list[str]) -> None:
    assert told(tmp_path, text) == problems


@pytest.mark.parametrize(
    "above", ["", "sep=,\n", "Winter film,,\n\n", '"Winter\nfilm",,\n', "\ufeff", "\ufeffWinter film,,\r\n,,\r\n"]
)
def test_a_problem_is_told_where_it_stands_in_the_file(tmp_path: Path, above: str) -> None:
    text = f'{above}id,prompt,duration\na,"Snow\nfalls",5\nb, Ice,7\n'
    line = text.count("\n")
    assert told(tmp_path, text) == [f"{line}:8 duration is 7; {TAKES} 5, 10 or 15"]


def test_ids_are_made_of_prompts_where_no_column_holds_them(tmp_path: Path) -> None:
    table = load(tmp_path, "prompt,duration\nSnow falls,5\nIce,5\nSnow falls,10\n")
    empty = load(tmp_path, "id,prompt\n,Snow falls\n,Ice\n,Snow falls\n")
    text = load(tmp_path, "Snow falls\nIce\nSnow falls\n", "shots.txt")
    assert [[shot.id for shot in each.shots] for each in (table, empty)] == [[shot.id for shot in text.shots]] * 2


@pytest.mark.parametrize("begin", [b"PK\x03\x04\x14\x00", b"\xd0\xcf\x11\xe0\xa1"])
def test_a_workbook_with_the_ending_of_a_table_is_named(tmp_path: Path, begin: bytes) -> None:
    assert told(tmp_path, begin) == ["1:1 this is a workbook or an archive, not text; save the sheet as CSV"]


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    text = "id,prompt,style,rating,duration\na,Snow,x,,7\nScene 2,,,,\nb,,y,,5.5\n"
    assert [each.split(";")[0] for each in told(tmp_path, text)] == [
        "1:11 'style' is not a column of a manifest",
        "1:17 'rating' is not a column of a manifest",
        "2:11 duration is 7",
        "3:1 this row contains only 'Scene 2': if it is a heading, remove it",
        "4:1 prompt is missing",
        "4:7 duration is '5.5'",
    ]


def test_a_quote_inside_a_text_after_a_blank_is_kept(tmp_path: Path) -> None:
    assert told(tmp_path, 'id, prompt\na, "Stop" says a sign\nb, A 5" nail\n') == [
        'a: "Stop" says a sign',
        'b: A 5" nail',
    ]


# --- names of people and of other tools

NAMES = {
    "id": ["Shot", "Shot ID", "Shot #", "Shot No.", "#", "镜号"],
    "prompt": ["Description", "Text", "Prompt text", "Shot description", "Beschreibung", "promt"],
    "duration": [
        "Duration (s)",
        "Length",
        "length",
        "Seconds",
        "Clip length",
        "Dauer",
        "Dauer (Sek.)",
        "Length [sec]",
        "durration",
    ],
    "aspect_ratio": ["ratio", "Aspect", "AR", "aspectratio", "Video ratio"],
    "resolution": ["Size", "Video size", "resolutoin"],
    "negative_prompt": ["Neg prompt", "Negative", "neg. prompt"],
    "scene": ["Scene No.", "Scene #", "Sc.", "Szene"],
    "enhance_prompt": ["prompt_extend", "Prompt extend", "Expand prompt", "prompt_optimizer"],
    "notes": ["Comments", "Remarks", "note"],
    "takes": ["Variations", "Take", "num_videos"],
    "seed": ["Random seed"],
    "model": ["Model name"],
    "generate_audio": ["Sound"],
    "cost_code": ["Cost centre"],
}


@pytest.mark.parametrize(("field", "name"), [(field, name) for field, names in NAMES.items() for name in names])
def test_a_name_of_people_and_other_tools_leads_to_ours(tmp_path: Path, field: str, name: str) -> None:
    others = ",".join({"id", "prompt"} - {field})
    table = told(tmp_path, f"{others},{name}\n{'x,' * others.count(',')}a,b\n")
    yaml = told(tmp_path, f'version: 1\nshots:\n  - {{id: a, prompt: x, "{name}": 1}}\n', "x.yaml")
    assert table[0].split(" is not a ")[1] == f"column of a manifest; did you mean {field}?"
    given = field in ("id", "prompt")  # what the shot has already is not meant
    assert f"did you mean {field}?" in yaml[0] or (given and "call it x_" in yaml[0])


@pytest.mark.parametrize("name", ["camera", "lens", "crew", "style", "rating", "fps", "Location", "tempo", "cfg_scale"])
def test_a_name_of_nothing_leads_to_a_column_of_ones_own(tmp_path: Path, name: str) -> None:
    own = f"x_{name.lower()}"
    problem = [f"1:11 '{name}' is not a column of a manifest; to keep it as a column of your own, call it {own}"]
    told_of = [told(tmp_path, f"id,prompt,{name}\na,Snow,{cell}\n") for cell in ("", "something")]
    assert (told_of, told(tmp_path, f"id,prompt,{own}\na,Snow,x\n")) == ([problem, problem], ["a: Snow"])
