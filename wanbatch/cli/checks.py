"""`verify` and `doctor`: whether the clips and the machine are as they should be."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from wanbatch.cli import Global
from wanbatch.cli.parameters import explaining_run
from wanbatch.cli.screen import Follower, console_of, is_interactive, print_json
from wanbatch.cli.status import _RUN
from wanbatch.cli.streams import echo
from wanbatch.cli.which import output_seen
from wanbatch.errors import ExitCode
from wanbatch.session.options import RunOptions
from wanbatch.session.session import session_of
from wanbatch.units import agreeing, count_text


@click.command("verify", epilog="\b\nExamples:\n  wanbatch verify\n  wanbatch verify outputs/dragon-pass --fetch")
@_RUN
@click.option("--fetch", is_flag=True, help="Fetch missing or altered clips again, without asking.")
@click.pass_obj
@explaining_run
def verify_command(options: Global, /, run: Path | None, fetch: bool) -> int:  # noqa: FBT001
    """Compare the clips of RUN with their recorded hashes, and offer to fetch missing ones again. Costs
    nothing.
    """
    from wanbatch.session.verify import verify_output

    output = output_seen(run)
    checks = verify_output(output)
    bad = [check for check in checks if check.verdict != "ok"]
    if bad and not options.is_json:
        for check in bad:
            echo(f"{check.take} {check.verdict}: {output / check.file}")
    asks = bool(bad) and not fetch and not options.is_json and is_interactive()
    if bad and (
        fetch or (asks and click.confirm(f"Fetch {count_text(len(bad), 'clip')} again? This costs nothing.", err=True))
    ):
        with Follower(options) as follower:
            session = session_of(RunOptions(makes_report=False), follower.watch(lambda _: True), options.env_file)
            asyncio.run(session.refetch(output, [check.take_id for check in bad]))
        checks = verify_output(output)
        bad = [check for check in checks if check.verdict != "ok"]
    if options.is_json:
        print_json({"output": str(output), "checks": [vars(check) for check in checks]})
    else:
        match = agreeing(len(checks), "match|matches")
        echo(f"{len(checks) - len(bad)} of {count_text(len(checks), 'clip')} {match} what was recorded")
    return int(ExitCode.TAKES_FAILED if bad else ExitCode.OK)


@click.command("doctor", epilog="\b\nExamples:\n  wanbatch doctor\n  wanbatch --json doctor")
@click.option("--offline", is_flag=True, help="Do not ask the provider.")
@click.pass_obj
def doctor_command(options: Global, /, offline: bool) -> int:  # noqa: FBT001
    """Check whether this machine and its settings are ready for a run, and whether the key is accepted. Costs
    nothing.
    """
    from wanbatch.session.doctor import examine

    findings = asyncio.run(examine(options.env_file, is_offline=offline))
    if options.is_json:
        print_json([vars(finding) for finding in findings])
    else:
        console = console_of(options)
        styles = {"ok": "green", "note": "dim", "bad": "red"}
        for finding in findings:
            console.print(f"[{styles[finding.verdict]}]{finding.verdict:5}[/]", finding.text, markup=True)
    is_bad = any(finding.verdict == "bad" for finding in findings)
    return int(ExitCode.LOCAL_FAULT if is_bad else ExitCode.OK)
