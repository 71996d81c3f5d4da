"""The screen: plans, progress and results as people read them. All colour goes through one console."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import click
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, Task
from rich.segment import Segment
from rich.table import Column
from rich.text import Text

from wanbatch.batch.lifecycle import state_words
from wanbatch.batch.progress import BatchProgress
from wanbatch.batch.remedies import in_folder
from wanbatch.cli import Global
from wanbatch.cli.grid import PLAY_MARK, Grid, say
from wanbatch.cli.streams import json_text
from wanbatch.clock import system_now
from wanbatch.money.credits import money_text, sum_text, usd_text
from wanbatch.runner.events import Event
from wanbatch.session.folder_questions import Answer, Question
from wanbatch.text import visible
from wanbatch.units import count_text, duration_text, left_text

if TYPE_CHECKING:  # half of the program, which most commands need not load
    from wanbatch.session.options import RunResult, Watch
    from wanbatch.session.preview import Preview

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
    "answer_lost": "answer lost: the provider may have charged for it; wanbatch does not send it again until it knows"
    " whether it was charged",
    "adopted": "found in the provider's log",
    "found_failed": "failed, and cost nothing",
    "retry_planned": "will be tried again, in this run if the cap and --deadline allow",
    "presumed_absent": "left no trace; wanbatch sends it again",
    "found_unrecorded": "held",
    "warned": "warning",
    "priced": "price known",
    "searched": "looked up in the provider's log",
    "logged": "seen in the provider's log",
}
_SAID_IN_FULL = {"answer_lost", "adopted", "found_failed", "presumed_absent"}
_REFRESH_HZ = 4
_BAR_WIDTH = 24
MOMENT_S = 1.0  # what is left at least, while something is
_BAR_FROM = 80  # on a narrower screen the text needs all the room
FILE_WIDTH = 120  # if there is no terminal with a width of its own


def console_of(options: Global, *, stderr: bool = False) -> Console:
    """Make the console that the options ask for; NO_COLOR, FORCE_COLOR and TERM=dumb are obeyed."""
    wish = os.environ.get("FORCE_COLOR", "")
    force = {"always": True, "never": False}.get(options.color)
    if force is None and wish:
        force = wish.lower() not in ("0", "false", "no")
    no_color = options.color == "never" or (options.color == "auto" and bool(os.environ.get("NO_COLOR")))
    stream = sys.stderr if stderr else sys.stdout
    if no_color and force:
        force = stream.isatty()
    width = None if stream.isatty() or os.environ.get("COLUMNS") else FILE_WIDTH
    return _Screen(stderr=stderr, no_color=no_color, force_terminal=force, highlight=False, soft_wrap=True, width=width)


class _Screen(Console):
    """A console on which no text from outside can control the terminal: only rich's own styles and controls do."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the segments of something printed, without control characters in their texts."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


def can_redraw(console: Console) -> bool:
    """Say whether lines may be redrawn: on a capable terminal, but never in a file, even with colour."""
    return console.file.isatty() and console.is_terminal and not console.is_dumb_terminal


def print_json(document: Any) -> None:
    """Print one JSON document on one line."""
    click.echo(json_text(document))


def counts_text(counts: Mapping[str, int]) -> str:
    """Return takes by state as a list: `5 verified, 1 made (not fetched yet)`."""
    return ", ".join(f"{number} {state_words(name)}" for name, number in counts.items())


def progress_text(
    progress: BatchProgress, now: datetime, *, elapsed_s: float | None = None, is_play: bool = False
) -> str:
    """Return one line on the progress of a run; `elapsed_s` is how long it goes on."""
    order = ("verified", "downloaded", "completed", "generating", "queued", "planned", "failed", "held", "superseded")
    counts = counts_text({name: progress.counts[name] for name in order if progress.counts.get(name)})
    play, known = " play money" if is_play else "", progress.credits_committed
    money = f"{usd_text(known)}{play} committed"
    unknown = f" + {progress.uncosted} with an unknown cost" if progress.uncosted else ""
    if unknown and not known:
        money, unknown = (
            f"an unknown amount of{play or ' money'} committed ({count_text(progress.uncosted, 'take')})",
            "",
        )
    elapsed = f", {duration_text(elapsed_s)} elapsed" if elapsed_s is not None else ""
    eta = f", {left_text(progress.eta_s, now)}" if progress.eta_s is not None else ""
    return f"{counts}; {money}{unknown}{elapsed}{eta}"


