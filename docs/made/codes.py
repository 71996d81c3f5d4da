"""The exit codes, as the program numbers them."""

from __future__ import annotations

from docs.made.table import code, described, table
from wanbatch.errors import MEANINGS, ExitCode, most_urgent


def exit_codes() -> str:
    """Return the table of exit codes, and the order in which they win."""
    meanings = {each.name: found.sentences for each, found in MEANINGS.items()}
    rows = [
        (code(int(ExitCode[name])), words) for name, words in described("exit codes", ExitCode.__members__, meanings)
    ]
    left, order = set(ExitCode) - {ExitCode.OK}, []
    while left:
        order.append(most_urgent(left))
        left.discard(order[-1])
    winners = ", ".join(str(int(each)) for each in order)
    return table(("code", "meaning"), rows) + f"\n\nIf several apply, the first of these wins: {winners}."
