"""The command that says why a shot stands as it does: why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click
from rich.markup import escape

from wanbatch.batch.whys import Why, whys_of
from wanbatch.cli import Global
from wanbatch.cli.grid import say
from wanbatch.cli.parameters import completed_shots, explaining_run, split_run
from wanbatch.cli.screen import console_of, print_json
from wanbatch.cli.which import output_seen
from wanbatch.errors import UsageInvalid
from wanbatch.state.chained_takes import read_chained, read_successions
from wanbatch.state.needs import WAITING
from wanbatch.state.progress_reader import read_overview
from wanbatch.state.reader import StateReader


@click.command(
    "why", epilog="\b\nExamples:\n  wanbatch why sc010_sh020\n  wanbatch why outputs/dragon-pass sc010_sh020"
)
@click.argument("names", nargs=-1, required=True, metavar="[RUN] SHOT", shell_complete=completed_shots)
@click.pass_obj
@explaining_run
def why_command(options: Global, /, names: tuple[str, ...]) -> int:
    """Show the state of SHOT and why: what it waits for, what it was made from, and what has changed since."""
    run, shot_ids = split_run(names)
    if len(shot_ids) != 1:
        raise UsageInvalid("name one shot")
    output = output_seen(run)
    with StateReader.open(output) as reader, reader.snapshot():
        chained = read_chained(reader)
        takes = chained.takes.get(shot_ids[0]) or reader.takes_of_shots(shot_ids)
        if not takes and shot_ids[0] not in {row.shot_id for row in reader.shots()}:
            raise UsageInvalid(f"{output} has no shot '{shot_ids[0]}'")
        every = read_successions(reader)
    mine = [each for each in every if shot_ids[0] in each.news.touched]
    news = [each.text(str(output)) for each in mine]
    whys = whys_of(shot_ids[0], takes, chained)
    todo = _first_cause(output, whys)
    if options.is_json:
        told = [asdict(each) for each in whys]
        print_json({"shot": shot_ids[0], "why": told, "first_cause": todo or None, "news": news})
        return 0
    console = console_of(options)
    for each in whys:
        say(console, escape(f"{'  ' * each.depth}{each.text}"))
    for line in ([f"first cause: {todo}"] if todo else []) + news:
        say(console, escape(line), style="yellow")
    return 0


def _first_cause(output: Path, whys: Sequence[Why]) -> str:
    """Return what keeps a shot from its clip in the end, and what helps, as `status` says it; empty for nothing."""
    problems = {each.take: each for each in read_overview(output).problems if each.state != WAITING}
    labels = (each.text.partition(" ")[0] for each in reversed(whys))
    return next((str(problems[label]) for label in labels if label in problems), "")
