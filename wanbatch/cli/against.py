"""What `reconcile --against` says: how an invoice and the charges of a batch agree, line by line."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape

from wanbatch.cli import Global
from wanbatch.cli.grid import Grid, say
from wanbatch.cli.screen import console_of, print_json
from wanbatch.errors import ExitCode
from wanbatch.money.credits import cents_text, shared_cents, usd_text
from wanbatch.money.invoice import MATCH_WORDS, Match
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
    columns = [[sum(getattr(line, name) or 0 for line in mine) for _, mine in groups] for name in ("billed", "charged")]
    more = "+?" if found.of(Match.UNREADABLE) else ""
    rows = zip(groups, *map(shared_cents, columns), strict=True)
    for (match, mine), billed, charged in rows:
        mark = more if match is Match.UNREADABLE else ""
        grid.add(match.value, str(len(mine)), f"{cents_text(billed)}{mark}", cents_text(charged), MATCH_WORDS[match])
    billed, charged = (usd_text(sum(column)).removesuffix(" USD") for column in columns)
    grid.add("total", str(len(found.lines)), f"{billed}{more}", charged, "", style="bold")
    return grid


def _lines(found: Against) -> list[str]:
    """Name the first lines that need somebody, by kind."""
    lines = []
    for match in Match:
        mine = found.of(match)
        if match is Match.MATCHED or not mine:
            continue
        names = [f"line {line.number}" if line.take == "" else line.take for line in mine[:NAMED]]
        more = f" and {len(mine) - NAMED} more" if len(mine) > NAMED else ""
        lines.append(f"{match.value}: {', '.join(names)}{more}")
    return lines
