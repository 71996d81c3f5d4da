"""The flags of a run: how they are written, and the options that they make."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import click

from wanbatch.batch.plan import First
from wanbatch.batch.shots import Limits
from wanbatch.cli.flags import written_flags
from wanbatch.cli.parameters import DURATION, EXCEPT, ONLY, RATE, RENAME, USD, completed_renames
from wanbatch.errors import UsageInvalid
from wanbatch.runner.settings import OnUnknown
from wanbatch.session.options import RunOptions

F = TypeVar("F", bound=Callable[..., Any])

AT_LEAST_ONE = click.IntRange(min=1)
ATTEMPTS_HELP = "At most this many paid tries of each take with its own model, and as many with its fallback"

_SELECTION = (ONLY, EXCEPT)
# Options of a command that names its shots itself: no help shows them, and the command says why it refuses them.
_REFUSED_SELECTION = (
    click.option("--only", multiple=True, hidden=True),
    click.option("--except", "excepted", multiple=True, hidden=True),
)
_RUN_OPTIONS = (
    click.option(
        "--yes",
        "is_agreed",
        is_flag=True,
        help="Do not ask before paying. A price above the expected one still needs a cap that covers it.",
    ),
    click.option(
        "--max-credits",
        type=click.IntRange(min=0),
        help="Never commit more than this for the batch, in all its runs together.",
    ),
    click.option("--max-usd", type=USD, help="The same cap in USD; give one of the two."),
    click.option(
        "--pilot",
        type=AT_LEAST_ONE,
        metavar="N",
        help="Send N representative takes first, show their cost and time, and ask before sending the rest.",
    ),
    *_SELECTION,
    click.option("--limit", type=AT_LEAST_ONE, help="Send at most this many takes."),
    click.option(
        "--order",
        "first",
        type=click.Choice([each.value for each in First]),
        default=First.LONGEST.value,
        help="longest: send the longest takes first, so that a mixed batch ends sooner; story: send in story order."
        "  [default: longest]",
    ),
    click.option(
        "--submit-rate", "submit_per_min", type=RATE, help="Send at most this often, such as 60/min.  [default: 60/min]"
    ),
    click.option(
        "--in-flight", type=AT_LEAST_ONE, help="At most this many takes at the provider at a time.  [default: 100]"
    ),
    click.option(
        "--poll-rate", "poll_per_min", type=RATE, help="Poll at most this often, such as 600/min.  [default: 600/min]"
    ),
    click.option("--downloads", type=AT_LEAST_ONE, help="At most this many downloads at a time.  [default: 4]"),
    click.option("--max-attempts", type=AT_LEAST_ONE, help=f"{ATTEMPTS_HELP}.  [default: 2]"),
    click.option(
        "--on-unknown",
        type=click.Choice([each.value for each in OnUnknown]),
        default=OnUnknown.RECONCILE.value,
        help="When an answer is lost: reconcile looks it up; resubmit looks it up, and sends again what left no trace;"
        " hold leaves it to you immediately.  [default: reconcile]",
    ),
    click.option(
        "--unknown-grace",
        "unknown_grace_s",
        type=DURATION,
        help="How long a submit with a lost answer may take to appear in the provider's log before wanbatch counts it"
        " as never made.  [default: about 25 h; less once the log's delay is known]",
    ),
    click.option(
        "--trust-state",
        is_flag=True,
        help="Send even if the provider's log or ledger cannot confirm that this state file is up to date.",
    ),
    click.option(
        "--moved",
        "is_moved",
        is_flag=True,
        help="The batch in this folder was last run on another machine; from now on only this machine runs it.",
    ),
    click.option(
        "--new-key",
        "is_new_key",
        is_flag=True,
        help="Until now the batch in this folder was run with another key, and no older copy was restored; continue"
        " with this key.",
    ),
    click.option(
        "--shared-account",
        "is_account_shared",
        is_flag=True,
        help="Other people or programs use this account with keys of their own: charges that this key's log does not"
        " show are theirs. The folder remembers it.",
    ),
    click.option(
        "--deadline", "deadline_s", type=DURATION, help="Stop sending after this long, and finish what is running."
    ),
    click.option(
        "--speed",
        type=click.FloatRange(min=0, min_open=True),
        help="Sandbox only: how many times faster than real time.",
    ),
    click.option("--no-report", "makes_report", flag_value=False, default=True, help="Write no reports at the end."),
)


def identity_flags(command: F) -> F:
    """Give a command the flags that say which batch of a folder a manifest is."""
    return _with_options(command, _IDENTITY)


def run_flags(command: F) -> F:
    """Give a command the flags of a run."""
    return _with_options(command, _RUN_OPTIONS)


def retake_flags(command: F) -> F:
    """Give a command the flags of a run, for shots that it names itself."""
    others = (each for each in _RUN_OPTIONS if each not in _SELECTION)
    return _with_options(command, (*others, *_REFUSED_SELECTION))


def _with_options(command: F, options: Iterable[Callable[[F], F]]) -> F:
    for option in reversed(tuple(options)):
        command = option(command)
    return command


def output_option(default: str) -> Callable[[F], F]:
    """Return the option that names the output folder; its help says what is used without it."""
    return click.option(
        "-o",
        "--output",
        type=click.Path(path_type=Path, file_okay=False),
        help=f"Where clips, state and reports go.  [default: {default}]",
    )


OUTPUT = output_option("outputs/ and the batch's name")
SANDBOX = click.option(
    "--sandbox",
    is_flag=True,
    help="Use the embedded sandbox: no key, no cost, and playable video files that show slates instead of the"
    " generated picture.",
)
BUY_AGAIN = click.option(
    "--buy-again",
    is_flag=True,
    help="Buy takes even if clips of their recipes exist: under other ids, or in a folder next to this one.",
)
_IDENTITY = (
    click.option(
        "--same-batch",
        is_flag=True,
        help="This manifest continues the batch that another manifest began in the folder.",
    ),
    click.option(
        "--take-over",
        is_flag=True,
        help="For new shots, use takes of the same recipe that the folder already has under other ids, instead of"
        " buying new ones.",
    ),
    click.option(
        "--rename",
        "renames",
        multiple=True,
        metavar="OLD=NEW",
        type=RENAME,
        shell_complete=completed_renames,
        help="Shot OLD of the folder is shot NEW of the manifest: its takes go with it; repeatable.",
    ),
    BUY_AGAIN,
)
MANIFEST = click.argument("manifest", type=click.Path(path_type=Path))


# Advice does not repeat these flags: it names them itself, or they would keep a run from sending.
_TOLD_APART = ("output", "sandbox", "same_batch", "take_over", "renames", "buy_again", "offline")


_KINDS = {"first": First, "on_unknown": OnUnknown}


def options_of(flags: Mapping[str, Any]) -> RunOptions:
    """Return the options that the flags of the command being run make; each flag is declared under its option's name.

    Raises UsageInvalid for flags that contradict each other.
    """
    names = {each.name for each in fields(RunOptions)}
    given = {name: value for name, value in flags.items() if name in names}
    if flags.get("faults") is not None:
        if not given["sandbox"]:
            raise UsageInvalid("--faults is for the sandbox: add --sandbox")
        from wanbatch.sandbox.faults import read_faults

        read_faults(flags["faults"], seed=0)  # what is wrong with it is said here, not by the sandbox's own process
        given["sandbox_flags"] = ("--faults", flags["faults"])
    given |= {name: kind(given[name]) for name, kind in _KINDS.items() if name in given}
    limits = Limits(**{each.name: flags.get(each.name) for each in fields(Limits)})
    return RunOptions(**given, limits=limits, flags=written_flags(click.get_current_context(), _TOLD_APART))
