"""JSON Lines: one prompt or shot per line, read; a line that cannot be read is a problem of that line alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from wanbatch.errors import ManifestInvalid
from wanbatch.manifest import load_manifest

WHOLE = "each line must hold one complete value"


def told(folder: Path, text: str, name: str = "shots.jsonl") -> list[str]:
    (folder / name).write_text(text, encoding="utf-8")
    try:
        shots = load_manifest(folder / name).shots
    except ManifestInvalid as error:
        return [f"{each.line}:{each.column} {each.message}" for each in error.problems]
    return [f"{shot.line} {shot.id.split('_')[0]}: {shot.prompt}" for shot in shots]


@pytest.mark.parametrize("name", ["shots.jsonl", "shots.ndjson", "SHOTS.JSONL"])
def test_one_shot_a_line_is_read(tmp_path: Path, name: str) -> None:
    text = '{"id": "a", "prompt": "Snow", "duration": 5}\n\n{"id": "b", "prompt": "Ice"}\n'
    assert told(tmp_path, text, name) == ["1 a: Snow", "3 b: Ice"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"prompt": "Snow"}\n"Ice"\n', ["1 snow: Snow", "2 ice: Ice"]),
        ('{"version": 1, "shots": [{"id": "a", "prompt": "Snow"}]}\n', ["1 a: Snow"]),
        ('["Snow", "Ice"]\n', ["1 snow: Snow", "1 ice: Ice"]),
        ('{"prompt": "Snow"}\n{"prompt": "Ice", "length": 5}\n', ["2:19 'length' is not a field of a shot; did you mean duration?"]),
        ('{"prompt": "Snow"},\n{"prompt": "Ice"}\n', [f"1:19 this line is not valid JSON: a comma after the value; JSON Lines does not have one; {WHOLE}"]),
        ('{"prompt": "Snow"}\n{"prompt": "Ice",\n{"prompt": Fog}\n', [
            f"2:17 this line is not valid JSON: the file ends after this, but a bracket is not closed; {WHOLE}",
            f"3:12 this line is not valid JSON: expected a number, true, false, null, a list, an object, or text in double quotes; {WHOLE}",
        ]),
        ('{\n"prompt": "Snow"\n}\n', ["1:1 this text is JSON over several lines; rename the file to .json"]),
        ('{"prompt": NaN}\n', ["1:12 this is not valid JSON: NaN is not a number in JSON"]),
    ],
)  # fmt: skip
def test_lines_are_read_or_told_one_by_one(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert told(tmp_path, text) == expected
