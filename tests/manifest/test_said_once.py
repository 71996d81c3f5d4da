"""Style, cast and locations are said once: what becomes of a prompt that names them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.manifest.findings import findings_in
from wanbatch.batch.shots import Shot
from wanbatch.manifest import load_manifest

HEAD = """\
version: 1
style: Ink on paper.
cast:
  mara: Mara the cartographer
  ilo: {look: Ilo the boy, negative: hat}
locations: {pass: a narrow pass, cave: 'an ice cave, {cast.mara} inside'}
"""


def shots(folder: Path, body: str, head: str = HEAD) -> list[Shot]:
    (folder / "film.yaml").write_text(head + body, encoding="utf-8")
    return list(load_manifest(folder / "film.yaml").shots)


def prompt(folder: Path, shot: str, template: str = "") -> str:
    defaults = f"defaults: {{template: {template}}}\n" if template else ""
    return shots(folder, f"{defaults}shots:\n  - {{id: a, {shot}}}\n")[0].prompt


ALL = "['{prompt}', 'At {location}.', 'With {cast}.', '{style}']"


@pytest.mark.parametrize(
    ("shot", "template", "sent"),
    [
        ("prompt: 'Snow. {cast.mara} walks.'", "", "Snow. Mara the cartographer walks."),
        ("prompt: '{cast.mara.look}'", "", "Mara the cartographer"),
        ("prompt: '{style} {locations.pass}'", "", "Ink on paper. a narrow pass"),
        ("prompt: '{location}', location: pass", "", "a narrow pass"),
        ("prompt: 'In {locations.cave}'", "", "In an ice cave, Mara the cartographer inside"),
        ("prompt: 'A {{red}} coat, {{{cast.mara}}}'", "", "A {red} coat, {Mara the cartographer}"),
        ("prompt: 'Seen {x_camera}.', x_camera: from below", "", "Seen from below."),
        ("prompt: Snow., cast: [mara, ilo]", ALL, "Snow. With Mara the cartographer, Ilo the boy. Ink on paper."),
        ("prompt: Snow., location: pass", ALL, "Snow. At a narrow pass. Ink on paper."),
        ("prompt: '{cast.mara} walks.', cast: [mara]", ALL, "Mara the cartographer walks. Ink on paper."),
        ("prompt: '{cast.mara} walks.', cast: [mara, ilo]", ALL, "Mara the cartographer walks. With Ilo the boy. Ink on paper."),
        ("prompt: '{style} Snow.'", ALL, "Ink on paper. Snow."),
        ("prompt: Snow., cast: []", ALL, "Snow. Ink on paper."),
        ("prompt: Snow., template: null", ALL, "Snow."),
        ("prompt: Snow", "'{prompt} {cast}, drawn'", "Snow, drawn"),
        ("prompt: Snow", "'{prompt}, {x_camera} {style}', x_camera: low", "Snow, low Ink on paper."),
        ("prompt: '  Snow  '", "'  {prompt} '", "Snow"),
        ("prompt: Snow., x_camera: ''", "['{prompt}', 'Camera: {x_camera}.']", "Snow."),
        ("prompt: Snow., x_camera: null", "['{prompt}', 'Camera: {x_camera}.']", "Snow."),
        ("prompt: Snow., x_camera: low", "['{prompt}', 'Camera: {x_camera}.']", "Snow. Camera: low."),
    ],
)  # fmt: skip
def test_a_prompt_is_filled_in(tmp_path: Path, shot: str, template: str, sent: str) -> None:
    assert prompt(tmp_path, shot, template) == sent


@pytest.mark.parametrize(
    ("shot", "negative"),
    [
        ("prompt: '{cast.ilo}'", "hat"),
        ("prompt: '{cast.ilo}', negative_prompt: text", "text, hat"),
        ("prompt: '{cast.ilo}', negative_prompt: null", None),
        ("prompt: '{cast.mara}'", None),
        ("prompt: Snow, cast: [ilo]", "hat"),
        ("prompt: Snow, negative_prompt: 'no {cast.mara}'", "no Mara the cartographer"),
        ("prompt: '{cast.ilo}', negative_prompt: '{cast.ilo.negative}, text'", "hat, text, hat"),
    ],
)
def test_what_must_not_be_seen_follows_the_texts_of_a_shot(tmp_path: Path, shot: str, negative: str | None) -> None:
    body = f"defaults: {{template: '{{prompt}} {{cast}}'}}\nshots:\n  - {{id: a, {shot}}}\n"
    assert shots(tmp_path, body)[0].request.get("negative_prompt") == negative


@pytest.mark.parametrize(
    ("head", "sent"),
    [
        ("", "A {bird}, {{x}}"),
        ("scenes: [{id: s, shots: [{id: b, prompt: y}]}]\n", "A {bird}, {{x}}"),
        ("defaults: {duration: 5}\n", "A {bird}, {{x}}"),
    ],
)
def test_braces_are_sent_as_they_are_in_a_manifest_without_texts(tmp_path: Path, head: str, sent: str) -> None:
    found = shots(tmp_path, f"{head}shots:\n  - {{id: a, prompt: 'A {{bird}}, {{{{x}}}}'}}\n", "version: 1\n")
    assert next(shot.prompt for shot in found if shot.id == "a") == sent


@pytest.mark.parametrize(
    "taken", ["include: a.csv", "table: a.csv", "table: {file: b.csv, columns: {Nr: id, Text: prompt, Cam: x_camera}}"]
)
def test_an_empty_cell_of_a_table_leaves_its_line_of_the_template_out(tmp_path: Path, taken: str) -> None:
    (tmp_path / "a.csv").write_text("id,prompt,x_camera\na,Snow.,low\nb,Ice.,\n")
    (tmp_path / "b.csv").write_text("Nr,Text,Cam\na,Snow.,low\nb,Ice.,\n")
    found = shots(
        tmp_path, f"defaults: {{template: ['{{prompt}}', 'Camera: {{x_camera}}.']}}\n{taken}\n", "version: 1\n"
    )
    assert [shot.prompt for shot in found] == ["Snow. Camera: low.", "Ice."]


@pytest.mark.parametrize("second", ["", ", x_lens: ''", ", x_lens: null"])
def test_a_column_without_a_value_in_a_prompt_is_a_problem(tmp_path: Path, second: str) -> None:
    body = f"shots:\n  - {{id: a, prompt: '{{x_lens}} {{style}}', x_lens: 35}}\n  - {{id: b, prompt: 'On {{x_lens}}'{second}}}\n"
    words = "{x_lens} has no value here: fill in x_lens for this shot, or put {x_lens} into a template"
    assert findings_in(tmp_path, f"version: 1\nstyle: Ink\n{body}", "x.yaml") == ([f"5:25 {words}"], [])


def test_a_name_that_is_not_defined_is_told_once(tmp_path: Path) -> None:
    body = "version: 1\ncast: {mara: Mara}\nshots:\n  - {id: a, prompt: '{cast.mra} walks'}\n"
    words = "4:22 {cast.mra} is not defined; did you mean {cast.mara}?"
    assert findings_in(tmp_path, body, "x.yaml") == ([words], [])


def test_texts_that_no_shot_uses_are_named(tmp_path: Path) -> None:
    problems, warnings = findings_in(tmp_path, f"{HEAD}shots:\n  - {{id: a, prompt: '{{locations.cave}}'}}\n", "x.yaml")
    assert (problems, warnings) == (
        [],
        [
            "2:1 style is defined, but no shot uses it",
            "5:3 cast.ilo is defined, but no shot uses it",
            "6:13 locations.pass is defined, but no shot uses it",
        ],
    )


def test_a_listed_name_that_reaches_no_prompt_is_named(tmp_path: Path) -> None:
    body = "shots:\n  - {id: a, prompt: '{cast.mara} {style}', cast: [mara, ilo], location: pass}\n"
    warnings = findings_in(tmp_path, HEAD + body, "x.yaml")[1]
    listed = "cast lists 'ilo', but no part of the prompt comes from it"
    assert [each for each in warnings if "defined" not in each] == [
        f"8:57 {listed}; write {{cast.ilo}} in the prompt, or a template with {{cast}}",
        "8:73 location is 'pass', but no part of the prompt comes from it; write {location} in the prompt or in a template",
    ]


def test_a_doubt_about_a_text_is_told_once_and_where_it_is(tmp_path: Path) -> None:
    body = "style: Ink --ar 16:9\nshots:\n  - {id: a, prompt: 'x {style}'}\n  - {id: b, prompt: 'y {style}'}\n"
    warnings = findings_in(tmp_path, f"version: 1\n{body}", "x.yaml")[1]
    assert [each.split(",")[0] for each in warnings] == ["2:8 prompt contains what looks like syntax from another tool"]


def test_texts_cannot_grow_beyond_every_limit(tmp_path: Path) -> None:
    lines = ["cast:", "  a0: " + "x" * 100]
    lines += [f"  a{n}: '{' '.join([f'{{cast.a{n - 1}}}'] * 20)}'" for n in range(1, 7)]
    text = "\n".join(["version: 1", *lines, "shots: [{id: a, prompt: '{cast.a6}'}]", ""])
    problems = findings_in(tmp_path, text, "x.yaml")[0]
    assert (
        problems[0]
        == "5:7 this text has 40,399 characters, with the descriptions that it names; at most 20,000 are allowed"
    )


def test_texts_that_name_texts_too_deep_are_refused(tmp_path: Path) -> None:
    lines = ["  a0: x", *(f"  a{n}: '{{cast.a{n - 1}}}'" for n in range(1, 12))]
    text = "\n".join(["version: 1", "cast:", *lines, "shots: [{id: a, prompt: '{cast.a11}'}]", ""])
    assert findings_in(tmp_path, text, "x.yaml")[0] == [
        "7:8 {cast.a3}: descriptions are nested more than 8 levels deep; write it out"
    ]


def test_a_prompt_that_is_too_long_with_its_texts_is_a_problem_of_the_shot(tmp_path: Path) -> None:
    body = f"version: 1\nstyle: {'ink ' * 400}\nshots:\n  - {{id: a, prompt: 'x {{style}}'}}\n"
    problems = findings_in(tmp_path, body, "x.yaml")[0]
    assert problems == ["4:21 prompt has 1601 characters; alibaba/wan-2-6-t2v accepts 1500 at most"]
