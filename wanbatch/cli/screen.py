"""The screen: plans, progress and endings as people read them. All colour goes through one console."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from wanbatch.cli import Global
from wanbatch.desk import Event
from wanbatch.options import RunResult, Watch
from wanbatch.previewing import Preview
from wanbatch.pricing import usd_text
from wanbatch.runner import Standing
from wanbatch.units import duration_text

STATE_STYLES = {
    "verified": "green",
    "failed": "red",
    "held": "yellow",
    "unknown": "yellow",
    "generating": "cyan",
    "queued": "cyan",
    "superseded": "dim",
}
_PLAIN_KINDS = {
    "verified",
    "generation_failed",
    "refused",
    "held",
    "warned",
    "note",
    "retry_planned",
    "answer_lost",
    "adopted",
    "found_failed",
    "presumed_absent",
    "found_unrecorded",
}
_WORDS = {
    "note": "",
    "generation_failed": "failed",
    "answer_lost": "answer lost: it may have been charged; nothing is sent again before that is known",
    "adopted": "found again in the provider's log",
    "found_failed": "failed, and cost nothing",
    "presumed_absent": "left no trace; it is sent again",
    "found_unrecorded": "held",
}
_TOLD_IN_WORDS = {"answer_lost", "adopted", "found_failed", "presumed_absent"}
_REFRESH_HZ = 4
FILE_WIDTH = 120  # where no terminal tells its own


def console_of(options: Global, *, stderr: bool = False) -> Console:
    """Make the console that the options ask for; NO_COLOR and FORCE_COLOR are obeyed."""
    force = {"always": True, "never": False}.get(options.color)
    if force is None and os.environ.get("FORCE_COLOR"):
        force = True
    no_color = options.color == "never" or (options.color == "auto" and bool(os.environ.get("NO_COLOR")))
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else FILE_WIDTH
    return Console(stderr=stderr, no_color=no_color, force_terminal=force, highlight=False, soft_wrap=True, width=width)


def print_json(document: Any) -> None:
    """Print one JSON document on one line."""
    click.echo(json.dumps(document, ensure_ascii=False, default=str))


def standing_text(standing: Standing) -> str:
    """Return one line on how a run stands."""
    order = ("verified", "downloaded", "completed", "generating", "queued", "planned", "failed", "held", "superseded")
    counts = " ".join(f"{standing.counts[name]} {name}" for name in order if standing.counts.get(name))
    money = f"{standing.credits_committed:,} credits ({usd_text(standing.credits_committed)})"
    unknown = f" + {standing.uncosted} of unknown cost" if standing.uncosted else ""
    eta = f", about {duration_text(standing.eta_s)} left" if standing.eta_s is not None else ""
    return f"{counts}; {money}{unknown} so far{eta}"


class Follower:
    """Shows a run while it goes: one live line on a terminal, plain lines elsewhere, JSON lines with --json."""

    def __init__(self, options: Global) -> None:
        self._options = options
        self._console = console_of(options, stderr=True)
        self._progress: Progress | None = None
        self._standing: Callable[[], Standing] | None = None
        self._is_live = self._console.is_terminal and not options.is_json and options.verbosity >= 0

    def __enter__(self) -> Self:
        """Start showing."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the live line."""
        self._end_line()

    def _end_line(self) -> None:
        if self._progress is not None:
            self._update()
            self._progress.stop()
            self._progress = None

    def watch(self, confirm: Callable[[Preview], bool], confirm_move: Callable[[str], bool] | None = None) -> Watch:
        """Return what a session calls."""

        def ask(preview: Preview) -> bool:
            self._end_line()
            return confirm(preview)

        return Watch(
            confirm=ask, confirm_move=confirm_move, on_event=self._event, on_start=self._start, notice=self.notice
        )

    def notice(self, text: str) -> None:
        """Tell the user something outside of events."""
        if self._options.verbosity >= 0:
            self._console.print(f"  {text}", markup=False, style="dim")

    def _start(self, standing: Callable[[], Standing]) -> None:
        self._standing = standing
        if self._is_live:
            bar = BarColumn(bar_width=24)
            self._progress = Progress(
                bar,
                TextColumn("{task.description}"),
                console=self._console,
                auto_refresh=True,
                refresh_per_second=_REFRESH_HZ,
                get_time=None,
            )
            self._task = self._progress.add_task("", total=None)
            self._progress.start()
            self._update()

    def _update(self) -> None:
        if self._progress is None or self._standing is None:
            return
        standing = self._standing()
        total = sum(number for name, number in standing.counts.items() if name != "superseded")
        self._progress.update(
            self._task,
            description=escape(standing_text(standing)),
            total=total,
            completed=standing.counts.get("verified", 0) + standing.counts.get("failed", 0),
        )

    def _event(self, event: Event) -> None:
        if self._options.is_json:
            print_json({"event": event.kind, "at": event.at.isoformat(), "take": event.take, "text": event.text})
            return
        shown = event.kind in _PLAIN_KINDS if self._options.verbosity == 0 else self._options.verbosity > 0
        if event.kind == "verified" and self._is_live and self._options.verbosity == 0:
            shown = False
        if self._options.verbosity < 0:
            shown = event.kind in ("held", "generation_failed", "refused")
        if shown:
            self._console.print(self._line(event), markup=False, style=STATE_STYLES.get(event.kind))
        self._update()

    def _line(self, event: Event) -> str:
        what = _WORDS.get(event.kind, event.kind.replace("_", " "))
        text = "" if event.kind in _TOLD_IN_WORDS else event.text or str(event.data.get("warning", ""))
        parts = [part for part in (event.take, what) if part]
        if event.kind == "verified" and self._standing is not None:
            text = standing_text(self._standing())
        return "  " + ": ".join([" ".join(parts), text] if parts and text else [" ".join(parts) or text])


