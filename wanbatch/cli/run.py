"""Commands that send: plan, run, demo."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from wanbatch.batch.selection import places_of
from wanbatch.cli import Global
from wanbatch.cli.confirmations import ask, confirm, confirm_key, confirm_move
from wanbatch.cli.explanation import explanation_json, print_explanation
from wanbatch.cli.flags import FlaggedCommand
from wanbatch.cli.grid import say
from wanbatch.cli.manifest import STRICT, read_manifest
from wanbatch.cli.money import preview_json, print_preview
from wanbatch.cli.outcome import tell
from wanbatch.cli.parameters import CURRENCY, EXCEPT, FAULT_PLANS, ONLY, USD, completed_ids
from wanbatch.cli.payment_question import converted_estimate
from wanbatch.cli.problems import warnings_json
from wanbatch.cli.run_flags import (
    AT_LEAST_ONE,
    ATTEMPTS_HELP,
    MANIFEST,
    OUTPUT,
    SANDBOX,
    identity_flags,
    options_of,
    output_option,
    run_flags,
)
from wanbatch.cli.screen import Follower, console_of, print_json
from wanbatch.cli.shots import takes_json
from wanbatch.errors import ExitCode, UsageInvalid
from wanbatch.manifest.cache import Manifest
from wanbatch.manifest.explanation import explained
from wanbatch.session.options import RunOptions
from wanbatch.session.session import session_of


@click.command(
    "plan",
    cls=FlaggedCommand,
    epilog="\b\nExamples:\n  wanbatch plan shots.yaml\n  wanbatch plan shots.yaml --sandbox --only 'sc010_*'"
    "\n  wanbatch plan film.yaml --explain sc010_sh020",
)
@MANIFEST
@OUTPUT
@SANDBOX
@ONLY
@EXCEPT
@click.option("--limit", type=AT_LEAST_ONE, help="Send at most this many takes.")
@click.option(
    "--max-attempts",
    type=AT_LEAST_ONE,
    help=f"{ATTEMPTS_HELP}; used here only to compute the worst case.  [default: 2]",
)
@click.option("--max-credits", type=click.IntRange(min=0), help="Plan with this cap.")
@click.option("--max-usd", type=USD, help="The same cap in USD; give one of the two.")
@identity_flags
@click.option("--offline", is_flag=True, help="Ask the provider nothing, not even for prices.")
@click.option(
    "--explain",
    metavar="SHOT",
    shell_complete=completed_ids,
    help="Show what is sent for this shot, and where in the manifest each value comes from; nothing else.",
)
@CURRENCY
@STRICT
@click.pass_obj
def plan_command(options: Global, /, manifest: Path, offline: bool, strict: bool, **flags: Any) -> int:  # noqa: FBT001
    """Show what a run of MANIFEST would do and cost. Sends nothing and writes nothing.

    A run may have to ask a question first: which batch this is, or what to do with takes that the folder has under
    other ids. Then the plan shows the question and exits with code 2, as a run does without a terminal.
    """
    asked, currency = options_of(flags), flags["currency"]
    source = read_manifest(options, manifest, strict=strict)
    if flags["explain"] is not None:
        return _explain(options, manifest, flags["explain"])
    _assert_meant(source, asked)
    with Follower(options) as follower:
        session = session_of(asked, follower.watch(lambda _: False), options.env_file)
        preview = asyncio.run(session.preview(source.batch(), offline=offline))
    if options.is_json:
        print_json({**preview_json(preview), "takes": takes_json(preview), **warnings_json(*source.warnings())})
    else:
        print_preview(console_of(options), preview, is_each_shown=options.verbosity > 0)
        if currency is not None:
            say(console_of(options), f"  {converted_estimate(preview, currency)}")
    if preview.refusal is not None:
        return int(preview.refusal[0])
    return int(ExitCode.USAGE if any(each.is_blocking for each in preview.questions) else ExitCode.OK)


def _explain(options: Global, manifest: Path, shot_id: str) -> int:
    told = explained(manifest, shot_id)
    if options.is_json:
        print_json(explanation_json(told))
    else:
        print_explanation(console_of(options), told)
    return int(ExitCode.OK)


@click.command(
    "run",
    cls=FlaggedCommand,
    epilog="\b\nExamples:\n  wanbatch run shots.yaml --max-usd 40\n  wanbatch run shots.yaml --pilot 5 --max-usd 40"
    "\n  wanbatch run shots.yaml --sandbox --speed 60"
    "\n  wanbatch run shots.csv --yes --only 'sc020_*'     (from cron: add -q)",
)
@MANIFEST
@OUTPUT
@SANDBOX
@run_flags
@identity_flags
@click.option(
    "--fresh",
    is_flag=True,
    help="Start over if the state file of an earlier run is lost. Everything that the earlier run bought is bought"
    " again.",
)
@click.option(
    "--ask",
    "is_asking",
    is_flag=True,
    help="Ask before sending on the sandbox, too, as a paid run does: this rehearses the question.",
)
@click.option("--offline", is_flag=True, help="Ask the provider nothing; only for a finished batch.")
@click.option(
    "--faults",
    metavar="NAME|FILE",
    help=f"Let the embedded sandbox simulate these faults: {FAULT_PLANS}.",
)
@STRICT
@click.pass_obj
def run_command(options: Global, /, manifest: Path, strict: bool, **flags: Any) -> int:  # noqa: FBT001
    """Show the plan for MANIFEST, ask you to confirm it, make the clips and write the reports.
    The same command resumes.

    If the batch is finished, wanbatch sends nothing; it reads the provider's log once, and names any clip made twice.
    """
    asked, is_asking = options_of(flags), flags["is_asking"]
    if is_asking and asked.is_agreed:
        raise UsageInvalid("--ask asks before sending, and --yes answers in advance: give one of the two")
    return _run(options, read_manifest(options, manifest, strict=strict), asked, is_asking=is_asking)


@click.command("demo", epilog="\b\nExample:\n  wanbatch demo")
@output_option("outputs/quickstart")
@click.option(
    "--speed", type=click.FloatRange(min=0, min_open=True), help="How many times faster than real time.  [default: 60]"
)
@click.pass_obj
def demo_command(options: Global, /, output: Path | None, speed: float | None) -> int:
    """Make the six clips of the quick-start manifest on the embedded sandbox: no key, no network, no cost."""
    from wanbatch.manifest.schemas import example_path

    source = read_manifest(options, example_path("quickstart.yaml"), strict=False)
    return _run(options, source, RunOptions(sandbox=True, is_agreed=True, output=output, speed=speed))


def _assert_meant(source: Manifest, asked: RunOptions) -> None:
    """Raise UsageInvalid if no shot of a manifest is meant."""
    if asked.only or asked.excepted:
        wanted = asked.selection(places_of(source.batch().shots))
        if not any(wanted.has(shot.id) for shot in source.batch().shots):
            raise UsageInvalid(f"no shot of the manifest matches {wanted.words}. Nothing was sent")


def _run(options: Global, source: Manifest, asked: RunOptions, *, is_asking: bool = False) -> int:
    warnings = warnings_json(*source.warnings())
    _assert_meant(source, asked)
    with Follower(options) as follower:
        watch = follower.watch(
            lambda preview: confirm(options, preview, is_agreed=asked.is_agreed, is_asking=is_asking, more=warnings),
            confirm_move,
            lambda question: ask(options, question),
            confirm_key,
        )
        result = asyncio.run(session_of(asked, watch, options.env_file).run(source))
    return tell(options, result)
