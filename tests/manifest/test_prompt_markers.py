"""Marks round a prompt: what a list, a time line or another tool left there is refused or warned of, with its place."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.manifest.findings import findings_in
from wanbatch.manifest import load_manifest
from wanbatch.manifest.characters import misread
from wanbatch.manifest.prompt_markers import marks

FIRST = "Waves climb the steps\n"
LIST = "prompt contains a list marker at its beginning, {}: it would be sent; remove it"
FIELD = "it would be sent; remove it; set the length with duration (a field in .csv, .json and .yaml files)"
SIZE = (
    "it would be sent; remove it; set the size with aspect_ratio or resolution (fields in .csv, .json and .yaml files)"
)
HEAD = "prompt contains a shot heading at its beginning, {}: it would be sent; remove it (several shots of one clip belong in one prompt)"
OTHER = "what looks like syntax from another tool, {}: the model reads plain text, so write it out or remove it"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("An owl [5s]", f"2:8 prompt contains a time at its end, '[5s]': {FIELD}"),
        ("An owl (5 sec)", f"2:8 prompt contains a time at its end, '(5 sec)': {FIELD}"),
        ("An owl, 5 seconds", f"2:9 prompt contains a time at its end, '5 seconds': {FIELD}"),
        ("An owl - 10s", f"2:8 prompt contains a time at its end, '- 10s': {FIELD}"),
        ("An owl, duration: 5s", f"2:9 prompt contains a time at its end, 'duration: 5s': {FIELD}"),
        ("An owl 9:16", f"2:8 prompt contains a picture size at its end, '9:16': {SIZE}"),
        ("An owl (16:9, 5s)", f"2:8 prompt contains a picture size at its end, '(16:9, 5s)': {SIZE}"),
        ("An owl, 1080p, 24 fps", f"2:9 prompt contains a picture size at its end, '1080p, 24 fps': {SIZE}"),
        ("An owl – 0:05", f"2:8 prompt contains a time at its end, '– 0:05': {FIELD}"),
        ("Slide 3: An owl", "2:1 " + HEAD.format("'Slide 3'")),
        ("An owl 5sec", f"2:8 prompt contains a time at its end, '5sec': {FIELD}"),
        ("An owl [00:00-00:05]", f"2:8 prompt contains a time at its end, '[00:00-00:05]': {FIELD}"),
        ("🎬 Scene 1: An owl", "2:1 " + HEAD.format("'Scene 1'")),
        ("[Scene 1] An owl", "2:1 " + HEAD.format("'[Scene 1]'")),
        ("【镜头1】一只猫头鹰", "2:1 " + HEAD.format("'【镜头1】'")),
        ("Scene two: An owl", "2:1 " + HEAD.format("'Scene two'")),
        ("An owl —no people", "2:8 prompt contains what looks like a setting, '—no people': it would be sent as text; put it in a field of its own (in a .csv, .json or .yaml file)"),
        ("An owl, 1080p", f"2:9 prompt contains a picture size at its end, '1080p': {SIZE}"),
        ("00:05 An owl", f"2:1 prompt contains a time at its beginning, '00:05': {FIELD}"),
        ("00:05 - 00:10 An owl", f"2:1 prompt contains a time at its beginning, '00:05 - 00:10': {FIELD}"),
        ("0:00–0:05: An owl", f"2:1 prompt contains a time at its beginning, '0:00–0:05': {FIELD}"),
        ("[00:05] An owl", f"2:1 prompt contains a time at its beginning, '[00:05]': {FIELD}"),
        ("(0-5s) An owl", f"2:1 prompt contains a time at its beginning, '(0-5s)': {FIELD}"),
        ("00:00:05,000 An owl", f"2:1 prompt contains a time at its beginning, '00:00:05,000': {FIELD}"),
        ("5s: An owl", f"2:1 prompt contains a time at its beginning, '5s': {FIELD}"),
        ("[05/01/2026, 10:30] Mara: an owl", f"2:1 prompt contains a time at its beginning, '[05/01/2026, 10:30]': {FIELD}"),
        ("(1) An owl", "2:1 " + LIST.format("'(1)'")),
        ("[2] An owl", "2:1 " + LIST.format("'[2]'")),
        ("a) An owl", "2:1 " + LIST.format("'a)'")),
        ("1. An owl", "2:1 " + LIST.format("'1.'")),
        ("1 - An owl", "2:1 " + LIST.format("'1'")),
        ("#1 An owl", None),  # a remark
        ("No. 3 An owl", "2:1 " + LIST.format("'No. 3'")),
        ("Scene 1: An owl", "2:1 " + HEAD.format("'Scene 1'")),
        ("SHOT 12b - An owl", "2:1 " + HEAD.format("'SHOT 12b'")),
        ("Shot 3. An owl", "2:1 " + HEAD.format("'Shot 3.'")),
        ("Szene 3 – Eine Eule", "2:1 " + HEAD.format("'Szene 3'")),
        ("镜头1：一只猫头鹰", "2:1 " + HEAD.format("'镜头1'")),
        ("第二场：一只猫头鹰", "2:1 " + HEAD.format("'第二场'")),
        ("sc010_sh020 An owl", "2:1 " + HEAD.format("'sc010_sh020'")),
        ("https://example.com/owl.png an owl", "2:1 prompt contains an address at its beginning: it would be sent as text; give a picture as image_url"),
        ("An owl. Aspect ratio: 16:9. Rain", "2:9 prompt contains what looks like a setting, 'Aspect ratio: 16:9': it would be sent as text; put it in a field of its own (in a .csv, .json or .yaml file)"),
        ("An owl. Negative prompt: fog", "2:9 prompt contains what looks like a setting, 'Negative prompt': it would be sent as text; put it in a field of its own (in a .csv, .json or .yaml file)"),
        ("An owl # later", "2:8 # later would be sent with the prompt: wanbatch skips only lines that begin with #"),
        ("An owl // later", "2:8 // later would be sent with the prompt: wanbatch skips only lines that begin with #"),
        ("Un cafÃ©", "2:7 prompt contains 'Ã©' where 'é' was probably meant: a program read UTF-8 as another encoding; open the original as UTF-8 and save it again"),
        ("It isnâ€™t an owl", "2:7 prompt contains 'â€™' where '’' was probably meant: a program read UTF-8 as another encoding; open the original as UTF-8 and save it again"),
    ],
)  # fmt: skip
def test_a_mark_that_would_be_sent_is_warned_of_at_its_place(tmp_path: Path, line: str, message: str | None) -> None:
    assert findings_in(tmp_path, f"{FIRST}{line}\n", "prompts.txt") == ([], [] if message is None else [message])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        *((f"{mark} An owl", "2:1 this line begins with a list marker, which would be sent; remove it") for mark in "→▪☐✓①❷>■"),
        ("[ ] An owl", "2:1 this line begins with a list marker, which would be sent; remove it"),
        ("[x] An owl", "2:1 this line begins with a list marker, which would be sent; remove it"),
        ("1️⃣ An owl", "2:1 this line begins with a list marker, which would be sent; remove it"),
        ("An owl —ar 16:9 –v 6", f"2:8 {OTHER.format('—ar 16:9 and –v 6')}"),
        ("An owl –seed 5", f"2:8 {OTHER.format('–seed 5')}"),
        ("An owl seed:5", f"2:8 {OTHER.format('seed:5')}"),
        ("An owl, Steps: 20, Sampler: Euler", f"2:9 {OTHER.format('Steps: 20 and Sampler: Euler')}"),
        ("An owl ar=16:9", f"2:8 {OTHER.format('ar=16:9')}"),
        ("Here are 5 prompts for your film:", "2:1 this is a sentence from a chat assistant, not a prompt, but a clip would be bought for it; remove the line"),
        ("Sure! Here's the list", "2:1 this is a sentence from a chat assistant, not a prompt, but a clip would be bought for it; remove the line"),
        ("Let me know if you want more.", "2:1 this is a sentence from a chat assistant, not a prompt, but a clip would be bought for it; remove the line"),
        ("Ext. Harbour - Night", "2:1 this looks like a heading, but a clip would be bought for it; begin it with # to skip it"),
        ("Act II", "2:1 this looks like a heading, but a clip would be bought for it; begin it with # to skip it"),
        ("SHOT LIST", "2:1 this looks like a heading, but a clip would be bought for it; begin it with # to skip it"),
        ("Kitchen scene:", "2:1 this looks like a heading, but a clip would be bought for it; begin it with # to skip it"),
        ("THE END", "2:1 this looks like a heading, but a clip would be bought for it; begin it with # to skip it"),
        ("Page 3", "2:1 this looks like a heading, but a clip would be bought for it; begin it with # to skip it"),
        ("Total: 30s", "2:1 this looks like a heading, but a clip would be bought for it; begin it with # to skip it"),
        ("**Prompt:** An owl", "2:1 this looks like a heading or label in Markdown; write only the prompts, one per line"),
        ("FCM: NON-DROP FRAME", "2:1 this looks like a line of an edit decision list; describe each shot in words, one per line"),
        ("negative: fog", "2:1 this looks like settings from another tool; a negative_prompt needs a .csv, .json or .yaml file"),
        ("---", "2:1 there are no words in this line, but a clip would be bought for it; remove it"),
    ],
)  # fmt: skip
def test_a_line_that_was_certainly_not_meant_so_is_refused(tmp_path: Path, line: str, message: str) -> None:
    assert findings_in(tmp_path, f"{FIRST}{line}\n", "prompts.txt") == ([message], [])


@pytest.mark.parametrize(
    ("text", "problems", "warnings"),
    [
        ("– An owl\n– A fox\n", ["1:1 this line begins with a list marker, which would be sent; remove it (line 2, too)"], []),
        ("a) An owl\nb) A fox\n", ["1:1 this line begins with a list number or letter, which would be sent; remove it (line 2, too)"], []),
        ("1.An owl\n2.A fox\n", ["1:1 this line begins with a list number or letter, which would be sent; remove it (line 2, too)"], []),
        ("1 An owl\n2 foxes run\n3 Snow\n", [], ["1:1 this prompt and 2 more begin with list numbers, which would be sent; remove them"]),
        ("1.1 An owl\n1.2 A fox\n", ["1:1 this line begins with a list number or letter, which would be sent; remove it (line 2, too)"], []),
        ("II. An owl\nIII. A fox\n", ["1:1 this line begins with a list number or letter, which would be sent; remove it (line 2, too)"], []),
        ("A) An owl\nB) A fox\n", ["1:1 this line begins with a list number or letter, which would be sent; remove it (line 2, too)"], []),
        ("01_An owl\n02_A fox\n", ["1:1 this line begins with a list number or letter, which would be sent; remove it (line 2, too)"], []),
        ("•\tAn owl\n•\tA fox\n", ["1:1 this line begins with a list marker (a bullet or number), which would be sent; remove it (line 2, too)"], []),
        ("Prompt 1\nAn owl\nPrompt 2\nA fox\n", ["1:1 this looks like a heading, but a clip would be bought for it; begin it with # to skip it (line 3, too)"], []),
        ("An owl,\nA fox,\nSnow\n", [], ["1:1 this line ends with a comma or semicolon, as in a list, which would be sent; remove it (line 2, too)"]),
        ("[00:00-00:05] An owl [00:05-00:10] A fox\n", [], []),
        ("3 owls sit\n4 foxes run\n", [], []),
        ("3 owls sit\n5 foxes run\n9 gulls fly\n", [], []),
        ("Setting: a roof\nCamera: slow\n", [], ["1:1 each line becomes a clip: put the whole text of a shot on one line (line 2, too)"]),
        ("INT. ROOF - DAY\nMARA\n(whispering)\n", [
            "1:1 this looks like a heading, but a clip would be bought for it; begin it with # to skip it",
            "2:1 this looks like a line of a screenplay; describe each shot in one line, without names and directions (line 3, too)",
        ], []),
        ("1\n00:00:01,000 --> 00:00:03,000\nSnow\n", ["2:1 this looks like a subtitle time line; write one prompt per line and nothing else"], []),
        ("| Shot | Text | Lens |\n|--|--|--|\n", ["1:1 this line is the header of a table (Shot, Text, Lens): save the file as .csv with commas instead of the | characters and without a line of dashes, and call its columns id, prompt, x_lens"], []),
        ('{"id": "a", "prompt": "Snow"}\n{"id": "b", "prompt": "Ice"}\n', ["1:1 this looks like JSON, not a prompt; one value per line is JSON Lines: save the file as .jsonl (line 2, too)"], []),
    ],
)  # fmt: skip
def test_what_a_whole_file_is_is_told_once(tmp_path: Path, text: str, problems: list[str], warnings: list[str]) -> None:
    assert findings_in(tmp_path, text, "prompts.txt") == (problems, warnings)


def test_the_numbers_of_a_list_are_warned_of_in_every_format(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(json.dumps(["2. An owl", "3. A fox", "Snow"]))
    words = "this prompt and 1 more begin with list numbers, which would be sent; remove them"
    assert [each.message for each in load_manifest(tmp_path / "x.json").warnings] == [words]


@pytest.mark.parametrize(
    "prompt",
    [
        "Shot 1 [0-4s]: an owl looks up. Shot 2 [4-9s]: it flies",
        "[0-4s] an owl looks up, [4-9s] it flies",
        "第1个镜头：猫头鹰。第2个镜头：它飞走",
        "An owl sits still for 5 seconds",
        "A dance — no music, no words",
        "7:30 in the morning, a quiet street",
        "10:15 pm, rain on a window",
        "3 owls, 2 foxes and 1 gull",
        "Scene from a window: rain",
        "Shot on film, grain, rain",
        "A clock shows 00:05",
        "The ratio: one to three",
        "«CAFÉ», a neon sign",
        "Ångström — naïve façade, MÜNCHEN, ÇA VA",
        "Собака бежит по снегу",
        "Steps: stone, worn, wet",
        "Seed pods burst: summer",
        "→",
    ],
)
def test_a_prompt_as_people_write_it_has_no_marks(prompt: str) -> None:
    assert (marks(prompt), misread(prompt)) == ([], [])


@pytest.mark.parametrize(
    "unit", ["[5s ", "(0-5s", "1) ", "Scene 1: ", "00:05 ", "Ã©", "seed: ", "a: 5 ", ", 5s", "镜头1"]
)
def test_no_prompt_takes_longer_than_its_length(unit: str) -> None:
    begun = time.process_time()
    marks(unit * 4000)
    misread(unit * 4000)
    assert time.process_time() - begun < 2  # hundredths where the patterns are linear, minutes where they are not
