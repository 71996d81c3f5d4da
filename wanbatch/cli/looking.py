"""Commands that look: status, report, open, verify, doctor."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from wanbatch.batch.advice import in_folder
from wanbatch.cli import Global
from wanbatch.cli.grid import say
from wanbatch.cli.screen import Follower, can_redraw, console_of, is_interactive, print_counts, print_json
from wanbatch.cli.streams import echo, is_abandoned
from wanbatch.errors import ExitCode, UsageInvalid
from wanbatch.money.credits import usd_text
from wanbatch.session.options import OUTPUTS, RunOptions, newest_output
from wanbatch.session.session import session_of
from wanbatch.state.standing import BatchStanding, read_standing
from wanbatch.units import duration_text

_WATCH_EVERY_S = 2.0
_RUN = click.argument("run", required=False, type=click.Path(path_type=Path, file_okay=False))


def _output(run: Path | None) -> Path:
    return run if run is not None else newest_output(Path(OUTPUTS))


def _standing_json(standing: BatchStanding) -> dict[str, Any]:
    return {
        "batch": standing.batch,
        "output": str(standing.output),
        "counts": dict(standing.counts),
        "credits": {  # a sum is null while a part of it is unknown; its known part stands beside it
            "estimate": standing.estimate,
            "committed": None if standing.uncosted else standing.committed,
            "committed_known": standing.committed,
            "charged": None if standing.charges_not_seen else standing.charged,
            "charged_known": standing.charged,
            "cap": standing.cap,
        },
        "uncosted_takes": standing.uncosted,
        "charges_not_seen": standing.charges_not_seen,
        "eta_s": standing.eta_s,
        "running": bool(standing.holder),
        "problems": [vars(problem) for problem in standing.problems],
    }


@click.command("status", epilog="\b\nExamples:\n  wanbatch status\n  wanbatch status outputs/dragon-pass --watch")
@_RUN
@click.option("--watch", "is_watching", is_flag=True, help="Show again every 2 s, until the run ends.")
@click.pass_obj
def status_command(options: Global, /, run: Path | None, is_watching: bool) -> int:  # noqa: FBT001
    """Show how the batch of RUN stands; works from another terminal while a run goes on."""
    console = console_of(options)
    output = _output(run)
    while True:
        standing = read_standing(output)
        if options.is_json:
            print_json(_standing_json(standing))
        else:
            if is_watching and can_redraw(console):
                console.clear()
            _print_standing(options, standing)
        if not is_watching or not standing.holder or is_abandoned(sys.stdout):
            return 0
        time.sleep(_WATCH_EVERY_S)


def _print_standing(options: Global, standing: BatchStanding) -> None:
    console = console_of(options)
    mark = "  SANDBOX" if standing.is_sandbox else ""
    say(console, escape(f"{standing.batch} → {standing.output}{mark}"), style="bold")
    print_counts(console, standing.counts)
    money = [f"committed {standing.committed:,} credits ({usd_text(standing.committed)})"]
    money.append(f"charged {standing.charged:,} ({usd_text(standing.charged)})")
    if standing.uncosted:
        money.append(f"and {standing.uncosted} takes of unknown cost")
    if standing.charges_not_seen:
        money.append(f"{standing.charges_not_seen} charges not seen yet")
    if standing.cap is not None:
        money.append(f"cap {standing.cap:,}")
    say(console, f"  {'; '.join(money)}")
    if standing.holder:
        left = "" if standing.eta_s is None else f"; about {duration_text(standing.eta_s / standing.speed)} left"
        say(console, escape(f"  running{standing.holder}{left}"))
    for problem in standing.problems[:20]:
        console.print(f"  {problem}", style="yellow", markup=False)
    if len(standing.problems) > 20:
        console.print(
            f"  ... and {len(standing.problems) - 20} more: see {standing.output / 'reports' / 'takes.csv'}",
            markup=False,
        )


@click.command(
    "report",
    epilog="\b\nExamples:\n  wanbatch report outputs/dragon-pass"
    "\n  wanbatch report outputs/ep1 outputs/ep2 --combined -o outputs/costs",
)
@click.argument("runs", nargs=-1, metavar="[RUN]...", type=click.Path(path_type=Path, file_okay=False))
@click.option("--combined", is_flag=True, help="One cost report of all RUNs together.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the combined report goes.  [default: outputs/combined]",
)
@click.pass_obj
def report_command(
    options: Global,
    /,
    runs: tuple[Path, ...],
    combined: bool,  # noqa: FBT001
    output: Path | None,
) -> int:
    """Rebuild the reports of each RUN from its state file alone; with --combined, add up what they cost."""
    from wanbatch.clock import system_now
    from wanbatch.reporting.cost_files import write_combined
    from wanbatch.reporting.csv_file import csv_text
    from wanbatch.reporting.files import write_reports
    from wanbatch.session.posters import make_missing_posters
    from wanbatch.state.reader import StateReader

    if output is not None and not combined:
        raise UsageInvalid("-o is for --combined: a batch has its reports in its own folder")
    if combined:
        folder = output if output is not None else Path(OUTPUTS) / "combined"
        page, facts = write_combined(runs or (_output(None),), folder, system_now(), csv_text)
        if options.is_json:
            print_json({"page": str(page), "figures": facts["figures"], "all": facts["levels"][0]})
        else:
            echo(page)
        return 0
    written = []
    for run in runs or (_output(None),):
        with StateReader.open(run) as reader:
            make_missing_posters(reader)
            written.append(write_reports(reader, made_at=system_now()))
    if options.is_json:
        rows = [{"report": str(each.report), "storyboard": str(each.storyboard)} for each in written]
        print_json(rows[0] if len(rows) == 1 else rows)
    else:
        for each in written:
            echo(f"{each.report}\n{each.storyboard}")
    return 0


@click.command("open", epilog="\b\nExamples:\n  wanbatch open\n  wanbatch open --report")
@_RUN
@click.option("--report", "is_report", is_flag=True, help="Open the report with times and money instead.")
@click.pass_obj
def open_command(options: Global, /, run: Path | None, is_report: bool) -> int:  # noqa: FBT001
    """Open the storyboard of RUN in the browser."""
    output = _output(run)
    page = output / "reports" / "report.html" if is_report else output / "storyboard.html"
    if not page.is_file():
        raise UsageInvalid(f"{page} is not there yet: {in_folder('`wanbatch report` writes it', str(output))}")
    if options.is_json:
        print_json({"page": str(page.resolve())})
        return 0
    echo(str(page))
    if not os.environ.get("WANBATCH_NO_BROWSER"):
        click.launch(page.resolve().as_uri())
    return 0


@click.command("verify", epilog="\b\nExamples:\n  wanbatch verify\n  wanbatch verify outputs/dragon-pass --fetch")
@_RUN
@click.option("--fetch", is_flag=True, help="Fetch again what is missing or altered, without asking.")
@click.pass_obj
def verify_command(options: Global, /, run: Path | None, fetch: bool) -> int:  # noqa: FBT001
    """Compare the clips of RUN with their recorded hashes; offers to fetch again what is missing. Never pays."""
    from wanbatch.session.verify import verify_output

    output = _output(run)
    checks = verify_output(output)
    bad = [check for check in checks if check.verdict != "ok"]
    if bad and not options.is_json:
        for check in bad:
            echo(f"{check.take} {check.verdict}: {output / check.file}")
    asks = bool(bad) and not fetch and not options.is_json and is_interactive()
    if bad and (fetch or (asks and click.confirm(f"Fetch {len(bad)} clips again? Nothing is paid.", err=True))):
        with Follower(options) as follower:
            session = session_of(RunOptions(makes_report=False), follower.watch(lambda _: True), options.env_file)
            asyncio.run(session.refetch(output, [check.take_id for check in bad]))
        checks = verify_output(output)
        bad = [check for check in checks if check.verdict != "ok"]
    if options.is_json:
        print_json({"output": str(output), "checks": [vars(check) for check in checks]})
    else:
        echo(f"{len(checks) - len(bad)} of {len(checks)} clips are as recorded")
    return int(ExitCode.TAKES_FAILED if bad else ExitCode.OK)


@click.command("doctor", epilog="\b\nExamples:\n  wanbatch doctor\n  wanbatch --json doctor")
@click.option("--offline", is_flag=True, help="Do not ask the provider.")
@click.pass_obj
def doctor_command(options: Global, /, offline: bool) -> int:  # noqa: FBT001
    """Check this machine and the settings: what runs need, and whether the key is accepted. Sends nothing paid."""
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
