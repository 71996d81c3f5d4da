"""Names of a user's own for clips: what they may be made of, that they are safe everywhere, and that none occurs twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.manifest.findings import findings_in
from wanbatch.batch.shots import Recipe
from wanbatch.manifest.clip_names import STEM_BYTES, NamedTake, stem_of


def take(prompt: str = "A gull lands", number: int = 2, shot_id: str = "a") -> NamedTake:
    recipe = Recipe.of({"model": "alibaba/wan-2-6-t2v", "prompt": prompt, "seed": 7})
    return NamedTake(shot_id, "sc010", "sq01", number, recipe, {"x_camera": "low", "x_lens": ""})


@pytest.mark.parametrize(
    ("pattern", "prompt", "stem"),
    [
        ("{sequence}_{scene}_{id}_t{take}", "x", "sq01_sc010_a_t2"),
        ("{prompt}-{take0}", "A gull lands", "A gull lands-1"),
        ("{model} {seed} {x_camera}", "x", "wan-2-6-t2v 7 low"),
        ("{prompt}", 'A "sign": 1/2 <or> | * ? \\', "A -sign-- 1-2 -or- - - - -"),
        ("{prompt}", "two\nlines\tand  blanks", "two lines and blanks"),
        ("{prompt}", "...hidden.", "hidden"),
        ("{prompt}", "con", "_con"),
        ("{prompt}", "AUX.1", "_AUX.1"),
        ("{prompt}", "... ", "clip"),
        ("{prompt}", "e\u0301te\u0301", "été"),
        ("{{{id}}}", "x", "{a}"),
        ("{x_lens}", "x", "unnamed"),
        ("{id}_{x_none}", "x", "a_unnamed"),
        ("{prompt}", "雪 🐉", "雪 🐉"),
    ],
)
def test_a_name_is_safe_on_every_system(pattern: str, prompt: str, stem: str) -> None:
    assert stem_of(pattern, take(prompt)) == stem


@pytest.mark.parametrize(
    "pattern", ["{prompt}-{take0}", "{prompt}{prompt}-{take0}", f"{'x' * 180}{{prompt}}-{{take0}}"]
)
def test_a_long_name_is_cut_and_stays_apart_from_others(pattern: str) -> None:
    every = [take(f"{'é' * 300}{end}", number) for number in (1, 2, 11) for end in "ab"]
    stems = [stem_of(pattern, each) for each in every]
    assert ({len(stem.encode()) <= STEM_BYTES for stem in stems}, len(set(stems))) == ({True}, 6)


def test_the_number_of_a_take_stays_behind_a_prompt_that_is_cut() -> None:
    stems = [stem_of("{prompt}-{take0}", take("A long take of a harbour. " * 20, number)) for number in (1, 2)]
    begin = {stem.rpartition("-")[0] for stem in stems}
    assert ([stem.rpartition("-")[2] for stem in stems], len(begin)) == (["0", "1"], 1)


@pytest.mark.parametrize(
    ("names", "shots", "problem"),
    [
        ("'{id}_{tkae}'", "", "2:14 {tkae} cannot name a clip; did you mean take?"),
        ("'{cast.mara}'", "", "2:9 {cast.mara} cannot name a clip; expected id, scene, sequence, take, take0, prompt, seed or model, or a column of your own such as x_camera"),
        ("'{id'", "", "2:9 a { without its }; for braces that are sent, write {{ and }}"),
        ("'{scene}/{id}'", "", "2:8 names contains '/', which some systems do not allow in a file name"),
        ("[a]", "", "2:8 names is a list; expected text such as {scene}_{id}_t{take}, at most 200 characters"),
        ("'{x_lens}_{id}'", "", "2:8 names has {x_lens}, but no shot has this column"),
        ("'{id}'", ", takes: 2", "4:5 names gives a_t2 and a_t1 the same name, 'a'; add {take}"),
        ("'{scene}-{take}'", "", "5:5 names gives b_t1 and a_t1 the same name, '-1'; add {id}, or make the shots differ"),
    ],
)  # fmt: skip
def test_names_that_cannot_be_are_a_problem_of_the_plan(tmp_path: Path, names: str, shots: str, problem: str) -> None:
    text = f"version: 1\nnames: {names}\nshots:\n  - {{id: a, prompt: x{shots}}}\n  - {{id: b, prompt: y}}\n"
    assert findings_in(tmp_path, text, "x.yaml")[0] == [problem]


def test_names_that_differ_in_case_alone_are_a_warning(tmp_path: Path) -> None:
    text = "version: 1\nnames: '{prompt}'\nshots:\n  - {id: a, prompt: Snow}\n  - {id: b, prompt: snow}\n"
    words = "the clips of b_t1 and a_t1 have names that differ only in case, 'snow': some disks can hold only one of"
    assert findings_in(tmp_path, text, "x.yaml") == (
        [],
        [f"5:5 {words} them; if this is intended, write allow: [case]"],
    )


def test_a_shot_that_is_left_out_takes_no_name(tmp_path: Path) -> None:
    text = "version: 1\nnames: '{prompt}'\nshots:\n  - {id: a, prompt: x, omit: true}\n  - {id: b, prompt: x}\n"
    assert findings_in(tmp_path, text, "x.yaml") == ([], [])
