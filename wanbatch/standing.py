"""How a batch stands, read from its state file: counts, money, time left, and what needs the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from wanbatch.clock import system_now
from wanbatch.costing import Figures, figures_of
from wanbatch.history import prices_now
from wanbatch.lifecycle import IN_FLIGHT_STATES, State, Take
from wanbatch.lock import holder_of
from wanbatch.pacing import Rates, eta_s
from wanbatch.pricing import usd_text
from wanbatch.state import StateReader
from wanbatch.tables import Run, Stray


@dataclass(frozen=True)
class Problem:
    """A take, or a submit of no take, that needs the user: what is wrong, and what can be done."""

    take: str
    state: str
    error: str
    todo: str

    def __str__(self) -> str:
        return f"{self.take} {self.state}: {self.error}" + (f". {self.todo}" if self.todo else "")


@dataclass(frozen=True)
class BatchStanding:
    """Counts by shown state; credits are whole. `holder` names a run that is going on.

    `committed` and `charged` sum what is known: `uncosted` takes may have cost something and nobody knows how much,
    and of `charges_not_seen` the ledger may still show a charge. `estimate` is None where a price was unknown.
    """

    batch: str
    output: Path
    is_sandbox: bool
    counts: Mapping[str, int]
    estimate: int | None
    committed: int
    charged: int
    cap: int | None
    uncosted: int
    charges_not_seen: int
    eta_s: float | None
    problems: tuple[Problem, ...]
    holder: str
    speed: float


def read_standing(output: Path) -> BatchStanding:
    """Read how the batch of an output folder stands; works while a run goes on."""
    with StateReader.open(output) as reader, reader.snapshot():
        identity, takes, runs = reader.identity(), reader.takes(), reader.runs()
        omitted, strays = sum(shot.omit for shot in reader.shots()), reader.strays()
        last_at = reader.last_fact_at()
    counts: dict[str, int] = {}
    for take in takes:
        counts[take.shown_state] = counts.get(take.shown_state, 0) + 1
    if omitted:
        counts["omitted"] = omitted
    holder = holder_of(output)
    last_run = runs[-1] if runs else None
    committed = [take.credits_committed for take in takes]
    return BatchStanding(
        batch=identity.batch,
        output=output,
        is_sandbox=identity.sandbox,
        counts=counts,
        estimate=last_run.estimate_credits if last_run is not None and not last_run.unpriced else None,
        committed=sum(value or 0 for value in committed),
        charged=sum(take.credits_charged or 0 for take in takes),
        cap=last_run.cap_credits if last_run is not None else None,
        uncosted=sum(value is None for value in committed),
        charges_not_seen=sum(take.may_be_charged_more for take in takes),
        eta_s=_eta_s(takes, last_run, last_at) if holder else None,
        problems=problems_in(takes, strays),
        holder=holder,
        speed=last_run.speed if last_run is not None else 1.0,
    )


def read_figures(output: Path) -> Figures:
    """Read what a batch was estimated at, what answers held and what the ledger charged."""
    with StateReader.open(output) as reader, reader.snapshot():
        takes = reader.takes()
        return figures_of(takes, reader.attempts(), prices_now(takes, reader.quotes()))


def _eta_s(takes: Sequence[Take], run: Run | None, last_at: datetime | None) -> float | None:
    """Estimate from outside the run: as many at once as are running now."""
    speed = run.speed if run is not None else 1.0
    now = last_at if speed != 1 and last_at is not None else system_now()
    running = [take for take in takes if take.state in IN_FLIGHT_STATES and take.submitted_at is not None]
    ended = [
        (take.completed_at - take.submitted_at).total_seconds()
        for take in takes
        if take.completed_at is not None and take.submitted_at is not None
    ]
    planned = sum(take.state is State.PLANNED and not take.superseded for take in takes)
    ages_s = [(now - take.submitted_at).total_seconds() for take in running if take.submitted_at is not None]
    return eta_s(
        planned, ages_s, (max(1, len(running)), Rates().submit_per_min), sum(ended) / len(ended) if ended else None
    )


def problems_in(takes: Sequence[Take], strays: Sequence[Stray] = ()) -> tuple[Problem, ...]:
    """List the takes that need the user, in the order they were planned, and submits that belong to none."""
    found = []
    for take in takes:
        if take.superseded:
            continue
        if take.state is State.FAILED:
            paid = take.credits_charged is not None
            todo = "It was charged all the same: ask the provider" if paid else "`wanbatch retry` tries again"
            found.append(Problem(take.label, "failed", take.error, todo))
        elif take.state in (State.HELD, State.UNKNOWN):
            is_searched = take.state is State.UNKNOWN
            todo = "It is looked up in the provider's log by the next run" if is_searched else _held_todo(take)
            found.append(Problem(take.label, take.state.value, take.error, todo))
    for stray in strays:
        cost = "unknown" if stray.credits_held is None else usd_text(stray.credits_held)
        made = stray.generation_id or "nothing that is known"
        error = f"{stray.source} shows it, and no take here: it made {made}, its cost is {cost}"
        found.append(Problem(stray.request_id, "stray", error, "Its clip, if any, is in the provider's console"))
    return tuple(found)


def _held_todo(take: Take) -> str:
    if not take.needs_user:
        return ""
    return f"It is never bought again by itself: `wanbatch resolve {take.label}` with --adopt, --resubmit or --abandon"


def problems_of(output: Path, limit: int) -> list[str]:
    """Return lines on what needs the user, at most so many, the last one saying how many more there are."""
    with StateReader.open(output) as reader:
        problems = problems_in(reader.takes(), reader.strays())
    lines = [str(problem) for problem in problems[:limit]]
    if len(problems) > limit:
        lines.append(f"... and {len(problems) - limit} more: `wanbatch status {output}`")
    return lines
