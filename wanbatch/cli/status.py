"""The `status` command: how far a batch is."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from wanbatch.cli import Global
from wanbatch.cli.grid import say
from wanbatch.cli.screen import can_redraw, console_of, credits_json, print_counts, print_json
from wanbatch.cli.streams import is_abandoned
from wanbatch.money.credits import money_text
from wanbatch.session.options import OUTPUTS, newest_output
from wanbatch.state.standing import BatchStanding, read_standing
from wanbatch.units import count_text, duration_text

_WATCH_EVERY_S = 2.0
_RUN = click.argument("run", required=False, type=click.Path(path_type=Path, file_okay=False))


def _output(run: Path | None) -> Path:
    return run if run is not None else newest_output(Path(OUTPUTS))


def _standing_json(found: BatchStanding) -> dict[str, Any]:
    standing = found.standing
    return {
        "batch": found.batch,
        "output": str(found.output),
        "counts": dict(standing.counts),
        "credits": {"last_run_estimated": found.estimate, **credits_json(standing), "cap": found.cap},
        "uncosted_takes": standing.uncosted,
        "charges_not_seen": standing.charges_not_seen,
        "eta_s": standing.eta_s,
        "running": bool(found.holder),
        "problems": [vars(problem) for problem in found.problems],
    }


@click.command("status", epilog="\b\nExamples:\n  wanbatch status\n  wanbatch status outputs/dragon-pass --watch")
@_RUN
@click.option("--watch", "is_watching", is_flag=True, help="Refresh every 2 s until the run ends.")
@click.pass_obj
def status_command(options: Global, /, run: Path | None, is_watching: bool) -> int:  # noqa: FBT001
    """Show the state of the batch in RUN; works from another terminal while it runs."""
    console = console_of(options)
    output = _output(run)
    while True:
        found = read_standing(output)
        if options.is_json:
            print_json(_standing_json(found))
        else:
            if is_watching and can_redraw(console):
                console.clear()
            _print_standing(options, found)
        if not is_watching or not found.holder or is_abandoned(sys.stdout):
            return 0
        time.sleep(_WATCH_EVERY_S)


def _print_standing(options: Global, found: BatchStanding) -> None:
    console, standing = console_of(options), found.standing
    mark = "  SANDBOX" if found.is_sandbox else ""
    say(console, escape(f"{found.batch} → {found.output}{mark}"), style="bold")
    print_counts(console, standing.counts)
    money = [f"committed {money_text(standing.credits_committed)}", f"charged {money_text(standing.credits_charged)}"]
    if standing.uncosted:
        money.append(f"and {standing.uncosted} with an unknown cost")
    if standing.charges_not_seen:
        money.append(f"{count_text(standing.charges_not_seen, 'charge')} not seen yet")
    if found.cap is not None:
        money.append(f"cap {money_text(found.cap)}")
    say(console, f"  {'; '.join(money)}")
    if found.holder:
        left = "" if standing.eta_s is None else f"; about {duration_text(standing.eta_s / found.speed)} left"
        say(console, escape(f"  running{found.holder}{left}"))
    for problem in found.problems[:20]:
        console.print(f"  {problem}", style="yellow", markup=False)
    if len(found.problems) > 20:
        console.print(
            f"  ... and {len(found.problems) - 20} more: see {found.output / 'reports' / 'takes.csv'}",
            markup=False,
        )