def result_json(result: RunResult) -> dict[str, Any]:
    """Return how a run ended as JSON values: a sum is null while a part of it is unknown, its known part beside it."""
    return {
        "exit_code": int(result.exit_code),
        "messages": list(result.messages),
        "output": str(result.output),
        "counts": dict(result.counts),
        "credits": {
            "committed": None if result.uncosted else result.credits_committed,
            "committed_known": result.credits_committed,
            "charged": None if result.charges_not_seen else result.credits_charged,
            "charged_known": result.credits_charged,
        },
        "uncosted_takes": result.uncosted,
        "charges_not_seen": result.charges_not_seen,
        "report": None if result.report is None else str(result.report),
    }


def print_result(console: Console, result: RunResult, problems: list[str]) -> None:
    """Print how a run ended, what it cost and where things are."""
    counts = ", ".join(f"{number} {name}" for name, number in sorted(result.counts.items())) or "no takes"
    console.print(f"[bold]{counts}[/bold]")
    parts = [f"charged {result.credits_charged:,} credits ({usd_text(result.credits_charged)})"]
    pending = result.credits_committed - result.credits_charged
    if pending:
        parts.append(f"{pending:,} more held or expected")
    if result.uncosted:
        parts.append(f"and {result.uncosted} takes of unknown cost")
    console.print(f"  {'; '.join(parts)}")
    for problem in problems:
        console.print(f"  {problem}", style="yellow", markup=False)
    for message in result.messages:
        console.print(f"  {message}", style="yellow", markup=False)
    if result.report is not None:
        console.print(f"  storyboard  {result.output / 'storyboard.html'}", markup=False)
        console.print(f"  report      {result.report}", markup=False)
        console.print(f"  clips       {result.output / 'clips'}/", markup=False)


def print_counts(console: Console, counts: Mapping[str, int]) -> None:
    """Print a table of takes by state."""
    table = Table(box=None, padding=(0, 2), show_header=False)
    for name, number in counts.items():
        table.add_row(f"[{STATE_STYLES.get(name, 'default')}]{name}[/]", str(number))
    console.print(table)


def is_interactive() -> bool:
    """Say whether there is somebody to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()
