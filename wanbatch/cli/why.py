"""The command that says why a shot stands as it does: why."""

from __future__ import annotations

from dataclasses import asdict

import click
from rich.markup import escape

from wanbatch.batch.whys import whys_of
from wanbatch.cli import Global
from wanbatch.cli.grid import say
from wanbatch.cli.parameters import completed_shots, split_run
from wanbatch.cli.screen import console_of, print_json
from wanbatch.cli.which import output_seen
from wanbatch.errors import UsageInvalid
from wanbatch.state.chained_takes import read_chained, read_successions
from wanbatch.state.reader import StateReader


@click.command(
    "why", epilog="\b\nExamples:\n  wanbatch why sc010_sh020\n  wanbatch why outputs/dragon-pass sc010_sh020"
)
@click.argument("names", nargs=-1, required=True, metavar="[RUN] SHOT", shell_complete=completed_shots)
@click.pass_obj
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
    mine = [each for each in every if shot_ids[0] in (each.news.shot_id, *each.news.shots)]
    news = [each.text(str(output)) for each in mine]
    whys = whys_of(shot_ids[0], takes, chained)
    if options.is_json:
        print_json({"shot": shot_ids[0], "why": [asdict(each) for each in whys], "news": news})
        return 0
    console = console_of(options)
    for each in whys:
        say(console, escape(f"{'  ' * each.depth}{each.text}"))
    for line in news:
        say(console, escape(line), style="yellow")
    return 0
