"""Lines of a text file that are not prompts: named, and never bought."""

from __future__ import annotations

from pathlib import Path

import pytest

from wanbatch.errors import ManifestInvalid
from wanbatch.manifest import load_manifest

NO_PROMPTS = [
    "***", "____", "=====", "- - -", ".", "…", "5", "12:30", "// first try", "/* later */", "; a remark", "<!-- x -->",
    "n/a", "N/A", "null", "None", "NaN", "undefined", "TRUE", "ditto", "Same as above", "see notes", "omit", "TBD",
    "your prompt here", "[your prompt here]", "(insert prompt)", "PROMPT_HERE", "[object Object]",
    "https://example.com/cat.png", "shot_01.mp4", "stills/mara.JPG",
]  # fmt: skip
PROMPTS = [
    "A cat", "猫", "None of the birds fly", "Todo the dog runs", "A sign reads https://example.com in red", "Omit nothing",
    "She says: see notes on the wall", "बिल्ली", "A still.png hangs on the wall", "1920s street", "5 cats run",
]  # fmt: skip


@pytest.mark.parametrize("line", NO_PROMPTS)
def test_a_line_that_is_no_prompt_is_refused(line: str, tmp_path: Path) -> None:
    path = tmp_path / "shots.txt"
    path.write_text(f"Waves climb the steps\n{line}\n", encoding="utf-8")
    with pytest.raises(ManifestInvalid) as caught:
        load_manifest(path)
    assert [each.line for each in caught.value.problems] == [2]


@pytest.mark.parametrize("line", PROMPTS)
def test_a_prompt_that_only_holds_such_words_is_read(line: str, tmp_path: Path) -> None:
    path = tmp_path / "shots.txt"
    path.write_text(f"{line}\n", encoding="utf-8")
    assert [shot.prompt for shot in load_manifest(path).shots] == [line]
