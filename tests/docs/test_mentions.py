"""What the README and the pages name exists: commands and flags in the text, files that they link to, targets of make."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from tests.docs.pages import ROOT, all_blocks, pages
from wanbatch.cli import cli

_CODE = re.compile(r"`([^`\n]+)`")
_FENCED = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?P<target>[^)#\s]+)?(?:#(?P<anchor>[^)\s]+))?\)")
_FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
_FOREIGN = {  # flags of other programs
    "--seed", "--seeds", "--jobs", "--crashes", "--freeze", "--first", "--generator", "--mutants", "--crowds", "--kills", "--ar", "--wait",
}  # fmt: skip
_FILE = re.compile(r"`([a-z_]+(?:/[a-z_.]+)+\.(?:py|md|json))`")
NAMES = cli.list_commands(click.Context(cli))


def _flags() -> set[str]:
    found = {flag for each in cli.params for flag in each.opts}
    for name in NAMES:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        found |= {flag for each in command.params for flag in [*each.opts, *each.secondary_opts]}
    return found | {"--help"}


def _prose(page: Path) -> str:
    return _FENCED.sub("", page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_the_flags_in_the_text_are_flags_of_wanbatch(page: Path) -> None:
    named = {flag for code in _CODE.findall(_prose(page)) for flag in _FLAG.findall(code)}
    assert named - _flags() - _FOREIGN == set()


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_the_commands_in_the_text_are_commands_of_wanbatch(page: Path) -> None:
    calls = [code.split() for code in _CODE.findall(_prose(page)) if code.startswith("wanbatch ")]
    words = {word for call in calls for word in call[1:2] if not word.startswith("-")}
    assert words - set(NAMES) - {"COMMAND"} == set()


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_the_links_of_a_page_lead_to_files(page: Path) -> None:
    targets = [match["target"] for match in _LINK.finditer(_prose(page)) if match["target"]]
    assert [each for each in targets if "://" not in each and not (page.parent / each).exists()] == []


def test_the_targets_of_make_exist() -> None:
    called = {
        word
        for block in all_blocks()
        for line in block.text.splitlines()
        for word in re.findall(r"^make (?:PYTHON=\S+ )?([a-z-]+)", line)
    }
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert (called <= targets, "demo" in called) == (True, True)


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md", "docs/pacing.md", "docs/faults.md"])
def test_the_files_that_a_page_names_exist(page: str) -> None:
    named = set(_FILE.findall(_prose(ROOT / page)))
    places = (ROOT, ROOT / "wanbatch", ROOT / "tests" / "simulation")
    assert [name for name in named if not any((place / name).exists() for place in places)] == []


def test_the_layers_on_the_page_are_those_of_the_structure() -> None:
    from tests.test_structure import LAYERS

    table = re.findall(
        r"^\| \d \| (.*) \|$", (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert [sorted(re.findall(r"`(\w+)`", row)) for row in table] == [sorted(line) for line in LAYERS]


def test_each_package_has_a_paragraph() -> None:
    from tests.test_structure import LAYERS

    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert [room for line in LAYERS[:-1] for room in line if f"\n**`{room}`** " not in page] == []


def test_every_page_is_in_the_navigation() -> None:
    listed = set(re.findall(r": ([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE))
    assert listed == {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}


def test_the_examples_in_the_help_texts_are_what_the_commands_take() -> None:
    from docs.made.commands import example_lines
    from tests.docs.pages import calls_of
    from tests.docs.test_blocks import objection_to

    wrong = []
    for name in NAMES:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        for line in example_lines(command):
            bare = re.sub(r"\s{2,}\(.*\)$", "", line)
            wrong += [(line, said) for call in calls_of(bare) if (said := objection_to(call)) is not None]
    assert wrong == []


@pytest.mark.parametrize("name", NAMES)
def test_a_command_that_takes_a_run_says_that_it_is_an_output_folder(name: str) -> None:
    context = click.Context(cli)
    command = cli.get_command(context, name)
    assert command is not None
    takes_a_run = "RUN" in " ".join(command.collect_usage_pieces(context))
    assert "outputs/" in (command.help or "") or not takes_a_run
