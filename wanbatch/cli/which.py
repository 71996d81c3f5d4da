"""Which output folder a command means: the one named, the most recently used one, or the answer to a question."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from wanbatch.cli import Global
from wanbatch.cli.screen import is_interactive
from wanbatch.cli.streams import echo
from wanbatch.clock import system_now
from wanbatch.errors import UsageInvalid
from wanbatch.session.which_run import Candidate, candidates, newest_output, of_last_day
from wanbatch.units import count_text, local_text

SHOWN = 9


def output_seen(run: Path | None) -> Path:
    """Return the folder that a command looks at: that which is named, else the most recently used one."""
    return run if run is not None else newest_output()


def output_meant(options: Global, run: Path | None) -> Path:
    """Return the folder that a command pays for, cuts or exports; where none is named it says or asks which.

    Raises UsageInvalid if the batches of several were run in the last 24 hours and there is no terminal to ask on.
    """
    if run is not None:
        return run
    found = of_last_day(candidates(), system_now())
    chosen = found[0] if len(found) == 1 else _asked(found)
    if options.verbosity >= 0 and not options.is_json:
        echo(f"in {_line(chosen)}", err=True)
    return chosen.output


def _asked(found: Sequence[Candidate]) -> Candidate:
    folders = count_text(len(found), "output folder")
    several = f"the batches in {folders} were run in the last 24 hours, but the command does not say which one"
    lines = [_line(each) for each in found[:SHOWN]]
    if not is_interactive():
        more = [f"and {len(found) - SHOWN} more under {found[0].output.parent}/"] if len(found) > SHOWN else []
        name = click.get_current_context().info_name
        cure = f"Name the one that you mean, such as: wanbatch {name} {found[0].output} ..."
        raise UsageInvalid("\n  ".join([f"{several}. Nothing was done:", *lines, *more, cure]))
    echo(f"{several}:", err=True)
    for number, line in enumerate(lines, 1):
        echo(f"  {number}  {line}", err=True)
    number = click.prompt("Which one do you mean?", type=click.IntRange(1, len(lines)), err=True)
    return found[number - 1]


def _line(each: Candidate) -> str:
    batch = f", batch {each.batch}" if each.batch and each.batch != each.output.name else ""
    return f"{each.output}{batch}{', SANDBOX' if each.is_sandbox else ''}, last run at {local_text(each.run_at)}"
