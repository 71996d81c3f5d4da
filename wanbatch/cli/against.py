"""What `reconcile --against` says: how an invoice and the charges of a batch agree, line by line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

from wanbatch.cli import Global
from wanbatch.cli.grid import Grid, say
from wanbatch.cli.screen import console_of, print_json
from wanbatch.errors import ExitCode
from wanbatch.money.credits import amount_text, usd
from wanbatch.money.invoice import MATCH_WORDS, Match, Matched
from wanbatch.session.against import Against, against_json, hold_against

NAMED = 8


def reconcile_against(options: Global, output: Path, file: Path) -> int:
    """Hold a batch against an invoice; returns 3 if a line or a charge has no counterpart."""
    found = hold_against(output, file)
    if options.is_json:
        print_json({"output": str(output), **against_json(found)})
    else:
        console = console_of(options)
        _grid(found).show(console)
        for line in _lines(found):
            say(console, escape(f"  {line}"))
        console.print(f"  every line: {found.table}", markup=False)
    return int(ExitCode.OK if found.is_settled else ExitCode.DECISION_NEEDED)


def _grid(found: Against) -> Grid:
    """Lay out the lines by what they are: how many, what was billed and what was charged."""
    grid = Grid(("against the invoice", "lines", "USD\nbilled", "USD\ncharged", ""), left=(0, 4))
    groups = [(match, found.of(match)) for match in Match if found.of(match)]
    more = "+?" if found.of(Match.UNREADABLE) else ""
    for match, mine in groups:
        mark = more if match is Match.UNREADABLE else ""
        grid.add(
            match.value, str(len(mine)), f"{_sum(mine, 'billed')}{mark}", _sum(mine, "charged"), MATCH_WORDS[match]
        )
    total = (f"{_sum(found.lines, 'billed')}{more}", _sum(found.lines, "charged"))
    grid.add("total", str(len(found.lines)), *total, "", style="bold")
    return grid


def _sum(lines: Sequence[Matched], name: str) -> str:
    return amount_text(usd(sum(getattr(line, name) or 0 for line in lines)))


def _lines(found: Against) -> list[str]:
    """Name the first lines that a person has to look at, by kind."""
    lines = []
    for match in Match:
        mine = found.of(match)
        if match is Match.MATCHED or not mine:
            continue
        names = [f"line {line.number}" if line.take == "" else line.take for line in mine[:NAMED]]
        more = f" and {len(mine) - NAMED} more" if len(mine) > NAMED else ""
        lines.append(f"{match.value}: {', '.join(names)}{more}")
    return lines
