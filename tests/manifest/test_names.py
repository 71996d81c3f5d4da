"""Names in any script: what may name a file on every system, what a stem becomes, and text in one Unicode form."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path

import pytest

from wanbatch.batch.names import composed, fault_of_name, name_of_stem, twin_key
from wanbatch.manifest import load_manifest
from wanbatch.manifest.schemas import MANIFEST, schema

UNFIT_SUFFIX = "use letters and digits of any language, emoji, dots, dashes and underscores"


@pytest.mark.parametrize(
    "name",
    [
        "sc010_sh020",
        "7",
        "_a",
        "x.y-z",
        "第二幕",
        "दृश्य१",
        "مشهد_٣",
        "пролог",
        "çé",
        "می\u200cرود",
        "🐈",
        "👩\u200d🚀",
        "場" * 64,
    ],
)
def test_a_name_in_any_script_is_fit(name: str) -> None:
    assert fault_of_name(name) is None
    assert re.search(schema(MANIFEST)["$defs"]["shot"]["properties"]["id"]["pattern"], name)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("a/b", f"cannot be a file name: it contains '/'; {UNFIT_SUFFIX}"),
        ("a\\b", f"cannot be a file name: it contains '\\'; {UNFIT_SUFFIX}"),
        ("a／b", f"cannot be a file name: it contains '／'; {UNFIT_SUFFIX}"),
        ("a b", f"cannot be a file name: it contains a space; {UNFIT_SUFFIX}"),
        ("a\n", f"cannot be a file name: it contains the character U+000A; {UNFIT_SUFFIX}"),
        ("字\u202e", f"cannot be a file name: it contains the character U+202E; {UNFIT_SUFFIX}"),
        ("a\u200db", f"cannot be a file name: it contains the character U+200D; {UNFIT_SUFFIX}"),
        ("字\u200d", f"cannot be a file name: it contains the character U+200D; {UNFIT_SUFFIX}"),
        ("字\u3164", f"cannot be a file name: it contains 'ㅤ'; {UNFIT_SUFFIX}"),
        ("-a", "cannot be a file name: it must begin with a letter, a digit or an underscore"),
        ("＝a", "cannot be a file name: it must begin with a letter, a digit or an underscore"),
        (".a", "cannot be a file name: it must begin with a letter, a digit or an underscore"),
        ("\u0301a", "cannot be a file name: it must begin with a letter, a digit or an underscore"),
        ("", "cannot be a file name: it must begin with a letter, a digit or an underscore"),
        ("a.", "ends in a dot, which some disks drop; choose another"),
        ("Con.x", "is a name that Windows reserves; choose another"),
        ("LPT²", "is a name that Windows reserves; choose another"),
        ("a" * 65, "cannot be a file name: too long; 64 characters and 200 bytes of UTF-8 at most"),
        ("🐈" * 51, "cannot be a file name: too long; 64 characters and 200 bytes of UTF-8 at most"),
    ],
)
def test_an_unfit_name_is_told_why(name: str, fault: str) -> None:
    assert fault_of_name(name) == fault


def test_the_longest_name_leaves_room_for_its_part_file() -> None:
    assert len(f"{'場' * 64}_t9999.mp4.part".encode()) < 255
    assert len(f"{'🐈' * 50}_t9999.mp4.part".encode()) < 255


def test_the_schema_and_the_program_agree_on_every_character() -> None:
    pattern = re.compile(schema(MANIFEST)["$defs"]["shot"]["properties"]["id"]["pattern"])
    every = [chr(code) for code in range(0x10000) if not 0xD800 <= code <= 0xDFFF]
    assert [
        f"U+{ord(char):04X}"
        for char in every
        if (pattern.search(f"字{char}字") is None) != (fault_of_name(f"字{char}字") is not None)
    ] == []


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("shots final", "shots-final"),
        ("пролог", "пролог"),
        ("第二幕：夜", "第二幕-夜"),
        ("cafe\u0301", "café"),
        ("..x..", "x"),
        ("a" * 70, "a" * 64),
        ("場" * 70, "場" * 64),
    ],
)
def test_a_batch_is_named_for_its_file_in_any_script(stem: str, name: str) -> None:
    assert (name_of_stem(stem), fault_of_name(name)) == (name, None)


def test_a_stem_that_cannot_be_a_name_gets_one_that_says_so_and_is_its_own() -> None:
    names = [name_of_stem(stem) for stem in ("???", "!!!", "con", "-.-")]
    assert all(re.fullmatch(r"unnamed-[0-9a-f]{8}", name) for name in names)
    assert len(set(names)) == 4


@pytest.mark.parametrize(
    ("one", "other"),
    [("Shot", "sHOT"), ("ÇA", "ça"), ("می\u200cرود", "میرود"), ("ﬁn", "fin"), ("straße", "STRASSE")],
)
def test_names_that_are_one_file_on_some_disk_have_one_key(one: str, other: str) -> None:
    assert twin_key(one) == twin_key(other)


def test_text_is_the_same_in_either_unicode_form() -> None:
    assert composed("Cafe\u0301") == "Café"
    plain = "abc"
    assert composed(plain) is plain


FORMS = {
    "a.yaml": "version: 1\nbudget: {{scenes: {{Zoé: {{max_usd: 5}}}}}}\nshots:\n  - {{id: é1, prompt: Un café, scene: Zoé, tags: [né]}}\n",
    "a.json": '{{"version": 1, "shots": [{{"id": "é1", "prompt": "Un café", "scene": "Zoé", "tags": ["né"]}}]}}',
    "a.csv": "id,prompt,scene,tags\né1,Un café,Zoé,né\n",
    "a.txt": "Un café à Zoé\n",
}


@pytest.mark.parametrize("name", FORMS)
def test_a_manifest_is_the_same_batch_in_either_unicode_form(name: str, tmp_path: Path) -> None:
    text, path = FORMS[name].format(), tmp_path / name
    batches = []
    for form in ("NFC", "NFD"):
        path.write_text(unicodedata.normalize(form, text), encoding="utf-8")  # type: ignore[arg-type]
        batches.append(load_manifest(path))
    assert batches[0] == batches[1]
    assert [shot.recipes for shot in batches[0].shots] == [shot.recipes for shot in batches[1].shots]


def test_escapes_in_json_are_composed_too(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"version": 1, "shots": [{"id": "e\u0301", "prompt": "cafe\u0301"}]}))
    shot = load_manifest(tmp_path / "a.json").shots[0]
    assert (shot.id, shot.prompt) == ("é", "café")


def test_a_key_in_two_forms_is_a_problem(tmp_path: Path) -> None:
    from wanbatch.errors import ManifestInvalid

    path = tmp_path / "a.yaml"
    path.write_text(
        'version: 1\nbudget: {scenes: {"Zo\\u00e9": {max_usd: 5}, "Zoe\\u0301": {max_usd: 9}}}\n'
        "shots:\n  - {id: a, prompt: x, scene: Zoé}\n",
        encoding="utf-8",
    )
    with pytest.raises(ManifestInvalid, match="Zoé occurs here twice, in two Unicode forms"):
        load_manifest(path)
