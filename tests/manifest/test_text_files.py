"""Text files: one prompt per line; what is not a prompt is refused with its line and never bought."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from wanbatch.errors import ManifestInvalid
from wanbatch.manifest import load_manifest
from wanbatch.manifest.characters import unseen
from wanbatch.manifest.lookalikes import lookalikes

CSV = "save the file as .csv, with a first line that names the columns, such as id,prompt,duration"
PIPES = " with commas instead of the | characters and without a line of dashes"
OTHER = "what looks like syntax from another tool, {}: the model reads plain text, so write it out or remove it"


def told(folder: Path, text: str) -> list[str]:
    """Return problems and warnings of a text file; the prompts of one that has none."""
    (folder / "prompts.txt").write_bytes(text.encode())
    try:
        batch = load_manifest(folder / "prompts.txt")
    except ManifestInvalid as error:
        return [f"{each.line}:{each.column} {each.message}" for each in (*error.problems, *error.warnings)]
    warned = [f"{each.line}:{each.column} warning: {each.message}" for each in batch.warnings]
    return warned or [shot.prompt for shot in batch.shots]


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (
            "id\tprompt\tduration\na\tSnow\t5\n",
            ["1:1 this line is the header of a table (id, prompt, duration): save the file as .csv"],
        ),
        (
            "# mine\n\nShot;Text;Length\n1;Snow;5\n",
            [
                "3:1 this line is the header of a table (Shot, Text, Length): save the file as .csv, and call its columns id, prompt, duration"
            ],
        ),
        (
            "id | prompt\na | Snow\n",
            [f"1:1 this line is the header of a table (id, prompt): save the file as .csv{PIPES}"],
        ),
        (
            "| id | prompt |\n|---|---|\n",
            [f"1:1 this line is the header of a table (id, prompt): save the file as .csv{PIPES}"],
        ),
        (
            '"prompt","x_camera"\n"Snow","dolly"\n',
            ["1:1 this line is the header of a table (prompt, x_camera): save the file as .csv"],
        ),
        ("Snow falls\na\tIce\n", [f"2:1 cells separated by a tab: this looks like a row of a table; {CSV}"]),
        (
            "a | Snow | 5\nb | Ice | 5\n",
            [f"1:1 cells separated by | characters: this looks like a row of a table; {CSV} (line 2, too)"],
        ),
        ("sh010,Snow falls,5\nsh020,Ice,5\n", [f"1:1 this looks like a row of a table; {CSV} (line 2, too)"]),
        ('Snow,"Ice, fog"\n', [f"1:1 quoted cells between commas: this looks like a row of a table; {CSV}"]),
        ('"Snow", "Ice"\n', [f"1:1 quoted cells between commas: this looks like a row of a table; {CSV}"]),
        ('"Snow","Ice"\n', [f"1:1 quoted cells between commas: this looks like a row of a table; {CSV}"]),
        (
            '{"version": 1,\n "shots": [{"id": "a"}]}\n',
            ["1:1 this looks like JSON, not a prompt; save the file as .json (line 2, too)"],
        ),
        (
            '[\n  "Snow",\n  "Ice",\n]\n',
            ["1:1 this looks like JSON, not a prompt; save the file as .json (3 more lines, too; the next is line 2)"],
        ),
        (
            '{"prompt": "Snow"}\n',
            ["1:1 this looks like JSON, not a prompt; one value per line is JSON Lines: save the file as .jsonl"],
        ),
        (
            "version: 1\nshots:\n  - id: a\n    prompt: Snow\n",
            ["1:1 this looks like YAML, not a prompt; save the file as .yaml (3 more lines, too; the next is line 2)"],
        ),
        ("- prompt: Snow\n", ["1:1 this looks like YAML, not a prompt; save the file as .yaml"]),
        ("prompts = [\n  'Snow',\n]\n", ["1:1 this looks like code or markup, not a prompt; remove it"]),
        ("```\nSnow\n```\n", ["1:1 this looks like code or markup, not a prompt; remove it (line 3, too)"]),
        ("Snow\n<br/>\n", ["2:1 this looks like code or markup, not a prompt; remove it"]),
        ("prompt = Snow\n", ["1:1 this looks like code or markup, not a prompt; remove it"]),
        (
            "00:00:01,000 --> 00:00:03,000\nSnow\n",
            ["1:1 this looks like a subtitle time line; write one prompt per line and nothing else"],
        ),
        (
            "Snow\nNegative prompt: fog\n",
            ["2:1 this looks like settings from another tool; a negative_prompt needs a .csv, .json or .yaml file"],
        ),
        (
            '! {Fox}="red","white"\nA {Fox} in {Place}\n',
            [
                "1:1 a line that begins with ! is a macro from another tool; write out the prompts it stands for",
                f"2:3 {OTHER.format('{Fox} and {Place}')}",
            ],
        ),
        (
            "  - Snow\n* Ice\n• Fog\n",
            [
                "1:3 this line begins with a list marker, which would be sent; remove it (2 more lines, too; the next is line 2)"
            ],
        ),
        (
            "1. Snow\n2) Ice\n",
            ["1:1 this line begins with a list number or letter, which would be sent; remove it (line 2, too)"],
        ),
        ("Snow --ar 16:9 --v 6\n", [f"1:6 {OTHER.format('--ar 16:9 and --v 6')}"]),
        ("(snow:1.3) on <lora:x:1>\n", [f"1:1 {OTHER.format('(snow:1.3) and <lora:x:1>')}"]),
        ("A {fox|owl} looks\n", [f"1:3 {OTHER.format('{fox|owl}')}"]),
        ("A fox::2 looks\n", [f"1:6 {OTHER.format('::2')}"]),
        (
            "Scene 1\nSnow\nINT. HOUSE - NIGHT\n第三场\n",
            [
                (
                    "1:1 this looks like a heading, but a clip would be bought for it; begin it with # to skip it"
                    " (2 more lines, too; the next is line 3)"
                )
            ],
        ),
        ("Snow; 5; 720p\n", [f"1:1 this looks like a row of a table; {CSV}"]),
        ("Snow, 5\nIce, 10 s\n", [f"1:1 this looks like a row of a table; {CSV} (line 2, too)"]),
        ("/imagine prompt: Snow\n", ["1:1 this looks like a command for another tool; write only the prompt"]),
        (
            "Prompt: Snow\nDuration: 5\n",
            [
                "1:1 this label would be sent; write only the prompt, and put its duration or size into a .csv or .yaml file (line 2, too)"
            ],
        ),
        ("((snow)) falls\n", [f"1:1 {OTHER.format('((snow))')}"]),
        ("# only\n", ["1:1 this file has no prompt: write one per line"]),
    ],
)
def test_what_is_no_prompt_is_refused_with_its_line(tmp_path: Path, text: str, problems: list[str]) -> None:
    assert told(tmp_path, text) == problems


PROMPTS = [
    "A fox looks up: slowly, at 10:30",
    'She says "stop" (a 16:9 frame)',
    '"Stop!" she says, and runs',
    "Wide shot - a harbour; rain & fog",
    "1984, a street in London, rain",
    "8k, cinematic, a fox",
    "3 foxes. 2 owls.",
    "2. Weltkrieg, ein Schiff",
    "A sign: 50% off, $5, a+b=c, #1",
    "Camera: slow dolly. Sound: wind.",
    "A man -- tired -- walks; his well-known--or not--hat",
    "The clock shows 10, not 5",
    "Scene from a window: rain",
    'He whispers, "Stop, now"',
    '"Stop!", she says, and runs',
    "25 dogs and 3 cats sit in a row",
    "2001: a space odyssey",
    "12 angry men, a courtroom",
    "3D render of a bee",
    "80s synthwave sunset",
    "A/B roll of a bakery",
    "Scene 5 of a play: actors bow",
    "Wide shot: a desert; slow push-in",
    "INT. spaceship corridor, lights flicker",
    "Time-lapse of clouds, 24 hours in 5 seconds",
    "A runner finishes in 9.58 s",
    "Shot 1 [0-4s]: a fox looks up. Shot 2 [4-9s]: it runs",
    "[0-2s] a fox looks up, [2-5s] it runs",
    "10 dogs run over a field",
    "1920s street, 2 cars",
    "Great clouds, then rain",
    "A dance — slow — at dusk",
    "Here is a fox: red, quick",
    "O' the sea, 3 boats, 12 gulls",
    "EXT. HARBOUR - DAY. A fox looks up",
    "A fox / an owl, side by side",
    "[Wide shot] A fox looks up",
    "(soft light) a fox <3",
    "C'est l'été, « oui » dit-il",
    "[00:05] the clock reads (10:30)",
    "Scene, notes and a tall ship",
    "一只橘猫跳上窗台，雨还在下",
    "— Bonjour, dit le renard",
]


@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_prompt_may_be_written_as_people_write(tmp_path: Path, prompt: str) -> None:
    assert told(tmp_path, f"\u3000{prompt}\u00a0\n") == [prompt]


def test_lines_are_counted_in_utf_16_and_after_a_mark(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes("Snow\r\nIce --v 6\r\n".encode("utf-16"))
    with pytest.raises(ManifestInvalid) as caught:
        load_manifest(tmp_path / "x.txt")
    assert [(each.line, each.column) for each in caught.value.problems] == [(2, 5)]


def test_a_long_text_file_is_looked_through_quickly(tmp_path: Path) -> None:
    rows = "".join(f"- A fox, number {n}, looks up\n" for n in range(20_000))
    assert told(tmp_path, rows)[0].endswith("(19999 more lines, too; the next is line 2)")


@pytest.mark.parametrize(
    "unit", ["a | ", "a, 5 ", '"a, ', "((a:1 ", "{a ", "--a ", "__a ", "[[a:", "**a ", "1 -- > ", "a\u200d"]
)
def test_no_line_takes_longer_than_its_length(unit: str) -> None:
    text = "x " + unit * 4000
    begun = time.process_time()
    lookalikes([(1, 1, text)])
    list(unseen(text))
    assert time.process_time() - begun < 2  # thousandths where the patterns are linear, minutes where they are not
