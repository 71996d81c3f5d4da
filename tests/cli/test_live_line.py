"""The live line of a run: what it shows at which width, and that its time goes on between two events."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime

import pytest
from rich.console import Console
from rich.progress import Progress

from wanbatch.batch.progress import BatchProgress
from wanbatch.cli.screen import live_columns, progress_text

NOW = datetime(2026, 3, 1, 20, tzinfo=UTC)
STANDS = BatchProgress(
    {"verified": 140, "completed": 12, "generating": 48, "planned": 300}, 262_500_000, 0, 0, eta_s=5025.0
)
WORDS = progress_text(STANDS, NOW, elapsed_s=1910, is_play=True)


def shown(width: int) -> list[str]:
    """The lines that are drawn at a width, without the bar's own letters at their ends."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None, legacy_windows=False)
    line = Progress(*live_columns(width, lambda: WORDS), console=console, auto_refresh=False)
    line.add_task("", total=500, completed=140)
    console.print(line.get_renderable())
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().rstrip("\n").split("\n")


@pytest.mark.parametrize(("width", "has_bar"), [(40, False), (80, True), (200, True)])
def test_the_live_line_keeps_its_bar_its_money_and_its_times(width: int, has_bar: bool) -> None:
    lines = shown(width)
    words = re.sub(r"\s+", " ", " ".join(re.sub("[━╸╺]", " ", line) for line in lines)).strip()
    assert max(map(len, lines)) <= width
    assert ("━" * 6 in lines[0]) is has_bar
    assert words == WORDS
    assert "131.25 USD play money committed, 31 min 50 s elapsed, about 1 h 23 min left, until about" in words


def test_the_words_are_asked_for_with_each_drawing() -> None:
    said = iter(["one", "two"])
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    line = Progress(*live_columns(80, lambda: next(said)), console=console, auto_refresh=False)
    line.add_task("", total=2)
    for _ in range(2):
        console.print(line.get_renderable())
    assert isinstance(console.file, io.StringIO)
    drawn = console.file.getvalue()
    assert ("one" in drawn, "two" in drawn) == (True, True)
