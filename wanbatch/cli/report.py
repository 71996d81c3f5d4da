"""`report` and `open`: the reports are rebuilt from the state file, and the page is opened."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from wanbatch.batch.remedies import in_folder
from wanbatch.cli import Global
from wanbatch.cli.parameters import CURRENCY, completed_runs, explaining_run
from wanbatch.cli.screen import print_json
from wanbatch.cli.status import _RUN
from wanbatch.cli.streams import echo
from wanbatch.cli.which import output_seen
from wanbatch.errors import UsageInvalid
from wanbatch.folders import OUTPUTS


@click.command(
    "report",
    epilog="\b\nExamples:\n  wanbatch report outputs/dragon-pass"
    "\n  wanbatch report outputs/ep1 outputs/ep2 --combined -o outputs/costs",
)
@click.argument(
    "runs",
    nargs=-1,
    metavar="[RUN]...",
    type=click.Path(path_type=Path, file_okay=False),
    shell_complete=completed_runs,
)
@click.option("--combined", is_flag=True, help="Write one cost report of all RUNs together.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the combined report goes.  [default: outputs/combined]",
)
@CURRENCY
@click.option(
    "--xlsx", is_flag=True, help="Write the cost report as a workbook, too: costs.xlsx. Needs wanbatch[xlsx]."
)
@click.pass_obj
@explaining_run
def report_command(options: Global, /, runs: tuple[Path, ...], output: Path | None, **flags: Any) -> int:
    """Rebuild the reports of each RUN from its state file; with --combined, add up the costs of all.

    Later commands rebuild them in the same --currency, until `wanbatch report` is given another one, or none.
    """
    from wanbatch.clock import system_now
    from wanbatch.reporting.cost_files import write_combined
    from wanbatch.reporting.files import write_reports
    from wanbatch.session.posters import make_missing_posters
    from wanbatch.state.reader import StateReader

    combined, currency, xlsx = flags["combined"], flags["currency"], flags["xlsx"]
    if output is not None and not combined:
        raise UsageInvalid("-o is for --combined: a batch has its reports in its own folder")
    if combined:
        folder = output if output is not None else Path(OUTPUTS) / "combined"
        page, facts = write_combined(runs or (output_seen(None),), folder, system_now(), currency, has_workbook=xlsx)
        if options.is_json:
            told = {"page": str(page), "figures": facts["figures"], "all": facts["levels"][0]}
            print_json(told | _workbook_json(page.parent, is_written=xlsx))
        else:
            echo("\n".join([str(page), *_workbook_json(page.parent, is_written=xlsx).values()]))
        return 0
    written = []
    for run in runs or (output_seen(None),):
        with StateReader.open(run) as reader:
            make_missing_posters(reader)
            asked = {"currency": currency, "keeps_currency": False, "has_workbook": xlsx}
            written.append(write_reports(reader, made_at=system_now(), **asked))
    if options.is_json:
        rows = [
            {"report": str(each.report), "storyboard": str(each.storyboard)}
            | _workbook_json(each.report.parent, is_written=xlsx)
            for each in written
        ]
        print_json(rows[0] if len(rows) == 1 else rows)
    else:
        for each in written:
            more = _workbook_json(each.report.parent, is_written=xlsx).values()
            echo("\n".join([str(each.report), str(each.storyboard), *more]))
    return 0


def _workbook_json(folder: Path, *, is_written: bool) -> dict[str, str]:
    return {"workbook": str(folder / "costs.xlsx")} if is_written else {}


@click.command("open", epilog="\b\nExamples:\n  wanbatch open\n  wanbatch open --report")
@_RUN
@click.option("--report", "is_report", is_flag=True, help="Open the report with times and money instead.")
@click.pass_obj
@explaining_run
def open_command(options: Global, /, run: Path | None, is_report: bool) -> int:  # noqa: FBT001
    """Open the storyboard of RUN in the browser."""
    output = output_seen(run)
    page = output / "reports" / "report.html" if is_report else output / "storyboard.html"
    if not page.is_file():
        raise UsageInvalid(f"{page} does not exist yet: {in_folder('`wanbatch report` writes it', str(output))}")
    if options.is_json:
        print_json({"page": str(page.resolve())})
        return 0
    echo(str(page))
    if not os.environ.get("WANBATCH_NO_BROWSER"):
        click.launch(page.resolve().as_uri())
    return 0
