"""Column maps: tables with the names that people give their columns run as they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wanbatch.batch.shots import Batch
from wanbatch.errors import ManifestInvalid
from wanbatch.manifest import load_manifest

HEADER = "Scene,Shot,Description,Duration (s),Camera,Reviewer,Approved"
TABLE = f'{HEADER}\n12,1,A gull lands.,5,slow push in,Ann,yes\n12,2,"Snow, at night",10,,,\n13,1,Fog,5,static,Bo,no\n'
MAP = """\
# how wanbatch reads our shot list
columns:
  Scene: scene
  Shot: id within scene
  Description: prompt
  Duration (s): duration
  Camera: append to prompt
  Reviewer: keep
  Approved: ignore
"""


def load(folder: Path, table: str, columns: str, name: str = "shots.csv") -> Batch:
    (folder / name).write_text(table, encoding="utf-8")
    (folder / "shots.map.yaml").write_text(columns, encoding="utf-8")
    return load_manifest(folder / name)


def told(folder: Path, table: str, columns: str, name: str = "shots.csv") -> list[str]:
    with pytest.raises(ManifestInvalid) as caught:
        load(folder, table, columns, name)
    return [str(each).replace(f"{folder}/", "") for each in caught.value.problems]


def test_a_table_with_the_columns_of_people_is_read_by_its_map(tmp_path: Path) -> None:
    shots = load(tmp_path, TABLE, MAP).shots
    assert [(shot.id, shot.scene, shot.prompt, shot.request["duration"], dict(shot.own)) for shot in shots] == [
        ("12_1", "12", "A gull lands. slow push in", 5, {"x_reviewer": "Ann"}),
        ("12_2", "12", "Snow, at night", 10, {"x_reviewer": ""}),
        ("13_1", "13", "Fog, static", 5, {"x_reviewer": "Bo"}),
    ]


@pytest.mark.parametrize(
    ("text", "camera", "prompt"),
    [
        ("A gull lands", "static", "A gull lands, static"),
        ("A gull lands", "Slow push in", "A gull lands. Slow push in"),
        ("A gull lands.", "Slow push in", "A gull lands. Slow push in"),
        ("A gull lands!", "static", "A gull lands! static"),
        ("A gull", "", "A gull"),
    ],
)
def test_a_part_that_is_appended_begins_a_sentence_or_goes_on(
    tmp_path: Path, text: str, camera: str, prompt: str
) -> None:
    columns = "columns: {Description: prompt, Camera: append to prompt}\n"
    assert load(tmp_path, f"id,Description,Camera\na,{text},{camera}\n", columns).shots[0].prompt == prompt


def test_columns_are_found_however_they_are_spelt(tmp_path: Path) -> None:
    shots = load(tmp_path, TABLE.replace("Duration (s)", " DURATION  (s)"), MAP.replace("Camera:", "camera:")).shots
    assert (shots[0].request["duration"], shots[2].prompt) == (5, "Fog, static")


def test_a_map_finds_the_header_below_a_title(tmp_path: Path) -> None:
    shots = load(tmp_path, f"Winter,,,,,,\n,,,,,,\n{TABLE}", MAP).shots
    assert shots[0].id == "12_1"


def test_a_map_says_what_a_table_cannot(tmp_path: Path) -> None:
    head = "version: 1\nname: winter\ndefaults: {resolution: 720p}\nbudget: {max_usd: 5}\nlimits: {in_flight: 3}\n"
    batch = load(tmp_path, TABLE, head + MAP)
    assert (batch.name, batch.max_credits, batch.limits.in_flight, batch.shots[0].request["resolution"]) == (
        "winter", 10_000_000, 3, "720p",
    )  # fmt: skip


def test_without_a_column_of_ids_they_are_made_from_the_whole_prompt(tmp_path: Path) -> None:
    columns = "columns: {Description: prompt, Camera: append to prompt, Scene: ignore, Shot: ignore, Duration (s): duration, Reviewer: ignore, Approved: ignore}\n"
    shots = load(tmp_path, TABLE, columns).shots
    assert shots[0].id.startswith("a-gull-lands-slow-push-in_")


FILLED = MAP.replace("Scene: scene", "Scene: scene, fill down").replace("Reviewer: keep", "Reviewer: keep, Fill Down")
ONCE = TABLE.replace("\n12,2", "\n,2").replace("13,1,", ",3,More snow,5,,,\n,,,,,,\n13,1,")


def test_a_column_that_is_filled_down_has_in_an_empty_cell_what_stands_above_it(tmp_path: Path) -> None:
    shots = load(tmp_path, ONCE, FILLED).shots
    assert [(shot.id, shot.scene, shot.own["x_reviewer"]) for shot in shots] == [
        ("12_1", "12", "Ann"), ("12_2", "12", "Ann"), ("12_3", "12", "Ann"), ("13_1", "13", "Bo"),
    ]  # fmt: skip


def test_a_list_in_json_is_filled_down_as_well(tmp_path: Path) -> None:
    text = '[{"S": 12, "n": 1, "p": "A gull"}, {"n": 2, "p": "Snow"}, {"S": "", "n": 3, "p": "Fog"}]'
    shots = load(
        tmp_path, text, "columns: {S: 'scene, fill down', n: id within scene, p: prompt}\n", "shots.json"
    ).shots
    assert [(shot.id, shot.scene) for shot in shots] == [("12_1", "12"), ("12_2", "12"), ("12_3", "12")]


@pytest.mark.parametrize(
    ("table", "columns", "name", "problem"),
    [
        (ONCE, MAP, "shots.csv", "shots.csv:3:1 the shots are numbered within their scene, which is empty here and in 1 more row: write the scene into each row, or map the column as `Scene: scene, fill down`"),
        (TABLE, MAP.replace("Scene: scene", "Scene: keep"), "shots.csv", "shots.csv:2:4 the shots are numbered within their scene, which is empty here and in 2 more rows: read one column as scene, or the numbers as id"),
        ('[{"S": "", "n": 1, "p": "A gull"}]', "columns: {S: scene, n: id within scene, p: prompt}\n", "shots.json", "shots.json:1:2 this shot is numbered within its scene, but has no scene: write the scene into each row, or map the column as `S: scene, fill down`"),
        (TABLE, MAP.replace("Scene: scene", "Scene: scene\n  Description: prompt, fill down").replace("  Description: prompt\n", ""), "shots.csv", "shots.map.yaml:4:16 'prompt, fill down': prompt cannot be filled down; a scene, a place or a lens can"),
    ],
)  # fmt: skip
def test_a_shot_that_is_numbered_within_no_scene_is_a_problem(
    tmp_path: Path, table: str, columns: str, name: str, problem: str
) -> None:
    assert told(tmp_path, table, columns, name) == [problem]


ROWS = [
    {"prompt_en": "A cat", "dimension": ["color", "scene"], "auxiliary_info": {"color": {"color": "red"}}},
    {"prompt_en": "A dog", "dimension": ["scene"]},
]


@pytest.mark.parametrize("ending", [".json", ".jsonl"])
def test_a_benchmark_as_json_runs_as_it_is(tmp_path: Path, ending: str) -> None:
    text = json.dumps(ROWS) if ending == ".json" else "\n".join(map(json.dumps, ROWS))
    columns = "columns: {prompt_en: prompt, dimension: tags, auxiliary_info: ignore}\ndefaults: {takes: 5}\n"
    shots = load(tmp_path, text, columns, f"shots{ending}").shots
    assert [(shot.prompt, shot.tags, shot.takes, shot.id[:6]) for shot in shots] == [
        ("A cat", ("color", "scene"), 5, "a-cat_"), ("A dog", ("scene",), 5, "a-dog_"),
    ]  # fmt: skip


def test_a_benchmark_with_numbers_as_ids_and_texts_to_append_runs_as_it_is(tmp_path: Path) -> None:
    text = (
        '{"id": 0, "video_prompt": "A cat purrs.", "audio_prompt": "soft purring"}\n{"id": 1, "video_prompt": "Rain"}\n'
    )
    columns = "columns: {video_prompt: prompt, audio_prompt: append to prompt}\n"
    shots = load(tmp_path, text, columns, "shots.jsonl").shots
    assert [(shot.id, shot.prompt) for shot in shots] == [("0", "A cat purrs. soft purring"), ("1", "Rain")]


CASES = [
    ("Description: prompt", "Descripton: prompt", ["shots.csv:1:12 'Description' is not a column of a manifest; did you mean prompt?", "shots.map.yaml:5:3 shots.csv has no column 'Descripton'; did you mean 'Description'?"]),
    ("Camera: append to prompt", "Camera: camera", ["shots.map.yaml:7:11 'camera' is not a field of a shot; to keep it as a column of your own, call it x_camera; or write keep, ignore or append to prompt"]),
    ("Camera: append to prompt", "Camera: prompt", ["shots.map.yaml:7:11 'Description' and 'Camera' are both read as prompt; a shot has only one; for one of them write append to prompt"]),
    ("Reviewer: keep", "Reviewer: seed\n  Dolly: seed", ["shots.map.yaml:9:10 'Reviewer' and 'Dolly' are both read as seed; a shot has only one; keep one of them"]),
    ("Camera: append to prompt", "Camera: append to seed", ["shots.map.yaml:7:11 'append to seed': only prompt, negative_prompt or notes can be appended to"]),
    ("Camera: append to prompt", "Camera:", ["shots.map.yaml:7:10 'Camera' has no field; say what it is read as: a field such as prompt, or keep, or ignore"]),
    ("Camera: append to prompt", "Camera: [prompt]", ["shots.map.yaml:7:11 'Camera' has no field; say what it is read as: a field such as prompt, or keep, or ignore"]),
    ("  Approved: ignore", "  approved: ignore\n  Approved: keep", ["shots.map.yaml:10:3 'Approved' and 'approved' are the same column; keep one of them"]),
    ("  Approved: ignore\n", "", ["shots.csv:1:53 'Approved' is not a column of a manifest; to keep it as a column of your own, call it x_approved"]),
    ("  Approved: ignore\n", "  Approved: notes\n  Notes: notes\n", ["shots.map.yaml:10:10 'Approved' and 'Notes' are both read as notes; a shot has only one; for one of them write append to notes"]),
    ("columns:", "colums:", ["shots.map.yaml:2:1 'colums' is not a field of a map, which has sheet, columns, defaults, name, names, limits or budget; did you mean columns?"]),
    ("columns:", "shots: []\ncolumns:", ["shots.map.yaml:2:1 'shots' is not a field of a map, which has sheet, columns, defaults, name, names, limits or budget; did you mean sheet?"]),
    (MAP, "columns: [a]\n", ["shots.map.yaml:1:10 columns must be fields: write in each line the name of a column, a colon, and the field it holds"]),
    (MAP, "- a\n", ["shots.map.yaml:1:1 a map holds fields, one name and value on each line: begin it with columns:"]),
    (MAP, "columns: {a: [}\n", ["shots.map.yaml:1:15 did not find expected node content"]),
    (MAP, "columns: {Description: prompt}\n\0", ["shots.map.yaml:2:1 a NUL character; this is not a text file"]),
    (MAP, "columns: {Shot: prompt, Film: scene}\n", ["shots.csv:1:12 'Description' is not a column of a manifest; to keep it as a column of your own, call it x_description", "shots.csv:1:24 'Duration (s)' is not a column of a manifest; did you mean duration?", "shots.csv:1:37 'Camera' is not a column of a manifest; to keep it as a column of your own, call it x_camera", "shots.csv:1:44 'Reviewer' is not a column of a manifest; to keep it as a column of your own, call it x_reviewer", "shots.csv:1:53 'Approved' is not a column of a manifest; to keep it as a column of your own, call it x_approved", "shots.map.yaml:1:25 shots.csv has no column 'Film'; it has 'Scene', 'Shot', 'Description', 'Duration (s)', 'Camera', 'Reviewer' and 'Approved'"]),
    ("# how", "sheet: [a]\n# how", ["shots.map.yaml:1:8 sheet is a list; expected text"]),
    ("Reviewer: keep", "Reviewer: cast", ["shots.map.yaml:8:3 'Reviewer' is read as cast, which a table alone cannot define: write a film in YAML with cast: and table: shots.csv, and run that; a cell names several with ; or , between them"]),
    ("Shot: id within scene", "Shot: id", ["shots.csv:4:4 id '1' is already used on line 2; if the numbers begin again in each scene, map the column as `id within scene`; otherwise choose another"]),
    ("# how", "version: 2\n# how", ["shots.map.yaml:1:10 version is 2; expected 1"]),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "problems"), CASES)
def test_what_is_wrong_with_a_map_is_told_in_its_own_file(
    tmp_path: Path, old: str, new: str, problems: list[str]
) -> None:
    assert told(tmp_path, TABLE, MAP.replace(old, new, 1)) == problems


def test_a_default_of_a_map_that_no_model_takes_is_told_in_the_map(tmp_path: Path) -> None:
    table = "id,prompt\na,Snow\n"
    assert told(tmp_path, table, "defaults:\n  duration: 7\n") == [
        "shots.map.yaml:2:13 duration is 7; alibaba/wan-2-6-t2v accepts 5, 10 or 15"
    ]


def test_a_map_is_not_a_manifest(tmp_path: Path) -> None:
    load(tmp_path, TABLE, MAP)
    with pytest.raises(ManifestInvalid, match="this is the map of a table, not a manifest: run the table beside it"):
        load_manifest(tmp_path / "shots.map.yaml")


# --- a table that a manifest names


def manifest(folder: Path, text: str) -> Path:
    (folder / "film.yaml").write_text(f"version: 1\n{text}", encoding="utf-8")
    return folder / "film.yaml"


def faults(path: Path) -> list[str]:
    with pytest.raises(ManifestInvalid) as caught:
        load_manifest(path)
    return [str(each).replace(f"{path.parent}/", "") for each in caught.value.problems]


@pytest.mark.parametrize("is_in_manifest", [True, False])
def test_a_manifest_names_a_table_and_says_the_rest(tmp_path: Path, is_in_manifest: bool) -> None:
    load(tmp_path, TABLE, MAP + "budget: {max_usd: 1}\n")
    columns = MAP.replace("\n", "\n  ") if is_in_manifest else ""
    path = manifest(tmp_path, f"name: w\ndefaults: {{resolution: 720p}}\ntable:\n  file: shots.csv\n  {columns}")
    batch = load_manifest(path)
    assert (batch.name, batch.max_credits, batch.shots[2].id, batch.shots[2].request["resolution"]) == (
        "w", None, "13_1", "720p",
    )  # fmt: skip


def test_a_cell_names_several_of_the_cast(tmp_path: Path) -> None:
    (tmp_path / "shots.csv").write_text("id,prompt,cast\na,Snow.,mara; ilo\nb,Ice.,'mara,ilo'\n".replace("'", '"'))
    path = manifest(tmp_path, "cast: {mara: M, ilo: I}\ndefaults: {template: '{prompt} {cast}'}\ntable: shots.csv\n")
    assert [shot.prompt for shot in load_manifest(path).shots] == ["Snow. M, I", "Ice. M, I"]


def test_problems_of_a_named_table_are_told_in_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "shots.csv").write_text("id,prompt,duration\na,Snow,7\n,,\na,Ice,5\n", encoding="utf-8")
    assert faults(manifest(tmp_path, "table: shots.csv\n")) == [
        "shots.csv:2:8 duration is 7; alibaba/wan-2-6-t2v accepts 5, 10 or 15",
        "shots.csv:4:1 id 'a' is already used on line 2; choose another",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("table: ../x.csv\n", "2:8 '../x.csv' is not in the manifest's folder or below; put the table there, and write its path from that folder, with /"),
        ("table: /x.csv\n", "2:8 '/x.csv' is not in the manifest's folder or below; put the table there, and write its path from that folder, with /"),
        ("table: no.csv\n", "2:8 there is no file 'no.csv' beside the manifest: check the name"),
        ("table: [a]\n", "2:8 table must name a file, such as table: shots.xlsx, or table: {file: shots.xlsx, columns: {...}}"),
        ("table: {file: shots.csv, column: {}}\n", "2:26 'column' is not a field of table; did you mean columns?"),
        ("table: shots.csv\nshots: []\n", "2:1 this manifest has both table and shots; keep one of them"),
        ("table: film.yaml\n", "2:8 'film.yaml' is not a table: it must end in .csv, .tsv, .xlsx, .json, .jsonl or .ndjson"),
        ("table: whole.json\n", "2:8 whole.json is a complete manifest, not a table: run it on its own"),
        ("table: link.csv\n", "2:8 'link.csv' is a link that leads out of the manifest's folder; copy the file into it"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_taken_is_a_problem_of_the_manifest(tmp_path: Path, text: str, problem: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "shots.csv").write_text("id,prompt\na,Snow\n")
    (home / "whole.json").write_text('{"version": 1, "shots": [{"id": "a", "prompt": "x"}]}')
    (tmp_path / "out.csv").write_text("id,prompt\na,Snow\n")
    (home / "link.csv").symlink_to(tmp_path / "out.csv")
    assert faults(manifest(home, text)) == [f"film.yaml:{problem}"]
