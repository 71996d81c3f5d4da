"""Lint: what a batch probably does not mean is a warning with its place, unless it says that it does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.manifest.findings import findings_in
from wanbatch.errors import ManifestInvalid
from wanbatch.manifest import load_manifest
from wanbatch.manifest.lint import RULES
from wanbatch.manifest.schemas import MANIFEST, schema


def flat(*shots: str) -> str:
    return "version: 1\nshots:\n" + "".join(f"  - {{{shot}}}\n" for shot in shots)


def scene(fields: str, *shots: str) -> str:
    lines = "".join(f"      - {{{shot}}}\n" for shot in shots) if shots else ""
    return f"version: 1\nscenes:\n  - id: sc010\n{fields}    shots:{'' if lines else ' []'}\n{lines}  - id: z\n    shots: [{{id: z, prompt: z}}]\n"


# rule, the manifest (with ALLOW where the rule may be allowed), and its warning
CASES = [
    ("duplicate", flat("id: a, prompt: x, seed: 1", "id: b, prompt: x, seed: 1ALLOW"), "4:5 shots 'b' and 'a' (line 3) have the same recipe and the same seed, 1: the same clip would be bought twice; if this is intended, write allow: [duplicate]"),
    ("placeholder", flat("id: a, prompt: 'A TODO'ALLOW"), "3:21 prompt contains what looks like a placeholder, TODO: fill it in, or remove it; it would be sent unchanged; if this is intended, write allow: [placeholder]"),
    ("syntax", flat("id: a, prompt: 'A {red|blue} coat'ALLOW"), "3:21 prompt contains what looks like syntax from another tool, {red|blue}: the model reads plain text, so write it out or remove it; if this is intended, write allow: [syntax]"),
    ("markup", flat("id: a, prompt: 'A &amp; B'ALLOW"), "3:21 prompt contains what looks like markup, &amp;: it would be sent unchanged; write plain text; if this is intended, write allow: [markup]"),
    ("case", flat("id: a, prompt: x, scene: sc010", "id: b, prompt: x, scene: SC010ALLOW"), "4:5 scene 'SC010' and 'sc010' differ only in case, and count as two in every report; if this is intended, write allow: [case]"),
    ("order", flat("id: s20, prompt: x", "id: s10, prompt: yALLOW"), "4:5 shot 's10' comes after 's20', although its number is lower: story order is the order of the file; if this is intended, write allow: [order]"),
    ("shot_type", flat("id: a, prompt: x, shot_type: multi, enhance_prompt: falseALLOW"), "3:5 shot_type multi has no effect: alibaba/wan-2-6-t2v cuts only with enhance_prompt on; if this is intended, write allow: [shot_type]"),
    ("audio", flat("id: a, prompt: x, audio_url: 'https://x.org/a.mp3', generate_audio: trueALLOW"), "3:5 this shot has both audio_url and generate_audio; the sound of audio_url is used; if this is intended, write allow: [audio]"),
    ("cast_name", "version: 1\ncast: {ilo: 'Ilo Ray, a boy', ann: Ann}\n" + flat("id: a, prompt: '{cast.ann} meets Ilo Ray, ann and Illo'ALLOW").partition("\n")[2], "4:21 prompt names Ilo Ray in plain words, so the description of cast.ilo is not sent with it: write {cast.ilo} instead, or list ilo in the cast of the shot; if this is intended, write allow: [cast_name]"),
    ("empty_scene", scene("SCENE"), "3:5 scene 'sc010' has no shots; if this is intended, write allow: [empty_scene]"),
    ("target", scene("    target: 60s\nSCENE", "id: a, prompt: x, duration: 5", "id: b, prompt: y, duration: 10"), "4:13 the shots of scene sc010 last 15 s in all, but its target is 1 min 00 s; if this is intended, write allow: [target]"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "text", "warning"), CASES, ids=[case[0] for case in CASES])
def test_what_is_probably_not_meant_is_a_warning_unless_it_is_allowed(
    tmp_path: Path, rule: str, text: str, warning: str
) -> None:
    plain = text.replace("ALLOW", "").replace("SCENE", "")
    allowed = text.replace("ALLOW", f", allow: [{rule}]").replace("SCENE", f"    allow: [{rule}]\n")
    told = [findings_in(tmp_path, each, "x.yaml") for each in (plain, allowed)]
    assert told == [([], [warning]), ([], [])]


def test_a_reference_at_the_begin_of_a_bare_prompt_is_to_be_put_in_quotes(tmp_path: Path) -> None:
    text = "version: 1\ncast: {ilo: 'Ilo Ray, a boy'}\nshots:\n  - id: a\n    prompt: Ilo Ray runs.\n"
    followed = text.replace("Ilo Ray runs.", "'{cast.ilo} runs.'")
    (_, (warning,)), told = (findings_in(tmp_path, each, "x.yaml") for each in (text, followed))
    assert "write {cast.ilo} instead (in YAML, put a prompt that begins with it in quotes), or list ilo" in warning
    assert told == ([], [])


HEADER = "id,scene,prompt,allow\n"
ROWS_BELOW = "a,s1,x,\nb,,y,ALLOW\nc,,z,ALLOW\nd,s2,v,\n"


def test_rows_below_one_with_a_scene_that_have_none_are_named(tmp_path: Path) -> None:
    plain, allowed = (HEADER + ROWS_BELOW.replace("ALLOW", word) for word in ("", "no_scene"))
    words = "rows 3 and 4 have no scene, but rows above name one: write the scene into each row, or map its column with"
    words = f"{words} `scene, fill down`; if this is intended, put no_scene in an `allow` column"
    told = [findings_in(tmp_path, each, "x.csv") for each in (plain, allowed)]
    assert told == [([], [f"3:1 {words}"]), ([], [])]


def test_a_table_whose_first_rows_have_no_scene_is_not_warned_of(tmp_path: Path) -> None:
    assert findings_in(tmp_path, "id,scene,prompt\na,,x\nb,s1,y\n", "x.csv") == ([], [])


OF_ROWS = ("no_scene", "hidden", "struck")  # in tables; those of workbooks are tested there


def test_every_rule_has_a_case_and_editors_know_it() -> None:
    assert sorted([*(case[0] for case in CASES), *OF_ROWS]) == sorted(RULES)
    assert schema(MANIFEST)["$defs"]["shot"]["properties"]["allow"]["items"]["enum"] == list(RULES)


def test_defaults_allow_for_all_shots(tmp_path: Path) -> None:
    text = flat("id: s20, prompt: x", "id: s10, prompt: y").replace("shots:", "defaults: {allow: [order]}\nshots:")
    assert findings_in(tmp_path, text, "x.yaml") == ([], [])


def test_strict_makes_a_problem_of_what_is_not_allowed(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(flat("id: s20, prompt: x", "id: s10, prompt: y"))
    with pytest.raises(ManifestInvalid, match="comes after 's20'"):
        load_manifest(tmp_path / "x.yaml", strict=True)


def test_further_shots_out_of_order_are_counted(tmp_path: Path) -> None:
    text = flat("id: s30, prompt: x", "id: s20, prompt: y", "id: s10, prompt: z")
    told = " ".join(map(str, findings_in(tmp_path, text, "x.yaml")[1]))
    assert (
        "'s20' comes after 's30', although its number is lower (1 more shot in this scene is out of order, too)" in told
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (flat("id: a, prompt: x, allow: [duplicat]"), "3:32 allow is 'duplicat'; expected duplicate, cast_name, case or one of 11 more; did you mean duplicate?"),
        (flat("id: a, prompt: x, allow: order"), "3:31 allow is 'order'; expected a list, such as [order]"),
        (scene("    target: long\n", "id: a, prompt: x"), "4:13 target of a scene is 'long'; expected a length such as 90s or 2min"),
        (scene("    target: [60s]\n", "id: a, prompt: x"), "4:13 target of a scene is a list; expected a length such as 90s or 2min"),
        (flat("id: a, prompt: x, seed: 1, seeds: [2, 3]"), "3:24 this shot has both seed and seeds, but seeds already names each take; keep one of them"),
        (flat("id: a, prompt: x, takes: 3, seeds: [2, 3]"), "3:24 this shot has both takes and seeds, but seeds already names each take; keep one of them"),
        (flat("id: a, prompt: x, seeds: [2, x]"), "3:35 seeds is 'x'; expected a whole number"),
    ],
)  # fmt: skip
def test_a_word_of_these_that_cannot_be_read_is_a_problem(tmp_path: Path, text: str, problem: str) -> None:
    assert findings_in(tmp_path, text, "x.yaml")[0] == [problem]


@pytest.mark.parametrize(
    ("defaults", "shot", "seeds"),
    [
        ("", "seeds: [7, 3]", [7, 3]),
        ("", "seeds: [7, 3], takes: 2", [7, 3]),
        ("{seeds: [7, 3]}", "omit: false", [7, 3]),
        ("{seeds: [7, 3]}", "seed: 5", [5]),
        ("{seed: 5, takes: 3}", "seeds: [7, 3]", [7, 3]),
        ("{seed: 5}", "takes: 2", [5, 6]),
    ],
)
@pytest.mark.parametrize("form", ["flat", "scene"])
def test_takes_have_the_seeds_that_are_nearest(
    tmp_path: Path, form: str, defaults: str, shot: str, seeds: list[int]
) -> None:
    line = f"{{id: a, prompt: x, {shot}}}"
    given = f"defaults: {defaults}" if defaults else ""
    text = f"version: 1\n{given}\nshots:\n  - {line}\n"
    if form == "scene":
        given = f"    defaults: {defaults}\n" if defaults else ""
        text = f"version: 1\nscenes:\n  - id: s\n{given}    shots: [{line}]\n"
    (tmp_path / "x.yaml").write_text(text)
    found = load_manifest(tmp_path / "x.yaml").shots[0]
    assert ([recipe.body["seed"] for recipe in found.recipes], found.takes) == (seeds, len(seeds))
