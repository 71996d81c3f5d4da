"""What a caller asks of a run, sees of it and gets back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from wanbatch.batch.plan import First
from wanbatch.batch.progress import BatchProgress
from wanbatch.batch.selection import Place, Selection
from wanbatch.batch.shots import Head, Limits
from wanbatch.errors import ExitCode, UsageInvalid
from wanbatch.folders import OUTPUTS
from wanbatch.money.credits import credits_of_usd
from wanbatch.pace.schedule import Rates
from wanbatch.runner.events import Event
from wanbatch.runner.settings import OnUnknown, RunSettings
from wanbatch.session.folder_questions import Answer, Question
from wanbatch.state.tables import Run

if TYPE_CHECKING:  # half of the program, which most commands need not load
    from wanbatch.session.preview import Preview


@dataclass(frozen=True)
class RunOptions:
    """How to run. None means: what the manifest says, or else the default.

    `speed` and `sandbox_flags` are for a provider on this machine. `only` are patterns of shots to include: globs of
    their ids, or `scene:` or `tag:` and a glob. `excepted` are patterns of shots to leave out.
    `pilot` sends this number of representative takes first and asks before the rest. `is_agreed` is a decision set in
    advance (`--yes`): wanbatch asks nothing during a run. `trust_state` sends even if the provider's log cannot
    confirm that this state file is up to date. `is_moved` says that from now on only this machine runs a batch that
    was last run on another. `is_new_key` says that the batch is run with a key that it was never run with.
    `is_account_shared` says that other people or programs use the account.
    `same_batch` says that the manifest continues the batch of a folder that another manifest made. `renames` are old
    and new ids of shots whose takes go with them. `take_over` uses takes that the folder has under other ids, if there
    is no doubt; `buy_again` buys them again. `offline` asks the provider nothing; only a finished batch can be run this
    way. `flags` are the other flags of a command line, as they were written: advice repeats them. `max_usd` is
    `max_credits` in USD.
    """

    output: Path | None = None
    sandbox: bool = False
    speed: float | None = None
    max_credits: int | None = None
    only: tuple[str, ...] = ()
    excepted: tuple[str, ...] = ()
    limit: int | None = None
    first: First = First.LONGEST
    pilot: int | None = None
    is_agreed: bool = False
    limits: Limits = field(default_factory=Limits)
    on_unknown: OnUnknown = OnUnknown.RECONCILE
    unknown_grace_s: float | None = None
    trust_state: bool = False
    is_moved: bool = False
    is_new_key: bool = False
    is_account_shared: bool = False
    deadline_s: float | None = None
    fresh: bool = False
    offline: bool = False
    makes_report: bool = True
    sandbox_flags: tuple[str, ...] = ()
    same_batch: bool = False
    renames: tuple[tuple[str, str], ...] = ()
    take_over: bool = False
    buy_again: bool = False
    flags: tuple[str, ...] = ()
    max_usd: Decimal | float | str | None = None

    def __post_init__(self) -> None:
        """Take a path as text, and a cap in USD, for what they are. Raises UsageInvalid for two caps or none."""
        if self.output is not None:
            object.__setattr__(self, "output", Path(self.output))
        if self.max_usd is not None:
            if self.max_credits is not None:
                raise UsageInvalid("give a cap in credits or in USD (--max-credits or --max-usd), not both")
            object.__setattr__(self, "max_credits", _credits_of(self.max_usd))
            object.__setattr__(self, "max_usd", None)  # kept as credits: a copy with another cap has one, too

    def selection(self, places: Mapping[str, Place]) -> Selection:
        """Return which shots are meant."""
        return Selection(self.only, self.excepted, places)


def _credits_of(max_usd: Decimal | float | str) -> int:
    try:
        amount = Decimal(str(max_usd))
    except InvalidOperation as error:
        raise UsageInvalid(f"max_usd is {max_usd!r}: write an amount such as 40 or '12.50'") from error
    if not amount.is_finite() or amount < 0:
        raise UsageInvalid(f"max_usd is {max_usd!r}: an amount of USD must be 0 or more")
    return credits_of_usd(amount)


@dataclass(frozen=True)
class RunResult:
    """How a run ended, and the state of its batch then. `report` is the page, if one was written."""

    exit_code: ExitCode
    messages: tuple[str, ...]
    output: Path
    progress: BatchProgress
    report: Path | None

    @property
    def counts(self) -> Mapping[str, int]:
        """Takes by shown state."""
        return self.progress.counts

    @property
    def credits_committed(self) -> int:
        """What was charged and what may be, as far as it is known."""
        return self.progress.credits_committed

    @property
    def credits_charged(self) -> int:
        """What was charged, as far as it is known."""
        return self.progress.credits_charged

    @property
    def uncosted(self) -> int:
        """How many takes may have cost something and the amount is unknown."""
        return self.progress.uncosted

    @property
    def charges_not_seen(self) -> int:
        """Of how many takes the ledger may still show a charge."""
        return self.progress.charges_not_seen


@dataclass(frozen=True)
class Watch:
    """What a caller wants to see and decide. `confirm` is asked before anything is paid, and again after a pilot or
    where an answer held a price that was not expected (`Preview.why`). `on_start` gets a function that tells how
    the run stands. `confirm_move` is asked whether a batch that was last run on another machine is run on this one
    alone now, `confirm_key` whether it is run with a key that it was never run with; where one is None such a run is
    refused.
    """

    confirm: Callable[[Preview], bool] = lambda _: True
    confirm_move: Callable[[str], bool] | None = None
    confirm_key: Callable[[str], bool] | None = None
    on_event: Callable[[Event], None] = lambda _: None
    on_start: Callable[[Callable[[], BatchProgress]], None] = lambda _: None
    notice: Callable[[str], None] = lambda _: None
    ask: Callable[[Question], Answer] = lambda _: Answer.STOP


def output_of(head: Head, options: RunOptions) -> Path:
    """Return the output folder of a batch: as asked, else `outputs/<name>`."""
    return options.output if options.output is not None else Path(OUTPUTS) / head.name


def settings_of(
    options: RunOptions, head: Head | None, last: Run | None, places: Mapping[str, Place] = MappingProxyType({})
) -> RunSettings:
    """Decide what a run is held to; `head` is that of its manifest, None without one, `last` the run before it.

    The cap is that of a flag, else of an earlier run's flag, else of the manifest; without a manifest that of the last
    run. A cap that was given once is not lost by leaving its flag out of the command that resumes.
    """
    is_kept, selection = is_cap_kept(options, last), options.selection(places)
    cap = options.max_credits
    if cap is None and head is not None and not is_kept:
        cap = head.max_credits
    elif cap is None and last is not None:
        cap = last.cap_credits
    scenes = head.scene_caps if head is not None else last.caps_by_scene if last is not None else {}
    return RunSettings(
        rates=rates_of(options.limits, head.limits if head is not None else Limits()),
        cap_credits=cap,
        scene_caps=scenes,
        is_cap_given=options.max_credits is not None or is_kept,
        is_agreed=options.is_agreed,
        buys_again=options.buy_again,
        on_unknown=options.on_unknown,
        unknown_grace=None if options.unknown_grace_s is None else timedelta(seconds=options.unknown_grace_s),
        trust_state=options.trust_state,
        is_account_shared=options.is_account_shared,
        limit=options.limit,
        first=options.first,
        is_selected=lambda take: selection.has(take.shot_id),
    )


def is_cap_kept(options: RunOptions, last: Run | None) -> bool:
    """Say whether the cap that a flag of an earlier run gave still applies."""
    return options.max_credits is None and last is not None and last.is_cap_given


def rates_of(flags: Limits, manifest: Limits) -> Rates:
    """Merge limits: a flag, else the manifest, else the default."""
    default = Rates()

    def pick(name: str, otherwise: float) -> Any:
        for source in (flags, manifest):
            value = getattr(source, name)
            if value is not None:
                return value
        return otherwise

    return Rates(
        submit_per_min=pick("submit_per_min", default.submit_per_min),
        poll_per_min=pick("poll_per_min", default.poll_per_min),
        in_flight=pick("in_flight", default.in_flight),
        downloads=pick("downloads", default.downloads),
        max_attempts=pick("max_attempts", default.max_attempts),
    )
