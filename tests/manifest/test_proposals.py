"""`init --from`: a map is proposed from the names of columns and their cells, and the table then runs as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wanbatch.cli import call
from wanbatch.errors import ManifestInvalid
from wanbatch.manifest import load_manifest
from wanbatch.manifest.proposal import Column, propose
from wanbatch.session.table_proposal import propose_map


def uses(**columns: list[str]) -> dict[str, str]:
    return {each.column: each.use for each in propose([Column(name, tuple(cells)) for name, cells in columns.items()])}


@pytest.mark.parametrize("ending", [".fdx", ".pdf"])
def test_a_screenplay_of_another_program_is_to_be_exported_as_fountain(tmp_path: Path, ending: str) -> None:
    (tmp_path / f"x{ending}").write_text("x")
    with pytest.raises(ManifestInvalid, match=r"export it from your writing program as x\.fountain"):
        propose_map(tmp_path / f"x{ending}")


LONG = ["A gull lands on the wall of the harbour", "Snow falls over the pass"]


@pytest.mark.parametrize(
    ("columns", "proposed"),
    [
        ({"Scene": ["1", "", "2"], "Shot": ["1", "2", "1"], "Description": [*LONG, "Fog"]}, {"Scene": "scene, fill down", "Shot": "id within scene", "Description": "prompt"}),
        ({"Shot": ["1", "2"], "Description": LONG, "Length": ["5", "10"]}, {"Shot": "id", "Description": "prompt", "Length": "duration"}),
        ({"Scene": ["1", "2"], "Shot": ["1", "1"], "Text": LONG}, {"Scene": "scene", "Shot": "id within scene", "Text": "prompt"}),
        ({"Shot": ["1", "1"], "Text": LONG}, {"Shot": "keep", "Text": "prompt"}),
        ({"Shot": ["1 a", "2/3"], "Text": LONG}, {"Shot": "keep", "Text": "prompt"}),
        ({"What happens": LONG, "By": ["Ann", "Bo"]}, {"What happens": "prompt", "By": "keep"}),
        ({"Action": ["walks", "runs"], "Description": LONG}, {"Action": "append to prompt", "Description": "prompt"}),
        ({"Text": LONG, "Camera move": ["slow pan", "static"]}, {"Text": "prompt", "Camera move": "append to prompt"}),
        ({"Text": LONG, "Shot type": ["CU", "WS"]}, {"Text": "prompt", "Shot type": "keep"}),
        ({"Text": LONG, "Shot type": ["close-up", "wide shot"]}, {"Text": "prompt", "Shot type": "append to prompt"}),
        ({"Text": LONG, "Duration": ["3", "4"]}, {"Text": "prompt", "Duration": "keep"}),
        ({"Text": LONG, "Takes": ["two", "2x"]}, {"Text": "prompt", "Takes": "keep"}),
        ({"Text": LONG, "Skip": ["true", "no"]}, {"Text": "prompt", "Skip": "omit"}),
        ({"Text": LONG, "Approved": ["", ""]}, {"Text": "prompt", "Approved": "ignore"}),
        ({"Text": LONG, "Cast": ["Mara", "Ilo"], "Location": ["pass", ""]}, {"Text": "prompt", "Cast": "keep", "Location": "keep"}),
        ({"Text": LONG, "Motion level": ["high", "medium"]}, {"Text": "prompt", "Motion level": "keep"}),
        ({"Text": LONG, "x_cam": ["a", ""]}, {"Text": "prompt", "x_cam": "keep"}),
        ({"镜号": ["1", "2"], "提示词": LONG, "运镜": ["慢慢推进镜头", ""]}, {"镜号": "id", "提示词": "prompt", "运镜": "append to prompt"}),
        ({"Szene": ["1", "2"], "Scene": ["a", "b"], "Text": LONG}, {"Szene": "scene", "Scene": "keep", "Text": "prompt"}),
    ],
)  # fmt: skip
def test_a_column_is_proposed_by_its_name_and_its_cells(
    columns: dict[str, list[str]], proposed: dict[str, str]
) -> None:
    assert uses(**columns) == proposed


TABLE = "Storyboard,,,,,\n,,,,,\nScene,Shot,Description,Camera,Dur,Ok: yes?\n1,1,A gull lands.,static shot,5,y\n1,2,Snow,,10,\n2,1,Fog,pan left,5,\n"


def test_the_table_then_runs_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("b.csv").write_text(TABLE)
    assert call(["init", "--from", "b.csv"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[-7:] == [
        "  1_1: scene 1, duration 5, x_ok_yes y",
        "    A gull lands. static shot",
        "  1_2: scene 1, duration 10",
        "    Snow",
        "  2_1: scene 2, duration 5",
        "    Fog, pan left",
        "wrote b.map.yaml: correct what is wrong, then: wanbatch plan b.csv --sandbox",
    ]
    assert [shot.id for shot in load_manifest("b.csv").shots] == ["1_1", "1_2", "2_1"]
    assert call(["init", "--from", "b.csv"]) == 2
    assert "b.map.yaml already exists" in capsys.readouterr().err


def test_a_list_in_json_gets_a_map_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"prompt_en": "A cat", "dimension": ["color"], "auxiliary_info": {"color": {}}},
        {"prompt_en": "A dog", "dimension": []},
    ]
    (tmp_path / "v.json").write_text(json.dumps(rows))
    assert call(["--json", "init", "--from", str(tmp_path / "v.json")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["columns"], told["shots"], told["problems"]) == (
        {"prompt_en": "prompt", "dimension": "tags", "auxiliary_info": "ignore"}, 2, [],
    )  # fmt: skip


def test_what_is_left_to_change_is_told_with_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "b.csv").write_text("Shot,Text,Dur\n1,A gull lands,5\n2,Snow falls here,7\n3,Ice,5\n")
    assert call(["init", "--from", str(tmp_path / "b.csv")]) == 0
    out = capsys.readouterr().out
    assert f"left to change:\n  {tmp_path / 'b.csv'}:3:19 duration is 7; alibaba/wan-2-6-t2v accepts 5, 10 or 15" in out


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.yaml", "version: 1\n", "a map is for tables, which end in .csv, .tsv, .xlsx, .json, .jsonl or .ndjson"),
        ("a.csv", ",,\n,,\n", "this table is empty"),
        ("a.json", '{"version": 1}', "this is not a list of shots, so it needs no map"),
        ("none.csv", None, "there is no such file: check the name"),
    ],
)
def test_what_needs_no_map_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str | None, said: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    assert (call(["init", "--from", str(tmp_path / name)]), said in "".join(capsys.readouterr())) == (2, True)


def test_names_that_yaml_would_read_otherwise_are_quoted(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text('#,"a: b",Text,"-x",true\n1,x,A gull lands here,y,z\n')
    assert call(["init", "--from", str(tmp_path / "b.csv")]) == 0
    assert dict(load_manifest(tmp_path / "b.csv").shots[0].own) == {"x_a_b": "x", "x_x": "y", "x_true": "z"}


def test_many_columns_with_other_names_lead_to_the_proposal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "b.csv").write_text("Shot,Text,Dur\n1,A gull lands,5\n")
    assert call(["validate", str(tmp_path / "b.csv")]) == 2
    assert "did you mean id?; to read the columns as they are: wanbatch init --from b.csv" in capsys.readouterr().out
