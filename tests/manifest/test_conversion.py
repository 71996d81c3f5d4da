"""Conversion: whatever two formats, a batch keeps its ids, recipes and columns; what a format cannot hold is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.manifest.books import openpyxl
from wanbatch.batch.shots import Batch
from wanbatch.cli import call
from wanbatch.errors import ManifestInvalid, UsageInvalid
from wanbatch.manifest import load_manifest
from wanbatch.session.conversion import convert

FORMATS = (".yaml", ".json", ".jsonl", ".csv", ".tsv", ".xlsx")
SHOTS = [
    {"id": "007", "scene": "1.0", "prompt": '=A "fox", asleep; now', "takes": 2, "seed": 5, "tags": ["a", "b"]},
    {"id": "b", "prompt": "Snow falls.\nIt is _x000D_ yes", "duration": 10, "omit": True, "generate_audio": False, "x_by": "0012"},
    {"id": "c", "prompt": "null", "models": ["alibaba/wan-2-6-t2v", "alibaba/wan-3-0-video"], "fallback": "klingai/v3-standard-text-to-video"},
]  # fmt: skip
WHOLE = {
    "version": 1,
    "name": "winter",
    "defaults": {"resolution": "720p", "x_of": "all"},
    "budget": {"max_usd": 12.5, "scenes": {"1.0": {"max_credits": 7}}},
    "limits": {"submit_rate": "60/min", "in_flight": 3},
    "names": "{id}_{x_of}_t{take}",
}


def said(batch: Batch) -> list[Any]:
    """Return all that a run depends on, and what comes back in the reports."""
    shots = [
        (
            s.id,
            s.scene,
            s.sequence,
            s.recipes,
            s.tags,
            s.omit,
            s.notes,
            {name: cell for name, cell in s.own.items() if cell},
            s.fallback,
        )
        for s in batch.shots
    ]
    return [shots, batch.limits, batch.max_credits, dict(batch.scene_caps), batch.names]


def manifest(folder: Path, shots: list[dict[str, Any]], **head: Any) -> Path:
    path = folder / "source.json"
    path.write_text(json.dumps({"version": 1, **head, "shots": shots}), encoding="utf-8")
    return path


@pytest.mark.parametrize("second", FORMATS)
@pytest.mark.parametrize("first", FORMATS)
def test_any_two_formats_say_the_same(tmp_path: Path, first: str, second: str) -> None:
    usable = [shot for shot in SHOTS if "fallback" not in shot]
    path = manifest(tmp_path, usable, **WHOLE)
    one = convert(path, tmp_path / f"one{first}").path
    two = convert(one, tmp_path / f"two{second}").path
    assert (said(load_manifest(one)), said(load_manifest(two)), load_manifest(two).name) == (
        said(load_manifest(path)), said(load_manifest(path)), "winter",
    )  # fmt: skip


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Co", "Cn")), min_size=1, max_size=60)
TEXTS = st.one_of(WORDS, st.sampled_from(["yes", "1.0", "007", "-", "12:30", "1e5", "=A1", '"x', "'x", "a;b,c\td", "#x", "a: b", "TRUE"]))  # fmt: skip
OPTIONAL = {
    "scene": TEXTS,
    "sequence": TEXTS,
    "notes": TEXTS,
    "cost_code": TEXTS,
    "takes": st.integers(1, 5),
    "seed": st.integers(0, 2**31 - 1),
    "tags": st.lists(st.text("abcä-", min_size=1), max_size=3),
    "omit": st.booleans(),
    "duration": st.sampled_from([5, 10, 15]),
    "resolution": st.sampled_from(["720p", "1080p"]),
    "aspect_ratio": st.sampled_from(["16:9", "1:1"]),
    "generate_audio": st.booleans(),
    "negative_prompt": TEXTS,
    "x_mine": TEXTS,
    "models": st.just(["alibaba/wan-2-6-t2v", "alibaba/wan-3-0-video"]),
}
HEADS = {
    "name": st.sampled_from(["winter", "007", "no", "1.0"]),
    "names": st.sampled_from(["{id}", "{prompt}-{take0}", "a: b {{x}} {id}_t{take}", "007_{scene}_{id}"]),
    "limits": st.just({"submit_rate": "10/min", "downloads": 2}),
    "budget": st.sampled_from([{"max_usd": 0.5}, {"max_credits": 7}, {"max_usd": 1.0}]),
}
SHOT = st.fixed_dictionaries({"id": st.text("ab01-_", min_size=1, max_size=8), "prompt": TEXTS}, optional=OPTIONAL)


@pytest.mark.long
@settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
@given(
    shots=st.lists(SHOT, min_size=1, max_size=4),
    defaults=st.fixed_dictionaries({}, optional=OPTIONAL),
    head=st.fixed_dictionaries({}, optional=HEADS),
    first=st.sampled_from(FORMATS),
    second=st.sampled_from(FORMATS),
)
def test_any_batch_is_the_same_in_any_two_formats_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory,
    shots: list[Any],
    defaults: dict[str, Any],
    head: dict[str, Any],
    first: str,
    second: str,
) -> None:
    folder = tmp_path_factory.mktemp("x")
    path = manifest(folder, shots, defaults=defaults, **head)
    try:
        batch = load_manifest(path)
    except ManifestInvalid:
        assume(False)
    try:
        one = convert(path, folder / f"one{first}").path
        two = convert(one, folder / f"two{second}").path
    except UsageInvalid as refusal:
        told = str(refusal)
    else:
        told = ""
        assert [said(load_manifest(each)) for each in (one, two)] == [said(batch)] * 2
        assert "name" not in head or {load_manifest(each).name for each in (one, two)} == {batch.name}
    assert not told or ("Nothing was written" in told and bool({first, second} - {".yaml", ".json"})), told


STRUCTURED = """\
version: 1
names: "{scene}_{id}_t{take}"
style: soft ink # said once
cast: {mara: "Mara, 40", orr: an agent}
defaults: {template: ["{prompt}", "{style}"], aspect_ratio: 16:9}
scenes:
  - id: 010
    target: 10s
    shots:
      - {id: a, prompt: "{cast.mara} waits, {light}", matrix: {light: [dawn, no]}, x_no: 1.50}
      - {id: b, prompt: "{cast.orr} runs {{fast}}", takes: 2, allow: [target]}
