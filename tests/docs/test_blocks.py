"""Every block of the README and the pages does what the page says: on the sandbox, in a folder of its own, offline."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from filelock import FileLock

from tests.docs.pages import ROOT, Block, all_blocks, blocks_of, pages
from tests.docs.project import Project
from tests.near import bring_near
from wanbatch.cli import cli

TUTORIAL, *OTHERS = pages()


def _not_printed(page: Path, project: Project) -> list[str]:
    """Do what a page says, block by block; return the lines shown that the command before them does not print."""
    said = ""
    missing: list[str] = []
    for block in blocks_of(page):
        if block.title:
            (project.where / block.title).write_text(block.text, encoding="utf-8")
        elif block.kind == "text" and block.follows and said:
            missing += _missing_from(said, block)
        elif block.kind == "sh" and block.is_run:
            said = project.run(block)
        elif block.kind == "python" and block.is_run:
            said = project.run_python(block)
    return missing


def _missing_from(said: str, block: Block) -> list[str]:
    printed = {" ".join(line.split()) for line in said.splitlines()}
    shown = [" ".join(line.split()) for line in block.text.splitlines()]
    missing = [line for line in shown if line and line != "..." and line not in printed]
    return [f"{block.place} shows {line!r}, which the command does not print; it prints\n{said}" for line in missing]


@dataclass(frozen=True)
class Followed:
    """The home in which the tutorial was followed, and the clips that its sandboxes drew."""

    home: Path
    clips: Path


@pytest.fixture(scope="session")
def tutorial(tmp_path_factory: pytest.TempPathFactory) -> Followed:
    """Follow the tutorial: once, however many workers there are. Nothing stays patched for the tests that follow."""
    is_alone = "PYTEST_XDIST_WORKER" not in os.environ
    shared = tmp_path_factory.getbasetemp() if is_alone else tmp_path_factory.getbasetemp().parent
    followed = Followed(shared / "reader", shared / "reader-clips")
    with pytest.MonkeyPatch.context() as patch:
        bring_near(patch)
        with FileLock(shared / "reader.lock"):
            if not followed.home.exists():
                followed.clips.mkdir(exist_ok=True)
                assert _not_printed(TUTORIAL, Project.of(shared / "reader-new", followed.clips)) == []
                (shared / "reader-new").rename(followed.home)
    return followed


@pytest.mark.long
def test_the_tutorial_leads_where_it_says(tutorial: Followed) -> None:
    output = tutorial.home / "my-film" / "outputs" / "dragon-pass"
    assert [name for name in ("cut.mp4", "storyboard.html", "reports/takes.csv") if not (output / name).is_file()] == []


@pytest.mark.usefixtures("near")
@pytest.mark.sampled(9)  # the README first; `.ci/run` follows all of them
@pytest.mark.parametrize("page", [each for each in OTHERS if blocks_of(each)], ids=lambda page: page.stem)
def test_a_page_does_what_it_says(page: Path, tutorial: Followed, tmp_path: Path) -> None:
    home = tmp_path / "reader"
    shutil.copytree(tutorial.home, home, symlinks=True)
    project = Project.of(home, tutorial.clips)
    if page.name == "README.md":  # it begins in the checkout
        for name in ("manifests", "schemas"):
            (home / name).symlink_to(ROOT / name)
    else:
        project.where = home / "my-film"
    assert _not_printed(page, project) == []


# --- what is not run is held against the definitions ----------------------------------------------------------------


NAMES = cli.list_commands(click.Context(cli))
GLOBAL = click.Command("wanbatch", params=cli.params)


def objection_to(call: list[str]) -> str | None:
    """Parse a call as the program does, without doing it; return what the program would object to."""
    before, name, rest = _split(call)
    try:
        GLOBAL.make_context("wanbatch", before)
        if name is not None:
            command = cli.get_command(click.Context(cli), name)
            assert command is not None
            command.make_context(name, rest)
    except click.exceptions.Exit:  # --help, --version
        return None
    except click.ClickException as error:
        return error.format_message()
    return None


def _split(call: list[str]) -> tuple[list[str], str | None, list[str]]:
    """Split a call into what stands before its command, the command and what comes after it."""
    at = next((number for number, word in enumerate(call) if word in NAMES), None)
    return (call, None, []) if at is None else (call[:at], call[at], call[at + 1 :])


CALLS = [(block.place, call) for block in all_blocks() if block.kind == "sh" for call in block.calls]


@pytest.mark.parametrize(("place", "call"), CALLS, ids=[f"{place} {' '.join(call[:2])}" for place, call in CALLS])
def test_a_call_is_one_that_the_program_takes(place: str, call: list[str]) -> None:
    assert objection_to(call) is None, place


@pytest.mark.parametrize(
    "call", [["run", "a.yaml", "--max-eur", "3"], ["runs"], ["--jsn", "status"], ["export", "--format", "pdf"], ["run"]]
)
def test_a_call_that_the_program_does_not_take_is_noticed(call: list[str]) -> None:
    assert objection_to(call) is not None


def test_every_command_is_shown_in_a_block_that_is_run() -> None:
    shown = {_split(call)[1] for block in all_blocks() if block.kind == "sh" and block.is_run for call in block.calls}
    assert set(NAMES) - shown == {"sandbox"}  # which serves until it is ended