class LiveWords(ProgressColumn):
    """The words of the live line, asked for again with each drawing: time passes between two events, too."""

    def __init__(self, words: Callable[[], str]) -> None:
        self._words = words
        super().__init__(table_column=Column(no_wrap=False, overflow="fold"))

    def render(self, _: Task) -> Text:
        """Return them as they are now."""
        return Text(self._words())


def live_columns(width: int, words: Callable[[], str]) -> list[ProgressColumn]:
    """Return what the live line consists of on a terminal of this width."""
    column = LiveWords(words)
    return [BarColumn(bar_width=_BAR_WIDTH), column] if width >= _BAR_FROM else [column]


class Follower:
    """Shows a run while it goes: one live line on a terminal, plain lines elsewhere, JSON lines with --json."""

    def __init__(self, options: Global) -> None:
        self._options = options
        self._console = console_of(options, stderr=True)
        self._progress: Progress | None = None
        self._read_progress: Callable[[], BatchProgress] | None = None
        self._folder, self._is_play = "", False
        self._began_s: float | None = None
        self._newest: tuple[BatchProgress, float] | None = None  # and when it was read, monotonic seconds
        self._is_live = can_redraw(self._console) and not options.is_json and options.verbosity >= 0

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

    def watch(
        self,
        confirm: Callable[[Preview], bool],
        confirm_move: Callable[[str], bool] | None = None,
        ask: Callable[[Question], Answer] = lambda _: Answer.STOP,
        confirm_key: Callable[[str], bool] | None = None,
    ) -> Watch:
        """Return what a session calls."""
        from wanbatch.session.options import Watch

        def confirmed(preview: Preview) -> bool:
            self._end_line()
            self._folder, self._is_play = str(preview.output), preview.is_play_money
            return confirm(preview)

        return Watch(
            confirm=confirmed,
            confirm_move=confirm_move,
            confirm_key=confirm_key,
            on_event=self._event,
            on_start=self._start,
            notice=self.notice,
            ask=ask,
        )

    def notice(self, text: str) -> None:
        """Show the user something that is not an event."""
        if self._options.verbosity >= 0:
            self._console.print(
                f"  {in_folder(text, self._folder) if self._folder else text}", markup=False, style="dim"
            )

    def _line_now(self) -> str:
        """Say how the run stands by what was read last: in its own thread, the live line must not read."""
        if self._newest is None:
            return ""
        now_s, (progress, read_s) = time.monotonic(), self._newest
        elapsed_s = None if self._began_s is None else now_s - self._began_s
        if progress.eta_s is not None:
            progress = replace(progress, eta_s=max(MOMENT_S, progress.eta_s - (now_s - read_s)))
        return progress_text(progress, system_now(), elapsed_s=elapsed_s, is_play=self._is_play)

    def _read(self) -> BatchProgress:
        assert self._read_progress is not None
        progress = self._read_progress()
        self._newest = progress, time.monotonic()
        return progress

    def _start(self, read_progress: Callable[[], BatchProgress]) -> None:
        self._read_progress = read_progress
        self._began_s = time.monotonic() if self._began_s is None else self._began_s  # of the first round
        if self._is_live:
            self._progress = Progress(
                *live_columns(self._console.width, self._line_now),
                console=self._console,
                auto_refresh=True,
                refresh_per_second=_REFRESH_HZ,
                get_time=None,
            )
            self._task = self._progress.add_task("", total=None)
            self._progress.start()
            self._update()

    def _update(self) -> None:
        if self._progress is None or self._read_progress is None:
            return
        progress = self._read()
        total = sum(number for name, number in progress.counts.items() if name != "superseded")
        self._progress.update(
            self._task,
            total=total,
            completed=progress.counts.get("verified", 0) + progress.counts.get("failed", 0),
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
            line = in_folder(self._line(event), self._folder) if self._folder else self._line(event)
            say(self._console, escape(line), style=STATE_STYLES.get(event.kind))
        self._update()

    def _line(self, event: Event) -> str:
        what = _WORDS.get(event.kind, event.kind.replace("_", " "))
        text = "" if event.kind in _SAID_IN_FULL else event.text or str(event.data.get("warning", ""))
        parts = [part for part in (event.take, what) if part]
        if event.kind == "verified" and self._read_progress is not None:
            self._read()
            text = self._line_now()
        return "  " + ": ".join([" ".join(parts), text] if parts and text else [" ".join(parts) or text])


def credits_json(progress: BatchProgress) -> dict[str, int | None]:
    """Return sums of credits as JSON values: null while a part of one is unknown, its known part beside it."""
    return {
        "committed": None if progress.uncosted else progress.credits_committed,
        "committed_known": progress.credits_committed,
        "charged": None if progress.charges_not_seen else progress.credits_charged,
        "charged_known": progress.credits_charged,
    }


def result_json(result: RunResult) -> dict[str, Any]:
    """Return the result of a run as JSON values: a sum is null while a part is unknown, its known part beside it."""
    return {
        "exit_code": int(result.exit_code),
        "messages": [in_folder(message, str(result.output)) for message in result.messages],
        "output": str(result.output),
        "counts": dict(result.counts),
        "credits": credits_json(result.progress),
        "uncosted_takes": result.uncosted,
        "charges_not_seen": result.charges_not_seen,
        "report": None if result.report is None else str(result.report),
    }


@dataclass(frozen=True)
class Ending:
    """What is said at the end of a run: where the money went, what needs the user, and what is left to do."""

    money: Sequence[str] = ()
    problems: Sequence[str] = ()
    left: Sequence[str] = ()
    is_play: bool = False


def print_result(console: Console, result: RunResult, ending: Ending = Ending()) -> None:
    """Print how a run ended, what it cost, what is left to do, and where things are."""
    say(console, counts_text(dict(sorted(result.counts.items()))) or "no takes", style="bold")
    parts = [f"charged {sum_text(result.credits_charged, result.charges_not_seen)}"]
    pending = result.credits_committed - result.credits_charged
    if pending:
        parts.append(f"{money_text(pending)} more at risk")
    if result.uncosted:
        parts.append(f"and {result.uncosted} with an unknown cost")
    if result.charges_not_seen:
        parts.append(f"{count_text(result.charges_not_seen, 'possible charge')} not in the provider's ledger yet")
    say(console, f"  {'; '.join(parts)}{PLAY_MARK if ending.is_play else ''}")
    for line in ending.money:
        say(console, escape(f"  {line}"))
    for problem in ending.problems:
        console.print(f"  {problem}", style="yellow", markup=False)
    for message in result.messages:
        console.print(f"  {in_folder(message, str(result.output))}", style="yellow", markup=False)
    for line in ending.left:
        say(console, escape(f"  {line}"))
    if result.report is not None:
        console.print(f"  storyboard  {result.output / 'storyboard.html'}", markup=False)
        console.print(f"  report      {result.report}", markup=False)
        console.print(f"  clips       {result.output / 'clips'}/", markup=False)


def print_counts(console: Console, counts: Mapping[str, int]) -> None:
    """Print the takes by state."""
    grid = Grid(("", ""))
    for name, number in counts.items():
        words = "omitted shots" if name == "omitted" else state_words(name)  # all others are takes
        grid.add(f"[{STATE_STYLES.get(name, 'default')}]{words}[/]", f"{number}")
    grid.show(console)


def is_interactive() -> bool:
    """Say whether there is a terminal to ask on."""
    return sys.stdin.isatty() and sys.stderr.isatty()
