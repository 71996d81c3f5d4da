"""JSON without a manifest round it: lists of prompts or shots are read, anything else is told what it needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from wanbatch.errors import ManifestInvalid
from wanbatch.manifest import load_manifest

WANTED = 'write {"version": 1, "shots": [{"id": "sh010", "prompt": "..."}]}, or only a list of prompts: ["...", "..."]'
ITEM = 'in the list; expected a prompt, or a shot: {"id": "sh010", "prompt": "..."}'
KEYED = "wanbatch reads a list of shots, each with its id; write"


def told(folder: Path, text: str) -> list[str]:
    (folder / "x.json").write_text(text, encoding="utf-8")
    try:
        batch = load_manifest(folder / "x.json")
    except ManifestInvalid as error:
        return [f"{each.line}:{each.column} {each.message}" for each in error.problems]
    return [
        f"{shot.id.split('_')[0]}: {shot.prompt} {shot.request.get('duration', '')}".rstrip() for shot in batch.shots
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('["Snow", " Ice "]', ["snow: Snow", "ice: Ice"]),
        ('[{"id": "a", "prompt": "Snow"}, {"id": "b", "prompt": "Ice", "duration": 5}]', ["a: Snow", "b: Ice 5"]),
        ('[{"prompt": "Snow"}, {"prompt": "Ice", "duration": 5.0}]', ["snow: Snow", "ice: Ice 5"]),
        ('["Snow", {"id": "b", "prompt": "Ice"}]', ["snow: Snow", "b: Ice"]),
        (
            '[{"id": "a", "prompt": "Snow"},\n {"prompt": "Ice"}]',
            ["2:2 id is missing; give the shot a name that will not change, such as sc010_sh020"],
        ),
        (
            '[{"shot": "a", "prompt": "Snow"}]',
            [
                "1:2 id is missing; give the shot a name that will not change, such as sc010_sh020",
                "1:3 'shot' is not a field of a shot; did you mean id?",
            ],
        ),
        (
            '[{"Prompt": "Snow"}]',
            ["1:2 prompt is missing; say what the clip shows", "1:3 'Prompt' is not a field of a shot; did you mean prompt?"],
        ),
        ('["Snow",\n 5, ["x"], null, ""]', [f"2:2 5 {ITEM}", f"2:5 a list {ITEM}", f"2:12 an empty value {ITEM}", "2:18 an empty string; write a prompt, or remove it from the list"]),
        ("[]", [f"1:1 this list is empty; {WANTED}"]),
        ('{"prompts": ["Snow"]}', [f"1:1 'prompts' is not a field of a manifest; {WANTED}"]),
        ('{"name": "x", "data": [{"id": "a"}]}', [f"1:1 'data' is not a field of a manifest; {WANTED}"]),
        ('{"a": {"prompt": "Snow"}, "b": {"prompt": "Ice"}}', [f"1:1 shots under names such as 'a': {KEYED} [{{\"id\": \"a\", \"prompt\": \"...\"}}, ...]"]),
        ('{"a": "Snow falls", "b": "Ice"}', [f"1:1 shots under names such as 'a': {KEYED} [{{\"id\": \"a\", \"prompt\": \"...\"}}, ...]"]),
        ('{"prompt": "Snow"}', [f"1:1 this is one shot, not a manifest; put it in a list: [{{...}}], or {WANTED}"]),
        (
            '{"prompt": "Snow"}\n{"prompt": "Ice"}\n',
            ["2:1 this is not valid JSON: this has one value per line, as in JSON Lines: rename the file to .jsonl"],
        ),
        ('"Snow"', ["1:1 this file is not a manifest; a manifest begins with version: 1 and has shots: (for a plain list of prompts, one per line, use a .txt file)"]),
        ('{"shots": [{"id": "a", "prompt": "Snow"}]}', ['1:1 version is missing; write "version": 1, before "shots"']),
        (
            '{"version": 1, "shots": ["Snow"]}',
            ["1:26 a shot is 'Snow'; expected fields, such as id: sh010 and prompt: A gull lands; for a plain list of prompts, one per line, use a .txt file"],
        ),
        (
            '{"3": {"class_type": "Sampler", "inputs": {}}}',
            [f"1:1 this looks like a ComfyUI workflow, not a manifest; {WANTED}"],
        ),
    ],
)  # fmt: skip
def test_a_bare_json_is_read_or_told_what_it_needs(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert told(tmp_path, text) == expected


def test_a_list_of_texts_has_the_ids_of_a_text_file(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('["Snow", "Ice", "Snow"]')
    (tmp_path / "x.txt").write_text("Snow\nIce\nSnow\n")
    made = [[shot.id for shot in load_manifest(tmp_path / name).shots] for name in ("x.json", "x.txt")]
    assert made[0] == made[1]
