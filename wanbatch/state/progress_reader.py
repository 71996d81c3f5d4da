"""How a batch stands, read from its state file: counts, money, time left, and what needs the user."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from wanbatch.batch.alarms import ALARM_FACTS, standing_alarms
from wanbatch.batch.forecast import START_OF_TIME, Sending
from wanbatch.batch.guarded_forecast import GuardedForecast
from wanbatch.batch.inventory import Counted, Inventory
from wanbatch.batch.lifecycle import State
from wanbatch.batch.progress import BatchProgress
from wanbatch.batch.remedies import in_folder
from wanbatch.batch.selection import EVERY_SHOT, places_of
from wanbatch.batch.take import Take
from wanbatch.clock import system_now
from wanbatch.money.baseline import Baseline, baseline_of, why_none, with_causes
from wanbatch.money.costs import Figures, figures_of
from wanbatch.money.remaining import NOTHING_REMAINS, Remaining
from wanbatch.money.seen_prices import prices_now
from wanbatch.money.spending import NOTHING_SPENT, Spending
from wanbatch.money.successions import Succession
from wanbatch.pace.schedule import Rates
from wanbatch.state.baseline import BASELINE_LOST_NOTE
from wanbatch.state.causes import read_causes
from wanbatch.state.chained_takes import read_successions
from wanbatch.state.history import TAKES_TIMED
from wanbatch.state.kept_command import read_command
from wanbatch.state.lock import holder_of
from wanbatch.state.needs import Problem, problems_in, screen_lines
from wanbatch.state.next_step import NextStep, early_end
from wanbatch.state.notes import answered_charges
from wanbatch.state.reader import StateReader
from wanbatch.state.remaining import read_findings_with_caps, read_remaining
from wanbatch.state.spending import read_spending
from wanbatch.state.tables import Run

_TROUBLED = frozenset({State.FAILED, State.HELD, State.UNKNOWN})
RUN_AT_NOTE = "run at"  # the note that tells when the batch was run last, by this machine's clock


@dataclass(frozen=True)
class BatchOverview:
    """How the batch of an output folder stands: `progress`, with `estimate` and `cap` of its last run, in credits.

    `estimate` is None if a price was unknown; `holder` names a run that is going on, `speed` is that of its clock.
    `last_run` is None before the first, and has no end where it was cut off; `command` is the command line that goes on
    with the manifest, empty if that is not known, `place` the folder in which it was given, empty for the working one;
    `is_finished` where no take is left that it would send or fetch. `baseline` is what the first confirmed plan was to
    cost, with what was added since; None if it was not kept, for the reason `no_baseline`. `alarms` are what was named
    about the money of takes that are in no other trouble. `elapsed_s` is how long a run goes on, by its own clock; None
    if none does. `spending` is where the money went. `remaining` is what is still to be sent, and `early_end` the run
    that tells why it waits, None if none does.
    """

    batch: str
    output: Path
    is_sandbox: bool
    progress: BatchProgress
    estimate: int | None
    cap: int | None
    problems: tuple[Problem, ...]
    holder: str
    speed: float
    last_run: Run | None = None
    command: str = ""
    place: str = ""
    is_finished: bool = False
    baseline: Baseline | None = None
    no_baseline: str = ""
    elapsed_s: float | None = None
    alarms: tuple[str, ...] = ()
    spending: Spending = NOTHING_SPENT
    remaining: Remaining = NOTHING_REMAINS
    early_end: Run | None = None
    successions: tuple[Succession, ...] = ()

    @property
    def next_step(self) -> NextStep:
        """What decides which command continues this batch, and why its takes wait."""
        return NextStep(
            command=self.command,
            place=self.place,
            folder=str(self.output),
            last_run=self.last_run,
            remaining=self.remaining,
            problems=self.problems,
            is_running=bool(self.holder),
            is_finished=self.is_finished,
        )


def read_baseline(reader: StateReader, kinds: Iterable[Counted]) -> Baseline | None:
    """Read the baseline and why the final cost is another; None if none was kept. `kinds` are of all takes."""
    kept_at = reader.baseline_kept_at()
    if kept_at is None:
        return None
    prices = prices_now([kind for kind, _ in kinds], reader.quotes())
    strays = [each.credits_held for each in reader.strays()]
    renamed = reader.renamed_since_baseline()
    causes = read_causes(reader, renamed, prices)
    planned, spent = reader.planned_by_reason(renamed), reader.spent_by_reason(renamed)
    return with_causes(baseline_of(kept_at, planned, spent, prices, strays), causes)


def read_why_no_baseline(reader: StateReader, kinds: Iterable[Counted]) -> str:
    """Say why there is no baseline; empty if there is one. `kinds` are of all takes."""
    if reader.baseline_kept_at() is not None:
        return ""
    was_sent = any(kind.attempts for kind, _ in kinds)
    return why_none(was_sent=was_sent, was_lost=reader.noted(BASELINE_LOST_NOTE) is not None)


def read_early_end(reader: StateReader, runs: Sequence[Run]) -> Run | None:
    """Read which of these runs tells why takes wait that are still to be sent; None if none does, or none waits."""
    since = reader.waiting_since()
    if since is None or all(run.details.choice.shots == EVERY_SHOT for run in runs):
        return early_end(runs, since)
    due = {each.shot_id for each in reader.inventory().due}
    places = places_of(reader.shots()) if any(run.details.choice.shots.needs_places for run in runs) else {}

    def was_asked(run: Run) -> bool:
        shots = replace(run.details.choice.shots, places=places)
        return any(shots.has(shot_id) for shot_id in due)

    return early_end(runs, since, was_asked)


def read_overview(output: Path) -> BatchOverview:
    """Read how the batch of an output folder stands; works while a run goes on."""
    with StateReader.open(output) as reader, reader.snapshot():
        identity, tallies, runs = reader.identity(), reader.tallies(), reader.runs()
        batch = reader.batch()
        unsettled = reader.takes_in(_TROUBLED)
        made = reader.newest_completed(TAKES_TIMED)
        omitted, strays = reader.omitted(), reader.strays()
        last_at, command = reader.last_fact_at(), read_command(reader)
        inventory, alarms = reader.inventory(), _alarms(reader)
        spending, remaining = read_spending(reader), read_remaining(reader)
        findings = read_findings_with_caps(reader, remaining)
        successions = read_successions(reader)
        stopped = read_early_end(reader, runs)
        no_baseline = read_why_no_baseline(reader, inventory.kinds)
        is_finished, baseline = inventory.is_finished(lambda _: True), read_baseline(reader, inventory.kinds)
    holder, last_run = holder_of(output), runs[-1] if runs else None
    is_running = bool(holder) and last_run is not None and last_run.exit_code is None
    progress = BatchProgress.of(tallies, [stray.credits_held for stray in strays])
    if omitted:
        progress = replace(progress, counts={**progress.counts, "omitted": omitted})
    if holder:
        progress = replace(progress, eta_s=_eta_s(inventory, made, _now(last_run, last_at)))
    return BatchOverview(
        batch=batch,
        output=output,
        is_sandbox=identity.sandbox,
        progress=progress,
        estimate=last_run.estimate_credits if last_run is not None and not last_run.unpriced else None,
        cap=last_run.cap_credits if last_run is not None else None,
        problems=problems_in(unsettled, strays, findings=findings, folder=str(output)),
        holder=holder,
        speed=last_run.speed if last_run is not None else 1.0,
        last_run=last_run,
        command=command.text,
        place=command.place,
        is_finished=is_finished,
        baseline=baseline,
        no_baseline=no_baseline,
        elapsed_s=_elapsed_s(last_run, _now(last_run, last_at)) if holder else None,
        alarms=alarms,
        spending=spending,
        remaining=remaining,
        early_end=None if is_running else stopped,
        successions=successions,
    )


def _alarms(reader: StateReader) -> tuple[str, ...]:
    """Return what was named about money beside takes that are in no trouble, with their names, oldest first."""
    found = standing_alarms(reader.entries_after(0, ALARM_FACTS), answered_charges(reader))
    takes = {take_id: reader.take(take_id) for take_id, _ in found}
    lines = [f"{takes[each].label}: {text}" for each, text in found if takes[each].state not in _TROUBLED]
    return tuple(in_folder(line, str(reader.output)) for line in lines)


def is_play_money(output: Path) -> bool:
    """Say whether the batch of an output folder runs on a sandbox, where nothing costs money."""
    with StateReader.open(output) as reader:
        return reader.identity().sandbox


def read_figures(output: Path) -> Figures:
    """Read what a batch was estimated at, what answers held and what was charged."""
    with StateReader.open(output) as reader, reader.snapshot():
        takes = reader.takes()
        figures = figures_of(takes, reader.attempts(), prices_now(takes, reader.quotes()))
        return figures.with_strays(each.credits_held for each in reader.strays())


def _elapsed_s(run: Run | None, now: datetime) -> float | None:
    return None if run is None else max(0.0, (now - run.started_at).total_seconds())


def _now(run: Run | None, last_at: datetime | None) -> datetime:
    """Return the time of the batch: that of its last fact if a sandbox's time runs faster than ours."""
    is_sped_up = run is not None and run.speed != 1
    return last_at if is_sped_up and last_at is not None else system_now()


def _eta_s(inventory: Inventory, made: Sequence[Take], now: datetime) -> float | None:
    """Estimate from outside the run: as many at once as are running now."""
    rates = Rates()
    forecast = GuardedForecast(START_OF_TIME, {})
    forecast.take_up(inventory.due)
    forecast.learn(made)
    planned = [due.take_id for due in inventory.due]
    return forecast.eta_s(inventory.open_takes, now, Sending(planned, rates.submit_per_min, rates.downloads))


def problems_of(output: Path, limit: int, message: str = "") -> list[str]:
    """Return lines on what needs the user beside the message of a run, up to a limit, the last one saying how many more
    there are.
    """
    with StateReader.open(output) as reader:
        troubled, strays = reader.takes_in(_TROUBLED), reader.strays()
        findings = read_findings_with_caps(reader, read_remaining(reader))
    problems = problems_in(troubled, strays, findings=findings, folder=str(output))
    lines = screen_lines(problems, in_folder(message, str(output)))
    if len(lines) > limit:
        more = f"... and {len(lines) - limit} more: {in_folder('`wanbatch status`', str(output))}"
        return [*lines[:limit], more]
    return lines
