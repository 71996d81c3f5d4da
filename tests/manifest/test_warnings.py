"""Warnings: what in a manifest was hardly meant so, each with its place; and what belongs to the writing and is none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from wanbatch.batch.shots import Batch
from wanbatch.errors import ManifestInvalid
from wanbatch.manifest import PROBLEMS_SHOWN, load_manifest
from wanbatch.manifest.cache import CACHE_NAME, BatchCache, Manifest

ALLOW = '; if this is intended, write "allow": ["{}"]'
UNFILLED = "prompt contains what looks like a placeholder, {}: fill it in, or remove it; it would be sent unchanged" + (
    ALLOW.format("placeholder")
)
OTHER = (
    "prompt contains what looks like syntax from another tool, {}: the model reads plain text, so write it out or remove it"
    + ALLOW.format("syntax")
)
QUOTED = "prompt contains quotation marks around the whole text: they would be sent; remove them"


def load(folder: Path, name: str, text: str) -> Batch:
    (folder / name).write_bytes(text.encode())
    return load_manifest(folder / name)


def warned(folder: Path, prompt: str, **more: object) -> list[str]:
    """Return the warnings about a prompt, from a JSON manifest."""
    shot = {"id": "a", "prompt": prompt, **more}
    batch = load(folder, "x.json", json.dumps({"version": 1, "shots": [shot]}))
    return [each.message for each in batch.warnings]


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("A {{fox}} in the style of ${ARTIST}", UNFILLED.format("{{fox}} and ${ARTIST}")),
        ("A __fox__ looks", UNFILLED.format("__fox__")),
        ("A __animals/fox__ looks", UNFILLED.format("__animals/fox__")),
        ("A [[fox]] looks", UNFILLED.format("[[fox]]")),
        ("A %s looks at %(place)s", UNFILLED.format("%s and %(place)s")),
        ("A <FOX> looks", UNFILLED.format("<FOX>")),
        ("A <insert animal here> looks", UNFILLED.format("<insert animal here>")),
        ("A [INSERT ANIMAL] looks", UNFILLED.format("[INSERT ANIMAL]")),
        ("A [FOX_NAME] looks", UNFILLED.format("[FOX_NAME]")),
        ("A $ANIMAL looks", UNFILLED.format("$ANIMAL")),
        ("A {% if fox %}", UNFILLED.format("{% if fox %}")),
        ("A #{fox} looks", UNFILLED.format("#{fox}")),
        ("TODO", UNFILLED.format("TODO")),
        ("A fox ??? looks", UNFILLED.format("???")),
        ("{{a}} {{b}} {{c}} {{d}} {{a}}", UNFILLED.format("{{a}}, {{b}}, {{c}} and 1 more")),
        ("A {fox} looks", OTHER.format("{fox}")),
        ("A {red|white} fox", OTHER.format("{red|white}")),
        ("A fox --ar 16:9", OTHER.format("--ar 16:9")),
        ("A (fox:1.3) looks", OTHER.format("(fox:1.3)")),
        ("A fox <lora:snow:0.8>", OTHER.format("<lora:snow:0.8>")),
        (
            "A fox &amp; an owl<br>",
            "prompt contains what looks like markup, &amp; and <br>: it would be sent unchanged; write plain text"
            + ALLOW.format("markup"),
        ),
        (
            "A **bold** fox",
            "prompt contains what looks like markup, **bold**: it would be sent unchanged; write plain text"
            + ALLOW.format("markup"),
        ),
        (
            "A fox\\nlooks",
            "prompt contains what looks like markup, \\n: it would be sent unchanged; write plain text"
            + ALLOW.format("markup"),
        ),
        ("“A fox looks up”", QUOTED),
        ('"A fox looks up"', QUOTED),
        ("=A2&B2", "prompt contains what looks like a spreadsheet formula: save the table with its values"),
        ("A fo\u00adx", "prompt contains a soft hyphen (U+00AD) after 'A fo'; remove it"),
        ("\ufeffA fox", "prompt contains a byte order mark (U+FEFF) at its beginning; remove it"),
        (
            "A\u200bfox\u200b",
            "prompt contains the invisible character ZERO WIDTH SPACE (U+200B) after 'A' and in 1 more places; remove it",
        ),
        ("A\u202efox", "prompt contains the invisible character RIGHT-TO-LEFT OVERRIDE (U+202E) after 'A'; remove it"),
        ("A fox\u2060.", "prompt contains the invisible character WORD JOINER (U+2060) after 'A fox'; remove it"),
        ("A f\u200dox", "prompt contains the invisible character ZERO WIDTH JOINER (U+200D) after 'A f'; remove it"),
        ("A\u2028fox", "prompt contains a line separator (U+2028) after 'A'; remove it"),
        ("caf\ufffd", "prompt contains the replacement character (U+FFFD) after 'caf'; remove it"),
        ("A \ue000 fox", "prompt contains an unassigned character (U+E000) after 'A '; remove it"),
        (
            "\u200eA fox",
            "prompt contains the invisible character LEFT-TO-RIGHT MARK (U+200E) at its beginning; remove it",
        ),
    ],
)
def test_what_was_hardly_meant_is_a_warning(tmp_path: Path, prompt: str, message: str) -> None:
    assert warned(tmp_path, prompt) == [message]


@pytest.mark.parametrize(
    "prompt",
    [
        "A family 👨\u200d👩\u200d👧 waves, a heart ❤\ufe0f\u200d🔥 too",
        "A 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f flag",
        "A runner 🏃🏽\u200d♀\ufe0f",
        "می\u200cخواهم یک روباه",
        "क्\u200dष",
        "שלום \u200f(fox)\u200f!",
        "rock ’n’ roll, 10\u00a0km, naïve café",
        "雪が降る、ゆっくりと。",
        "{{",
        "100 %",
        "He pays $20; a 16:9 frame (10:30)",
        "snake_case and __init",
    ],
)
def test_what_belongs_to_the_writing_is_no_warning(tmp_path: Path, prompt: str) -> None:
    assert warned(tmp_path, prompt) == []


def test_other_texts_that_are_sent_or_grouped_by_are_looked_at(tmp_path: Path) -> None:
    found = warned(
        tmp_path, "x", negative_prompt="{{fog}}", scene="sc1\u200b", tags=["ok", "a\u00adb"], notes="{{mine}}\u200b"
    )
    assert [each.split(" contains ")[0] for each in found] == ["negative_prompt", "scene", "tags"]


def test_a_default_is_warned_of_once(tmp_path: Path) -> None:
    text = (
        "version: 1\ndefaults: {negative_prompt: '{{fog}}'}\nshots:\n  - {id: a, prompt: x}\n  - {id: b, prompt: y}\n"
    )
    assert [(each.line, each.column) for each in load(tmp_path, "x.yaml", text).warnings] == [(2, 29)]


def test_warnings_of_a_text_file_point_at_the_character(tmp_path: Path) -> None:
    batch = load(tmp_path, "x.txt", "A fox\n  A fo\u00adx, {{where}}\n")
    assert [(each.line, each.column) for each in batch.warnings] == [(2, 7), (2, 11)]


def test_a_prompt_that_a_comment_cuts_off_is_warned_of(tmp_path: Path) -> None:
    text = "version: 1\nshots:\n  - id: a  # mine\n    prompt: Fox #3 looks\n  - id: b\n    prompt: Fox  # the last\n"
    batch = load(tmp_path, "x.yaml", text)
    words = "is a comment and is not sent with the prompt before it; put the whole text in quotes if it belongs to it"
    assert [f"{each.line}:{each.column} {each.message}" for each in batch.warnings] == [
        f"4:17 '#3 looks' {words}",
        f"6:18 '# the last' {words}",
    ]


# --- the same take twice

SAME = "have the same recipe and the same seed, {}: the same clip would be bought twice; if this is intended, write allow: [duplicate]"


@pytest.mark.parametrize(
    ("first", "second", "seed"),
    [
        ("prompt: Snow, seed: 7", "prompt: Snow, seed: 7", 7),
        ("prompt: Snow, seed: 7, takes: 3", "prompt: ' Snow ', seed: 9", 9),
        ("prompt: Snow, seed: 7, duration: 5", "prompt: Snow, seed: 7, duration: 5.0, scene: other", 7),
        ("prompt: Snow, seed: 7", "prompt: Snow, seed: 8", None),
        ("prompt: Snow, seed: 7", "prompt: Ice, seed: 7", None),
        ("prompt: Snow, seed: 7", "prompt: Snow, seed: 7, duration: 10", None),
        ("prompt: Snow, seed: 7", "prompt: Snow, seed: 7, omit: true", None),
        ("prompt: Snow", "prompt: Snow", None),
    ],
)
def test_two_shots_that_are_one_take_are_warned_of(tmp_path: Path, first: str, second: str, seed: int | None) -> None:
    batch = load(tmp_path, "x.yaml", f"version: 1\nshots:\n  - {{id: a, {first}}}\n  - {{id: b, {second}}}\n")
    words = [] if seed is None else [f"4:5 shots 'b' and 'a' (line 3) {SAME.format(seed)}"]
    assert [f"{each.line}:{each.column} {each.message}" for each in batch.warnings] == words


# --- where they are told

TWO = "version: 1\nshots:\n  - {id: a, prompt: '{{x}}'}\n  - {id: b, prompt: x, tempo: 1}\n"


def test_warnings_stand_beside_problems(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(TWO)
    with pytest.raises(ManifestInvalid) as caught:
        load_manifest(tmp_path / "x.yaml")
    assert [[each.line for each in found] for found in (caught.value.problems, caught.value.warnings)] == [[4], [3]]


def test_strict_makes_them_problems(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(TWO.replace(", tempo: 1", ""))
    with pytest.raises(ManifestInvalid) as caught:
        load_manifest(tmp_path / "x.yaml", strict=True)
    assert ([each.line for each in caught.value.problems], caught.value.warnings) == ([3], ())


def test_the_cache_keeps_warnings_and_reads_again_without_them(tmp_path: Path) -> None:
    cache = BatchCache(tmp_path / "cache", worth_bytes=1)
    rows = "".join(f"  - {{id: s{n}, prompt: '{{{{x}}}}'}}\n" for n in range(PROBLEMS_SHOWN + 5))
    path = tmp_path / "x.yaml"
    path.write_text(f"version: 1\nshots:\n{rows}")
    first = Manifest(path, cache=cache).warnings()
    kept = Manifest(path, cache=replace(cache, load=lambda _: pytest.fail("read again"))).warnings()
    file = cache.folder / CACHE_NAME
    older = {
        digest: {"name": row["name"], "limits": {}, "max_credits": None, "scene_caps": {}}
        for digest, row in json.loads(file.read_text()).items()
    }
    file.write_text(json.dumps(older))
    again = Manifest(path, cache=cache)
    assert (again.head().name, again.warnings()) == ("x", first)
    assert (kept, len(first[0]), first[1]) == (first, PROBLEMS_SHOWN, PROBLEMS_SHOWN + 5)
