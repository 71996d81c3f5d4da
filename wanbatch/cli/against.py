"""What `reconcile --against` says: how an invoice and the charges of a batch agree, line by line."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from rich.markup import escape

from wanbatch.cli import Global
from wanbatch.cli.grid import Grid, say
from wanbatch.cli.screen import console_of, print_json
from wanbatch.errors import ExitCode
from wanbatch.money.credits import amount_text, usd
from wanbatch.money.currency import Currency
from wanbatch.money.invoice import MATCH_WORDS, SETTLED, TOTALS, Match, Matched, sum_of
from wanbatch.money.invoice_table import IN_CREDITS
from wanbatch.session.against import Against, against_json, hold_against
from wanbatch.units import count_text

NAMED = 8


def reconcile_against(options: Global, output: Path, file: Path, currency: Currency | None) -> int:
    """Hold a batch against an invoice; returns 3 if a line or a charge has no counterpart."""
    found = hold_against(output, file, currency)
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
    """Lay out the lines by what they are: how many, what was billed and what was charged.

    The total is that of the lines with a generation. Rows without one come after it.
    """
    code = _code(found)
    grid = Grid(("against the invoice", "lines", f"{code}\nbilled", f"{code}\ncharged", ""), left=(0, 4))
    for match in Match:
        mine = [line for line in found.of(match) if line.generation_id]
        if not mine:
            continue
        is_charge = match is Match.NOT_ON_INVOICE
        count, billed = ("\u2013", "\u2013") if is_charge else (str(len(mine)), _billed(found, mine))
        words = f"{MATCH_WORDS[match]}: {count_text(len(mine), 'charge')}" if is_charge else MATCH_WORDS[match]
        grid.add(match.value, count, billed, _charged(found, mine), words)
    charged = _charged(found, [line for line in found.lines if line.generation_id])
    grid.add("total", str(len(found.billed)), _billed(found, found.billed), charged, "", style="bold")
    rest = [line for line in found.lines if not line.generation_id and line.match not in TOTALS]
    for match in Match:
        if mine := [line for line in rest if line.match is match]:
            words = "" if match is Match.NO_ID else f"{MATCH_WORDS[match]}; "
            billed = _billed(found, mine)
            grid.add(Match.NO_ID.value, str(len(mine)), billed, "\u2013", f"{words}{MATCH_WORDS[Match.NO_ID]}")
    for line in found.totals:
        grid.add(line.match.value, f"line {line.number}", _billed(found, [line]), "\u2013", MATCH_WORDS[line.match])
    return grid


def _code(found: Against) -> str:
    return found.unit.code if found.unit.is_converted else "USD"


def _billed(found: Against, lines: Sequence[Matched]) -> str:
    """Write what lines bill: as the invoice has it, and credits as USD. What cannot be read is not in it."""
    amount = sum_of(lines) if found.unit != IN_CREDITS else usd(int(sum_of(lines)))
    return f"{amount_text(amount)}{'+?' if any(line.amount is None for line in lines) else ''}"


def _charged(found: Against, lines: Sequence[Matched]) -> str:
    """Write what was charged; converted, to as many decimals as the invoice has."""
    charged = usd(sum(line.charged or 0 for line in lines))
    if not found.unit.is_converted:
        return amount_text(charged)
    places = max((-int(line.amount.as_tuple().exponent) for line in found.billed if line.amount is not None), default=0)
    return amount_text((charged * found.unit.per_usd).quantize(Decimal(1).scaleb(-max(2, places)), ROUND_HALF_UP))


def _lines(found: Against) -> list[str]:
    """Say what is rounded and converted, and name the first lines that a person has to look at, by kind."""
    lines = []
    if found.unit.is_converted:
        rate = Currency(found.unit.code, found.unit.per_usd).note
        lines.append(f"charges are {rate}: a line matches if its amount equals its charge, rounded as the line is")
    matched = found.of(Match.MATCHED)
    billed, charged = _billed(found, matched), _charged(found, matched)
    if billed != charged:
        code = _code(found)
        lines.append(
            f"the invoice rounds each line: those that match add up to {billed} {code}, and their charges to {charged}"
            f" {code}"
        )
    lines += [
        f"line {line.number} says that the total is {_billed(found, [line])} {_code(found)}, and the lines add up to"
        f" {_billed(found, found.billed)} {_code(found)}"
        for line in found.of(Match.TOTAL_DIFFERS)
    ]
    for match in Match:
        mine = found.of(match)
        if match in SETTLED or match is Match.TOTAL_DIFFERS or not mine:
            continue
        names = [f"line {line.number}" if line.take == "" else line.take for line in mine[:NAMED]]
        more = f" and {len(mine) - NAMED} more" if len(mine) > NAMED else ""
        lines.append(f"{match.value}: {', '.join(names)}{more}")
    return lines
