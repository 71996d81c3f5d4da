"""Comments of YAML behind a prompt: what they cut off is named with its place; other comments stay silent."""

from __future__ import annotations

from pathlib import Path

import pytest

from wanbatch.errors import ManifestInvalid
from wanbatch.manifest import load_manifest

CUT = "is a comment and is not sent with the {} before it; put the whole text in quotes if it belongs to it"


def warned(folder: Path, shot: str) -> list[str]:
    """Return the warnings about a shot, whose first line is line 3."""
    (folder / "x.yaml").write_text(f"version: 1\nshots:\n{shot}\n", encoding="utf-8")
    try:
        warnings = load_manifest(folder / "x.yaml").warnings
    except ManifestInvalid as error:
        warnings = error.warnings
    return [f"{each.line}:{each.column} {each.message}" for each in warnings]


@pytest.mark.parametrize(
    ("shot", "message"),
    [
        ("  - id: a\n    prompt: A cat # in the hat", f"4:19 '# in the hat' {CUT.format('prompt')}"),
        ("  - id: a\n    prompt: Take #3 of a cat", f"4:18 '#3 of a cat' {CUT.format('prompt')}"),
        ("  - prompt: A cat\t# in the hat\n    id: a", f"3:19 '# in the hat' {CUT.format('prompt')}"),
        ("  - id: a\n    prompt: A cat\n      in a # hat", f"5:12 '# hat' {CUT.format('prompt')}"),
        ("  - id: a\n    prompt: Eine Katze für # uns", f"4:28 '# uns' {CUT.format('prompt')}"),
        ("  - {id: a, prompt: A cat # in the hat\n    }", f"3:27 '# in the hat' {CUT.format('prompt')}"),
        ("  - id: a\n    prompt: A cat\n    negative_prompt: fog #1", f"5:26 '#1' {CUT.format('negative_prompt')}"),
        ("  - id: a\n    prompt: # A cat", "4:13 '# A cat' is a comment, so the prompt is empty; put the text in quotes"),
        ("  - id: a\n    prompt: #3 cats", "4:13 '#3 cats' is a comment, so the prompt is empty; put the text in quotes"),
    ],
)  # fmt: skip
def test_what_a_comment_cuts_off_a_prompt_is_warned_of(tmp_path: Path, shot: str, message: str) -> None:
    assert warned(tmp_path, shot) == [message]


@pytest.mark.parametrize(
    "shot",
    [
        '  - id: a\n    prompt: "A cat" # in the hat',
        "  - id: a\n    prompt: 'A cat' # in the hat",
        '  - id: a\n    prompt: "A cat # in the hat"',
        "  - id: a # mine\n    prompt: A cat",
        "  - id: a\n    # above\n    prompt: A cat\n    # below",
        "  - id: a\n    prompt: A cat#3",
        "  - id: a\n    prompt: | # a block\n      A cat # in the hat",
        "  - id: a\n    prompt: >-\n      A cat # in the hat\n    # below",
        "  - id: a\n    prompt: A cat\n    takes: 2 # two\n    duration: 5 # s\n    scene: sc1 # the harbour",
        "  - id: a\n    prompt: A cat\n    negative_prompt: null # none\n    seed: 7 # mine",
        "  - id: a\n    prompt: A cat\n    negative_prompt: # none",
        "  - id: a\n    prompt: 7 # a number",
        "  - {id: a, prompt: A cat} # in the hat",
    ],
)
def test_a_comment_that_cuts_nothing_off_is_silent(tmp_path: Path, shot: str) -> None:
    assert warned(tmp_path, shot) == []
