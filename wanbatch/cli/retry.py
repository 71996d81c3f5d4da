"""Commands that try shots again: retry, retake."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from wanbatch.batch.retakes import Retake
from wanbatch.batch.shots import SEED_MAX
from wanbatch.cli import Global
from wanbatch.cli.confirmations import ask, confirm, confirm_key, confirm_move
from wanbatch.cli.flags import FlaggedCommand
from wanbatch.cli.outcome import tell
from wanbatch.cli.parameters import completed_runs, completed_shots, explaining_run, split_run
from wanbatch.cli.run_flags import AT_LEAST_ONE, BUY_AGAIN, options_of, retake_flags, run_flags
from wanbatch.cli.screen import Follower, print_json
from wanbatch.cli.streams import echo
from wanbatch.cli.which import output_meant
from wanbatch.errors import UsageInvalid
from wanbatch.session.circles_and_retakes import plan_for_later
from wanbatch.session.session import session_of


@click.command(
    "retry",
    cls=FlaggedCommand,
    epilog="\b\nExamples:\n  wanbatch retry\n  wanbatch retry outputs/dragon-pass --reason moderation --yes",
)
@click.argument("run", required=False, type=click.Path(path_type=Path, file_okay=False), shell_complete=completed_runs)
@click.option("--reason", metavar="TEXT", help="Only takes whose error contains this text.")
@BUY_AGAIN
@run_flags
@click.pass_obj
def retry_command(options: Global, /, run: Path | None, reason: str | None, **flags: Any) -> int:
    """Run the failed takes of RUN again (default: the most recently used output folder under outputs/), then
    go on with the rest.
    """
    output = output_meant(options, run)
    asked = options_of(flags)
    with Follower(options) as follower:
        watch = follower.watch(
            lambda preview: confirm(options, preview, is_agreed=asked.is_agreed),
            confirm_move,
            lambda question: ask(options, question),
            confirm_key,
        )
        result = asyncio.run(session_of(asked, watch, options.env_file).retry(output, reason))
    return tell(options, result)


@click.command(
    "retake",
    cls=FlaggedCommand,
    epilog="\b\nExamples:\n  wanbatch retake sc010_sh020\n  wanbatch retake outputs/dragon-pass sc010_sh020 sc020_sh010"
    " --takes 2 --note 'slower camera'\n  wanbatch retake sc010_sh020 --seed 4711 --later"
    "\n  wanbatch retake sc010_sh020 --with-successors",
)
@click.argument("names", nargs=-1, required=True, metavar="[RUN] SHOT...", shell_complete=completed_shots)
@click.option("--takes", type=AT_LEAST_ONE, default=1, show_default=True, help="New takes of each shot.")
@click.option("--seed", type=click.IntRange(0, SEED_MAX), help="Seed of the first new take; each further take adds 1.")
@click.option("--note", metavar="TEXT", default="", help="Why you want the new take; reports and exports show it.")
@click.option(
    "--with-successors",
    is_flag=True,
    help="Also make new takes of the shots that continue from these, if they have clips.",
)
@click.option("--later", is_flag=True, help="Only plan the takes: the next `run` of the manifest buys them.")
@BUY_AGAIN
@retake_flags
@click.pass_obj
@explaining_run
def retake_command(options: Global, /, names: tuple[str, ...], later: bool, **flags: Any) -> int:  # noqa: FBT001
    """Make new takes of each SHOT with its newest recipe, but a new seed. Existing takes keep their numbers
    and clips.

    To change the prompt of a shot, edit the manifest and `run` it instead.
    """
    run, shot_ids = split_run(names)
    if not shot_ids:
        raise UsageInvalid("name at least one shot")
    asked = options_of(flags)
    if asked.only or asked.excepted:
        raise UsageInvalid("retake takes neither --only nor --except: name the shots themselves")
    output = output_meant(options, run)
    retake = Retake(shot_ids, flags["takes"], flags["seed"], flags["note"].strip(), flags["with_successors"])
    if later:
        labels = plan_for_later(output, retake)
        if options.is_json:
            print_json({"output": str(output), "planned": labels})
        elif options.verbosity >= 0:
            what = "it" if len(labels) == 1 else "them"
            echo(f"planned {', '.join(labels)}: the next `wanbatch run` of the manifest buys {what}")
        return 0
    with Follower(options) as follower:
        watch = follower.watch(
            lambda preview: confirm(options, preview, is_agreed=asked.is_agreed),
            confirm_move,
            lambda question: ask(options, question),
            confirm_key,
        )
        result = asyncio.run(session_of(asked, watch, options.env_file).retake(output, retake))
    return tell(options, result)