"""


def test_scenes_cast_and_variants_stay_in_json_and_are_written_out_in_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text(STRUCTURED)
    made = {
        name: call(["convert", source, name])
        for source, name in (("a.yaml", "b.json"), ("b.json", "c.yaml"), ("b.json", "d.csv"))
    }
    out = capsys.readouterr().out.splitlines()
    assert [line for line in out if "written out" in line] == [
        "its scenes, cast and variants are resolved: in d.csv each shot has all its values written out"
    ]
    assert (made, {**json.loads(Path("b.json").read_text()), "version": 1}.keys()) == (
        dict.fromkeys(made, 0), {"version", "names", "style", "cast", "defaults", "scenes"},
    )  # fmt: skip
    assert [said(load_manifest(Path(name))) for name in made] == [said(load_manifest(Path("a.yaml")))] * 3


LOOKS = st.one_of(WORDS, st.sampled_from(["no", "1.50", "007", "{{x}}", "a: b", "# c", "- d"])).map(
    lambda text: text.replace("{", "{{").replace("}", "}}")
)
PROMPTS = st.sampled_from(["Snow", "{cast.mara} waits", "{style} in {light}", "Fog on {location}", "1.0"])
PLAIN = {
    "takes": st.integers(1, 3),
    "seed": st.integers(0, 99),
    "notes": LOOKS,
    "x_mine": LOOKS,
    "cast": st.just(["mara"]),
}
SCENE = st.fixed_dictionaries(
    {"shots": st.lists(st.fixed_dictionaries({"prompt": PROMPTS}, optional=PLAIN), min_size=1, max_size=3)},
    optional={
        "location": st.just("pass"),
        "notes": LOOKS,
        "defaults": st.fixed_dictionaries(
            {}, optional={"duration": st.sampled_from([5, 10]), "tags": st.just(["a", "b"])}
        ),
    },
)


@pytest.mark.long
@settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
@given(
    scenes=st.lists(SCENE, min_size=1, max_size=3),
    looks=st.tuples(LOOKS, LOOKS, LOOKS),
    template=st.sampled_from([None, "{prompt}. {cast}. {style}", ["{prompt}", "At {location}.", "With {cast}."]]),
    formats=st.tuples(st.sampled_from(FORMATS), st.sampled_from(FORMATS)),
)
def test_any_film_is_the_same_in_any_two_formats_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, scenes: list[Any], looks: Any, template: Any, formats: tuple[str, str]
) -> None:
    folder = tmp_path_factory.mktemp("x")
    for number, scene in enumerate(scenes):
        scene["id"] = f"00{number}"
        for count, shot in enumerate(scene["shots"]):
            shot["id"] = f"{number}.{count}0"
            if "{light}" in shot["prompt"]:
                shot["matrix"] = {"light": ["no", "1.50", looks[0]]}
    path = folder / "source.json"
    style, mara, place = looks
    head = {
        "version": 1,
        "style": style,
        "cast": {"mara": mara},
        "locations": {"pass": {"look": place, "negative": "no"}},
    }
    defaults = {} if template is None else {"defaults": {"template": template}}
    path.write_text(json.dumps({**head, **defaults, "scenes": scenes}), encoding="utf-8")
    try:
        batch = load_manifest(path)
    except ManifestInvalid:
        assume(False)
    try:
        one = convert(path, folder / f"one{formats[0]}").path
        two = convert(one, folder / f"two{formats[1]}").path
    except UsageInvalid as refusal:
        told = str(refusal)
    else:
        told = ""
        assert [said(load_manifest(each)) for each in (one, two)] == [said(batch)] * 2
    assert not told or ("Nothing was written" in told and not {*formats} <= {".yaml", ".json"}), told


def test_yaml_to_yaml_keeps_comments(tmp_path: Path) -> None:
    text = "version: 1\n# why\nshots:\n  - {id: a, prompt: Snow} # here\n"
    (tmp_path / "a.yaml").write_text(text)
    assert convert(tmp_path / "a.yaml", tmp_path / "b.yml").path.read_text() == text


def test_a_text_file_is_written_of_prompts_alone(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("A fox\n\nSnow\n")
    done = convert(tmp_path / "a.txt", tmp_path / "b.csv")
    again = convert(done.path, tmp_path / "c.txt").path
    assert again.read_text() == "A fox\nSnow\n"
    path = manifest(tmp_path, [{"id": "a", "prompt": "Snow", "duration": 5}])
    with pytest.raises(
        UsageInvalid, match=r"d.txt would not describe the same batch .* a text file holds nothing but prompts"
    ):
        convert(path, tmp_path / "d.txt")
    assert not (tmp_path / "d.txt").exists()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = manifest(tmp_path, SHOTS[:1])
    (tmp_path / "b.map.yaml").write_text("columns: {}\n")
    with pytest.raises(UsageInvalid, match=r"b.map.yaml already exists"):
        convert(path, tmp_path / "b.csv")
    with pytest.raises(UsageInvalid, match=r"b.pdf does not end in"):
        convert(path, tmp_path / "b.pdf")


def test_a_list_that_no_cell_holds_is_refused(tmp_path: Path) -> None:
    path = manifest(tmp_path, [{**SHOTS[0], "tags": ["a;b"]}])
    with pytest.raises(UsageInvalid, match="shot 007 has a list of tags that a cell of a table cannot hold"):
        convert(path, tmp_path / "b.csv")


def test_texts_stay_texts_in_a_workbook(tmp_path: Path) -> None:
    path = convert(manifest(tmp_path, SHOTS[:2]), tmp_path / "b.xlsx").path
    sheet = openpyxl.load_workbook(path).active
    assert [(cell.value, cell.data_type) for cell in sheet[2]][:2] == [("007", "s"), ("1.0", "s")]
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} == {"s", "n"}


def test_convert_tells_what_it_wrote(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text("version: 1\nname: w\nshots:\n  - {id: a, prompt: 'Snow # 1 🐈'} # why\n")
    assert call(["convert", "a.yaml", "b.csv"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "wrote b.csv: 1 shot with the recipes of a.yaml",
        "wrote b.map.yaml, which says what a table cannot: keep it beside b.csv",
        "not in b.csv: the comments of a.yaml",
    ]
    assert call(["--json", "convert", "b.csv", "c.json"]) == 0
    told = {"files": ["c.json"], "shots": 1, "comments_kept": False, "left_out": []}
    assert json.loads(capsys.readouterr().out) == told
    assert call(["convert", "c.json", "d.yaml"]) == 0
    assert capsys.readouterr().out.splitlines() == ["wrote d.yaml: 1 shot with the recipes of c.json"]
    assert ("# 1 🐈" in Path("d.yaml").read_text(encoding="utf-8"), call(["convert", "d.yaml", "e.csv"])) == (True, 0)
    assert "not in" not in capsys.readouterr().out


PARTS = {
    "a.csv": "id,prompt,cast\na,Snow.,mara\n",
    "table.yaml": "version: 1\ntable: a.csv\ncast: {mara: M}\ndefaults: {template: '{prompt} {cast}'}\n",
    "scenes.yaml": "version: 1\ncast: {mara: M}\ndefaults: {template: '{prompt} {cast}'}\nscenes:\n"
    "  - {id: s1, notes: cold, target: 5s, include: a.csv}\n  - {id: s2, notes: warm, shots: [{id: b, prompt: x}]}\n",
}


@pytest.mark.parametrize(
    ("source", "target", "lost"),
    [
        ("table.yaml", "b.yaml", ["which cast members are in each shot (their descriptions are in the prompts)"]),
        ("scenes.yaml", "b.csv", [
            "the notes of scene s1 and scene s2", "the target of scene s1",
            "which cast members are in each shot (their descriptions are in the prompts)",
        ]),
    ],
)  # fmt: skip
def test_convert_names_all_that_is_lost(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    target: str,
    lost: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in PARTS.items():
        Path(name).write_text(text)
    assert call(["convert", source, target]) == 0
    gathered = f"the shots of the files that {source} names are written into {target}, which needs no other file"
    assert capsys.readouterr().out.splitlines()[-2:] == [gathered, f"not in {target}: {'; '.join(lost)}"]
