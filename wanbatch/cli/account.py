"""The account on the screen: what the ledger shows, what is set aside and charged, and the balance."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from rich.console import Console
from rich.markup import escape

from wanbatch.cli.grid import PLAY_MARK, Grid, say
from wanbatch.money.costs import Figures
from wanbatch.money.credits import amount_text, credits_of_usd, usd_text
from wanbatch.money.ledger import VERDICT_WORDS, LedgerLine, Verdict
from wanbatch.units import count_text


def ledger_grid(lines: Sequence[LedgerLine]) -> Grid:
    """Lay out what the ledger shows, by verdict: how many generations, what is set aside and charged.

    What was released is held no longer: no sum of it includes that.
    """
    grid = Grid(("ledger", "submits", "USD\nset aside", "USD\ncharged", "credits\ncharged", ""), left=(0, 5))
    groups = {each: [line for line in lines if line.verdict is each] for each in Verdict}
    rows = [(verdict, mine) for verdict, mine in groups.items() if mine]
    held = _sums([[] if verdict is Verdict.RELEASED else [line.held for line in mine] for verdict, mine in rows])
    charged = _sums([[line.charged for line in mine] for _, mine in rows])
    for (verdict, mine), (held_usd, _), money in zip(rows, held, charged, strict=True):
        grid.add(verdict.value, str(len(mine)), held_usd, *money, escape(VERDICT_WORDS[verdict]))
    return grid


def _sums(groups: Sequence[Sequence[int | None]]) -> list[tuple[str, str]]:
    """Return the sum of each group in USD and in credits, marked where a part is unknown; empty if all is."""
    found = []
    for group in groups:
        seen = [value for value in group if value is not None]
        more = "+?" if len(seen) < len(group) else ""
        found.append((f"{usd_or_unknown(sum(seen))}{more}", f"{sum(seen):,}{more}") if seen else ("", ""))
    return found


def figures_grid(figures: Figures) -> Grid:
    """Lay out estimated, set aside and charged credits below each other, and how many takes are missing from each.

    Charged is what the ledger shows: what it does not show yet is counted beside. A figure of which nothing is known is
    unknown, never 0.
    """
    grid = Grid(("", "USD", "credits", ""), left=(0, 3))
    for name, figure, unknown in (
        ("estimated", figures.estimated, ("take", "without a price")),
        ("set aside", figures.held, ("unknown amount", "for takes or submits")),
        ("charged", figures.charged, ("possible charge", "not in the ledger yet")),
    ):
        more = "+?" if figure.seen is not None and figure.unknown and name != "charged" else ""
        mark = f"{more} ".lstrip()
        remark = f"{mark}{count_text(figure.unknown, unknown[0])} {unknown[1]}" if figure.unknown else ""
        told = "" if figure.seen is None else f"{figure.seen:,}{more}"
        grid.add(name, f"{usd_or_unknown(figure.seen)}{more}", told, remark)
    return grid


def print_balance(console: Console, balance_usd: Decimal, host: str, *, is_play: bool = False) -> None:
    """Print the balance of the account."""
    mark = PLAY_MARK if is_play else ""
    say(
        console,
        f"{amount_text(balance_usd)} USD ({credits_of_usd(balance_usd):,} credits) at {escape(host)}{mark}",
    )


def usd_or_unknown(value: int | None) -> str:
    """Return credits as an amount in USD without the unit."""
    return "unknown" if value is None else usd_text(value).removesuffix(" USD")
