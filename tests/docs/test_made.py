"""The parts of the pages that are made from the code: whole, and none that no page shows."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from docs.made import columns, states
from docs.made.parts import MARK, PARTS, PARTS_OF_A_BATCH, filled
from docs.made.sample import Sample, make_sample
from docs.made.table import PartIncomplete, described, table
from tests.docs.pages import ROOT, pages
from tests.near import bring_near
from wanbatch.batch.lifecycle import TRANSITIONS
from wanbatch.cli import cli
from wanbatch.errors import ExitCode
from wanbatch.manifest.schemas import fields_of_shots, schema_names


@pytest.fixture(scope="module")
def sample() -> Iterator[Sample]:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        bring_near(patch)
        yield make_sample(Path(folder))


def test_every_part_is_on_a_page_and_every_mark_is_a_part() -> None:
    marked = [mark["name"] for page in pages() for mark in MARK.finditer(page.read_text(encoding="utf-8"))]
    assert sorted(marked) == sorted([*PARTS, *PARTS_OF_A_BATCH])


@pytest.mark.long
def test_no_mark_is_left_on_a_page_that_is_filled(sample: Sample) -> None:
    page = "\n\n".join(f"<!-- made: {name} -->" for name in [*PARTS, *PARTS_OF_A_BATCH])
    assert "<!--" not in filled(page, lambda: sample)


def test_a_part_without_a_maker_is_named() -> None:
    with pytest.raises(PartIncomplete, match="there is no part 'colums'"):
        filled("<!-- made: colums -->", lambda: pytest.fail("no batch is needed"))


def test_the_commands_have_a_section_each_with_every_option_of_theirs() -> None:
    sections = dict(zip(["", *NAMES], PARTS["commands"]().split("\n## ")[0:], strict=True))
    missing = []
    for name in NAMES:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        flags = [flag for each in command.params if isinstance(each, click.Option) for flag in each.opts]
        hidden = {
            flag for each in command.params if isinstance(each, click.Option) and each.hidden for flag in each.opts
        }
        missing += [f"{name} {flag}" for flag in flags if flag not in hidden and f"`{flag}" not in sections[name]]
    assert missing == []


NAMES = cli.list_commands(click.Context(cli))


@pytest.mark.parametrize("code", ExitCode)
def test_an_exit_code_has_a_row(code: ExitCode) -> None:
    assert f"| `{int(code)}` | " in PARTS["exit codes"]()


def test_the_fields_of_a_shot_have_a_row_each() -> None:
    made = PARTS["shot fields"]()
    assert [name for name in fields_of_shots() if f"| `{name}` | " not in made] == []


def test_the_models_have_a_section_each() -> None:
    made = PARTS["models"]()
    assert [name for name in schema_names() if name not in ("manifest", "map") and f"## {name}\n" not in made] == []


def test_every_allowed_move_has_a_row() -> None:
    rows = states.moves()
    moved = [(before, fact, after) for (before, fact), after in TRANSITIONS.items() if before is not after]
    missing = [
        move
        for move in moved
        if f"| `{move[0]}` | `{move[2]}` | {states.FACT_WORDS[move[1]]} (`{move[1]}`) |" not in rows
    ]
    assert missing == []


@pytest.mark.parametrize("name", columns.FILES)
def test_each_column_of_a_csv_has_a_row(name: str, sample: Sample) -> None:
    section = columns.columns(sample).partition(f"### {name}\n")[2].partition("###")[0]
    assert [each for each in sample.header(name) if not each.startswith("x_") and f"| `{each}` | " not in section] == []


def test_every_csv_file_of_a_batch_has_a_section(sample: Sample) -> None:
    assert {path.name for path in (sample.output / "reports").glob("*.csv")} == set(columns.FILES)


@pytest.mark.parametrize(("words", "fault"), [({"a": "A"}, "b"), ({"a": "A", "b": "B", "c": "C"}, "c")])
def test_a_name_without_words_or_words_without_a_name_stop_the_build(words: dict[str, str], fault: str) -> None:
    with pytest.raises(PartIncomplete, match=fault):
        described("things", ["a", "b"], words)


def test_a_bar_in_a_cell_does_not_end_it() -> None:
    assert table(("a",), [("x | `y|z`",)]) == "| a |\n|---|\n| x \\| `y|z` |"


def test_the_readme_is_read_in_three_minutes() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert (len(text.splitlines()) <= 120, len(text.split()) <= 900) == (True, True)
