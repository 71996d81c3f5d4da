"""The outcome of a run as a command reports it: what needs the user, and the clips that a person should look at."""

from __future__ import annotations

from pathlib import Path

from wanbatch.batch.remedies import in_folder
from wanbatch.cli import Global
from wanbatch.cli.screen import Ending, console_of, print_json, print_result, result_json
from wanbatch.cli.spending import baseline_lines, remaining_lines, spending_json, spending_lines
from wanbatch.money.remaining import remaining_json
from wanbatch.session.options import RunResult
from wanbatch.state.progress_reader import problems_of, read_overview
from wanbatch.state.reader import StateReader

WARNINGS_TOLD = 5


def tell(options: Global, result: RunResult) -> int:
    """Tell how a run ended; returns its exit code."""
    found = read_overview(result.output)
    if options.is_json:
        left = remaining_json(found.remaining)
        more = {
            "spending": spending_json(found.spending, found.progress.charges_not_seen),
            "remaining": left,
            "next": found.next_step.next_command,
        }
        print_json({"event": "end", **result_json(result), **more, "sandbox": found.is_sandbox})
    elif options.verbosity >= 0 or result.exit_code:
        reported = [*problems_of(result.output, 10, "; ".join(result.messages)), *_warnings_of(result.output)]
        where = [*spending_lines(found.spending), *baseline_lines(found)]
        what = Ending(where, reported, [*remaining_lines(found), *found.next_step.lines], is_play=found.is_sandbox)
        print_result(console_of(options), result, what)
    return int(result.exit_code)


def _warnings_of(output: Path) -> list[str]:
    """Return lines on the clips that a person should look at, up to a limit."""
    with StateReader.open(output) as reader:
        warned = reader.warned()
    lines = [f"look at {label}: {in_folder(warning, str(output))}" for label, warning in warned[:WARNINGS_TOLD]]
    if len(warned) > WARNINGS_TOLD:
        lines.append(
            f"... and at {len(warned) - WARNINGS_TOLD} more: see the warnings in {output / 'reports' / 'takes.csv'}"
        )
    return lines
