"""Faults of YAML's syntax are told by their cause, where they can be mended: no hint leads astray."""

from __future__ import annotations

from pathlib import Path

import pytest

from wanbatch.errors import ManifestInvalid
from wanbatch.manifest import load_manifest

DOUBLE = (
    'text after a closing quote: inside double quotes write a quote as \\", or put single quotes around the whole text'
)
SINGLE = (
    "text after a closing quote: inside single quotes write a quote or apostrophe twice (''), or put double quotes"
    " around the whole text"
)
COLON = "a ': ' inside unquoted text: put the whole text in quotes"
DEEPER = "this line is indented deeper than the one above, which already has a value"
NAME = "a line without ': ' after its name, or indented too little"
BLOCK = "indent the text below | or > deeper than the name before it"
BRACKET = "a bracket that begins here is not closed, or a comma is missing in it"
FLOW = "a ': ' inside unquoted text, or no comma before a name: put the text in quotes, or write the comma"


@pytest.mark.parametrize(
    ("shots", "problem"),
    [
        # quotes
        ('- id: a\n  prompt: "A sign: "OPEN" in red"', f"4:21 {DOUBLE}"),
        ('- id: a\n  prompt: "OPEN" says the sign', f"4:18 {DOUBLE}"),
        ("- id: a\n  prompt: 'It's late'", f"4:15 {SINGLE}"),
        ("- id: a\n  prompt: 'Stop' says the sign", f"4:18 {SINGLE}"),
        ('- {id: a, prompt: "A "red" door"}', f"3:23 {DOUBLE}"),
        ("- {id: a, prompt: 'It's late'}", f"3:23 {SINGLE}"),
        ('- id: "a", \n  prompt: x', "3:10 a comma after a value: outside of [ ] and { } YAML has no commas; remove it"),
        (
            '- id: a\n  prompt: "A fox\n- id: b\n  prompt: "Snow"',
            "4:11 a quote that begins here ends on line 6: close it where its text ends",
        ),
        ('- id: a\n  prompt: "A fox', "4:11 a quote or bracket is not closed"),
        ("- id: a\n  prompt: “A sign: open”", f"4:18 {COLON.split(':', maxsplit=1)[0]}: ' inside unquoted text: YAML knows only straight quotes, so put \" or ' around the whole text"),
        # colons
        ("- id: a\n  prompt: Wide shot: a fox", f"4:20 {COLON}"),
        ("- id: a\n  prompt: A fox\n    looks: up", f"5:10 {DEEPER}"),
        ("- id: a\n    prompt: x", f"4:11 {DEEPER}"),
        ("- id: a\n  prompt: x\n    duration: 5", f"5:13 {DEEPER}"),
        ("-id: a\n prompt: x", "4:8 the dash in the line above has no space after it: write - id: instead of -id:"),
        ("- id: a\n  prompt:A fox\n  duration: 5", "4:3 no space after the colon: write one between the name and its value"),
        ("- id: a\n  prompt: x\n  duration = 5\n  seed: 1", "5:3 an = instead of a colon: write name: value"),
        ("- id: a\n  prompt\uff1a x\n  seed: 1", "4:3 a wide colon: write a plain : and a space after it"),
        ("- id: a\n  prompt\n  seed: 1", f"4:3 {NAME}"),
        # signs that begin a text
        ("- id: a\n  prompt: {{fox}} looks", "4:12 a list or a group of fields as a name; put text that begins with { or [ in quotes"),
        ("- id: a\n  prompt: {fox} looks", "4:17 text after a closing bracket: put text that begins with [ or { in quotes"),
        ("- id: a\n  prompt: [wide] a fox", "4:18 text after a closing bracket: put text that begins with [ or { in quotes"),
        ("- id: a\n  prompt: *bold* fox", "4:16 put text that begins with * or & in quotes"),
        ("- id: a\n  prompt: !fox looks", "4:11 a tag (!fox): only plain values are read; put text that begins with ! in quotes"),
        ("- id: a\n  prompt: '@'\n  notes: @fox", "5:10 a value cannot begin with this character: put the value in quotes"),
        ("- id: a\n  prompt: %s looks", "4:11 a value cannot begin with this character: put the value in quotes"),
        ("- id: a\n  prompt: - a fox", "4:11 put text that begins with - or ? in quotes"),
        ("- id: a\n  prompt: | A fox", "4:13 begin text after | or > on the next line, indented; or put it in quotes"),
        # blocks, brackets, indentation
        ("- id: a\n  prompt: |\n  A fox\n  looks", f"5:3 {BLOCK}"),
        ("- id: a\n  tags: [x, y\n  prompt: z", f"4:9 {BRACKET}"),
        ("- {id: a, prompt: x\n- {id: b, prompt: y}", f"3:3 {BRACKET}"),
        ("- {id: a, prompt: Wide: a fox}", f"3:23 {FLOW}"),
        ('- {id: "a" prompt: x}', "3:12 a comma is missing before this name: write one"),
        ("- {id: a, prompt: A fox, slowly}", "3:26 'slowly' is not a field of a shot; to keep it as a column of your own, call it x_slowly (inside { }, put text with a comma in quotes)"),
        ("- id: a\n prompt: x", "4:2 this line does not fit the indentation above it: names that belong together must begin in the same column"),
        ("- id: a\n  prompt: x\n   - id: b", f"5:8 {DEEPER}"),
        ("- id: a\n\u00a0\u00a0prompt: x", "4:1 this name is indented with no-break spaces or the like: indent with plain spaces"),
        ("- id: a\n\tprompt: x", "4:1 a tab, but YAML allows only spaces here: indent with spaces"),
        ('- id: a\n  prompt: "C:\\dir"', "4:14 a backslash in double quotes that escapes nothing: use single quotes"),
        # texts for shots
        ("- A fox looks up", "3:3 a shot is 'A fox looks up'; expected fields, such as id: sh010 and prompt: A gull lands; for a plain list of prompts, one per line, use a .txt file"),
        ("- Wide: a fox", "3:3 a shot has only 'Wide', which is not a field; put text with ': ' in quotes, and give the shot an id and a prompt"),
        ("- id: a\n  prompt: A fox\n  on the rail: slowly", "5:3 'on the rail' is not a field of a shot; if it is part of a text with ': ', put the whole text in quotes"),
    ],
)  # fmt: skip
def test_the_cause_is_told_where_it_stands(tmp_path: Path, shots: str, problem: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(f"version: 1\nshots:\n{shots}\n", encoding="utf-8")
    with pytest.raises(ManifestInvalid) as caught:
        load_manifest(path)
    assert [f"{each.line}:{each.column} {each.message}" for each in caught.value.problems] == [problem]
