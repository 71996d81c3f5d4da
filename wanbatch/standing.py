"""How a batch stands, read from its state file: counts, money, time left, and what needs the user."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from wanbatch.batch.advice import for_failed, in_folder, is_refused
from wanbatch.batch.lifecycle import IN_FLIGHT_STATES, State
from wanbatch.batch.take import Take
from wanbatch.clock import system_now
from wanbatch.history import prices_now
from wanbatch.lock import holder_of
from wanbatch.money.costs import Figures, figures_of
from wanbatch.money.credits import usd_text
from wanbatch.pace.eta import eta_s
from wanbatch.pace.schedule import Rates
from wanbatch.state import StateReader
from wanbatch.tables import Run, Stray

_TROUBLED = frozenset({State.FAILED, State.HELD, State.UNKNOWN})


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
        identity, tallies, runs = reader.identity(), reader.tallies(), reader.runs()
        batch = reader.batch()
        unsettled, in_flight = reader.takes_in(_TROUBLED), reader.takes_in(IN_FLIGHT_STATES)
        mean_s = reader.mean_generation_s()
        omitted, strays = reader.omitted(), reader.strays()
        last_at = reader.last_fact_at()
    counts: dict[str, int] = {}
    for take, count in tallies:
        counts[take.shown_state] = counts.get(take.shown_state, 0) + count
    if omitted:
        counts["omitted"] = omitted
    holder = holder_of(output)
    last_run = runs[-1] if runs else None
    return BatchStanding(
        batch=batch,
        output=output,
        is_sandbox=identity.sandbox,
        counts=counts,
        estimate=last_run.estimate_credits if last_run is not None and not last_run.unpriced else None,
        committed=sum((take.credits_committed or 0) * count for take, count in tallies),
        charged=sum((take.credits_charged or 0) * count for take, count in tallies),
        cap=last_run.cap_credits if last_run is not None else None,
        uncosted=sum(count for take, count in tallies if take.credits_committed is None),
        charges_not_seen=sum(count for take, count in tallies if take.may_be_charged_more),
        eta_s=_eta_s(tallies, in_flight, mean_s, _now(last_run, last_at)) if holder else None,
        problems=problems_in(unsettled, strays, folder=str(output)),
        holder=holder,
        speed=last_run.speed if last_run is not None else 1.0,
    )


def read_figures(output: Path) -> Figures:
    """Read what a batch was estimated at, what answers held and what the ledger charged."""
    with StateReader.open(output) as reader, reader.snapshot():
        takes = reader.takes()
        return figures_of(takes, reader.attempts(), prices_now(takes, reader.quotes()))


def _now(run: Run | None, last_at: datetime | None) -> datetime:
    """Return the time of the batch: that of its last fact where a sandbox's time runs faster than ours."""
    is_sped_up = run is not None and run.speed != 1
    return last_at if is_sped_up and last_at is not None else system_now()


def _eta_s(
    tallies: Sequence[tuple[Take, int]], in_flight: Sequence[Take], mean_s: float | None, now: datetime
) -> float | None:
    """Estimate from outside the run: as many at once as are running now."""
    ages_s = [(now - take.submitted_at).total_seconds() for take in in_flight if take.submitted_at is not None]
    planned = sum(count for take, count in tallies if take.state is State.PLANNED and not take.superseded)
    return eta_s(planned, ages_s, (max(1, len(ages_s)), Rates().submit_per_min), mean_s)


def _nowhere(_: str) -> str:
    return ""


def problems_in(
    takes: Sequence[Take],
    strays: Sequence[Stray] = (),
    *,
    folder: str,
    place_of: Callable[[str], str] = _nowhere,
) -> tuple[Problem, ...]:
    """List the takes that need the user, in the order they were planned, and submits that belong to none.

    `folder` is the output folder as commands name it; `place_of` tells where a shot is written down.
    """
    found = []
    for take in takes:
        if take.superseded:
            continue
        if take.state is State.FAILED:
            paid = take.credits_charged is not None
            todo = "It was charged all the same: ask the provider"
            if not paid:
                todo = for_failed(take.error, place_of(take.shot_id) if is_refused(take.error) else "")
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
    return tuple(
        replace(each, error=in_folder(each.error, folder), todo=in_folder(each.todo, folder)) for each in found
    )


def _held_todo(take: Take) -> str:
    if not take.needs_user:
        return ""
    return f"It is never bought again by itself: `wanbatch resolve {take.label}` with --adopt, --resubmit or --abandon"


def problems_of(output: Path, limit: int, place_of: Callable[[str], str] = _nowhere) -> list[str]:
    """Return lines on what needs the user, at most so many, the last one saying how many more there are."""
    with StateReader.open(output) as reader:
        troubled, strays = reader.takes_in(_TROUBLED), reader.strays()
    problems = problems_in(troubled, strays, folder=str(output), place_of=place_of)
    lines = [str(problem) for problem in problems[:limit]]
    if len(problems) > limit:
        lines.append(f"... and {len(problems) - limit} more: {in_folder('`wanbatch status`', str(output))}")
    return lines
