"""Variants: one shot as many, with ids that tell them apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.manifest.findings import findings_in
from wanbatch.manifest import load_manifest


def film(shot: str, head: str = "") -> str:
    return f"version: 1\n{head}shots:\n  - {{id: a, {shot}}}\n"


def variants(folder: Path, shot: str) -> list[tuple[str, str, object]]:
    (folder / "film.yaml").write_text(film(shot), encoding="utf-8")
    shots = load_manifest(folder / "film.yaml").shots
    return [(shot.id, shot.prompt, shot.request.get("duration")) for shot in shots]


@pytest.mark.parametrize(
    ("shot", "made"),
    [
        (
            "prompt: 'At {light}', matrix: {light: [dawn, late dusk], duration: [5, 10]}",
            [
                ("a_dawn_5", "At dawn", 5),
                ("a_dawn_10", "At dawn", 10),
                ("a_late-dusk_5", "At late dusk", 5),
                ("a_late-dusk_10", "At late dusk", 10),
            ],
        ),
        (
            "prompt: 'At {light}', zip: {light: [dawn, dusk], duration: [5, 10]}",
            [("a_dawn", "At dawn", 5), ("a_dusk", "At dusk", 10)],
        ),
        (
            "prompt: '{light}', matrix: {duration: [5, 10]}, zip: {light: [dawn, dusk]}",
            [("a_5_dawn", "dawn", 5), ("a_5_dusk", "dusk", 5), ("a_10_dawn", "dawn", 10), ("a_10_dusk", "dusk", 10)],
        ),
        (
            "prompt: '{light}', matrix: {light: {am: First light., pm: The sun is low.}}",
            [("a_am", "First light.", None), ("a_pm", "The sun is low.", None)],
        ),
        (
            "prompt: '{light}', matrix: {light: [dawn, dusk], duration: [5, 10], exclude: [{light: dawn, duration: 10}, {light: dusk, duration: 5}]}",
            [("a_dawn_5", "dawn", 5), ("a_dusk_10", "dusk", 10)],
        ),
        ("zip: {prompt: [A gull, A crow]}", [("a_a-gull", "A gull", None), ("a_a-crow", "A crow", None)]),
        ("prompt: '{n}', matrix: {n: ['1!', '1?', 雪]}", [("a_1", "1!", None), ("a_1-2", "1?", None), ("a_v", "雪", None)]),
    ],
)  # fmt: skip
def test_a_shot_is_made_in_its_variants(tmp_path: Path, shot: str, made: list[tuple[str, str, object]]) -> None:
    assert variants(tmp_path, shot) == made


@pytest.mark.parametrize(
    ("shot", "problem"),
    [
        ("prompt: x, matrix: [a]", "3:32 matrix is a list; expected an axis and a list of its values in each line"),
        ("prompt: x, matrix: {}", "3:32 matrix is empty; write an axis and a list of its values, such as light: [dawn, dusk]"),
        ("prompt: '{a}', matrix: {a: x}", "3:40 a is 'x'; expected a list of values, or labels with a value each"),
        ("prompt: '{a}', matrix: {a: []}", "3:40 a is an empty list; expected a list of values, or labels with a value each"),
        ("prompt: '{a}', matrix: {a: [[x]]}", "3:41 a contains a list; expected text"),
        ("prompt: x, matrix: {id: [b, c]}", "3:33 'id' cannot be an axis: name a field of a shot, or a word for its prompt"),
        ("prompt: x, zip: {duration: [5, 10], seed: [1]}", "3:29 the lists of zip differ in length: duration has 2, seed has 1; give them all the same number of values"),
        ("prompt: x, matrix: {duration: [5, 7]}", "3:47 duration is 7; alibaba/wan-2-6-t2v accepts 5, 10 or 15"),
        ("prompt: x, matrix: {duration: [5], limit: 0}", "3:55 matrix.limit is '0'; expected a whole number, 1 to 10,000"),
        ("prompt: x, matrix: {duration: [5, 10], exclude: [{duraton: 5}]}", "3:63 'duraton' is not an axis of this matrix; did you mean duration?"),
        ("prompt: x, matrix: {duration: [5, 10], exclude: [{duration: 15}]}", "3:73 duration has no value '15' to exclude; expected 5 or 10"),
        ("prompt: x, matrix: {duration: [5, 10], exclude: [5]}", "3:62 matrix.exclude contains '5'; expected combinations such as {light: dawn}"),
        ("prompt: x, matrix: {duration: [5], exclude: [{duration: 5}]}", "3:32 exclude leaves no variant of this shot; remove the shot, or exclude less"),
        ("prompt: 'x {lihgt}', matrix: {light: [dawn, dusk]}", "3:24 {lihgt} is not defined; did you mean {light}?"),
        (f"prompt: x, matrix: {{seed: [{', '.join(map(str, range(101)))}]}}", "3:32 this shot has 101 variants, more than 100; if you want them all, write limit: 101 beside its axes"),
        (f"prompt: x, matrix: {{seed: [{', '.join(map(str, range(101)))}], takes: [{', '.join(['1'] * 100)}]}}", "3:32 this shot has 10,100 variants; 10,000 at most"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_variant_is_a_problem_with_its_place(tmp_path: Path, shot: str, problem: str) -> None:
    assert findings_in(tmp_path, film(shot), "x.yaml")[0][:1] == [problem]


def test_a_limit_lets_more_through(tmp_path: Path) -> None:
    seeds = ", ".join(map(str, range(101)))
    assert len(variants(tmp_path, f"prompt: x, matrix: {{seed: [{seeds}], limit: 101}}")) == 101


def test_an_axis_that_changes_nothing_is_named(tmp_path: Path) -> None:
    warnings = findings_in(tmp_path, film("prompt: x, matrix: {durations: [5, 10]}"), "x.yaml")[1]
    words = "the axis durations does not change the prompt of its variants: write {durations} in the prompt"
    assert warnings == [f"3:45 {words}; did you mean duration?"]


def test_variants_of_a_shot_without_an_id_are_told_apart(tmp_path: Path) -> None:
    text = "version: 1\nscenes:\n  - id: s\n    shots: [{prompt: 'At {light}', matrix: {light: [dawn, dusk]}}]\n"
    (tmp_path / "x.yaml").write_text(text)
    ids = [shot.id for shot in load_manifest(tmp_path / "x.yaml").shots]
    assert [(each.startswith("s_at-light_"), each.rpartition("_")[2]) for each in ids] == [
        (True, "dawn"),
        (True, "dusk"),
    ]
