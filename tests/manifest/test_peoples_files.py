"""Files as people and benchmarks have them come to a plan as they are: a shot list in Excel, a long film, tables."""

from __future__ import annotations

import csv
import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.manifest.books import write_book
from wanbatch.cli import call
from wanbatch.manifest import load_manifest
from wanbatch.manifest.clip_names import STEM_BYTES, NamedTake, stem_of

ACTIONS = (
    "A lighthouse in a storm",
    "Waves break over the rocks",
    "The keeper climbs the stairs",
    "She lights the lamp",
)
MOVES = ("slow push in", "static shot", "tracking shot from the left", "handheld")


def shot_list() -> list[list[Any]]:
    """Return a shot list of 60 shots in six scenes, with a title above, and cells as Excel has them."""
    names = ["Sc.", "Shot #", "Shot description", "Camera", "Dur. (sec)", "Cast", "Notes", "Approved?", "Shoot day"]
    day = datetime.date(2026, 3, 1)
    rows = [
        [1 + n // 10, 1 + n % 10, f"{ACTIONS[n % 4]}, number {n}.", MOVES[n % 4], (5, 10.0, 15)[n % 3], "Mara, Ilo" if n % 2 else None,
         "pick-up" if n == 7 else None, bool(n % 2), day + datetime.timedelta(n)]
        for n in range(60)
    ]  # fmt: skip
    return [["The Lighthouse: shot list v3"], [], names, *rows]


def film_text() -> str:
    """Return a film of 300 shots: 25 scenes of ten, of which two make two variants each."""
    head = (
        'version: 1\nname: pass\nnames: "{scene}_{id}_t{take}"\nbudget: {max_usd: 900}\nstyle: soft ink, muted greens\n'
        "cast: {mara: 'Mara, a cartographer in a long coat', ilo: 'Ilo, a boy in a red cap'}\n"
        "locations: {pass: a narrow pass between black cliffs, valley: a terraced valley}\n"
        'defaults: {resolution: 720p, duration: 5, template: ["{prompt}", "Place: {location}.", "With {cast}.", "{style}"]}\n'
        "scenes:\n"
    )
    scenes = []
    for scene in range(25):
        place = ("pass", "valley")[scene % 2]
        shots = [f"      - {{id: sc{scene:02}_sh{n:02}, prompt: '{ACTIONS[n % 4]}, number {n}.'}}\n" for n in range(8)]
        for n in (8, 9):
            prompt = "'{cast.mara} waits, {light}.'"
            shots.append(f"      - {{id: sc{scene:02}_sh{n:02}, prompt: {prompt}, matrix: {{light: [dawn, dusk]}}}}\n")
        scenes.append(
            f"  - id: sc{scene:02}\n    location: {place}\n    cast: [ilo, mara]\n    shots:\n{''.join(shots)}"
        )
    return head + "".join(scenes)


def benchmark_table() -> list[list[str]]:
    """Return a table of a benchmark: a prompt and tags, one prompt longer than any file name, one with a path in it."""
    prompts = [
        "A koala surfs at sunset.",
        "A road/rail bridge: 1/2 of it in fog.",
        f"{'A very long take of a harbour, ' * 12}at dawn.",
    ]
    return [["Prompt", "Concept Tags", "Motion Level"], *([each, "animal, nature", "high"] for each in prompts)]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_a_shot_list_in_excel_runs_with_the_proposed_map() -> None:
    write_book(Path("board.xlsx"), Shots=shot_list())
    assert call(["-q", "init", "--from", "board.xlsx"]) == 0
    batch = load_manifest("board.xlsx")
    first, eighth = batch.shots[0], batch.shots[7]
    assert (len(batch.shots), batch.warnings, first.id, first.scene, first.request["duration"], eighth.notes) == (
        60, (), "1_1", "1", 5, "pick-up",
    )  # fmt: skip
    assert (first.prompt, dict(eighth.own)) == (
        "A lighthouse in a storm, number 0. slow push in",
        {"x_cast": "Mara, Ilo", "x_approved": "true", "x_shoot_day": "2026-03-08"},
    )


def test_a_film_of_three_hundred_shots_comes_to_a_plan(capsys: pytest.CaptureFixture[str]) -> None:
    Path("film.yaml").write_text(film_text())
    batch = load_manifest("film.yaml")
    assert (len(batch.shots), len({shot.scene for shot in batch.shots}), batch.warnings) == (300, 25, ())
    assert batch.shots[8].prompt == (
        "Mara, a cartographer in a long coat waits, dawn. Place: a narrow pass between black cliffs."
        " With Ilo, a boy in a red cap. soft ink, muted greens"
    )
    assert call(["plan", "film.yaml", "--sandbox", "--offline"]) == 0
    assert "300 new" in capsys.readouterr().out


def test_the_table_of_a_benchmark_names_its_clips_by_their_prompts() -> None:
    with Path("bench.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(benchmark_table())
    assert call(["-q", "init", "--from", "bench.csv"]) == 0
    path = Path("bench.map.yaml")
    path.write_text(
        f'{path.read_text(encoding="utf-8")}names: "{{prompt}}-{{take0}}"\ndefaults: {{takes: 5}}\n', encoding="utf-8"
    )
    batch = load_manifest("bench.csv")
    takes = [NamedTake(shot.id, "", "", slot, recipe, shot.own) for shot, slot, recipe in batch.wanted()]
    names = [stem_of(batch.names, take) for take in takes]
    assert (len(batch.shots), len(set(names)), names[0], names[9]) == (
        3, 15, "A koala surfs at sunset.-0", "A road-rail bridge- 1-2 of it in fog.-4",
    )  # fmt: skip
    assert [name[-2:] for name in names[10:]] == ["-0", "-1", "-2", "-3", "-4"]
    assert {len(name.encode()) <= STEM_BYTES and not set(name) & set('/:"') for name in names} == {True}
    assert dict(batch.shots[0].own) == {"x_concept_tags": "animal, nature", "x_motion_level": "high"}


def test_prompts_that_give_one_name_are_a_problem_before_anything_is_sent() -> None:
    Path("x.yaml").write_text(
        'version: 1\nnames: "{prompt}-{take0}"\nshots:\n  - {id: a, prompt: "1/2", takes: 2}\n  - {id: b, prompt: "1:2"}\n'
    )
    assert call(["plan", "x.yaml", "--sandbox", "--offline"]) == 2
