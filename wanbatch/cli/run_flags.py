"""The flags of a run: how they are written, and the options that they make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import click

from wanbatch.batch.plan import First
from wanbatch.batch.shots import Limits
from wanbatch.cli.flags import written_flags
from wanbatch.cli.parameters import DURATION, RATE, RENAME, USD
from wanbatch.errors import UsageInvalid
from wanbatch.money.credits import credits_of_usd
from wanbatch.runner.settings import OnUnknown
from wanbatch.session.options import RunOptions

F = TypeVar("F", bound=Callable[..., Any])

AT_LEAST_ONE = click.IntRange(min=1)

_RUN_OPTIONS = (
    click.option(
        "--yes",
        is_flag=True,
        help="Do not ask before paying. A price above the expected one still needs a cap that holds it.",
    ),
    click.option(
        "--max-credits",
        type=click.IntRange(min=0),
        help="Never commit more than this for the batch, over all its runs.",
    ),
    click.option("--max-usd", type=USD, help="The same in USD."),
    click.option(
        "--pilot",
        type=AT_LEAST_ONE,
        metavar="N",
        help="Send N representative takes first, show what they cost and took, and ask before the rest.",
    ),
    click.option("--only", multiple=True, metavar="GLOB", help="Only shots whose id matches; repeatable."),
    click.option("--limit", type=AT_LEAST_ONE, help="Send at most this many takes."),
    click.option(
        "--order",
        type=click.Choice([each.value for each in First]),
        default=First.LONGEST.value,
        help="What is sent first: the longest, which ends a mixed night sooner, or the story's beginning."
        "  [default: longest]",
    ),
    click.option("--submit-rate", type=RATE, help="Submits, such as 60/min.  [default: 60/min]"),
    click.option("--in-flight", type=AT_LEAST_ONE, help="Takes at the provider at once, at most.  [default: 100]"),
    click.option("--poll-rate", type=RATE, help="Polls, such as 600/min.  [default: 600/min]"),
    click.option("--downloads", type=AT_LEAST_ONE, help="Downloads at once.  [default: 4]"),
    click.option("--max-attempts", type=AT_LEAST_ONE, help="Paid tries a take, at most.  [default: 2]"),
    click.option(
        "--on-unknown",
        type=click.Choice(["reconcile", "resubmit", "hold"]),
        help="When an answer is lost: look it up; also send again what left no trace; or ask at once."
        "  [default: reconcile]",
    ),
    click.option("--unknown-grace", type=DURATION, help="How long after a submit its log row would have to show."),
    click.option(
        "--trust-state",
        is_flag=True,
        help="Send although the provider's log cannot tell whether this state file is the newest.",
    ),
    click.option(
        "--moved",
        is_flag=True,
        help="The folder was last run on another machine, and is run on this one alone now.",
    ),
    click.option("--deadline", type=DURATION, help="Send nothing after this long; finish what runs."),
    click.option("--speed", type=click.FloatRange(min=0, min_open=True), help="Sandbox only: times faster than real."),
    click.option("--no-report", is_flag=True, help="Write no reports at the end."),
)


def identity_flags(command: F) -> F:
    """Give a command the flags that say which batch of a folder a manifest is."""
    for option in reversed(_IDENTITY):
        command = option(command)
    return command


def run_flags(command: F) -> F:
    """Give a command the flags of a run."""
    for option in reversed(_RUN_OPTIONS):
        command = option(command)
    return command


OUTPUT = click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="[default: outputs/NAME]"
)
SANDBOX = click.option(
    "--sandbox", is_flag=True, help="On the embedded sandbox: no key, no cost, real clips of slates."
)
_IDENTITY = (
    click.option(
        "--same-batch", is_flag=True, help="This manifest continues the batch in the folder that another one made."
    ),
    click.option(
        "--take-over",
        is_flag=True,
        help="For new shots use the takes with the same recipe that are in the folder under other ids; buy nothing.",
    ),
    click.option(
        "--rename",
        "renames",
        multiple=True,
        metavar="OLD=NEW",
        type=RENAME,
        help="Shot OLD of the folder is shot NEW of the manifest: its takes go with it; repeatable.",
    ),
    click.option(
        "--buy-again",
        is_flag=True,
        help="Buy takes although their recipes are there: under other ids, or in a folder beside.",
    ),
)
MANIFEST = click.argument("manifest", type=click.Path(path_type=Path))


# Of the flags that advice repeats these stand at their place in it already, or would keep a run from sending.
_TOLD_APART = ("output", "sandbox", "same_batch", "take_over", "renames", "buy_again", "offline")


@dataclass(frozen=True)
class Asked:
    """The flags of a run, as click gives them."""

    yes: bool = False
    max_credits: int | None = None
    max_usd: Decimal | None = None
    only: tuple[str, ...] = ()
    limit: int | None = None
    order: str = First.LONGEST.value
    pilot: int | None = None
    submit_rate: float | None = None
    in_flight: int | None = None
    poll_rate: float | None = None
    downloads: int | None = None
    max_attempts: int | None = None
    on_unknown: str | None = None
    unknown_grace: float | None = None
    trust_state: bool = False
    moved: bool = False
    deadline: float | None = None
    speed: float | None = None
    no_report: bool = False
    sandbox: bool = False
    output: Path | None = None
    fresh: bool = False
    offline: bool = False
    faults: str | None = None
    same_batch: bool = False
    renames: tuple[tuple[str, str], ...] = ()
    take_over: bool = False
    buy_again: bool = False
    flags: tuple[str, ...] = ()

    @classmethod
    def of(cls, flags: dict[str, Any]) -> Asked:
        """Take the flags of the command that is being run."""
        written = written_flags(click.get_current_context(), _TOLD_APART)
        return cls(**{each.name: flags[each.name] for each in fields(cls) if each.name in flags}, flags=written)

    def options(self) -> RunOptions:
        """Return the options that they make. Raises UsageInvalid for flags that contradict each other."""
        if self.max_credits is not None and self.max_usd is not None:
            raise UsageInvalid("give --max-credits or --max-usd, not both")
        cap = credits_of_usd(self.max_usd) if self.max_usd is not None else self.max_credits
        if self.faults is not None and not self.sandbox:
            raise UsageInvalid("--faults is for the sandbox: add --sandbox")
        return RunOptions(
            output=self.output,
            sandbox=self.sandbox,
            speed=self.speed,
            max_credits=cap,
            only=self.only,
            limit=self.limit,
            first=First(self.order),
            pilot=self.pilot,
            is_agreed=self.yes,
            limits=Limits(self.submit_rate, self.in_flight, self.poll_rate, self.downloads, self.max_attempts),
            on_unknown=OnUnknown(self.on_unknown or OnUnknown.RECONCILE),
            unknown_grace_s=self.unknown_grace,
            trust_state=self.trust_state,
            is_moved=self.moved,
            deadline_s=self.deadline,
            fresh=self.fresh,
            offline=self.offline,
            makes_report=not self.no_report,
            sandbox_flags=("--faults", self.faults) if self.faults is not None else (),
            same_batch=self.same_batch,
            renames=self.renames,
            take_over=self.take_over,
            buy_again=self.buy_again,
            flags=self.flags,
        )
