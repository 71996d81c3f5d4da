"""The exit codes, as the program numbers them."""

from __future__ import annotations

from docs.made.table import code, described, table
from wanbatch.errors import ExitCode, most_urgent

MEANINGS = {
    "OK": "Every take that was asked for is verified, or there was nothing to do.",
    "TAKES_FAILED": "Some takes failed, or shots are missing from a cut or an export.",
    "USAGE": "The command line, a setting or the manifest is wrong, or there was no terminal to ask a question on.",
    "DECISION_NEEDED": "Some takes are unknown or held, one was made twice, or a charge fits no take: you decide.",
    "ACCOUNT_STOPPED": "The provider refused the key, or the account is out of credits.",
    "BUDGET_REACHED": "The cap is reached, or a price rose and you did not agree to it. Raise the cap and run again.",
    "OUTPUT_LOCKED": "Another run holds this output folder.",
    "LOCAL_FAULT": "This machine: the state file, the disk, permissions, or an installation that cannot read clips.",
    "PROVIDER_UNREACHABLE": "The provider does not answer, or wanbatch cannot read its answers.",
    "INTERRUPTED": "You interrupted it (Ctrl-C). The same command resumes.",
    "TERMINATED": "The system or another program ended it (SIGTERM). The same command resumes.",
}


def exit_codes() -> str:
    """Return the table of exit codes, and the order in which they win."""
    rows = [
        (code(int(ExitCode[name])), words) for name, words in described("exit codes", ExitCode.__members__, MEANINGS)
    ]
    left, order = set(ExitCode) - {ExitCode.OK}, []
    while left:
        order.append(most_urgent(left))
        left.discard(order[-1])
    winners = ", ".join(str(int(each)) for each in order)
    return table(("code", "meaning"), rows) + f"\n\nIf several apply, the first of these wins: {winners}."
