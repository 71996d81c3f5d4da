"""What a caller asks of a run, sees of it and gets back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wanbatch.batch import Batch, Limits
from wanbatch.desk import Event
from wanbatch.errors import ExitCode, UsageInvalid
from wanbatch.pacing import Rates
from wanbatch.previewing import Preview
from wanbatch.proofs import OnUnknown
from wanbatch.runner import Standing
from wanbatch.state import STATE_NAME

OUTPUTS = "outputs"


@dataclass(frozen=True)
class RunOptions:
    """How to run. None means: what the manifest says, else the default.

    `speed` and `sandbox_flags` are for a provider on this machine. `only` are globs of shot ids.
    `trust_state` sends although the provider's log cannot tell whether this state file is the newest.
    """

    output: Path | None = None
    sandbox: bool = False
    speed: float | None = None
    max_credits: int | None = None
    only: tuple[str, ...] = ()
    limit: int | None = None
    limits: Limits = field(default_factory=Limits)
    on_unknown: OnUnknown = OnUnknown.RECONCILE
    unknown_grace_s: float | None = None
    trust_state: bool = False
    deadline_s: float | None = None
    fresh: bool = False
    makes_report: bool = True
    sandbox_flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunResult:
    """How a run ended. `report` is the page, where one was written."""

    exit_code: ExitCode
    messages: tuple[str, ...]
    output: Path
    counts: Mapping[str, int]
    credits_committed: int
    credits_charged: int
    report: Path | None


@dataclass(frozen=True)
class Watch:
    """What a caller wants to see and decide. `on_start` gets a function that tells how the run stands."""

    confirm: Callable[[Preview], bool] = lambda _: True
    on_event: Callable[[Event], None] = lambda _: None
    on_start: Callable[[Callable[[], Standing]], None] = lambda _: None
    notice: Callable[[str], None] = lambda _: None


def output_of(batch: Batch, options: RunOptions) -> Path:
    """Return the output folder of a batch: as asked, else `outputs/<name>`."""
    return options.output if options.output is not None else Path(OUTPUTS) / batch.name


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


def newest_output(root: Path) -> Path:
    """Return the output folder under `root` whose state file changed last. Raises UsageInvalid where there is none."""
    found = [path for path in root.glob(f"*/{STATE_NAME}") if path.is_file()]
    if not found:
        raise UsageInvalid(f"no output folder under {root}/ yet: name one, or run a manifest first")
    return max(found, key=lambda path: max(each.stat().st_mtime for each in path.parent.glob(f"{STATE_NAME}*"))).parent
