"""The `status` command: how far a batch is."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from wanbatch.batch.progress import NO_PLAN, NO_PLAN_WHY
from wanbatch.batch.remedies import in_folder
from wanbatch.cli import Global
from wanbatch.cli.chains import succession_json
from wanbatch.cli.grid import PLAY_MARK, say
from wanbatch.cli.parameters import CURRENCY, completed_runs, explaining_run
from wanbatch.cli.screen import can_redraw, console_of, credits_json, print_counts, print_json
from wanbatch.cli.spending import baseline_lines, remaining_lines, spending_json, spending_lines
from wanbatch.cli.streams import is_abandoned
from wanbatch.cli.which import output_seen
from wanbatch.clock import system_now
from wanbatch.money.credits import money_text, sum_text
from wanbatch.money.currency import Currency
from wanbatch.money.remaining import remaining_json
from wanbatch.reporting.cost_files import baseline_json
from wanbatch.state.needs import screen_lines
from wanbatch.state.next_step import end_text
from wanbatch.state.progress_reader import BatchOverview, read_overview
from wanbatch.state.tables import Run
from wanbatch.units import count_text, duration_text, left_text

_SHOWN = 20  # of what needs the user
_WATCH_EVERY_S = 2.0
_RUN = click.argument(
    "run", required=False, type=click.Path(path_type=Path, file_okay=False), shell_complete=completed_runs
)
_RUNS = click.argument(
    "runs",
    nargs=-1,
    metavar="[RUN]...",
    type=click.Path(path_type=Path, file_okay=False),
    shell_complete=completed_runs,
)


def _overview_json(found: BatchOverview) -> dict[str, Any]:
    progress = found.progress
    return {
        "batch": found.batch,
        "output": str(found.output),
        "sandbox": found.is_sandbox,
        "counts": dict(progress.counts),
        "credits": {"last_run_estimated": found.estimate, **credits_json(progress), "cap": found.cap},
        "uncosted_takes": progress.uncosted,
        "charges_not_seen": progress.charges_not_seen,
        "eta_s": progress.eta_s,
        "spending": spending_json(found.spending, progress.charges_not_seen),
        "elapsed_s": found.elapsed_s,
        "running": bool(found.holder),
        "last_run": None if found.last_run is None else _last_run_json(found, found.last_run),
        "remaining": remaining_json(found.remaining),
        "stopped_early": None if found.early_end is None else _last_run_json(found, found.early_end),
        "next": found.next_step.next_command,
        "problems": [vars(problem) for problem in found.problems],
        "alarms": list(found.alarms),
        "successions": [succession_json(each, str(found.output)) for each in found.successions],
        "no_baseline": found.no_baseline or None,
        "baseline": None if found.baseline is None else baseline_json(found.batch, found.baseline),
    }


def _elapsed(found: BatchOverview) -> str:
    """Say how long a run goes on; its last fact tells where its time runs faster than ours."""
    if found.last_run is None or found.elapsed_s is None:
        return ""
    return f"; {duration_text(found.elapsed_s / found.speed)} elapsed"


def _more_lines(found: BatchOverview, currency: Currency | None) -> list[str]:
    """Return what more is said of the money: in another currency, and against the baseline."""
    converted = [] if currency is None else [converted_line(currency, found)]
    return [*converted, *(baseline_lines(found) or [f"no baseline: {found.no_baseline}"])]


def converted_line(currency: Currency, found: BatchOverview) -> str:
    """Say the sums of a batch in another currency, marked as converted."""
    progress, baseline, left = found.progress, found.baseline, found.remaining
    final = progress.credits_committed + left.known
    sums = {
        "committed": (progress.credits_committed, progress.uncosted),
        "charged": (progress.credits_charged, progress.charges_not_seen),
        "final cost": (final, progress.uncosted + left.unpriced),
        **({} if baseline is None else {"baseline": (baseline.credits, baseline.unpriced)}),
        **({} if found.cap is None else {"cap": (found.cap, 0)}),
    }
    told = [f"{name} {_converted(currency, known, unknown)}" for name, (known, unknown) in sums.items()]
    return f"{currency.note}: {'; '.join(told)}"


def _converted(currency: Currency, known: int, unknown: int) -> str:
    if not unknown:
        return currency.text(known)
    return f"{currency.text(known)} + unknown" if known else "unknown"


def _last_run_json(found: BatchOverview, run: Run) -> dict[str, Any]:
    times = {name: None if at is None else at.isoformat() for name, at in _times_of(run)}
    return {**times, "exit_code": run.exit_code, "message": in_folder(run.message, str(found.output))}


def _times_of(run: Run) -> tuple[tuple[str, datetime | None], ...]:
    return ("started_at", run.started_at), ("ended_at", run.ended_at)


@click.command(
    "status",
    epilog="\b\nExamples:\n  wanbatch status\n  wanbatch status outputs/*"
    "\n  wanbatch status outputs/dragon-pass --watch",
)
@_RUNS
@click.option("--watch", "is_watching", is_flag=True, help="Refresh every 2 s until the run ends.")
@CURRENCY
@click.pass_obj
@explaining_run
def status_command(
    options: Global,
    /,
    runs: tuple[Path, ...],
    is_watching: bool,  # noqa: FBT001
    currency: Currency | None,
) -> int:
    """Show the state of the batch in RUN, or of several; works from another terminal while they run."""
    console = console_of(options)
    outputs = list(runs) or [output_seen(None)]
    while True:
        found = [read_overview(output) for output in outputs]
        if options.is_json:
            told = [_overview_json(each) for each in found]
            print_json(told if len(runs) > 1 else told[0])
        else:
            if is_watching and can_redraw(console):
                console.clear()
            for each in found:
                _print_overview(options, each, currency)
        if not is_watching or not any(each.holder for each in found) or is_abandoned(sys.stdout):
            return 0
        time.sleep(_WATCH_EVERY_S)


def _print_overview(options: Global, found: BatchOverview, currency: Currency | None) -> None:
    console, progress = console_of(options), found.progress
    mark = PLAY_MARK if found.is_sandbox else ""
    say(console, escape(f"{found.batch} → {found.output}{mark}"), style="bold")
    print_counts(console, progress.counts)
    charged = sum_text(progress.credits_charged, progress.charges_not_seen)
    money = [f"committed {sum_text(progress.credits_committed, progress.uncosted)}", f"charged {charged}"]
    if progress.uncosted:
        money.append(f"and {progress.uncosted} with an unknown cost")
    at_risk = progress.credits_committed - progress.credits_charged
    if at_risk:
        money.append(f"at risk {money_text(at_risk)}")
    if progress.charges_not_seen:
        money.append(f"{count_text(progress.charges_not_seen, 'possible charge')} not in the provider's ledger yet")
    if found.cap is not None:
        money.append(f"cap {money_text(found.cap)}")
    say(console, f"  {'; '.join(money)}")
    for line in (
        *_plan_lines(found),
        *spending_lines(found.spending),
        *_more_lines(found, currency),
        *remaining_lines(found),
    ):
        say(console, escape(f"  {line}"))
    if found.holder:
        left = "" if progress.eta_s is None else f"; {left_text(progress.eta_s / found.speed, system_now())}"
        say(console, escape(f"  running{found.holder}{_elapsed(found)}{left}"))
    elif found.last_run is not None:
        say(console, escape(f"  {in_folder(end_text(found.last_run), str(found.output))}"))
    page = found.output / "reports" / "takes.csv"
    news = [each.text(str(found.output)) for each in found.successions]
    said = "" if found.last_run is None or found.holder else in_folder(found.last_run.message, str(found.output))
    for lines in (screen_lines(found.problems, said), list(found.alarms), news):
        _print_first(console, lines, page)
    for line in found.next_step.lines:
        say(console, escape(f"  {line}"))


def _plan_lines(found: BatchOverview) -> list[str]:
    """Say that there is nothing to count yet."""
    return [] if found.progress.counts else [f"{NO_PLAN}: {NO_PLAN_WHY}"]


def _print_first(console: Console, lines: Sequence[str], page: Path) -> None:
    """Print the first lines of what needs the user, and where the others are."""
    for line in lines[:_SHOWN]:
        console.print(f"  {line}", style="yellow", markup=False)
    if len(lines) > _SHOWN:
        console.print(f"  ... and {len(lines) - _SHOWN} more: see {page}", markup=False)
