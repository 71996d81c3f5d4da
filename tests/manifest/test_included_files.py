"""Files that a manifest takes in: in the same folder or below, once, and each problem with its own file."""

from __future__ import annotations

from pathlib import Path

import pytest

from wanbatch.errors import ManifestInvalid
from wanbatch.manifest import load_manifest
from wanbatch.manifest.cache import BatchCache, Manifest

CAST = "version: 1\ncast: {mara: Mara}\n"


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder / "film.yaml"


def problems(path: Path) -> list[str]:
    with pytest.raises(ManifestInvalid) as caught:
        load_manifest(path)
    return [str(each).replace(f"{path.parent}/", "") for each in caught.value.problems]


def test_scenes_and_texts_come_from_other_files(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        {
            "film.yaml": "version: 1\ninclude: [cast.yaml, scenes/sc010.yaml]\nscenes:\n  - {id: sc020, include: sc020.csv}\n",
            "cast.yaml": CAST,
            "scenes/sc010.yaml": "version: 1\ndefaults: {duration: 10}\nscenes:\n  - id: sc010\n    shots:"
            " [{id: a, prompt: '{cast.mara} runs'}]\n",
            "sc020.csv": "id,prompt,cast\nb,{cast.mara} rests,mara\n",
        },
    )
    batch = load_manifest(path)
    assert [(shot.id, shot.scene, shot.prompt, shot.request.get("duration")) for shot in batch.shots] == [
        ("a", "sc010", "Mara runs", 10),
        ("b", "sc020", "Mara rests", None),
    ]
    assert [Path(each).name for each in batch.parts] == ["cast.yaml", "sc010.yaml", "sc020.csv"]


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"film.yaml": "include: gone.yaml\n"}, ["film.yaml:2:10 'gone.yaml': there is no such file: check the name"]),
        (
            {"film.yaml": "include: ../film.yaml\n"},
            ["film.yaml:2:10 include names '../film.yaml', which is outside the manifest's folder; move it there"],
        ),
        (
            {"film.yaml": "include: /etc/hosts\n"},
            ["film.yaml:2:10 include names '/etc/hosts', which is outside the manifest's folder; move it there"],
        ),
        (
            {"film.yaml": "include: film.yaml\n"},
            ["film.yaml:2:10 include names 'film.yaml', which includes this file in turn; remove one of the two"],
        ),
        (
            {"film.yaml": "include: a.yaml\n", "a.yaml": "version: 1\ninclude: b.yaml\n", "b.yaml": "include: a.yaml\n"},
            ["b.yaml:1:10 include names 'a.yaml', which includes this file in turn; remove one of the two"],
        ),
        (
            {"film.yaml": "include: [a.yaml, a.yaml]\n", "a.yaml": "shots: [{id: a, prompt: x}]\n"},
            ["film.yaml:2:19 include names 'a.yaml' a second time; its shots would be in the film twice"],
        ),
        (
            {"film.yaml": "include: a.yaml\n", "a.yaml": "budget: {max_usd: 3}\nshots: [{id: a, prompt: x}]\n"},
            ["a.yaml:1:1 budget is for the whole film; move it into film.yaml"],
        ),
        (
            {"film.yaml": "include: a.yaml\n", "a.yaml": "shots:\n  - {id: a, prompt: x, durration: 5}\n"},
            ["a.yaml:2:24 'durration' is not a field of a shot; did you mean duration?"],
        ),
        (
            {"film.yaml": "include: a.yaml\n", "a.yaml": "shots:\n  - {id: a, prompt: 'x {style}'}\ncast: {a: x}\n"},
            ["a.yaml:2:24 {style} is not defined; define it under style:"],
        ),
        (
            {"film.yaml": "cast: {mara: M}\ninclude: a.yaml\n", "a.yaml": CAST},
            ["a.yaml:2:8 cast.mara is already defined in film.yaml, line 2; keep one of them"],
        ),
        ({"film.yaml": "include: a.yaml\n", "a.yaml": "shots: [x\n"}, ["a.yaml:1:8 a bracket that begins here is not closed, or a comma is missing in it"]),
        ({"film.yaml": "include: [7, {a: b}]\n"}, [
            "film.yaml:2:11 '7': there is no such file: check the name",
            "film.yaml:2:14 include is a group of fields; expected the name of a file",
        ]),
        (
            {"film.yaml": "shots: [{prompts_from: a.yaml}]\n", "a.yaml": CAST},
            ["film.yaml:2:24 prompts_from names a file that is a manifest; use include for it"],
        ),
        (
            {"film.yaml": "shots:\n  - {prompt: x, prompts_from: p.txt}\n", "p.txt": "A gull\n"},
            ["film.yaml:3:6 this shot has both prompt and prompts_from; keep one of them"],
        ),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_taken_in_is_a_problem_with_its_place(
    tmp_path: Path, files: dict[str, str], found: list[str]
) -> None:
    files["film.yaml"] = f"version: 1\n{files['film.yaml']}"
    assert problems(write(tmp_path, files)) == found


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"cast.yaml": CAST, "film/film.yaml": "version: 1\ninclude: cast.yaml\n"})
    (tmp_path / "film" / "cast.yaml").symlink_to(tmp_path / "cast.yaml")
    assert "outside the manifest's folder" in problems(tmp_path / "film" / "film.yaml")[0]


def test_each_line_of_a_file_of_prompts_is_a_shot(tmp_path: Path) -> None:
    lines = "# birds\nA gull lands\nA crow lands\nA gull lands\n"
    path = write(
        tmp_path,
        {
            "film.yaml": "version: 1\nstyle: Ink.\nshots:\n  - {prompts_from: p.txt, takes: 2, template: '{prompt}. {style}'}\n",
            "p.txt": lines,
        },
    )
    (tmp_path / "plain.txt").write_text(lines)
    plain, mine = load_manifest(tmp_path / "plain.txt").shots, load_manifest(path).shots
    assert [(shot.id, shot.prompt, shot.takes) for shot in mine] == [
        (shot.id, f"{shot.prompt}. Ink.", 2) for shot in plain[:2]
    ]
    told = [str(each).rpartition("/")[2] for each in load_manifest(path).warnings]
    assert told == ["p.txt:4:1 this line is the same as line 2; both are one shot"]


def test_ids_of_lines_begin_with_the_id_of_their_shot(tmp_path: Path) -> None:
    path = write(tmp_path, {"film.yaml": "version: 1\nshots: [{id: vb, prompts_from: p.txt}]\n", "p.txt": "A gull\n"})
    assert load_manifest(path).shots[0].id.startswith("vb_a-gull_")


def test_a_manifest_of_several_files_is_read_again_whatever_the_cache_holds(tmp_path: Path) -> None:
    path = write(tmp_path, {"film.yaml": "version: 1\ninclude: a.csv\n", "a.csv": "id,prompt\na,one\n"})
    cache = BatchCache(tmp_path / "cache", worth_bytes=1)
    first = Manifest(path, cache=cache)
    assert (first.batch().shots[0].prompt, first.digest) == ("one", "")
    (tmp_path / "a.csv").write_text("id,prompt\na,two\n")
    again = Manifest(path, cache=cache)
    again.head()
    assert again.batch().shots[0].prompt == "two"
